//! A queued message as operators see it.

use crate::base::flow::entry::{BODY_TAG, Entry, Fate, Progress};
use crate::base::flow::placement::Placement;
use crate::base::mail::edits::HeaderEdit;
use crate::base::mail::envelope::{BodyType, Notify, Recipient, Ret};
use crate::base::mail::id::QueueId;
use crate::base::time::UnixMillis;
use serde::{Deserialize, Serialize};

/// One message of the queue's list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Its name.
    pub id: QueueId,
    /// When it was accepted, RFC 3339 in UTC.
    pub accepted: String,
    /// How long ago that is.
    pub age_seconds: u64,
    /// The reverse path; empty for notifications.
    pub sender: String,
    /// Length of the content.
    pub size_bytes: u64,
    /// The tenant, if it has one.
    pub tenant: Option<String>,
    /// Its recipients, in the order of their RCPT commands.
    pub recipients: Vec<RecipientRow>,
    /// When the next of them is due, RFC 3339; none: all are held or ended.
    pub next_due: Option<String>,
}

/// One recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipientRow {
    /// The forward path.
    pub address: String,
    /// `pending`, `held`, `delivered`, `bounced`, `discarded`, `expired` or `cancelled`.
    pub state: String,
    /// Attempts so far, where it is pending.
    pub attempts: u16,
    /// When it is tried next, RFC 3339, where it is pending.
    pub due: Option<String>,
    /// What the last attempt was answered.
    pub last_reply: Option<String>,
    /// When that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_at: Option<String>,
    /// Who answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// Why it is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_for: Option<String>,
    /// The plugin that said where it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed_by: Option<String>,
    /// The route that it chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// The pool of source addresses that it chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// What it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<String>,
    /// `bulk`, `normal` or `transactional`, where a plugin placed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// When it is too old, RFC 3339, where that is sooner than by the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// RFC 3461 NOTIFY, as it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<String>,
    /// RFC 3461 ORCPT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orcpt: Option<String>,
}

/// Everything of one message but its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// What the list shows.
    #[serde(flatten)]
    pub row: Row,
    /// `7BIT`, `8BITMIME` or `BINARYMIME` (RFC 6152, RFC 3030).
    pub body: String,
    /// SMTPUTF8 was asked for (RFC 6531).
    pub smtputf8: bool,
    /// `FULL` or `HDRS` (RFC 3461 4.3).
    pub ret: Option<String>,
    /// The sender's own id (RFC 3461 4.4).
    pub envid: Option<String>,
    /// Length of the content's header section.
    pub head_bytes: u32,
    /// Our Received field.
    pub trace: String,
    /// Header edits by policy, in their order, in words.
    pub edits: Vec<String>,
    /// Tags set by policy.
    pub tags: Vec<(String, String)>,
}

impl Row {
    /// The entry as it stands at `now`.
    #[must_use]
    pub fn new(entry: &Entry, now: UnixMillis) -> Self {
        let recipients = entry.envelope.recipients.iter().zip(&entry.progress);
        let due = |progress: &Progress| match progress {
            Progress::Pending { due, .. } => Some(*due),
            _ => None,
        };
        Self {
            id: entry.id,
            accepted: entry.accepted.to_string(),
            age_seconds: now.since(entry.accepted).as_secs(),
            sender: entry.envelope.sender.as_ref().map(ToString::to_string).unwrap_or_default(),
            size_bytes: entry.size_bytes,
            tenant: entry.tenant.as_deref().map(str::to_owned),
            recipients: recipients
                .enumerate()
                .map(|(index, (recipient, progress))| recipient_row(recipient, progress, entry.placement(index)))
                .collect(),
            next_due: entry.progress.iter().filter_map(due).min().map(|due| due.to_string()),
        }
    }
}

