//! The message's body as a hook sees it and changes it: its parts, and the new body while it is recorded.

use super::refused::Refused;
use crate::base::mail::content::{Composed, Content, Piece};
use crate::base::mail::envelope::BodyType;
use crate::base::mail::header;
use crate::base::mime::tree::Tree;
use crate::base::mime::walk::TooComplex;
use crate::base::smtp::dot::LineEndCheck;
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Octets that a hook may write into a new body of one message; what it copies does not count.
pub(crate) const WRITTEN_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Octets in new bodies of all messages together: they stay in memory until the message is durable, or its attempt over.
pub(crate) const ALL_WRITTEN_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Pieces of a new body.
const PIECES_MAX: usize = 1024;
/// A piece that is shorter is joined with the one before it, in octets.
const JOINED_BYTES_MAX: usize = 64 * 1024;

/// The body of a message in a chain.
#[derive(Debug)]
pub(crate) struct BodyScene {
    /// What the envelope says that the body is made of.
    body_type: BodyType,
    /// What the message may grow to, in octets; none where nothing comes of a new body.
    size_bytes_max: Option<u64>,
    /// What the running call has recorded.
    draft: Option<Draft>,
    /// What earlier plugins of the chain made of it.
    composed: Option<Composed>,
    /// How many new bodies calls have left.
    pub(super) kept: u32,
    /// The parts, once somebody has asked for them.
    pub(crate) parts: Option<Result<Arc<Tree>, TooComplex>>,
}

/// A new body on its way.
#[derive(Debug, Default)]
struct Draft {
    pieces: Vec<Piece>,
    /// The last piece, while it may still grow.
    last: Written,
    bytes: u64,
    written_bytes: usize,
    line_ends: LineEndCheck,
}

/// Octets with their share of [`ALL_WRITTEN_BYTES_MAX`].
#[derive(Debug, Default)]
struct Written {
    octets: Vec<u8>,
    share: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Written {
    fn as_ref(&self) -> &[u8] {
        &self.octets
    }
}

/// The first and the last octet of a stretch that is copied.
pub(crate) type Ends = (u8, u8);

impl BodyScene {
    pub(crate) fn new(body_type: BodyType, size_bytes_max: Option<u64>) -> Self {
        Self { body_type, size_bytes_max, draft: None, composed: None, kept: 0, parts: None }
    }

    /// What it is made of, and what the message may grow to.
    pub(crate) fn limits(&self) -> (BodyType, Option<u64>) {
        (self.body_type, self.size_bytes_max)
    }

    /// The same body for another chain, in which nothing is recorded yet.
    pub(super) fn twin(&self) -> Self {
        Self { composed: self.composed.clone(), ..Self::new(self.body_type, self.size_bytes_max) }
    }

    /// Forgets what the running call recorded.
    pub(super) fn roll_back(&mut self) {
        self.draft = None;
    }

    /// The call is over: what it recorded becomes the message's body.
    pub(super) fn keep(&mut self, content: &mut Content) -> Result<(), Refused> {
        let Some(mut draft) = self.draft.take() else { return Ok(()) };
        if self.is_text() && draft.line_ends.found_bare() {
            return Err(Refused::Invalid);
        }
        draft.close_last();
        let composed = Composed::new(draft.pieces);
        content.head = header::with_empty_line(&content.head);
        content.body = composed.body();
        self.composed = Some(composed);
        self.kept = self.kept.saturating_add(1);
        self.parts = None;
        Ok(())
    }

    /// What the chain made of the body; none where it is as it was.
    pub(super) fn take(&mut self) -> Option<Composed> {
        self.composed.take()
    }

