//! Report: what came of an attempt, recipient by recipient.

use crate::base::fault::Scope;
use crate::base::mail::address::Address;
use crate::base::mail::content::Composed;
use crate::base::mail::edits::Edits;
use crate::base::mail::id::QueueId;
use crate::base::smtp::reply::Reply;
use crate::base::time::UnixMillis;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What became of every recipient of one attempt.
#[derive(Clone, Debug)]
pub struct Report {
    /// The message.
    pub id: QueueId,
    /// Index of the recipient, and what became of it.
    pub outcomes: Vec<(u32, Outcome)>,
    /// The name and address of the remote that was tried last.
    pub remote: Option<Box<str>>,
    /// Of recipients whose outcome is in a remote's words, the name and address of that remote. The others' are ours.
    pub said_by: BTreeMap<u32, Arc<str>>,
    /// How the connection to it was protected, in words; none: it was in clear.
    pub tls: Option<Box<str>>,
    /// How long it took.
    pub took: Duration,
    /// The widest thing that failed: a failed site says nothing about the message, and slows the site alone.
    pub trouble: Option<Scope>,
}

/// What became of one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// 2xx: the next hop has it now (RFC 5321 6.1). `dsn_passed_on` when it promised RFC 3461's notifications.
    Delivered {
        /// The remote's words.
        reply: Reply,
        /// The next hop offers DSN and was given the parameters.
        dsn_passed_on: bool,
    },
    /// 4xx, or no connection: to be tried again.
    Deferred(Reply),
    /// 5xx: for good.
    Failed(Reply),
    /// A plugin said: not before.
    Postponed(UnixMillis),
    /// A plugin holds it; plugin and reason.
    Held(Option<Arc<str>>, Box<str>),
    /// A plugin dropped it; plugin and reason.
    Discarded(Option<Arc<str>>, Box<str>),
}

/// Recipients whose copies must be alike to share a transaction.
#[derive(Clone, Debug)]
pub struct Copy {
    /// Their edits from `on-pre-send`.
    pub edits: Edits,
    /// Their body from `on-pre-send`.
    pub body: Option<Composed>,
    /// The reverse path that leads back to it; none: the message's own.
    pub reverse_path: Option<Address>,
    /// Their indices.
    pub recipients: Vec<u32>,
}
