//! A message's content: octets that are stored once and read by range, never copied whole between stages.

use bytes::{Bytes, BytesMut};
use std::fmt;
use std::io;
use std::sync::Arc;

/// Content as it arrived, with dots unstuffed, without our trace header.
#[derive(Clone, Debug)]
pub struct Content {
    /// The header section with its empty line, always at hand; bounded by `header_bytes_max`.
    pub head: Bytes,
    /// The octets behind the header section.
    pub body: Body,
}

/// Where the body's octets are.
#[derive(Clone)]
pub enum Body {
    /// In memory: small messages, fresh or read back whole.
    Memory(Bytes),
    /// On disk: read by range.
    Stored {
        /// Reads; offset 0 is the first octet of the body.
        source: Arc<dyn ReadAt>,
        /// Length in octets.
        bytes: u64,
    },
}

/// Reads by position. Calls may block on a disk, so an async caller makes them where blocking is allowed.
pub trait ReadAt: Send + Sync {
    /// Fills `buffer` from `offset`; fewer octets only at the end.
    ///
    /// # Errors
    /// What the disk said; a short file is `UnexpectedEof`.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
}

/// A body put together from pieces: octets in memory, and stretches of a stored body. Nothing is copied until it is
/// read. Two are equal if their pieces are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Composed {
    pieces: Arc<[Piece]>,
    bytes: u64,
}

/// One piece of a [`Composed`] body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Octets in memory.
    Memory(Bytes),
    /// Octets on disk.
    Stored(Stretch),
}

/// A stretch of a stored body.
#[derive(Clone)]
pub struct Stretch {
    /// Reads the stored body.
    pub source: Arc<dyn ReadAt>,
    /// Where the stretch begins in it.
    pub offset: u64,
    /// Its length in octets.
    pub bytes: u64,
}

/// A composed body up to this length is joined where all of it is in memory, in octets: copying it is cheaper than
/// reading it piece by piece.
const JOINED_BYTES_MAX: u64 = 256 * 1024;

impl Content {
    /// Length in octets, header section and body.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.head.len() as u64 + self.body.size_bytes()
    }
}

impl Body {
    /// Length in octets.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Stored { bytes, .. } => *bytes,
        }
    }
}

impl Composed {
    /// The body that these pieces make, one behind the other.
    #[must_use]
    pub fn new(pieces: Vec<Piece>) -> Self {
        let bytes = pieces.iter().map(Piece::size_bytes).sum();
        Self { pieces: pieces.into(), bytes }
    }

    /// How many pieces there are.
    #[must_use]
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Length in octets.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.bytes
    }

    /// The body as others read it.
    #[must_use]
    pub fn body(&self) -> Body {
        let octets = |piece: &Piece| match piece {
            Piece::Memory(octets) => Some(octets.clone()),
            Piece::Stored(_) => None,
        };
        let in_memory = || self.pieces.iter().map(octets).collect::<Option<Vec<Bytes>>>();
        match (self.bytes <= JOINED_BYTES_MAX).then(in_memory).flatten() {
            Some(pieces) => {
                let mut joined = BytesMut::with_capacity(usize::try_from(self.bytes).unwrap_or_default());
                pieces.iter().for_each(|piece| joined.extend_from_slice(piece));
                Body::Memory(joined.freeze())
            }
            None => Body::Stored { source: Arc::new(self.clone()), bytes: self.bytes },
        }
    }

    /// What makes that stretch of the body; less where the body ends before.
    #[must_use]
    pub fn stretch(&self, offset: u64, bytes: u64) -> Vec<Piece> {
        let end = offset.saturating_add(bytes).min(self.bytes);
        let mut at = 0;
        let mut pieces = Vec::new();
        for piece in &*self.pieces {
            let (begin, behind) = (at, at + piece.size_bytes());
            at = behind;
            let (from, to) = (offset.max(begin), end.min(behind));
            if from < to {
                pieces.push(piece.stretch(from - begin, to - from));
            }
        }
        pieces
    }
}

impl ReadAt for Composed {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        for piece in self.stretch(offset, buffer.len() as u64) {
            let rest = buffer.get_mut(filled..).unwrap_or_default();
            match piece {
                Piece::Memory(octets) => {
                    rest.get_mut(..octets.len()).ok_or(io::ErrorKind::UnexpectedEof)?.copy_from_slice(&octets);
                    filled += octets.len();
                }
                Piece::Stored(Stretch { source, offset, bytes }) => {
                    let wanted = usize::try_from(bytes).unwrap_or(usize::MAX);
                    let rest = rest.get_mut(..wanted).ok_or(io::ErrorKind::UnexpectedEof)?;
                    // Half a stretch would bring what follows it to the wrong place.
                    if source.read_at(offset, rest)? < wanted {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    filled += wanted;
                }
            }
        }
        Ok(filled)
    }
}