    /// More octets of the new body.
    pub(super) fn write(&mut self, octets: &[u8], head_bytes: usize, memory: &Arc<Semaphore>) -> Result<(), Refused> {
        // What MAIL declared is what the next hop is told (RFC 6152 3): a new body can't break it.
        if self.body_type == BodyType::SevenBit && !octets.is_ascii() {
            return Err(Refused::Invalid);
        }
        let is_text = self.is_text();
        let room = self.room(head_bytes)?;
        self.change(|draft| {
            let mut line_ends = draft.line_ends.clone();
            line_ends.feed(octets);
            if is_text && line_ends.is_broken() {
                return Err(Refused::Invalid);
            }
            let written_bytes = draft.written_bytes.saturating_add(octets.len());
            let is_full = draft.pieces.len() >= PIECES_MAX;
            if octets.len() as u64 > room || written_bytes > WRITTEN_BYTES_MAX || is_full {
                return Err(Refused::TooLarge);
            }
            let count = u32::try_from(octets.len()).map_err(|_| Refused::TooLarge)?;
            let share = Arc::clone(memory).try_acquire_many_owned(count).map_err(|_| Refused::TooLarge)?;
            draft.write(octets, share);
            (draft.written_bytes, draft.line_ends) = (written_bytes, line_ends);
            Ok(())
        })
    }

    /// A stretch of the body as it was before the call. `ends` are its first and last octets; none if it is empty.
    pub(super) fn copy(
        &mut self,
        content: &Content,
        offset: u64,
        bytes: u64,
        ends: Option<Ends>,
    ) -> Result<(), Refused> {
        let is_text = self.is_text();
        let room = self.room(content.head.len())?;
        let stretch = match &self.composed {
            Some(composed) => composed.stretch(offset, bytes),
            None => Composed::from(&content.body).stretch(offset, bytes),
        };
        self.change(|draft| {
            let Some((first, last)) = ends.filter(|_| bytes > 0) else { return Ok(()) };
            let mut line_ends = draft.line_ends.clone();
            line_ends.feed(&[first]);
            if is_text && line_ends.is_broken() {
                return Err(Refused::Invalid);
            }
            if bytes > 1 {
                // The old body was checked when it came: within it every CR has its LF.
                line_ends = LineEndCheck::default();
                line_ends.feed(if last == b'\r' { b"\r" } else { b"" });
            }
            // One more for what was written before it.
            if bytes > room || draft.pieces.len() + stretch.len() + 1 > PIECES_MAX {
                return Err(Refused::TooLarge);
            }
            draft.close_last();
            draft.pieces.extend(stretch);
            draft.bytes += bytes;
            draft.line_ends = line_ends;
            Ok(())
        })
    }

    /// A refused change begins no new body.
    fn change(&mut self, change: impl FnOnce(&mut Draft) -> Result<(), Refused>) -> Result<(), Refused> {
        let is_begun = self.draft.is_some();
        let changed = change(self.draft.get_or_insert_default());
        if changed.is_err() && !is_begun {
            self.draft = None;
        }
        changed
    }

    /// RFC 3030 3: a binary body has no lines.
    fn is_text(&self) -> bool {
        self.body_type != BodyType::BinaryMime
    }

    /// How many octets more the message may have.
    fn room(&self, head_bytes: usize) -> Result<u64, Refused> {
        let size_bytes_max = self.size_bytes_max.ok_or(Refused::NotHere)?;
        let drafted = self.draft.as_ref().map_or(0, |draft| draft.bytes);
        Ok(size_bytes_max.saturating_sub(drafted.saturating_add(head_bytes as u64)))
    }
}

impl Draft {
    fn write(&mut self, octets: &[u8], share: OwnedSemaphorePermit) {
        if self.last.octets.len() >= JOINED_BYTES_MAX {
            self.close_last();
        }
        self.last.octets.extend_from_slice(octets);
        match &mut self.last.share {
            Some(all) => all.merge(share),
            none => *none = Some(share),
        }
        self.bytes += octets.len() as u64;
    }

    fn close_last(&mut self) {
        let written = std::mem::take(&mut self.last);
        if !written.octets.is_empty() {
            self.pieces.push(Piece::Memory(Bytes::from_owner(written)));
        }
    }
}
