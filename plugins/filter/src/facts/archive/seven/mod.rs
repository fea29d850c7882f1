//! 7z archives (7zFormat.txt of the LZMA SDK): a header at the end, mostly packed itself, which describes streams and then files.

mod streams;

use super::unpack::{End, unpack};
use super::{Content, Look};
use crate::facts::octets::Octets;
use crate::facts::octets::numbers::quad;
use lzma_rust2::LzmaReader;
use mailwright_plugin::Fault;
use streams::{Fields, Folder, Method, Streams};

/// The mark, the version, and where the header lies, in octets.
const START_BYTES: u64 = 32;
/// The largest header that is read, packed or not, in octets.
const HEADER_BYTES_MAX: u64 = 1024 * 1024;
/// Headers that are packed headers again; programs write one.
const PACKED_MAX: usize = 4;

const HEADER: u8 = 0x01;
const PROPERTIES: u8 = 0x02;
const OTHER_STREAMS: u8 = 0x03;
const MAIN_STREAMS: u8 = 0x04;
const FILES: u8 = 0x05;
const NAMES: u8 = 0x11;
const PACKED_HEADER: u8 = 0x17;

/// Reads the names.
pub(super) fn read(octets: &Octets, look: &mut Look<'_>) -> Result<(), Fault> {
    let start = octets.read(0, START_BYTES as u32)?;
    let (Some(offset), Some(bytes)) = (quad(&start, 12), quad(&start, 20)) else { return look.cut() };
    if bytes == 0 {
        return Ok(());
    }
    let mut header = taken(octets, offset, bytes)?;
    for _ in 0..=PACKED_MAX {
        let read = header.as_deref().and_then(Header::read);
        header = match read {
            Some(Header::Plain(files)) => {
                look.found.is_locked |= files.is_locked;
                // Files share the streams that they are packed in.
                let _ = files.names.into_iter().all(|name| look.entry(name, || Content::Closed));
                return Ok(());
            }
            Some(Header::Packed(folder, _)) if folder.is_locked() => {
                look.found.is_locked = true;
                return Ok(());
            }
            Some(Header::Packed(folder, (offset, bytes))) => match taken(octets, offset, bytes)? {
                Some(packed) => unpacked(&folder, packed, look)?,
                None => None,
            },
            None => None,
        };
    }
    look.cut()
}

/// Octets behind the start, all of them; none if they are not there, or too many.
fn taken(octets: &Octets, offset: u64, bytes: u64) -> Result<Option<Vec<u8>>, Fault> {
    let Some(begin) = offset.checked_add(START_BYTES).filter(|_| bytes <= HEADER_BYTES_MAX) else { return Ok(None) };
    let mut taken = Vec::with_capacity(bytes as usize);
    while (taken.len() as u64) < bytes {
        let more = octets.read(begin + taken.len() as u64, (bytes - taken.len() as u64) as u32)?;
        if more.is_empty() {
            return Ok(None);
        }
        taken.extend(more);
    }
    Ok(Some(taken))
}

/// A header that was packed; none if it is packed otherwise than headers are.
#[inline(never)]
fn unpacked(folder: &Folder<'_>, packed: Vec<u8>, look: &mut Look<'_>) -> Result<Option<Vec<u8>>, Fault> {
    let size = folder.size;
    if size > HEADER_BYTES_MAX {
        return Ok(None);
    }
    match folder.method() {
        Some(Method::Copy) => Ok(Some(packed)),
        Some(Method::Lzma { properties, dictionary_bytes }) => {
            // No match reaches back before the beginning.
            let dictionary_bytes = dictionary_bytes.min(size as u32);
            let Ok(reader) = LzmaReader::new_with_props(&*packed, size, properties, dictionary_bytes, None) else {
                return Ok(None);
            };
            let (header, end) = unpack(reader, size, look.budget)?;
            Ok((end == End::Whole).then_some(header))
        }
        None => Ok(None),
    }
}

/// The header at the end.
enum Header<'a> {
    /// It is packed: how, and from where behind the start so many octets.
    Packed(Folder<'a>, (u64, u64)),
    Plain(Files),
}

struct Files {
    names: Vec<String>,
    /// Some of their streams are encrypted.
    is_locked: bool,
}

impl<'a> Header<'a> {
    fn read(header: &'a [u8]) -> Option<Self> {
        let mut fields = Fields(header);
        match fields.octet()? {
            HEADER => Files::read(fields).map(Self::Plain),
            PACKED_HEADER => {
                let streams = Streams::read(&mut fields)?;
                let place = (streams.offset, *streams.packed.first()?);
                // One folder of one coder: what is packed is one stream.
                Some(Self::Packed(streams.folders.into_iter().next()?, place))
            }
            _ => None,
        }
    }
}

impl Files {
    fn read(mut fields: Fields<'_>) -> Option<Self> {
        let mut files = Self { names: Vec::new(), is_locked: false };
        loop {
            match fields.octet()? {
                PROPERTIES => while fields.property()?.is_some() {},
                OTHER_STREAMS | MAIN_STREAMS => {
                    let streams = Streams::read(&mut fields)?;
                    files.is_locked |= streams.folders.iter().any(Folder::is_locked);
                }
                FILES => {
                    let _count = fields.number()?;
                    while let Some((kind, content)) = fields.property()? {
                        if kind == NAMES {
                            files.names = names(content)?;
                        }
                    }
                }
                0 => return Some(files),
                _ => return None,
            }
        }
    }
}

/// Names in UTF-16, each with a NUL behind it; none if they lie elsewhere, which no program writes.
fn names(content: &[u8]) -> Option<Vec<String>> {
    let (elsewhere, names) = content.split_first()?;
    let units: Vec<u16> = names.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
    let names = units
        .split_inclusive(|unit| *unit == 0)
        .map(|name| String::from_utf16_lossy(name.strip_suffix(&[0]).unwrap_or(name)));
    (*elsewhere == 0).then(|| names.collect())
}
