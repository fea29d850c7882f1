//! Randomness: fast, and not to be foreseen from what was shown of it.

use crate::base::world::Dice;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

/// A keyed hash (SipHash) of a counter: the key and the counter's start come from the system once, a roll costs some
/// nanoseconds and no lock. Queue ids and MIME boundaries are shown to strangers, so a generator whose state can be
/// computed from its output would not do.
#[derive(Debug)]
pub struct SystemDice {
    key: RandomState,
    rolls: AtomicU64,
}

impl SystemDice {
    /// Dice with a seed from the system.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn new() -> io::Result<Self> {
        let start = getrandom::u64().map_err(io::Error::other)?;
        Ok(Self { key: RandomState::new(), rolls: AtomicU64::new(start) })
    }
}

impl Dice for SystemDice {
    fn roll(&self) -> u64 {
        self.key.hash_one(self.rolls.fetch_add(1, Ordering::Relaxed))
    }

    fn fill(&self, into: &mut [u8]) -> io::Result<()> {
        getrandom::fill(into).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn what_is_filled_is_filled_whole_and_never_twice_alike() {
        let dice = SystemDice::new().expect("randomness");
        let (mut one, mut other) = ([0; 4099], [0; 4099]);
        dice.fill(&mut one).expect("randomness");
        dice.fill(&mut other).expect("randomness");
        assert_ne!(one, other);
        // Sixteen octets in a row that are all zero come once in 2^128 draws.
        assert!(one.chunks(16).all(|piece| piece.len() < 16 || piece.iter().any(|octet| *octet != 0)));
    }

    #[test]
    fn no_two_rolls_or_seeds_are_alike_and_every_bit_falls_both_ways() {
        let (one, other) = (SystemDice::new().expect("randomness"), SystemDice::new().expect("randomness"));
        let rolls: Vec<u64> = (0..1000).flat_map(|_| [one.roll(), other.roll()]).collect();
        assert_eq!(rolls.iter().collect::<HashSet<_>>().len(), 2000);
        assert_eq!(rolls.iter().fold(0, |seen, roll| seen | roll), u64::MAX);
        assert_eq!(rolls.iter().fold(u64::MAX, |seen, roll| seen & roll), 0);
    }
}
