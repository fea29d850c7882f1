//! What becomes of a recipient.

use crate::base::smtp::reply::Reply;

/// What plugins are told of a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The next hop took it, with these words.
    Delivered(Reply),
    /// It will be tried again.
    Deferred(Reply),
    /// Refused for good.
    Bounced(Reply),
    /// Too old.
    Expired,
    /// Taken out by an operator.
    Cancelled,
}

/// The same without its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutcomeKind {
    /// As [`Outcome::Delivered`].
    Delivered,
    /// As [`Outcome::Deferred`].
    Deferred,
    /// As [`Outcome::Bounced`].
    Bounced,
    /// As [`Outcome::Expired`].
    Expired,
    /// As [`Outcome::Cancelled`].
    Cancelled,
}

impl Outcome {
    /// Which it is.
    #[must_use]
    pub fn kind(&self) -> OutcomeKind {
        match self {
            Self::Delivered(_) => OutcomeKind::Delivered,
            Self::Deferred(_) => OutcomeKind::Deferred,
            Self::Bounced(_) => OutcomeKind::Bounced,
            Self::Expired => OutcomeKind::Expired,
            Self::Cancelled => OutcomeKind::Cancelled,
        }
    }
}
