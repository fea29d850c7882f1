//! Operations on a whole message while it is in the schedule: an operator's retry, cancel and rebind, and dividing it anew
//! after the routes changed.
//!
//! From the moment an operation is asked for until it is over, the message's items are parked, so that nothing begins
//! under its hands. What is under way already is left alone and ends as it ends: the operation is carried out on the
//! other recipients at once, and a cancel is carried out a second time on what the attempt left behind. One operation
//! at a time works on a message.

use super::{After, Effect, LAST_CHANCE, Machine};
use crate::base::flow::attempt::NextHop;
use crate::base::flow::entry::{Entry, Progress};
use crate::base::flow::placement::Priority;
use crate::base::mail::id::QueueId;
use crate::base::time::UnixMillis;
use crate::path::queue::items::{Place, Slot};
use crate::path::queue::operation::{Action, Operation};
use crate::path::queue::timers::Whose;
use std::sync::Arc;

/// Where a message's recipients for one destination belong.
#[derive(Clone, Copy, Debug)]
pub(super) struct Want {
    destination: u32,
    pub(super) due: UnixMillis,
    pub(super) age_at: UnixMillis,
    pub(super) priority: Priority,
}

impl Machine {
    /// Asks for an operation. It comes out of [`poll`](Machine::poll), now or when it can be carried out.
    pub fn operate(&mut self, id: QueueId, operation: Operation) {
        let desk = self.desks.entry(id).or_default();
        // Dividing is the same however often it is asked for; a reload asks for it message by message.
        if operation != Operation::divide() || !desk.waiting.contains(&operation) {
            desk.waiting.push_back(operation);
        }
        self.park(id);
        self.begin_operation(id);
    }

    /// An operation was carried out, or could not be: then the message stays as it was.
    pub fn operated(&mut self, id: QueueId, after: &After, now: UnixMillis) {
        let busy = self.is_busy(id);
        let Some(desk) = self.desks.get_mut(&id) else { return };
        if let Some(operation) = desk.running.take() {
            if matches!(after, After::Unknown) && operation.action == Action::Divide {
                // Nobody else would ask for it again.
                desk.waiting.push_back(operation);
            } else if busy
                && let Some(again) = operation.when_still()
                && !desk.again.contains(&again)
            {
                desk.again.push(again);
            }
        }
        match after {
            After::Entry(entry) => self.divide(entry, now, true),
            After::Gone => {
                for slot in self.idle_items(id) {
                    self.forget(slot);
                }
            }
            After::Unknown => {}
        }
        self.resume(id, now);
    }

    /// Goes on with the message's operations after one of them, or work on one of its items, has ended. When none is
    /// left its items go back into the schedule.
    pub(super) fn resume(&mut self, id: QueueId, now: UnixMillis) {
        let still = self.is_still(id);
        let Some(desk) = self.desks.get_mut(&id) else { return };
        if still {
            desk.waiting.extend(desk.again.drain(..));
        }
        if desk.running.is_none() && desk.waiting.is_empty() && desk.again.is_empty() {
            self.desks.remove(&id);
            for slot in self.idle_items(id) {
                self.schedule(slot, now);
            }
        } else {
            self.begin_operation(id);
        }
    }

    fn begin_operation(&mut self, id: QueueId) {
        if self.is_busy_with_old_routes(id) {
            return;
        }
        // Rebinding moves recipients to other items, so nobody may be at work on any of them.
        let must_be_still = self.is_busy(id);
        let except: Vec<Arc<NextHop>> = self
            .items
            .of_message(id)
            .map(|slot| self.items.get(slot))
            .filter(|item| item.place.is_busy())
            .map(|item| Arc::clone(&self.destinations.get(item.destination).hop))
            .collect();
        let Some(desk) = self.desks.get_mut(&id).filter(|desk| desk.running.is_none()) else { return };
        if must_be_still && desk.waiting.front().is_some_and(|first| first.action == Action::Rebind) {
            return;
        }
        let Some(operation) = desk.waiting.pop_front() else { return };
        desk.running = Some(operation.clone());
        if matches!(operation.action, Action::Retry | Action::Rebind) {
            self.wake_destinations(id);
        }
        let ways = self.rules.ways.clone();
        self.operations.push_back(Effect::Operate { id, operation, except, ways });
    }

    /// An operator wants these tried now: a rest of their destinations is over, and one probe goes.
    fn wake_destinations(&mut self, id: QueueId) {
        let numbers: Vec<u32> = self.items.of_message(id).map(|slot| self.items.get(slot).destination).collect();
        for number in numbers {
            let congestion = &mut self.destinations.get_mut(number).congestion;
            if let Some(until) = congestion.resting_until() {
                congestion.wake();
                self.timers.unset(until, Whose::Destination(number));
                self.give_turn(number);
            }
        }
    }

