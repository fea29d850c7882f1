//! What the index does not yet say: entries changed since it was last written, and those that rulings are under way
//! for. The journal holds all of it; a message accepted and finished while it stands here never reaches the index.

use super::live::Live;
use super::record::Kept;
use crate::base::mail::id::QueueId;
use crate::base::world::store::Position;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Entries between the journal and the index.
#[derive(Debug)]
pub(super) struct Ledger {
    slots: HashMap<QueueId, Slot>,
    /// Changed slots, oldest change first; some were written or dropped since.
    order: VecDeque<Change>,
    /// Counts the index writer's rounds: the age of a change.
    round: u64,
    changed: usize,
    changed_bytes: usize,
    entries_max: usize,
    bytes_max: usize,
    /// The index is being made again: it may hold anything that the journal holds.
    is_index_unsure: bool,
    /// What of the journal lives.
    pub(super) live: Live,
    /// Messages that have not ended.
    pub(super) messages: u64,
    /// Everything before this position of the journal has been told to the ledger.
    pub(super) settled: Position,
}

#[derive(Debug)]
struct Change {
    id: QueueId,
    /// The record that made it.
    at: Position,
    round: u64,
}

#[derive(Debug)]
struct Slot {
    value: Value,
    /// The first record that is neither in the index nor on the way there.
    changed: Option<Position>,
    /// The first record that is on its way into the index.
    leaving: Option<Position>,
    /// The index may hold something under this id.
    in_index: bool,
    /// Rulings under way: the slot stays.
    pins: u32,
    /// What it counts for in `changed_bytes`.
    bytes: usize,
}

#[derive(Debug, Clone)]
enum Value {
    /// To be read from the index.
    Unread,
    Is(Arc<Kept>),
    Gone,
}

/// What the ledger knows of a message.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Known {
    /// Nothing: the index must be asked.
    Not,
    Is(Arc<Kept>),
    Gone,
}

/// Entries to be written to the index; none removes the key.
pub(super) type Batch = Vec<(QueueId, Option<Arc<Kept>>)>;

impl Ledger {
    pub(super) fn new(entries_max: usize, bytes_max: usize, stretch_bytes: u64) -> Self {
        Self {
            slots: HashMap::new(),
            order: VecDeque::new(),
            round: 0,
            changed: 0,
            changed_bytes: 0,
            entries_max,
            bytes_max,
            is_index_unsure: false,
            live: Live::new(stretch_bytes),
            messages: 0,
            settled: Position(0),
        }
    }

    /// What is known of the message.
    pub(super) fn known(&self, id: QueueId) -> Known {
        match self.slots.get(&id).map(|slot| &slot.value) {
            None | Some(Value::Unread) => Known::Not,
            Some(Value::Is(kept)) => Known::Is(Arc::clone(kept)),
            Some(Value::Gone) => Known::Gone,
        }
    }

    /// Keeps the message's slot until [`unpin`](Self::unpin), so that what is read from the index can't be older than
    /// what the slot says.
    pub(super) fn pin(&mut self, id: QueueId) {
        let in_index = true;
        let fresh = Slot { value: Value::Unread, changed: None, leaving: None, in_index, pins: 0, bytes: 0 };
        self.slots.entry(id).or_insert(fresh).pins += 1;
    }

