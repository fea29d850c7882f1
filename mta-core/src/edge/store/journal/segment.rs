//! One file of the journal: named by the position of its first octet, and by its salt.

use super::super::direct::BLOCK_BYTES;
use super::super::disk::{Disk, DiskFile, write_all};
use super::super::fault;
use crate::base::world::store::StoreFault;
use std::io::{ErrorKind, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The newest segment format that this program writes and reads.
const FORMAT: u32 = 1;
const MAGIC: [u8; 8] = *b"MwJourn\n";
/// Octets of a segment's header; the first record lies behind it.
pub(super) const HEADER_BYTES: u64 = 64;
const SUFFIX: &str = ".journal";
/// The least that is preallocated when the disk has no room for a whole segment.
const PREALLOCATE_BYTES_MIN: u64 = 256 * 1024;

/// A segment. The writer extends it, readers read it by position.
#[derive(Debug)]
pub(super) struct Segment {
    /// The journal position of its first octet.
    pub(super) base: u64,
    pub(super) salt: u32,
    pub(super) path: PathBuf,
    pub(super) file: Box<dyn DiskFile>,
    /// The journal position behind its last record.
    end: AtomicU64,
}

impl Segment {
    pub(super) fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    pub(super) fn set_end(&self, end: u64) {
        self.end.store(end, Ordering::Release);
    }

    /// Where in the file a position lies.
    pub(super) fn offset(&self, position: u64) -> u64 {
        HEADER_BYTES + position.saturating_sub(self.base)
    }

    /// As many octets from `position` on as are there, at most `length` of them.
    pub(super) fn read(&self, position: u64, length: usize) -> Result<Vec<u8>, StoreFault> {
        let mut buffer = vec![0; length];
        let mut filled = 0;
        while filled < length {
            match self.file.read_at(&mut buffer[filled..], self.offset(position) + filled as u64) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(fault(&e)),
            }
        }
        buffer.truncate(filled);
        Ok(buffer)
    }

    /// A new segment: preallocated, its name durable. The file appears under its name only when it is whole.
    pub(super) fn create(
        disk: &dyn Disk,
        dir: &Path,
        base: u64,
        bytes: u64,
        at_least: u64,
    ) -> Result<Self, StoreFault> {
        let salt = salt()?;
        let path = dir.join(format!("{base:016x}-{salt:08x}{SUFFIX}"));
        let draft = path.with_extension("new");
        let made = Self::fill(disk, &draft, bytes, at_least).and_then(|file| {
            let mut header = [0; HEADER_BYTES as usize];
            header[..8].copy_from_slice(&MAGIC);
            header[8..12].copy_from_slice(&FORMAT.to_le_bytes());
            write_all(&*file, &mut [IoSlice::new(&header)], 0)?;
            file.sync_all()?;
            disk.rename(&draft, &path)?;
            disk.sync_dir(dir)?;
            Ok(file)
        });
        match made {
            Ok(file) => Ok(Self { base, salt, path, file, end: AtomicU64::new(base) }),
            Err(e) => {
                // What is left of the draft only takes room; an error here changes nothing, the next start removes it.
                let _removed = disk.remove(&draft);
                Err(fault(&e))
            }
        }
    }

    /// Opens the draft and takes its room on the disk: the whole of it, or what can be had if that is enough.
    fn fill(disk: &dyn Disk, draft: &Path, bytes: u64, at_least: u64) -> std::io::Result<Box<dyn DiskFile>> {
        let file = disk.create_log(draft)?;
        let mut room = bytes.max(at_least);
        let floor = at_least.max(PREALLOCATE_BYTES_MIN).min(room);
        loop {
            // Whole blocks: the last one is written whole.
            match file.allocate((HEADER_BYTES + room).next_multiple_of(BLOCK_BYTES as u64)).map_err(|e| (e.kind(), e)) {
                Ok(()) => return Ok(file),
                Err((ErrorKind::Interrupted, _)) => {}
                // The file system can't preallocate: the file grows as it is written.
                Err((ErrorKind::Unsupported, _)) => return Ok(file),
                Err((ErrorKind::StorageFull, _)) if room > floor => room = (room / 4).max(floor),
                Err((_, e)) => return Err(e),
            }
        }
    }

    /// Opens a segment that is there; its end is that of the file. None: the name is not a segment's.
    pub(super) fn open(disk: &dyn Disk, path: &Path) -> Result<Option<Self>, StoreFault> {
        let Some((base, salt)) = path.file_name().and_then(|name| name.to_str()).and_then(parse_name) else {
            return Ok(None);
        };
        let file = disk.open(path).map_err(|e| fault(&e))?;
        let length = file.len().map_err(|e| fault(&e))?;
        let end = AtomicU64::new(base + length.saturating_sub(HEADER_BYTES));
        let segment = Self { base, salt, path: path.to_owned(), file, end };
        segment.check_format()?;
        Ok(Some(segment))
    }

    /// Refuses a newer format. A header that can't be read refuses nothing: the records are checked one by one.
    fn check_format(&self) -> Result<(), StoreFault> {
        let mut header = [0; 12];
        match self.file.read_at(&mut header, 0) {
            Ok(12) if header[..8] == MAGIC => {}
            _ => return Ok(()),
        }
        let format = u32::from_le_bytes([header[8], header[9], header[10], header[11]]);
        if format <= FORMAT {
            return Ok(());
        }
        Err(StoreFault::Newer(format!(
            "{} has journal format {format}, written by a newer Mailwright; this one reads up to {FORMAT}",
            self.path.display()
        )))
    }

    /// Cuts the file behind its last record, so that nothing else is ever found there.
    pub(super) fn cut(&self) -> std::io::Result<()> {
        self.file.set_len(self.offset(self.end()))?;
        self.file.sync_all()
    }
}

fn parse_name(name: &str) -> Option<(u64, u32)> {
    let (base, salt) = name.strip_suffix(SUFFIX)?.split_once('-')?;
    let whole = base.len() == 16 && salt.len() == 8;
    whole.then_some(())?;
    Some((u64::from_str_radix(base, 16).ok()?, u32::from_str_radix(salt, 16).ok()?))
}

fn salt() -> Result<u32, StoreFault> {
    getrandom::u32().map_err(|e| StoreFault::Io(format!("no random numbers: {e}")))
}
