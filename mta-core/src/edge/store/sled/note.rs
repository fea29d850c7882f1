//! The checkpoint's note: up to which journal position the index is known to be on stable storage.

use super::super::fault;
use crate::base::world::store::{Position, StoreFault};
use crc32c::crc32c;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;

/// The newest format of the note and of the index that this program writes and reads.
const FORMAT: u32 = 1;
const MAGIC: [u8; 8] = *b"MwIndex\n";
const NAME: &str = "checkpoint";

/// Reads the note; none if there is none or it is damaged: the index then can't be trusted.
pub(super) fn read(dir: &Path) -> Result<Option<Position>, StoreFault> {
    let octets = match fs::read(dir.join(NAME)) {
        Ok(octets) => octets,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(fault(&e)),
    };
    let Ok(octets) = <[u8; 24]>::try_from(octets) else { return Ok(None) };
    let [magic, format_and_crc, position] = [0, 1, 2].map(|i| {
        let mut part = [0; 8];
        part.copy_from_slice(&octets[i * 8..i * 8 + 8]);
        part
    });
    let format = u32::from_le_bytes([format_and_crc[0], format_and_crc[1], format_and_crc[2], format_and_crc[3]]);
    if magic == MAGIC && format > FORMAT {
        return Err(StoreFault::Newer(format!(
            "{} has format {format}, written by a newer Mailwright; this one reads up to {FORMAT}",
            dir.join(NAME).display()
        )));
    }
    let position = Position(u64::from_le_bytes(position));
    Ok((encode(position) == octets).then_some(position))
}

/// Writes the note: whole or not at all, durable when this returns.
pub(super) fn write(dir: &Path, position: Position) -> Result<(), StoreFault> {
    let draft = dir.join("checkpoint.new");
    let written = File::create(&draft).and_then(|mut file| {
        file.write_all(&encode(position))?;
        file.sync_all()?;
        fs::rename(&draft, dir.join(NAME))?;
        File::open(dir)?.sync_all()
    });
    written.map_err(|e| fault(&e))
}

/// Removes the note, durably, before the index behind it changes its meaning.
pub(super) fn remove(dir: &Path) -> Result<(), StoreFault> {
    match fs::remove_file(dir.join(NAME)) {
        Ok(()) => File::open(dir).and_then(|d| d.sync_all()).map_err(|e| fault(&e)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        Err(e) => Err(fault(&e)),
    }
}

fn encode(position: Position) -> [u8; 24] {
    let mut octets = [0; 24];
    octets[..8].copy_from_slice(&MAGIC);
    octets[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    octets[12..16].copy_from_slice(&crc32c(&position.0.to_le_bytes()).to_le_bytes());
    octets[16..].copy_from_slice(&position.0.to_le_bytes());
    octets
}
