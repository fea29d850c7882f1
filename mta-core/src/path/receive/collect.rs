//! A message's content while it arrives: in memory when small, on its way to disk when large, dropped when refused.

use super::doors::Charge;
use crate::base::fault::SpoolFault;
use crate::base::mail::canonical::{BodyHash, Hasher};
use crate::base::mail::header;
use crate::config::model::{Config, Limits};
use bytes::Bytes;
use mail_auth::dkim::Canonicalization;
use memchr::memmem;

/// Octets that go to disk in one piece.
const SPILL_BYTES: usize = 128 * 1024;

/// The most that is set aside because SIZE said so, before any octet has come.
const ANNOUNCED_BYTES_MAX: u64 = 256 * 1024;

/// Takes content in pieces. Whatever goes wrong is remembered; the rest is then taken and dropped, because a client
/// must be heard to the end before it can be told (RFC 5321 4.1.1.4, RFC 3030 2).
#[derive(Debug)]
pub(super) struct Collector {
    limits: ContentLimits,
    /// What is in memory: everything, or what is not on disk yet.
    buffer: Vec<u8>,
    /// How much of the buffer was searched for the end of the header section.
    searched: usize,
    /// Length of the header section, once its end was found.
    head_bytes: Option<usize>,
    /// The header section, once the body goes to disk.
    spilled_head: Option<Bytes>,
    received_bytes: u64,
    refusal: Option<Refusal>,
    charge: Charge,
    /// Hashes the body on its way out of here, where somebody will sign it (RFC 6376 3.7).
    hasher: Option<Hasher>,
}

/// The limits that content meets.
#[derive(Clone, Copy, Debug)]
pub(super) struct ContentLimits {
    message_bytes_max: u64,
    header_bytes_max: usize,
    received_hops_max: usize,
    content_memory_bytes_max: usize,
    blob_bytes_min: u64,
}

/// Why content is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Above `message_bytes_max`.
    TooLarge,
    /// Above `header_bytes_max`.
    HeaderTooLarge,
    /// More than `received_hops_max` Received fields.
    Loop,
    /// A CR or LF stood alone.
    BareLineEnd,
    /// The disk did not take it.
    Spool(SpoolFault),
}

/// Content that arrived whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Collected {
    /// All of it, header section first, and the length of that section.
    Memory(Bytes, usize),
    /// The header section, and the last octets of the content that the disk does not have yet.
    Spilled { head: Bytes, rest: Bytes },
}

impl ContentLimits {
    pub(super) fn of(config: &Config) -> Self {
        let Limits { message_bytes_max, header_bytes_max, received_hops_max, content_memory_bytes_max, .. } =
            config.limits;
        let blob_bytes_min = config.storage.blob_bytes_min;
        Self { message_bytes_max, header_bytes_max, received_hops_max, content_memory_bytes_max, blob_bytes_min }
    }
}

impl Collector {
    /// For a message of which SIZE announced so many octets.
    pub(super) fn new(limits: ContentLimits, announced_bytes: Option<u64>, charge: Charge) -> Self {
        let announced = announced_bytes.unwrap_or(0).min(ANNOUNCED_BYTES_MAX).min(limits.blob_bytes_min);
        let mut collector = Self {
            limits,
            buffer: Vec::new(),
            searched: 0,
            head_bytes: None,
            spilled_head: None,
            received_bytes: 0,
            refusal: None,
            charge,
            hasher: None,
        };
        if collector.charge.all_bytes() < limits.content_memory_bytes_max {
            collector.buffer = Vec::with_capacity(usize::try_from(announced).unwrap_or(0));
        }
        collector
    }

    /// The same, with the body hashed in relaxed form.
    #[must_use]
    pub(super) fn hashing(self) -> Self {
        Self { hasher: Some(Hasher::new(Canonicalization::Relaxed)), ..self }
    }

    /// The hash of the body, once it has ended.
    pub(super) fn body_hash(&mut self) -> Option<BodyHash> {
        self.hasher.take().map(Hasher::finish)
    }

