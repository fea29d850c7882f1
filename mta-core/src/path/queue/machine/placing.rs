//! Recipients whose way policy is still to say: their item stands in a line of its own, and then it is asked.
//!
//! The answer moves recipients to other items of the message. So nothing else may be at work on the message meanwhile:
//! the question waits for attempts that are under way, and attempts wait for the answer.

use super::{After, Effect, Machine, UNREADABLE_AGAIN};
use crate::base::flow::attempt::NextHop;
use crate::base::time::UnixMillis;
use crate::path::queue::items::{Place, Slot};
use crate::path::queue::operation::Operation;

/// Messages about which policy is asked at once.
const PLACINGS_MAX: u32 = 256;

impl Machine {
    /// Policy was asked about an item's recipients and its answers are durable, or there was nothing to ask.
    pub fn placed(&mut self, slot: Slot, after: &After, now: UnixMillis) {
        self.placings -= 1;
        let id = self.items.get(slot).id();
        self.items.get_mut(slot).place = Place::Parked;
        match after {
            // Nobody else was at work on the message, so the entry is as new as it can be.
            After::Entry(entry) => self.divide(entry, now, true),
            After::Gone => {
                for slot in self.idle_items(id) {
                    self.unplace(slot);
                    self.forget(slot);
                }
            }
            After::Unknown => {
                self.items.get_mut(slot).due = now.plus(UNREADABLE_AGAIN);
                if !self.desks.contains_key(&id) {
                    self.schedule(slot, now);
                }
            }
        }
        self.resume(id, now);
    }

    /// Whether the item's recipients are still to be placed.
    pub(super) fn is_unplaced(&self, slot: Slot) -> bool {
        *self.destinations.get(self.items.get(slot).destination).hop == NextHop::Unplaced
    }

    pub(super) fn enter_placing(&mut self, slot: Slot) {
        self.items.get_mut(slot).place = Place::Unplaced;
        self.unplaced.push_back(slot);
    }

    pub(super) fn next_placing(&mut self) -> Option<Effect> {
        while self.placings < PLACINGS_MAX {
            let slot = self.unplaced.pop_front()?;
            // Parked, or gone, since it was put here: whoever took it out of this place puts it back where it belongs.
            if self.items.get(slot).place != Place::Unplaced || !self.may_place(slot) {
                continue;
            }
            let generation = self.generation;
            let item = self.items.get_mut(slot);
            (item.place, item.generation) = (Place::Placing, generation);
            self.placings += 1;
            return Some(Effect::Place(self.job(slot)));
        }
        None
    }

    /// Whether nobody is at work on the message. Otherwise it is parked until it is still, and divided then: what is
    /// under way counts as divided by older routes, since the answer will change them.
    fn may_place(&mut self, slot: Slot) -> bool {
        let id = self.items.get(slot).id();
        let busy: Vec<Slot> = self.items.of_message(id).filter(|&slot| self.items.get(slot).place.is_busy()).collect();
        if busy.is_empty() {
            return true;
        }
        let older = self.generation.wrapping_sub(1);
        busy.into_iter().for_each(|slot| self.items.get_mut(slot).generation = older);
        self.operate(id, Operation::divide());
        false
    }
}
