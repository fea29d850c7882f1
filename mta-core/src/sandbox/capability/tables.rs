//! Tables: keys and values that the operator keeps in a file, looked up without a lock.

use arc_swap::ArcSwap;
use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

/// Largest file, in octets.
pub const TABLE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Entries of a table.
pub const TABLE_ENTRIES_MAX: usize = 1_000_000;
/// Longest line, in octets.
const LINE_BYTES_MAX: usize = 4096;

/// Where a table is found; a newer version of its file takes its place here, and the next look-up sees it.
pub type TableSlot = ArcSwap<Table>;

/// A table's content. Keys are in lower case, as they are compared.
#[derive(Default)]
pub struct Table {
    values: HashMap<Box<str>, Box<str>>,
}

/// A line that can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct BadLine {
    /// Its number, from 1.
    pub line: usize,
    /// What was found, and what was expected.
    pub what: String,
}

impl fmt::Debug for Table {
    /// How much it holds: what it holds is the operator's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table({} entries)", self.values.len())
    }
}

impl Table {
    /// Reads a file's content: a line is a key, spaces or tabs, and a value to the line's end, which may be absent.
    /// Empty lines and those that begin with `#` say nothing. A key is there once, or with the same value again.
    ///
    /// # Errors
    /// The first line that is wrong.
    pub fn parse(octets: &[u8]) -> Result<Self, BadLine> {
        let octets = octets.strip_prefix(b"\xef\xbb\xbf").unwrap_or(octets);
        let mut values: HashMap<Box<str>, Box<str>> = HashMap::new();
        for (index, line) in octets.split(|octet| *octet == b'\n').enumerate() {
            let bad = |what: String| BadLine { line: index + 1, what };
            if line.len() > LINE_BYTES_MAX {
                return Err(bad(format!("it has more than {LINE_BYTES_MAX} octets")));
            }
            let text = str::from_utf8(line).map_err(|_| bad("it is not UTF-8".to_owned()))?.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let (key, value) = text.split_once([' ', '\t']).map_or((text, ""), |(key, value)| (key, value.trim()));
            if text.contains(char::is_control) && text.contains(|c: char| c.is_control() && c != '\t') {
                return Err(bad("it has a control character".to_owned()));
            }
            if values.len() >= TABLE_ENTRIES_MAX {
                return Err(bad(format!("it is one entry more than {TABLE_ENTRIES_MAX}")));
            }
            match values.entry(folded(key).into()) {
                Entry::Occupied(known) if **known.get() == *value => {}
                Entry::Occupied(known) => {
                    let (key, known) = (key.escape_debug(), known.get().escape_debug());
                    return Err(bad(format!("\"{key}\" is there already, with another value: \"{known}\"")));
                }
                Entry::Vacant(place) => {
                    place.insert(value.into());
                }
            }
        }
        values.shrink_to_fit();
        Ok(Self { values })
    }

    /// How many entries it has.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.values.len()
    }

    /// The value of a key, in whatever case it is written.
    pub(crate) fn lookup(&self, key: &str) -> Option<&str> {
        self.values.get(&*folded(key)).map(|value| &**value)
    }
}

/// As keys are compared: addresses and domains are the same in any case, or nearly always meant to be.
fn folded(key: &str) -> Cow<'_, str> {
    let is_folded = key.bytes().all(|octet| octet.is_ascii() && !octet.is_ascii_uppercase());
    if is_folded { Cow::Borrowed(key) } else { Cow::Owned(key.to_lowercase()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bad(text: &str) -> String {
        Table::parse(text.as_bytes()).expect_err("it is wrong").to_string()
    }

    #[test]
    fn a_line_is_a_key_and_a_value() {
        let text = "\u{feff}# people\n\nAnn@Example.org \t vip  of # note\r\n  bob@example.org\nBÜCHER.example\t1\nbob@example.org";
        let table = Table::parse(text.as_bytes()).expect("a table");
        assert_eq!(table.entries(), 3);
        assert_eq!(table.lookup("ann@EXAMPLE.org"), Some("vip  of # note"));
        assert_eq!(table.lookup("bob@example.org"), Some(""));
        assert_eq!(table.lookup("bücher.example"), Some("1"));
        assert_eq!((table.lookup("ann"), table.lookup("#"), table.lookup("")), (None, None, None));
        assert_eq!(format!("{table:?}"), "Table(3 entries)");
    }

    #[test]
    fn a_wrong_line_is_named() {
        assert_eq!(bad("a 1\n\nA 2"), "line 3: \"A\" is there already, with another value: \"1\"");
        assert_eq!(bad("a 1\0"), "line 1: it has a control character");
        assert_eq!(bad(&format!("a\n{}", "x".repeat(5000))), "line 2: it has more than 4096 octets");
        let latin = Table::parse(b"a\nb\nc\xe4").expect_err("not UTF-8");
        assert_eq!(latin, BadLine { line: 3, what: "it is not UTF-8".to_owned() });
    }

    #[test]
    fn entries_are_bounded() {
        let mut text: String = (0..TABLE_ENTRIES_MAX).map(|number| format!("{number}\n")).collect();
        assert_eq!(Table::parse(text.as_bytes()).map(|table| table.entries()), Ok(TABLE_ENTRIES_MAX));
        text.push_str("more");
        assert_eq!(bad(&text), "line 1000001: it is one entry more than 1000000");
    }

    proptest! {
        #[test]
        fn no_content_panics_and_what_is_written_is_found(octets: Vec<u8>, key in "[a-zA-Z@.]{1,20}", value in "[a-z]{0,9}") {
            let _ = Table::parse(&octets);
            let table = Table::parse(format!("{key} {value}").as_bytes()).expect("a line");
            prop_assert_eq!(table.lookup(&key.to_uppercase()), Some(&*value));
        }
    }
}
