//! The header section as fields, found without copying (RFC 5322 2.2).

use bytes::Bytes;
use memchr::memmem;
use std::borrow::Cow;

/// One field as it stands in the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// The name, without the colon.
    pub name: &'a str,
    /// The value behind the colon, still folded, without its final CRLF.
    pub value: &'a [u8],
    /// The whole field with its final CRLF.
    pub raw: &'a [u8],
}

/// Length of the header section with its empty line; none while the empty line has not come.
#[must_use]
pub fn section_bytes(content: &[u8]) -> Option<usize> {
    if content.starts_with(b"\r\n") {
        return Some(2);
    }
    memmem::find(content, b"\r\n\r\n").map(|at| at + 4)
}

/// The header section with its empty line, which content without a body may lack (RFC 5322 2.1): before another body is
/// put behind it.
#[must_use]
pub fn with_empty_line(head: &Bytes) -> Bytes {
    if section_bytes(head).is_some() {
        return head.clone();
    }
    let missing: &[u8] = if head.is_empty() || head.ends_with(b"\r\n") { b"\r\n" } else { b"\r\n\r\n" };
    [head, missing].concat().into()
}

/// The fields from the top; ends at the empty line, or at the first line that is no field.
pub fn fields(head: &[u8]) -> impl Iterator<Item = Field<'_>> {
    raw_fields(head).map_while(|(raw, name_bytes)| field(raw, name_bytes))
}

/// The `nth` field (from 0) of that name, compared without case.
#[must_use]
pub fn find<'a>(head: &'a [u8], name: &str, nth: usize) -> Option<Field<'a>> {
    // Most fields are others: nothing is made of them but the comparison.
    let is_named = |raw: &[u8], bytes: usize| raw.get(..bytes).is_some_and(|n| n.eq_ignore_ascii_case(name.as_bytes()));
    let (raw, name_bytes) = raw_fields(head).filter(|(raw, bytes)| is_named(raw, *bytes)).nth(nth)?;
    field(raw, name_bytes)
}

/// Whole fields, each with the length of its name.
fn raw_fields(head: &[u8]) -> impl Iterator<Item = (&[u8], usize)> {
    let mut rest = head;
    std::iter::from_fn(move || {
        let length = field_bytes(rest)?;
        let (raw, behind) = rest.split_at(length);
        rest = behind;
        Some((raw, name_bytes(raw)?))
    })
}

impl<'a> Field<'a> {
    /// The value on one line, without the white space around it (RFC 5322 2.2.3); octets that are not UTF-8 are
    /// replaced.
    #[must_use]
    pub fn unfolded(&self) -> Cow<'a, str> {
        match String::from_utf8_lossy(self.value) {
            Cow::Borrowed(text) if !text.contains(['\r', '\n']) => Cow::Borrowed(text.trim()),
            text => Cow::Owned(text.replace("\r\n", "").trim().to_owned()),
        }
    }
}

/// Length of the first field with its continuation lines.
fn field_bytes(text: &[u8]) -> Option<usize> {
    if text.is_empty() || text.starts_with(b"\r\n") {
        return None;
    }
    let mut length = 0;
    loop {
        length += line_bytes(&text[length..]);
        match text.get(length) {
            Some(b' ' | b'\t') => {}
            _ => return Some(length),
        }
    }
}

fn line_bytes(text: &[u8]) -> usize {
    memchr::memchr(b'\n', text).map_or(text.len(), |at| at + 1)
}

/// Length of the name: printable ASCII up to the colon, or to white space before it (RFC 5322 2.2 and 4.5).
fn name_bytes(raw: &[u8]) -> Option<usize> {
    let length = raw.iter().position(|octet| !(33..=126).contains(octet) || *octet == b':')?;
    let colon = raw.get(length..)?.iter().find(|octet| !matches!(octet, b' ' | b'\t'))?;
    (length > 0 && *colon == b':').then_some(length)
}

fn field(raw: &[u8], name_bytes: usize) -> Option<Field<'_>> {
    let (name, behind) = raw.split_at_checked(name_bytes)?;
    let colon = memchr::memchr(b':', behind)?;
    let value = behind.get(colon + 1..)?;
    let value = value.strip_suffix(b"\r\n").unwrap_or(value);
    Some(Field { name: std::str::from_utf8(name).ok()?, value, raw })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"Subject: one\r\n two\r\nTo:x\r\nSUBJECT: again\r\n\r\n";

    #[test]
    fn folded_fields_are_one_rfc5322_2_2_3() {
        let found: Vec<_> = fields(HEAD).map(|f| (f.name, f.unfolded().into_owned())).collect();
        let wanted = [("Subject", "one two"), ("To", "x"), ("SUBJECT", "again")];
        assert_eq!(found, wanted.map(|(n, v)| (n, v.to_owned())));
        assert_eq!(find(HEAD, "subject", 1).map(|f| f.raw), Some(&b"SUBJECT: again\r\n"[..]));
    }

    #[test]
    fn the_section_ends_behind_the_first_empty_line() {
        assert_eq!(section_bytes(HEAD), Some(HEAD.len()));
        assert_eq!(section_bytes(b"\r\nbody"), Some(2));
        assert_eq!(section_bytes(b"A: b\r\n"), None);
    }

    #[test]
    fn a_body_behind_a_section_without_its_empty_line_gets_one_rfc5322_2_1() {
        for (head, wanted) in [
            ("A: b\r\n\r\n", "A: b\r\n\r\n"),
            ("\r\n", "\r\n"),
            ("A: b\r\n", "A: b\r\n\r\n"),
            ("A: b", "A: b\r\n\r\n"),
            ("", "\r\n"),
        ] {
            assert_eq!(with_empty_line(&Bytes::from_static(head.as_bytes())), wanted, "{head:?}");
        }
    }

    #[test]
    fn a_name_is_printable_ascii_before_a_colon_rfc5322_2_2_and_4_5() {
        for line in ["A : b", "A\t :b", "!~: b"] {
            let text = format!("{line}\r\n\r\n");
            let found: Vec<_> = fields(text.as_bytes()).map(|field| (field.name, field.unfolded())).collect();
            assert_eq!(found, [(line.split([' ', '\t', ':']).next().unwrap_or_default(), "b".into())], "{line}");
        }
        for line in [": b", " : b", "A b: c", "A", "A\u{e4}: b", "A\0: b", "A \r\n : b"] {
            assert_eq!(fields(format!("{line}\r\n\r\n").as_bytes()).count(), 0, "{line:?}");
        }
    }

    #[test]
    fn a_line_that_is_no_field_ends_the_fields() {
        assert_eq!(fields(b"A: b\r\nnonsense\r\nC: d\r\n\r\n").count(), 1);
    }
}
