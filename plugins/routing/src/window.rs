//! Hours of the week in which mail is sent, or is not.

use crate::zone;
use mailwright_plugin::clock::{self, Weekday};
use mailwright_plugin::{Config, Fault};
use std::collections::BTreeMap;

const DAY: u16 = 24 * 60;
const WEEK: u16 = 7 * DAY;

/// Hours of the week. Exactly one of `open` and `quiet` is said.
#[derive(Clone, Debug, Default, Config)]
pub struct Window {
    /// The days on which the hours begin; all if not said.
    #[config(default, length = 0..=7)]
    pub days: Vec<Day>,
    /// Hours in which mail is sent, as `09:00-12:30`; those that end before they begin go on into the next day.
    #[config(default, length = 0..=24)]
    pub open: Vec<String>,
    /// Hours in which mail waits; the rest of the week is open.
    #[config(default, length = 0..=24)]
    pub quiet: Vec<String>,
    /// The zone whose clock counts; that of each recipient if not said.
    #[config(length = 1..=64)]
    pub zone: Option<String>,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
#[allow(missing_docs, reason = "they have their names")]
pub enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// All windows, each with a number.
#[derive(Debug, Default)]
pub(crate) struct Windows(Vec<(String, Hours)>);

/// A window, checked.
#[derive(Debug, PartialEq, Eq)]
struct Hours {
    /// When it is open, in minutes since Monday began: in order, without the end, apart from one another.
    open: Vec<(u16, u16)>,
    zone: Option<String>,
}

impl Windows {
    /// # Errors
    /// What is wrong with which.
    pub(crate) fn new(windows: &BTreeMap<String, Window>) -> Result<Self, Fault> {
        let read = |(name, window): (&String, &Window)| {
            let at = format!("windows.{name}");
            if let Some(zone) = &window.zone {
                zone::check(&format!("{at}.zone"), zone)?;
            }
            let hours = Hours::new(window).map_err(|why| Fault::InvalidConfig(format!("{at}: {why}")))?;
            Ok((name.clone(), hours))
        };
        windows.iter().map(read).collect::<Result<_, Fault>>().map(Self)
    }

    /// The number of the window of that name.
    pub(crate) fn number(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|(known, _)| known == name)
    }

    /// Their names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }

    /// The zone that a window has of its own.
    pub(crate) fn zone(&self, number: usize) -> Option<&str> {
        self.0[number].1.zone.as_deref()
    }

    /// The instant itself where the window is open then, else when it opens next; by the clock of that zone.
    pub(crate) fn opens(&self, number: usize, zone: &str, at_ms: u64) -> Result<u64, Fault> {
        let hours = &self.0[number].1;
        let unknown = || Fault::Internal(format!("the zone \"{zone}\" has no such time"));
        let shown = clock::local(zone, at_ms).ok_or_else(unknown)?;
        match hours.next(shown.minute_of_week()) {
            None => Ok(at_ms),
            Some(minute) => {
                let day = Weekday::ALL[usize::from(minute / DAY)];
                clock::next_local(zone, minute % DAY, &[day], at_ms).ok_or_else(unknown)
            }
        }
    }
}

impl Hours {
    fn new(window: &Window) -> Result<Self, String> {
        let (texts, is_quiet) = match (&*window.open, &*window.quiet) {
            (open, []) if !open.is_empty() => (open, false),
            ([], quiet) if !quiet.is_empty() => (quiet, true),
            _ => return Err("expected either `open` or `quiet`, as [\"09:00-18:00\"]".to_owned()),
        };
        let days: Vec<u16> = match &*window.days {
            [] => (0..7).collect(),
            days => days.iter().map(|day| *day as u16).collect(),
        };
        let mut named = Vec::new();
        for text in texts {
            let (begin, end) =
                span(text).ok_or_else(|| format!("\"{text}\" are no hours: expected \"09:00-18:00\""))?;
            for day in &days {
                let (begin, end) = (day * DAY + begin, day * DAY + end);
                named.push((begin, end.min(WEEK)));
                // What goes beyond the week's end is at its beginning.
                named.push((0, end.saturating_sub(WEEK)));
            }
        }
        let named = joined(named);
        let open = if is_quiet { between(&named) } else { named };
        if open.is_empty() { Err("it is never open".to_owned()) } else { Ok(Self { open, zone: window.zone.clone() }) }
    }

    /// When it opens next, in minutes of the week; none where it is open.
    fn next(&self, minute: u16) -> Option<u16> {
        if self.open.iter().any(|(begin, end)| (*begin..*end).contains(&minute)) {
            return None;
        }
        let mut later = self.open.iter().map(|(begin, _)| *begin).filter(|begin| *begin > minute);
        later.next().or_else(|| self.open.first().map(|(begin, _)| *begin))
    }
}

