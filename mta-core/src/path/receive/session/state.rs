//! What a session knows while it runs: where it stands in the dialogue (RFC 5321 4.1.4), its transaction, and its timers, a
//! closed table.

use crate::base::flow::policy::verify::Verified;
use crate::base::mail::canonical::BodyHash;
use crate::base::mail::content::Content;
use crate::base::mail::envelope::{Envelope, Recipient};
use crate::base::mail::id::QueueId;
use crate::base::sasl::door::{Claim, User};
use crate::base::sasl::{Exchange, Mechanism};
use crate::base::smtp::dot::{DotDecoder, LineEndCheck};
use crate::base::smtp::reply::Reply;
use crate::path::receive::collect::Collector;
use bytes::Bytes;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the session is about.
#[derive(Debug)]
pub(super) enum State {
    /// Commands come.
    Command,
    /// Lines of an AUTH exchange come (RFC 4954 4).
    Auth,
    /// Content comes, by DATA.
    Data(DotDecoder),
    /// A chunk comes, by BDAT.
    Chunk(Chunk),
    /// Nothing is read until an answer has come.
    Waiting(Answer),
    /// The end.
    Closed,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Handshake,
    Connect,
    Helo,
    Check,
    Auth,
    Mail,
    Rcpt,
    Blob,
    Verified,
    Data,
    Commit,
}

/// How the client named itself.
#[derive(Debug)]
pub(super) struct Helo {
    pub(super) name: Box<str>,
    /// By EHLO: extensions may be used (RFC 5321 2.2.1).
    pub(super) extended: bool,
}

/// An exchange, from AUTH to its end.
#[derive(Debug)]
pub(super) struct Dialogue {
    pub(super) mechanism: Mechanism,
    pub(super) exchange: Exchange,
    /// Who the client says it is; empty until it has said so.
    pub(super) name: Box<str>,
    /// What it shows, until that is checked.
    pub(super) claim: Option<Claim>,
    /// What the check came to, while policy is asked.
    pub(super) outcome: Outcome,
}

impl Dialogue {
    /// Who the client is, or says it is: a token tells it alone where the client does not.
    pub(super) fn user(&self) -> &str {
        match &self.outcome {
            Outcome::Is(user) => &user.name,
            Outcome::Open | Outcome::IsNot(..) => &self.name,
        }
    }
}

/// What it came to.
#[derive(Debug)]
pub(super) enum Outcome {
    Open,
    Is(Arc<User>),
    /// Whether there is such a user, and why the client is not.
    IsNot(bool, &'static str),
}

/// What the limits of a session count.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) commands: u32,
    pub(super) errors: u32,
    /// Errors since a message was last accepted: a relay that lives on may send to dead addresses all day.
    pub(super) errors_in_a_row: u32,
    pub(super) messages: u32,
    /// Recipients that were refused for good.
    pub(super) rejected_recipients: u32,
    /// Exchanges in which the client could not show who it is.
    pub(super) auth_failures: u32,
}

/// From MAIL on.
#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) envelope: Envelope,
    /// Whose message it is.
    pub(super) tenant: Option<Arc<str>>,
    /// Client or sender have said whose; otherwise the recipients do.
    pub(super) tenant_known: bool,
    /// By REQUIRETLS.
    pub(super) requires_tls: bool,
    pub(super) announced_bytes: Option<u64>,
    /// A RCPT was refused: "no valid recipients" is then the better answer.
    pub(super) refused_rcpt: bool,
    /// The recipient that a hook decides on.
    pub(super) asked: Option<Recipient>,
    /// Policy was asked, so it must hear of the end.
    pub(super) asked_policy: bool,
    /// The content, from DATA or the first BDAT on.
    pub(super) id: QueueId,
    pub(super) collector: Option<Collector>,
    /// Chunks have begun (RFC 3030 2).
    pub(super) chunked: bool,
    pub(super) line_ends: LineEndCheck,
    /// A blob was opened.
    pub(super) blob: bool,
    /// How many replies its end will have: one, but for LMTP (RFC 2033 4.2).
    pub(super) replies: usize,
    /// The hash of a body that goes to the disk, until it is there.
    pub(super) body_hash: Option<BodyHash>,
    /// The whole content, while it is decided on.
    pub(super) arrived: Option<Arrived>,
    /// What was found out about it, where it comes from outside.
    pub(super) verified: Option<Box<Verified>>,
    /// What will be told once it is durable.
    pub(super) receipt: Option<Receipt>,
}

#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) content: Content,
    pub(super) form: Form,
    /// Of the body in relaxed form, where somebody will sign it.
    pub(super) body_hash: Option<BodyHash>,
}

/// How the content that arrived is offered to the spool.
#[derive(Debug)]
pub(super) enum Form {
    /// All of it in one piece of memory.
    Memory(Bytes),
    /// It lies in the blob.
    Blob,
    /// Policy gave it another body.
    Composed,
}

/// A chunk on its way in.
#[derive(Debug)]
pub(super) struct Chunk {
    /// Octets still to come.
    pub(super) left: u64,
    /// All of them.
    pub(super) octets: u64,
    pub(super) last: bool,
    /// The chunk was refused: its octets are taken and dropped, so that they can't be read as commands (RFC 3030 2).
    pub(super) refused: Option<Reply>,
}

/// What is told of a message once it is durable; the rest of it has gone to the spool.
#[derive(Debug)]
pub(super) struct Receipt {
    pub(super) sender: String,
    pub(super) recipients: u32,
    pub(super) bytes: u64,
    /// Held: by which plugin and why.
    pub(super) held: Option<(Arc<str>, Box<str>)>,
}

/// What can run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// The client says nothing (RFC 5321 4.5.3.2.7).
    Idle,
    /// The content takes too long in all.
    Data,
    /// The session takes too long in all.
    Session,
    /// A TLS handshake takes too long.
    Handshake,
}

/// When each runs out; stopped ones never do.
#[derive(Debug)]
pub(super) struct Timers {
    at: [Option<Instant>; 4],
}

impl Timers {
    pub(super) fn new() -> Self {
        Self { at: [None; 4] }
    }

    pub(super) fn start(&mut self, timer: Timer, now: Instant, after: Duration) {
        // A limit beyond the end of time is none.
        self.at[timer as usize] = now.checked_add(after);
    }

    pub(super) fn stop(&mut self, timer: Timer) {
        self.at[timer as usize] = None;
    }

    /// The next moment at which one runs out.
    pub(super) fn next(&self) -> Option<Instant> {
        self.at.iter().flatten().min().copied()
    }

    /// One that has run out; it is stopped.
    pub(super) fn expired(&mut self, now: Instant) -> Option<Timer> {
        let timer = [Timer::Session, Timer::Data, Timer::Handshake, Timer::Idle]
            .into_iter()
            .find(|timer| self.at[*timer as usize].is_some_and(|at| at <= now))?;
        self.stop(timer);
        Some(timer)
    }
}