    /// The next octets of the content.
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.received_bytes = self.received_bytes.saturating_add(piece.len() as u64);
        if self.received_bytes > self.limits.message_bytes_max {
            self.refuse(Refusal::TooLarge);
        }
        if self.refusal.is_some() {
            return;
        }
        self.buffer.extend_from_slice(piece);
        if self.head_bytes.is_none() {
            self.find_head();
        }
    }

    /// Drops what came and all that will come; the first reason counts.
    pub(super) fn refuse(&mut self, why: Refusal) {
        if self.refusal.is_none() {
            self.refusal = Some(why);
            self.buffer = Vec::new();
            self.spilled_head = None;
            self.charge.set(0);
        }
    }

    /// Why the content will be refused, as far as is known.
    pub(super) fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_ref()
    }

    /// Octets of the content so far.
    pub(super) fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    /// Octets that are to go to disk now: all of the content goes there, and the header section stays at hand besides.
    /// To be asked for after each read.
    pub(super) fn spill(&mut self) -> Option<Bytes> {
        let held = self.charge.set(self.buffer.capacity());
        let is_large = self.received_bytes > self.limits.blob_bytes_min;
        let memory_is_full = held > self.limits.content_memory_bytes_max;
        // The header section stays in memory; it has its own bound, so what came before its end is small.
        let head_bytes = self.head_bytes?;
        if self.refusal.is_some() || !(is_large || memory_is_full || self.spilled_head.is_some()) {
            return None;
        }
        if self.spilled_head.is_none() {
            let head = self.buffer.get(..head_bytes).unwrap_or(&self.buffer);
            self.spilled_head = Some(Bytes::copy_from_slice(head));
        }
        if self.buffer.len() < SPILL_BYTES && !memory_is_full {
            return None;
        }
        self.hash();
        let piece = std::mem::take(&mut self.buffer);
        self.charge.set(0);
        (!piece.is_empty()).then(|| piece.into())
    }

    /// The content has ended. The collector keeps its share of the common memory until it is dropped.
    pub(super) fn finish(&mut self) -> Result<Collected, Refusal> {
        if let Some(why) = self.refusal.take() {
            return Err(why);
        }
        self.hash();
        let buffer = std::mem::take(&mut self.buffer);
        if let Some(head) = self.spilled_head.take() {
            return Ok(Collected::Spilled { head, rest: buffer.into() });
        }
        // Without an empty line all of it is the header section (RFC 5322 2.1: the body is optional).
        let head_bytes = self.head_bytes.unwrap_or(buffer.len());
        if self.head_bytes.is_none() && is_looping(&buffer, self.limits.received_hops_max) {
            return Err(Refusal::Loop);
        }
        Ok(Collected::Memory(buffer.into(), head_bytes))
    }

    /// Hashes what the buffer has of the body, right before it is given away.
    fn hash(&mut self) {
        let Some(hasher) = &mut self.hasher else { return };
        // Without its end all that came is the header section.
        let head_bytes = self.head_bytes.unwrap_or(self.buffer.len());
        let given_bytes = usize::try_from(self.received_bytes).unwrap_or(usize::MAX).saturating_sub(self.buffer.len());
        hasher.feed(self.buffer.get(head_bytes.saturating_sub(given_bytes)..).unwrap_or_default());
    }

    /// Looks for the empty line in what is new, and checks the section once it is whole.
    fn find_head(&mut self) {
        let end = if self.searched == 0 && self.buffer.starts_with(b"\r\n") {
            Some(2)
        } else {
            // The empty line may straddle two pieces.
            let from = self.searched.saturating_sub(3);
            memmem::find(&self.buffer[from..], b"\r\n\r\n").map(|at| from + at + 4)
        };
        // A first piece of one CR must be looked at again as a beginning.
        self.searched = if self.buffer.len() < 2 { 0 } else { self.buffer.len() };
        if end.unwrap_or(self.searched) > self.limits.header_bytes_max {
            return self.refuse(Refusal::HeaderTooLarge);
        }
        self.head_bytes = end;
        if end.is_some_and(|end| is_looping(&self.buffer[..end], self.limits.received_hops_max)) {
            self.refuse(Refusal::Loop);
        }
    }
}

/// Counting Received fields is how RFC 5321 6.3 finds loops.
fn is_looping(head: &[u8], received_hops_max: usize) -> bool {
    header::fields(head).filter(|field| field.name.eq_ignore_ascii_case("Received")).count() > received_hops_max
}

#[cfg(test)]
mod tests {
    use super::super::doors::ContentMemory;
    use super::*;
    use crate::base::mail::canonical;
    use crate::base::mail::content::Body;
    use proptest::prelude::*;
    use std::sync::Arc;

    const LIMITS: ContentLimits = ContentLimits {
        message_bytes_max: 1 << 20,
        header_bytes_max: 100,
        received_hops_max: 2,
        content_memory_bytes_max: 1 << 20,
        blob_bytes_min: 1000,
    };

    fn collect(limits: ContentLimits, pieces: &[&[u8]]) -> (Result<Collected, Refusal>, Vec<u8>) {
        let (collected, disk, _) = hashed(limits, pieces);
        (collected, disk)
    }

    /// With the hash of the body.
    fn hashed(limits: ContentLimits, pieces: &[&[u8]]) -> (Result<Collected, Refusal>, Vec<u8>, Option<BodyHash>) {
        let mut collector = Collector::new(limits, None, Charge::new(Arc::new(ContentMemory::default()))).hashing();
        let mut disk = Vec::new();
        for piece in pieces {
            collector.push(piece);
            if let Some(spilled) = collector.spill() {
                disk.extend_from_slice(&spilled);
            }
        }
        (collector.finish(), disk, collector.body_hash())
    }

    fn hash_of(body: &[u8]) -> Option<BodyHash> {
        let body = Body::Memory(Bytes::copy_from_slice(body));
        canonical::hashes(&body, &[Canonicalization::Relaxed]).ok()?.first().copied()
    }

