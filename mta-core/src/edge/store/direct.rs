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
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What direct writes ask of offsets, lengths and memory: no disk or file system that is in use asks for more.
pub(super) const BLOCK_BYTES: usize = 4096;
/// What goes at once. More is written in pieces.
const BUFFER_BYTES: usize = 1 << 20;

/// A file that is appended to.
#[derive(Debug)]
pub(super) struct Direct {
    file: File,
    /// Its file system has not refused one.
    works: AtomicBool,
    /// There once something was written.
    buffer: Mutex<Option<Buffer>>,
}

/// Memory as direct writes want it.
#[derive(Debug)]
struct Buffer {
    octets: Vec<u8>,
    /// Where in it whole blocks begin.
    begin: usize,
    /// Where in the file the last write ended, if the buffer begins with the block that it ended in.
    end: Option<u64>,
}

impl Direct {
    /// Opens a file that is there and empty. None where its file system has no direct writes.
    pub(super) fn open(path: &Path) -> io::Result<Option<Self>> {
        let flags = i32::try_from(OFlags::DIRECT.bits()).map_err(io::Error::other)?;
        match File::options().write(true).custom_flags(flags).open(path) {
            Ok(file) => Ok(Some(Self { file, works: AtomicBool::new(true), buffer: Mutex::default() })),
            Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes at an offset, maybe less than all of it; how much. What lies before it in its block is read from `cached`,
    /// if it is not known. What lies behind it in its last block becomes zeros. None where the file system opened the file
    /// for direct writes and has none: nothing was written.
    pub(super) fn write_at(&self, cached: &File, slices: &[IoSlice<'_>], offset: u64) -> io::Result<Option<usize>> {
        if !self.works.load(Ordering::Relaxed) {
            return Ok(None);
        }
        match self.write_blocks_at(cached, slices, offset) {
            Err(error) if error.kind() == ErrorKind::InvalidInput => {
                self.works.store(false, Ordering::Relaxed);
                Ok(None)
            }
            written => written.map(Some),
        }
    }

    fn write_blocks_at(&self, cached: &File, slices: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let mut buffer = self.buffer();
        let buffer = buffer.get_or_insert_with(Buffer::new);
        let known = buffer.end.take() == Some(offset);
        let lead = usize::try_from(offset % BLOCK_BYTES as u64).map_err(io::Error::other)?;
        let base = offset - lead as u64;
        let octets = buffer.octets();
        if !known {
            cached.read_exact_at(&mut octets[..lead], base)?;
        }
        let filled = gather(octets, lead, slices);
        let whole = filled.next_multiple_of(BLOCK_BYTES);
        octets[filled..whole].fill(0);
        write_blocks(&self.file, &octets[..whole], base)?;
        octets.copy_within(filled / BLOCK_BYTES * BLOCK_BYTES..filled, 0);
        let written = filled - lead;
        buffer.end = Some(offset + written as u64);
        Ok(written)
    }

    /// Nothing more is appended for now: its memory goes back.
    pub(super) fn rest(&self) {
        *self.buffer() = None;
    }

    /// A buffer whose write did not end says that its end is not known.
    fn buffer(&self) -> MutexGuard<'_, Option<Buffer>> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buffer {
    fn new() -> Self {
        let octets = vec![0; BUFFER_BYTES + BLOCK_BYTES];
        // At most a block: it is found within what was asked for beyond the buffer.
        let begin = octets.as_ptr().align_offset(BLOCK_BYTES).min(BLOCK_BYTES);
        Self { octets, begin, end: None }
    }

    fn octets(&mut self) -> &mut [u8] {
        &mut self.octets[self.begin..self.begin + BUFFER_BYTES]
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

    /// Octets that are at no two near places alike.
    fn octets(from: usize, length: usize) -> Vec<u8> {
        (from..from + length).map(|at| (at % 251) as u8).collect()
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
            let dir = tempfile::tempdir().expect("a directory");
            let path = dir.path().join("log");
            let file = LocalDisk::DIRECT.create_log(&path).expect("made");
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
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("log");
        let file = LocalDisk::DIRECT.create_log(&path).expect("made");
        append(&*file, 0, 100);
        append(&*file, 100, 3 * BUFFER_BYTES + 5);
        let end = 100 + 3 * BUFFER_BYTES + 5;
        file.set_len(end as u64).expect("cut");
        assert!(fs::read(&path).expect("read") == octets(0, end));
    }

    #[test]
    fn a_block_whose_beginning_is_not_known_is_read_first() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("log");
        let file = LocalDisk::DIRECT.create_log(&path).expect("made");
        append(&*file, 0, 5_000);
        // It gives its memory back, and what it knew with it.
        file.set_len(5_000).expect("cut");
        append(&*file, 5_000, 10);
        file.set_len(5_010).expect("cut");
        assert!(fs::read(&path).expect("read") == octets(0, 5_010));
    }
}
