//! The index: sled trees that can be thrown away and made again from the journal.
//!
//! sled's own flush issues no fsync, so a checkpoint is: flush, then fsync of sled's files by us, then a note of the
//! journal position (docs/decisions/0003). sled is not trusted further than that: a panic in it is an index lost.

use super::super::fault;
use super::note;
use crate::base::world::store::{Position, StoreFault, Write};
use bytes::Bytes;
use std::fs::{self, File};
use std::ops::Bound::{Excluded, Unbounded};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

/// Where a checkpoint leaves its position in sled itself.
const MARK_TREE: &str = "checkpoint";
const MARK_KEY: &[u8] = b"upto";

/// All trees of one data directory.
#[derive(Debug)]
pub(super) struct Trees {
    dir: PathBuf,
    damaged_dir: PathBuf,
    cache_bytes: u64,
    /// None only while the index is being made anew, or after that failed.
    db: RwLock<Option<::sled::Db>>,
    checkpointed: Mutex<Option<Position>>,
    lost: Mutex<Option<String>>,
}

impl Trees {
    /// Opens the index in `dir`. What can't be opened is moved aside, and an empty one takes its place.
    pub(super) fn open(dir: &Path, damaged_dir: &Path, cache_bytes: u64) -> Result<Self, StoreFault> {
        let checkpointed = note::read(dir)?;
        let trees = Self {
            dir: dir.to_owned(),
            damaged_dir: damaged_dir.to_owned(),
            cache_bytes,
            db: RwLock::new(None),
            checkpointed: Mutex::new(checkpointed),
            lost: Mutex::new(None),
        };
        let was_there = trees.path().join("db").exists();
        let why = match (checkpointed, was_there) {
            (Some(noted), true) => match trees.open_db().and_then(|()| trees.check_mark(noted)) {
                Ok(()) => return Ok(trees),
                Err(fault @ StoreFault::Full) => return Err(fault),
                Err(fault) => Some(fault.to_string()),
            },
            (Some(_), false) => Some("its files are not there".to_owned()),
            (None, true) => Some("it has no checkpoint that can be read".to_owned()),
            (None, false) => None,
        };
        *guard(&trees.lost) = why;
        trees.reset()?;
        Ok(trees)
    }

    fn path(&self) -> PathBuf {
        self.dir.join("index")
    }

    fn open_db(&self) -> Result<(), StoreFault> {
        let config = ::sled::Config::new()
            .path(self.path())
            .cache_capacity(self.cache_bytes)
            .mode(::sled::Mode::HighThroughput)
            .flush_every_ms(None);
        let db = caught(|| config.open())?;
        *self.db.write().unwrap_or_else(PoisonError::into_inner) = Some(db);
        Ok(())
    }

    /// sled takes a damaged file for the end of its log, and comes up with what was before it, or empty, without a
    /// word. What was noted as durable must be there: the mark tells.
    fn check_mark(&self, noted: Position) -> Result<(), StoreFault> {
        let found = self.get(MARK_TREE, &[Bytes::from_static(MARK_KEY)])?;
        let mark = found.first().and_then(Option::as_ref).and_then(|mark| mark[..].try_into().ok());
        match mark.map(u64::from_be_bytes) {
            Some(mark) if mark >= noted.0 => Ok(()),
            _ => Err(StoreFault::IndexLost("it came up without its last checkpoint".to_owned())),
        }
    }

    pub(super) fn lost(&self) -> Option<String> {
        guard(&self.lost).clone()
    }

    pub(super) fn checkpointed(&self) -> Option<Position> {
        *guard(&self.checkpointed)
    }

    /// Starts again with empty trees; what was there is moved aside, in the place of an earlier one.
    pub(super) fn reset(&self) -> Result<(), StoreFault> {
        let old = self.db.write().unwrap_or_else(PoisonError::into_inner).take();
        // A damaged sled may panic once more while it is put away.
        let _closed = catch_unwind(AssertUnwindSafe(|| drop(old)));
        note::remove(&self.dir)?;
        *guard(&self.checkpointed) = None;
        let aside = self.damaged_dir.join("index");
        if aside.exists() {
            fs::remove_dir_all(&aside).map_err(|e| fault(&e))?;
        }
        if self.path().exists() {
            fs::create_dir_all(&self.damaged_dir).map_err(|e| fault(&e))?;
            fs::rename(self.path(), &aside).map_err(|e| fault(&e))?;
        }
        self.open_db()
    }

