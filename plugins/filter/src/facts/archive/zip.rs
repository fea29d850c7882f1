//! Names in a zip archive, from its central directory (PKWARE's APPNOTE, 4.3.12 and 4.3.16).
//!
//! Only what programs that open archives look at is read: the record at the end, and the entries that it leads to. Where it can be
//! read in two ways, as a directory that is found from the end and as one that is found by its offset, both are: programs differ.

use super::kind::is_archive;
use super::{Content, Look};
use crate::facts::octets::numbers::{long, quad, short};
use crate::facts::octets::{Octets, Window};
use mailwright_plugin::Fault;

/// The record at the end without its comment, in octets.
const END_BYTES: u64 = 22;
/// How far from the end that record is looked for at first: most archives have no comment.
const NEAR_BYTES: u64 = 1024;
/// What one read gives at most, in octets: the record and the longest comment do not fit one.
const READ_BYTES: u32 = 64 * 1024;
/// An entry without name, extra fields and comment, in octets.
const ENTRY_BYTES: usize = 46;
/// A file's own header without name and extra fields, in octets.
const FILE_BYTES: u32 = 30;
/// How much of a directory is looked at, in octets.
const DIRECTORY_BYTES_MAX: u64 = 2 * 1024 * 1024;
/// The extra field with a name in UTF-8, which takes the place of the entry's own (APPNOTE 4.6.9).
const UNICODE_PATH: u16 = 0x7075;

/// Reads the directory of what may be an archive; false if it is none.
pub(super) fn read(octets: &Octets, look: &mut Look<'_>) -> Result<bool, Fault> {
    if octets.size() < END_BYTES {
        return Ok(false);
    }
    let Some(end) = find_end(octets)? else { return Ok(false) };
    let mut begins = vec![end.at.saturating_sub(end.directory_bytes)];
    if end.directory_offset != begins[0] {
        begins.push(end.directory_offset);
    }
    let mut is_read = end.entries == 0;
    for begin in begins {
        is_read |= walk(begin, &end, octets, look)?;
    }
    look.found.is_cut |= !is_read;
    Ok(true)
}

/// The record at the end.
struct End {
    /// Where it lies; the directory ends there or before.
    at: u64,
    entries: u64,
    directory_bytes: u64,
    directory_offset: u64,
}

fn find_end(octets: &Octets) -> Result<Option<End>, Fault> {
    let size = octets.size();
    let near = size.saturating_sub(NEAR_BYTES);
    if let Some(end) = end_in(&octets.read(near, READ_BYTES)?, near, size) {
        return large(end, octets).map(Some);
    }
    // Only what begins as an archive is searched for one with a long comment.
    if near == 0 || octets.read(0, 4)? != b"PK\x03\x04" {
        return Ok(None);
    }
    // The last one that is found in the windows is the one nearest to the end.
    let mut far = size;
    for _ in 0..2 {
        far = far.saturating_sub(u64::from(READ_BYTES) - END_BYTES);
        if let Some(end) = end_in(&octets.read(far, READ_BYTES)?, far, size) {
            return large(end, octets).map(Some);
        }
    }
    Ok(None)
}

/// The last record in these octets, which lie at `begin`, whose comment ends within the archive.
fn end_in(octets: &[u8], begin: u64, size: u64) -> Option<End> {
    let fits = |at: &usize| {
        let comment = u64::from(short(octets, at + 20)?);
        (begin + *at as u64 + END_BYTES + comment <= size).then_some(*at)
    };
    let places = (0..octets.len().saturating_sub(END_BYTES as usize - 1)).rev();
    let at = places.filter(|at| octets[*at..].starts_with(b"PK\x05\x06")).find_map(|at| fits(&at))?;
    Some(End {
        at: begin + at as u64,
        entries: u64::from(short(octets, at + 10)?),
        directory_bytes: u64::from(long(octets, at + 12)?),
        directory_offset: u64::from(long(octets, at + 16)?),
    })
}

/// Numbers that don't fit lie in a record before (APPNOTE 4.3.14).
fn large(end: End, octets: &Octets) -> Result<End, Fault> {
    if end.entries != 0xffff && end.directory_bytes != 0xffff_ffff && end.directory_offset != 0xffff_ffff {
        return Ok(end);
    }
    let Some(place) = end.at.checked_sub(20) else { return Ok(end) };
    let locator = octets.read(place, 20)?;
    let Some(at) = quad(&locator, 8).filter(|_| locator.starts_with(b"PK\x06\x07")) else { return Ok(end) };
    let record = octets.read(at, 56)?;
    let told = (quad(&record, 32), quad(&record, 40), quad(&record, 48));
    let (Some(entries), Some(directory_bytes), Some(directory_offset)) = told else { return Ok(end) };
    match record.starts_with(b"PK\x06\x06") {
        true => Ok(End { at, entries, directory_bytes, directory_offset }),
        false => Ok(end),
    }
}