    fn park(&mut self, id: QueueId) {
        for slot in self.idle_items(id) {
            self.unplace(slot);
        }
    }

    pub(super) fn idle_items(&self, id: QueueId) -> Vec<Slot> {
        self.items.of_message(id).filter(|&slot| !self.items.get(slot).place.is_busy()).collect()
    }

    /// Somebody works on recipients of the message.
    pub(in crate::path::queue) fn is_busy(&self, id: QueueId) -> bool {
        self.items.of_message(id).any(|slot| self.items.get(slot).place.is_busy())
    }

    /// Nobody works on the message: no attempt, no look at its age, no operation.
    pub(super) fn is_still(&self, id: QueueId) -> bool {
        !self.is_busy(id) && self.desks.get(&id).is_none_or(|desk| desk.running.is_none())
    }

    /// Somebody works on recipients of the message that the present routes, or policy's next answer, may divide otherwise.
    pub(super) fn is_busy_with_old_routes(&self, id: QueueId) -> bool {
        self.items.of_message(id).any(|slot| {
            let item = self.items.get(slot);
            item.place == Place::Placing || item.place.is_busy() && item.generation != self.generation
        })
    }

    /// Makes the message's items what `entry` says; those that are worked on are left alone. `whole` when the entry is
    /// as new as the machine: then items it does not call for go. Otherwise they stay, and find out at their time.
    pub(super) fn divide(&mut self, entry: &Entry, now: UnixMillis, whole: bool) {
        let id = entry.id;
        if self.is_busy_with_old_routes(id) {
            return;
        }
        let wants = self.wants(entry, now);
        let parked = self.desks.contains_key(&id);
        for slot in self.idle_items(id) {
            let number = self.items.get(slot).destination;
            self.unplace(slot);
            match wants.iter().find(|want| want.destination == number) {
                Some(want) => {
                    let item = self.items.get_mut(slot);
                    item.due = if whole { want.due } else { want.due.min(item.due) };
                    item.age_at = want.age_at;
                    item.priority = want.priority;
                }
                None if whole => self.forget(slot),
                None => {}
            }
        }
        for want in wants {
            let known = self.items.of_message(id).any(|slot| self.items.get(slot).destination == want.destination);
            if !known {
                let slot = self.items.add(id, want.destination);
                self.destinations.join(want.destination);
                let item = self.items.get_mut(slot);
                item.due = want.due;
                item.age_at = want.age_at;
                item.priority = want.priority;
            }
        }
        if !parked {
            for slot in self.idle_items(id) {
                self.schedule(slot, now);
            }
        }
    }

    /// Where the recipients for one destination belong; none when none of them is pending.
    pub(super) fn want(&mut self, entry: &Entry, destination: u32, now: UnixMillis) -> Option<Want> {
        self.wants(entry, now).into_iter().find(|want| want.destination == destination)
    }

    /// Where the pending recipients belong, by destination.
    fn wants(&mut self, entry: &Entry, now: UnixMillis) -> Vec<Want> {
        let expiry = match self.rules.expires_at(entry) {
            past if past <= now => now.plus(LAST_CHANCE),
            ahead => ahead,
        };
        let notice = self.rules.notice_at(entry).unwrap_or(expiry).min(expiry);
        let mut wants: Vec<Want> = Vec::new();
        let mut last: Option<(usize, u32)> = None;
        for (index, progress) in entry.progress.iter().enumerate() {
            let Progress::Pending { due, delay_told, .. } = progress else { continue };
            // Recipients of one domain mostly stand together.
            let destination = match last {
                Some((other, number)) if self.rules.ways.are_alike(entry, other, index) => number,
                _ => self.destinations.intern(self.rules.ways.of(entry, index)),
            };
            last = Some((index, destination));
            let placement = entry.placement(index);
            let age_at = if *delay_told { expiry } else { notice };
            // What policy gave less time gets no last chance beyond it.
            let age_at = placement.and_then(|placement| placement.expires).map_or(age_at, |at| at.min(age_at));
            let priority = placement.map_or_else(Priority::default, |placement| placement.priority);
            match wants.iter_mut().find(|want| want.destination == destination) {
                Some(want) => {
                    want.due = want.due.min(*due);
                    want.age_at = want.age_at.min(age_at);
                    want.priority = want.priority.max(priority);
                }
                None => wants.push(Want { destination, due: *due, age_at, priority }),
            }
        }
        wants
    }
}
