//! Appending past the page cache (`O_DIRECT`): what is written goes from our memory to the disk, and a sync finds nothing
//! left to carry there.
//!
//! Direct writes are of whole blocks, and a record ends anywhere: the last block is kept, and written again with what
//! follows. It holds what it held before in the same place, as a page of the cache would that is written twice.

use rustix::fs::OFlags;
use std::fs::File;
use std::io::{self, ErrorKind, IoSlice};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What direct writes ask of offsets, lengths and memory: no disk or file system that is in use asks for more.
pub(super) const BLOCK_BYTES: usize = 4096;
/// What goes at once. More is written in pieces.
const BUFFER_BYTES: usize = 1 << 20;

/// A file that is appended to, for as long as it is.
#[derive(Debug)]
pub(super) struct Direct(Mutex<Option<Appending>>);

/// The file, and memory as direct writes want it.
#[derive(Debug)]
struct Appending {
    file: File,
    octets: Vec<u8>,
    /// Where in it whole blocks begin. The first is the one that the file ends in.
    begin: usize,
    /// Where the file ends.
    end: u64,
}

impl Direct {
    /// Opens a file that is there and empty. None where its file system has no direct writes.
    pub(super) fn open(path: &Path) -> io::Result<Option<Self>> {
        let flags = i32::try_from(OFlags::DIRECT.bits()).map_err(io::Error::other)?;
        match File::options().write(true).custom_flags(flags).open(path) {
            Ok(file) => Ok(Some(Self(Mutex::new(Some(Appending::new(file)))))),
            Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Appends, maybe less than all of it; how much. What lies behind it in its last block becomes zeros. None where that
    /// is for an ordinary write, as all are from then on: `offset` is not where the last one ended, or the file system that
    /// opened the file for direct writes has none.
    pub(super) fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<Option<usize>> {
        let mut place = self.place();
        let written = match place.as_mut().filter(|appending| appending.end == offset) {
            Some(appending) => appending.append(slices),
            None => Err(ErrorKind::InvalidInput.into()),
        };
        match written {
            Ok(written) => Ok(Some(written)),
            Err(error) => {
                // What is in the file's last block is not known any more.
                *place = None;
                if error.kind() == ErrorKind::InvalidInput { Ok(None) } else { Err(error) }
            }
        }
    }

    /// Nothing more is appended: file and memory go back.
    pub(super) fn end(&self) {
        *self.place() = None;
    }

    fn place(&self) -> MutexGuard<'_, Option<Appending>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Appending {
    fn new(file: File) -> Self {
        let octets = vec![0; BUFFER_BYTES + BLOCK_BYTES];
        // At most a block: it is found within what was asked for beyond the buffer.
        let begin = octets.as_ptr().align_offset(BLOCK_BYTES).min(BLOCK_BYTES);
        Self { file, octets, begin, end: 0 }
    }

    fn append(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let octets = &mut self.octets[self.begin..self.begin + BUFFER_BYTES];
        let lead = usize::try_from(self.end % BLOCK_BYTES as u64).map_err(io::Error::other)?;
        let filled = gather(octets, lead, slices);
        let whole = filled.next_multiple_of(BLOCK_BYTES);
        octets[filled..whole].fill(0);
        write_blocks(&self.file, &octets[..whole], self.end - lead as u64)?;
        octets.copy_within(filled / BLOCK_BYTES * BLOCK_BYTES..filled, 0);
        let written = filled - lead;
        self.end += written as u64;
        Ok(written)
    }
}

/// Lays the slices behind what is there, as much of them as there is room for; where that ends.
fn gather(octets: &mut [u8], mut filled: usize, slices: &[IoSlice<'_>]) -> usize {
    for slice in slices {
        let length = slice.len().min(octets.len() - filled);
        octets[filled..filled + length].copy_from_slice(&slice[..length]);
        filled += length;
    }
    filled
}

fn write_blocks(file: &File, blocks: &[u8], base: u64) -> io::Result<()> {
    let mut done = 0;
    while done < blocks.len() {
        match file.write_at(&blocks[done..], base + done as u64) {
            // Only whole blocks can be gone on from.
            Ok(n) if n >= BLOCK_BYTES => done += n / BLOCK_BYTES * BLOCK_BYTES,
            Ok(_) => return Err(ErrorKind::WriteZero.into()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::disk::{Disk, DiskFile, LocalDisk, write_all};
    use super::*;
    use proptest::prelude::*;
    use std::fs;
    use std::path::PathBuf;
    use tempfile::TempDir;

    /// Octets that are at no two near places alike.
    fn octets(from: usize, length: usize) -> Vec<u8> {
        (from..from + length).map(|at| (at % 251) as u8).collect()
    }

    fn log() -> (TempDir, PathBuf, Box<dyn DiskFile>) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("log");
        let file = LocalDisk::DIRECT.create_log(&path).expect("made");
        (dir, path, file)
    }

    fn append(file: &dyn DiskFile, from: usize, length: usize) {
        let octets = octets(from, length);
        let (one, two) = octets.split_at(length / 3);
        write_all(file, &mut [IoSlice::new(one), IoSlice::new(two)], from as u64).expect("written");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn what_is_appended_in_any_pieces_is_there_and_zeros_behind_it(
            lengths in proptest::collection::vec(1usize..20_000, 1..12)
        ) {
            let (_dir, _path, file) = log();
            let mut end = 0;
            for length in lengths {
                append(&*file, end, length);
                end += length;
                file.sync_data().expect("synced");
                let mut read = vec![1; end + BLOCK_BYTES];
                let there = file.read_at(&mut read, 0).expect("read");
                prop_assert_eq!(&read[..end], &octets(0, end)[..]);
                prop_assert!(read[end..there].iter().all(|octet| *octet == 0));
            }
        }
    }

    #[test]
    fn more_than_the_buffer_goes_in_pieces() {
        let (_dir, path, file) = log();
        append(&*file, 0, 100);
        append(&*file, 100, 3 * BUFFER_BYTES + 5);
        let end = 100 + 3 * BUFFER_BYTES + 5;
        file.set_len(end as u64).expect("cut");
        assert!(fs::read(&path).expect("read") == octets(0, end));
    }

    #[test]
    fn what_is_not_appended_is_an_ordinary_write_and_what_follows_it_too() {
        let (_dir, path, file) = log();
        append(&*file, 0, 5_000);
        append(&*file, 4_000, 2_000);
        append(&*file, 6_000, 10);
        file.set_len(6_010).expect("cut");
        append(&*file, 6_010, 90);
        assert!(fs::read(&path).expect("read") == octets(0, 6_100));
    }
}
