//! When something is to be looked at again: one time for each item and each resting destination, in order.

use crate::base::time::UnixMillis;
use std::collections::BTreeSet;

/// Whose time it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Whose {
    /// The item in this slot.
    Item(u32),
    /// The destination with this number.
    Destination(u32),
}

/// Times in order. Every time that is set is taken out exactly when it changes, so nothing stale is ever kept: the
/// set is as large as what waits. 16 bytes a time, without an allocation of its own for each.
#[derive(Default)]
pub(super) struct Timers {
    set: BTreeSet<(u64, u32)>,
}

/// Marks destinations among the numbers; slots stay below it.
const DESTINATION: u32 = 1 << 31;

fn pack(whose: Whose) -> u32 {
    match whose {
        Whose::Item(slot) => slot,
        Whose::Destination(number) => number | DESTINATION,
    }
}

impl Timers {
    pub(super) fn set(&mut self, at: UnixMillis, whose: Whose) {
        self.set.insert((at.0, pack(whose)));
    }

    pub(super) fn unset(&mut self, at: UnixMillis, whose: Whose) {
        self.set.remove(&(at.0, pack(whose)));
    }

    /// The earliest time.
    pub(super) fn first(&self) -> Option<UnixMillis> {
        self.set.first().map(|&(at, _)| UnixMillis(at))
    }

    /// Takes out the earliest, if it is not after `now`.
    pub(super) fn fire(&mut self, now: UnixMillis) -> Option<Whose> {
        if self.first()? > now {
            return None;
        }
        let (_, packed) = self.set.pop_first()?;
        Some(match packed & DESTINATION {
            0 => Whose::Item(packed),
            _ => Whose::Destination(packed & !DESTINATION),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_fire_in_order_and_not_before() {
        let mut timers = Timers::default();
        timers.set(UnixMillis(20), Whose::Item(1));
        timers.set(UnixMillis(10), Whose::Destination(1));
        timers.set(UnixMillis(15), Whose::Item(2));
        timers.unset(UnixMillis(15), Whose::Item(2));
        assert_eq!(timers.first(), Some(UnixMillis(10)));
        assert_eq!(timers.fire(UnixMillis(9)), None);
        assert_eq!(timers.fire(UnixMillis(20)), Some(Whose::Destination(1)));
        assert_eq!(timers.fire(UnixMillis(20)), Some(Whose::Item(1)));
        assert_eq!(timers.first(), None);
    }
}
