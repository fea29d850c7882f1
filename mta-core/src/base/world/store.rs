//! The storage engine: an appended journal that is the truth, ordered trees that index it, and blobs for large content.
//!
//! The journal is one endless line of octets: a [`Position`] is an offset in it that is never used twice, and old
//! octets are given back from the front. An engine without local files (a replicated stream) fits the same shape.

use crate::base::flow::Answer;
use crate::base::mail::content::ReadAt;
use bytes::Bytes;
use std::sync::Arc;

/// Where a record begins in the journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Position(pub u64);

/// A record to append: its octets in pieces, so that content is written from where it lies.
#[derive(Clone, Debug)]
pub struct Record {
    /// Says how the payload is read; the engine keeps it and does not look inside.
    pub kind: u8,
    /// The payload is their concatenation.
    pub pieces: Vec<Bytes>,
}

/// A record as read back.
#[derive(Clone, Debug)]
pub struct Found {
    /// Where it begins.
    pub at: Position,
    /// Where the next one begins.
    pub end: Position,
    /// As written, or what is wrong with it.
    pub record: Result<(u8, Bytes), Damage>,
}

impl Found {
    /// What the record says, by `read`; or why it says nothing, which is `otherwise` where it is whole and yet not
    /// understood.
    ///
    /// # Errors
    /// That reason, for the log.
    pub fn understood<T>(self, read: impl FnOnce(u8, &[u8]) -> Option<T>, otherwise: &str) -> Result<T, String> {
        let (kind, payload) = self.record.map_err(|damage| damage.why)?;
        read(kind, &payload).ok_or_else(|| otherwise.to_owned())
    }
}

/// A record that can't be read; those behind it can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// What is wrong, for the log.
    pub why: String,
    /// The octets where the payload should be, at most 4 KiB, from which a name may still be read.
    pub head: Bytes,
    /// Where the octets were set aside for an operator to look at; empty where that failed or has no meaning.
    pub kept_in: String,
}

/// A change of a tree.
#[derive(Clone, Debug)]
pub struct Write {
    /// The tree's name.
    pub tree: &'static str,
    /// The key.
    pub key: Bytes,
    /// The value; none removes the key.
    pub value: Option<Bytes>,
}

/// Why the engine failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreFault {
    /// No space left. What the call was to write is not there.
    #[error("no space left on the device")]
    Full,
    /// Anything else of the disk. What the call was to write is not there, or is ignored on the next start.
    #[error("{0}")]
    Io(String),
    /// The trees are lost or damaged: to be rebuilt from the journal.
    #[error("the index is damaged: {0}")]
    IndexLost(String),
    /// Written by a newer version: refused.
    #[error("{0}")]
    Newer(String),
}

/// What a step of [`Store::shrink_trees`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shrunk {
    /// There was nothing to do.
    Not,
    /// There is more to do.
    GoesOn,
    /// So many octets of disk space were given back.
    By {
        /// The octets.
        bytes: u64,
    },
}

/// One endless line of records.
pub trait Journal: Send + Sync {
    /// Appends all records and makes them durable; then all their positions, in order. After an error none of them
    /// will be found again. A few may be under way at once: they come in the order in which they were first polled.
    fn append(&self, records: Vec<Record>) -> Answer<'_, Result<Vec<Position>, StoreFault>>;

    /// The record that begins at `at`; `payload_bytes` is how long its payload is thought to be, so that one read of
    /// the disk does.
    fn read(&self, at: Position, payload_bytes: usize) -> Answer<'_, Result<Found, StoreFault>>;

    /// Records from `from` on (where one begins, or the journal's beginning), in order, at most about `bytes` octets
    /// of them; empty at the end.
    fn replay(&self, from: Position, bytes: usize) -> Answer<'_, Result<Vec<Found>, StoreFault>>;

    /// Where the journal begins and ends.
    fn extent(&self) -> (Position, Position);

    /// Gives back what lies before `before`, as far as the engine can without moving anything.
    fn trim(&self, before: Position) -> Answer<'_, Result<(), StoreFault>>;
}

/// One storage engine.
pub trait Store: Journal {
    /// The values of these keys, in their order.
    fn get(&self, tree: &'static str, keys: Vec<Bytes>) -> Answer<'_, Result<Vec<Option<Bytes>>, StoreFault>>;

    /// Up to `limit` pairs of the tree with keys above `after`, in order.
    fn scan(
        &self,
        tree: &'static str,
        after: Option<Bytes>,
        limit: usize,
    ) -> Answer<'_, Result<Vec<(Bytes, Bytes)>, StoreFault>>;

    /// Applies all writes to the trees, not yet durably.
    fn apply(&self, writes: Vec<Write>) -> Answer<'_, Result<(), StoreFault>>;

    /// Makes the trees durable as they stand, and notes that the journal before `upto` is in them.
    fn checkpoint(&self, upto: Position) -> Answer<'_, Result<(), StoreFault>>;

    /// The position of the last checkpoint; none: the trees are empty and the whole journal is to be replayed.
    fn checkpointed(&self) -> Option<Position>;

    /// Why the trees came up empty on opening although there should have been some; none when all is well.
    fn index_lost(&self) -> Option<String>;

    /// Empties the trees and forgets the checkpoint, for a rebuild.
    fn reset_trees(&self) -> Answer<'_, Result<(), StoreFault>>;

    /// Takes a bounded step towards giving back disk space that the trees hold and do not need; cheap when there is
    /// none. It may be left off between any two steps.
    fn shrink_trees(&self) -> Answer<'_, Result<Shrunk, StoreFault>>;

    /// Opens a new blob for writing.
    fn blob(&self, name: &str) -> Answer<'_, Result<Box<dyn BlobWriter>, StoreFault>>;

    /// Opens a finished blob for reading.
    fn open_blob(&self, name: &str) -> Answer<'_, Result<OpenBlob, StoreFault>>;

    /// Removes a blob; no error if there is none.
    fn remove_blob(&self, name: &str) -> Answer<'_, Result<(), StoreFault>>;

    /// The names of all blobs, finished or not.
    fn blobs(&self) -> Answer<'_, Result<Vec<String>, StoreFault>>;

    /// Free space in bytes; none where that has no meaning.
    fn free_bytes(&self) -> Option<u64>;
}

/// A finished blob: its octets, and how many they are.
pub type OpenBlob = (Arc<dyn ReadAt>, u64);

/// A blob on its way in.
pub trait BlobWriter: Send {
    /// Appends.
    fn write(&mut self, octets: Bytes) -> Answer<'_, Result<(), StoreFault>>;

    /// Makes it durable. A writer that is dropped without this leaves nothing behind.
    fn finish(self: Box<Self>) -> Answer<'static, Result<(), StoreFault>>;
}
