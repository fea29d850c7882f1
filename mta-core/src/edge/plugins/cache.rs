//! The cache of compiled components: `plugin-cache/` in the data directory, ours alone.
//!
//! An entry's name is made of the component, the engine's settings and our version, so an entry never goes stale: what does
//! not fit any more is not found, and leaves when it is the one that was used longest ago. Before the code there stand the
//! same key and the code's sha256: a cut or changed entry is removed and made again.

use super::code::OwnCode;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use sha2::{Digest, Sha256};
use std::fs::{DirBuilder, File};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use wasmtime::Engine;

/// All entries together, in octets.
const CACHE_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// The largest entry that is read.
const ENTRY_BYTES_MAX: u64 = super::child::CODE_BYTES_MAX + HEAD_BYTES as u64;

const FOLDER: &str = "plugin-cache";
const MAGIC: &[u8; 16] = b"mailwright-code\n";
const SUM_BYTES: usize = 32;
const HEAD_BYTES: usize = MAGIC.len() + 2 * SUM_BYTES;
const ENTRY: &str = ".code";
const DRAFT: &str = ".draft";

/// The directory, held open: what stands at its path later does not matter.
pub(super) struct Cache {
    folder: OwnedFd,
    path: PathBuf,
    bytes_max: u64,
}

/// What an entry is the code of.
#[derive(Clone, Copy)]
pub(super) struct Key([u8; SUM_BYTES]);

impl Key {
    /// The key of a component's code for this engine and this version of ours.
    pub(super) fn new(engine: &Engine, octets: &[u8]) -> Self {
        let mut settings = Settings(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut settings);
        let mut sum = Sha256::new();
        sum.update(concat!("mailwright ", env!("CARGO_PKG_VERSION"), "\n"));
        sum.update(settings.0.finalize());
        sum.update(Sha256::digest(octets));
        Self(sum.finalize().into())
    }

    fn name(self) -> String {
        self.0.iter().map(|octet| format!("{octet:02x}")).collect::<String>() + ENTRY
    }
}

/// Gathers what the engine says of its settings.
struct Settings(Sha256);

impl Hasher for Settings {
    fn write(&mut self, octets: &[u8]) {
        self.0.update(octets);
    }

    /// Not asked for: the sum is taken whole.
    fn finish(&self) -> u64 {
        0
    }
}

impl Cache {
    /// Opens the cache of a data directory; makes both where they are not there.
    ///
    /// # Errors
    /// In words for the operator: it is not ours alone.
    pub(super) fn open(data_dir: &Path) -> Result<Self, String> {
        let path = data_dir.join(FOLDER);
        let shown = path.display().to_string();
        let told = |error: io::Error| format!("{shown}: {error}");
        std::fs::create_dir_all(data_dir).map_err(told)?;
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(told(error)),
            _ => {}
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = File::from(rustix::fs::open(&path, flags, Mode::empty()).map_err(|error| told(error.into()))?);
        let found = folder.metadata().map_err(told)?;
        if found.uid() != us() || found.mode() & 0o077 != 0 {
            return Err(format!(
                "{shown} belongs to user {} with mode {:04o}, and must be our own (user {}) with mode 0700, since what is in it \
                 is run; remove it, and the server makes another",
                found.uid(),
                found.mode() & 0o7777,
                us()
            ));
        }
        let cache = Self { folder: folder.into(), path, bytes_max: CACHE_BYTES_MAX };
        cache.trim(None).map_err(told)?;
        Ok(cache)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The code that was kept. An entry that is not as it was written is removed.
    pub(super) fn get(&self, key: Key) -> Option<OwnCode> {
        let name = key.name();
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = File::from(rustix::fs::openat(&self.folder, &name, flags, Mode::empty()).ok()?);
        match read(&file, key) {
            Some(code) => {
                // Else it leaves earlier than it might.
                let _ = file.set_modified(SystemTime::now());
                Some(OwnCode::from_cache(code))
            }
            None => {
                self.remove(&name);
                None
            }
        }
    }

    /// Keeps code, whole or not at all; what was used longest ago makes room.
    ///
    /// # Errors
    /// It can't be written.
    pub(super) fn put(&self, key: Key, code: &OwnCode) -> io::Result<()> {
        let name = key.name();
        let draft = format!("{name}{DRAFT}");
        self.remove(&draft);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::openat(&self.folder, &draft, flags, Mode::RUSR | Mode::WUSR)?);
        let mut write = || {
            file.write_all(MAGIC)?;
            file.write_all(&key.0)?;
            file.write_all(&Sha256::digest(code.octets()))?;
            file.write_all(code.octets())
        };
        let written = write().and_then(|()| Ok(rustix::fs::renameat(&self.folder, &draft, &self.folder, &name)?));
        if written.is_err() {
            self.remove(&draft);
        }
        written?;
        self.trim(Some(&name))
    }

    /// Removes drafts that were left, and the oldest entries until the rest fits; `fresh` stays.
    fn trim(&self, fresh: Option<&str>) -> io::Result<()> {
        let mut entries = Vec::new();
        for found in Dir::read_from(&self.folder)? {
            let found = found?;
            let Ok(name) = found.file_name().to_str() else { continue };
            if name.ends_with(DRAFT) {
                self.remove(name);
            } else if name.ends_with(ENTRY) {
                // Gone already is as good.
                let Ok(stat) = rustix::fs::statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
                let bytes = u64::try_from(stat.st_size).unwrap_or_default();
                entries.push((fresh == Some(name), stat.st_mtime, stat.st_mtime_nsec, name.to_owned(), bytes));
            }
        }
        // The fresh one last.
        entries.sort();
        let mut total: u64 = entries.iter().map(|(.., bytes)| bytes).sum();
        for (is_fresh, .., name, bytes) in entries {
            if total <= self.bytes_max || is_fresh {
                break;
            }
            self.remove(&name);
            total -= bytes;
        }
        Ok(())
    }

    fn remove(&self, name: &str) {
        // What can't be removed is not read either: `get` checks each time.
        let _ = rustix::fs::unlinkat(&self.folder, name, AtFlags::empty());
    }
}

/// The code of an entry, if all of it is as we wrote it.
fn read(mut file: &File, key: Key) -> Option<Vec<u8>> {
    let found = file.metadata().ok()?;
    let is_ours = FileType::from_raw_mode(found.mode()) == FileType::RegularFile
        && found.uid() == us()
        && found.mode() & 0o7777 == 0o600
        && found.nlink() == 1;
    if !is_ours || found.len() > ENTRY_BYTES_MAX {
        return None;
    }
    let mut head = [0; HEAD_BYTES];
    file.read_exact(&mut head).ok()?;
    let mut code = Vec::new();
    file.take(ENTRY_BYTES_MAX).read_to_end(&mut code).ok()?;
    let (magic, sums) = head.split_at(MAGIC.len());
    let (named, sum) = sums.split_at(SUM_BYTES);
    (magic == MAGIC && named == key.0 && sum == &Sha256::digest(&code)[..]).then_some(code)
}

fn us() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
