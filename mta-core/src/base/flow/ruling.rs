//! Ruling: what a report means for the message: recipients' new states, and notifications to send.

use super::offer::Offer;
use super::report::Report;
use crate::base::flow::entry::{Entry, Progress};
use crate::base::mail::content::Content;
use crate::base::mail::id::QueueId;
use crate::base::time::Now;
use bytes::Bytes;

/// A change of state, made durable by one commit.
#[derive(Debug)]
pub struct Ruling {
    /// The message.
    pub id: QueueId,
    /// Recipients and their new states.
    pub changes: Vec<(u32, Progress)>,
    /// Notifications that these changes owe (RFC 3464): accepted in the same commit, or not at all.
    pub notifications: Vec<Offer>,
}

/// The settle stage, as the queue sees it: pure, it only decides.
pub trait Settle: Send + Sync {
    /// What the report means. `head` is the content's header section, for the notification.
    fn settle(&self, entry: &Entry, content: &Content, report: &Report, now: Now) -> Ruling;

    /// What age alone means: expires recipients beyond their maximum age, and owes delay notifications
    /// (RFC 3461 5.2.3). None when nothing is due.
    fn age(&self, entry: &Entry, head: &Bytes, now: Now) -> Option<Ruling>;
}
