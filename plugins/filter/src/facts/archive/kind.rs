//! Kinds of archives, by what they begin with, and by their names.

use super::rar::Format;

/// What is read of a beginning, in octets: a header of tar is as long.
pub(super) const HEAD_BYTES: u32 = 512;

/// A kind of archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Zip,
    Rar(Format),
    /// 7z.
    Seven,
    Tar,
    /// A cabinet.
    Cab,
    Gzip,
    /// One file, packed in a way that is not unpacked here: bzip2, xz, zstd, compress.
    Closed,
}

/// What archives begin with.
const MARKS: [(&[u8], Kind); 12] = [
    (b"PK\x03\x04", Kind::Zip),
    (b"PK\x05\x06", Kind::Zip),
    (b"Rar!\x1a\x07\x00", Kind::Rar(Format::Old)),
    (b"Rar!\x1a\x07\x01\x00", Kind::Rar(Format::New)),
    (b"7z\xbc\xaf\x27\x1c", Kind::Seven),
    (b"MSCF\0\0\0\0", Kind::Cab),
    (b"\x1f\x8b\x08", Kind::Gzip),
    (b"BZh", Kind::Closed),
    (b"\xfd7zXZ\0", Kind::Closed),
    (b"\x28\xb5\x2f\xfd", Kind::Closed),
    (b"\x1f\x9d", Kind::Closed),
    (b"LZIP", Kind::Closed),
];

impl Kind {
    /// By the first octets.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        let marked = MARKS.iter().find(|(mark, _)| head.starts_with(mark)).map(|(_, kind)| *kind);
        marked.or_else(|| super::tar::is_header(head).then_some(Self::Tar))
    }
}

/// Endings of files that are archives.
const ENDINGS: [&str; 21] = [
    "7z", "bz2", "cab", "gz", "lz", "rar", "tar", "taz", "tb2", "tbz", "tbz2", "tgz", "tlz", "txz", "tz", "tz2", "xz",
    "z", "zip", "zipx", "zst",
];
/// Endings that mean a tar archive that is packed.
const PACKED_TARS: [&str; 9] = ["taz", "tb2", "tbz", "tbz2", "tgz", "tlz", "txz", "tz", "tz2"];

/// What a name ends with, behind its last dot, and what is before.
fn ending(name: &str) -> Option<(&str, &str)> {
    name.trim_end_matches(|c: char| c.is_whitespace() || c == '.').rsplit_once('.')
}

/// Whether a file of that name is an archive.
pub(super) fn is_archive(name: &str) -> bool {
    ending(name).is_some_and(|(_, last)| ENDINGS.iter().any(|known| last.eq_ignore_ascii_case(known)))
}

/// The name of the one file in a file of that name.
pub(super) fn inner_name(name: &str) -> String {
    match ending(name) {
        Some((rest, last)) if PACKED_TARS.iter().any(|known| last.eq_ignore_ascii_case(known)) => format!("{rest}.tar"),
        Some((rest, _)) if is_archive(name) => rest.to_owned(),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_archives_and_what_is_in_them() {
        assert!(is_archive("a.ZIP") && is_archive("b/c.tar.gz. ") && !is_archive("zip") && !is_archive("a.zip.txt"));
        assert_eq!(inner_name("notes.txt.gz"), "notes.txt");
        assert_eq!(inner_name("all.TGZ"), "all.tar");
        assert_eq!((&*inner_name("scan.png"), &*inner_name("")), ("scan.png", ""));
    }

    #[test]
    fn beginnings_tell_kinds() {
        for (mark, kind) in MARKS {
            assert_eq!(Kind::of(mark), Some(kind));
        }
        assert_eq!((Kind::of(b"%PDF-1.7"), Kind::of(b"")), (None, None));
    }
}
