//! RAR archives up to version 4: blocks with a header each (the technical note of RAR 4.20, "Volume format").

use super::{Block, File, Told};
use crate::facts::octets::Window;
use crate::facts::octets::numbers::{long, short};
use mailwright_plugin::Fault;

/// The mark that they begin with, in octets.
pub(super) const MARK_BYTES: u64 = 7;
/// What each header begins with: a checksum, the type, flags, the header's size; in octets.
const HEAD_BYTES: usize = 7;
/// A header of a file up to its name, in octets.
const FILE_BYTES: usize = 32;

const MAIN: u8 = 0x73;
const FILE: u8 = 0x74;
const END: u8 = 0x7b;
/// Of the main header: all others are encrypted.
const HEADERS_LOCKED: u16 = 0x0080;
/// Of a file: it goes on from the volume before, or in the next.
const SPLIT: u16 = 0x0003;
const LOCKED: u16 = 0x0004;
/// Of a file: the upper halves of its sizes follow.
const LARGE: u16 = 0x0100;
const UNICODE: u16 = 0x0200;
/// Of any: content follows, and the header has its size.
const CONTENT: u16 = 0x8000;
/// The method of a file that is not packed.
const STORED: u8 = 0x30;

/// The block there; none if there is no whole header.
pub(super) fn block(window: &mut Window, at: u64) -> Result<Option<Block>, Fault> {
    let head = window.get(at, HEAD_BYTES)?;
    let (Some(flags), Some(bytes)) = (short(head, 3), short(head, 5)) else { return Ok(None) };
    Ok(block_of(flags, window.get(at, usize::from(bytes))?))
}

fn block_of(flags: u16, head: &[u8]) -> Option<Block> {
    let kind = *head.get(2)?;
    if !(0x72..=END).contains(&kind) || head.len() < HEAD_BYTES {
        return None;
    }
    let content_bytes = if flags & CONTENT != 0 || kind == FILE { u64::from(long(head, 7)?) } else { 0 };
    let bytes = head.len() as u64;
    let told = match kind {
        END => Told::End,
        MAIN if flags & HEADERS_LOCKED != 0 => Told::Locked,
        FILE => {
            let upper = if flags & LARGE != 0 { u64::from(long(head, FILE_BYTES)?) } else { 0 };
            let told = Told::File(file(flags, head)?);
            return Some(Block { bytes, content_bytes: content_bytes | upper << 32, told });
        }
        _ => Told::Other,
    };
    Some(Block { bytes, content_bytes, told })
}

fn file(flags: u16, head: &[u8]) -> Option<File> {
    let (method, name_bytes) = (*head.get(25)?, usize::from(short(head, 26)?));
    let begin = if flags & LARGE != 0 { FILE_BYTES + 8 } else { FILE_BYTES };
    let name = head.get(begin..begin + name_bytes)?;
    Some(File {
        name: if flags & UNICODE != 0 { unicode(name) } else { String::from_utf8_lossy(name).into_owned() },
        is_stored: method == STORED && flags & SPLIT == 0,
        is_locked: flags & LOCKED != 0,
    })
}

/// A name that is there in octets, and behind a NUL what makes UTF-16 of them; without that it is UTF-8.
fn unicode(name: &[u8]) -> String {
    let Some(end) = name.iter().position(|octet| *octet == 0) else {
        return String::from_utf8_lossy(name).into_owned();
    };
    let (plain, coded) = (&name[..end], &name[end + 1..]);
    String::from_utf16_lossy(&units(plain, coded))
}

/// Two bits of an octet say how each unit comes: as one octet, as one with the upper octet that begins it all, as two, or as a run of the
/// plain name. It ends where it breaks off.
fn units(plain: &[u8], coded: &[u8]) -> Vec<u16> {
    let mut coded = coded.iter().copied().map(u16::from);
    let mut units: Vec<u16> = Vec::new();
    let Some(upper) = coded.next().map(|octet| octet << 8) else { return units };
    while let Some(flags) = coded.next() {
        for shift in [6, 4, 2, 0] {
            let Some(octet) = coded.next() else { return units };
            match (flags >> shift) & 3 {
                0 => units.push(octet),
                1 => units.push(upper | octet),
                2 => units.push(octet | coded.next().unwrap_or(0) << 8),
                _ => {
                    // With the upper bit set a correction follows, and the upper octet counts.
                    let (add, upper) = if octet & 0x80 != 0 { (coded.next().unwrap_or(0), upper) } else { (0, 0) };
                    let run = usize::from(octet & 0x7f) + 2;
                    let from = units.len().min(plain.len());
                    let run = &plain[from..plain.len().min(from + run)];
                    units.extend(run.iter().map(|octet| ((u16::from(*octet) + add) & 0xff) | upper));
                }
            }
        }
    }
    units
}
