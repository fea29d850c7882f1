//! The outside as traits: clock, dice, DNS, network and storage. The real ones are in `edge::world` and
//! `edge::store`; tests bring their own.

pub mod dns;
pub mod maildir;
pub mod net;
pub mod store;

use super::event::Event;
use super::flow::Answer;
use super::time::Now;
use std::time::Instant;

/// Time.
pub trait Clock: Send + Sync {
    /// Both clocks, read once.
    fn now(&self) -> Now;

    /// Ends at `when`, at once if that is past.
    fn sleep_until(&self, when: Instant) -> Answer<'static, ()>;
}

/// Randomness.
pub trait Dice: Send + Sync {
    /// 64 random bits.
    fn roll(&self) -> u64;
}

/// Where events go: log, counters, streams. Never blocks; what can't be kept is counted and dropped.
pub trait Observe: Send + Sync {
    /// Something happened.
    fn event(&self, event: Event<'_>);
}
