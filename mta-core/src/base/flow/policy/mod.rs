//! Question and Verdict: what the stages ask of plugins, what plugins may answer, and policy's door.

pub mod dmarc;
pub mod feedback;
pub mod password;
pub mod public;
mod session;
pub mod standing;
pub mod verify;

use super::Answer;
use crate::base::flow::attempt::Routes;
use crate::base::flow::entry::Entry;
use crate::base::flow::placement::Placement;
use crate::base::mail::address::Address;
use crate::base::mail::content::{Composed, Content};
use crate::base::mail::edits::{Edits, EnvelopeEdit};
use crate::base::mail::envelope::{Envelope, Recipient};
use crate::base::mail::id::QueueId;
use crate::base::smtp::reply::Reply;
use crate::base::time::UnixMillis;
use crate::base::world::tls::TlsInfo;
use feedback::{Heard, Returned};
use password::{PasswordAnswer, PasswordQuestion};
use public::{PublicAnswer, PublicRequest};
pub use session::SessionInfo;
use std::future::ready;
use std::sync::Arc;
use verify::Verified;

/// The moments at which plugins are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hook {
    /// Before the greeting.
    Connect,
    /// After EHLO or HELO, before the answer.
    Helo,
    /// After AUTH, whether or not it succeeded.
    Auth,
    /// A name and a password came, and are to be known by a plugin.
    Password,
    /// After MAIL's own checks.
    Mail,
    /// After each RCPT's own checks.
    Rcpt,
    /// The whole message is here, nothing answered yet.
    Data,
    /// A recipient entered the queue, or is to be placed anew.
    Route,
    /// Before each attempt, for each recipient.
    PreSend,
    /// What became of an attempt. Told, not asked.
    Outcome,
    /// A report came back about mail that went out. Told, not asked.
    Feedback,
    /// A request to the plugin's own public path.
    Http,
    /// Time passed. Told, not asked.
    Tick,
    /// The connection is gone. Told, not asked.
    Disconnect,
}

impl Hook {
    /// Every hook, in the order in which a message meets them.
    pub const ALL: [Self; 14] = [
        Self::Connect,
        Self::Helo,
        Self::Auth,
        Self::Password,
        Self::Mail,
        Self::Rcpt,
        Self::Data,
        Self::Route,
        Self::PreSend,
        Self::Outcome,
        Self::Feedback,
        Self::Http,
        Self::Tick,
        Self::Disconnect,
    ];

    /// As configurations and logs name it; the contract's interface has `on-` before it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Helo => "helo",
            Self::Auth => "auth",
            Self::Password => "password",
            Self::Mail => "mail",
            Self::Rcpt => "rcpt",
            Self::Data => "data",
            Self::Route => "route",
            Self::PreSend => "pre-send",
            Self::Outcome => "outcome",
            Self::Feedback => "feedback",
            Self::Http => "http",
            Self::Tick => "tick",
            Self::Disconnect => "disconnect",
        }
    }

    /// The hook of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hook| hook.name() == name)
    }

    /// Whether plugins may change the message here: elsewhere nothing would come of it.
    #[must_use]
    pub fn may_edit(self) -> bool {
        matches!(self, Self::Data | Self::PreSend)
    }

    /// Whether the operator says what its failure means. A request is answered 503 whatever failure means for the mail, and a
    /// password that is not known can be neither let in nor refused.
    #[must_use]
    pub fn has_on_failure(self) -> bool {
        !self.is_told() && !matches!(self, Self::Http | Self::Password)
    }

    /// Whether plugins are only told: they answer nothing, so their failure means nothing to the mail.
    #[must_use]
    pub fn is_told(self) -> bool {
        matches!(self, Self::Outcome | Self::Feedback | Self::Tick | Self::Disconnect)
    }
}

/// What an envelope hook is asked about.
#[derive(Clone, Copy, Debug)]
pub enum Asked<'a> {
    /// `on-connect`: a client that was not greeted yet.
    Connect,
    /// `on-helo`: the name that it gives (RFC 5321 4.1.1.1).
    Helo(&'a str),
    /// `on-auth`: how an AUTH command ended (RFC 4954 4).
    Auth {
        /// The mechanism, as `PLAIN`.
        mechanism: &'a str,
        /// Who the client says it is; as users' names are compared.
        user: &'a str,
        /// Whether it could show it.
        succeeded: bool,
    },
    /// `on-mail`: what MAIL said (RFC 5321 4.1.1.2).
    Mail {
        /// Without recipients yet.
        envelope: &'a Envelope,
        /// The size that was announced, in octets (RFC 1870 6).
        size_bytes: Option<u64>,
    },
    /// `on-rcpt`: one recipient (RFC 5321 4.1.1.3).
    Rcpt {
        /// The reverse path; none is the null sender.
        sender: Option<&'a Address>,
        /// The recipient.
        to: &'a Recipient,
    },
}

