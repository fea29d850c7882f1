//! The engine that forgets: for tests, and as the benchmarks' floor.

use crate::base::flow::Answer;
use crate::base::mail::content::ReadAt;
use crate::base::world::store::{
    BlobWriter, Damage, Found, Journal, OpenBlob, Position, Record, Shrunk, Store, StoreFault, Write,
};
use bytes::{Bytes, BytesMut};
use std::collections::{BTreeMap, HashMap};
use std::future::ready;
use std::io;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Everything, in maps.
#[derive(Debug, Default)]
pub struct Memory {
    state: Arc<Mutex<State>>,
}

type Trees = HashMap<&'static str, BTreeMap<Bytes, Bytes>>;

#[derive(Debug, Default)]
struct State {
    records: BTreeMap<u64, (u8, Bytes)>,
    end: u64,
    trees: Trees,
    /// The trees as they were at the last checkpoint: what a crash would leave.
    saved: Option<(Position, Trees)>,
    blobs: HashMap<String, Blob>,
}

#[derive(Debug, Clone, Default)]
struct Blob {
    octets: Bytes,
    is_finished: bool,
}

/// Opens an empty store.
#[must_use]
pub fn open() -> Arc<dyn Store> {
    Arc::new(Memory::default())
}

impl Memory {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// A store with the same records, as after a crash: the trees are those of the last checkpoint.
    #[cfg(test)]
    #[must_use]
    pub fn crashed(&self) -> Self {
        let now = self.state();
        let records = now.records.clone();
        let blobs = now.blobs.iter().filter(|(_, blob)| blob.is_finished);
        let blobs = blobs.map(|(name, blob)| (name.clone(), blob.clone())).collect();
        let saved = now.saved.clone();
        let trees = saved.as_ref().map(|(_, trees)| trees.clone()).unwrap_or_default();
        Self { state: Arc::new(Mutex::new(State { records, end: now.end, trees, saved, blobs })) }
    }

    /// Makes the record at `at` unreadable, as a worn-out disk does.
    #[cfg(test)]
    pub fn damage(&self, at: Position) {
        if let Some((kind, _)) = self.state().records.get_mut(&at.0) {
            *kind = DAMAGED;
        }
    }
}

/// The kind of a record that [`Memory::damage`] spoilt.
const DAMAGED: u8 = u8::MAX;

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn found(at: u64, (kind, payload): &(u8, Bytes)) -> Found {
    let record = if *kind == DAMAGED {
        let head = payload.slice(..payload.len().min(4096));
        Err(Damage { why: "it was spoilt".to_owned(), head, kept_in: String::new() })
    } else {
        Ok((*kind, payload.clone()))
    };
    Found { at: Position(at), end: Position(at + payload.len() as u64 + 1), record }
}

fn answer<'a, T: Send + 'a>(value: T) -> Answer<'a, T> {
    Box::pin(ready(value))
}

impl Journal for Memory {
    fn append(&self, records: Vec<Record>) -> Answer<'_, Result<Vec<Position>, StoreFault>> {
        let mut state = self.state();
        let mut positions = Vec::with_capacity(records.len());
        for record in records {
            let mut payload = BytesMut::with_capacity(record.pieces.iter().map(Bytes::len).sum());
            record.pieces.iter().for_each(|piece| payload.extend_from_slice(piece));
            let at = state.end;
            state.end += payload.len() as u64 + 1;
            state.records.insert(at, (record.kind, payload.freeze()));
            positions.push(Position(at));
        }
        answer(Ok(positions))
    }

    fn read(&self, at: Position, _payload_bytes: usize) -> Answer<'_, Result<Found, StoreFault>> {
        let state = self.state();
        let gone = || StoreFault::Io(format!("journal position {} is not there", at.0));
        answer(state.records.get(&at.0).map(|record| found(at.0, record)).ok_or_else(gone))
    }

    fn replay(&self, from: Position, bytes: usize) -> Answer<'_, Result<Vec<Found>, StoreFault>> {
        let state = self.state();
        let stop = from.0.saturating_add(bytes as u64);
        let records = state.records.range(from.0..).enumerate();
        let records = records.take_while(|(n, (at, _))| *n == 0 || **at < stop);
        answer(Ok(records.map(|(_, (at, record))| found(*at, record)).collect()))
    }

    fn extent(&self) -> (Position, Position) {
        let state = self.state();
        (Position(state.records.keys().next().copied().unwrap_or(state.end)), Position(state.end))
    }

    fn trim(&self, before: Position) -> Answer<'_, Result<(), StoreFault>> {
        let mut state = self.state();
        state.records = state.records.split_off(&before.0);
        answer(Ok(()))
    }
}

