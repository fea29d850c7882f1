//! A disk that writes down what is written and what is synced, so that the power can be cut afterwards at any moment of
//! it, as often as a test likes.
//!
//! What a cut leaves: of every file what was last synced, and of what was written since any pages of 4 KiB, or all of it
//! up to some octet; of the names in a directory any number of the changes since it was synced, in their order, as
//! journalling file systems do it. sled's files are not seen here: they are copied whenever the checkpoint's note is
//! about to take its name, for from then on the index must be what it was at that moment.

use crate::edge::store::disk::{Disk, DiskFile, LocalDisk};
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

const PAGE_BYTES: usize = 4096;
const NOTE: &str = "checkpoint";

/// What was done, in order. Files are numbered, for their names change.
#[derive(Clone, Debug)]
pub(super) enum Deed<M> {
    Create(PathBuf, usize),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    SyncDir(PathBuf),
    Write(usize, u64, Bytes),
    SetLen(usize, u64),
    Allocate(usize, u64),
    Sync(usize),
    /// The test's own: what had been promised by then.
    Mark(M),
}

/// The disk.
#[derive(Debug)]
pub(super) struct Recorder<M> {
    /// Where the store lies, and where copies of its index are kept.
    dir: PathBuf,
    copies: PathBuf,
    state: Arc<Mutex<State<M>>>,
}

#[derive(Debug)]
struct State<M> {
    deeds: Vec<Deed<M>>,
    names: HashMap<PathBuf, usize>,
    files: usize,
    /// The index that belongs to a note, by the note's octets.
    indexes: HashMap<Vec<u8>, PathBuf>,
}

/// A file on it.
#[derive(Debug)]
struct Recorded<M> {
    inner: Box<dyn DiskFile>,
    number: usize,
    state: Arc<Mutex<State<M>>>,
}

fn lock<M>(state: &Mutex<State<M>>) -> MutexGuard<'_, State<M>> {
    state.lock().expect("no test panics here")
}

impl<M: std::fmt::Debug + Clone + Send + 'static> Recorder<M> {
    pub(super) fn new(dir: &Path, copies: &Path) -> Arc<Self> {
        let state = State { deeds: Vec::new(), names: HashMap::new(), files: 0, indexes: HashMap::new() };
        Arc::new(Self { dir: dir.to_owned(), copies: copies.to_owned(), state: Arc::new(Mutex::new(state)) })
    }

    pub(super) fn mark(&self, mark: M) {
        lock(&self.state).deeds.push(Deed::Mark(mark));
    }

    pub(super) fn deeds(&self) -> Vec<Deed<M>> {
        lock(&self.state).deeds.clone()
    }

    /// Puts what a cut leaves into an empty directory. With the index that the surviving note belongs to, or without.
    pub(super) fn leave(&self, survivors: &[(PathBuf, Vec<u8>)], with_index: bool, to: &Path) {
        for dir in ["journal", "blobs"] {
            std::fs::create_dir_all(to.join(dir)).expect("made");
        }
        for (path, octets) in survivors {
            let name = path.strip_prefix(&self.dir).expect("the store writes in its own directory");
            std::fs::write(to.join(name), octets).expect("written");
            if name.as_os_str() == NOTE && with_index {
                let index = lock(&self.state).indexes.get(octets).cloned().expect("each note has its index");
                super::crash::copy(&index, &to.join("index"));
            }
        }
    }

    fn push(&self, deed: Deed<M>) {
        lock(&self.state).deeds.push(deed);
    }

    fn wrap(&self, inner: Box<dyn DiskFile>, number: usize) -> Box<dyn DiskFile> {
        Box::new(Recorded { inner, number, state: Arc::clone(&self.state) })
    }

    fn created(&self, inner: Box<dyn DiskFile>, path: &Path) -> Box<dyn DiskFile> {
        let number = {
            let mut state = lock(&self.state);
            let number = state.files;
            state.files += 1;
            state.names.insert(path.to_owned(), number);
            state.deeds.push(Deed::Create(path.to_owned(), number));
            number
        };
        self.wrap(inner, number)
    }
}

impl<M: std::fmt::Debug + Clone + Send + 'static> Disk for Recorder<M> {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.created(LocalDisk::DIRECT.create(path)?, path))
    }

    fn create_log(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.created(LocalDisk::DIRECT.create_log(path)?, path))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let number = lock(&self.state).names.get(path).copied().ok_or(io::ErrorKind::NotFound)?;
        Ok(self.wrap(LocalDisk::DIRECT.open(path)?, number))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        if to.file_name().is_some_and(|name| name == NOTE) {
            let note = std::fs::read(from)?;
            let copy = self.copies.join(lock(&self.state).deeds.len().to_string());
            super::crash::copy(&self.dir.join("index"), &copy);
            lock(&self.state).indexes.entry(note).or_insert(copy);
        }
        LocalDisk::DIRECT.rename(from, to)?;
        let mut state = lock(&self.state);
        if let Some(number) = state.names.remove(from) {
            state.names.insert(to.to_owned(), number);
        }
        state.deeds.push(Deed::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        LocalDisk::DIRECT.remove(path)?;
        self.push(Deed::Remove(path.to_owned()));
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        LocalDisk::DIRECT.sync_dir(dir)?;
        self.push(Deed::SyncDir(dir.to_owned()));
        Ok(())
    }
}

