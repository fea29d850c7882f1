//! What a file's name tells: what opens it, and whether it hides that.

/// What a system runs when it is opened.
const PROGRAMS: [&str; 34] = [
    "appref-ms",
    "bat",
    "chm",
    "cmd",
    "com",
    "cpl",
    "exe",
    "gadget",
    "hta",
    "jar",
    "js",
    "jse",
    "lnk",
    "mht",
    "msc",
    "msi",
    "msp",
    "mst",
    "pif",
    "ps1",
    "reg",
    "scf",
    "scr",
    "sct",
    "settingcontent-ms",
    "shb",
    "vb",
    "vbe",
    "vbs",
    "wsc",
    "wsf",
    "wsh",
    "xbap",
    "xll",
];
/// Of those, what nobody has a reason to put into an archive; scripts of all kinds are in archives of sources.
const PACKED: [&str; 17] = [
    "com",
    "cpl",
    "exe",
    "gadget",
    "hta",
    "jse",
    "lnk",
    "msi",
    "pif",
    "scf",
    "scr",
    "settingcontent-ms",
    "shb",
    "vbe",
    "vbs",
    "wsf",
    "xll",
];
/// What people take for a document, an image or the like.
const DOCUMENTS: [&str; 28] = [
    "avi", "bmp", "csv", "doc", "docx", "eml", "gif", "htm", "html", "jpeg", "jpg", "mov", "mp3", "mp4", "odp", "ods",
    "odt", "pdf", "png", "ppt", "pptx", "rtf", "tif", "tiff", "txt", "wav", "xls", "xlsx",
];
/// Images of disks: what is in them is mounted, and lacks the mark of having come by mail.
const DISKS: [&str; 7] = ["daa", "img", "iso", "udf", "vhd", "vhdx", "wim"];
/// Documents of an office that may bring programs of their own.
const MACROS: [&str; 12] =
    ["docm", "dotm", "potm", "ppam", "ppsm", "pptm", "sldm", "xlam", "xlm", "xlsb", "xlsm", "xltm"];

/// A name as a system takes it: without what is not seen, in lower case, and without dots and spaces at its end.
pub(crate) fn plain(name: &str) -> String {
    let is_seen = |c: &char| {
        !c.is_control()
            && !matches!(*c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let shown: String = name.chars().filter(is_seen).collect();
    shown.to_ascii_lowercase().trim_matches(|c: char| c.is_whitespace() || matches!(c, '.' | '"' | '\'')).to_owned()
}

/// What a plain name ends with, behind its last dot, and what before that.
fn ends(plain: &str) -> (&str, &str) {
    // A folder's name says nothing of the file.
    let file = plain.rsplit(['/', '\\']).next().unwrap_or(plain);
    let Some((rest, last)) = file.rsplit_once('.') else { return ("", "") };
    let before = rest.trim_end().rsplit_once('.').map_or("", |(_, before)| before);
    (last.trim(), before.trim())
}

/// It is a program by its plain name.
pub(crate) fn is_program(plain: &str) -> bool {
    PROGRAMS.contains(&ends(plain).0)
}

/// It is a program that nobody packs without a reason to hide it.
pub(crate) fn is_packed_program(plain: &str) -> bool {
    PACKED.contains(&ends(plain).0) || is_disguised(plain)
}

/// It is a program that looks like a document, as `invoice.pdf.exe`.
pub(crate) fn is_disguised(plain: &str) -> bool {
    let (last, before) = ends(plain);
    PROGRAMS.contains(&last) && DOCUMENTS.contains(&before)
}

/// It is an image of a disk.
pub(crate) fn is_disk(plain: &str) -> bool {
    DISKS.contains(&ends(plain).0)
}

/// It is a document that may bring programs.
pub(crate) fn has_macros(plain: &str) -> bool {
    MACROS.contains(&ends(plain).0)
}

/// The name as it was sent is shown otherwise than it is: it changes the direction of its letters by force, has octets that nobody
/// shows, or its end lies behind a run of spaces.
pub(crate) fn is_hidden(name: &str) -> bool {
    let forces = |c: char| matches!(c, '\u{202d}' | '\u{202e}') || (c.is_control() && !c.is_whitespace());
    name.contains(forces) || name.trim().contains("          ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_known_however_they_are_spelt() {
        for name in ["a.exe", "A.EXE. ", "b.pdf.scr", "c.e\u{200b}xe", "d.vbs\"", "x/y.pdf/z.js"] {
            assert!(is_program(&plain(name)), "{name}");
        }
        for name in ["report.pdf", "exe", "a.exe.txt", "b.exe/c.pdf", "", "."] {
            assert!(!is_program(&plain(name)), "{name}");
        }
    }

    #[test]
    fn disguises_are_seen() {
        for name in ["invoice.pdf.exe", "photo.JPG   .scr", "a.docx.js", "b.pdf.e\u{200b}xe"] {
            assert!(is_disguised(&plain(name)), "{name}");
        }
        for name in ["setup.1.2.exe", "jquery.min.js", "a.pdf.zip", "pdf.exe"] {
            assert!(!is_disguised(&plain(name)), "{name}");
        }
        assert!(is_packed_program("a/b.exe") && is_packed_program("a.pdf.js") && !is_packed_program("src/index.js"));
    }

    #[test]
    fn what_is_shown_otherwise_than_it_is_is_hidden() {
        assert!(is_hidden("invoice\u{202e}fdp.exe") && is_hidden("a.pdf            .exe") && is_hidden("a\0.exe"));
        assert!(!is_hidden("two  spaces.pdf") && !is_hidden("\u{5d0}\u{200f}.pdf"));
        assert!(is_disk("a.iso") && has_macros("a.docm") && !has_macros("a.docx"));
    }
}
