//! The host functions of the grant `clock`: instants, and what clocks on walls show.

use super::super::capability::zones;
use super::super::host::bindings::mailwright::plugin::clock::{Host, LocalTime, Weekday};
use super::super::host::call::Call;
use jiff::civil;

impl Host for Call {
    fn now_ms(&mut self) -> u64 {
        Call::now_ms(self)
    }

    fn monotonic_ns(&mut self) -> u64 {
        let since = self.world.clock.now().mono.saturating_duration_since(self.world.began);
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }

    fn local(&mut self, zone: String, at_ms: u64) -> Option<LocalTime> {
        let shown = zones::local(&zone, at_ms)?;
        // The calendar's own bounds fit: a month is never negative.
        let small = |number: i8| u8::try_from(number).unwrap_or_default();
        Some(LocalTime {
            year: shown.year(),
            month: small(shown.month()),
            day: small(shown.day()),
            hour: small(shown.hour()),
            minute: small(shown.minute()),
            second: small(shown.second()),
            weekday: told(shown.weekday()),
            offset_s: shown.offset().seconds(),
        })
    }

    fn next_local(&mut self, zone: String, minute: u16, days: Vec<Weekday>, after_ms: u64) -> Option<u64> {
        zones::next_local(&zone, minute, |day| days.contains(&told(day)), after_ms)
    }
}

fn told(day: civil::Weekday) -> Weekday {
    match day {
        civil::Weekday::Monday => Weekday::Monday,
        civil::Weekday::Tuesday => Weekday::Tuesday,
        civil::Weekday::Wednesday => Weekday::Wednesday,
        civil::Weekday::Thursday => Weekday::Thursday,
        civil::Weekday::Friday => Weekday::Friday,
        civil::Weekday::Saturday => Weekday::Saturday,
        civil::Weekday::Sunday => Weekday::Sunday,
    }
}
