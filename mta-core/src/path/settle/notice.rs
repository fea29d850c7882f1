//! What there is to tell a sender, and how its pieces are written (RFC 3464 2.3).

use crate::base::flow::entry::{Entry, LastFailure};
use crate::base::mail::address::Address;
use crate::base::mail::content::Content;
use crate::base::mail::envelope::Recipient;
use crate::base::smtp::reply::Reply;
use crate::base::smtp::status::EnhancedStatus;
use crate::base::time::UnixMillis;

/// Delivery time expired (RFC 3463 3.5): transient trouble that lasted too long.
pub(super) const EXPIRED: EnhancedStatus = EnhancedStatus::new(4, 4, 7);

/// What is told of a recipient (RFC 3464 2.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Given up.
    Failed,
    /// Still being tried.
    Delayed,
    /// Handed to a host that promised no notifications.
    Relayed,
    /// In the recipient's mailbox.
    Delivered,
}

impl Action {
    /// As written in the Action field.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Relayed => "relayed",
            Self::Delivered => "delivered",
        }
    }
}

/// What is told of one recipient.
pub(super) struct Notice<'a> {
    pub(super) recipient: &'a Recipient,
    pub(super) action: Action,
    pub(super) status: EnhancedStatus,
    /// The last attempt; none when there was none.
    pub(super) last: Option<LastFailure>,
    /// How long it will be tried.
    pub(super) retry_until: Option<UnixMillis>,
}

/// Everything that goes into one notification.
pub(super) struct Notification<'a> {
    pub(super) hostname: &'a str,
    pub(super) entry: &'a Entry,
    pub(super) sender: &'a Address,
    pub(super) kind: Action,
    pub(super) notices: &'a [&'a Notice<'a>],
    pub(super) content: Option<&'a Content>,
}

/// The reply's own status, if its class fits what is told (RFC 3464 2.3.4).
pub(super) fn status_of(reply: &Reply, class: u8) -> Option<EnhancedStatus> {
    reply.status.filter(|status| status.class == class)
}

/// The address as it is written in the message: with A-labels (RFC 5890 2.3.2.1) where that makes it ASCII, because
/// then it passes everywhere.
pub(super) fn mailbox(address: &Address) -> String {
    address.to_ascii().map_or_else(|| address.to_string(), |ascii| ascii.to_string())
}