impl<M: std::fmt::Debug + Send + 'static> Recorded<M> {
    fn push(&self, deed: Deed<M>) -> io::Result<()> {
        lock(&self.state).deeds.push(deed);
        Ok(())
    }
}

impl<M: std::fmt::Debug + Send + 'static> DiskFile for Recorded<M> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.inner.read_at(buffer, offset)
    }

    fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let written = self.inner.write_at(slices, offset)?;
        let octets: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).take(written).collect();
        self.push(Deed::Write(self.number, offset, octets.into()))?;
        Ok(written)
    }

    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.inner.set_len(bytes)?;
        self.push(Deed::SetLen(self.number, bytes))
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        self.inner.allocate(bytes)?;
        self.push(Deed::Allocate(self.number, bytes))
    }

    // A sync counts from when it has returned.
    fn sync_data(&self) -> io::Result<()> {
        self.inner.sync_data()?;
        self.push(Deed::Sync(self.number))
    }

    fn sync_all(&self) -> io::Result<()> {
        self.inner.sync_all()?;
        self.push(Deed::Sync(self.number))
    }
}

/// One file between two syncs.
#[derive(Default)]
struct Content {
    synced: Vec<u8>,
    now: Vec<u8>,
    /// Written since the sync, in order.
    writes: Vec<(usize, Bytes)>,
}

/// What is left when the power goes after these deeds; `dice` gives a number below its argument.
pub(super) fn cut<M>(deeds: &[Deed<M>], dice: &mut impl FnMut(usize) -> usize) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: HashMap<usize, Content> = HashMap::new();
    let mut names: BTreeMap<PathBuf, usize> = BTreeMap::new();
    let mut pending: Vec<&Deed<M>> = Vec::new();
    for deed in deeds {
        match deed {
            Deed::Create(..) | Deed::Rename(..) | Deed::Remove(_) => pending.push(deed),
            Deed::SyncDir(dir) => {
                let (synced, rest) = pending.into_iter().partition(|deed| is_in(deed, dir));
                pending = rest;
                let synced: Vec<&Deed<M>> = synced;
                synced.into_iter().for_each(|deed| change(&mut names, deed));
            }
            Deed::Write(number, offset, octets) => {
                let (file, from) = (files.entry(*number).or_default(), usize::try_from(*offset).expect("small"));
                file.now.resize(file.now.len().max(from + octets.len()), 0);
                file.now[from..from + octets.len()].copy_from_slice(octets);
                file.writes.push((from, octets.clone()));
            }
            Deed::SetLen(number, bytes) => {
                files.entry(*number).or_default().now.resize(usize::try_from(*bytes).expect("small"), 0);
            }
            Deed::Allocate(number, bytes) => {
                let file = files.entry(*number).or_default();
                file.now.resize(file.now.len().max(usize::try_from(*bytes).expect("small")), 0);
            }
            Deed::Sync(number) => {
                let file = files.entry(*number).or_default();
                file.synced.clone_from(&file.now);
                file.writes.clear();
            }
            Deed::Mark(_) => {}
        }
    }
    let survived = dice(pending.len() + 1);
    pending.into_iter().take(survived).for_each(|deed| change(&mut names, deed));
    let left = names.into_iter().map(|(path, number)| {
        let octets = files.get(&number).map(|file| file.torn(dice)).unwrap_or_default();
        (path, octets)
    });
    left.collect()
}

fn is_in<M>(deed: &Deed<M>, dir: &Path) -> bool {
    match deed {
        Deed::Create(path, _) | Deed::Remove(path) | Deed::Rename(_, path) => path.parent() == Some(dir),
        _ => false,
    }
}

fn change<M>(names: &mut BTreeMap<PathBuf, usize>, deed: &Deed<M>) {
    match deed {
        Deed::Create(path, number) => {
            names.insert(path.clone(), *number);
        }
        Deed::Rename(from, to) => {
            if let Some(number) = names.remove(from) {
                names.insert(to.clone(), number);
            }
        }
        Deed::Remove(path) => {
            names.remove(path);
        }
        _ => {}
    }
}

impl Content {
    fn torn(&self, dice: &mut impl FnMut(usize) -> usize) -> Vec<u8> {
        let length = [self.synced.len(), self.now.len()][dice(2)];
        let mut left = self.synced.clone();
        left.resize(length, 0);
        let total: usize = self.writes.iter().map(|(_, octets)| octets.len()).sum();
        if dice(2) == 0 {
            // All of it up to some octet.
            let mut budget = dice(total + 1);
            for (from, octets) in &self.writes {
                let taken = octets.len().min(budget).min(length.saturating_sub(*from));
                left[*from..*from + taken].copy_from_slice(&octets[..taken]);
                budget -= taken;
            }
            return left;
        }
        for (from, octets) in &self.writes {
            for page in from / PAGE_BYTES..=(from + octets.len()) / PAGE_BYTES {
                let (begin, end) = (page * PAGE_BYTES, ((page + 1) * PAGE_BYTES).min(length).min(self.now.len()));
                if begin < end && dice(2) == 0 {
                    left[begin..end].copy_from_slice(&self.now[begin..end]);
                }
            }
        }
        left
    }
}