impl Asked<'_> {
    /// Which hook it is.
    #[must_use]
    pub fn hook(&self) -> Hook {
        match self {
            Self::Connect => Hook::Connect,
            Self::Helo(_) => Hook::Helo,
            Self::Auth { .. } => Hook::Auth,
            Self::Mail { .. } => Hook::Mail,
            Self::Rcpt { .. } => Hook::Rcpt,
        }
    }
}

/// Verdict of the envelope hooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gate {
    /// No opinion.
    Next,
    /// Yes, and the rest of this hook's chain is skipped.
    Accept,
    /// 4xx.
    Tempfail(Reply),
    /// 5xx.
    Reject(Reply),
    /// The reply (421 or 5xx), then the connection is closed.
    Disconnect(Reply),
}

/// Verdict on a whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// No opinion.
    Next,
    /// Yes, and the rest of the chain is skipped.
    Accept,
    /// 4xx.
    Tempfail(Reply),
    /// 5xx.
    Reject(Reply),
    /// 250, then held until an operator decides; the reason.
    Quarantine(Box<str>),
    /// 250, then dropped; the reason.
    Discard(Box<str>),
}

/// Verdict on one recipient's way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Routing {
    /// No opinion: by the configuration's routes.
    Next,
    /// That way; and not before that time, where there is one.
    Place(Placement, Option<UnixMillis>),
    /// Keep until an operator decides; the reason.
    Hold(Box<str>),
    /// Bounce with this reply (or, with a 4xx code, count as a failed attempt and ask again).
    Fail(Reply),
}

/// Verdict on one recipient's next attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sending {
    /// Go.
    Next,
    /// Keep until an operator decides; the reason.
    Hold(Box<str>),
    /// Try again at that time; counts as no attempt.
    NotBefore(UnixMillis),
    /// Bounce with this reply (or, with a 4xx code, count as a failed attempt).
    Fail(Reply),
    /// Drop; the reason.
    Discard(Box<str>),
}

/// What plugins made of a message: the verdict and every edit of the chain, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataVerdict {
    /// What becomes of it.
    pub disposition: Disposition,
    /// Who said so, where it was not `Next`.
    pub plugin: Option<Arc<str>>,
    /// Header edits.
    pub edits: Edits,
    /// A new body, which is kept in the place of the one that came.
    pub body: Option<Composed>,
    /// Envelope edits, where granted.
    pub envelope: Vec<EnvelopeEdit>,
    /// Tags set.
    pub tags: Vec<(Box<str>, Box<str>)>,
}

/// What plugins made of one recipient's way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteVerdict {
    /// Where it goes.
    pub routing: Routing,
    /// Who said so, where it was not `Next`.
    pub plugin: Option<Arc<str>>,
}

/// What plugins made of one recipient's attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendVerdict {
    /// What becomes of the attempt.
    pub sending: Sending,
    /// Who said so, where it was not `Next`.
    pub plugin: Option<Arc<str>>,
    /// Header edits for this recipient alone.
    pub edits: Edits,
    /// A new body for this recipient alone.
    pub body: Option<Composed>,
}

/// A message under decision at `on-data`.
#[derive(Clone, Copy, Debug)]
pub struct Submission<'a> {
    /// The id that it will have.
    pub id: QueueId,
    /// Its envelope.
    pub envelope: &'a Envelope,
    /// Its content.
    pub content: &'a Content,
    /// What it may grow to by a new body, in octets.
    pub size_bytes_max: u64,
    /// What was found out about it, where it comes from outside. Its edits come before all others.
    pub verified: Option<&'a Verified>,
    /// The server answers for it: its client may relay.
    pub is_ours: bool,
}

/// One recipient's way under decision at `on-route`.
#[derive(Clone, Copy)]
pub struct Unplaced<'a> {
    /// The message.
    pub entry: &'a Entry,
    /// Its content.
    pub content: &'a Content,
    /// Which recipient.
    pub recipient: u32,
    /// Which attempt will be its next, from 1.
    pub attempt: u32,
    /// What an answer may name.
    pub routes: &'a dyn Routes,
}

