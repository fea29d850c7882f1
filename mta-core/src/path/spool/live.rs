//! How much of the journal is still needed, and from where on: counted in stretches of it.

use super::record::{Home, Span};
use crate::base::world::store::Position;
use std::collections::BTreeMap;

/// What a record needs on disk besides its payload, about.
const OVERHEAD_BYTES: u64 = 36;

/// Living octets by stretch of the journal.
#[derive(Debug)]
pub(super) struct Live {
    stretch_bytes: u64,
    /// Octets and records that live in each stretch; none of zero records.
    stretches: BTreeMap<u64, (u64, u64)>,
    total: u64,
}

impl Live {
    /// Counts in stretches of so many octets: the smaller, the closer to the truth.
    pub(super) fn new(stretch_bytes: u64) -> Self {
        Self { stretch_bytes: stretch_bytes.max(1), stretches: BTreeMap::new(), total: 0 }
    }

    pub(super) fn add(&mut self, span: Span) {
        let length = u64::from(span.bytes) + OVERHEAD_BYTES;
        let (octets, records) = self.stretches.entry(span.at.0 / self.stretch_bytes).or_default();
        *octets += length;
        *records += 1;
        self.total += length;
    }

    /// Takes a record out. One that was given up before is ignored.
    pub(super) fn remove(&mut self, span: Span) {
        let stretch = span.at.0 / self.stretch_bytes;
        let Some((octets, records)) = self.stretches.get_mut(&stretch) else { return };
        let length = (u64::from(span.bytes) + OVERHEAD_BYTES).min(*octets);
        *octets -= length;
        *records = records.saturating_sub(1);
        self.total -= length;
        if *records == 0 {
            self.total -= *octets;
            self.stretches.remove(&stretch);
        }
    }

    pub(super) fn add_home(&mut self, home: &Home) {
        self.add(home.message);
        home.state.into_iter().for_each(|span| self.add(span));
    }

    pub(super) fn remove_home(&mut self, home: &Home) {
        self.remove(home.message);
        home.state.into_iter().for_each(|span| self.remove(span));
    }

    /// Nothing that lives lies before this; none: nothing lives.
    pub(super) fn lowest(&self) -> Option<Position> {
        self.stretches.keys().next().map(|stretch| Position(stretch * self.stretch_bytes))
    }

    /// Living octets in all.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Gives up what still counts as living before `before`: it was looked for and can't be read.
    pub(super) fn give_up(&mut self, before: Position) {
        let kept = self.stretches.split_off(&(before.0 / self.stretch_bytes));
        self.total -= self.stretches.values().map(|(octets, _)| octets).sum::<u64>();
        self.stretches = kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn span(at: u64, bytes: u32) -> Span {
        Span { at: Position(at), bytes }
    }

    #[test]
    fn the_lowest_living_stretch_bounds_what_may_go() {
        let mut live = Live::new(100);
        live.add(span(10, 5));
        live.add(span(250, 5));
        assert_eq!(live.lowest(), Some(Position(0)));
        live.remove(span(10, 5));
        assert_eq!(live.lowest(), Some(Position(200)));
        live.give_up(Position(300));
        assert_eq!((live.lowest(), live.total()), (None, 0));
        live.remove(span(250, 5));
        assert_eq!(live.total(), 0, "what was given up is not taken out twice");
    }

    proptest! {
        #[test]
        fn what_goes_in_and_out_leaves_nothing(spans in proptest::collection::vec((0u64..10_000, 0u32..500), 0..50)) {
            let mut live = Live::new(128);
            spans.iter().for_each(|(at, bytes)| live.add(span(*at, *bytes)));
            let lowest = spans.iter().map(|(at, _)| at / 128 * 128).min();
            prop_assert_eq!(live.lowest().map(|p| p.0), lowest);
            spans.iter().for_each(|(at, bytes)| live.remove(span(*at, *bytes)));
            prop_assert_eq!((live.lowest(), live.total()), (None, 0));
        }
    }
}