fn recipient_row(recipient: &Recipient, progress: &Progress, placement: Option<&Placement>) -> RecipientRow {
    // One that nobody had an opinion of looks like one that nobody was asked about.
    let placement = placement.filter(|placement| placement.plugin.is_some());
    let chosen = |of: fn(&Placement) -> Option<&str>| placement.and_then(of).map(str::to_owned);
    let mut row = RecipientRow {
        address: recipient.address.to_string(),
        state: state(progress).to_owned(),
        attempts: 0,
        due: None,
        last_reply: None,
        last_at: None,
        remote: None,
        held_for: None,
        placed_by: chosen(|placement| placement.plugin.as_deref()),
        via: chosen(|placement| placement.via.as_deref()),
        pool: chosen(|placement| placement.pool.as_deref()),
        campaign: chosen(|placement| placement.campaign.as_deref()),
        priority: chosen(|placement| Some(placement.priority.name())),
        expires: placement.and_then(|placement| placement.expires).map(|at| at.to_string()),
        notify: recipient.notify.map(notify),
        orcpt: recipient.orcpt.as_deref().map(str::to_owned),
    };
    match progress {
        Progress::Pending { attempts, due, last, .. } => {
            row.attempts = *attempts;
            row.due = Some(due.to_string());
            row.last_reply = last.as_ref().map(|last| last.reply.to_string());
            row.last_at = last.as_ref().map(|last| last.at.to_string());
            row.remote = last.as_ref().and_then(|last| last.remote.as_deref()).map(str::to_owned);
        }
        Progress::Held(reason) => row.held_for = Some(reason.to_string()),
        Progress::Done(_) => {}
    }
    row
}

fn state(progress: &Progress) -> &'static str {
    match progress {
        Progress::Pending { .. } => "pending",
        Progress::Held(_) => "held",
        Progress::Done(Fate::Delivered) => "delivered",
        Progress::Done(Fate::Bounced) => "bounced",
        Progress::Done(Fate::Discarded) => "discarded",
        Progress::Done(Fate::Expired) => "expired",
        Progress::Done(Fate::Cancelled) => "cancelled",
    }
}

/// As in the RCPT command (RFC 3461 4.1).
fn notify(notify: Notify) -> String {
    let asked = [("SUCCESS", notify.success), ("FAILURE", notify.failure), ("DELAY", notify.delay)];
    let words: Vec<&str> = asked.into_iter().filter(|(_, on)| *on).map(|(word, _)| word).collect();
    if words.is_empty() { "NEVER".to_owned() } else { words.join(",") }
}

impl Message {
    /// The entry as it stands at `now`.
    #[must_use]
    pub fn new(entry: &Entry, now: UnixMillis) -> Self {
        let envelope = &entry.envelope;
        let body = match envelope.body {
            BodyType::SevenBit => "7BIT",
            BodyType::EightBitMime => "8BITMIME",
            BodyType::BinaryMime => "BINARYMIME",
        };
        let ret = envelope.ret.map(|ret| match ret {
            Ret::Full => "FULL",
            Ret::Hdrs => "HDRS",
        });
        Self {
            row: Row::new(entry, now),
            body: body.to_owned(),
            smtputf8: envelope.smtputf8,
            ret: ret.map(str::to_owned),
            envid: envelope.envid.as_deref().map(str::to_owned),
            head_bytes: entry.head_bytes,
            trace: entry.trace.trim_end().to_owned(),
            edits: entry.edits.headers.iter().map(edit).collect(),
            // A hash is nothing for people.
            tags: entry
                .tags
                .iter()
                .filter(|(name, _)| **name != *BODY_TAG)
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect(),
        }
    }
}

fn edit(edit: &HeaderEdit) -> String {
    match edit {
        HeaderEdit::Add { name, value } => format!("add {name}: {value}"),
        HeaderEdit::Set { name, nth, value: Some(value) } => format!("set {name} ({nth}): {value}"),
        HeaderEdit::Set { name, nth, value: None } => format!("remove {name} ({nth})"),
    }
}
