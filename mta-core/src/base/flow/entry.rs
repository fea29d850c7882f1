//! A queued message: what was accepted, and how far each recipient has come.

use super::placement::Placement;
use crate::base::mail::canonical::BodyHash;
use crate::base::mail::edits::Edits;
use crate::base::mail::envelope::{Envelope, RecipientSet};
use crate::base::mail::id::QueueId;
use crate::base::smtp::reply::Reply;
use crate::base::time::UnixMillis;
use data_encoding::BASE64_NOPAD;
use serde::{Deserialize, Serialize};

/// A durable message without its content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name.
    pub id: QueueId,
    /// When its 250 became due; its age counts from here.
    pub accepted: UnixMillis,
    /// As accepted, after the envelope edits of policy.
    pub envelope: Envelope,
    /// Our Received field, with CRLF, that precedes the content on its way out (RFC 5321 4.4).
    pub trace: Box<str>,
    /// Header edits of policy.
    pub edits: Edits,
    /// Length of the content in octets, without `trace` and `edits`.
    pub size_bytes: u64,
    /// Length of the content's header section in octets, with the empty line.
    pub head_bytes: u32,
    /// The tenant it belongs to.
    pub tenant: Option<Box<str>>,
    /// Tags that policy set.
    pub tags: Vec<(Box<str>, Box<str>)>,
    /// How far each recipient has come: as many as `envelope.recipients`, in their order.
    pub progress: Vec<Progress>,
    /// What policy said of each recipient's way: as many, or none where it was never asked; none of a recipient that it
    /// is still to be asked about. Not among the entry's octets on the disk: the spool keeps it beside them, so that what
    /// earlier versions wrote can be read.
    #[serde(skip)]
    pub placements: Vec<Option<Box<Placement>>>,
}

/// Tags that begin so are the server's own: plugins can't write them.
pub const OWN_TAGS: &str = "mailwright/";
/// How often plugins sent mail up to this message.
pub const SUBMITTED_TAG: &str = "mailwright/submitted";
/// It came from somebody whom we relay for, or is a notification of ours.
pub const OURS_TAG: &str = "mailwright/ours";
/// It came from somebody whom we don't relay for.
pub const OUTSIDE_TAG: &str = "mailwright/outside";
/// The SHA-256 of its body in relaxed form, in base64: taken while it came, for the signatures on its way out.
pub const BODY_TAG: &str = "mailwright/body";
/// It came with REQUIRETLS, or is a notification about such a message (RFC 8689 4.1, 5).
pub const REQUIRETLS_TAG: &str = "mailwright/requiretls";

/// One recipient's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Progress {
    /// To be tried at `due`.
    Pending {
        /// Attempts made.
        attempts: u16,
        /// Not before this.
        due: UnixMillis,
        /// What came of the last attempt.
        last: Option<Box<LastFailure>>,
        /// The sender was told of the delay, or need not be (RFC 3461 5.2.5).
        delay_told: bool,
    },
    /// Kept until an operator decides: held or quarantined by policy, with the reason.
    Held(Box<str>),
    /// Ended.
    Done(Fate),
}

/// Why the last attempt did not deliver: shown to operators and in notifications.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastFailure {
    /// When.
    pub at: UnixMillis,
    /// The remote's reply, or ours where it never said one.
    pub reply: Reply,
    /// The remote's name, where one was reached (RFC 3464 2.3.5).
    pub remote: Option<Box<str>>,
}

/// How a recipient ended: exactly one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fate {
    /// The next hop took it.
    Delivered,
    /// Refused for good; the sender was told where RFC 3461 asks for it.
    Bounced,
    /// Dropped by policy.
    Discarded,
    /// Too old.
    Expired,
    /// Taken out by an operator.
    Cancelled,
}

impl Progress {
    /// A recipient that was just accepted.
    #[must_use]
    pub fn fresh(now: UnixMillis) -> Self {
        Self::Pending { attempts: 0, due: now, last: None, delay_told: false }
    }
}

impl Entry {
    /// Every recipient has ended: the message can go.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.progress.iter().all(|p| matches!(p, Progress::Done(_)))
    }

    /// We answer for it: it came from somebody whom we relay for, or was made here by a plugin or as a notification. What
    /// strangers send to our domains is not, whatever author it claims.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.tags.iter().any(|(name, _)| matches!(&**name, OURS_TAG | SUBMITTED_TAG))
    }

    /// A stranger sent it. Where it goes on to another server it is forwarded.
    #[must_use]
    pub fn is_from_outside(&self) -> bool {
        self.tag(OUTSIDE_TAG).is_some()
    }

    /// The hash of its body in relaxed form, where it was taken while the message came.
    #[must_use]
    pub fn body_hash(&self) -> Option<BodyHash> {
        BASE64_NOPAD.decode(self.tag(BODY_TAG)?.as_bytes()).ok()?.try_into().ok()
    }

    /// Keeps the hash of its body, which is never changed from here on.
    pub fn keep_body_hash(&mut self, hash: &BodyHash) {
        self.tags.push((BODY_TAG.into(), BASE64_NOPAD.encode(hash).into()));
    }

    fn tag(&self, name: &str) -> Option<&str> {
        self.tags.iter().find(|(known, _)| &**known == name).map(|(_, value)| &**value)
    }

    /// It goes to hosts that are authenticated and promise the same, and to no other (RFC 8689 4.2).
    #[must_use]
    pub fn requires_tls(&self) -> bool {
        self.tags.iter().any(|(name, _)| &**name == REQUIRETLS_TAG)
    }

    /// From the null sender: nobody is told what becomes of it (RFC 5321 4.5.5), and its age limit is its own.
    #[must_use]
    pub fn is_notification(&self) -> bool {
        self.envelope.sender.is_none()
    }

    /// What policy said of the recipient's way; none: it was not asked yet.
    #[must_use]
    pub fn placement(&self, recipient: usize) -> Option<&Placement> {
        self.placements.get(recipient)?.as_deref()
    }

    /// Notes what policy said, or that it is to be asked anew.
    pub fn place(&mut self, recipient: u32, placement: Option<Placement>) {
        let Ok(place) = usize::try_from(recipient) else { return };
        if placement.is_some() {
            self.placements.resize(self.progress.len(), None);
        }
        if let Some(slot) = self.placements.get_mut(place) {
            *slot = placement.map(Box::new);
        }
        if self.placements.iter().all(Option::is_none) {
            self.placements = Vec::new();
        }
    }

    /// The recipients that wait for an attempt.
    pub fn pending(&self) -> RecipientSet {
        (0u32..).zip(&self.progress).filter(|(_, p)| matches!(p, Progress::Pending { .. })).map(|(i, _)| i).collect()
    }
}
