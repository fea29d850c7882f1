//! The session's timers: a closed table, so that what can run out is seen in one place.

use std::time::{Duration, Instant};

/// What can run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// The client says nothing (RFC 5321 4.5.3.2.7).
    Idle,
    /// The content takes too long in all.
    Data,
    /// The session takes too long in all.
    Session,
    /// A TLS handshake takes too long.
    Handshake,
}

/// When each runs out; stopped ones never do.
#[derive(Debug)]
pub(super) struct Timers {
    at: [Option<Instant>; 4],
}

impl Timers {
    pub(super) fn new() -> Self {
        Self { at: [None; 4] }
    }

    pub(super) fn start(&mut self, timer: Timer, now: Instant, after: Duration) {
        // A limit beyond the end of time is none.
        self.at[timer as usize] = now.checked_add(after);
    }

    pub(super) fn stop(&mut self, timer: Timer) {
        self.at[timer as usize] = None;
    }

    /// The next moment at which one runs out.
    pub(super) fn next(&self) -> Option<Instant> {
        self.at.iter().flatten().min().copied()
    }

    /// One that has run out; it is stopped.
    pub(super) fn expired(&mut self, now: Instant) -> Option<Timer> {
        let timer = [Timer::Session, Timer::Data, Timer::Handshake, Timer::Idle]
            .into_iter()
            .find(|timer| self.at[*timer as usize].is_some_and(|at| at <= now))?;
        self.stop(timer);
        Some(timer)
    }
}
