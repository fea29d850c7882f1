//! A message's content: octets that are stored once and read by range, never copied whole between stages.

use bytes::Bytes;
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

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match self {
            Self::Memory(_) => "memory",
            Self::Stored { .. } => "disk",
        };
        write!(f, "{} octets in {place}", self.size_bytes())
    }
}
