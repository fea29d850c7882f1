//! Gzip (RFC 1952): one file, which may be an archive.

use super::kind::{HEAD_BYTES, Kind, inner_name};
use super::unpack::{inflate, unpack};
use super::{Content, Look};
use crate::facts::octets::numbers::{long, short};
use crate::facts::octets::{Octets, fault_in};
use mailwright_plugin::Fault;
use std::io::{Cursor, Read};

/// The longest header that is read, in octets: names are short, and programs write no comments.
const HEADER_BYTES_MAX: u32 = 16 * 1024;
/// A header without what may follow, in octets (RFC 1952 2.3).
const FIXED_BYTES: usize = 10;
/// Flags (RFC 1952 2.3.1): extra fields, a name, a comment, a checksum of the header.
const EXTRA: u8 = 0x04;
const NAME: u8 = 0x08;
const COMMENT: u8 = 0x10;
const CHECKSUM: u8 = 0x02;
/// A checksum and the size, behind what is packed.
const END_BYTES: u64 = 8;

/// Reads the name of the file within, and the file if it is an archive. Where several are put together only the first is read, which
/// no program but gzip itself takes apart.
pub(super) fn read(name: &str, octets: &Octets, look: &mut Look<'_>) -> Result<(), Fault> {
    let inner = inner_name(name);
    let Some((own_name, begin)) = header(&octets.read(0, HEADER_BYTES_MAX)?) else {
        look.name(inner);
        return look.cut();
    };
    if let Some(own_name) = own_name.filter(|own_name| *own_name != inner) {
        look.name(own_name);
    }
    look.name(inner.clone());
    let mut packed = inflate(&octets.slice(begin, u64::MAX));
    let mut head = Vec::new();
    if let Err(error) = (&mut packed).take(u64::from(HEAD_BYTES)).read_to_end(&mut head) {
        look.found.is_cut = true;
        return fault_in(error).map_or(Ok(()), Err);
    }
    if Kind::of(&head).is_some() {
        // RFC 1952 2.3.1: how large it was ends the file.
        let end = octets.read(octets.size().saturating_sub(END_BYTES), END_BYTES as u32)?;
        let size = u64::from(long(&end, 4).unwrap_or(0));
        let (unpacked, end) = unpack(Cursor::new(head).chain(packed), size, look.budget)?;
        look.within(inner, Content::Unpacked(Octets::of(unpacked), end));
    }
    Ok(())
}

/// The name that the file had, if it is there, and where the header ends.
fn header(octets: &[u8]) -> Option<(Option<String>, u64)> {
    let flags = *octets.get(3)?;
    let mut at = FIXED_BYTES;
    if flags & EXTRA != 0 {
        at += 2 + usize::from(short(octets, at)?);
    }
    let mut name = None;
    for flag in [NAME, COMMENT] {
        if flags & flag != 0 {
            let text = octets.get(at..)?.split(|octet| *octet == 0).next()?;
            at += text.len() + 1;
            // It is ISO 8859-1 by the letter of the RFC, and UTF-8 as programs write it.
            name = name.or_else(|| (flag == NAME).then(|| String::from_utf8_lossy(text).into_owned()));
        }
    }
    if flags & CHECKSUM != 0 {
        at += 2;
    }
    (at <= octets.len()).then_some((name, at as u64))
}