    pub(super) fn get(&self, tree: &str, keys: &[Bytes]) -> Result<Vec<Option<Bytes>>, StoreFault> {
        self.with(tree, |tree| {
            let found = keys.iter().map(|key| Ok(tree.get(key)?.map(|value| Bytes::copy_from_slice(&value))));
            found.collect()
        })
    }

    pub(super) fn scan(
        &self,
        tree: &str,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreFault> {
        self.with(tree, |tree| {
            let from = after.map_or(Unbounded, Excluded);
            let pairs = tree.range::<&[u8], _>((from, Unbounded)).take(limit);
            pairs.map(|pair| pair.map(|(k, v)| (Bytes::copy_from_slice(&k), Bytes::copy_from_slice(&v)))).collect()
        })
    }

    /// Applies the writes one by one: a crash in between is made good by the journal.
    pub(super) fn apply(&self, writes: Vec<Write>) -> Result<(), StoreFault> {
        let mut rest = writes.into_iter().peekable();
        while let Some(name) = rest.peek().map(|write| write.tree) {
            self.with(name, |tree| {
                while let Some(write) = rest.next_if(|write| write.tree == name) {
                    match &write.value {
                        Some(value) => tree.insert(&write.key, &value[..])?,
                        None => tree.remove(&write.key)?,
                    };
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Makes the trees durable, then notes what is in them.
    pub(super) fn checkpoint(&self, upto: Position) -> Result<(), StoreFault> {
        {
            let db = self.db.read().unwrap_or_else(PoisonError::into_inner);
            let db = db.as_ref().ok_or_else(not_open)?;
            caught(|| {
                db.open_tree(MARK_TREE)?.insert(MARK_KEY, &upto.0.to_be_bytes())?;
                db.flush()
            })?;
        }
        sync_all(&self.path()).map_err(|e| fault(&e))?;
        note::write(&self.dir, upto)?;
        *guard(&self.checkpointed) = Some(upto);
        Ok(())
    }

    fn with<T>(&self, tree: &str, work: impl FnOnce(&::sled::Tree) -> ::sled::Result<T>) -> Result<T, StoreFault> {
        let db = self.db.read().unwrap_or_else(PoisonError::into_inner);
        let db = db.as_ref().ok_or_else(not_open)?;
        caught(|| db.open_tree(tree).and_then(|tree| work(&tree)))
    }
}

/// Runs sled's code; an error or a panic of it says that the index is lost.
fn caught<T>(work: impl FnOnce() -> ::sled::Result<T>) -> Result<T, StoreFault> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(::sled::Error::Io(e))) if e.kind() == std::io::ErrorKind::StorageFull => {
            // sled never writes again after this, even when there is room: only a new one does.
            Err(StoreFault::IndexLost("no space left on the device".to_owned()))
        }
        Ok(Err(e)) => Err(StoreFault::IndexLost(e.to_string())),
        Err(panic) => {
            let why = panic.downcast_ref::<String>().cloned();
            let why = why.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(StoreFault::IndexLost(format!("sled panicked: {}", why.unwrap_or_default())))
        }
    }
}

fn not_open() -> StoreFault {
    StoreFault::IndexLost("it could not be opened anew".to_owned())
}

/// Makes every file of the index durable, and their names.
fn sync_all(dir: &Path) -> std::io::Result<()> {
    for item in fs::read_dir(dir)? {
        let item = item?;
        let kind = item.file_type()?;
        if kind.is_dir() {
            sync_all(&item.path())?;
        } else if kind.is_file() {
            match File::open(item.path()) {
                Ok(file) => file.sync_all()?,
                // sled replaces its snapshots as it goes.
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
    }
    File::open(dir)?.sync_all()
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