    /// The inverse of [`pin`](Self::pin).
    pub(super) fn unpin(&mut self, id: QueueId) {
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.pins = slot.pins.saturating_sub(1);
            self.drop_if_idle(id);
        }
    }

    /// What the index said, for a pinned slot that still knows nothing.
    pub(super) fn fill(&mut self, id: QueueId, kept: Option<Kept>) {
        if let Some(slot) = self.slots.get_mut(&id)
            && matches!(slot.value, Value::Unread)
        {
            slot.value = kept.map_or(Value::Gone, |kept| Value::Is(Arc::new(kept)));
        }
    }

    /// The message is new, or has a new state, by the record at `at`.
    pub(super) fn put(&mut self, kept: Arc<Kept>, at: Position) {
        let id = kept.entry.id;
        let old = self.known(id);
        match &old {
            Known::Is(old) => self.live.remove_home(&old.home),
            Known::Not | Known::Gone => self.messages += 1,
        }
        self.live.add_home(&kept.home);
        let bytes = weight(&kept);
        self.change(id, Value::Is(kept), at, bytes);
    }

    /// The message has ended, by the record at `at`.
    pub(super) fn end(&mut self, id: QueueId, at: Position) {
        if let Known::Is(old) = self.known(id) {
            self.live.remove_home(&old.home);
            self.messages = self.messages.saturating_sub(1);
        }
        self.change(id, Value::Gone, at, 64);
        self.drop_if_idle(id);
    }

    fn change(&mut self, id: QueueId, value: Value, at: Position, bytes: usize) {
        let in_index = self.is_index_unsure;
        let fresh = Slot { value: Value::Unread, changed: None, leaving: None, in_index, pins: 0, bytes: 0 };
        let slot = self.slots.entry(id).or_insert(fresh);
        slot.value = value;
        slot.in_index |= in_index;
        if slot.changed.is_none() {
            slot.changed = Some(at);
            self.changed += 1;
            self.order.push_back(Change { id, at, round: self.round });
        }
        self.changed_bytes = self.changed_bytes + bytes - std::mem::replace(&mut slot.bytes, bytes);
    }

    /// Forgets a slot that nobody needs: written, or ended before the index ever heard of it.
    fn drop_if_idle(&mut self, id: QueueId) {
        let Some(slot) = self.slots.get_mut(&id) else { return };
        let never_written = matches!(slot.value, Value::Gone) && !slot.in_index && slot.leaving.is_none();
        if never_written && slot.changed.take().is_some() {
            self.changed -= 1;
            self.changed_bytes -= std::mem::take(&mut slot.bytes);
        }
        if slot.changed.is_none() && slot.leaving.is_none() && slot.pins == 0 {
            self.slots.remove(&id);
            self.forget_stale();
        }
    }

    /// Keeps the order no longer than about twice what it orders.
    fn forget_stale(&mut self) {
        if self.order.len() > 2 * self.changed + 1024 {
            self.order.retain(|change| self.slots.get(&change.id).is_some_and(|slot| slot.changed == Some(change.at)));
        }
    }

    /// No more may come in before the index was written.
    pub(super) fn is_full(&self) -> bool {
        self.changed >= self.entries_max || self.changed_bytes >= self.bytes_max
    }

    /// Half full: time to write the index whatever the age of the changes.
    pub(super) fn is_high(&self) -> bool {
        self.changed >= self.entries_max / 2 || self.changed_bytes >= self.bytes_max / 2
    }

    /// A new round of the index writer begins.
    pub(super) fn next_round(&mut self) {
        self.round += 1;
    }

    /// Up to `limit` changes at least `rounds` old, oldest first, in the order of their keys. They are on their way
    /// into the index until [`written`](Self::written).
    pub(super) fn take(&mut self, rounds: u64, limit: usize) -> Batch {
        let mut batch = Vec::new();
        while batch.len() < limit {
            let Some(change) = self.order.pop_front_if(|change| change.round + rounds <= self.round) else { break };
            let Some(slot) = self.slots.get_mut(&change.id).filter(|slot| slot.changed == Some(change.at)) else {
                continue;
            };
            let value = match &slot.value {
                Value::Is(kept) => Some(Arc::clone(kept)),
                Value::Gone | Value::Unread => None,
            };
            slot.leaving = slot.changed.take();
            slot.in_index = true;
            self.changed -= 1;
            self.changed_bytes -= std::mem::take(&mut slot.bytes);
            batch.push((change.id, value));
        }
        batch.sort_unstable_by_key(|(id, _)| *id);
        batch
    }

    /// The batch is in the index.
    pub(super) fn written(&mut self, batch: &Batch) {
        for (id, _) in batch {
            if let Some(slot) = self.slots.get_mut(id) {
                slot.leaving = None;
                self.drop_if_idle(*id);
            }
        }
    }

    /// The batch did not reach the index: it is changed again, and older than the rest.
    pub(super) fn not_written(&mut self, batch: &Batch) {
        let mut again: Vec<(Position, QueueId)> = Vec::with_capacity(batch.len());
        for (id, _) in batch {
            let Some(slot) = self.slots.get_mut(id) else { continue };
            let Some(at) = slot.leaving.take() else { continue };
            if slot.changed.replace(at).is_none() {
                self.changed += 1;
                slot.bytes = if let Value::Is(kept) = &slot.value { weight(kept) } else { 64 };
                self.changed_bytes += slot.bytes;
            }
            again.push((at, *id));
        }
        again.sort_unstable();
        for (at, id) in again.into_iter().rev() {
            self.order.push_front(Change { id, at, round: 0 });
        }
    }

    /// Every record before this is in the index; none: every record is.
    pub(super) fn first_unwritten(&mut self) -> Option<Position> {
        let slots = &self.slots;
        let is_stale = |change: &mut Change| slots.get(&change.id).is_none_or(|s| s.changed != Some(change.at));
        while self.order.pop_front_if(is_stale).is_some() {}
        let leaving = self.slots.values().filter_map(|slot| slot.leaving).min();
        self.order.front().map(|change| change.at).into_iter().chain(leaving).min()
    }

    /// From now on, until it is sure again, the index may hold anything that the journal holds.
    pub(super) fn index_is_unsure(&mut self, is_unsure: bool) {
        self.is_index_unsure = is_unsure;
        if is_unsure {
            self.slots.values_mut().for_each(|slot| slot.in_index = true);
        }
    }

    /// Everything known with ids above `after`, in their order: what overrides the index in a listing.
    pub(super) fn overrides(&self, after: Option<QueueId>) -> Batch {
        let slots = self.slots.iter().filter(|(id, _)| after.is_none_or(|after| **id > after));
        let mut known: Batch = slots
            .filter_map(|(id, slot)| match &slot.value {
                Value::Unread => None,
                Value::Is(kept) => Some((*id, Some(Arc::clone(kept)))),
                Value::Gone => Some((*id, None)),
            })
            .collect();
        known.sort_unstable_by_key(|(id, _)| *id);
        known
    }
}

/// About how much memory an entry takes.
fn weight(kept: &Kept) -> usize {
    let entry = &kept.entry;
    let edits: usize = entry.edits.headers.len() * 128;
    let ways = entry.placements.len() * 160;
    400 + entry.trace.len() + entry.envelope.recipients.len() * 160 + edits + entry.tags.len() * 64 + ways
}

#[cfg(test)]
mod tests;
