//! Mail of plugins' own: what may be sent because of what, how much of it, and how it is made fit for the queue.
//!
//! A message that a plugin sends because of a message that a plugin sent, and so on, has a depth, and it ends at
//! [`DEPTH_MAX`]. The depth travels in a tag of the queue and in a header field, and guests can write neither.

use super::super::scene::{DEPTH_FIELD, MessageScene, Scene};
use super::kv::Bucket;
use super::kv::rate::Taken;
use crate::base::flow::entry::{Entry, Progress, SUBMITTED_TAG};
use crate::base::flow::offer::{Offer, OfferedContent};
use crate::base::flow::spool::Spool;
use crate::base::mail::address::Address;
use crate::base::mail::edits::Edits;
use crate::base::mail::envelope::{BodyType, Envelope, Recipient};
use crate::base::mail::header;
use crate::base::mail::id::QueueId;
use crate::base::time::UnixMillis;
use crate::config::model::Config;
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::{Semaphore, watch};

/// How deep mail may follow from mail of plugins.
pub(crate) const DEPTH_MAX: u32 = 3;
/// Messages of one plugin that are made durable at once; further ones wait.
const SENDING_MAX: usize = 16;
/// A line of a message, in octets without its end (RFC 5322 2.1.1).
const LINE_BYTES_MAX: usize = 998;

/// Where mail of plugins goes, once there is a queue, and what each of them has sent.
#[derive(Default)]
pub(crate) struct Post {
    pub(crate) door: OnceLock<PostDoor>,
    /// By the plugin's name, so that a reload forgets no limit. As many as names were ever configured since the start.
    boxes: Mutex<HashMap<Arc<str>, Arc<Outbox>>>,
}

/// The queue, and our name.
pub(crate) struct PostDoor {
    pub(crate) spool: Arc<dyn Spool>,
    pub(crate) config: watch::Receiver<Arc<Config>>,
}

/// What one plugin has sent.
#[derive(Debug)]
pub(crate) struct Outbox {
    rate: Bucket,
    /// One permit for each message that is being made durable.
    pub(crate) sending: Arc<Semaphore>,
    /// Messages that were in the queue when they were last looked at.
    queued: Mutex<VecDeque<QueueId>>,
}

/// What a message follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    /// How often a plugin sent mail before, up to here.
    depth: u32,
    /// It has the null sender: nobody wants to know what becomes of an answer to it.
    is_notification: bool,
}

/// A message to be queued.
pub(crate) struct Submission<'a> {
    pub(crate) plugin: &'a str,
    pub(crate) tenant: Option<&'a str>,
    pub(crate) sender: Option<Address>,
    pub(crate) to: Vec<Address>,
    pub(crate) cause: Cause,
    pub(crate) id: QueueId,
    pub(crate) at: UnixMillis,
    pub(crate) hostname: &'a str,
}

impl Post {
    /// The plugin's outbox.
    pub(crate) fn outbox(&self, plugin: &Arc<str>) -> Arc<Outbox> {
        let mut boxes = self.boxes.lock().unwrap_or_else(PoisonError::into_inner);
        boxes.entry(plugin.clone()).or_default().clone()
    }
}

impl Default for Outbox {
    fn default() -> Self {
        let sending = Arc::new(Semaphore::new(SENDING_MAX));
        Self { rate: Bucket::default(), sending, queued: Mutex::default() }
    }
}

impl Outbox {
    /// Whether one more may be sent in this minute.
    pub(crate) fn may_send(&self, now_ms: u64, per_minute_max: u32) -> bool {
        matches!(self.rate.take(now_ms, "minute", 1, per_minute_max, 60_000), Ok(Taken::Remaining(_)))
    }

    /// A message is in the queue.
    pub(crate) fn put(&self, id: QueueId) {
        self.queued.lock().unwrap_or_else(PoisonError::into_inner).push_back(id);
    }

    /// Takes out the message that was not looked at for the longest time, if there are as many as there may be.
    pub(crate) fn take_if_full(&self, most: usize) -> Option<QueueId> {
        let mut queued = self.queued.lock().unwrap_or_else(PoisonError::into_inner);
        if queued.len() < most { None } else { queued.pop_front() }
    }
}

