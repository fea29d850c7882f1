//! Gives the index's disk space back. sled's file keeps about the size of its largest time, so an index that is much
//! larger than what lives in it is copied, step by step, into a new one that takes its place.
//!
//! While the copy grows every write goes into both, so at its end it says what the index says. It counts from the
//! moment when the note names it (see [`note`](super::note)); a crash before that leaves the old one, a crash after it
//! the new one, and the next start removes the other.

use super::caught::{close, remove};
use super::draft::{Draft, count};
use super::note::Note;
use super::trees::{Trees, Turn, guard};
use crate::base::world::store::{Shrunk, StoreFault};
use ::sled::Db;

impl Trees {
    /// One step towards a smaller index, where that is worth it and so much free space allows for it.
    pub(super) fn shrink(&self, free_bytes: u64) -> Result<Shrunk, StoreFault> {
        let mut turn = guard(&self.turn);
        if turn.shrinking.draft.is_none() {
            turn.shrinking.draft = self.begin(&mut turn, free_bytes)?;
        }
        let Some(mut draft) = turn.shrinking.draft.take() else { return Ok(Shrunk::Not) };
        let entries_max = turn.shrinking.step_entries;
        match self.with_db(|db| draft.copy(db, entries_max)) {
            Ok(true) => self.adopt(&mut turn, draft),
            Ok(false) => {
                turn.shrinking.draft = Some(draft);
                Ok(Shrunk::GoesOn)
            }
            Err(fault) => {
                draft.give_up();
                Err(fault)
            }
        }
    }

    /// A copy, still empty, if the index takes more than twice what a fresh one would.
    fn begin(&self, turn: &mut Turn, free_bytes: u64) -> Result<Option<Draft>, StoreFault> {
        let disk_bytes = self.with_db(Db::size_on_disk)?;
        // Without a checkpoint there is nothing that the copy could be as good as.
        if self.checkpointed().is_none() || disk_bytes <= 2 * turn.shrinking.spare_bytes {
            return Ok(None);
        }
        let live_bytes = match turn.shrinking.live_bytes {
            Some(live_bytes) => live_bytes,
            None => self.with_db(count)?,
        };
        turn.shrinking.live_bytes = Some(live_bytes);
        let worth_it = turn.shrinking.expected_bytes(live_bytes).saturating_mul(2);
        if disk_bytes <= worth_it || free_bytes <= worth_it {
            return Ok(None);
        }
        let generation = turn.generation + 1;
        let path = self.path(generation);
        remove(&path);
        let todo = self.with_db(|db| Ok(db.tree_names()))?;
        Ok(Some(Draft { db: self.open_db(generation)?, path, todo, after: None }))
    }

    /// The whole copy takes the index's place.
    fn adopt(&self, turn: &mut Turn, draft: Draft) -> Result<Shrunk, StoreFault> {
        let upto = self.checkpointed().unwrap_or_default();
        let note = Note { upto, generation: turn.generation + 1 };
        let before = self.with_db(Db::size_on_disk).unwrap_or_default();
        if let Err(fault) = self.save(&draft.db, note) {
            // Should the note have reached the disk all the same, the next checkpoint names the old index again; and
            // what has no index after a crash before that makes it again from the journal.
            draft.give_up();
            return Err(fault);
        }
        let old = self.path(std::mem::replace(&mut turn.generation, note.generation));
        close(self.put(draft.db));
        remove(&old);
        let after = self.with_db(Db::size_on_disk).unwrap_or_default();
        turn.shrinking.measured(after);
        Ok(Shrunk::By { bytes: before.saturating_sub(after) })
    }
}