/// Takes the entries from there on; whether there was one.
fn walk(begin: u64, end: &End, octets: &Octets, look: &mut Look<'_>) -> Result<bool, Fault> {
    let mut window = Window::new(octets);
    let mut at = begin;
    while at < end.at {
        if at - begin > DIRECTORY_BYTES_MAX {
            look.found.is_cut = true;
            break;
        }
        let Some(entry) = Entry::read(&mut window, at)? else {
            // What begins as no entry is no directory; what goes on as none is cut short.
            look.found.is_cut |= at > begin && window.get(at, 4)? == b"PK\x01\x02";
            break;
        };
        look.found.is_locked |= entry.is_locked;
        let next = at + entry.bytes as u64;
        if !entry.tell(begin.wrapping_sub(end.directory_offset), octets, look)? {
            break;
        }
        at = next;
    }
    Ok(at > begin)
}

struct Entry {
    bytes: usize,
    is_locked: bool,
    name: String,
    /// In UTF-8, where there is one beside.
    second_name: Option<String>,
    method: u16,
    packed_bytes: u32,
    size: u32,
    /// Where the file's own header lies.
    place: u32,
}

impl Entry {
    /// The entry there; none if there is no whole one.
    fn read(window: &mut Window, at: u64) -> Result<Option<Self>, Fault> {
        let Some(lengths) = Self::lengths(window.get(at, ENTRY_BYTES)?) else { return Ok(None) };
        let bytes = ENTRY_BYTES + lengths.iter().sum::<usize>();
        Ok(window.get(at, bytes)?.get(..bytes).and_then(|octets| Self::of(octets, lengths)))
    }

    /// How long its name, its extra fields and its comment are.
    fn lengths(head: &[u8]) -> Option<[usize; 3]> {
        let lengths = [short(head, 28)?, short(head, 30)?, short(head, 32)?];
        head.starts_with(b"PK\x01\x02").then(|| lengths.map(usize::from))
    }

    fn of(octets: &[u8], lengths: [usize; 3]) -> Option<Self> {
        let (name, extra) = octets.get(ENTRY_BYTES..)?.split_at_checked(lengths[0])?;
        Some(Self {
            bytes: octets.len(),
            is_locked: short(octets, 8)? & 1 != 0,
            name: String::from_utf8_lossy(name).into_owned(),
            second_name: unicode_path(extra.get(..lengths[1])?),
            method: short(octets, 10)?,
            packed_bytes: long(octets, 20)?,
            size: long(octets, 24)?,
            place: long(octets, 42)?,
        })
    }

    /// Tells of it; false if no more are taken. Offsets are counted from `shift` where something stands in front of the archive.
    fn tell(self, shift: u64, octets: &Octets, look: &mut Look<'_>) -> Result<bool, Fault> {
        let is_archive = is_archive(&self.name) || self.second_name.as_deref().is_some_and(is_archive);
        if is_archive {
            let content = self.content(shift, octets)?;
            look.within(self.name.clone(), content);
        }
        Ok(look.name(self.name) && self.second_name.is_none_or(|name| look.name(name)))
    }

    /// Where its content is, behind the file's own header (APPNOTE 4.3.7).
    fn content(&self, shift: u64, octets: &Octets) -> Result<Content, Fault> {
        // Numbers that don't fit are elsewhere, and such files are beyond what is unpacked.
        if self.is_locked || self.packed_bytes == u32::MAX || self.place == u32::MAX {
            return Ok(Content::Closed);
        }
        let place = u64::from(self.place).wrapping_add(shift);
        let head = octets.read(place, FILE_BYTES)?;
        let (true, Some(name), Some(extra)) = (head.starts_with(b"PK\x03\x04"), short(&head, 26), short(&head, 28))
        else {
            return Ok(Content::Closed);
        };
        let begin = place + u64::from(FILE_BYTES) + u64::from(name) + u64::from(extra);
        let content = octets.slice(begin, u64::from(self.packed_bytes));
        Ok(match self.method {
            0 => Content::Stored(content),
            8 => Content::Deflated(content, u64::from(self.size)),
            _ => Content::Closed,
        })
    }
}

