//! The walk over a body from boundary to boundary (RFC 2046 5.1.1), a window at a time.

use super::fields::{Described, Kind, Reader, TooLong};
use super::transfer::Decoder;
use super::tree::{MARK_BYTES, Mark, Part, Tree};
use memchr::memmem::Finder;
use memchr::{memchr, memrchr};

/// Parts of a message.
const PARTS_MAX: usize = 1000;
/// Parts within one another.
const DEPTH_MAX: usize = 32;
/// Header section of one part, in octets.
const SECTION_BYTES_MAX: usize = 16 * 1024;
/// Longest line that is looked at as a boundary, in octets, with its line end and the white space before it.
const BOUNDARY_LINE_BYTES_MAX: usize = 1024;
/// How much is decoded at once to be counted, in octets.
const COUNTED_BYTES: usize = 16 * 1024;

/// A window must be longer than this to get on, unless the body ends with it.
pub const WINDOW_BYTES_MIN: usize = SECTION_BYTES_MAX + BOUNDARY_LINE_BYTES_MAX;

/// The structure is beyond the limits. What can't be told in full is not told in part: a filter would miss the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its parts are too many, too deep or described at too much length")]
pub struct TooComplex;

impl From<TooLong> for TooComplex {
    fn from(_: TooLong) -> Self {
        Self
    }
}

/// A walk on its way.
pub struct Walk {
    reader: Reader,
    finder: Finder<'static>,
    parts: Vec<Part>,
    /// Parts with parts in them that have not ended, outermost first.
    open: Vec<Open>,
    state: State,
    /// How far it has come in the body.
    at: u64,
    /// What is next begins a line.
    is_line_start: bool,
    scratch: Vec<u8>,
}

struct Open {
    part: usize,
    /// None in a message, and once the last of the boundaries was seen.
    boundary: Option<Box<[u8]>>,
    is_digest: bool,
}

enum State {
    /// A part's header fields.
    Section,
    /// A leaf's octets.
    Leaf(usize, Decoder),
    /// Before the first part of a multipart, or behind its last: nobody's octets.
    Between,
}

/// How far a window was understood.
enum Step {
    /// So many octets; on with the rest.
    Took(usize),
    /// So many octets; the rest must be shown again with what follows it.
    Wants(usize),
}

impl Walk {
    /// A walk over the body of a message with this header section.
    ///
    /// # Errors
    /// Its own description is beyond the limits.
    pub fn new(section: &[u8]) -> Result<Self, TooComplex> {
        let mut walk = Self {
            reader: Reader::default(),
            finder: Finder::new(b"\n--"),
            parts: Vec::new(),
            open: Vec::new(),
            state: State::Section,
            at: 0,
            is_line_start: true,
            scratch: Vec::new(),
        };
        let described = walk.reader.describe(section, false)?;
        walk.begin(described, 0, 0)?;
        Ok(walk)
    }

    /// Looks at the octets from where it has come to; `is_last` if the body ends with them. How many were understood:
    /// the next window begins behind those.
    ///
    /// # Errors
    /// The structure is beyond the limits.
    pub fn push(&mut self, window: &[u8], is_last: bool) -> Result<usize, TooComplex> {
        let mut taken = 0;
        loop {
            let rest = window.get(taken..).unwrap_or_default();
            let step = match self.state {
                State::Section => self.section(rest, is_last)?,
                State::Leaf(..) | State::Between => self.content(rest, is_last),
            };
            let (Step::Took(more) | Step::Wants(more)) = step;
            self.at += more as u64;
            taken += more;
            if let Step::Wants(_) = step {
                return Ok(taken);
            }
        }
    }

    /// The body is over.
    #[must_use]
    pub fn finish(mut self) -> Tree {
        self.end_leaf(self.at);
        self.close(0, self.at);
        Tree { parts: self.parts }
    }

    /// A part's header fields, up to the empty line or to a boundary that cuts them short.
    fn section(&mut self, rest: &[u8], is_last: bool) -> Result<Step, TooComplex> {
        let mut length = 0;
        let (length, content) = loop {
            let line = rest.get(length..).unwrap_or_default();
            let end = memchr(b'\n', line).map(|at| at + 1);
            if length + end.unwrap_or(line.len()) > SECTION_BYTES_MAX {
                return Err(TooComplex);
            }
            let bytes = match end {
                Some(bytes) => bytes,
                None if is_last => line.len(),
                None => return Ok(Step::Wants(0)),
            };
            let line = line.get(..bytes).unwrap_or_default();
            if matches!(line, b"\r\n" | b"\n") {
                break (length, length + bytes);
            }
            if line.is_empty() || self.boundary(line).is_some() {
                break (length, length);
            }
            length += bytes;
        };
        let in_digest = self.open.last().is_some_and(|open| open.is_digest);
        let described = self.reader.describe(rest.get(..length).unwrap_or_default(), in_digest)?;
        self.begin(described, self.at, self.at + content as u64)?;
        self.is_line_start = true;
        Ok(Step::Took(content))
    }

    /// A part whose content begins there.
    fn begin(&mut self, described: Described, begin: u64, content: u64) -> Result<(), TooComplex> {
        let index = self.parts.len();
        if index >= PARTS_MAX || self.open.len() >= DEPTH_MAX {
            return Err(TooComplex);
        }
        let Described { content_type, charset, filename, other_names, kind } = described;
        let decoder = match &kind {
            Kind::Leaf(decoder) => decoder.clone(),
            Kind::Multipart { .. } | Kind::Message => Decoder::Plain,
        };
        let parent = self.open.last().map(|open| open.part);
        let (size_bytes, end, marks) = (0, content, Vec::new());
        let part = Part {
            parent,
            content_type,
            charset,
            filename,
            other_names,
            size_bytes,
            begin,
            content,
            end,
            marks,
            decoder,
        };
        self.parts.push(part);
        self.state = match kind {
            Kind::Multipart { boundary, is_digest } => {
                self.open.push(Open { part: index, boundary: Some(boundary), is_digest });
                State::Between
            }
            Kind::Message => {
                self.open.push(Open { part: index, boundary: None, is_digest: false });
                State::Section
            }
            Kind::Leaf(decoder) => State::Leaf(index, decoder),
        };
        Ok(())
    }

