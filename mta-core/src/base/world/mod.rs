//! The outside as traits: clock, dice, DNS, network and storage. The real ones are in `edge::world` and
//! `edge::store`; tests bring their own.

pub mod dns;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod http;
pub mod maildir;
pub mod metrics;
pub mod net;
pub mod proxy;
pub mod store;
pub mod tls;

use super::event::Event;
use super::flow::Answer;
use super::time::Now;
use std::io;
use std::time::Instant;

/// Time.
pub trait Clock: Send + Sync {
    /// Both clocks, read once.
    fn now(&self) -> Now;

    /// The monotonic clock alone, for what is timed often.
    fn mono(&self) -> Instant {
        self.now().mono
    }

    /// Ends at `when`, at once if that is past.
    fn sleep_until(&self, when: Instant) -> Answer<'static, ()>;
}

/// Randomness.
pub trait Dice: Send + Sync {
    /// 64 random bits.
    fn roll(&self) -> u64;

    /// Fills with octets for keys and tokens: nobody can foresee them, whatever was shown of others. The system's own
    /// dice ask the system; these, made of rolls, are as good as the rolls are.
    ///
    /// # Errors
    /// The system has no randomness to give; what was filled is worth nothing.
    fn fill(&self, into: &mut [u8]) -> io::Result<()> {
        for piece in into.chunks_mut(size_of::<u64>()) {
            piece.copy_from_slice(&self.roll().to_le_bytes()[..piece.len()]);
        }
        Ok(())
    }
}

/// Where events go: log, counters, streams. Never blocks; what can't be kept is counted and dropped.
pub trait Observe: Send + Sync {
    /// Something happened.
    fn event(&self, event: Event<'_>);
}
