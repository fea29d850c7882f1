//! Plain files, read within a limit.

use rustix::fs::OFlags;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Opens a plain file. Others (pipes, devices) may never end, and opening a pipe would wait for its writer.
pub(super) fn open(path: &Path) -> Result<(File, Metadata), String> {
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
pub(super) fn content(file: File, path: &Path, bytes_max: usize) -> Result<Vec<u8>, String> {
    let mut octets = Vec::new();
    let read = file.take(bytes_max as u64 + 1).read_to_end(&mut octets);
    read.map_err(|error| format!("{} can't be read: {error}", path.display()))?;
    Ok(octets)
}

/// What the owner's group and all others may not do with a private file: read or write it.
const OTHERS: u32 = 0o066;

/// The same of a file that nobody but its owner may read or write.
pub(super) fn private(path: &Path, bytes_max: usize) -> Result<Vec<u8>, String> {
    let (opened, about) = open(path)?;
    let mode = about.mode() & 0o7777;
    if mode & OTHERS != 0 {
        let shown = path.display();
        return Err(format!("{shown} may be read or written by others (its mode is {mode:04o}): chmod 600 {shown}"));
    }
    content(opened, path, bytes_max)
}
