//! The fields of a report's part for machines: groups of them, with empty lines between (RFC 3464 2.1, RFC 5965 3).

use crate::base::mail::address::Address;
use crate::base::smtp::status::EnhancedStatus;

/// Groups of fields that are read; a report has one for the message and one for each recipient.
const GROUPS_MAX: usize = 128;
/// Fields of a group that are read.
const FIELDS_PER_GROUP_MAX: usize = 64;
/// A longer value is cut, in octets.
const VALUE_BYTES_MAX: usize = 2_000;

/// One group, its fields in their order: names in lower case, values unfolded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Group(Vec<(String, String)>);

impl Group {
    /// The first field of that name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// Every field of that name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| &**value)
    }
}

/// All groups. A line that is no field is passed over: servers write prose where none belongs, and what matters stands
/// beside it.
pub(super) fn groups(text: &[u8]) -> Vec<Group> {
    let mut groups = Vec::new();
    let mut group = Group::default();
    let mut folds = false;
    for line in text.split(|octet| *octet == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.iter().all(|octet| matches!(octet, b' ' | b'\t' | b'\r')) {
            end(&mut group, &mut groups);
            folds = false;
            if groups.len() == GROUPS_MAX {
                return groups;
            }
            continue;
        }
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            if let Some((_, value)) = group.0.last_mut().filter(|_| folds) {
                append(value, line);
            }
            continue;
        }
        folds = false;
        if let Some((name, value)) = field(line)
            && group.0.len() < FIELDS_PER_GROUP_MAX
        {
            group.0.push((name, String::new()));
            folds = true;
            if let Some((_, slot)) = group.0.last_mut() {
                append(slot, value);
            }
        }
    }
    end(&mut group, &mut groups);
    groups
}

fn end(group: &mut Group, groups: &mut Vec<Group>) {
    if !group.0.is_empty() {
        groups.push(std::mem::take(group));
    }
}

/// Name and value of a line: the name is printable ASCII (RFC 5322 2.2).
fn field(line: &[u8]) -> Option<(String, &[u8])> {
    let colon = line.iter().position(|octet| *octet == b':')?;
    let (name, value) = line.split_at(colon);
    let name = name.trim_ascii_end();
    let is_name = !name.is_empty() && name.iter().all(|octet| (33..=126).contains(octet));
    let name = std::str::from_utf8(name).ok().filter(|_| is_name)?;
    Some((name.to_ascii_lowercase(), value.get(1..).unwrap_or_default()))
}

/// More of a value, printable, behind one space.
fn append(value: &mut String, more: &[u8]) {
    let room = VALUE_BYTES_MAX.saturating_sub(value.len());
    // What is cut here would be cut below: no more than this is looked at.
    let more = String::from_utf8_lossy(more.get(..room).unwrap_or(more));
    let more = more.trim();
    if !value.is_empty() && !more.is_empty() {
        value.push(' ');
    }
    value.extend(more.chars().map(|c| if c.is_control() { ' ' } else { c }));
    value.truncate(value.floor_char_boundary(VALUE_BYTES_MAX));
}

/// What stands behind the type of a value, as in `rfc822; ann@example.net` and `smtp; 550 no` (RFC 3464 2.1.2). Without a
/// type it is the value.
pub(super) fn untyped(value: &str) -> &str {
    match value.split_once(';') {
        Some((kind, rest)) if !kind.contains(['@', ' ', '<']) => rest.trim(),
        _ => value.trim(),
    }
}

/// The mailbox in a value, with a type or without one (RFC 3464 2.3.1, RFC 5965 3.3).
pub(super) fn address(value: &str) -> Option<Address> {
    let text = untyped(value);
    let text = text.strip_prefix('<').and_then(|text| text.split('>').next()).unwrap_or(text);
    Address::parse(text).ok()
}

