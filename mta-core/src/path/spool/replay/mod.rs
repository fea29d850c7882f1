//! From the journal's records back to entries: what each of them changes, folded in order.

use super::record::{self, Home, Kept, NotUnderstood, Said, Span};
use crate::base::flow::entry::Entry;
use crate::base::mail::id::QueueId;
use crate::base::time::UnixMillis;
use crate::base::world::store::{Found, Position, StoreFault};
use std::collections::HashMap;
use std::sync::Arc;

/// A record that was understood.
#[derive(Debug)]
pub(super) struct Heard {
    span: Span,
    said: Option<Said>,
}

/// A record that can't be used, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Damaged {
    pub(super) id: Option<QueueId>,
    pub(super) at: Position,
    pub(super) why: String,
    pub(super) kept_in: String,
}

/// Understands a batch of records; what can't be used is pushed to `damaged`.
pub(super) fn hear(found: Vec<Found>, now: UnixMillis, damaged: &mut Vec<Damaged>) -> Result<Vec<Heard>, StoreFault> {
    let mut heard = Vec::with_capacity(found.len());
    for one in found {
        let at = one.at;
        let mut bytes = 0;
        let said = match one.record {
            Err(damage) => {
                let id = record::guess_name(&damage.head, now);
                damaged.push(Damaged { id, at, why: damage.why, kept_in: damage.kept_in });
                None
            }
            Ok((kind, payload)) => {
                bytes = u32::try_from(payload.len()).unwrap_or(u32::MAX);
                match record::read(kind, &payload) {
                    Ok(said) => Some(said),
                    Err(newer @ NotUnderstood::Newer(_)) => {
                        return Err(StoreFault::Newer(format!("the journal holds, at {}, {newer}", at.0)));
                    }
                    Err(malformed) => {
                        let id = record::name(&payload);
                        damaged.push(Damaged { id, at, why: malformed.to_string(), kept_in: String::new() });
                        None
                    }
                }
            }
        };
        heard.push(Heard { span: Span { at, bytes }, said });
    }
    Ok(heard)
}

/// Entries as the records so far leave them.
#[derive(Debug, Default)]
pub(super) struct Fold {
    /// What the index is to say; none: nothing.
    pub(super) changed: HashMap<QueueId, Option<Arc<Kept>>>,
    /// Messages that count only with the record behind them.
    joined: Vec<Kept>,
}

impl Fold {
    /// The messages of this batch that the index must be asked for before it can be folded.
    pub(super) fn unknown(&self, heard: &[Heard]) -> Vec<QueueId> {
        let mut ids: Vec<QueueId> = heard
            .iter()
            .filter_map(|one| match one.said {
                Some(Said::State { id, .. }) if !self.changed.contains_key(&id) => Some(id),
                _ => None,
            })
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Folds a batch; `index` is what the index said about the unknown ones.
    pub(super) fn add(&mut self, heard: Vec<Heard>, mut index: HashMap<QueueId, Kept>) {
        for Heard { span, said } in heard {
            match said {
                Some(Said::Message { entry, is_blob, is_joined, .. }) => {
                    let kept = kept(entry, span, is_blob);
                    if is_joined {
                        self.joined.push(kept);
                    } else {
                        self.joined.clear();
                        self.put(kept);
                    }
                }
                Some(Said::State { id, joined, progress, placements }) => {
                    if self.take_joined(joined) {
                        let old = match self.changed.get(&id) {
                            Some(known) => known.as_deref().cloned(),
                            None => index.remove(&id),
                        };
                        // A state whose message is not known belongs to a message that ended or moved up since.
                        if let Some(old) = old.filter(|old| old.entry.progress.len() == progress.len()) {
                            let entry = Entry { progress, placements, ..Entry::clone(&old.entry) };
                            let home = Home { state: Some(span), ..old.home };
                            self.put(Kept { entry: Arc::new(entry), home });
                        }
                    }
                }
                Some(Said::Gone { id, joined }) => {
                    if self.take_joined(joined) {
                        self.changed.insert(id, None);
                    }
                }
                Some(Said::Nothing) | None => self.joined.clear(),
            }
        }
    }

    /// The record that the joined messages waited for. If not all of them are there, its commit was never whole and
    /// never acknowledged: it does not count.
    fn take_joined(&mut self, count: u16) -> bool {
        let mut joined = std::mem::take(&mut self.joined);
        let Some(first) = joined.len().checked_sub(usize::from(count)) else { return false };
        joined.drain(first..).for_each(|kept| self.put(kept));
        true
    }

    fn put(&mut self, kept: Kept) {
        self.changed.insert(kept.entry.id, Some(Arc::new(kept)));
    }
}

fn kept(entry: Entry, span: Span, is_blob: bool) -> Kept {
    Kept { entry: Arc::new(entry), home: Home { message: span, state: None, is_blob } }
}

#[cfg(test)]
mod tests;
