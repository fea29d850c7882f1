//! A delivery status notification as a message: multipart/report (RFC 6522) with the words for people, the status for
//! machines (RFC 3464, RFC 6533) and what is returned of the message (RFC 3461 4.3).

mod returned;
mod status;
#[cfg(test)]
mod tests;
mod words;

use crate::base::flow::entry::{Entry, LastFailure, Progress};
use crate::base::flow::offer::{Offer, OfferedContent};
use crate::base::flow::ruling::NOTIFICATION_TAG;
use crate::base::mail::address::Address;
use crate::base::mail::content::Content;
use crate::base::mail::edits::Edits;
use crate::base::mail::envelope::{BodyType, Envelope, Notify, Recipient};
use crate::base::mail::header;
use crate::base::mail::id::QueueId;
use crate::base::smtp::reply::Reply;
use crate::base::smtp::status::EnhancedStatus;
use crate::base::time::UnixMillis;
use bytes::Bytes;
use jiff::tz::TimeZone;
use std::fmt::Write as _;

/// A Message-ID of the original that is longer is not quoted in ours, in octets.
const QUOTED_ID_BYTES_MAX: usize = 250;

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

impl Notification<'_> {
    /// The notification as an offer, from the null sender (RFC 3461 6.1); `random` makes its id.
    pub(super) fn write(&self, now: UnixMillis, random: u128) -> Offer {
        let id = QueueId::new(now, random);
        let boundary = format!("report-{id}");
        let (body, is_ascii) = self.body(&boundary);
        let head = self.head(id, now, &boundary);
        let head_bytes = u32::try_from(head.len()).unwrap_or(u32::MAX);
        let smtputf8 = !head.is_ascii();
        let mut octets = head.into_bytes();
        octets.extend_from_slice(&body);
        let recipient = Recipient {
            address: self.sender.clone(),
            // RFC 3461 6.1: nothing is told of what becomes of a notification.
            notify: Some(Notify { success: false, failure: false, delay: false }),
            orcpt: None,
        };
        let entry = Entry {
            id,
            accepted: now,
            envelope: Envelope {
                sender: None,
                recipients: vec![recipient],
                body: if is_ascii && !smtputf8 { BodyType::SevenBit } else { BodyType::EightBitMime },
                smtputf8,
                ret: None,
                envid: None,
            },
            trace: Box::default(),
            edits: Edits::default(),
            size_bytes: octets.len() as u64,
            head_bytes,
            tenant: self.entry.tenant.clone(),
            tags: vec![(NOTIFICATION_TAG.into(), self.kind.word().into())],
            progress: vec![Progress::fresh(now)],
        };
        Offer { entry, content: OfferedContent::Memory(Bytes::from(octets)) }
    }

    fn head(&self, id: QueueId, now: UnixMillis, boundary: &str) -> String {
        let host = self.hostname;
        let mut head = format!(
            "Date: {date}\r\nFrom: Mail Delivery System <MAILER-DAEMON@{host}>\r\nTo: <{to}>\r\nSubject: {subject}\r\n\
             Message-ID: <{id}@{host}>\r\n",
            date = date(now),
            to = mailbox(self.sender),
            subject = words::subject(self.kind),
        );
        if let Some(about) = self.original_message_id() {
            let _infallible = write!(head, "In-Reply-To: {about}\r\nReferences: {about}\r\n");
        }
        // RFC 3834 5: so that nothing automatic answers.
        let _infallible = write!(
            head,
            "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; \
             report-type=delivery-status;\r\n boundary=\"{boundary}\"\r\n\r\n"
        );
        head
    }

    /// The id of the message that this is about, so that both are shown together (RFC 5322 3.6.4).
    fn original_message_id(&self) -> Option<String> {
        let field = header::find(&self.content?.head, "Message-ID", 0)?;
        let id = field.unfolded();
        let plain = id.len() <= QUOTED_ID_BYTES_MAX && id.bytes().all(|octet| (33..=126).contains(&octet));
        (plain && id.starts_with('<') && id.ends_with('>')).then(|| id.into_owned())
    }

    /// All parts, and whether they are ASCII throughout.
    fn body(&self, boundary: &str) -> (Vec<u8>, bool) {
        let text = words::text(self);
        let report = status::report(self);
        let mut body = Vec::with_capacity(4096);
        let mut is_ascii = true;
        let mut part = |kind: &str, octets: &[&[u8]]| {
            let ascii = octets.iter().all(|piece| piece.is_ascii());
            is_ascii &= ascii;
            let encoding = if ascii { "7bit" } else { "8bit" };
            body.extend_from_slice(
                format!("--{boundary}\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n")
                    .as_bytes(),
            );
            for piece in octets {
                body.extend_from_slice(piece);
            }
            if !body.ends_with(b"\r\n") {
                body.extend_from_slice(b"\r\n");
            }
        };
        part("text/plain; charset=utf-8", &[text.as_bytes()]);
        // RFC 6533 4: the global form only where an address needs it.
        let report_type = if report.is_ascii() { "message/delivery-status" } else { "message/global-delivery-status" };
        part(report_type, &[report.as_bytes()]);
        if let Some(returned) = self.content.map(|content| returned::choose(self.kind, &self.entry.envelope, content)) {
            part(returned.kind, &returned.pieces);
        }
        body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        (body, is_ascii)
    }
}

/// RFC 5322 3.3, in UTC.
fn date(at: UnixMillis) -> String {
    let timestamp = i64::try_from(at.0).ok().and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
    let zoned = timestamp.unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_zoned(TimeZone::UTC);
    jiff::fmt::rfc2822::to_string(&zoned).unwrap_or_else(|_| "Thu, 1 Jan 1970 00:00:00 +0000".to_owned())
}

/// The address as it is written in the message: with A-labels (RFC 5890 2.3.2.1) where that makes it ASCII, because
/// then it passes everywhere.
fn mailbox(address: &Address) -> String {
    let text = address.to_string();
    match text.rsplit_once('@') {
        Some((local, domain)) if local.is_ascii() && !domain.is_ascii() => match idna::domain_to_ascii(domain) {
            Ok(domain) => format!("{local}@{domain}"),
            Err(_) => text,
        },
        _ => text,
    }
}
