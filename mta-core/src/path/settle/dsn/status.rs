//! The part for machines: message/delivery-status (RFC 3464 2), or its global twin (RFC 6533 4).

use crate::base::smtp::reply::Reply;
use crate::path::settle::notice::{Notice, Notification, mailbox};
use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

/// A field's value beyond this is cut, in octets; a remote can say much.
const VALUE_BYTES_MAX: usize = 900;
/// Where lines are folded if they can be (RFC 5322 2.1.1), in octets.
const LINE_BYTES: usize = 78;

/// The fields about the message, then a group for each recipient.
pub(super) fn report(notification: &Notification<'_>) -> String {
    let mut text = String::with_capacity(1024);
    let entry = notification.entry;
    // RFC 3464 2.2.1, RFC 3461 6.3: the sender's own name for the transaction.
    if let Some(envid) = &entry.envelope.envid {
        field(&mut text, "Original-Envelope-Id", envid);
    }
    field(&mut text, "Reporting-MTA", &format!("dns; {}", notification.hostname));
    field(&mut text, "Arrival-Date", &entry.accepted.rfc5322());
    for notice in notification.notices {
        text.push_str("\r\n");
        recipient(&mut text, notice);
    }
    text
}

fn recipient(text: &mut String, notice: &Notice<'_>) {
    // RFC 3464 2.3.1: only if the sender gave one; it was xtext-decoded on the way in (RFC 3461 6.3).
    if let Some(orcpt) = &notice.recipient.orcpt {
        let (kind, address) = orcpt.split_once(';').unwrap_or(("rfc822", orcpt));
        field(text, "Original-Recipient", &format!("{kind}; {address}"));
    }
    let address = mailbox(&notice.recipient.address);
    let kind = if address.is_ascii() { "rfc822" } else { "utf-8" };
    field(text, "Final-Recipient", &format!("{kind}; {address}"));
    field(text, "Action", notice.action.word());
    field(text, "Status", &notice.status.to_string());
    if let Some(last) = &notice.last {
        match &last.remote {
            Some(remote) => {
                field(text, "Remote-MTA", &format!("dns; {}", name(remote)));
                field(text, "Diagnostic-Code", &format!("smtp; {}", ascii(&last.reply)));
            }
            // RFC 3464 2.3.6: `smtp` is for what a remote said; these are our own words.
            None => field(text, "Diagnostic-Code", &format!("x-mailwright; {}", ascii(&last.reply))),
        }
        field(text, "Last-Attempt-Date", &last.at.rfc5322());
    }
    // RFC 3464 2.3.9: for delays alone.
    if let Some(until) = notice.retry_until {
        field(text, "Will-Retry-Until", &until.rfc5322());
    }
}

/// Of `host[address]:port` the host; of an address with its port the address as a literal (RFC 3464 2.1.2, RFC 5321 4.1.3).
fn name(remote: &str) -> Cow<'_, str> {
    match remote.parse::<SocketAddr>().map(|address| address.ip()) {
        Ok(IpAddr::V4(ip)) => format!("[{ip}]").into(),
        Ok(IpAddr::V6(ip)) => format!("[IPv6:{ip}]").into(),
        Err(_) => remote.split('[').next().unwrap_or(remote).into(),
    }
}

/// A remote's words must not make the whole report a global one, whose reader the sender may not have: they stand
/// unharmed in the part for people.
fn ascii(reply: &Reply) -> String {
    reply.to_string().chars().map(|c| if c.is_ascii() { c } else { '?' }).collect()
}

/// One field: printable, cut where it is too long, folded at spaces.
fn field(text: &mut String, name: &str, value: &str) {
    let _infallible = write!(text, "{name}:");
    let mut column = name.len() + 1;
    let mut length = 0;
    for word in value.split(|c: char| c.is_ascii_control() || c == ' ').filter(|word| !word.is_empty()) {
        let word = &word[..word.floor_char_boundary(VALUE_BYTES_MAX - length)];
        if column + 1 + word.len() > LINE_BYTES && column > name.len() + 1 {
            text.push_str("\r\n");
            column = 0;
        }
        text.push(' ');
        text.push_str(word);
        column += 1 + word.len();
        length += 1 + word.len();
        if length >= VALUE_BYTES_MAX {
            break;
        }
    }
    text.push_str("\r\n");
}