impl Piece {
    /// Length in octets.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        match self {
            Self::Memory(octets) => octets.len() as u64,
            Self::Stored(stretch) => stretch.bytes,
        }
    }

    /// A stretch of the piece, which is not longer than it.
    fn stretch(&self, offset: u64, bytes: u64) -> Self {
        match self {
            Self::Memory(octets) => {
                let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(octets.len());
                Self::Memory(octets.slice(place(offset)..place(offset.saturating_add(bytes))))
            }
            Self::Stored(Stretch { source, offset: begin, .. }) => {
                Self::Stored(Stretch { source: Arc::clone(source), offset: begin.saturating_add(offset), bytes })
            }
        }
    }
}

impl From<&Body> for Composed {
    fn from(body: &Body) -> Self {
        let piece = match body {
            Body::Memory(octets) => Piece::Memory(octets.clone()),
            Body::Stored { source, bytes } => {
                Piece::Stored(Stretch { source: Arc::clone(source), offset: 0, bytes: *bytes })
            }
        };
        Self::new(vec![piece])
    }
}

impl PartialEq for Stretch {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.source, &other.source) && (self.offset, self.bytes) == (other.offset, other.bytes)
    }
}

impl Eq for Stretch {}

impl fmt::Debug for Stretch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} octets from {} on disk", self.bytes, self.offset)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match self {
            Self::Memory(_) => "memory",
            Self::Stored { .. } => "disk",
        };
        write!(f, "{} octets in {place}", self.size_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Disk(&'static [u8]);

    impl ReadAt for Disk {
        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
            let rest = usize::try_from(offset).ok().and_then(|from| self.0.get(from..)).unwrap_or_default();
            let count = rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            Ok(count)
        }
    }

    fn stored(octets: &'static [u8]) -> Body {
        Body::Stored { source: Arc::new(Disk(octets)), bytes: octets.len() as u64 }
    }

    fn read(body: &Body) -> Vec<u8> {
        match body {
            Body::Memory(octets) => octets.to_vec(),
            Body::Stored { source, bytes } => {
                let mut octets = vec![0; usize::try_from(*bytes).expect("small")];
                assert_eq!(source.read_at(0, &mut octets).expect("it reads"), octets.len());
                octets
            }
        }
    }

    #[test]
    fn a_body_of_pieces_reads_as_one() {
        let old = Composed::from(&stored(b"0123456789"));
        let mut pieces = old.stretch(2, 3);
        pieces.push(Piece::Memory(Bytes::from_static(b"ab")));
        pieces.extend(old.stretch(8, 100));
        let new = Composed::new(pieces);
        assert_eq!(new.size_bytes(), 7);
        assert_eq!(read(&new.body()), b"234ab89");
        let twice = Composed::new([new.stretch(2, 2), new.stretch(6, 1)].concat());
        assert_eq!(read(&twice.body()), b"4a9", "pieces of pieces are pieces of what was there first");
        assert!(matches!(Composed::new(vec![Piece::Memory("x".into())]).body(), Body::Memory(_)));
    }

    #[test]
    fn a_stored_body_that_is_too_short_is_an_error() {
        let Body::Stored { source, .. } = stored(b"01") else { panic!("on disk") };
        let piece = Piece::Stored(Stretch { source, offset: 0, bytes: 5 });
        let new = Composed::new(vec![piece, Piece::Memory("x".into())]);
        let fault = new.read_at(0, &mut [0; 6]).expect_err("three octets are missing");
        assert_eq!(fault.kind(), io::ErrorKind::UnexpectedEof);
    }

    proptest! {
        #[test]
        fn any_stretch_of_pieces_is_that_of_the_whole(
            pieces in prop::collection::vec("[a-z]{0,5}", 0..6), offset in 0_u64..30, bytes in 0_u64..30,
        ) {
            let whole = pieces.concat().into_bytes();
            let body = Composed::new(pieces.into_iter().map(|piece| Piece::Memory(piece.into())).collect());
            let from = usize::try_from(offset).expect("small").min(whole.len());
            let to = (from + usize::try_from(bytes).expect("small")).min(whole.len());
            let mut buffer = vec![0; usize::try_from(bytes).expect("small")];
            let count = body.read_at(offset, &mut buffer).expect("it is in memory");
            prop_assert_eq!(&buffer[..count], &whole[from..to]);
            prop_assert_eq!(read(&Composed::new(body.stretch(offset, bytes)).body()), &whole[from..to]);
        }
    }
}
