//! RAR archives of version 5 (rarlab's "RAR 5.0 archive format"): blocks with a header each, whose numbers have the length that they need.

use super::{Block, File, Told};
use crate::facts::octets::Window;
use mailwright_plugin::Fault;

/// The mark that they begin with, in octets.
pub(super) const MARK_BYTES: u64 = 8;
/// A checksum and the longest size of a header, in octets.
const HEAD_BYTES: usize = 4 + 3;
/// The longest header that is read, in octets: one read of a part gives little more.
const HEADER_BYTES_MAX: u64 = 60 * 1024;

const FILE: u64 = 2;
const ENCRYPTION: u64 = 4;
const END: u64 = 5;
/// Flags of a header: there is an extra area, there is content, content goes on from the volume before or in the next.
const EXTRA: u64 = 0x01;
const CONTENT: u64 = 0x02;
const SPLIT: u64 = 0x18;
/// Flags of a file: a time and a checksum are there.
const TIME: u64 = 0x02;
const CHECKSUM: u64 = 0x04;
/// Where a file's method lies in how it is packed.
const METHOD: u64 = 0x0380;
/// The record of an extra area that says that the file is encrypted.
const EXTRA_ENCRYPTION: u64 = 0x01;

/// The block there; none if there is no whole header.
pub(super) fn block(window: &mut Window, at: u64) -> Result<Option<Block>, Fault> {
    let head = window.get(at, HEAD_BYTES)?;
    let mut fields = Fields(head.get(4..).unwrap_or_default());
    let Some(bytes) = fields.number().filter(|bytes| *bytes <= HEADER_BYTES_MAX) else { return Ok(None) };
    let front = head.len() - fields.0.len();
    let end = front + bytes as usize;
    let header = window.get(at, end)?.get(front..end);
    Ok(header.and_then(|header| block_of(end as u64, Fields(header))))
}

fn block_of(bytes: u64, mut fields: Fields<'_>) -> Option<Block> {
    let (kind, flags) = (fields.number()?, fields.number()?);
    let extra_bytes = if flags & EXTRA != 0 { fields.number()? } else { 0 };
    let content_bytes = if flags & CONTENT != 0 { fields.number()? } else { 0 };
    let told = match kind {
        FILE => {
            let before = fields.0.len().checked_sub(usize::try_from(extra_bytes).ok()?)?;
            let (own, extra) = fields.0.split_at(before);
            Told::File(file(flags, Fields(own), Fields(extra))?)
        }
        ENCRYPTION => Told::Locked,
        END => Told::End,
        _ => Told::Other,
    };
    Some(Block { bytes, content_bytes, told })
}

fn file(flags: u64, mut fields: Fields<'_>, extra: Fields<'_>) -> Option<File> {
    let file_flags = fields.number()?;
    let (_size, _attributes) = (fields.number()?, fields.number()?);
    for (flag, bytes) in [(TIME, 4), (CHECKSUM, 4)] {
        if file_flags & flag != 0 {
            fields.take(bytes)?;
        }
    }
    let (packing, _system, name_bytes) = (fields.number()?, fields.number()?, fields.number()?);
    Some(File {
        name: String::from_utf8_lossy(fields.take(name_bytes)?).into_owned(),
        is_stored: packing & METHOD == 0 && flags & SPLIT == 0,
        is_locked: is_locked(extra),
    })
}

/// Whether a file's extra area says that it is encrypted.
fn is_locked(mut extra: Fields<'_>) -> bool {
    while let Some(record) = extra.number().and_then(|bytes| extra.take(bytes)) {
        if Fields(record).number() == Some(EXTRA_ENCRYPTION) {
            return true;
        }
    }
    false
}

struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// A number: seven bits of each octet, the least first; the eighth says that there is another.
    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..63).step_by(7) {
            let octet = self.take(1)?[0];
            number |= u64::from(octet & 0x7f) << shift;
            if octet & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn take(&mut self, bytes: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(bytes).ok()?)?;
        self.0 = rest;
        Some(taken)
    }
}
