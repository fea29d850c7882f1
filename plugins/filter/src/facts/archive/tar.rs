//! Tar archives (POSIX.1-2017, pax, "ustar Interchange Format"): headers in front of files, and long names in files of their own.

use super::{Content, Look};
use crate::facts::octets::{Octets, Window, text};
use mailwright_plugin::Fault;

/// A header, and what everything is a multiple of, in octets.
const BLOCK_BYTES: usize = 512;
/// Where a header has its checksum.
const CHECKSUM: std::ops::Range<usize> = 148..156;
/// How much of a long name, or of what is told beside a header, is read, in octets.
const LONG_BYTES_MAX: u64 = 16 * 1024;

/// Whether these octets begin with a header: its checksum is right.
pub(super) fn is_header(head: &[u8]) -> bool {
    let Some(head) = head.get(..BLOCK_BYTES) else { return false };
    let sum = |add: fn(u64, u8) -> u64| {
        let octets = head.iter().enumerate().map(|(at, octet)| if CHECKSUM.contains(&at) { b' ' } else { *octet });
        octets.fold(0, add)
    };
    let told = number(&head[CHECKSUM]);
    // Some programs of old added octets up with their signs.
    let signed = |sum: u64, octet: u8| sum.wrapping_add_signed(i64::from(octet.cast_signed()));
    head[0] != 0 && (told == Some(sum(|sum, octet| sum + u64::from(octet))) || told == Some(sum(signed)))
}

/// Reads the names.
pub(super) fn read(octets: &Octets, look: &mut Look<'_>) -> Result<(), Fault> {
    let mut window = Window::new(octets);
    let mut long_name = None;
    let mut at = 0;
    while at < octets.size() {
        let head = window.get(at, BLOCK_BYTES)?;
        if head.iter().all(|octet| *octet == 0) {
            return Ok(());
        }
        if !is_header(head) {
            break;
        }
        // A size that can't be read is as good as one that leads beyond the end.
        let size = number(&head[124..136]).unwrap_or(u64::MAX);
        let (kind, own_name) = (head[156], name(head));
        let begin = at + BLOCK_BYTES as u64;
        let Some(next) = size.checked_next_multiple_of(BLOCK_BYTES as u64).and_then(|size| begin.checked_add(size))
        else {
            break;
        };
        let long_bytes = size.min(LONG_BYTES_MAX) as usize;
        match kind {
            // The long name of what follows, as GNU tar has it.
            b'L' => long_name = Some(text(window.get(begin, long_bytes)?)),
            b'x' => long_name = path(window.get(begin, long_bytes)?).or(long_name),
            // About all that follow; a long target of a link; the name of a volume.
            b'g' | b'K' | b'V' => {}
            _ => {
                let content = || Content::Stored(octets.slice(begin, size));
                if !look.entry(long_name.take().unwrap_or(own_name), content) {
                    return Ok(());
                }
            }
        }
        if next > octets.size() {
            break;
        }
        at = next;
    }
    look.found.is_cut |= at < octets.size();
    Ok(())
}

/// The name in a header, with what stands before it (ustar's `prefix`).
fn name(head: &[u8]) -> String {
    let name = text(&head[..100]);
    let prefix = if &head[257..262] == b"ustar" { text(&head[345..500]) } else { String::new() };
    // GNU tar has other things in the place of the prefix.
    if prefix.is_empty() || &head[257..265] == b"ustar  \0" { name } else { format!("{prefix}/{name}") }
}

/// A number in octal digits, or with a mark as octets (GNU tar), of which the last eight count.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        return Some(u64::from_be_bytes(*field.last_chunk()?));
    }
    let digits = std::str::from_utf8(field).ok()?.trim_matches(|c| c == ' ' || c == '\0');
    u64::from_str_radix(digits, 8).ok()
}

/// The path among records such as `28 path=a/b`, each with its length (POSIX.1-2017, pax, "pax Header Block").
fn path(mut records: &[u8]) -> Option<String> {
    loop {
        let space = records.iter().position(|octet| *octet == b' ')?;
        let bytes: usize = std::str::from_utf8(&records[..space]).ok()?.parse().ok()?;
        let record = records.get(space + 1..bytes)?;
        if let Some(path) = record.strip_prefix(b"path=") {
            return Some(text(path.strip_suffix(b"\n").unwrap_or(path)));
        }
        records = records.get(bytes..).filter(|_| bytes > 0)?;
    }
}
