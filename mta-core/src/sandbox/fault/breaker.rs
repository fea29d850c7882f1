//! The circuit breaker: a plugin that fails again and again is left alone for a while.
//!
//! Calls of many sessions run at once, so this is shared: an atomic each for the way of a plugin that is well, a lock
//! for the rest. Time is given to it, and asked for only where it matters.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Faults in a row that open it.
const FAULTS_IN_A_ROW_MAX: u32 = 10;
/// How long a plugin is left alone the first time; each time after it twice as long.
const WAIT_FIRST: Duration = Duration::from_secs(1);
/// The longest that it is left alone.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// A plugin that was well for so long begins anew with the shortest wait.
const HEALTHY: Duration = Duration::from_secs(10);

/// One plugin's breaker.
#[derive(Debug)]
pub(crate) struct Breaker {
    /// It is open.
    open: AtomicBool,
    /// Faults since the last answer.
    faults: AtomicU32,
    waits: Mutex<Waits>,
}

#[derive(Debug)]
struct Waits {
    /// While it is open: when one call may try.
    until: Option<Instant>,
    /// One is trying.
    trying: bool,
    /// How long the plugin is left alone the next time.
    next: Duration,
    closed: Option<Instant>,
}

/// The breaker turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The plugin is left alone for so long; then one call tries.
    Opened(Duration),
    /// It answered again.
    Closed,
}

impl Default for Breaker {
    fn default() -> Self {
        let waits = Waits { until: None, trying: false, next: WAIT_FIRST, closed: None };
        Self { open: AtomicBool::new(false), faults: AtomicU32::new(0), waits: Mutex::new(waits) }
    }
}

impl Breaker {
    /// Whether the plugin may be called. While it is open one call is let through after each wait.
    pub(crate) fn admits(&self, now: impl FnOnce() -> Instant) -> bool {
        if !self.open.load(Ordering::Relaxed) {
            return true;
        }
        let mut waits = self.waits();
        let now = now();
        match waits.until {
            Some(until) if now < until => false,
            Some(_) => {
                // Should the call end without a word, another tries after the same wait.
                waits.until = Some(now + waits.next);
                waits.trying = true;
                true
            }
            None => true,
        }
    }

    /// Whether the plugin is left alone.
    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// A call was answered.
    pub(crate) fn answered(&self, now: impl FnOnce() -> Instant) -> Option<Turn> {
        if self.faults.load(Ordering::Relaxed) == 0 {
            return None;
        }
        self.faults.store(0, Ordering::Relaxed);
        if !self.open.swap(false, Ordering::Relaxed) {
            return None;
        }
        let mut waits = self.waits();
        (waits.until, waits.trying, waits.closed) = (None, false, Some(now()));
        Some(Turn::Closed)
    }

    /// A call failed.
    pub(crate) fn failed(&self, now: impl FnOnce() -> Instant) -> Option<Turn> {
        let faults = self.faults.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if faults < FAULTS_IN_A_ROW_MAX {
            return None;
        }
        let mut waits = self.waits();
        // Calls that were under way when it opened have nothing to add.
        if self.open.load(Ordering::Relaxed) && !waits.trying {
            return None;
        }
        let now = now();
        if waits.closed.take().is_some_and(|closed| now.saturating_duration_since(closed) >= HEALTHY) {
            waits.next = WAIT_FIRST;
        }
        let wait = waits.next;
        waits.next = (wait * 2).min(WAIT_MAX);
        (waits.until, waits.trying) = (Some(now + wait), false);
        self.open.store(true, Ordering::Relaxed);
        Some(Turn::Opened(wait))
    }

    /// No change panics half-way, so what a poisoned lock guards is whole.
    fn waits(&self) -> MutexGuard<'_, Waits> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, seconds: u64) -> impl Fn() -> Instant {
        move || start + Duration::from_secs(seconds)
    }

    /// Fails until it opens.
    fn trip(breaker: &Breaker, now: impl Fn() -> Instant) -> Turn {
        (0..FAULTS_IN_A_ROW_MAX).find_map(|_| breaker.failed(&now)).expect("it opens")
    }

    #[test]
    fn faults_in_a_row_open_it_and_an_answer_between_does_not() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        for _ in 1..FAULTS_IN_A_ROW_MAX {
            assert_eq!(breaker.failed(after(start, 0)), None);
        }
        assert_eq!(breaker.answered(after(start, 0)), None);
        for _ in 1..FAULTS_IN_A_ROW_MAX {
            assert_eq!(breaker.failed(after(start, 0)), None);
        }
        assert!(breaker.admits(after(start, 0)));
        assert_eq!(breaker.failed(after(start, 0)), Some(Turn::Opened(WAIT_FIRST)));
        assert_eq!(breaker.failed(after(start, 0)), None, "one that was under way");
        assert!(!breaker.admits(after(start, 0)));
    }

    #[test]
    fn one_call_tries_after_each_wait_and_waits_double() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        assert_eq!(trip(&breaker, after(start, 0)), Turn::Opened(WAIT_FIRST));
        let mut at = 0;
        for wait in [1, 2, 4, 8, 16, 30, 30] {
            at += wait;
            assert!(!breaker.admits(|| start + Duration::from_secs(at) - Duration::from_millis(1)));
            assert!(breaker.admits(after(start, at)));
            assert!(!breaker.admits(after(start, at)), "one at a time");
            let next = Duration::from_secs(wait * 2).min(WAIT_MAX);
            assert_eq!(breaker.failed(after(start, at)), Some(Turn::Opened(next)));
        }
        assert!(breaker.admits(after(start, at + 30)));
        assert_eq!(breaker.answered(after(start, at + 30)), Some(Turn::Closed));
        assert!(breaker.admits(after(start, at + 30)));
    }

    #[test]
    fn a_call_that_ends_without_a_word_does_not_keep_it_open() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        trip(&breaker, after(start, 0));
        assert!(breaker.admits(after(start, 1)));
        assert!(!breaker.admits(after(start, 2)));
        assert!(breaker.admits(after(start, 3)));
    }

    #[test]
    fn waits_begin_anew_once_it_was_well_for_long_enough() {
        for (healthy, wait) in [(9, 2), (10, 1)] {
            let (breaker, start) = (Breaker::default(), Instant::now());
            trip(&breaker, after(start, 0));
            assert!(breaker.admits(after(start, 1)));
            assert_eq!(breaker.answered(after(start, 1)), Some(Turn::Closed));
            assert_eq!(trip(&breaker, after(start, 1 + healthy)), Turn::Opened(Duration::from_secs(wait)));
        }
    }
}
