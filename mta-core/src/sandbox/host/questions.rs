//! What hooks are asked and told, in the contract's own types.

use super::bindings::exports::mailwright::plugin::on_feedback::Feedback;
use super::bindings::exports::mailwright::plugin::on_outcome::Outcome;
use super::bindings::mailwright::plugin::types;
use crate::base::flow::policy::Hook;

/// An envelope hook and what it is told.
#[derive(Clone, Debug)]
pub(crate) enum Question {
    /// `on-connect`.
    Connect,
    /// `on-helo`: the name.
    Helo(String),
    /// `on-auth`.
    Auth(Box<Auth>),
    /// `on-mail`.
    Mail(Box<Mail>),
    /// `on-rcpt`.
    Rcpt(Box<Rcpt>),
}

/// A hook that is only told, and what.
#[derive(Clone, Debug)]
pub(crate) enum Told {
    /// `on-outcome`.
    Outcome(Outcome),
    /// `on-feedback`.
    Feedback(Box<Feedback>),
    /// `on-tick`.
    Tick,
    /// `on-disconnect`.
    Disconnect,
}

/// The arguments of `on-auth`.
#[derive(Clone, Debug)]
pub(crate) struct Auth {
    pub(crate) mechanism: String,
    pub(crate) user: String,
    pub(crate) succeeded: bool,
}

/// The arguments of `on-mail`.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    pub(crate) sender: Option<types::Address>,
    pub(crate) params: Vec<(String, String)>,
}

/// The arguments of `on-rcpt`.
#[derive(Clone, Debug)]
pub(crate) struct Rcpt {
    pub(crate) sender: Option<types::Address>,
    pub(crate) to: types::Address,
    pub(crate) params: Vec<(String, String)>,
}

impl Question {
    /// The hook that is asked.
    pub(crate) fn hook(&self) -> Hook {
        match self {
            Self::Connect => Hook::Connect,
            Self::Helo(_) => Hook::Helo,
            Self::Auth(_) => Hook::Auth,
            Self::Mail(_) => Hook::Mail,
            Self::Rcpt(_) => Hook::Rcpt,
        }
    }
}

impl Told {
    /// The hook that is told.
    pub(crate) fn hook(&self) -> Hook {
        match self {
            Self::Outcome(_) => Hook::Outcome,
            Self::Feedback(_) => Hook::Feedback,
            Self::Tick => Hook::Tick,
            Self::Disconnect => Hook::Disconnect,
        }
    }
}