/// What mail that is sent from here follows from; none where the chain is too long, or can't be told: the message that
/// an attempt is about can't be read.
pub(crate) fn cause(scene: &Scene) -> Option<Cause> {
    let cause = match scene {
        Scene { message: Some(message), .. } => {
            Cause { depth: depth(message), is_notification: message.sender.is_none() }
        }
        Scene { delivery: Some(_), .. } => return None,
        _ => Cause { depth: 0, is_notification: false },
    };
    (cause.depth < DEPTH_MAX).then_some(cause)
}

/// What somebody else wrote there, and is no number, is as deep as can be.
fn depth(message: &MessageScene) -> u32 {
    let number = |text: &str| text.trim().parse().unwrap_or(DEPTH_MAX);
    let field = header::find(&message.content.head, DEPTH_FIELD, 0).map_or(0, |field| number(&field.unfolded()));
    field.max(message.tag(SUBMITTED_TAG).map_or(0, number))
}

impl Submission<'_> {
    /// The message as the queue takes it.
    ///
    /// # Errors
    /// It can't be sent as it is, in words for the plugin's author.
    pub(crate) fn offer(self, raw: &[u8]) -> Result<Offer, String> {
        if self.to.is_empty() {
            return Err("it has no recipient".to_owned());
        }
        // RFC 5321 4.5.5: or a bounce would be answered, and the answer bounce.
        if self.cause.is_notification && self.sender.is_some() {
            return Err("what follows from mail with the null sender has the null sender too".to_owned());
        }
        let (octets, head_bytes) = self.message(raw)?;
        let (head, body) = octets.split_at(head_bytes);
        let needs_utf8 = |address: &Address| address.to_ascii().is_none();
        let smtputf8 = !head.is_ascii() || self.sender.iter().chain(&self.to).any(needs_utf8);
        let is_7bit = !smtputf8 && body.is_ascii();
        let (trace, depth) = (self.trace(), self.cause.depth + 1);
        let recipient = |address| Recipient { address, notify: None, orcpt: None };
        let recipients: Vec<Recipient> = self.to.into_iter().map(recipient).collect();
        let entry = Entry {
            id: self.id,
            accepted: self.at,
            trace,
            edits: Edits::default(),
            size_bytes: octets.len() as u64,
            head_bytes: u32::try_from(head_bytes).unwrap_or(u32::MAX),
            tenant: self.tenant.map(Into::into),
            tags: vec![(SUBMITTED_TAG.into(), depth.to_string().into())],
            progress: vec![Progress::fresh(self.at); recipients.len()],
            placements: Vec::new(),
            envelope: Envelope {
                sender: self.sender,
                recipients,
                body: if is_7bit { BodyType::SevenBit } else { BodyType::EightBitMime },
                smtputf8,
                ret: None,
                envid: None,
            },
        };
        Ok(Offer { entry, content: OfferedContent::Memory(Bytes::from(octets)) })
    }

    /// The octets with the fields that were missing (RFC 6409 8.2 and 8.3, RFC 3834 5), and how many of them are the header.
    fn message(&self, raw: &[u8]) -> Result<(Vec<u8>, usize), String> {
        let lines = with_crlf(raw)?;
        let (names, ended, given_bytes) = fields(&lines)?;
        let end: &[u8] = if ended { b"" } else { b"\r\n" };
        let has = |wanted: &str| names.iter().any(|name| name.eq_ignore_ascii_case(wanted));
        if !has("From") {
            return Err("it has no field From (RFC 5322 3.6)".to_owned());
        }
        if has(DEPTH_FIELD) {
            return Err(format!("the field {DEPTH_FIELD} is the server's to write"));
        }
        let mut added = String::new();
        // Writing to a String can't fail.
        if !has("Date") {
            let _ = write!(added, "Date: {}\r\n", self.at.rfc5322());
        }
        if !has("Message-ID") {
            let _ = write!(added, "Message-ID: <{}@{}>\r\n", self.id, self.hostname);
        }
        if !has("Auto-Submitted") {
            added.push_str("Auto-Submitted: auto-generated\r\n");
        }
        let head_bytes = added.len() + given_bytes + end.len();
        Ok(([added.as_bytes(), &lines, end].concat(), head_bytes))
    }

    /// Our Received field (RFC 5322 3.6.7), which names the plugin, and the depth.
    fn trace(&self) -> Box<str> {
        let mut trace = format!("Received: by {} (plugin {}", self.hostname, self.plugin);
        // Writing to a String can't fail.
        if let Some(tenant) = self.tenant {
            let _ = write!(trace, ", tenant {tenant}");
        }
        let _ = write!(trace, ") id {}", self.id);
        if let [only] = &self.to[..] {
            let _ = write!(trace, "\r\n\tfor <{only}>");
        }
        let _ = write!(trace, ";\r\n\t{}\r\n{DEPTH_FIELD}: {}\r\n", self.at.rfc5322(), self.cause.depth + 1);
        trace.into()
    }
}

