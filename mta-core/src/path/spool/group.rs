//! One commit: what stages asked for, made into records, and what it means once they are durable.

use super::ledger::{Known, Ledger};
use super::record::{self, Home, Kept, Span};
use crate::base::flow::entry::{Entry, Progress};
use crate::base::flow::placement::Placement;
use crate::base::mail::id::QueueId;
use crate::base::world::store::{Position, Record};
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::Arc;

/// A message to be made durable.
#[derive(Debug)]
pub(super) struct Fresh {
    pub(super) entry: Arc<Entry>,
    /// None: it lies in a blob.
    pub(super) content: Option<Bytes>,
}

/// A commit in the making. Nothing of it holds before [`settle`](Self::settle).
#[derive(Debug, Default)]
pub(super) struct Group {
    records: Vec<Record>,
    effects: Vec<Effect>,
    /// What the messages touched by this group will be, so that a second ruling builds on the first.
    staged: HashMap<QueueId, Option<Staged>>,
    /// Octets in all records, about.
    pub(super) bytes: usize,
}

#[derive(Debug, Clone)]
struct Staged {
    entry: Arc<Entry>,
    is_blob: bool,
}

/// What one record means, once it is durable.
#[derive(Debug)]
enum Effect {
    Message { entry: Arc<Entry>, is_blob: bool },
    State(Arc<Entry>),
    End(QueueId),
    Nothing,
}

/// What came of a ruling, if its group is made durable.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ruled {
    /// What is left of the message.
    pub(super) left: Option<Arc<Entry>>,
    /// The message ended by this very ruling.
    pub(super) has_ended: bool,
    /// It had a blob.
    pub(super) is_blob: bool,
}

impl Group {
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Adds a new message.
    pub(super) fn accept(&mut self, fresh: &Fresh) {
        self.push_message(fresh, false);
    }

    /// Adds a change of state with the notifications that it owes. None: the message is not there any more, and
    /// nothing was added.
    pub(super) fn rule(
        &mut self,
        ledger: &Ledger,
        id: QueueId,
        changes: &[(u32, Progress)],
        placements: &[(u32, Option<Placement>)],
        notifications: &[Fresh],
    ) -> Option<Ruled> {
        let now = self.present(ledger, id)?;
        notifications.iter().for_each(|fresh| self.push_message(fresh, true));
        let joined = u16::try_from(notifications.len()).unwrap_or(u16::MAX);
        let is_blob = now.is_blob;
        if is_last(&now.entry, changes) {
            self.push(record::gone(id, joined), Effect::End(id));
            self.staged.insert(id, None);
            return Some(Ruled { left: None, has_ended: true, is_blob });
        }
        let mut entry = Entry::clone(&now.entry);
        for (index, progress) in changes {
            let slot = usize::try_from(*index).ok().and_then(|index| entry.progress.get_mut(index));
            // What has ended stays so, whatever a late report says.
            if let Some(slot) = slot.filter(|slot| !matches!(slot, Progress::Done(_))) {
                slot.clone_from(progress);
            }
        }
        placements.iter().for_each(|(index, placement)| entry.place(*index, placement.clone()));
        let entry = Arc::new(entry);
        self.push(record::state(&entry, joined), Effect::State(Arc::clone(&entry)));
        self.staged.insert(id, Some(Staged { entry: Arc::clone(&entry), is_blob }));
        Some(Ruled { left: Some(entry), has_ended: false, is_blob })
    }

    /// Writes a message again, with its present state, if its record still is the one at `from`. Whether it was.
    pub(super) fn move_up(&mut self, ledger: &Ledger, id: QueueId, from: Position, content: Bytes) -> bool {
        if self.staged.contains_key(&id) {
            // It changes in this very group: its old record is looked at again in the next pass.
            return false;
        }
        let Known::Is(kept) = ledger.known(id) else { return false };
        if kept.home.message.at != from {
            return false;
        }
        let content = if kept.home.is_blob { None } else { Some(content) };
        let entry = Arc::clone(&kept.entry);
        let is_placed = !entry.placements.is_empty();
        self.push_message(&Fresh { entry: Arc::clone(&entry), content }, is_placed);
        if is_placed {
            // Its own record can't say the ways: it counts only together with the one that does.
            self.push(record::state(&entry, 1), Effect::State(entry));
        }
        true
    }

    /// Adds a record that only tries the disk.
    pub(super) fn probe(&mut self) {
        self.push(record::probe(), Effect::Nothing);
    }

    fn present(&self, ledger: &Ledger, id: QueueId) -> Option<Staged> {
        if let Some(staged) = self.staged.get(&id) {
            return staged.clone();
        }
        match ledger.known(id) {
            Known::Is(kept) => Some(Staged { entry: Arc::clone(&kept.entry), is_blob: kept.home.is_blob }),
            Known::Not | Known::Gone => None,
        }
    }

    fn push_message(&mut self, fresh: &Fresh, is_joined: bool) {
        let is_blob = fresh.content.is_none();
        let content = fresh.content.clone().unwrap_or_default();
        let entry = Arc::clone(&fresh.entry);
        self.staged.insert(entry.id, Some(Staged { entry: Arc::clone(&entry), is_blob }));
        self.push(record::message(&entry, is_blob, content, is_joined), Effect::Message { entry, is_blob });
    }

    fn push(&mut self, record: Record, effect: Effect) {
        self.bytes += payload_bytes(&record);
        self.records.push(record);
        self.effects.push(effect);
    }

    /// The records, to be appended. What they mean stays here until they are durable.
    pub(super) fn take_records(&mut self) -> (Vec<Record>, Durable) {
        let records = std::mem::take(&mut self.records);
        let lengths = records.iter().map(|record| u32::try_from(payload_bytes(record)).unwrap_or(u32::MAX)).collect();
        (records, Durable { effects: std::mem::take(&mut self.effects), lengths })
    }
}

/// What a commit means once it is durable.
#[derive(Debug)]
pub(super) struct Durable {
    effects: Vec<Effect>,
    lengths: Vec<u32>,
}

impl Durable {
    /// The records are durable at these positions: now it holds.
    pub(super) fn settle(self, ledger: &mut Ledger, positions: &[Position]) {
        for ((effect, bytes), at) in self.effects.into_iter().zip(self.lengths).zip(positions) {
            let span = Span { at: *at, bytes };
            match effect {
                Effect::Message { entry, is_blob } => {
                    let home = Home { message: span, state: None, is_blob };
                    ledger.put(Arc::new(Kept { entry, home }), *at);
                }
                Effect::State(entry) => {
                    if let Known::Is(old) = ledger.known(entry.id) {
                        let home = Home { state: Some(span), ..old.home };
                        ledger.put(Arc::new(Kept { entry, home }), *at);
                    }
                }
                Effect::End(id) => ledger.end(id, *at),
                Effect::Nothing => {}
            }
        }
    }
}

/// After these changes every recipient has ended.
fn is_last(entry: &Entry, changes: &[(u32, Progress)]) -> bool {
    (0u32..).zip(&entry.progress).all(|(index, progress)| {
        let newest = changes.iter().rev().find(|(changed, _)| *changed == index).map(|(_, progress)| progress);
        matches!(progress, Progress::Done(_)) || matches!(newest, Some(Progress::Done(_)))
    })
}

fn payload_bytes(record: &Record) -> usize {
    record.pieces.iter().map(Bytes::len).sum()
}
