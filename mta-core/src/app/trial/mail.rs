//! Mail that a case is about, as it would arrive and be queued.

use crate::base::flow::entry::{Entry, Progress};
use crate::base::flow::policy::{DataVerdict, Disposition};
use crate::base::mail::address::Address;
use crate::base::mail::content::{Body, Content};
use crate::base::mail::edits::Edits;
use crate::base::mail::envelope::{BodyType, Envelope, Recipient};
use crate::base::mail::header;
use crate::base::mail::id::QueueId;
use crate::base::time::UnixMillis;
use bytes::Bytes;

pub(super) fn address(text: &str) -> Result<Address, String> {
    Address::parse(text).map_err(|error| format!("{text}: {error}"))
}

pub(super) fn recipient(text: &str) -> Result<Recipient, String> {
    Ok(Recipient { address: address(text)?, notify: None, orcpt: None })
}

/// The message as it would be queued: accepted in 1970, so that times in answers are those of the plugin alone.
pub(super) fn queued(envelope: Envelope, content: Content, verdict: DataVerdict) -> (Entry, Content) {
    let content = match verdict.body {
        Some(new) => Content { head: header::with_empty_line(&content.head), body: new.body() },
        None => content,
    };
    let accepted = UnixMillis(0);
    let entry = Entry {
        id: QueueId(1),
        accepted,
        progress: vec![Progress::fresh(accepted); envelope.recipients.len()],
        placements: Vec::new(),
        envelope,
        trace: Box::default(),
        edits: verdict.edits,
        size_bytes: content.size_bytes(),
        head_bytes: u32::try_from(content.head.len()).unwrap_or(u32::MAX),
        tenant: None,
        tags: verdict.tags,
    };
    (entry, content)
}

/// A message that nobody saw arrive, with nothing in it: what is told later may be about one.
pub(super) fn blank(recipients: &[&str]) -> Result<(Entry, Content), String> {
    let envelope = Envelope {
        sender: None,
        recipients: recipients.iter().map(|text| recipient(text)).collect::<Result<_, _>>()?,
        body: BodyType::default(),
        smtputf8: false,
        ret: None,
        envid: None,
    };
    let verdict = DataVerdict {
        disposition: Disposition::Next,
        plugin: None,
        edits: Edits::default(),
        body: None,
        envelope: Vec::new(),
        tags: Vec::new(),
    };
    Ok(queued(envelope, content(b"\n"), verdict))
}

/// The message as it comes by SMTP: a file's own line ends become CRLF (RFC 5321 2.3.8).
pub(super) fn content(message: &[u8]) -> Content {
    let mut octets = Vec::with_capacity(message.len() + message.len() / 32);
    for line in message.split_inclusive(|octet| *octet == b'\n') {
        let ended = line.strip_suffix(b"\n").map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        octets.extend_from_slice(ended.unwrap_or(line));
        if ended.is_some() {
            octets.extend_from_slice(b"\r\n");
        }
    }
    let octets = Bytes::from(octets);
    let head = octets.windows(4).position(|four| four == b"\r\n\r\n").map_or(octets.len(), |at| at + 4);
    Content { head: octets.slice(..head), body: Body::Memory(octets.slice(head..)) }
}