fn unicode_path(mut extra: &[u8]) -> Option<String> {
    while let (Some(kind), Some(bytes)) = (short(extra, 0), short(extra, 2)) {
        let field = extra.get(4..4 + usize::from(bytes))?;
        if kind == UNICODE_PATH {
            // A version and a checksum of the other name come first.
            return Some(String::from_utf8_lossy(field.get(5..)?).into_owned());
        }
        extra = &extra[4 + usize::from(bytes)..];
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::archive::{Archive, Budget, look};
    use proptest::prelude::*;

    /// A directory with these names, behind so many octets of content.
    fn zip(names: &[&str], content: usize, flags: u16, extra: &[u8], comment: usize) -> Vec<u8> {
        let mut octets = b"PK\x03\x04".to_vec();
        octets.resize(4 + content, b'x');
        let begin = octets.len();
        for name in names {
            let mut entry = vec![0; ENTRY_BYTES];
            entry[..4].copy_from_slice(b"PK\x01\x02");
            entry[8..10].copy_from_slice(&flags.to_le_bytes());
            entry[28..30].copy_from_slice(&(name.len() as u16).to_le_bytes());
            entry[30..32].copy_from_slice(&(extra.len() as u16).to_le_bytes());
            octets.extend([entry.as_slice(), name.as_bytes(), extra].concat());
        }
        let bytes = octets.len() - begin;
        octets.extend(b"PK\x05\x06\0\0\0\0\0\0");
        octets.extend((names.len() as u16).to_le_bytes());
        octets.extend((bytes as u32).to_le_bytes());
        octets.extend((begin as u32).to_le_bytes());
        octets.extend((comment as u16).to_le_bytes());
        octets.resize(octets.len() + comment, b'c');
        octets
    }

    fn read(octets: &[u8]) -> Option<Archive> {
        look("a.zip", &Octets::of(octets.to_vec()), &mut Budget::default()).expect("it is in memory")
    }

    fn names(octets: &[u8]) -> Vec<String> {
        read(octets).expect("it is an archive").names
    }

    #[test]
    fn names_are_read_wherever_the_directory_lies() {
        let wanted = ["a.txt", "b/c.exe"];
        let plain = zip(&wanted, 3000, 0, &[], 0);
        assert_eq!(read(&plain).map(|found| (found.is_locked, found.is_cut)), Some((false, false)));
        let with_comment = zip(&wanted, 200_000, 0, &[], 60_000);
        let behind_a_program = [b"MZ and much more".as_slice(), &plain].concat();
        let with_a_tail = [plain.as_slice(), &[0; 300]].concat();
        for octets in [&plain, &with_comment, &behind_a_program, &with_a_tail] {
            assert_eq!(names(octets), wanted);
        }
        assert_eq!(read(&zip(&[], 0, 0, &[], 0)), Some(Archive::default()));
    }

    #[test]
    fn passwords_and_second_names_are_seen() {
        let extra = [&[0x75, 0x70, 10, 0, 1, 0, 0, 0, 0][..], b"b.exe"].concat();
        let found = read(&zip(&["a.txt"], 10, 1, &extra, 0)).expect("it is an archive");
        assert_eq!((&*found.names, found.is_locked), (&["a.txt".to_owned(), "b.exe".to_owned()][..], true));
    }

    #[test]
    fn what_is_no_archive_is_none_and_a_broken_one_is_cut() {
        assert_eq!(read(b"short"), None);
        assert_eq!(read(&[b'x'; 5000]), None);
        let mut broken = zip(&["a.txt", "b.txt"], 10, 0, &[], 0);
        let second = broken.len() - 22 - 51;
        broken[second + 28] = 0xff;
        assert!(read(&broken).is_some_and(|found| found.is_cut && found.names == ["a.txt"]));
        broken[14] = b'x';
        assert!(read(&broken).is_some_and(|found| found.is_cut && found.names.is_empty()), "the first is no entry");
    }

    #[test]
    fn long_directories_are_read_in_pieces() {
        let wanted: Vec<String> = (0..3000).map(|n| format!("folder/file-{n}.txt")).collect();
        let octets = zip(&wanted.iter().map(|name| &**name).collect::<Vec<_>>(), 10, 0, &[0; 40], 0);
        assert_eq!(names(&octets), wanted);
        let many: Vec<String> = (0..12_000).map(|n| format!("{n}")).collect();
        let found = read(&zip(&many.iter().map(|name| &**name).collect::<Vec<_>>(), 10, 0, &[], 0));
        assert!(found.is_some_and(|found| found.is_cut && found.names.len() == 10_000));
    }

    proptest! {
        #[test]
        fn no_octets_stop_it(octets in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = read(&octets);
        }

        #[test]
        fn no_change_of_an_archive_stops_it(at in 0usize..400, octet in any::<u8>(), cut in 0usize..400) {
            let mut octets = zip(&["a.txt", "b/c.exe", "d"], 100, 0, &[1, 0, 2, 0, 0, 0], 20);
            let places = octets.len();
            octets[at % places] = octet;
            let _ = read(&octets);
            octets.truncate(cut % places);
            let _ = read(&octets);
        }
    }
}
