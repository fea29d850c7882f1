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

/// Where the session stands, as the driver sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Write, read, wait.
    Working,
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
    /// The connection, or the talk over it, broke down.
    Lost(Reply),
    /// After QUIT, or while nothing was going on.
    Quit,
}

/// What came of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Recipients whose outcome is known.
    pub outcomes: Vec<(u32, Outcome)>,
    /// Recipients about whom nothing was decided: the session was lost before, and another may be tried at once.
    pub open: Vec<u32>,
    /// The widest thing that failed.
    pub trouble: Option<Scope>,
    /// MAIL was answered. If it was not, a reused connection was dead already, and nothing was tried in truth.
    pub answered: bool,
    /// The server is back where MAIL can come; else RSET goes first.
    pub(super) clean: bool,
}
