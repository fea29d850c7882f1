//! Verification: what is asked about a message that came from outside, and what was found out (RFC 8601 2.7).

use super::super::Answer;
use crate::base::mail::canonical::BodyHash;
use crate::base::mail::content::Content;
use crate::base::mail::edits::HeaderEdit;
use crate::base::mail::envelope::Envelope;
use crate::base::mail::id::QueueId;
use crate::base::smtp::reply::Reply;
use serde::{Deserialize, Serialize, Serializer};
use std::net::IpAddr;
use std::sync::Arc;

/// By what a message is judged, under the names of RFC 8601 2.7 and RFC 8617 10.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// The client's address has a name, and the name has the address (RFC 8601 3).
    Iprev,
    /// Whether the client may use the name (RFC 7208).
    Spf,
    /// Signatures over the message (RFC 6376).
    Dkim,
    /// What those say through whose hands it went (RFC 8617).
    Arc,
    /// Whether one of these speaks for the author's domain (RFC 9989).
    Dmarc,
}

impl Method {
    /// All, in the order in which they are told.
    pub const ALL: [Self; 5] = [Self::Iprev, Self::Spf, Self::Dkim, Self::Arc, Self::Dmarc];

    /// As header fields, logs and metrics name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Iprev => "iprev",
            Self::Spf => "spf",
            Self::Dkim => "dkim",
            Self::Arc => "arc",
            Self::Dmarc => "dmarc",
        }
    }
}

/// What came of a method, under the names of RFC 8601 2.7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Nobody says anything, so nothing was judged.
    None,
    /// Yes.
    Pass,
    /// No.
    Fail,
    /// Probably no (SPF's `~`).
    SoftFail,
    /// Nothing can be said of it.
    Neutral,
    /// Valid, and of a kind that we don't accept.
    Policy,
    /// It can't be known now.
    TempError,
    /// What is published or signed is wrong.
    PermError,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::None,
        Self::Pass,
        Self::Fail,
        Self::SoftFail,
        Self::Neutral,
        Self::Policy,
        Self::TempError,
        Self::PermError,
    ];

    /// As header fields, logs and metrics name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::Neutral => "neutral",
            Self::Policy => "policy",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

/// One result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthResult {
    /// By what.
    pub method: Method,
    /// What came of it.
    pub outcome: Outcome,
    /// Whose: the name that SPF was asked about, a signature's `d=`, the last sealer's, the author's; the client's name.
    pub domain: Option<Box<str>>,
    /// What it was about, as RFC 8601 2.2 writes properties: `smtp.mailfrom` with its value. Not recorded.
    #[serde(skip)]
    pub properties: Vec<(&'static str, Box<str>)>,
    /// Why, in words; empty where there is nothing to say.
    #[serde(default)]
    pub detail: Box<str>,
}

/// Results as logs have them: `spf=pass(example.org) dkim=none`.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a>(pub &'a [AuthResult]);

impl Serialize for Told<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let one = |result: &AuthResult| {
            let domain = result.domain.as_deref().map(|domain| format!("({domain})")).unwrap_or_default();
            format!("{}={}{domain}", result.method.name(), result.outcome.name())
        };
        let results: Vec<String> = self.0.iter().map(one).collect();
        serializer.serialize_str(&results.join(" "))
    }
}

/// A message to be verified: all of it has come, nothing was answered.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// Names the session in logs.
    pub session: &'a str,
    /// The id that the message will have.
    pub id: QueueId,
    /// The client.
    pub peer: IpAddr,
    /// The name that it gave in EHLO or HELO.
    pub helo: &'a str,
    /// The envelope.
    pub envelope: &'a Envelope,
    /// The content.
    pub content: &'a Content,
    /// The hash of its body in relaxed form (RFC 6376 3.4.4), where it was taken while the message came.
    pub body_hash: Option<BodyHash>,
}

/// What the results mean, as configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Consequence {
    /// Nothing: they are told.
    #[default]
    Go,
    /// 250, then held until an operator decides; the reason.
    Hold(Box<str>),
    /// 4xx or 5xx.
    Refuse(Reply),
}

/// What was found out; by default nothing, and nothing comes of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// In the order of their methods.
    pub results: Arc<[AuthResult]>,
    /// Our Authentication-Results field with its final CRLF, to stand on top.
    pub field: Box<str>,
    /// What takes forged fields away: those that claim to be ours (RFC 8601 5).
    pub edits: Vec<HeaderEdit>,
    /// What is to be done.
    pub consequence: Consequence,
}

/// The verifying stage, as receive sees it.
pub trait Verify: Send + Sync {
    /// Verifies one message, within the configured time.
    fn verify<'a>(&'a self, incoming: Incoming<'a>) -> Answer<'a, Verified>;
}

/// Finds out nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unverified;

impl Verify for Unverified {
    fn verify<'a>(&'a self, _incoming: Incoming<'a>) -> Answer<'a, Verified> {
        Box::pin(std::future::ready(Verified::default()))
    }
}
