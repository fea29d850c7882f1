//! STARTTLS from the client's side (RFC 3207): after the first EHLO, and never twice.

use super::timer::Timer;
use super::words::{Ended, Protect};
use super::{Client, Phase, replies};
use crate::base::smtp::ehlo::Capabilities;
use crate::base::smtp::encode;
use crate::base::smtp::remote::{RemoteReply, ReplyReader};
use crate::base::smtp::reply::Reply;
use crate::base::smtp::status::EnhancedStatus;
use std::time::Instant;

impl Client {
    /// The session is to be protected so.
    #[must_use]
    pub fn protecting(self, protect: Protect) -> Self {
        Self { protect, ..self }
    }

    /// EHLO was answered in clear: asks for TLS, or goes on without, or does not.
    pub(super) fn protect(&mut self, now: Instant) {
        match self.protect {
            Protect::IfOffered | Protect::Always if self.can.starttls => {
                self.out.extend_from_slice(encode::STARTTLS);
                self.phase = Phase::AskedTls;
                self.start(Timer::Command, now);
            }
            Protect::Always => self.close(Ended::Unprotected(replies::NO_TLS)),
            Protect::IfOffered | Protect::Never => self.phase = Phase::Ready,
        }
    }

    /// The answer to STARTTLS. `more` says that octets came behind it in clear, for which nobody can answer.
    pub(super) fn tls_answered(&mut self, reply: RemoteReply, more: bool) {
        match (reply.code / 100, self.protect) {
            (2, _) if more => self.close(Ended::Unprotected(replies::INJECTED)),
            (2, _) => self.phase = Phase::Handshake,
            (_, Protect::Always) => {
                let reply = reply.into_reply();
                let text = format!("TLS is required, and the host says: {reply}");
                self.close(Ended::Unprotected(Reply::from_text(451, Some(EnhancedStatus::new(4, 7, 4)), &text)));
            }
            // RFC 3207 4: the session goes on as it was.
            _ => self.phase = Phase::Ready,
        }
    }

    /// The handshake is done. RFC 3207 4.2: what the host said of itself before is forgotten, and EHLO comes again.
    pub fn handle_secured(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::Handshake) {
            return;
        }
        self.protect = Protect::Never;
        self.reader = ReplyReader::default();
        self.can = Capabilities::default();
        self.hello(now);
    }

    /// There was no handshake, for these reasons.
    pub fn handle_unsecured(&mut self, why: &str) {
        if matches!(self.phase, Phase::Handshake) {
            let text = format!("TLS could not be established: {why}");
            self.close(Ended::Unprotected(Reply::from_text(451, Some(EnhancedStatus::new(4, 7, 5)), &text)));
        }
    }
}
