//! Ruling: what a report means for the message: recipients' new states, and notifications to send.

use super::attempt::NextHop;
use super::offer::Offer;
use super::report::Report;
use crate::base::flow::entry::{Entry, Progress};
use crate::base::flow::placement::Placement;
use crate::base::mail::content::Content;
use crate::base::mail::id::QueueId;
use crate::base::time::Now;

/// The tag of a notification's entry that says its kind: `failed`, `delayed`, `relayed` or `delivered`.
pub const NOTIFICATION_TAG: &str = "notification";

/// A change of state, made durable by one commit.
#[derive(Debug)]
pub struct Ruling {
    /// The message.
    pub id: QueueId,
    /// Recipients and their new states.
    pub changes: Vec<(u32, Progress)>,
    /// Recipients and what policy said of their way; none: it is to be asked anew.
    pub placements: Vec<(u32, Option<Placement>)>,
    /// Notifications that these changes owe (RFC 3464): accepted in the same commit, or not at all.
    pub notifications: Vec<Offer>,
}

/// The settle stage, as the queue sees it: pure, it only decides.
pub trait Settle: Send + Sync {
    /// What the report of an attempt to `hop` means. The content is there for the notification.
    fn settle(&self, entry: &Entry, content: &Content, hop: &NextHop, report: &Report, now: Now) -> Ruling;

    /// What age alone means for these recipients: expires those beyond the maximum age (RFC 5321 4.5.4.1), and owes
    /// delay notifications (RFC 3461 5.2.5). The content may be gone: then notifications return none of it.
    fn age(&self, entry: &Entry, recipients: &[u32], content: Option<&Content>, now: Now) -> Option<Ruling>;
}
