//! Trials of plugins: hook calls as they were recorded, what was said to them, and where two plugins differ.

use crate::base::flow::placement::Priority;
use crate::base::flow::policy::verify::AuthResult;
use crate::base::mail::address::Address;
use crate::base::mail::edits::HeaderEdit;
use crate::base::mail::envelope::BodyType;
use crate::base::mail::id::QueueId;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::net::IpAddr;
use std::time::Duration;

/// What a plugin said at a hook, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The verdict, as `reject 550 5.7.1 no`; `fault KIND: WHY` where there is none.
    pub verdict: String,
    /// What it changed, as `add X-A: 1`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<String>,
}

impl Said {
    /// No opinion, no change: what a hook that is not there says.
    #[must_use]
    pub fn next() -> Self {
        Self { verdict: "next".to_owned(), edits: Vec::new() }
    }

    /// Whether it is that.
    #[must_use]
    pub fn is_next(&self) -> bool {
        self.verdict == "next" && self.edits.is_empty()
    }
}

/// What was said when a plugin was asked once more, and what it took.
#[derive(Clone, Debug)]
pub struct Answered {
    /// What it said.
    pub said: Said,
    /// How long the call took.
    pub took: Duration,
    /// The memory of its instance afterwards, in octets.
    pub memory_bytes: u64,
}

/// The first line of a file of records, one JSON object; each line after it is a [`Recorded`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordHead {
    /// [`RECORD_FORMAT`].
    pub format: String,
    /// [`RECORD_VERSION`].
    pub version: u32,
    /// The plugin that was recorded.
    pub plugin: String,
}

/// What a file of records says that it is.
pub const RECORD_FORMAT: &str = "mailwright-record";

/// The version of that format: one that is not known is not read.
pub const RECORD_VERSION: u32 = 1;

/// The hook calls of one plugin in one transaction: MAIL to the end of data, or one call for itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// The session; none before an attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<RecordedSession>,
    /// Whose mail it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// In their order.
    pub calls: Vec<RecordedCall>,
}

/// A session as a plugin knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedSession {
    /// Names it: calls of one session share its notes.
    pub id: String,
    /// The listener.
    pub listener: String,
    /// The client.
    pub peer: IpAddr,
    /// The name that it gave, when the transaction ended.
    pub helo: Option<String>,
    /// The user that it had authenticated as by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// One hook call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedCall {
    /// The hook, and what it was asked.
    pub asked: RecordedQuestion,
    /// The message as it stood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Box<RecordedMessage>>,
    /// What the plugin said.
    pub said: Said,
}

/// A hook, and what it is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "hook", rename_all = "kebab-case")]
pub enum RecordedQuestion {
    /// `on-connect`.
    Connect,
    /// `on-helo`.
    Helo {
        /// The name.
        name: String,
    },
    /// `on-auth`.
    Auth {
        /// The mechanism.
        mechanism: String,
        /// Who it was.
        user: String,
        /// Whether it was let.
        succeeded: bool,
    },
    /// `on-mail`.
    Mail {
        /// The reverse path; none is the null sender.
        sender: Option<Mailbox>,
        /// MAIL's parameters.
        params: Vec<(String, String)>,
    },
    /// `on-rcpt`.
    Rcpt {
        /// The reverse path.
        sender: Option<Mailbox>,
        /// The recipient.
        to: Mailbox,
        /// RCPT's parameters.
        params: Vec<(String, String)>,
    },
    /// `on-data`.
    Data,
    /// `on-route`.
    Route(RecordedDelivery),
    /// `on-pre-send`.
    PreSend(RecordedDelivery),
}

/// One recipient on its way out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedDelivery {
    /// The message.
    pub id: QueueId,
    /// The recipient.
    pub recipient: Address,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// When the message was accepted, in milliseconds since 1970.
    pub accepted_ms: u64,
    /// What the last attempt was answered.
    pub last_reply: Option<String>,
    /// Where it is to go.
    pub site: Option<String>,
    /// What it belongs to.
    pub campaign: Option<String>,
    /// What goes first.
    pub priority: Priority,
}

impl RecordedQuestion {
    /// The hook's name.
    #[must_use]
    pub fn hook(&self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Helo { .. } => "helo",
            Self::Auth { .. } => "auth",
            Self::Mail { .. } => "mail",
            Self::Rcpt { .. } => "rcpt",
            Self::Data => "data",
            Self::Route(_) => "route",
            Self::PreSend(_) => "pre-send",
        }
    }
}

/// An address as the contract has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mailbox {
    /// The local part.
    pub local: String,
    /// The domain.
    pub domain: String,
}

/// A message at a hook, with the edits that earlier plugins had made to its header section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedMessage {
    /// Its name.
    pub id: QueueId,
    /// The reverse path.
    pub sender: Option<Address>,
    /// The recipients.
    pub recipients: Vec<Address>,
    /// Envelope and tags may be changed too.
    pub whole: bool,
    /// What the body is made of.
    pub body_type: BodyType,
    /// What the message may grow to, in octets.
    pub size_bytes_max: Option<u64>,
    /// The header section with its empty line.
    pub head: Octets,
    /// The beginning of the body.
    pub body: Octets,
    /// The length of all of it.
    pub body_bytes: u64,
    /// What its verification came to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<AuthResult>,
    /// The server answers for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_ours: bool,
    /// Header edits before the call.
    pub edits: Vec<HeaderEdit>,
    /// Tags before the call.
    pub tags: Vec<(Box<str>, Box<str>)>,
}

/// Octets, one letter each in text (ISO 8859-1): messages are mostly text, and stay readable so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Octets(pub Vec<u8>);

impl Serialize for Octets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.iter().map(|octet| char::from(*octet)).collect::<String>())
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let octets: Result<_, _> = text.chars().map(u8::try_from).collect();
        octets.map(Self).map_err(|_| serde::de::Error::custom("octets are letters up to U+00FF"))
    }
}

/// Where a shadow or a canary differs from what it is measured by, since it was loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Differences {
    /// The shadow or the canary.
    pub plugin: String,
    /// `shadow`, or `canary 5 %`.
    pub mode: String,
    /// What it is measured by; none: the chain without it.
    pub of: Option<String>,
    /// The load that it came with.
    pub generation: u64,
    /// Calls that were compared.
    pub calls: u64,
    /// Of these, how many differ.
    pub differing: u64,
    /// Faults of whoever was asked beside the mail.
    pub faults: u64,
    /// Calls that were not compared, because nobody could keep up.
    pub dropped: u64,
    /// The last that differ, the newest last.
    pub last: Vec<Difference>,
}

/// One call that was answered differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// When it was compared, RFC 3339.
    pub at: String,
    /// The hook.
    pub hook: String,
    /// The session.
    pub session: Option<String>,
    /// The message.
    pub id: Option<QueueId>,
    /// What was said, and done.
    pub said: Said,
    /// What the other would have said.
    pub other: Said,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_octets_pass_through_text() {
        let octets = Octets((0..=255).collect());
        let text = serde_json::to_string(&octets).expect("text");
        assert_eq!(serde_json::from_str::<Octets>(&text).expect("octets"), octets);
        assert!(serde_json::from_str::<Octets>("\"\\u0100\"").is_err());
        assert_eq!(serde_json::to_string(&Octets(b"A: b\r\n".to_vec())).expect("text"), "\"A: b\\r\\n\"");
    }
}