    #[test]
    fn a_body_is_hashed_while_it_comes_wherever_it_goes_rfc6376_3_7() {
        let body = b"some  words \r\n".repeat(20_000);
        let (large, small) = (LIMITS, ContentLimits { content_memory_bytes_max: 4, ..LIMITS });
        for limits in [large, small] {
            let (collected, disk, hash) = hashed(limits, &[b"A: b\r\n\r", b"\nx", &body[..150_000], &body[150_000..]]);
            assert!(matches!(collected, Ok(Collected::Spilled { .. })) && !disk.is_empty());
            assert_eq!(hash, hash_of(&[b"x", &*body].concat()));
        }
        assert_eq!(hashed(LIMITS, &[b"A: b\r\n\r\nbody"]).2, hash_of(b"body"));
        assert_eq!(hashed(LIMITS, &[b"A: b\r\n"]).2, hash_of(b""), "all of it is header section");
    }

    #[test]
    fn small_content_stays_in_memory_with_its_header_section_known() {
        let (collected, disk) = collect(LIMITS, &[b"A: b\r", b"\n\r", b"\nbody"]);
        assert_eq!(collected, Ok(Collected::Memory("A: b\r\n\r\nbody".into(), 8)));
        assert!(disk.is_empty());
        assert_eq!(collect(LIMITS, &[b"\r", b"\nbody"]).0, Ok(Collected::Memory("\r\nbody".into(), 2)));
        assert_eq!(collect(LIMITS, &[b"A: b\r\n"]).0, Ok(Collected::Memory("A: b\r\n".into(), 6)));
    }

    #[test]
    fn large_content_goes_to_disk_while_it_arrives() {
        let body = vec![b'x'; 300_000];
        let (collected, disk) = collect(LIMITS, &[b"A: b\r\n\r\n", &body[..200_000], &body[200_000..]]);
        let Ok(Collected::Spilled { head, rest }) = collected else { panic!("{collected:?}") };
        assert_eq!(&head[..], b"A: b\r\n\r\n");
        assert_eq!(disk.len(), 200_008);
        assert_eq!([&disk[..], &rest[..]].concat(), [&head[..], &body].concat());
    }

    #[test]
    fn when_all_sessions_hold_too_much_even_small_content_goes_to_disk() {
        let limits = ContentLimits { content_memory_bytes_max: 4, ..LIMITS };
        let (collected, disk) = collect(limits, &[b"A: b\r\n\r\nbody", b" and more"]);
        assert_eq!(collected, Ok(Collected::Spilled { head: "A: b\r\n\r\n".into(), rest: Bytes::new() }));
        assert_eq!(disk, b"A: b\r\n\r\nbody and more");
    }

    #[test]
    fn each_limit_has_its_own_refusal() {
        let long = [b"A: ".as_slice(), &[b'x'; 100], b"\r\n\r\n"].concat();
        assert_eq!(collect(LIMITS, &[&long]).0, Err(Refusal::HeaderTooLarge));
        assert_eq!(collect(LIMITS, &[&long[..102]]).0, Err(Refusal::HeaderTooLarge), "before its end has come");
        let hops = b"Received: 1\r\nRECEIVED: 2\r\nReceived: 3\r\n";
        assert_eq!(collect(LIMITS, &[hops, b"\r\n"]).0, Err(Refusal::Loop), "RFC 5321 6.3");
        assert_eq!(collect(LIMITS, &[hops]).0, Err(Refusal::Loop), "without an empty line too");
        assert!(collect(LIMITS, &[&hops[13..], b"\r\n"]).0.is_ok(), "two hops are allowed");
        let small = ContentLimits { message_bytes_max: 10, ..LIMITS };
        assert_eq!(collect(small, &[b"A: b\r\n\r\n123"]).0, Err(Refusal::TooLarge));
        assert!(collect(small, &[b"A: b\r\n\r\n12"]).0.is_ok());
    }

    #[test]
    fn the_common_memory_is_given_back() {
        let memory = Arc::new(ContentMemory::default());
        let mut collector = Collector::new(LIMITS, Some(500), Charge::new(Arc::clone(&memory)));
        collector.push(b"A: b\r\n\r\n");
        assert!(collector.spill().is_none() && memory.bytes() >= 500);
        collector.refuse(Refusal::BareLineEnd);
        assert_eq!(memory.bytes(), 0);
        let mut other = Collector::new(LIMITS, None, Charge::new(Arc::clone(&memory)));
        other.push(b"x");
        other.spill();
        drop(other);
        assert_eq!(memory.bytes(), 0);
    }

    proptest! {
        #[test]
        fn any_split_collects_the_same(input in "[ab\r\n]{0,40}", cut in 0_usize..40, other in 0_usize..40) {
            let octets = input.as_bytes();
            let (cut, other) = (cut.min(octets.len()), other.min(octets.len()));
            let (low, high) = (cut.min(other), cut.max(other));
            let parts = collect(LIMITS, &[&octets[..low], &octets[low..high], &octets[high..]]);
            prop_assert_eq!(parts, collect(LIMITS, &[octets]));
        }
    }
}
