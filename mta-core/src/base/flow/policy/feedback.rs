//! Feedback: what plugins are told of a report that came back by mail.

use crate::base::flow::entry::Entry;
use crate::base::mail::content::Content;
use crate::base::mail::tie::Sent;
use crate::base::smtp::status::EnhancedStatus;
use std::sync::Arc;

/// A report that came back, and what it is tied to, for `on-feedback`.
#[derive(Clone, Copy, Debug)]
pub struct Returned<'a> {
    /// The report itself, as it was queued.
    pub entry: &'a Entry,
    /// Its content.
    pub content: &'a Content,
    /// What it is about.
    pub sent: &'a Sent,
    /// What it says.
    pub kind: &'a Kind,
}

/// What a report says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It could not be delivered after all (RFC 3464).
    Bounce(Bounce),
    /// Somebody complained (RFC 5965): the type of the feedback, as `abuse`, in lower case.
    Complaint(Box<str>),
    /// The recipient wants no more (RFC 2369 3.2).
    Unsubscribe,
}

/// Why it could not be delivered (RFC 3464 2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounce {
    /// The report's status; class 5 is for good.
    pub status: EnhancedStatus,
    /// What the last server said, printable.
    pub diagnostic: Option<Box<str>>,
    /// The last server's name.
    pub remote: Option<Box<str>>,
}

impl Kind {
    /// As logs name it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Bounce(_) => "bounce",
            Self::Complaint(_) => "complaint",
            Self::Unsubscribe => "unsubscribe",
        }
    }
}

/// Whether plugins were told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// All that were to be: so many.
    By(u32),
    /// That one can't be told now; the others are, or will be with it.
    Later(Arc<str>),
}
