//! Content on its way out, a bounded piece at a time: dots doubled for DATA, plain for BDAT.

use crate::base::mail::content::Body;
use crate::base::mail::render::Rendered;
use crate::base::smtp::dot::DotEncoder;

/// About how much is encoded before it is written, in octets; a small message goes out in one write.
pub(super) const PIECE_BYTES: usize = 64 * 1024;

/// How content is framed.
#[derive(Debug)]
enum Framing {
    /// RFC 5321 4.5.2.
    Dots(DotEncoder),
    /// RFC 3030 2: the length went before.
    Chunk,
}

/// One message's octets, from the first to the last.
#[derive(Debug)]
pub(super) struct ContentWriter {
    message: Rendered,
    framing: Framing,
    /// The next piece of the head.
    piece: usize,
    /// How much of that piece, or of the body behind them, was encoded.
    at: u64,
    ended: bool,
}

/// A stretch of a stored body that is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Where it begins in the body.
    pub offset: u64,
    /// Its length in octets.
    pub bytes: usize,
}

impl ContentWriter {
    /// For DATA.
    pub(super) fn dots(message: Rendered) -> Self {
        Self { message, framing: Framing::Dots(DotEncoder::default()), piece: 0, at: 0, ended: false }
    }

    /// For `BDAT … LAST`.
    pub(super) fn chunk(message: Rendered) -> Self {
        Self { message, framing: Framing::Chunk, piece: 0, at: 0, ended: false }
    }

    /// All of it was encoded, with what ends it.
    pub(super) fn is_ended(&self) -> bool {
        self.ended
    }

    /// Encodes on behind `out` until that is about [`PIECE_BYTES`] long, the content ends, or a stored body is to be
    /// read.
    pub(super) fn fill(&mut self, out: &mut Vec<u8>) {
        while !self.ended && out.len() < PIECE_BYTES {
            let room = PIECE_BYTES - out.len();
            let source = match (self.message.head.get(self.piece), &self.message.body) {
                (Some(head), _) => head,
                (None, Body::Memory(body)) => body,
                (None, Body::Stored { bytes, .. }) if self.at < *bytes => return,
                (None, Body::Stored { .. }) => return self.end(out),
            };
            let from = usize::try_from(self.at).unwrap_or(usize::MAX);
            let rest = source.get(from..).unwrap_or_default();
            let now = rest.get(..room).unwrap_or(rest);
            match &mut self.framing {
                Framing::Dots(dots) => dots.encode(now, |octets| out.extend_from_slice(octets)),
                Framing::Chunk => out.extend_from_slice(now),
            }
            self.at += now.len() as u64;
            if now.len() < rest.len() {
                continue;
            }
            if self.piece == self.message.head.len() {
                return self.end(out);
            }
            self.piece += 1;
            self.at = 0;
        }
    }

    /// What of the stored body comes next; none while other octets do.
    pub(super) fn wanted(&self) -> Option<Wanted> {
        let Body::Stored { bytes, .. } = &self.message.body else { return None };
        let rest = bytes.saturating_sub(self.at);
        if self.piece < self.message.head.len() || self.ended || rest == 0 {
            return None;
        }
        Some(Wanted { offset: self.at, bytes: usize::try_from(rest).unwrap_or(usize::MAX).min(PIECE_BYTES) })
    }

    /// Encodes the octets that were wanted.
    pub(super) fn stored(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        match &mut self.framing {
            Framing::Dots(dots) => dots.encode(octets, |octets| out.extend_from_slice(octets)),
            Framing::Chunk => out.extend_from_slice(octets),
        }
        self.at += octets.len() as u64;
        if self.wanted().is_none() {
            self.end(out);
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if let Framing::Dots(dots) = &self.framing {
            out.extend_from_slice(dots.end());
        }
        self.ended = true;
    }
}
