//! How much may be under way to one destination at once, learnt from what became of the attempts before.
//!
//! A window in the manner of TCP's, and of Postfix's `qmgr_feedback.c`: it opens while the site answers and halves when
//! the site fails. It opens by one for each answer at first (slow start), and by one for each window full of answers
//! once it has halved. Failures of attempts that were begun before the last halving are news of the same accident, so
//! they halve nothing more: each attempt carries the *wave* in which it began.
//!
//! After [`STRIKES_MAX`] site failures without an answer between them the whole destination rests: a dead site with
//! 100,000 messages is asked again by one message, once in a while, and not by 100,000. The rests follow the retry
//! schedule, up to [`REST_MAX`]. When a rest is over the window is one: a single probe, which an answer widens and
//! another failure puts to rest again.

use crate::base::time::UnixMillis;
use std::time::Duration;

/// The window of a destination that nothing is known of (Postfix: `initial_destination_concurrency`).
const WINDOW_START: u32 = 5;
/// Site failures in a row that put the destination to rest (Postfix: `default_destination_concurrency_failed_cohort_limit`
/// counts whole windows; ours counts attempts, because the first window is small).
const STRIKES_MAX: u32 = 3;
/// The longest rest. Below RFC 5321 4.5.4.1's 30 minutes between attempts of *one* message on purpose: the probes are
/// of different messages, and a site that is back should not wait for hours.
const REST_MAX: Duration = Duration::from_secs(900);

/// What an attempt showed of its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// It answered, whatever it said.
    Answered,
    /// This connection failed; another may do.
    SessionFailed,
    /// No host of it can be used now.
    SiteFailed,
    /// It was not asked.
    Unknown,
}

/// One destination's window and rests.
#[derive(Clone, Debug)]
pub(super) struct Congestion {
    window: u32,
    /// Answers since the window last grew, once it has halved; none while it opens fast.
    answers: Option<u32>,
    wave: u32,
    /// Failures from before this wave are of the accident that led to the last rest.
    rested_in: u32,
    strikes: u32,
    rests: u32,
    until: Option<UnixMillis>,
}

impl Congestion {
    pub(super) fn new() -> Self {
        Self { window: WINDOW_START, answers: None, wave: 0, rested_in: 0, strikes: 0, rests: 0, until: None }
    }

    /// Whether one more may begin beside those under way.
    pub(super) fn admits(&self, under_way: u32, limit: u32) -> bool {
        self.until.is_none() && under_way < self.window.min(limit.max(1))
    }

    /// The wave that an attempt beginning now belongs to.
    pub(super) fn wave(&self) -> u32 {
        self.wave
    }

    /// When the rest ends, where there is one.
    pub(super) fn resting_until(&self) -> Option<UnixMillis> {
        self.until
    }

    /// The rest is over, by time or by an operator.
    pub(super) fn wake(&mut self) {
        self.until = None;
    }

    /// An attempt of `wave` ended while `under_way` others go on. True when the destination goes to rest by it.
    pub(super) fn observe(
        &mut self,
        health: Health,
        wave: u32,
        under_way: u32,
        limit: u32,
        retry: &[Duration],
        now: UnixMillis,
    ) -> bool {
        match health {
            Health::Unknown => false,
            Health::Answered => {
                self.strikes = 0;
                self.rests = 0;
                self.grow(under_way, limit);
                false
            }
            Health::SessionFailed => {
                self.halve(wave);
                false
            }
            Health::SiteFailed => {
                let news = wave >= self.rested_in;
                self.halve(wave);
                if news {
                    self.strikes = self.strikes.saturating_add(1);
                }
                let rest = news && self.strikes >= STRIKES_MAX && self.until.is_none();
                if rest {
                    self.rest(retry, now);
                }
                rest
            }
        }
    }

    fn grow(&mut self, under_way: u32, limit: u32) {
        // A window that was not full says nothing about a wider one (RFC 7661 makes the case for TCP).
        if under_way + 1 < self.window || self.window >= limit {
            return;
        }
        match &mut self.answers {
            None => self.window += 1,
            Some(answers) => {
                *answers += 1;
                if *answers >= self.window {
                    *answers = 0;
                    self.window += 1;
                }
            }
        }
    }

    fn halve(&mut self, wave: u32) {
        if wave == self.wave {
            self.window = (self.window / 2).max(1);
            self.answers = Some(0);
            self.wave = self.wave.wrapping_add(1);
        }
    }

    fn rest(&mut self, retry: &[Duration], now: UnixMillis) {
        let step = (self.rests as usize).min(retry.len().saturating_sub(1));
        let wait = retry.get(step).copied().unwrap_or(REST_MAX).min(REST_MAX);
        self.rests = self.rests.saturating_add(1);
        self.window = 1;
        self.wave = self.wave.wrapping_add(1);
        self.rested_in = self.wave;
        self.until = Some(now.plus(wait));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(7200)];
    const NOW: UnixMillis = UnixMillis(1_000_000);

    fn observe(c: &mut Congestion, health: Health, wave: u32, under_way: u32) -> bool {
        c.observe(health, wave, under_way, 50, &RETRY, NOW)
    }

    #[test]
    fn a_full_window_opens_with_each_answer_and_stops_at_the_limit() {
        let mut c = Congestion::new();
        assert!(c.admits(WINDOW_START - 1, 50) && !c.admits(WINDOW_START, 50));
        observe(&mut c, Health::Answered, 0, 0);
        assert!(!c.admits(WINDOW_START, 50), "an empty window teaches nothing");
        for _ in 0..100 {
            let under_way = c.window - 1;
            observe(&mut c, Health::Answered, 0, under_way);
        }
        assert!(c.admits(49, 50) && !c.admits(50, 50));
    }

    #[test]
    fn failures_of_one_wave_halve_once_and_growth_is_slow_from_then() {
        let mut c = Congestion::new();
        c.window = 40;
        for _ in 0..40 {
            observe(&mut c, Health::SessionFailed, 0, 39);
        }
        assert_eq!(c.window, 20);
        for _ in 0..20 {
            observe(&mut c, Health::Answered, 1, 19);
        }
        assert_eq!(c.window, 21);
    }

    #[test]
    fn a_dead_site_rests_by_the_schedule_and_is_probed_once_each_time() {
        let mut c = Congestion::new();
        assert!(!observe(&mut c, Health::SiteFailed, 0, 4));
        assert!(!observe(&mut c, Health::SiteFailed, 0, 3));
        assert!(observe(&mut c, Health::SiteFailed, 0, 2));
        assert_eq!(c.resting_until(), Some(NOW.plus(RETRY[0])));
        assert!(!observe(&mut c, Health::SiteFailed, 0, 1), "the rest of the wave is old news");
        c.wake();
        assert!(c.admits(0, 50) && !c.admits(1, 50));
        let wave = c.wave();
        assert!(observe(&mut c, Health::SiteFailed, wave, 0));
        assert_eq!(c.resting_until(), Some(NOW.plus(REST_MAX)), "two hours are cut");
    }

    #[test]
    fn an_answer_between_failures_keeps_the_site_awake() {
        let mut c = Congestion::new();
        for _ in 0..10 {
            let wave = c.wave();
            assert!(!observe(&mut c, Health::SiteFailed, wave, 0));
            assert!(!observe(&mut c, Health::SiteFailed, wave, 0));
            observe(&mut c, Health::Answered, wave, 0);
        }
        assert_eq!(c.resting_until(), None);
    }
}
