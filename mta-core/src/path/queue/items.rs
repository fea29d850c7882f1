//! What the scheduler keeps of each queued message: one small item for each (message, destination), and nothing of
//! its addresses or content.

use crate::base::flow::placement::Priority;
use crate::base::mail::id::QueueId;
use crate::base::time::UnixMillis;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Names an item for as long as it lives; reused after.
pub(super) type Slot = u32;

/// No item.
pub(super) const NONE: u32 = u32::MAX;

/// Where an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The slot is free.
    Vacant,
    /// Until its due time.
    Waiting,
    /// In its destination's line.
    Ready,
    /// In the line of those whose age is to be looked at.
    Aging,
    /// An attempt is under way, or its ruling not yet durable.
    Attempted,
    /// Its age is being looked at.
    Aged,
    /// In the line of those whose way policy is to say.
    Unplaced,
    /// Policy is being asked, or its answers are not durable yet.
    Placing,
    /// Kept out of the schedule while an operation on the message goes on.
    Parked,
}

impl Place {
    /// Somebody outside is at work on its recipients: nobody else may be.
    pub(super) fn is_busy(self) -> bool {
        matches!(self, Self::Attempted | Self::Aged | Self::Placing)
    }
}

/// 64 bytes; a million of them is what a large queue holds.
#[derive(Clone, Debug)]
pub(super) struct Item {
    id: [u64; 2],
    /// Not before this.
    pub(super) due: UnixMillis,
    /// When its age has to be looked at: a delay notice or the end.
    pub(super) age_at: UnixMillis,
    /// The time that is set for it, where one is.
    pub(super) timer: Option<std::num::NonZeroU64>,
    pub(super) destination: u32,
    /// The next item of the same message.
    sibling: Slot,
    /// Neighbours in the destination's line.
    pub(super) before: Slot,
    pub(super) behind: Slot,
    /// The congestion wave and the routes' generation in which its attempt began.
    pub(super) wave: u32,
    pub(super) generation: u16,
    pub(super) place: Place,
    /// The highest of its recipients': they travel together.
    pub(super) priority: Priority,
}

impl Item {
    pub(super) fn id(&self) -> QueueId {
        QueueId(u128::from(self.id[0]) << 64 | u128::from(self.id[1]))
    }
}

/// All items, findable by slot and by message.
#[derive(Default)]
pub(super) struct Items {
    slots: Vec<Item>,
    vacant: Slot,
    count: usize,
    by_message: HashMap<IdKey, Slot, BuildHasherDefault<IdHasher>>,
}

impl Items {
    pub(super) fn new() -> Self {
        Self { vacant: NONE, ..Self::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn get(&self, slot: Slot) -> &Item {
        &self.slots[slot as usize]
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> &mut Item {
        &mut self.slots[slot as usize]
    }

    pub(super) fn knows(&self, id: QueueId) -> bool {
        self.by_message.contains_key(&IdKey::of(id))
    }

    /// The message's items, as many as it has destinations left.
    pub(super) fn of_message(&self, id: QueueId) -> impl Iterator<Item = Slot> + '_ {
        let mut next = self.by_message.get(&IdKey::of(id)).copied().unwrap_or(NONE);
        std::iter::from_fn(move || {
            let slot = next;
            next = self.slots.get(slot as usize)?.sibling;
            Some(slot)
        })
    }

    /// A new item, parked.
    pub(super) fn add(&mut self, id: QueueId, destination: u32) -> Slot {
        let item = Item {
            id: [(id.0 >> 64) as u64, id.0 as u64],
            due: UnixMillis(0),
            age_at: UnixMillis(0),
            timer: None,
            destination,
            sibling: NONE,
            before: NONE,
            behind: NONE,
            wave: 0,
            generation: 0,
            place: Place::Parked,
            priority: Priority::default(),
        };
        let slot = if self.vacant == NONE {
            self.slots.push(item);
            (self.slots.len() - 1) as Slot
        } else {
            let slot = self.vacant;
            self.vacant = self.get(slot).sibling;
            *self.get_mut(slot) = item;
            slot
        };
        let head = self.by_message.insert(IdKey::of(id), slot);
        self.get_mut(slot).sibling = head.unwrap_or(NONE);
        self.count += 1;
        slot
    }

    /// Forgets an item that is in no line and has no time set.
    pub(super) fn remove(&mut self, slot: Slot) {
        let (id, next) = (self.get(slot).id(), self.get(slot).sibling);
        let before = self.of_message(id).find(|&other| self.get(other).sibling == slot);
        match before {
            Some(before) => self.get_mut(before).sibling = next,
            None if next == NONE => {
                self.by_message.remove(&IdKey::of(id));
            }
            None => {
                self.by_message.insert(IdKey::of(id), next);
            }
        }
        let vacant = self.vacant;
        let item = self.get_mut(slot);
        item.place = Place::Vacant;
        item.sibling = vacant;
        self.vacant = slot;
        self.count -= 1;
    }

    /// Every item's slot.
    #[cfg(test)]
    pub(super) fn all(&self) -> impl Iterator<Item = Slot> + '_ {
        (0..self.slots.len() as Slot).filter(|&slot| self.get(slot).place != Place::Vacant)
    }
}

/// The id in pieces of four bytes, so that an entry of the map is 20 bytes and not 32.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct IdKey([u32; 4]);

impl IdKey {
    fn of(id: QueueId) -> Self {
        let n = id.0;
        Self([(n >> 96) as u32, (n >> 64) as u32, (n >> 32) as u32, n as u32])
    }
}

/// Ids are random in their low 80 bits, by our own dice: mixing them is enough, nobody outside can aim at a bucket.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u32(u32::from(byte));
        }
    }

    fn write_u32(&mut self, piece: u32) {
        self.0 = (self.0.rotate_left(29) ^ u64::from(piece)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_stays_small() {
        assert!(size_of::<Item>() <= 64, "{}", size_of::<Item>());
        assert_eq!(size_of::<(IdKey, Slot)>(), 20);
    }

    #[test]
    fn a_messages_items_are_found_until_each_is_removed() {
        let mut items = Items::new();
        let id = QueueId((7 << 64) | 9);
        let slots = [items.add(id, 0), items.add(id, 1), items.add(id, 2)];
        let other = items.add(QueueId(1), 0);
        assert_eq!(items.of_message(id).count(), 3);
        assert_eq!(items.get(slots[0]).id(), id);
        items.remove(slots[1]);
        assert_eq!(items.of_message(id).collect::<Vec<_>>(), [slots[2], slots[0]]);
        items.remove(slots[2]);
        items.remove(slots[0]);
        assert!(!items.knows(id) && items.knows(QueueId(1)) && items.len() == 1);
        assert_eq!(items.add(QueueId(2), 5), slots[0], "slots are used again");
        assert_eq!(items.get(other).destination, 0);
    }
}
