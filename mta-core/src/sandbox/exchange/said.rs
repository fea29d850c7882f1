//! What answers are counted as.

use crate::base::flow::policy::password::PasswordAnswer;
use crate::base::flow::policy::public::PublicResponse;
use crate::base::flow::policy::{Disposition, Gate, Routing, Sending};

/// What a call came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Next,
    Accept,
    Tempfail,
    Reject,
    Disconnect,
    Quarantine,
    Discard,
    Hold,
    NotBefore,
    Place,
    Fail,
    /// A password is a user's.
    Yes,
    /// It is not.
    No,
    /// It answered a request.
    Response,
    /// It was only told.
    Told,
    /// It gave no answer; `on_failure` did.
    Fault,
}

impl Said {
    /// All of them, in their order.
    pub(crate) const ALL: [Self; 16] = [
        Self::Next,
        Self::Accept,
        Self::Tempfail,
        Self::Reject,
        Self::Disconnect,
        Self::Quarantine,
        Self::Discard,
        Self::Hold,
        Self::NotBefore,
        Self::Place,
        Self::Fail,
        Self::Yes,
        Self::No,
        Self::Response,
        Self::Told,
        Self::Fault,
    ];

    /// As the log and labels name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Accept => "accept",
            Self::Tempfail => "tempfail",
            Self::Reject => "reject",
            Self::Disconnect => "disconnect",
            Self::Quarantine => "quarantine",
            Self::Discard => "discard",
            Self::Hold => "hold",
            Self::NotBefore => "not-before",
            Self::Place => "place",
            Self::Fail => "fail",
            Self::Yes => "yes",
            Self::No => "no",
            Self::Response => "response",
            Self::Told => "told",
            Self::Fault => "fault",
        }
    }
}

/// An answer that is counted by what it says.
pub(crate) trait Says {
    fn said(&self) -> Said;
}

impl Says for Gate {
    fn said(&self) -> Said {
        match self {
            Self::Next => Said::Next,
            Self::Accept => Said::Accept,
            Self::Tempfail(_) => Said::Tempfail,
            Self::Reject(_) => Said::Reject,
            Self::Disconnect(_) => Said::Disconnect,
        }
    }
}

impl Says for Disposition {
    fn said(&self) -> Said {
        match self {
            Self::Next => Said::Next,
            Self::Accept => Said::Accept,
            Self::Tempfail(_) => Said::Tempfail,
            Self::Reject(_) => Said::Reject,
            Self::Quarantine(_) => Said::Quarantine,
            Self::Discard(_) => Said::Discard,
        }
    }
}

impl Says for Sending {
    fn said(&self) -> Said {
        match self {
            Self::Next => Said::Next,
            Self::Hold(_) => Said::Hold,
            Self::NotBefore(_) => Said::NotBefore,
            Self::Fail(_) => Said::Fail,
            Self::Discard(_) => Said::Discard,
        }
    }
}

impl Says for Routing {
    fn said(&self) -> Said {
        match self {
            Self::Next => Said::Next,
            Self::Place(..) => Said::Place,
            Self::Hold(_) => Said::Hold,
            Self::Fail(_) => Said::Fail,
        }
    }
}

impl Says for PublicResponse {
    fn said(&self) -> Said {
        Said::Response
    }
}

impl Says for PasswordAnswer {
    fn said(&self) -> Said {
        match self {
            Self::Next => Said::Next,
            Self::No => Said::No,
            Self::Yes(_) => Said::Yes,
            Self::Unable(_) => Said::Fault,
        }
    }
}

impl Says for () {
    fn said(&self) -> Said {
        Said::Told
    }
}