/// One recipient's attempt under decision at `on-pre-send`.
#[derive(Clone, Debug)]
pub struct Sendout<'a> {
    /// The message.
    pub entry: &'a Entry,
    /// Its content.
    pub content: &'a Content,
    /// Which recipient.
    pub recipient: u32,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// Where it is to go, as shown to people.
    pub site: &'a str,
    /// What it may grow to by a new body, in octets.
    pub size_bytes_max: u64,
}

/// What became of one recipient, for `on-outcome`.
#[derive(Clone, Debug)]
pub struct Attempted {
    /// The message, as it was before.
    pub entry: Arc<Entry>,
    /// Its content; none where it is lost, or was not at hand.
    pub content: Option<Content>,
    /// Which recipient.
    pub recipient: u32,
    /// Which attempt, from 1; 0 where none was made.
    pub attempt: u32,
    /// Where it was to go, as shown to people; empty where it went nowhere.
    pub site: Box<str>,
    /// What became of it.
    pub outcome: Outcome,
}

/// What plugins are told of a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The next hop took it, with these words.
    Delivered(Reply),
    /// It will be tried again.
    Deferred(Reply),
    /// Refused for good.
    Bounced(Reply),
    /// Too old.
    Expired,
    /// Taken out by an operator.
    Cancelled,
}

/// The policy stage, as the other stages see it.
pub trait Policy: Send + Sync {
    /// Whether any plugin has this hook now: an absent hook costs this question alone.
    fn has(&self, hook: Hook) -> bool;

    /// Opens policy's side of an SMTP session.
    fn session(&self, info: SessionInfo) -> Box<dyn SessionPolicy>;

    /// `on-route` for one recipient.
    fn route<'a>(&'a self, unplaced: Unplaced<'a>) -> Answer<'a, RouteVerdict>;

    /// `on-pre-send` for one recipient.
    fn pre_send<'a>(&'a self, sendout: Sendout<'a>) -> Answer<'a, SendVerdict>;

    /// `on-outcome` for one recipient: passed on to the plugins beside the mail. Dropped, and counted, for a plugin that
    /// can't keep up. Must be called within a Tokio runtime.
    fn outcome(&self, attempted: &Attempted);

    /// `on-feedback`: ends when the plugins were told. What is told is durable, so nothing is dropped: where one can't be
    /// told now, all are told again later. Must be called within a Tokio runtime.
    fn feedback<'a>(&'a self, returned: Returned<'a>) -> Answer<'a, Heard> {
        let _ = returned;
        Box::pin(ready(Heard::By(0)))
    }

    /// `on-http`, of the plugin that the request is for.
    fn http(&self, request: PublicRequest) -> Answer<'_, PublicAnswer> {
        let _ = request;
        Box::pin(ready(PublicAnswer::Absent))
    }

    /// `on-password`, of the plugin that is named.
    fn password(&self, question: PasswordQuestion) -> Answer<'_, PasswordAnswer> {
        let why = format!("no plugin {} serves", question.plugin);
        Box::pin(ready(PasswordAnswer::Unable(why.into())))
    }
}

/// Policy's side of one SMTP session: keeps its notes, and its instances for as long as a transaction lives.
pub trait SessionPolicy: Send {
    /// The connection is protected from here on. What the client said of itself before is forgotten (RFC 3207 4.2).
    fn secured(&mut self, tls: &Arc<TlsInfo>);

    /// The client named itself, and was let.
    fn named(&mut self, name: &str);

    /// The client has shown that it is this user.
    fn authenticated(&mut self, user: &str);

    /// From here on it is asked about mail of this tenant; none: of nobody in particular.
    fn belongs_to(&mut self, tenant: Option<&Arc<str>>);

    /// How many recipients the client was refused for good so far.
    fn rejected(&mut self, recipients: u32);

    /// One of the envelope's hooks.
    fn gate<'a>(&'a mut self, asked: Asked<'a>) -> Answer<'a, Gate>;

    /// `on-data`.
    fn data<'a>(&'a mut self, submission: Submission<'a>) -> Answer<'a, DataVerdict>;

    /// The transaction ended, or the session fell idle: instances go, and the next transaction begins with the newest
    /// generation of the plugins.
    fn transaction_ended(&mut self);

    /// `on-disconnect`: the connection is gone. As [`Policy::outcome`], beside the mail.
    fn disconnected(&mut self);
}
