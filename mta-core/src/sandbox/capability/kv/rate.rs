//! Rate limits by the generic cell rate algorithm (GCRA): one number says all that was taken, and when it will be forgotten.
//!
//! A limit is a time, that at which it is whole again. Taking moves it into the future, and it may lie there no further than
//! a burst takes to come back.

use serde::{Deserialize, Serialize};

/// Nanoseconds in a millisecond.
pub(super) const NANOS: u128 = 1_000_000;

/// What came of taking from a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Remaining(u32),
    RetryAfterMs(u64),
}

/// A limit as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Limit {
    /// When it is whole again, in nanoseconds since 1970.
    pub(crate) whole_at: u128,
    pub(crate) rate: Rate,
}

/// How fast a limit comes back, as it was last taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rate {
    /// So much in each window; 0 where that is not known.
    pub(crate) limit: u32,
    /// So much at once.
    pub(crate) burst: u32,
    pub(crate) window_ms: u64,
}

/// What becomes of the others where one of several limits has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Nothing is taken from any.
    Must,
    /// It alone is not taken from.
    May,
    /// As much is taken as there is room for.
    Fill,
    /// Nothing is taken from it anyway.
    Look,
}

/// What is wanted of one limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Demand {
    pub(crate) key: String,
    pub(crate) cost: u32,
    pub(crate) rate: Rate,
    pub(crate) manner: Manner,
}

impl Limit {
    /// One that an older version kept.
    pub(crate) fn unknown(whole_at: u128) -> Self {
        Self { whole_at, rate: Rate { limit: 0, burst: 0, window_ms: 0 } }
    }

    /// How much may be taken from it now; none where that is not known.
    pub(crate) fn left(&self, now_ms: u64) -> Option<u32> {
        (self.rate.limit > 0).then(|| self.rate.left(nanos(now_ms), self.whole_at))
    }
}

impl Rate {
    /// The time in which one comes back, in nanoseconds. Rounded up: no more may pass than was said.
    fn step(&self) -> u128 {
        nanos(self.window_ms).div_ceil(u128::from(self.limit.max(1)))
    }

    /// What is left of a limit that is whole again at that time.
    pub(super) fn left(&self, now: u128, whole_at: u128) -> u32 {
        let room = (now + self.step() * u128::from(self.burst)).saturating_sub(whole_at.max(now));
        u32::try_from(room.checked_div(self.step()).unwrap_or(0)).unwrap_or(u32::MAX)
    }

    /// When a limit is whole again from which so much was taken; or how long until that may be, in milliseconds. What
    /// exceeds the burst is never there: it is told to come back in a window.
    pub(super) fn taken(&self, now: u128, whole_at: u128, cost: u32) -> Result<u128, u64> {
        if cost > self.burst || self.limit == 0 || self.window_ms == 0 {
            return Err(self.window_ms);
        }
        let after = whole_at.max(now) + self.step() * u128::from(cost);
        match after.checked_sub(now + self.step() * u128::from(self.burst)) {
            None | Some(0) => Ok(after),
            Some(beyond) => Err(u64::try_from(beyond.div_ceil(NANOS)).unwrap_or(u64::MAX)),
        }
    }
}

pub(super) fn nanos(millis: u64) -> u128 {
    u128::from(millis) * NANOS
}
