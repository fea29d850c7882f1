//! The default engine: the journal is the truth, sled is its index, large content lies in files of its own.

mod blobs;
mod caught;
mod draft;
mod note;
mod shrink;
#[cfg(test)]
mod shrink_tests;
#[cfg(test)]
mod tests;
mod trees;

use super::disk::{Disk, LocalDisk};
use super::journal::FileJournal;
use super::{blocking, fault};
use crate::base::flow::Answer;
use crate::base::world::store::{
    BlobWriter, Found, Journal, OpenBlob, Position, Record, Shrunk, Store, StoreFault, Write,
};
use crate::config::model::Storage;
use bytes::Bytes;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use trees::Trees;

/// The engine on a directory, which it alone uses.
#[derive(Debug)]
struct Engine {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    journal: FileJournal,
    trees: Arc<Trees>,
    /// Held as long as the engine lives: a second server on the directory is refused.
    _lock: File,
}

/// Opens the storage in `dir`, and makes it if there is none.
///
/// # Errors
/// The directory is in use by another server, can't be read or written, or was written by a newer version. A lost or
/// damaged index is no error: it comes up empty, and [`Store::index_lost`] says why.
pub fn open(dir: &Path, storage: &Storage) -> Result<Arc<dyn Store>, StoreFault> {
    open_on(Arc::new(LocalDisk::new(storage.direct)), dir, storage)
}

/// The same on another disk; sled's own files are on the machine's.
pub(super) fn open_on(disk: Arc<dyn Disk>, dir: &Path, storage: &Storage) -> Result<Arc<dyn Store>, StoreFault> {
    fs::create_dir_all(dir).map_err(|e| named(dir, &e))?;
    let lock = lock(dir)?;
    let damaged = dir.join("damaged");
    let blobs = dir.join("blobs");
    fs::create_dir_all(&blobs).map_err(|e| named(&blobs, &e))?;
    let trees = Trees::open(Arc::clone(&disk), dir, &damaged, storage.cache_bytes)?;
    let floor = trees.checkpointed().unwrap_or_default();
    let journal = FileJournal::open(&disk, &dir.join("journal"), &damaged, storage.segment_bytes, floor)?;
    disk.sync_dir(dir).map_err(|e| named(dir, &e))?;
    Ok(Arc::new(Engine { disk, dir: dir.to_owned(), journal, trees: Arc::new(trees), _lock: lock }))
}

fn lock(dir: &Path) -> Result<File, StoreFault> {
    let path = dir.join("lock");
    let file = File::options().write(true).create(true).truncate(false).open(&path).map_err(|e| named(&path, &e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(StoreFault::Io(format!("{} is in use by another running server", dir.display())))
        }
        Err(TryLockError::Error(e)) => Err(named(&path, &e)),
    }
}

fn named(path: &Path, error: &std::io::Error) -> StoreFault {
    match fault(error) {
        StoreFault::Io(why) => StoreFault::Io(format!("{}: {why}", path.display())),
        other => other,
    }
}

impl Journal for Engine {
    fn append(&self, records: Vec<Record>) -> Answer<'_, Result<Vec<Position>, StoreFault>> {
        self.journal.append(records)
    }

    fn read(&self, at: Position, payload_bytes: usize) -> Answer<'_, Result<Found, StoreFault>> {
        self.journal.read(at, payload_bytes)
    }

    fn replay(&self, from: Position, bytes: usize) -> Answer<'_, Result<Vec<Found>, StoreFault>> {
        self.journal.replay(from, bytes)
    }

    fn extent(&self) -> (Position, Position) {
        self.journal.extent()
    }

    fn trim(&self, before: Position) -> Answer<'_, Result<(), StoreFault>> {
        self.journal.trim(before)
    }
}

impl Store for Engine {
    fn get(&self, tree: &'static str, keys: Vec<Bytes>) -> Answer<'_, Result<Vec<Option<Bytes>>, StoreFault>> {
        let trees = Arc::clone(&self.trees);
        Box::pin(blocking(move || trees.get(tree, &keys)))
    }

    fn scan(
        &self,
        tree: &'static str,
        after: Option<Bytes>,
        limit: usize,
    ) -> Answer<'_, Result<Vec<(Bytes, Bytes)>, StoreFault>> {
        let trees = Arc::clone(&self.trees);
        Box::pin(blocking(move || trees.scan(tree, after.as_deref(), limit)))
    }

    fn apply(&self, writes: Vec<Write>) -> Answer<'_, Result<(), StoreFault>> {
        let trees = Arc::clone(&self.trees);
        Box::pin(blocking(move || trees.apply(&writes)))
    }

    fn checkpoint(&self, upto: Position) -> Answer<'_, Result<(), StoreFault>> {
        let trees = Arc::clone(&self.trees);
        Box::pin(blocking(move || trees.checkpoint(upto)))
    }

    fn checkpointed(&self) -> Option<Position> {
        self.trees.checkpointed()
    }

    fn index_lost(&self) -> Option<String> {
        self.trees.lost()
    }

    fn reset_trees(&self) -> Answer<'_, Result<(), StoreFault>> {
        let trees = Arc::clone(&self.trees);
        Box::pin(blocking(move || trees.reset()))
    }

    fn shrink_trees(&self) -> Answer<'_, Result<Shrunk, StoreFault>> {
        let trees = Arc::clone(&self.trees);
        let free_bytes = self.free_bytes().unwrap_or(u64::MAX);
        Box::pin(blocking(move || trees.shrink(free_bytes)))
    }

    fn blob(&self, name: &str) -> Answer<'_, Result<Box<dyn BlobWriter>, StoreFault>> {
        let (disk, path) = (Arc::clone(&self.disk), blobs::path(&self.dir, name));
        Box::pin(blocking(move || blobs::create(disk, path?)))
    }

    fn open_blob(&self, name: &str) -> Answer<'_, Result<OpenBlob, StoreFault>> {
        let path = blobs::path(&self.dir, name);
        Box::pin(blocking(move || blobs::open(&path?)))
    }

    fn remove_blob(&self, name: &str) -> Answer<'_, Result<(), StoreFault>> {
        let (disk, path) = (Arc::clone(&self.disk), blobs::path(&self.dir, name));
        Box::pin(blocking(move || blobs::remove(&*disk, &path?)))
    }

    fn blobs(&self) -> Answer<'_, Result<Vec<String>, StoreFault>> {
        let dir = self.dir.clone();
        Box::pin(blocking(move || blobs::names(&dir)))
    }

    fn free_bytes(&self) -> Option<u64> {
        let disk = rustix::fs::statvfs(&self.dir).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
}
