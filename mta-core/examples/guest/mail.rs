//! A message that benches ask plugins about, on its way in and out.

use bytes::Bytes;
use mta_core::base::flow::entry::{Entry, Progress};
use mta_core::base::flow::policy::{Asked, Sendout, Submission};
use mta_core::base::mail::content::{Body, Content};
use mta_core::base::mail::edits::Edits;
use mta_core::base::mail::envelope::Envelope;
use mta_core::base::mail::id::QueueId;
use mta_core::base::time::UnixMillis;
use std::sync::Arc;

/// A new body's limit, in octets.
const SIZE_BYTES_MAX: u64 = 1 << 20;

/// The message, with one recipient.
pub(crate) struct Mail {
    pub(crate) entry: Arc<Entry>,
    pub(crate) content: Content,
}

impl Mail {
    pub(crate) fn new(envelope: Envelope, head: &'static str, body: Vec<u8>) -> Self {
        let entry = Entry {
            id: QueueId(7),
            accepted: UnixMillis(0),
            envelope,
            trace: "".into(),
            edits: Edits::default(),
            size_bytes: 4096,
            head_bytes: 0,
            tenant: None,
            tags: Vec::new(),
            progress: vec![Progress::fresh(UnixMillis(0))],
            placements: Vec::new(),
        };
        let content = Content { head: Bytes::from_static(head.as_bytes()), body: Body::Memory(body.into()) };
        Self { entry: entry.into(), content }
    }

    pub(crate) fn rcpt(&self) -> Asked<'_> {
        Asked::Rcpt { sender: None, to: &self.entry.envelope.recipients[0] }
    }

    pub(crate) fn submission(&self) -> Submission<'_> {
        Submission {
            id: self.entry.id,
            envelope: &self.entry.envelope,
            content: &self.content,
            size_bytes_max: SIZE_BYTES_MAX,
            verified: None,
            is_ours: false,
        }
    }

    pub(crate) fn sendout(&self) -> Sendout<'_> {
        Sendout {
            entry: &self.entry,
            content: &self.content,
            recipient: 0,
            attempt: 1,
            site: "mx",
            size_bytes_max: SIZE_BYTES_MAX,
        }
    }
}