/// The message with CRLF at the end of each line (RFC 5321 2.3.8).
fn with_crlf(raw: &[u8]) -> Result<Vec<u8>, String> {
    let mut octets = Vec::with_capacity(raw.len() + raw.len() / 32 + 2);
    for (line, number) in raw.split_inclusive(|octet| *octet == b'\n').zip(1..) {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if text.iter().any(|octet| matches!(octet, b'\r' | b'\0')) {
            return Err(format!("line {number} has a CR or a NUL in it"));
        }
        if text.len() > LINE_BYTES_MAX {
            return Err(format!("line {number} has {} octets, at most {LINE_BYTES_MAX} are sent", text.len()));
        }
        octets.extend_from_slice(text);
        octets.extend_from_slice(b"\r\n");
    }
    Ok(octets)
}

/// The names of the header's fields, whether an empty line ends it, and its length with that line.
fn fields(lines: &[u8]) -> Result<(Vec<&str>, bool, usize), String> {
    let (mut names, mut bytes) = (Vec::new(), 0);
    for (line, number) in lines.split_inclusive(|octet| *octet == b'\n').zip(1..) {
        bytes += line.len();
        match line {
            b"\r\n" => return Ok((names, true, bytes)),
            [b' ' | b'\t', ..] if number > 1 => {}
            line => {
                let name = line.split(|octet| *octet == b':').next().filter(|name| name.len() < line.len());
                // RFC 5322 2.2: printable ASCII.
                let name = name.filter(|name| !name.is_empty() && name.iter().all(|octet| (33..=126).contains(octet)));
                let name = name.and_then(|name| std::str::from_utf8(name).ok()).ok_or_else(|| {
                    format!(
                        "line {number} is no header field: expected \"Name: value\", and an empty line before the body"
                    )
                })?;
                names.push(name);
            }
        }
    }
    Ok((names, false, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(sender: Option<&str>, to: &[&str], cause: Cause, raw: &[u8]) -> Result<(Entry, String), String> {
        let address = |text: &str| Address::parse(text).expect("an address");
        let submission = Submission {
            plugin: "signup",
            tenant: Some("acme"),
            sender: sender.map(address),
            to: to.iter().map(|text| address(text)).collect(),
            cause,
            id: QueueId(1),
            at: UnixMillis(1_700_000_000_000),
            hostname: "mx.example",
        };
        submission.offer(raw).map(|offer| match offer.content {
            OfferedContent::Memory(octets) => (offer.entry, String::from_utf8_lossy(&octets).into_owned()),
            other => panic!("{other:?}"),
        })
    }

    const FIRST: Cause = Cause { depth: 0, is_notification: false };

    #[test]
    fn a_message_gets_its_line_ends_the_missing_fields_and_a_trace_rfc6409_8_2_and_8_3() {
        let (entry, content) =
            offered(Some("a@b"), &["c@d"], FIRST, b"From: a@b\nSubject: x\n y\r\n\nhi\n.\n").expect("sent");
        let added = "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\nMessage-ID: <00000000000000000000000001@mx.example>\r\n\
                     Auto-Submitted: auto-generated\r\n";
        let head = format!("{added}From: a@b\r\nSubject: x\r\n y\r\n\r\n");
        assert_eq!(content, format!("{head}hi\r\n.\r\n"));
        assert_eq!((entry.head_bytes as usize, entry.size_bytes as usize), (head.len(), content.len()));
        assert_eq!(
            &*entry.trace,
            "Received: by mx.example (plugin signup, tenant acme) id 00000000000000000000000001\r\n\tfor <c@d>;\r\n\t\
             Tue, 14 Nov 2023 22:13:20 +0000\r\nMailwright-Submitted: 1\r\n"
        );
        assert_eq!((entry.tenant.as_deref(), entry.tags), (Some("acme"), vec![(SUBMITTED_TAG.into(), "1".into())]));
        let whole = b"From: a@b\r\ndate: 1\r\nMESSAGE-ID: 2\r\nAuto-Submitted: no\r\n";
        let (entry, content) = offered(None, &["c@d", "e@f"], FIRST, whole).expect("sent");
        assert_eq!(content.as_bytes(), [&whole[..], b"\r\n"].concat());
        assert_eq!(entry.head_bytes as usize, content.len());
        assert!(!entry.trace.contains("for <"), "{}", entry.trace);
    }

    #[test]
    fn what_it_needs_of_servers_is_told_by_its_octets_rfc6531_3_and_rfc6152_3() {
        let kind = |to: &str, raw: &[u8]| {
            let envelope = offered(None, &[to], FIRST, raw).expect("sent").0.envelope;
            (envelope.body, envelope.smtputf8)
        };
        assert_eq!(kind("c@d", b"From: a@b\n\nhi"), (BodyType::SevenBit, false));
        assert_eq!(kind("c@d", "From: a@b\n\nü".as_bytes()), (BodyType::EightBitMime, false));
        assert_eq!(kind("c@d", "From: ü <a@b>\n\n".as_bytes()), (BodyType::EightBitMime, true));
        assert_eq!(kind("ü@d", b"From: a@b\n\n"), (BodyType::EightBitMime, true));
    }

    #[test]
    fn what_can_not_be_sent_is_refused_with_the_line() {
        let refused = |raw: &[u8]| offered(None, &["c@d"], FIRST, raw).expect_err("it can't be sent");
        assert!(refused(b"Subject: x\n\nhi").contains("no field From"));
        assert!(refused(b"From: a@b\nhi\n").starts_with("line 2 is no header field"));
        assert!(refused(b" x\nFrom: a@b\n\n").starts_with("line 1 is no header field"));
        assert!(refused(b"From: a@b\n\na\rb").starts_with("line 3 has a CR"));
        assert!(refused(b"From: a@b\n\n\0").starts_with("line 3 has a CR or a NUL"));
        assert!(refused(&[b"From: a@b\n\n", &[b'x'; 999][..]].concat()).starts_with("line 3 has 999 octets"));
        assert!(refused(b"From: a@b\nmailwright-submitted: 0\n\n").contains("the server's to write"));
        assert!(offered(None, &[], FIRST, b"From: a@b\n\n").is_err());
    }

    #[test]
    fn nothing_answers_a_bounce_in_a_way_that_can_bounce_rfc5321_4_5_5() {
        let bounce = Cause { depth: 1, is_notification: true };
        assert!(offered(Some("a@b"), &["c@d"], bounce, b"From: a@b\n\n").is_err());
        let (entry, _) = offered(None, &["c@d"], bounce, b"From: a@b\n\n").expect("sent");
        assert_eq!(&*entry.tags[0].1, "2");
    }

    #[test]
    fn a_plugin_sends_so_many_in_a_minute_and_has_so_many_in_the_queue() {
        let outbox = Outbox::default();
        assert_eq!([0, 0, 0, 30_000].map(|now| outbox.may_send(60_000 + now, 2)), [true, true, false, true]);
        (1..=2).for_each(|id| outbox.put(QueueId(id)));
        assert_eq!((outbox.take_if_full(3), outbox.take_if_full(2)), (None, Some(QueueId(1))));
        assert_eq!(outbox.take_if_full(2), None);
    }
}