/// The same stretches in order, and those that touch as one.
fn joined(mut stretches: Vec<(u16, u16)>) -> Vec<(u16, u16)> {
    stretches.retain(|(begin, end)| begin < end);
    stretches.sort_unstable();
    let mut found: Vec<(u16, u16)> = Vec::new();
    for (begin, end) in stretches {
        match found.last_mut() {
            Some((_, before)) if *before >= begin => *before = end.max(*before),
            _ => found.push((begin, end)),
        }
    }
    found
}

/// What of the week lies before, between and behind them.
fn between(stretches: &[(u16, u16)]) -> Vec<(u16, u16)> {
    let mut found = Vec::new();
    let mut from = 0;
    for (begin, end) in stretches.iter().copied().chain([(WEEK, WEEK)]) {
        if from < begin {
            found.push((from, begin));
        }
        from = end;
    }
    found
}

/// `22:00-06:00` as minutes of the day on which it begins.
fn span(text: &str) -> Option<(u16, u16)> {
    let (begin, end) = text.split_once('-')?;
    let (begin, end) = (minute(begin.trim())?, minute(end.trim())?);
    match begin < DAY {
        true if end <= begin => Some((begin, end + DAY)),
        true => Some((begin, end)),
        false => None,
    }
}

/// `09:30`, up to `24:00`.
fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| match text.len() == 2 && text.bytes().all(|octet| octet.is_ascii_digit()) {
        true => text.parse::<u16>().ok(),
        false => None,
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    (minute < 60 && hour * 60 + minute <= DAY).then_some(hour * 60 + minute)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailwright_plugin::config::from_json;
    use mailwright_plugin::testing::scene;

    fn hours(json: &str) -> Result<Hours, String> {
        Hours::new(&from_json(json).expect("it fits"))
    }

    fn open(json: &str) -> Vec<(u16, u16)> {
        hours(json).expect("it is sound").open
    }

    #[test]
    fn hours_are_open_on_their_days() {
        let json = r#"{ "days": ["monday", "sunday"], "open": ["09:00-12:00", "11:00-13:30"] }"#;
        assert_eq!(open(json), [(540, 810), (6 * DAY + 540, 6 * DAY + 810)]);
        assert_eq!(open(r#"{ "open": ["00:00-24:00"] }"#), [(0, WEEK)]);
        assert_eq!(open(r#"{ "open": ["08:00-08:00"] }"#), [(0, WEEK)], "round the clock");
    }

    #[test]
    fn hours_go_on_into_the_next_day_and_the_next_week() {
        let json = r#"{ "days": ["sunday"], "open": ["22:00-06:00"] }"#;
        assert_eq!(open(json), [(0, 360), (6 * DAY + 1320, WEEK)]);
        let quiet = r#"{ "quiet": ["22:00-07:00"] }"#;
        let first = open(quiet)[0];
        assert_eq!((first, open(quiet).len()), ((420, 1320), 7));
    }

    #[test]
    fn the_next_opening_is_later_in_the_week_or_in_the_next() {
        let hours = hours(r#"{ "days": ["tuesday"], "open": ["09:00-10:00"] }"#).expect("it is sound");
        let opens = DAY + 540;
        for (minute, next) in [(0, Some(opens)), (opens, None), (opens + 59, None), (opens + 60, Some(opens))] {
            assert_eq!(hours.next(minute), next, "{minute}");
        }
    }

    #[test]
    fn what_are_no_hours_is_told() {
        for (json, words) in [
            ("{}", "either `open` or `quiet`"),
            (r#"{ "open": ["09:00-10:00"], "quiet": ["11:00-12:00"] }"#, "either `open` or `quiet`"),
            (r#"{ "open": ["9-10"] }"#, "\"9-10\" are no hours"),
            (r#"{ "open": ["24:00-25:00"] }"#, "are no hours"),
            (r#"{ "open": ["24:00-10:00"] }"#, "are no hours"),
            (r#"{ "open": ["09:60-10:00"] }"#, "are no hours"),
            (r#"{ "quiet": ["00:00-24:00"] }"#, "it is never open"),
        ] {
            let told = hours(json).expect_err(json);
            assert!(told.contains(words), "{told}");
        }
    }

    #[test]
    fn it_opens_by_the_clock_of_the_zone() {
        scene(|scene| {
            scene.zones.insert("Asia/Tokyo".to_owned(), 9 * 3600);
        });
        let day: Window = from_json(r#"{ "open": ["09:00-18:00"] }"#).expect("it fits");
        let windows = Windows::new(&BTreeMap::from([("day".to_owned(), day)])).expect("it is sound");
        // Monday, 2026-01-05T12:00:00Z.
        let noon = 1_767_614_400_000;
        let number = windows.number("day").expect("it is known");
        assert_eq!(windows.opens(number, "UTC", noon), Ok(noon));
        assert_eq!(windows.opens(number, "Asia/Tokyo", noon), Ok(noon + 12 * 3_600_000));
    }
}
