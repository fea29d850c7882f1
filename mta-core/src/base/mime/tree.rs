//! The parts of a message: what they are, where they lie in the body, and how one is read.

use super::transfer::Decoder;

/// How far apart places are from which decoding can go on, in encoded octets: a read decodes no more than this for
/// nothing. A place takes some dozens of octets.
pub const MARK_BYTES: u64 = 16 * 1024;

/// What a read wants at once at most, in octets.
const READ_BYTES_MAX: usize = 256 * 1024;

/// All parts, in the order in which they begin; the first is the message itself.
#[derive(Debug, Default)]
pub struct Tree {
    /// A part's index is its id.
    pub parts: Vec<Part>,
}

/// One part. Offsets count from the first octet of the body.
#[derive(Clone, Debug)]
pub struct Part {
    /// The part that it is in.
    pub parent: Option<usize>,
    /// `type/subtype` in lower case.
    pub content_type: Box<str>,
    /// The `charset` parameter in lower case.
    pub charset: Option<Box<str>>,
    /// The decoded file name.
    pub filename: Option<Box<str>>,
    /// Further names that it states: mail programs differ in which of them they show.
    pub other_names: Vec<Box<str>>,
    /// Decoded length in octets.
    pub size_bytes: u64,
    /// Where its header fields begin.
    pub begin: u64,
    /// Where its content begins.
    pub content: u64,
    /// Where it ends, before the line end that belongs to the next boundary.
    pub end: u64,
    /// Where decoding can begin besides at the start, in order.
    pub(super) marks: Vec<Mark>,
    pub(super) decoder: Decoder,
}

/// A place within an encoded part.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    /// The next encoded octet.
    pub(super) at: u64,
    /// How many octets were decoded before it.
    pub(super) decoded: u64,
    pub(super) decoder: Decoder,
}

/// A read of decoded octets on its way: it wants encoded ones until it has enough.
#[derive(Debug)]
pub struct Reading {
    decoder: Decoder,
    at: u64,
    end: u64,
    /// Decoded octets that still come before the wanted ones.
    skip: u64,
    most: usize,
    octets: Vec<u8>,
    ended: bool,
}

impl Part {
    /// Begins to read at most `most` decoded octets from `offset` on.
    #[must_use]
    pub fn read(&self, offset: u64, most: usize) -> Reading {
        let offset = offset.min(self.size_bytes);
        let (at, skip, decoder) = if self.decoder.is_plain() {
            (self.content.saturating_add(offset), 0, Decoder::Plain)
        } else {
            let behind = self.marks.partition_point(|mark| mark.decoded <= offset);
            match behind.checked_sub(1).and_then(|place| self.marks.get(place)) {
                Some(mark) => (mark.at, offset - mark.decoded, mark.decoder.clone()),
                None => (self.content, offset, self.decoder.clone()),
            }
        };
        Reading { decoder, at, end: self.end, skip, most, octets: Vec::new(), ended: false }
    }
}

impl Reading {
    /// The body's octets that are wanted next, where and at most how many; none when the read is over.
    #[must_use]
    pub fn wanted(&self) -> Option<(u64, usize)> {
        if self.ended || self.octets.len() >= self.most {
            return None;
        }
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let decoded = usize::try_from(self.skip).unwrap_or(usize::MAX).saturating_add(self.most - self.octets.len());
        // Base64 with its line ends is less than half as long again as what it says.
        let encoded = if self.decoder.is_plain() { decoded } else { decoded.saturating_add(decoded / 2 + 256) };
        Some((self.at, left.min(encoded).min(READ_BYTES_MAX)))
    }

    /// The octets that were wanted, from their beginning; none means that there are no more.
    pub fn push(&mut self, encoded: &[u8]) {
        self.at += encoded.len() as u64;
        let before = self.octets.len();
        self.decoder.push(encoded, &mut self.octets);
        if self.at >= self.end || encoded.is_empty() {
            self.decoder.finish(&mut self.octets);
            self.ended = true;
        }
        let dropped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(self.octets.len() - before);
        self.octets.drain(before..before + dropped);
        self.skip -= dropped as u64;
    }

    /// The decoded octets.
    #[must_use]
    pub fn into_octets(mut self) -> Vec<u8> {
        self.octets.truncate(self.most);
        self.octets
    }
}
