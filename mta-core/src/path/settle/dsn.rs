//! A delivery status notification as a message: multipart/report (RFC 6522) with the words for people, the status for
//! machines (RFC 3464, RFC 6533) and what is returned of the message (RFC 3461 4.3).

mod returned;
mod status;
#[cfg(test)]
mod tests;
mod words;

use super::notice::{Notification, mailbox};
use crate::base::flow::entry::{Entry, OURS_TAG, Progress, REQUIRETLS_TAG};
use crate::base::flow::offer::{Offer, OfferedContent};
use crate::base::flow::ruling::NOTIFICATION_TAG;
use crate::base::mail::edits::Edits;
use crate::base::mail::envelope::{BodyType, Envelope, Notify, Recipient};
use crate::base::mail::header;
use crate::base::mail::id::QueueId;
use crate::base::time::UnixMillis;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use std::fmt::Write as _;

/// A Message-ID of the original that is longer is not quoted in ours, in octets.
const QUOTED_ID_BYTES_MAX: usize = 250;

/// The notification as an offer, from the null sender (RFC 3461 6.1); `random` makes its id.
pub(super) fn write(notification: &Notification<'_>, now: UnixMillis, random: u128) -> Offer {
    let id = QueueId::new(now, random);
    let boundary = format!("report-{id}");
    let body = body(notification, &boundary);
    let head = head(notification, id, now, &boundary);
    let head_bytes = u32::try_from(head.len()).unwrap_or(u32::MAX);
    let smtputf8 = !head.is_ascii();
    let mut octets = head.into_bytes();
    octets.extend_from_slice(&body);
    let recipient = Recipient {
        address: notification.sender.clone(),
        // RFC 3461 6.1: nothing is told of what becomes of a notification.
        notify: Some(Notify { success: false, failure: false, delay: false }),
        orcpt: None,
    };
    let mut tags = vec![(NOTIFICATION_TAG.into(), notification.kind.word().into()), (OURS_TAG.into(), Box::default())];
    // RFC 8689 5: it tells of the message what others should not read.
    if notification.entry.requires_tls() {
        tags.push((REQUIRETLS_TAG.into(), Box::default()));
    }
    let entry = Entry {
        id,
        accepted: now,
        envelope: Envelope {
            sender: None,
            recipients: vec![recipient],
            body: if smtputf8 { BodyType::EightBitMime } else { BodyType::SevenBit },
            smtputf8,
            ret: None,
            envid: None,
        },
        trace: Box::default(),
        edits: Edits::default(),
        size_bytes: octets.len() as u64,
        head_bytes,
        tenant: notification.entry.tenant.clone(),
        tags,
        progress: vec![Progress::fresh(now)],
        placements: Vec::new(),
    };
    Offer { entry, content: OfferedContent::Memory(Bytes::from(octets)) }
}

fn head(notification: &Notification<'_>, id: QueueId, now: UnixMillis, boundary: &str) -> String {
    let host = notification.hostname;
    let mut head = format!(
        "Date: {date}\r\nFrom: Mail Delivery System <MAILER-DAEMON@{host}>\r\nTo: <{to}>\r\nSubject: {subject}\r\n\
             Message-ID: <{id}@{host}>\r\n",
        date = now.rfc5322(),
        to = mailbox(notification.sender),
        subject = words::subject(notification.kind),
    );
    if let Some(about) = original_message_id(notification) {
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

/// The id of the message that notification is about, so that both are shown together (RFC 5322 3.6.4).
fn original_message_id(notification: &Notification<'_>) -> Option<String> {
    let field = header::find(&notification.content?.head, "Message-ID", 0)?;
    let id = field.unfolded();
    let plain = id.len() <= QUOTED_ID_BYTES_MAX && id.bytes().all(|octet| (33..=126).contains(&octet));
    (plain && id.starts_with('<') && id.ends_with('>')).then(|| id.into_owned())
}

/// All parts. What is not ASCII is encoded: the sender's host need not take eight bits (RFC 6152 3), and nobody would be told
/// of a notification that it refuses.
fn body(notification: &Notification<'_>, boundary: &str) -> Vec<u8> {
    let text = words::text(notification);
    let report = status::report(notification);
    let mut body = Vec::with_capacity(4096);
    let mut part = |kind: &str, octets: &[&[u8]]| {
        let is_ascii = octets.iter().all(|piece| piece.is_ascii());
        let encoding = if is_ascii { "7bit" } else { "base64" };
        body.extend_from_slice(
            format!("--{boundary}\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n").as_bytes(),
        );
        if is_ascii {
            octets.iter().for_each(|piece| body.extend_from_slice(piece));
        } else {
            // RFC 2045 6.8: lines of 76 octets.
            for line in BASE64_STANDARD.encode(octets.concat()).as_bytes().chunks(76) {
                body.extend_from_slice(line);
                body.extend_from_slice(b"\r\n");
            }
        }
        // The line end before a boundary is the boundary's (RFC 2046 5.1.1).
        body.extend_from_slice(b"\r\n");
    };
    part("text/plain; charset=utf-8", &[text.as_bytes()]);
    // RFC 6533 4: the global form only where an address needs it.
    let report_type = if report.is_ascii() { "message/delivery-status" } else { "message/global-delivery-status" };
    part(report_type, &[report.as_bytes()]);
    if let Some(returned) =
        notification.content.map(|content| returned::choose(notification.kind, notification.entry, content))
    {
        part(returned.kind, &returned.pieces);
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    body
}
