//! When a certificate is ordered: at once where there is none, then when a third of its time is left, and after failures
//! later and later. A machine: what it knows of the certificate and of the time comes in.

use crate::base::time::{Now, UnixMillis};
use std::time::{Duration, Instant};

/// The wait after a first failure; each further one doubles it. Let's Encrypt takes five failures of a name in an hour.
const FIRST_WAIT: Duration = Duration::from_secs(60);

/// The longest wait after a failure.
const WAIT_MAX: Duration = Duration::from_secs(6 * 3600);

/// How far a wait after a failure is spread, in parts of it: servers that failed together should not come back together.
const SPREAD: u32 = 10;

/// The longest rest between two looks: clocks are set, and machines sleep.
const LOOK: Duration = Duration::from_secs(3600);

/// What there is of a certificate, as it says itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::edge::tls) struct Term {
    /// In lower case.
    pub(in crate::edge::tls) names: Vec<Box<str>>,
    /// Seconds since 1970, first and last.
    pub(in crate::edge::tls) from: i64,
    pub(in crate::edge::tls) until: i64,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// To order, for this reason.
    Order(&'static str),
    /// To look again after this time, or before.
    Rest(Duration),
}

/// What is known of the orders so far.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    failures: u32,
    /// Nothing is ordered before.
    not_before: Option<Instant>,
}

impl Schedule {
    /// What is to be done now, with this certificate, or none, for these names.
    pub(super) fn next(&self, has: Option<&Term>, names: &[Box<str>], now: Now) -> Next {
        let waits = self.not_before.and_then(|then| then.checked_duration_since(now.mono));
        let (why, rest) = match has {
            None => (Some("there is none"), LOOK),
            Some(term) if !same(&term.names, names) => (Some("other names are configured"), LOOK),
            Some(term) => {
                let left = renewal(term).0.saturating_sub(now.wall.0);
                (Some("a third of its time is left").filter(|_| left == 0), Duration::from_millis(left).min(LOOK))
            }
        };
        match (why, waits) {
            (Some(why), None) => Next::Order(why),
            (Some(_), Some(waits)) => Next::Rest(waits.min(LOOK)),
            (None, _) => Next::Rest(rest),
        }
    }

    /// An order has come to its end.
    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// One has failed. How often in a row by now, and how long to wait.
    pub(super) fn failed(&mut self, now: Now, roll: u64) -> (u32, Duration) {
        let doubled = FIRST_WAIT.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX)).min(WAIT_MAX);
        let spread = doubled / SPREAD;
        let most = u64::try_from(spread.as_millis()).unwrap_or(u64::MAX);
        let wait = doubled + Duration::from_millis(roll % most.saturating_add(1));
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(now.mono + wait);
        (self.failures, wait)
    }
}

/// When a certificate is renewed: a third of its time is left then, for an authority that fails for days.
pub(super) fn renewal(term: &Term) -> UnixMillis {
    let third = term.until.saturating_sub(term.from) / 3;
    let when = term.until.saturating_sub(third.max(0));
    UnixMillis(u64::try_from(when).unwrap_or(0).saturating_mul(1000))
}

fn same(one: &[Box<str>], other: &[Box<str>]) -> bool {
    let sorted = |names: &[Box<str>]| {
        let mut names = names.to_vec();
        names.sort_unstable();
        names.dedup();
        names
    };
    sorted(one) == sorted(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: i64 = 86_400;

    fn names(names: &[&str]) -> Vec<Box<str>> {
        names.iter().map(|name| (*name).into()).collect()
    }

    /// Ninety days, from day 0 on.
    fn term() -> Term {
        Term { names: names(&["b.example", "a.example"]), from: 0, until: 90 * DAY }
    }

    fn at(begin: Instant, seconds: i64) -> Now {
        let seconds = u64::try_from(seconds).expect("after 1970");
        Now { mono: begin + Duration::from_secs(seconds), wall: UnixMillis(seconds * 1000) }
    }

    #[test]
    fn a_third_before_its_end_it_is_renewed() {
        let (schedule, begin) = (Schedule::default(), Instant::now());
        let wanted = names(&["a.example", "b.example"]);
        let term = term();
        let next = |has: Option<&Term>, seconds| schedule.next(has, &wanted, at(begin, seconds));
        assert_eq!(next(None, 0), Next::Order("there is none"));
        assert_eq!(next(Some(&term), 0), Next::Rest(LOOK));
        assert_eq!(next(Some(&term), 60 * DAY - 5), Next::Rest(Duration::from_secs(5)));
        assert_eq!(next(Some(&term), 60 * DAY), Next::Order("a third of its time is left"));
        assert_eq!(next(Some(&term), 100 * DAY), Next::Order("a third of its time is left"));
        let other = Term { names: names(&["a.example"]), ..term.clone() };
        assert_eq!(next(Some(&other), 0), Next::Order("other names are configured"));
    }

    #[test]
    fn after_failures_it_waits_longer_and_longer_and_a_success_forgets_them() {
        let (mut schedule, begin) = (Schedule::default(), Instant::now());
        let mut waited = Vec::new();
        for _ in 0..12 {
            let (failures, wait) = schedule.failed(at(begin, 0), 0);
            assert_eq!(failures as usize, waited.len() + 1);
            waited.push(wait.as_secs());
        }
        assert_eq!(waited, [60, 120, 240, 480, 960, 1920, 3840, 7680, 15_360, 21_600, 21_600, 21_600]);
        assert_eq!(schedule.next(None, &[], at(begin, 0)), Next::Rest(LOOK));
        assert_eq!(schedule.next(None, &[], at(begin, 21_590)), Next::Rest(Duration::from_secs(10)));
        assert_eq!(schedule.next(None, &[], at(begin, 21_601)), Next::Order("there is none"));
        schedule.succeeded();
        assert_eq!(schedule.failed(at(begin, 0), u64::MAX).0, 1);
    }

    proptest! {
        /// However a certificate's times and the clock stand, there is something to do within the hour.
        #[test]
        fn it_never_rests_for_long(from in any::<i64>(), until in any::<i64>(), wall in 0..u64::MAX, rolls in proptest::collection::vec(any::<u64>(), 0..70)) {
            let begin = Instant::now();
            let now = Now { mono: begin, wall: UnixMillis(wall) };
            let mut schedule = Schedule::default();
            for roll in rolls {
                let (_, wait) = schedule.failed(now, roll);
                prop_assert!(wait >= FIRST_WAIT && wait <= WAIT_MAX + WAIT_MAX / SPREAD);
            }
            let term = Term { names: Vec::new(), from, until };
            if let Next::Rest(rest) = schedule.next(Some(&term), &[], now) {
                prop_assert!(rest <= LOOK);
            }
        }
    }
}
