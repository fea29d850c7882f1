//! The scene's clock, and its zones: each has one offset all the year, so that a test says itself what time it is.

use crate::clock::{LocalTime, Weekday};

const DAY_S: i64 = 86_400;

pub(crate) fn now_ms() -> u64 {
    super::scene(|scene| scene.now_ms)
}

pub(crate) fn monotonic_ns() -> u64 {
    now_ms().saturating_mul(1_000_000)
}

/// How far the zone is before UTC, in seconds.
fn offset_s(zone: &str) -> Option<i32> {
    if zone.eq_ignore_ascii_case("UTC") {
        return Some(0);
    }
    super::scene(|scene| {
        scene.zones.iter().find(|(name, _)| name.eq_ignore_ascii_case(zone)).map(|(_, offset)| *offset)
    })
}

pub(crate) fn local(zone: &str, at_ms: u64) -> Option<LocalTime> {
    let offset_s = offset_s(zone)?;
    let shown_s = i64::try_from(at_ms / 1000).ok()? + i64::from(offset_s);
    let (days, of_day) = (shown_s.div_euclid(DAY_S), shown_s.rem_euclid(DAY_S));
    let (year, month, day) = date(days);
    // 1970 began on a Thursday.
    let weekday = Weekday::ALL[(days + 3).rem_euclid(7) as usize];
    let (hour, minute, second) = ((of_day / 3600) as u8, (of_day / 60 % 60) as u8, (of_day % 60) as u8);
    Some(LocalTime { year: i16::try_from(year).ok()?, month, day, hour, minute, second, weekday, offset_s })
}

/// Year, month and day of that many days since 1970. The year begins in March here, so that a leap day ends it.
fn date(days: i64) -> (i64, u8, u8) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month as u8, day as u8)
}

pub(crate) fn next_local(zone: &str, minute: u16, days: &[Weekday], after_ms: u64) -> Option<u64> {
    let shown = local(zone, after_ms)?;
    if minute >= 24 * 60 {
        return None;
    }
    let day_began_ms =
        after_ms - after_ms % 1000 - u64::from(shown.minute_of_day()) * 60_000 - u64::from(shown.second) * 1000;
    let found =
        (0..8u64).filter(|later| days.contains(&Weekday::ALL[(shown.weekday.number() as usize + *later as usize) % 7]));
    let mut found = found.map(|later| day_began_ms + later * DAY_S as u64 * 1000 + u64::from(minute) * 60_000);
    found.find(|at| *at > after_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::scene;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!((date(0), date(-1)), ((1970, 1, 1), (1969, 12, 31)));
        assert_eq!((date(11_016), date(11_017)), ((2000, 2, 29), (2000, 3, 1)));
        assert_eq!((date(20_453), date(-719_468)), ((2025, 12, 31), (0, 3, 1)));
    }

    #[test]
    fn a_zone_shows_its_own_time_and_day() {
        scene(|scene| scene.zones.insert("Far/East".to_owned(), 12 * 3600));
        // 2026-01-05, a Monday, 13:07:09 UTC.
        let at = 1_767_618_429_000;
        let (here, there) = (local("utc", at).expect("it is known"), local("far/east", at).expect("it is known"));
        assert_eq!((here.weekday, here.hour, here.minute, here.second), (Weekday::Monday, 13, 7, 9));
        assert_eq!((there.weekday, there.day, there.hour, there.offset_s), (Weekday::Tuesday, 6, 1, 43_200));
        assert_eq!(local("Far/West", at), None);
    }

    #[test]
    fn the_next_time_is_today_or_on_a_wanted_day() {
        let at = 1_767_618_429_000;
        let day = 86_400_000;
        let midnight = at - 13 * 3_600_000 - 7 * 60_000 - 9_000;
        assert_eq!(next_local("UTC", 14 * 60, &Weekday::ALL, at), Some(midnight + 14 * 3_600_000));
        assert_eq!(next_local("UTC", 13 * 60, &Weekday::ALL, at), Some(midnight + day + 13 * 3_600_000));
        assert_eq!(next_local("UTC", 0, &[Weekday::Monday], at), Some(midnight + 7 * day));
        assert_eq!((next_local("UTC", 1440, &Weekday::ALL, at), next_local("UTC", 0, &[], at)), (None, None));
    }
}