/// The status in a value; a comment may follow it (RFC 3464 2.3.4).
pub(super) fn status(value: &str) -> Option<EnhancedStatus> {
    let word = value.split([' ', '(', ';']).next()?;
    let class = word.split('.').next()?.parse::<u16>().ok()?;
    EnhancedStatus::split(word, class.checked_mul(100)?).map(|(status, _)| status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn groups_end_at_empty_lines_and_values_are_unfolded_rfc3464_2_1() {
        let text = b"Reporting-MTA: dns; mx.example\r\nX: a\r\n  b\r\n\tc\r\n\r\n \r\n\nAction : failed\nprose\n more of it\nStatus:5.1.1";
        let found = groups(text);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].get("x"), Some("a b c"));
        assert_eq!((found[1].get("action"), found[1].get("status")), (Some("failed"), Some("5.1.1")));
        assert_eq!(found[1].0.len(), 2, "prose is no field, and nothing is folded onto the one before it");
        assert_eq!(groups(b""), []);
    }

    #[test]
    fn typed_values_are_read_as_servers_write_them_rfc3464_2_3() {
        for value in
            ["rfc822; ann@example.net", "RFC822;ann@example.net", "ann@example.net", "rfc822; <ann@example.net>"]
        {
            assert_eq!(address(value).map(|found| found.to_string()), Some("ann@example.net".to_owned()), "{value}");
        }
        assert_eq!(address("utf-8; jörg@example.net").map(|found| found.local().to_owned()), Some("jörg".to_owned()));
        for value in ["", "rfc822;", "rfc822; undisclosed", "x400; /G=Ann/", "<>"] {
            assert_eq!(address(value), None, "{value}");
        }
        let said = [
            ("5.1.1", Some((5, 1, 1))),
            ("4.4.7 (expired)", Some((4, 4, 7))),
            ("5.1", None),
            ("", None),
            ("9.1.1", None),
        ];
        for (value, wanted) in said {
            assert_eq!(
                status(value),
                wanted.map(|(class, subject, detail)| EnhancedStatus::new(class, subject, detail)),
                "{value}"
            );
        }
        assert_eq!(untyped("smtp; 550 5.1.1 <a@b>; no"), "550 5.1.1 <a@b>; no");
        assert_eq!(untyped("550 no; really"), "550 no; really");
    }

    #[test]
    fn there_is_an_end_to_what_is_kept_rfc5965_3() {
        let many = "A: b\r\n\r\n".repeat(GROUPS_MAX + 50);
        assert_eq!(groups(many.as_bytes()).len(), GROUPS_MAX);
        let wide = "A: b\r\n".repeat(FIELDS_PER_GROUP_MAX + 50);
        assert_eq!(groups(wide.as_bytes())[0].0.len(), FIELDS_PER_GROUP_MAX);
        let long = format!("A: {}\r\n {}\r\n", "ü".repeat(VALUE_BYTES_MAX), "x".repeat(VALUE_BYTES_MAX));
        assert!(groups(long.as_bytes())[0].get("a").is_some_and(|value| value.len() <= VALUE_BYTES_MAX));
    }

    proptest! {
        #[test]
        fn any_octets_give_bounded_printable_fields(octets in prop::collection::vec(any::<u8>(), 0..600)) {
            for group in groups(&octets) {
                for (name, value) in group.0 {
                    prop_assert!(!name.is_empty() && name.is_ascii());
                    prop_assert!(value.len() <= VALUE_BYTES_MAX && !value.contains(char::is_control));
                    let _ = (address(&value), status(&value));
                }
            }
        }

        #[test]
        fn what_is_written_is_read(fields in prop::collection::vec(("[A-Za-z][A-Za-z-]{0,20}", "[!-~]{1,40}( [!-~]{1,20})?"), 1..10)) {
            let text: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            let read = groups(text.as_bytes());
            prop_assert_eq!(read.len(), 1);
            let wanted: Vec<_> = fields.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
            prop_assert_eq!(&read[0].0, &wanted);
        }
    }
}
