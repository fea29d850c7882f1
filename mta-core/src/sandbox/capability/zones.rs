//! What clocks show in the zones of IANA's database, which comes with the program: no file of the machine is read, and
//! every machine answers alike.

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, ZonedDateTime};

/// Days that are looked at for the next time: a week, and one day more since a zone may have left one out.
const DAYS_MAX: i64 = 8;

/// What the zone's clock shows at that instant, in milliseconds since 1970. None where there is no such zone, or the
/// calendar does not go that far.
pub(crate) fn local(name: &str, at_ms: u64) -> Option<ZonedDateTime> {
    let at = Timestamp::from_millisecond(i64::try_from(at_ms).ok()?).ok()?;
    // The library keeps the zones that were asked for, and there are only so many.
    Some(at.to_zoned_datetime(TimeZone::get(name).ok()?))
}

/// When the zone's clock shows that minute of a wanted day for the first time behind an instant. What a jump leaves out
/// or shows twice is settled as calendars do it (RFC 5545 3.3.5).
pub(crate) fn next_local(name: &str, minute: u16, wanted: impl Fn(Weekday) -> bool, after_ms: u64) -> Option<u64> {
    let after = local(name, after_ms)?;
    let (hour, minute) = (i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?);
    let mut found = (0..=DAYS_MAX).filter_map(|days| {
        let day = after.date().checked_add(days.days()).ok().filter(|day| wanted(day.weekday()))?;
        let time = Time::new(hour, minute, 0, 0).ok()?;
        let at = after.time_zone().to_ambiguous_timestamp(day.to_datetime(time)).compatible().ok()?;
        u64::try_from(at.as_millisecond()).ok()
    });
    found.find(|at| *at > after_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Milliseconds of a time as RFC 3339 writes it.
    fn ms(text: &str) -> u64 {
        let at: Timestamp = text.parse().expect("it is a time");
        u64::try_from(at.as_millisecond()).expect("it is behind 1970")
    }

    fn next(zone: &str, minute: u16, after: &str) -> String {
        let at = next_local(zone, minute, |_| true, ms(after)).expect("there is one");
        Timestamp::from_millisecond(i64::try_from(at).expect("it fits")).expect("it fits").to_string()
    }

    #[test]
    fn a_zone_is_known_by_its_name_in_any_case_and_others_are_not() {
        let shown = local("europe/berlin", ms("2026-07-01T10:15:30Z")).expect("it is known");
        assert_eq!((shown.hour(), shown.minute(), shown.offset().seconds()), (12, 15, 7200));
        assert_eq!(shown.weekday(), Weekday::Wednesday);
        let shown = local("Asia/Kathmandu", ms("2026-01-01T20:00:00Z")).expect("it is known");
        assert_eq!((shown.day(), shown.hour(), shown.minute()), (2, 1, 45));
        for unknown in ["", "Europe/Bielefeld", "/etc/passwd", "../UTC"] {
            assert!(local(unknown, 0).is_none(), "{unknown}");
        }
        assert!(local("UTC", u64::MAX).is_none());
    }

    #[test]
    fn the_next_time_is_that_of_the_zone_on_both_sides_of_a_change() {
        assert_eq!(next("Europe/Berlin", 540, "2026-03-28T12:00:00Z"), "2026-03-29T07:00:00Z");
        assert_eq!(next("Europe/Berlin", 540, "2026-03-27T12:00:00Z"), "2026-03-28T08:00:00Z");
        assert_eq!(next("America/New_York", 540, "2026-10-31T23:00:00Z"), "2026-11-01T14:00:00Z");
        let exactly = "2026-03-29T07:00:00Z";
        assert_eq!(next("Europe/Berlin", 540, exactly), "2026-03-30T07:00:00Z", "behind, not at");
    }

    #[test]
    fn a_time_that_is_left_out_or_comes_twice_is_settled_rfc5545_3_3_5() {
        // Clocks jump from 02:00 to 03:00 on 2026-03-29, and back from 03:00 to 02:00 on 2026-10-25.
        assert_eq!(next("Europe/Berlin", 150, "2026-03-28T12:00:00Z"), "2026-03-29T01:30:00Z");
        assert_eq!(next("Europe/Berlin", 150, "2026-10-24T12:00:00Z"), "2026-10-25T00:30:00Z");
        assert_eq!(next("Europe/Berlin", 150, "2026-10-25T00:30:00Z"), "2026-10-26T01:30:00Z");
        // Samoa had no 30th of December 2011.
        assert_eq!(next("Pacific/Apia", 720, "2011-12-30T00:00:00Z"), "2011-12-30T22:00:00Z");
    }

    #[test]
    fn only_wanted_days_count_and_a_minute_that_no_day_has_never_comes() {
        let monday = |day| day == Weekday::Monday;
        let friday_noon = ms("2026-01-02T12:00:00Z");
        assert_eq!(next_local("UTC", 0, monday, friday_noon), Some(ms("2026-01-05T00:00:00Z")));
        let monday_noon = ms("2026-01-05T12:00:00Z");
        assert_eq!(next_local("UTC", 0, monday, monday_noon), Some(ms("2026-01-12T00:00:00Z")));
        assert_eq!(next_local("UTC", 0, |_| false, monday_noon), None);
        assert_eq!(next_local("UTC", 1440, |_| true, monday_noon), None);
        assert_eq!(next_local("UTC", u16::MAX, |_| true, monday_noon), None);
        assert_eq!(next_local("Nowhere", 0, |_| true, monday_noon), None);
    }
}
