//! How a record lies on disk: a checked header, the payload, and padding to eight octets.
//!
//! The header names its own position and is checked with a number that only this journal's operator can read (the
//! segment's salt): content that imitates a header is not taken for one while a damaged stretch is skipped.

use crate::base::world::store::Record;
use crc32c::{crc32c, crc32c_append};

/// The newest record format that this program writes and reads.
pub(super) const FORMAT: u8 = 1;
/// Octets of a record's header.
pub(super) const HEADER_BYTES: usize = 32;
/// Records begin at multiples of this.
pub(super) const ALIGN: usize = 8;
/// Every header begins with it.
pub(super) const MAGIC: [u8; 4] = *b"MwRc";

/// A record whose length and checksum are known: all that its header says but where it will lie.
#[derive(Debug)]
pub(super) struct Sealed {
    pub(super) record: Record,
    pub(super) payload_bytes: u32,
    payload_crc: u32,
}

impl Sealed {
    /// Counts and checks a record. None: it has 4 GiB or more.
    pub(super) fn new(record: Record) -> Option<Self> {
        let (mut length, mut crc) = (0usize, 0);
        for piece in &record.pieces {
            length = length.checked_add(piece.len())?;
            crc = crc32c_append(crc, piece);
        }
        Some(Self { payload_bytes: u32::try_from(length).ok()?, payload_crc: crc, record })
    }

    /// Its header in today's format, at this position.
    pub(super) fn at(&self, position: u64) -> Header {
        let Self { record: Record { kind, .. }, payload_bytes, payload_crc } = *self;
        Header { kind, format: FORMAT, payload_bytes, payload_crc, position }
    }
}

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: u8,
    pub(super) format: u8,
    pub(super) payload_bytes: u32,
    pub(super) payload_crc: u32,
    pub(super) position: u64,
}

impl Header {
    /// The octets of it.
    pub(super) fn encode(&self, salt: u32) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[0..4].copy_from_slice(&MAGIC);
        out[4] = self.format;
        out[5] = self.kind;
        out[8..12].copy_from_slice(&self.payload_bytes.to_le_bytes());
        out[12..16].copy_from_slice(&self.payload_crc.to_le_bytes());
        out[16..24].copy_from_slice(&self.position.to_le_bytes());
        let check = crc32c_append(salt, &out[..28]);
        out[28..32].copy_from_slice(&check.to_le_bytes());
        out
    }

    /// The header at the beginning of `octets`, if there is a whole one that belongs to this position.
    pub(super) fn decode(octets: &[u8], position: u64, salt: u32) -> Option<Self> {
        let header = octets.get(..HEADER_BYTES)?;
        if header[0..4] != MAGIC || crc32c_append(salt, &header[..28]) != u32_at(header, 28)? {
            return None;
        }
        let found = u64::from(u32_at(header, 16)?) | (u64::from(u32_at(header, 20)?) << 32);
        (found == position).then_some(Self {
            kind: header[5],
            format: header[4],
            payload_bytes: u32_at(header, 8)?,
            payload_crc: u32_at(header, 12)?,
            position,
        })
    }

    /// Octets of the whole record, with header and padding.
    pub(super) fn record_bytes(&self) -> u64 {
        record_bytes(self.payload_bytes as usize)
    }

    /// Whether this payload is what was written.
    pub(super) fn fits(&self, payload: &[u8]) -> bool {
        payload.len() == self.payload_bytes as usize && crc32c(payload) == self.payload_crc
    }
}

/// Octets of a record on disk, with header and padding.
pub(super) fn record_bytes(payload_bytes: usize) -> u64 {
    (HEADER_BYTES + payload_bytes.next_multiple_of(ALIGN)) as u64
}

fn u32_at(octets: &[u8], at: usize) -> Option<u32> {
    octets.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;

    fn header(kind: u8, position: u64, payload: &[u8]) -> Header {
        let pieces = vec![Bytes::copy_from_slice(payload)];
        Sealed::new(Record { kind, pieces }).expect("short").at(position)
    }

    proptest! {
        #[test]
        fn a_header_leads_back_to_itself_and_to_no_other_place(
            kind: u8, position in 0u64..1 << 50, salt: u32, payload: Vec<u8>
        ) {
            let header = header(kind, position, &payload);
            let octets = header.encode(salt);
            prop_assert_eq!(Header::decode(&octets, position, salt), Some(header));
            prop_assert_eq!(Header::decode(&octets, position + 8, salt), None);
            prop_assert_eq!(Header::decode(&octets, position, salt ^ 1), None);
            prop_assert!(header.fits(&payload));
        }

        #[test]
        fn one_changed_octet_is_noticed(payload in proptest::collection::vec(any::<u8>(), 1..200), at: usize, flip in 1u8..) {
            let header = header(1, 0, &payload);
            let mut octets = header.encode(7).to_vec();
            octets.extend_from_slice(&payload);
            let at = at % octets.len();
            octets[at] ^= flip;
            let read = Header::decode(&octets, 0, 7);
            prop_assert!(read.is_none_or(|h| !h.fits(&octets[HEADER_BYTES..])));
        }

        #[test]
        fn any_octets_decode_without_a_panic(octets: Vec<u8>, position: u64, salt: u32) {
            let _header = Header::decode(&octets, position, salt);
        }
    }
}
