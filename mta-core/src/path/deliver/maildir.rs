//! Final delivery into a Maildir: the file's name, the fields that go on top, and what a failure means.

use crate::base::flow::entry::Entry;
use crate::base::flow::report::Outcome;
use crate::base::mail::envelope::{BodyType, Recipient};
use crate::base::smtp::reply::Reply;
use crate::base::smtp::status::EnhancedStatus;
use crate::base::world::maildir::{LineEnds, MaildirFault};

/// The file's name: time, what makes it unique, host. It is the same for every attempt to deliver this message to this
/// recipient, so that one which is repeated after a crash replaces its file and makes no second one.
#[must_use]
pub fn file_name(entry: &Entry, recipient: u32, hostname: &str) -> String {
    // A slash would lead elsewhere, and a colon begins the flags.
    let host = hostname.replace('/', "\\057").replace(':', "\\072");
    format!("{}.Q{}R{recipient}.{host}", entry.accepted.0 / 1000, entry.id)
}

/// Return-Path, which the last server adds (RFC 5321 4.4), and Delivered-To, which tells recipients of one mailbox
/// apart.
#[must_use]
pub fn lead(entry: &Entry, recipient: &Recipient) -> String {
    let to = &recipient.address;
    match &entry.envelope.sender {
        Some(sender) => format!("Return-Path: <{sender}>\r\nDelivered-To: {to}\r\n"),
        None => format!("Return-Path: <>\r\nDelivered-To: {to}\r\n"),
    }
}

/// How line ends are written for this message.
#[must_use]
pub fn line_ends(entry: &Entry) -> LineEnds {
    match entry.envelope.body {
        BodyType::SevenBit | BodyType::EightBitMime => LineEnds::Local,
        BodyType::BinaryMime => LineEnds::AsSent,
    }
}

/// What the recipient gets. No failure of a disk is for good: the mail waits until somebody has seen to it.
#[must_use]
pub fn outcome(put: &Result<(), MaildirFault>) -> Outcome {
    let deferred = |detail: (u16, u16), text: &'static str| {
        let code = if matches!(detail, (3, 1) | (2, 2)) { 452 } else { 451 };
        Outcome::Deferred(Reply::new(code, EnhancedStatus::new(4, detail.0, detail.1), text))
    };
    match put {
        Ok(()) => Outcome::Delivered {
            reply: Reply::new(250, EnhancedStatus::new(2, 0, 0), "put into the Maildir"),
            dsn_passed_on: false,
        },
        Err(MaildirFault::DiskFull) => deferred((3, 1), "the disk of the Maildir is full"),
        Err(MaildirFault::OverQuota) => deferred((2, 2), "the mailbox is over its quota"),
        Err(MaildirFault::Denied(_)) => deferred((3, 5), "the Maildir may not be written"),
        Err(MaildirFault::Io(_)) => deferred((3, 0), "the Maildir can't be written"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::deliver::scripted::entry;

    #[test]
    fn names_are_unique_for_each_recipient_and_the_same_again() {
        let id = crate::base::mail::id::QueueId(7);
        let accepted = crate::base::time::UnixMillis(1_700_000_000_000);
        let entry = Entry { id, accepted, ..entry(&["a@b.test", "c@b.test"]) };
        let name = file_name(&entry, 1, "mx/1:x");
        assert_eq!(name, "1700000000.Q00000000000000000000000007R1.mx\\0571\\072x");
        assert_eq!(name, file_name(&entry, 1, "mx/1:x"));
        assert_ne!(name, file_name(&entry, 0, "mx/1:x"));
    }

    #[test]
    fn the_last_server_adds_return_path_rfc5321_4_4() {
        let mut entry = entry(&["r@b.test"]);
        let recipient = entry.envelope.recipients[0].clone();
        assert_eq!(lead(&entry, &recipient), "Return-Path: <s@a.test>\r\nDelivered-To: r@b.test\r\n");
        entry.envelope.sender = None;
        assert!(lead(&entry, &recipient).starts_with("Return-Path: <>\r\n"));
    }

    #[test]
    fn a_full_disk_defers_rfc3463_3_4() {
        let Outcome::Deferred(reply) = outcome(&Err(MaildirFault::DiskFull)) else { panic!("deferred") };
        assert_eq!(reply.to_string(), "452 4.3.1 the disk of the Maildir is full");
        assert!(matches!(outcome(&Err(MaildirFault::Denied(String::new()))), Outcome::Deferred(_)));
    }
}