    /// Content up to a boundary of one of the open parts.
    fn content(&mut self, rest: &[u8], is_last: bool) -> Step {
        let mut from = 0;
        if self.is_line_start {
            match rest {
                [] | [b'-'] if !is_last => return Step::Wants(0),
                [b'-', b'-', ..] => match self.at_line(rest, 0, 0, is_last) {
                    Some(step) => return step,
                    None => from = 1,
                },
                _ => {}
            }
        }
        while let Some(at) = self.finder.find(rest.get(from..).unwrap_or_default()) {
            let feed = from + at;
            // The line end before a boundary is of the boundary (RFC 2046 5.1.1).
            let cut = if rest[..feed].ends_with(b"\r") { feed - 1 } else { feed };
            if let Some(step) = self.at_line(rest, cut, feed + 1, is_last) {
                return step;
            }
            from = feed + 1;
        }
        let known = if is_last { rest.len() } else { rest.len() - undecided(rest) };
        self.feed(&rest[..known]);
        Step::Wants(known)
    }

    /// A line that begins with two hyphens; none if it is no boundary.
    fn at_line(&mut self, rest: &[u8], cut: usize, line: usize, is_last: bool) -> Option<Step> {
        let text = rest.get(line..).unwrap_or_default();
        let text = text.get(..BOUNDARY_LINE_BYTES_MAX).unwrap_or(text);
        let bytes = match memchr(b'\n', text) {
            Some(at) => at + 1,
            None if text.len() == BOUNDARY_LINE_BYTES_MAX => return None,
            None if is_last => text.len(),
            None => {
                self.feed(&rest[..cut]);
                return Some(Step::Wants(cut));
            }
        };
        let (level, is_end) = self.boundary(&text[..bytes])?;
        self.feed(&rest[..cut]);
        let end = self.at + cut as u64;
        self.end_leaf(end);
        self.close(level + 1, end);
        self.state = State::Section;
        if is_end {
            self.state = State::Between;
            if let Some(open) = self.open.get_mut(level) {
                open.boundary = None;
            }
        }
        self.is_line_start = true;
        Some(Step::Took(line + bytes))
    }

    /// Which open part the line is a boundary of, innermost first, and whether it is its last.
    fn boundary(&self, line: &[u8]) -> Option<(usize, bool)> {
        let text = line.strip_prefix(b"--")?.trim_ascii_end();
        let levels = self.open.iter().enumerate().rev();
        let mut bounded = levels.filter_map(|(level, open)| Some((level, open.boundary.as_deref()?)));
        bounded.find_map(|(level, boundary)| match text.strip_prefix(boundary)? {
            b"" => Some((level, false)),
            b"--" => Some((level, true)),
            _ => None,
        })
    }

    /// Octets that are no boundary: a leaf's, or nobody's.
    fn feed(&mut self, octets: &[u8]) {
        let Self { state, parts, at, scratch, is_line_start, .. } = self;
        *is_line_start &= octets.is_empty();
        let State::Leaf(index, decoder) = state else { return };
        let Some(part) = parts.get_mut(*index) else { return };
        if decoder.is_plain() {
            part.size_bytes += octets.len() as u64;
            return;
        }
        let mut at = *at;
        for piece in octets.chunks(COUNTED_BYTES) {
            let last = part.marks.last().map_or(part.content, |mark| mark.at);
            if at - last >= MARK_BYTES {
                part.marks.push(Mark { at, decoded: part.size_bytes, decoder: decoder.clone() });
            }
            scratch.clear();
            decoder.push(piece, scratch);
            part.size_bytes += scratch.len() as u64;
            at += piece.len() as u64;
        }
    }

    fn end_leaf(&mut self, end: u64) {
        let State::Leaf(index, decoder) = &mut self.state else { return };
        let Some(part) = self.parts.get_mut(*index) else { return };
        self.scratch.clear();
        decoder.finish(&mut self.scratch);
        part.size_bytes += self.scratch.len() as u64;
        part.end = end;
    }

    /// The parts from that level on end there.
    fn close(&mut self, level: usize, end: u64) {
        for open in self.open.drain(level.min(self.open.len())..) {
            if let Some(part) = self.parts.get_mut(open.part) {
                part.end = end;
                part.size_bytes = end.saturating_sub(part.content);
            }
        }
    }
}

/// How many of the last octets may yet turn out to be the beginning of a boundary's line, with the line end before it.
fn undecided(rest: &[u8]) -> usize {
    let Some(at) = memrchr(b'\n', &rest[rest.len().saturating_sub(2)..]) else {
        return usize::from(rest.ends_with(b"\r"));
    };
    let at = rest.len().saturating_sub(2) + at;
    // Behind the line end stands nothing, or one octet: with a hyphen it may go on to two.
    if !matches!(&rest[at + 1..], b"" | b"-") {
        return usize::from(rest.ends_with(b"\r"));
    }
    rest.len() - at + usize::from(rest[..at].ends_with(b"\r"))
}

#[cfg(test)]
#[path = "walk_tests.rs"]
mod tests;
