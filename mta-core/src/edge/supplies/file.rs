//! Plain files, read within a limit and followed while they change.

use rustix::fs::OFlags;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What tells a file's versions apart; none when there is no file.
pub(in crate::edge) type Version = Option<(u64, u64, u64, i64, i64)>;

/// The version of a file that is there.
pub(super) fn version(about: &Metadata) -> Version {
    Some((about.dev(), about.ino(), about.size(), about.mtime(), about.mtime_nsec()))
}

/// A file that is looked at again and again.
#[derive(Clone)]
pub(super) struct Followed {
    pub(super) path: PathBuf,
    /// The version that was read last, or refused.
    seen: Version,
    /// A newer one, at the last look: it is read when it has not changed till the next, so that a file which is being
    /// written is not taken for a shorter one.
    changing: Option<Version>,
}

impl Followed {
    /// A file of which this version has been read.
    pub(super) fn new(path: PathBuf, seen: Version) -> Self {
        Self { path, seen, changing: None }
    }

    /// Looks whether the file has changed: its new version, read once it is complete, or why that can't be read.
    pub(super) fn look<T>(
        &mut self,
        read: impl FnOnce(&Path) -> Result<(T, Version), String>,
    ) -> Option<Result<T, String>> {
        let now = version_of(&self.path);
        if now == self.seen || self.changing != Some(now) {
            self.changing = (now != self.seen).then_some(now);
            return None;
        }
        let found = read(&self.path);
        if matches!(&found, Ok((_, read)) if *read != now) {
            // It changes while it is read.
            return None;
        }
        self.changing = None;
        self.seen = now;
        Some(found.map(|(content, _)| content))
    }
}

/// What the owner's group and all others may not do with a file that has secrets: read or write it.
const OTHERS: u32 = 0o066;

/// Whether a file is its owner's alone.
pub(super) fn is_private(about: &Metadata, path: &Path) -> Result<(), String> {
    let mode = about.mode() & 0o7777;
    if mode & OTHERS == 0 {
        return Ok(());
    }
    let shown = path.display();
    Err(format!("{shown} may be read or written by others (its mode is {mode:04o}): chmod 600 {shown}"))
}

/// Opens a plain file. Others (pipes, devices) may never end, and opening a pipe would wait for its writer.
pub(in crate::edge) fn open(path: &Path) -> Result<(File, Metadata), String> {
    let opened = || -> io::Result<_> {
        let nonblock = OFlags::NONBLOCK.bits().cast_signed();
        let file = OpenOptions::new().read(true).custom_flags(nonblock).open(path)?;
        let about = file.metadata()?;
        Ok((file, about))
    };
    let (file, about) = opened().map_err(|error| format!("{} can't be read: {error}", path.display()))?;
    if about.is_file() { Ok((file, about)) } else { Err(format!("{} is no plain file", path.display())) }
}

/// The file's content, or one octet more than `bytes_max` of it.
pub(in crate::edge) fn content(file: File, path: &Path, bytes_max: usize) -> Result<Vec<u8>, String> {
    let mut octets = Vec::new();
    let read = file.take(bytes_max as u64 + 1).read_to_end(&mut octets);
    read.map_err(|error| format!("{} can't be read: {error}", path.display()))?;
    Ok(octets)
}

/// The present version; none where there is no file.
pub(in crate::edge) fn version_of(path: &Path) -> Version {
    std::fs::metadata(path).ok().and_then(|about| version(&about))
}

/// The content of a file that is its owner's alone.
pub(in crate::edge) fn private(path: &Path, bytes_max: usize) -> Result<Vec<u8>, String> {
    let (opened, about) = open(path)?;
    is_private(&about, path)?;
    content(opened, path, bytes_max)
}
