//! The client's timers: a closed table, of which one runs at a time (RFC 5321 4.5.3.2).

use crate::base::smtp::reply::Reply;
use crate::base::smtp::status::EnhancedStatus;
use crate::config::model::ClientTimeouts;
use std::time::Duration;

/// What the client waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// The greeting, or the answer to EHLO (4.5.3.2.1).
    Greeting,
    /// The answer to MAIL, RCPT, RSET or QUIT (4.5.3.2.2, 4.5.3.2.3).
    Command,
    /// The answer to DATA (4.5.3.2.4).
    Data,
    /// The connection to take more content (4.5.3.2.5).
    Content,
    /// The answer to the final dot (4.5.3.2.6).
    FinalReply,
}

impl Timer {
    pub(super) const ALL: [Self; 5] = [Self::Greeting, Self::Command, Self::Data, Self::Content, Self::FinalReply];

    /// How long.
    pub(super) fn limit(self, timeouts: &ClientTimeouts) -> Duration {
        match self {
            Self::Greeting => timeouts.greeting,
            Self::Command => timeouts.command,
            Self::Data => timeouts.data,
            Self::Content => timeouts.content,
            Self::FinalReply => timeouts.final_reply,
        }
    }

    /// What is said of a host that let it run out.
    pub(super) fn reply(self) -> Reply {
        Reply::new(
            451,
            EnhancedStatus::new(4, 4, 2),
            match self {
                Self::Greeting => "the host did not greet in time",
                Self::Command => "the host did not answer a command in time",
                Self::Data => "the host did not answer DATA in time",
                Self::Content => "the host did not take the content in time",
                Self::FinalReply => "the host did not answer in time whether it has the message: it may come twice",
            },
        )
    }
}
