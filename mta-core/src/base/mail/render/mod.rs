//! A message as it goes out: trace fields, edited header section, body; the body's octets are never copied.

use super::content::{Body, Content};
use super::edits::HeaderEdit;
use super::header;
use bytes::{BufMut, Bytes, BytesMut};
use smallvec::SmallVec;
use std::borrow::Cow;

/// Where a field that we write is folded, in octets without CRLF (RFC 5322 2.1.1: "SHOULD be no more than 78").
const LINE_BYTES_WANTED: usize = 78;

/// Longest line that we write, in octets without CRLF (RFC 5322 2.1.1: "MUST be no more than 998").
const LINE_BYTES_MAX: usize = 998;

/// What goes out: the header pieces in order, then the body.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// Trace fields and header section with its empty line.
    pub head: SmallVec<[Bytes; 2]>,
    /// The octets behind it, where they lie.
    pub body: Body,
}

impl Rendered {
    /// Length in octets, as SIZE counts it (RFC 1870 3).
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.head.iter().map(|piece| piece.len() as u64).sum::<u64>() + self.body.size_bytes()
    }
}

/// Renders `content` with `lead` (whole fields, each with its CRLF) on top and the edits applied in their order.
///
/// Each edit sees what those before it made: a [`HeaderEdit::Set`] counts fields that an earlier edit added, and does
/// not count those that one removed. `lead` is not part of what edits see.
#[must_use]
pub fn render<'a>(lead: &[&str], content: &Content, edits: impl Iterator<Item = &'a HeaderEdit>) -> Rendered {
    let mut edits = edits.peekable();
    let lead_bytes = lead.iter().map(|text| text.len()).sum::<usize>();
    let mut head = SmallVec::new();
    if edits.peek().is_none() {
        if lead_bytes > 0 {
            let mut top = BytesMut::with_capacity(lead_bytes);
            lead.iter().for_each(|text| top.put_slice(text.as_bytes()));
            head.push(top.freeze());
        }
        head.push(content.head.clone());
    } else {
        let edited = EditedHead::new(&content.head, edits);
        let mut all = BytesMut::with_capacity(lead_bytes + edited.size_bytes());
        lead.iter().for_each(|text| all.put_slice(text.as_bytes()));
        edited.fields.iter().for_each(|field| all.put_slice(field));
        all.put_slice(edited.rest);
        head.push(all.freeze());
    }
    Rendered { head, body: content.body.clone() }
}

/// A header section after its edits: what plugins see, and what goes out.
#[derive(Clone, Debug)]
pub struct EditedHead<'a> {
    /// Whole fields from the top, each with its CRLF.
    pub fields: Vec<Cow<'a, [u8]>>,
    /// What stands behind the last field: the empty line, and lines that are no fields.
    pub rest: &'a [u8],
}

impl<'a> EditedHead<'a> {
    /// Applies the edits, each to what those before it made. An edit that names no field of the message, or whose name
    /// is none (RFC 5322 2.2), changes nothing.
    #[must_use]
    pub fn new<'e>(head: &'a [u8], edits: impl Iterator<Item = &'e HeaderEdit>) -> Self {
        let mut fields: Vec<Cow<'a, [u8]>> = header::fields(head).map(|field| Cow::Borrowed(field.raw)).collect();
        let fields_bytes = fields.iter().map(|field| field.len()).sum::<usize>();
        let rest = head.get(fields_bytes..).unwrap_or_default();
        // Additions are collected behind the others and turned at the end: each goes above all that is there.
        fields.reverse();
        for edit in edits {
            apply(&mut fields, edit);
        }
        fields.reverse();
        Self { fields, rest }
    }

    /// Length in octets.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.fields.iter().map(|field| field.len()).sum::<usize>() + self.rest.len()
    }
}

/// Applies one edit to the fields, which stand from the bottom to the top.
fn apply(upwards: &mut Vec<Cow<'_, [u8]>>, edit: &HeaderEdit) {
    match edit {
        HeaderEdit::Add { name, value } => {
            if let Some(field) = field(name, value) {
                upwards.push(Cow::Owned(field));
            }
        }
        HeaderEdit::Set { name, nth, value } => {
            let named = |raw: &Cow<'_, [u8]>| header::find(raw, name, 0).is_some();
            let nth = usize::try_from(*nth).unwrap_or(usize::MAX);
            let places = (0..upwards.len()).rev();
            let Some(at) = places.filter(|&at| upwards.get(at).is_some_and(named)).nth(nth) else { return };
            match value {
                None => {
                    upwards.remove(at);
                }
                Some(value) => {
                    if let Some(field) = field(name, value) {
                        upwards[at] = Cow::Owned(field);
                    }
                }
            }
        }
    }
}

/// A field with its CRLF, folded before white space (RFC 5322 2.2.3) so that unfolding gives the value again. CR, LF
/// and NUL become spaces: a value can't start another field or end the section. None if `name` is no field name.
#[must_use]
pub fn field(name: &str, value: &str) -> Option<Vec<u8>> {
    let is_name = !name.is_empty() && name.bytes().all(|octet| (33..=126).contains(&octet) && octet != b':');
    if !is_name || name.len() + 1 > LINE_BYTES_MAX {
        return None;
    }
    let value = value.replace(['\r', '\n', '\0'], " ");
    let mut out = Vec::with_capacity(name.len() + value.len() + 16);
    out.extend_from_slice(name.as_bytes());
    out.push(b':');
    let mut line_bytes = out.len();
    let mut line_has_text = false;
    for word in words(value.trim()) {
        // The first word keeps to the name's line where the hard limit lets it: parsers of old read no further.
        let fold = line_has_text && line_bytes + word.len() > LINE_BYTES_WANTED;
        if fold {
            out.extend_from_slice(b"\r\n");
            line_bytes = 0;
        }
        line_bytes = put_word(&mut out, &word, line_bytes);
        line_has_text = true;
    }
    out.extend_from_slice(b"\r\n");
    Some(out)
}

/// Words, each with the white space before it; the first gets one space.
fn words(value: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let mut rest = value;
    let mut first = true;
    std::iter::from_fn(move || {
        let text = rest.find(|c| c != ' ' && c != '\t')?;
        let end = rest[text..].find([' ', '\t']).map_or(rest.len(), |at| text + at);
        let (word, behind) = rest.split_at(end);
        rest = behind;
        let spaced = if std::mem::take(&mut first) { Cow::Owned(format!(" {word}")) } else { Cow::Borrowed(word) };
        Some(spaced)
    })
}

/// Writes a word that begins with white space; one too long for any line is cut, at the price of a space in it
/// (RFC 5322 2.1.1 leaves no other way). The length of the line so far.
fn put_word(out: &mut Vec<u8>, word: &str, line_bytes: usize) -> usize {
    let mut rest = word;
    let mut line_bytes = line_bytes;
    while line_bytes + rest.len() > LINE_BYTES_MAX {
        let cut = rest.floor_char_boundary(LINE_BYTES_MAX - line_bytes);
        let (now, later) = rest.split_at(cut);
        out.extend_from_slice(now.as_bytes());
        out.extend_from_slice(b"\r\n ");
        line_bytes = 1;
        rest = later.trim_start_matches([' ', '\t']);
    }
    out.extend_from_slice(rest.as_bytes());
    line_bytes + rest.len()
}

#[cfg(test)]
mod tests;
