//! Plain files, read within a limit.

use rustix::fs::OFlags;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

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

/// What tells a file's versions apart.
pub(in crate::edge) type Version = (u64, u64, u64, i64, i64);

/// The version of an open file.
pub(in crate::edge) fn version(about: &Metadata) -> Version {
    (about.dev(), about.ino(), about.size(), about.mtime(), about.mtime_nsec())
}

/// The present version; none where there is no file.
pub(in crate::edge) fn version_of(path: &Path) -> Option<Version> {
    std::fs::metadata(path).ok().map(|about| version(&about))
}
