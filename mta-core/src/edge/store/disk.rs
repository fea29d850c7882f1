//! What the store does to files, as a seam: a test can then tell what was written from what was synced, and take the
//! difference away as a power cut does.

use super::direct::Direct;
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::pwritev;
use std::fmt::Debug;
use std::fs::{self, File};
use std::io::{self, ErrorKind, IoSlice};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Names of files: durable once their directory is synced.
pub(super) trait Disk: Debug + Send + Sync {
    /// A new file; an error where there is one.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// A new file that is appended to and synced again and again.
    fn create_log(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// A file that is there, to be read and written.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file another name, in the place of what had it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable as they are.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// One file's content: durable once it is synced.
pub(super) trait DiskFile: Debug + Send + Sync {
    /// Reads at an offset; fewer octets than asked for are no error.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes at an offset, maybe less than all of it; how much.
    fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<usize>;

    /// The file's length in octets.
    fn len(&self) -> io::Result<u64>;

    /// Cuts or lengthens it; a log is appended to no more.
    fn set_len(&self, bytes: u64) -> io::Result<()>;

    /// Takes room for so many octets. [`ErrorKind::Unsupported`] where the file system can't.
    fn allocate(&self, bytes: u64) -> io::Result<()>;

    /// Makes the content durable, and of the rest what is needed to read it.
    fn sync_data(&self) -> io::Result<()>;

    /// Makes everything of it durable.
    fn sync_all(&self) -> io::Result<()>;
}

/// Writes all of it.
pub(super) fn write_all(file: &dyn DiskFile, mut slices: &mut [IoSlice<'_>], mut offset: u64) -> io::Result<()> {
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match file.write_at(slices, offset) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(n) => {
                IoSlice::advance_slices(&mut slices, n);
                offset += n as u64;
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// The machine's own file system.
#[derive(Clone, Copy, Debug)]
pub(super) struct LocalDisk {
    /// Logs are written past the page cache.
    direct: bool,
}

impl LocalDisk {
    /// Logs are written past the page cache, where the file system can.
    pub(super) const DIRECT: Self = Self { direct: true };
    /// Everything is written through the page cache.
    pub(super) const CACHED: Self = Self { direct: false };

    /// One or the other.
    pub(super) fn new(direct: bool) -> Self {
        if direct { Self::DIRECT } else { Self::CACHED }
    }
}

/// A file of it.
#[derive(Debug)]
pub(super) struct LocalFile {
    file: File,
    /// Where it is written past the page cache.
    direct: Option<Direct>,
}

impl LocalFile {
    /// One that is read and written through the page cache.
    pub(super) fn cached(file: File) -> Self {
        Self { file, direct: None }
    }
}

impl Disk for LocalDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = File::options().read(true).write(true).create_new(true).open(path)?;
        Ok(Box::new(LocalFile::cached(file)))
    }

    fn create_log(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = File::options().read(true).write(true).create_new(true).open(path)?;
        let direct = if self.direct { Direct::open(path)? } else { None };
        Ok(Box::new(LocalFile { file, direct }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(LocalFile::cached(File::options().read(true).write(true).open(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }
}

impl DiskFile for LocalFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(&self.file, buffer, offset)
    }

    fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let direct = self.direct.as_ref().map(|direct| direct.write_at(slices, offset));
        match direct.transpose()?.flatten() {
            Some(written) => Ok(written),
            None => Ok(pwritev(&self.file, slices, offset)?),
        }
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.direct.iter().for_each(Direct::end);
        self.file.set_len(bytes)
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        Ok(fallocate(&self.file, FallocateFlags::empty(), 0, bytes)?)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}