impl Store for Memory {
    fn get(&self, tree: &'static str, keys: Vec<Bytes>) -> Answer<'_, Result<Vec<Option<Bytes>>, StoreFault>> {
        let state = self.state();
        let tree = state.trees.get(tree);
        answer(Ok(keys.iter().map(|key| tree.and_then(|tree| tree.get(key)).cloned()).collect()))
    }

    fn scan(
        &self,
        tree: &'static str,
        after: Option<Bytes>,
        limit: usize,
    ) -> Answer<'_, Result<Vec<(Bytes, Bytes)>, StoreFault>> {
        let state = self.state();
        let from = after.map_or(Unbounded, Excluded);
        let pairs = state.trees.get(tree).into_iter().flat_map(|tree| tree.range((from.clone(), Unbounded)));
        answer(Ok(pairs.take(limit).map(|(k, v)| (k.clone(), v.clone())).collect()))
    }

    fn apply(&self, writes: Vec<Write>) -> Answer<'_, Result<(), StoreFault>> {
        let mut state = self.state();
        for write in writes {
            let tree = state.trees.entry(write.tree).or_default();
            match write.value {
                Some(value) => tree.insert(write.key, value),
                None => tree.remove(&write.key),
            };
        }
        answer(Ok(()))
    }

    fn checkpoint(&self, upto: Position) -> Answer<'_, Result<(), StoreFault>> {
        let mut state = self.state();
        // Nothing survives the process; only tests ask what a crash would leave.
        let trees = if cfg!(test) { state.trees.clone() } else { Trees::new() };
        state.saved = Some((upto, trees));
        answer(Ok(()))
    }

    fn checkpointed(&self) -> Option<Position> {
        self.state().saved.as_ref().map(|(upto, _)| *upto)
    }

    fn index_lost(&self) -> Option<String> {
        None
    }

    fn reset_trees(&self) -> Answer<'_, Result<(), StoreFault>> {
        let mut state = self.state();
        state.trees.clear();
        state.saved = None;
        answer(Ok(()))
    }

    fn shrink_trees(&self) -> Answer<'_, Result<Shrunk, StoreFault>> {
        answer(Ok(Shrunk::Not))
    }

    fn blob(&self, name: &str) -> Answer<'_, Result<Box<dyn BlobWriter>, StoreFault>> {
        self.state().blobs.insert(name.to_owned(), Blob::default());
        let writer = Writer { state: Arc::clone(&self.state), name: name.to_owned(), octets: BytesMut::new() };
        answer(Ok(Box::new(writer)))
    }

    fn open_blob(&self, name: &str) -> Answer<'_, Result<OpenBlob, StoreFault>> {
        let blob = self.state().blobs.get(name).filter(|blob| blob.is_finished).cloned();
        let gone = || StoreFault::Io(format!("there is no blob {name}"));
        answer(blob.ok_or_else(gone).map(|blob| {
            let length = blob.octets.len() as u64;
            (Arc::new(Reader(blob.octets)) as Arc<dyn ReadAt>, length)
        }))
    }

    fn remove_blob(&self, name: &str) -> Answer<'_, Result<(), StoreFault>> {
        self.state().blobs.remove(name);
        answer(Ok(()))
    }

    fn blobs(&self) -> Answer<'_, Result<Vec<String>, StoreFault>> {
        answer(Ok(self.state().blobs.keys().cloned().collect()))
    }

    fn free_bytes(&self) -> Option<u64> {
        None
    }
}

struct Reader(Bytes);

impl ReadAt for Reader {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = self.0.get(usize::try_from(offset).unwrap_or(usize::MAX)..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }
}

struct Writer {
    state: Arc<Mutex<State>>,
    name: String,
    octets: BytesMut,
}

impl BlobWriter for Writer {
    fn write(&mut self, octets: Bytes) -> Answer<'_, Result<(), StoreFault>> {
        self.octets.extend_from_slice(&octets);
        answer(Ok(()))
    }

    fn finish(mut self: Box<Self>) -> Answer<'static, Result<(), StoreFault>> {
        let octets = self.octets.split().freeze();
        lock(&self.state).blobs.insert(self.name.clone(), Blob { octets, is_finished: true });
        answer(Ok(()))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        if state.blobs.get(&self.name).is_some_and(|blob| !blob.is_finished) {
            state.blobs.remove(&self.name);
        }
    }
}
