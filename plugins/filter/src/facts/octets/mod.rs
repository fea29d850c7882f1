//! Octets of an archive, wherever they lie: in a part of the message, or unpacked in memory.

pub(crate) mod numbers;

use mailwright_plugin::{Fault, message};
use std::error::Error;
use std::fmt;
use std::io::{self, Read};
use std::rc::Rc;

/// What is read at once of what is read from its beginning to its end, in octets.
const SEQUENCE_BYTES: u32 = 16 * 1024;
/// What a window reads at least, in octets.
const WINDOW_BYTES: u32 = 16 * 1024;

/// A run of octets.
#[derive(Clone, Debug)]
pub(crate) struct Octets {
    place: Place,
    begin: u64,
    size: u64,
}

#[derive(Clone, Debug)]
enum Place {
    /// The part with that id, without its transfer encoding.
    Part(u32),
    Memory(Rc<Vec<u8>>),
}

impl Octets {
    /// A part of the message, of that size.
    pub(crate) fn of_part(id: u32, size: u64) -> Self {
        Self { place: Place::Part(id), begin: 0, size }
    }

    /// What was unpacked.
    pub(crate) fn of(octets: Vec<u8>) -> Self {
        let size = octets.len() as u64;
        Self { place: Place::Memory(Rc::new(octets)), begin: 0, size }
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Those from an offset on, `size` or as many as there are.
    pub(crate) fn slice(&self, offset: u64, size: u64) -> Self {
        let offset = offset.min(self.size);
        Self { place: self.place.clone(), begin: self.begin + offset, size: size.min(self.size - offset) }
    }

    /// Some of them, copied: `most` or as many as there are; of a part never more than the server gives at once, 64 KiB.
    pub(crate) fn read(&self, offset: u64, most: u32) -> Result<Vec<u8>, Fault> {
        let wanted = self.slice(offset, u64::from(most));
        if wanted.size == 0 {
            return Ok(Vec::new());
        }
        match &wanted.place {
            Place::Part(id) => Ok(message::read_part(*id, wanted.begin, wanted.size as u32)?),
            Place::Memory(octets) => {
                let begin = wanted.begin as usize;
                Ok(octets.get(begin..begin + wanted.size as usize).unwrap_or_default().to_vec())
            }
        }
    }
}

/// Text up to its NUL; what is no UTF-8 in it is of a code page that nobody names.
pub(crate) fn text(octets: &[u8]) -> String {
    let text = octets.split(|octet| *octet == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

/// They are read here and there, by small pieces that mostly lie near each other.
#[derive(Debug)]
pub(crate) struct Window {
    octets: Octets,
    begin: u64,
    piece: Vec<u8>,
}

impl Window {
    pub(crate) fn new(octets: &Octets) -> Self {
        Self { octets: octets.clone(), begin: 0, piece: Vec::new() }
    }

    /// So many octets from an offset on; fewer where they end.
    pub(crate) fn get(&mut self, offset: u64, bytes: usize) -> Result<&[u8], Fault> {
        let is_here = offset >= self.begin && offset + bytes as u64 <= self.begin + self.piece.len() as u64;
        if !is_here {
            self.piece = self.octets.read(offset, u32::try_from(bytes).unwrap_or(u32::MAX).max(WINDOW_BYTES))?;
            self.begin = offset;
        }
        let from = (offset - self.begin) as usize;
        Ok(&self.piece[from..self.piece.len().min(from + bytes)])
    }
}

/// They are read from their beginning to their end, by a decoder.
#[derive(Debug)]
pub(crate) struct Sequence {
    octets: Octets,
    at: u64,
    piece: Vec<u8>,
    used: usize,
}

impl Sequence {
    pub(crate) fn new(octets: &Octets) -> Self {
        Self { octets: octets.clone(), at: 0, piece: Vec::new(), used: 0 }
    }
}

impl Read for Sequence {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.used == self.piece.len() {
            self.piece =
                self.octets.read(self.at, SEQUENCE_BYTES).map_err(|fault| io::Error::other(NotGiven(fault)))?;
            self.at += self.piece.len() as u64;
            self.used = 0;
        }
        let octets = &self.piece[self.used..];
        let bytes = octets.len().min(into.len());
        into[..bytes].copy_from_slice(&octets[..bytes]);
        self.used += bytes;
        Ok(bytes)
    }
}

/// The server did not give them: no fault of the archive's.
#[derive(Debug)]
struct NotGiven(Fault);

impl fmt::Display for NotGiven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server did not give the octets")
    }
}

impl Error for NotGiven {}

/// Tells a fault of ours from one of the archive.
pub(crate) fn fault_in(error: io::Error) -> Option<Fault> {
    error.into_inner()?.downcast::<NotGiven>().ok().map(|not_given| not_given.0)
}
