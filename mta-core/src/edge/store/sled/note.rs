//! The checkpoint's note: which of the index's directories counts, and up to which journal position it is known to be
//! on stable storage. Its replacement by rename is the moment at which one index takes another's place.

use super::super::disk::{Disk, write_all};
use super::super::fault;
use crate::base::world::store::{Position, StoreFault};
use crc32c::crc32c;
use std::fs;
use std::io::{ErrorKind, IoSlice};
use std::path::Path;

/// The newest format of the note and of the index that this program writes and reads. An index of format 1 lay in
/// another place; it is made again.
const FORMAT: u32 = 2;
const MAGIC: [u8; 8] = *b"MwIndex\n";
pub(in crate::edge::store) const NAME: &str = "checkpoint";
/// Magic, format, checksum of what follows, position, generation.
const BYTES: usize = 32;

/// What the note says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Note {
    /// The journal before this is in the index.
    pub(super) upto: Position,
    /// The number of the index's directory.
    pub(super) generation: u64,
}

/// Reads the note; none if there is none or it is damaged: the index then can't be trusted.
pub(super) fn read(dir: &Path) -> Result<Option<Note>, StoreFault> {
    let octets = match fs::read(dir.join(NAME)) {
        Ok(octets) => octets,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(fault(&e)),
    };
    let format = octets.get(8..12).and_then(|part| part.try_into().ok()).map(u32::from_le_bytes);
    if octets.starts_with(&MAGIC) && format.is_some_and(|format| format > FORMAT) {
        return Err(StoreFault::Newer(format!(
            "{} has format {}, written by a newer Mailwright; this one reads up to {FORMAT}",
            dir.join(NAME).display(),
            format.unwrap_or_default()
        )));
    }
    let number = |at: usize| octets.get(at..at + 8).and_then(|part| part.try_into().ok()).map(u64::from_le_bytes);
    let (Some(upto), Some(generation)) = (number(16), number(24)) else { return Ok(None) };
    let note = Note { upto: Position(upto), generation };
    Ok((encode(note)[..] == octets[..]).then_some(note))
}

/// Writes the note: whole or not at all, durable when this returns.
pub(super) fn write(disk: &dyn Disk, dir: &Path, note: Note) -> Result<(), StoreFault> {
    let draft = dir.join("checkpoint.new");
    // One that a crash left; the new one can't be made if it can't be removed.
    let _removed = disk.remove(&draft);
    let written = disk.create(&draft).and_then(|file| {
        write_all(&*file, &mut [IoSlice::new(&encode(note))], 0)?;
        file.sync_all()?;
        disk.rename(&draft, &dir.join(NAME))?;
        disk.sync_dir(dir)
    });
    written.map_err(|e| fault(&e))
}

/// Removes the note, durably, before the index behind it changes its meaning.
pub(super) fn remove(disk: &dyn Disk, dir: &Path) -> Result<(), StoreFault> {
    match disk.remove(&dir.join(NAME)) {
        Ok(()) => disk.sync_dir(dir).map_err(|e| fault(&e)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        Err(e) => Err(fault(&e)),
    }
}

fn encode(note: Note) -> [u8; BYTES] {
    let mut octets = [0; BYTES];
    octets[..8].copy_from_slice(&MAGIC);
    octets[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    octets[16..24].copy_from_slice(&note.upto.0.to_le_bytes());
    octets[24..].copy_from_slice(&note.generation.to_le_bytes());
    let check = crc32c(&octets[16..]);
    octets[12..16].copy_from_slice(&check.to_le_bytes());
    octets
}
