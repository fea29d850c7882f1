//! Destinations: next hops, interned, each with the line of messages that may go there now.

use super::congestion::Congestion;
use super::items::{Items, NONE, Slot};
use crate::base::flow::attempt::NextHop;
use crate::base::flow::placement::Priority;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Destinations without mail that are remembered for what was learnt of them.
const IDLE_DESTINATIONS_MAX: usize = 1024;

/// One next hop.
pub(super) struct Destination {
    pub(super) hop: Arc<NextHop>,
    pub(super) congestion: Congestion,
    /// Attempts under way.
    pub(super) under_way: u32,
    /// It waits for its turn in the round of that priority.
    pub(super) in_turn: [bool; Priority::ALL.len()],
    /// Items that name it, wherever they are.
    items: u32,
    idle: bool,
    lines: [Line; Priority::ALL.len()],
}

/// Messages that may go now, in the order in which they came.
#[derive(Clone, Copy)]
struct Line {
    first: Slot,
    last: Slot,
}

impl Destination {
    /// Whether the next in line may go now.
    pub(super) fn may_start(&self, limit: u32) -> bool {
        self.most_urgent().is_some() && self.congestion.admits(self.under_way, limit)
    }

    /// The highest priority of what may go now.
    pub(super) fn most_urgent(&self) -> Option<Priority> {
        Priority::ALL.into_iter().rev().find(|priority| self.lines[*priority as usize].first != NONE)
    }

    /// It waits for its turn.
    pub(super) fn has_turn(&self) -> bool {
        self.in_turn.contains(&true)
    }
}

/// All destinations, by number and by next hop.
#[derive(Default)]
pub(super) struct Destinations {
    all: Vec<Option<Destination>>,
    free: Vec<u32>,
    by_hop: HashMap<Arc<NextHop>, u32>,
    idle: VecDeque<u32>,
}

impl Destinations {
    pub(super) fn get(&self, number: u32) -> &Destination {
        self.all[number as usize].as_ref().expect("an item or a turn names only destinations that are there")
    }

    pub(super) fn get_mut(&mut self, number: u32) -> &mut Destination {
        self.all[number as usize].as_mut().expect("an item or a turn names only destinations that are there")
    }

    pub(super) fn exists(&self, number: u32) -> bool {
        self.all.get(number as usize).is_some_and(Option::is_some)
    }

    pub(super) fn numbers(&self) -> impl Iterator<Item = u32> + use<> {
        0..self.all.len() as u32
    }

    /// The number of the next hop; a new one where it was not known.
    pub(super) fn intern(&mut self, hop: NextHop) -> u32 {
        if let Some(&number) = self.by_hop.get(&hop) {
            return number;
        }
        let hop = Arc::new(hop);
        let destination = Destination {
            hop: Arc::clone(&hop),
            congestion: Congestion::new(),
            under_way: 0,
            in_turn: [false; Priority::ALL.len()],
            items: 0,
            idle: false,
            lines: [Line { first: NONE, last: NONE }; Priority::ALL.len()],
        };
        let number = match self.free.pop() {
            Some(number) => number,
            None => {
                self.all.push(None);
                (self.all.len() - 1) as u32
            }
        };
        self.all[number as usize] = Some(destination);
        self.by_hop.insert(hop, number);
        self.note_idle(number);
        number
    }

    /// An item names it.
    pub(super) fn join(&mut self, number: u32) {
        self.get_mut(number).items += 1;
    }

    /// An item that named it is gone. Destinations that nothing names are kept for a while, until [`trim`](Self::trim).
    pub(super) fn leave(&mut self, number: u32) {
        let destination = self.get_mut(number);
        destination.items -= 1;
        if destination.items == 0 {
            self.note_idle(number);
        }
    }

    /// Its rest or its turn is over: if nothing names it, it is idle again.
    pub(super) fn recheck(&mut self, number: u32) {
        if self.get(number).items == 0 {
            self.note_idle(number);
        }
    }

    fn note_idle(&mut self, number: u32) {
        let destination = self.get_mut(number);
        if !destination.idle {
            destination.idle = true;
            self.idle.push_back(number);
        }
    }

    /// Forgets the oldest of those that nothing names, beyond a number. Only where nobody holds the number of a destination
    /// that no item names yet: it might be given to another next hop.
    pub(super) fn trim(&mut self) {
        while self.idle.len() > IDLE_DESTINATIONS_MAX {
            let Some(oldest) = self.idle.pop_front() else { return };
            let destination = self.get_mut(oldest);
            destination.idle = false;
            // A resting one has a time set, and one in the round is named there: `recheck` brings both back here.
            let unused = destination.items == 0 && destination.under_way == 0;
            if unused && !destination.has_turn() && destination.congestion.resting_until().is_none() {
                let hop = Arc::clone(&destination.hop);
                self.by_hop.remove(&hop);
                self.all[oldest as usize] = None;
                self.free.push(oldest);
            }
        }
    }

    /// Puts the item at the end of its destination's line for its priority.
    pub(super) fn push_ready(&mut self, items: &mut Items, slot: Slot) {
        let (number, priority) = (items.get(slot).destination, items.get(slot).priority);
        let line = &mut self.get_mut(number).lines[priority as usize];
        let last = std::mem::replace(&mut line.last, slot);
        if last == NONE {
            line.first = slot;
        } else {
            items.get_mut(last).behind = slot;
        }
        let item = items.get_mut(slot);
        item.before = last;
        item.behind = NONE;
    }

    /// Takes the item out of its destination's line.
    pub(super) fn remove_ready(&mut self, items: &mut Items, slot: Slot) {
        let item = items.get_mut(slot);
        let (before, behind, number, priority) = (item.before, item.behind, item.destination, item.priority);
        item.before = NONE;
        item.behind = NONE;
        let line = &mut self.get_mut(number).lines[priority as usize];
        match before {
            NONE => line.first = behind,
            _ => items.get_mut(before).behind = behind,
        }
        match behind {
            NONE => line.last = before,
            _ => items.get_mut(behind).before = before,
        }
    }

    /// The first in line of the most urgent, of a destination that may start something.
    pub(super) fn first_ready(&self, number: u32) -> Slot {
        let destination = self.get(number);
        destination.most_urgent().map_or(NONE, |priority| destination.lines[priority as usize].first)
    }

    #[cfg(test)]
    pub(super) fn known(&self) -> usize {
        self.by_hop.len()
    }
}
