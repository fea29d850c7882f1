//! Time; needs the grant `clock`.

use super::backend;

pub use crate::bindings::mailwright::plugin::clock::{LocalTime, Weekday};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[must_use]
pub fn now_ms() -> u64 {
    backend::clock::now_ms()
}

/// Nanoseconds since some moment; never goes back.
#[must_use]
pub fn monotonic_ns() -> u64 {
    backend::clock::monotonic_ns()
}

/// What a clock on the wall shows in a zone of IANA's database at an instant. None where there is no such zone, or beyond
/// the year 9999. `configure` may ask too: the server brings the database with it, so that what is a zone stays one.
///
/// ```
/// # mailwright_plugin::testing::scene(|scene| { scene.zones.insert("Europe/Berlin".to_owned(), 3600); });
/// use mailwright_plugin::clock::{Weekday, local};
///
/// let noon = local("Europe/Berlin", 1_767_610_800_000).expect("there is such a zone");
/// assert_eq!((noon.weekday, noon.hour, noon.minute), (Weekday::Monday, 12, 0));
/// assert_eq!(local("Europe/Bielefeld", 0), None);
/// ```
#[must_use]
pub fn local(zone: &str, at_ms: u64) -> Option<LocalTime> {
    backend::clock::local(zone, at_ms)
}

/// When that clock shows a minute of the day, from 0 to 1439, on one of these days for the first time behind an instant.
/// What summer time leaves out or shows twice is settled as calendars do it (RFC 5545 3.3.5). None as for [`local`], and
/// where there is no such minute, or no day.
///
/// ```
/// # mailwright_plugin::testing::scene(|scene| { scene.zones.insert("Europe/Berlin".to_owned(), 3600); });
/// use mailwright_plugin::clock::{Weekday, next_local};
///
/// let nine = next_local("Europe/Berlin", 9 * 60, &[Weekday::Tuesday], 1_767_610_800_000);
/// assert_eq!(nine, Some(1_767_610_800_000 + 21 * 3_600_000));
/// ```
#[must_use]
pub fn next_local(zone: &str, minute: u16, days: &[Weekday], after_ms: u64) -> Option<u64> {
    backend::clock::next_local(zone, minute, days, after_ms)
}

impl LocalTime {
    /// Minutes since its day began.
    #[must_use]
    pub fn minute_of_day(&self) -> u16 {
        u16::from(self.hour) * 60 + u16::from(self.minute)
    }

    /// Minutes since its week began, on Monday.
    #[must_use]
    pub fn minute_of_week(&self) -> u16 {
        self.weekday.number() * 24 * 60 + self.minute_of_day()
    }
}

impl Weekday {
    /// All of them, from Monday (ISO 8601).
    pub const ALL: [Self; 7] =
        [Self::Monday, Self::Tuesday, Self::Wednesday, Self::Thursday, Self::Friday, Self::Saturday, Self::Sunday];

    /// Days since Monday.
    #[must_use]
    pub fn number(self) -> u16 {
        self as u16
    }
}
