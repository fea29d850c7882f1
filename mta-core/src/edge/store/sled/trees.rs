//! The index: sled trees that can be thrown away and made again from the journal.
//!
//! sled's own flush issues no fsync, so a checkpoint is: flush, then fsync of sled's files by us, then a note of the
//! journal position (docs/decisions/0003). sled is not trusted further than that: a panic in it is an index lost.

use super::super::disk::Disk;
use super::super::fault;
use super::caught::{caught, close, sync, sync_all};
use super::draft::{Grown, Shrinking};
use super::note::{self, Note};
use crate::base::world::store::{Position, StoreFault, Write};
use bytes::Bytes;
use std::fs;
use std::ops::Bound::{Excluded, Unbounded};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// Where a checkpoint leaves its position in sled itself.
const MARK_TREE: &str = "checkpoint";
const MARK_KEY: &[u8] = b"upto";

/// All trees of one data directory. Each index has a directory of its own, `index/1`, `index/2` and so on; the note
/// says which counts.
#[derive(Debug)]
pub(super) struct Trees {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    damaged_dir: PathBuf,
    cache_bytes: u64,
    /// None only while the index is being made anew, or after that failed.
    db: RwLock<Option<::sled::Db>>,
    noted: Mutex<Option<Note>>,
    lost: Mutex<Option<String>>,
    /// Whoever changes the trees has it; readers don't need it.
    pub(super) turn: Mutex<Turn>,
}

/// What belongs to whoever changes the trees.
#[derive(Debug)]
pub(super) struct Turn {
    /// The number of the index's directory.
    pub(super) generation: u64,
    pub(super) shrinking: Shrinking,
}

impl Trees {
    /// Opens the index in `dir`. What can't be opened is moved aside, and an empty one takes its place.
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        damaged_dir: &Path,
        cache_bytes: u64,
    ) -> Result<Self, StoreFault> {
        let noted = note::read(dir)?;
        let generation = noted.map_or(0, |note| note.generation);
        let trees = Self {
            disk,
            dir: dir.to_owned(),
            damaged_dir: damaged_dir.to_owned(),
            cache_bytes,
            db: RwLock::new(None),
            noted: Mutex::new(noted),
            lost: Mutex::new(None),
            turn: Mutex::new(Turn { generation, shrinking: Shrinking::default() }),
        };
        let why = match noted {
            Some(note) if trees.path(generation).join("db").exists() => match trees.reopen(note) {
                Ok(()) => return Ok(trees),
                Err(fault @ StoreFault::Full) => return Err(fault),
                Err(fault) => Some(fault.to_string()),
            },
            Some(_) => Some("its files are not there".to_owned()),
            None if trees.root().exists() => Some("it has no checkpoint that can be read".to_owned()),
            None => None,
        };
        *guard(&trees.lost) = why;
        trees.reset()?;
        Ok(trees)
    }

    fn root(&self) -> PathBuf {
        self.dir.join("index")
    }

    /// Where the index of that number lies.
    pub(super) fn path(&self, generation: u64) -> PathBuf {
        self.root().join(generation.to_string())
    }

    /// Opens the index that the note names; any other is what a crash left of a change from one to the next.
    fn reopen(&self, note: Note) -> Result<(), StoreFault> {
        self.put(self.open_db(note.generation)?);
        self.check_mark(note.upto)?;
        for item in fs::read_dir(self.root()).map_err(|e| fault(&e))? {
            let item = item.map_err(|e| fault(&e))?;
            if item.file_name() != *note.generation.to_string() {
                // What stays only takes room.
                let _removed = fs::remove_dir_all(item.path());
            }
        }
        Ok(())
    }

    pub(super) fn open_db(&self, generation: u64) -> Result<::sled::Db, StoreFault> {
        let config = ::sled::Config::new()
            .path(self.path(generation))
            .cache_capacity(self.cache_bytes)
            .mode(::sled::Mode::HighThroughput)
            .flush_every_ms(None);
        caught(|| config.open())
    }

    /// From now on this is the index; the one before.
    pub(super) fn put(&self, db: ::sled::Db) -> Option<::sled::Db> {
        self.db.write().unwrap_or_else(PoisonError::into_inner).replace(db)
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
        guard(&self.noted).map(|note| note.upto)
    }

    /// Starts again with empty trees; what was there is moved aside, in the place of an earlier one.
    pub(super) fn reset(&self) -> Result<(), StoreFault> {
        let mut turn = guard(&self.turn);
        let old = self.db.write().unwrap_or_else(PoisonError::into_inner).take();
        close(old);
        turn.shrinking.restart();
        note::remove(&*self.disk, &self.dir)?;
        *guard(&self.noted) = None;
        let aside = self.damaged_dir.join("index");
        if aside.exists() {
            fs::remove_dir_all(&aside).map_err(|e| fault(&e))?;
        }
        if self.root().exists() {
            fs::create_dir_all(&self.damaged_dir).map_err(|e| fault(&e))?;
            fs::rename(self.root(), &aside).map_err(|e| fault(&e))?;
        }
        turn.generation += 1;
        let fresh = self.open_db(turn.generation)?;
        self.put(fresh);
        Ok(())
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
    pub(super) fn apply(&self, writes: &[Write]) -> Result<(), StoreFault> {
        let mut turn = guard(&self.turn);
        let mut grown = Grown::default();
        for run in writes.chunk_by(|one, next| one.tree == next.tree) {
            self.with(run[0].tree, |tree| run.iter().try_for_each(|write| grown.write(tree, write)))?;
        }
        turn.shrinking.wrote(writes, &grown);
        Ok(())
    }

    /// Makes the trees durable, then notes what is in them.
    pub(super) fn checkpoint(&self, upto: Position) -> Result<(), StoreFault> {
        let turn = guard(&self.turn);
        let db = self.db.read().unwrap_or_else(PoisonError::into_inner);
        self.save(db.as_ref().ok_or_else(not_open)?, Note { upto, generation: turn.generation })
    }

    /// Makes this index durable and names it as the one that counts.
    pub(super) fn save(&self, db: &::sled::Db, note: Note) -> Result<(), StoreFault> {
        caught(|| {
            db.open_tree(MARK_TREE)?.insert(MARK_KEY, &note.upto.0.to_be_bytes())?;
            db.flush()
        })?;
        sync_all(&self.path(note.generation)).and_then(|()| sync(&self.root())).map_err(|e| fault(&e))?;
        note::write(&*self.disk, &self.dir, note)?;
        *guard(&self.noted) = Some(note);
        Ok(())
    }

    fn with<T>(&self, tree: &str, work: impl FnOnce(&::sled::Tree) -> ::sled::Result<T>) -> Result<T, StoreFault> {
        self.with_db(|db| db.open_tree(tree).and_then(|tree| work(&tree)))
    }

    pub(super) fn with_db<T>(&self, work: impl FnOnce(&::sled::Db) -> ::sled::Result<T>) -> Result<T, StoreFault> {
        let db = self.db.read().unwrap_or_else(PoisonError::into_inner);
        let db = db.as_ref().ok_or_else(not_open)?;
        caught(|| work(db))
    }
}

fn not_open() -> StoreFault {
    StoreFault::IndexLost("it could not be opened anew".to_owned())
}

pub(super) fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
