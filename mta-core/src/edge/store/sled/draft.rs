//! The copy that is to be a smaller index: what is in it, and whether one would be worth it.

use super::caught::{caught, close, remove};
use crate::base::world::store::Write;
use ::sled::{Db, IVec, Tree};
use std::ops::Bound::{Excluded, Unbounded};
use std::path::PathBuf;

/// An index of this size is left alone, whatever lives in it.
pub(super) const SPARE_BYTES: u64 = 8 << 20;
/// Disk space of a fresh copy in percent of its keys and values, as measured; the measure of later ones is their own.
const FRESH_PERCENT: u64 = 200;
/// Copied in one step, so that writes wait for no longer than that.
const STEP_ENTRIES: usize = 4096;
const STEP_BYTES: usize = 4 << 20;

/// What is known about the index's size, and the copy if one is under way.
#[derive(Debug)]
pub(super) struct Shrinking {
    /// Octets of keys and values; none: not counted yet.
    pub(super) live_bytes: Option<u64>,
    fresh_percent: u64,
    pub(super) draft: Option<Draft>,
    pub(super) spare_bytes: u64,
    pub(super) step_entries: usize,
}

/// The copy.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) db: Db,
    pub(super) path: PathBuf,
    /// Trees that are not whole yet; the last is being copied, and stands at `after`.
    pub(super) todo: Vec<IVec>,
    pub(super) after: Option<IVec>,
}

/// How a batch of writes changed what lives.
#[derive(Debug, Default)]
pub(super) struct Grown {
    added: u64,
    removed: u64,
}

impl Grown {
    /// Writes, and counts.
    pub(super) fn write(&mut self, tree: &Tree, write: &Write) -> ::sled::Result<()> {
        let key_bytes = write.key.len();
        let old = match &write.value {
            Some(value) => {
                self.added += (key_bytes + value.len()) as u64;
                tree.insert(&write.key, &value[..])?
            }
            None => tree.remove(&write.key)?,
        };
        self.removed += old.map_or(0, |old| (key_bytes + old.len()) as u64);
        Ok(())
    }
}

impl Default for Shrinking {
    fn default() -> Self {
        Self {
            live_bytes: None,
            fresh_percent: FRESH_PERCENT,
            draft: None,
            spare_bytes: SPARE_BYTES,
            step_entries: STEP_ENTRIES,
        }
    }
}

impl Shrinking {
    /// The index is empty, and there is nothing to copy.
    pub(super) fn restart(&mut self) {
        if let Some(draft) = self.draft.take() {
            draft.give_up();
        }
        self.live_bytes = Some(0);
    }

    /// These writes are in the index, and so they go into the copy.
    pub(super) fn wrote(&mut self, writes: &[Write], grown: &Grown) {
        self.live_bytes = self.live_bytes.map(|live| (live + grown.added).saturating_sub(grown.removed));
        let Some(draft) = self.draft.take() else { return };
        match caught(|| writes.iter().try_for_each(|write| draft.write(write))) {
            Ok(()) => self.draft = Some(draft),
            Err(_) => draft.give_up(),
        }
    }

    /// What an index with so much in it takes on disk when it is fresh.
    pub(super) fn expected_bytes(&self, live_bytes: u64) -> u64 {
        self.spare_bytes.saturating_add(live_bytes.saturating_mul(self.fresh_percent) / 100)
    }

    /// Remembers what a fresh copy really takes: a copy that gains nothing is then not made again and again.
    pub(super) fn measured(&mut self, disk_bytes: u64) {
        let live_bytes = self.live_bytes.unwrap_or_default().max(1);
        let percent = disk_bytes.saturating_sub(self.spare_bytes).saturating_mul(100) / live_bytes;
        self.fresh_percent = percent.max(FRESH_PERCENT);
    }
}

impl Draft {
    /// It does not become an index, and nothing depended on it.
    pub(super) fn give_up(self) {
        close(Some(self.db));
        remove(&self.path);
    }

    /// A write that has just gone into the index.
    fn write(&self, write: &Write) -> ::sled::Result<()> {
        Grown::default().write(&self.db.open_tree(write.tree)?, write)
    }

    /// Copies on from where it stands; whether everything is there.
    pub(super) fn copy(&mut self, from: &Db, entries_max: usize) -> ::sled::Result<bool> {
        let Self { db, todo, after, .. } = self;
        let (mut entries, mut octets) = (0, 0);
        while let Some(name) = todo.last() {
            let (from, to) = (from.open_tree(name)?, db.open_tree(name)?);
            let start = after.take().map_or(Unbounded, Excluded);
            for pair in from.range::<IVec, _>((start, Unbounded)) {
                let (key, value) = pair?;
                to.insert(&key, &value)?;
                entries += 1;
                octets += key.len() + value.len();
                if entries >= entries_max || octets >= STEP_BYTES {
                    *after = Some(key);
                    return Ok(false);
                }
            }
            todo.pop();
        }
        Ok(true)
    }
}

/// Octets of all keys and values.
pub(super) fn count(db: &Db) -> ::sled::Result<u64> {
    let mut octets = 0;
    for name in db.tree_names() {
        for pair in &db.open_tree(name)? {
            let (key, value) = pair?;
            octets += (key.len() + value.len()) as u64;
        }
    }
    Ok(octets)
}
