//! Whose turn it is: destinations with mail of a higher priority first, and none passed over for ever.
//!
//! Each destination stands in the round of its most urgent mail. The most urgent round moves on; but a round that waited
//! while others moved [`PASSED_MAX`] times moves once. So mail to one destination never keeps that to another from
//! going. Within a destination the more urgent goes first, always.

use crate::base::flow::placement::Priority;
use std::collections::VecDeque;

/// So often in a row a round that waits is passed over, at most.
const PASSED_MAX: u8 = 8;

/// Destinations that may start something, in a round for each priority.
#[derive(Default)]
pub(super) struct Turns {
    rounds: [VecDeque<u32>; Priority::ALL.len()],
    /// How often each round was passed over since it last moved.
    passed: [u8; Priority::ALL.len()],
}

impl Turns {
    /// The destination stands at the end of that round.
    pub(super) fn push(&mut self, priority: Priority, destination: u32) {
        self.rounds[priority as usize].push_back(destination);
    }

    /// Takes out whose turn it is, and of which round.
    pub(super) fn pop(&mut self) -> Option<(Priority, u32)> {
        let waits = |priority: &Priority| !self.rounds[*priority as usize].is_empty();
        let overdue = |priority: &Priority| self.passed[*priority as usize] >= PASSED_MAX;
        let waiting = || Priority::ALL.into_iter().filter(waits);
        let chosen = waiting().find(overdue).or_else(|| waiting().next_back())?;
        for ((round, passed), priority) in self.rounds.iter().zip(&mut self.passed).zip(Priority::ALL) {
            *passed = if priority == chosen || round.is_empty() { 0 } else { passed.saturating_add(1) };
        }
        Some((chosen, self.rounds[chosen as usize].pop_front()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_urgent_go_first_and_each_round_moves_in_the_end() {
        let mut turns = Turns::default();
        for priority in Priority::ALL {
            (0..40).for_each(|number| turns.push(priority, number));
        }
        let order: Vec<Priority> = (0..40).filter_map(|_| turns.pop()).map(|(priority, _)| priority).collect();
        assert_eq!(order[..8], [Priority::Transactional; 8]);
        assert_eq!(order[8..10], [Priority::Bulk, Priority::Normal]);
        let of = |wanted| order.iter().filter(|priority| **priority == wanted).count();
        assert_eq!((of(Priority::Bulk), of(Priority::Normal)), (4, 4), "{order:?}");
    }

    #[test]
    fn a_round_is_a_round() {
        let mut turns = Turns::default();
        [3, 1, 2].into_iter().for_each(|number| turns.push(Priority::Normal, number));
        let order: Vec<u32> = std::iter::from_fn(|| turns.pop()).map(|(_, number)| number).collect();
        assert_eq!(order, [3, 1, 2]);
    }
}
