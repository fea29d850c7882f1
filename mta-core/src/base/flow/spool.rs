//! The spool's door: where accepted mail becomes durable, and where its state is kept.

use super::Answer;
use super::entry::Entry;
use super::offer::Offer;
use super::operator::Selection;
use super::ruling::Ruling;
use crate::base::fault::SpoolFault;
use crate::base::mail::content::Content;
use crate::base::mail::id::QueueId;
use bytes::Bytes;
use std::sync::Arc;

/// The spool, as the stages see it.
pub trait Spool: Send + Sync {
    /// Whether new mail can be taken now; asked at MAIL, so that a full disk is told before the content is sent.
    fn room(&self) -> Room;

    /// Opens a place on disk for a large message's content while it arrives.
    fn blob(&self, id: QueueId) -> Answer<'_, Result<Box<dyn Blob>, SpoolFault>>;

    /// Makes the message durable and hands it to the queue. Only after `Ok` may 250 be said.
    fn accept(&self, offer: Offer) -> Answer<'_, Result<(), SpoolFault>>;

    /// The message's present state; none when it has ended.
    fn entry(&self, id: QueueId) -> Answer<'_, Result<Option<Arc<Entry>>, SpoolFault>>;

    /// The message's content.
    fn content(&self, id: QueueId) -> Answer<'_, Result<Content, SpoolFault>>;

    /// Makes a ruling durable: recipients' new states and the notifications that follow from them, in one commit.
    /// Returns what is left of the message; none when every recipient has ended and the message is gone.
    fn rule(&self, ruling: Ruling) -> Answer<'_, Result<Option<Arc<Entry>>, SpoolFault>>;

    /// Up to `limit` queued entries with ids above `after`, in the order of their ids.
    fn list(
        &self,
        selection: Selection,
        after: Option<QueueId>,
        limit: usize,
    ) -> Answer<'_, Result<Vec<Arc<Entry>>, SpoolFault>>;
}

/// A large message's content on its way to disk. Dropped without `finish`, it leaves nothing behind.
pub trait Blob: Send {
    /// Appends; waits while the disk is behind.
    fn write(&mut self, octets: Bytes) -> Answer<'_, Result<(), SpoolFault>>;

    /// All was written and is on stable storage: from here the content can be read, and offered.
    fn finish(self: Box<Self>, head: Bytes) -> Answer<'static, Result<Content, SpoolFault>>;
}

/// Whether new mail can be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Yes.
    Open,
    /// The disk is nearly full: 452 4.3.1 (RFC 5321 4.2.3, RFC 3463 3.4).
    DiskLow,
    /// The disk failed: 451 4.3.0 until it writes again.
    Failing,
}
