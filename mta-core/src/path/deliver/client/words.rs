//! What a session of the client is and comes to, in the driver's words (RFC 5321 3.1, 3.3; RFC 2033).

use crate::base::fault::Scope;
use crate::base::flow::report::Outcome;
use crate::base::smtp::reply::Reply;

/// Which of the two is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// RFC 5321.
    Smtp,
    /// RFC 2033.
    Lmtp,
}

/// What a session is to do about TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protect {
    /// Nothing.
    #[default]
    Never,
    /// Ask for it where it is offered.
    IfOffered,
    /// Say nothing of the mail without it.
    Always,
}

/// Where the session stands, as the driver sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Write, read, wait.
    Working,
    /// The connection is to be taken over to TLS: [`handle_secured`](super::Client::handle_secured), or
    /// [`handle_unsecured`](super::Client::handle_unsecured).
    Securing,
    /// A transaction can begin.
    Ready,
    /// The connection is of no more use.
    Closed,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The host would not have us: its greeting or its answer to EHLO.
    Refused(Reply),
    /// TLS was wanted and is not to be had.
    Unprotected(Reply),
    /// The connection, or the talk over it, broke down.
    Lost(Reply),
    /// After QUIT, or while nothing was going on.
    Quit,
}

/// A host said "too many recipients" (RFC 5321 4.5.3.1.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Full {
    /// How many it let in before.
    pub taken: usize,
    /// What it said to the first of the others.
    pub reply: Reply,
}

/// What came of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Recipients whose outcome is known.
    pub outcomes: Vec<(u32, Outcome)>,
    /// Recipients about whom nothing was decided, who may be tried at once: the session was lost before (another host
    /// may do), or the host took the message and had no room for them beside the others (the next transaction may do).
    pub open: Vec<u32>,
    /// The host had no room for all recipients in one transaction.
    pub full: Option<Full>,
    /// The widest thing that failed.
    pub trouble: Option<Scope>,
    /// MAIL was answered. If it was not, a reused connection was dead already, and nothing was tried in truth.
    pub answered: bool,
    /// The server is back where MAIL can come; else RSET goes first.
    pub(super) clean: bool,
}
