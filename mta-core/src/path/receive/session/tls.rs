//! TLS (RFC 3207; RFC 8314 3.3 where it is there from the first octet on), and what a listener of a kind takes.
//!
//! Nothing that came in clear counts inside: neither what the client said of itself nor octets that it sent too early.

use super::state::{Answer, State, Timer};
use super::{Effect, Session};
use crate::base::event::Event;
use crate::base::smtp::command::Command;
use crate::base::smtp::line::LineFramer;
use crate::base::smtp::reply::Reply;
use crate::base::time::Now;
use crate::base::world::tls::TlsInfo;
use crate::config::model::listener::{Kind, StartTls};
use crate::path::receive::replies;
use std::sync::Arc;

impl Session {
    /// How the connection is protected; none: it is not, and no secret should be asked for.
    #[must_use]
    pub fn tls(&self) -> Option<&Arc<TlsInfo>> {
        self.tls.as_ref()
    }

    /// The name of the listener that it came by.
    #[must_use]
    pub fn listener(&self) -> &Arc<str> {
        &self.listener.name
    }

    /// Whether EHLO announces STARTTLS: never inside TLS (RFC 3207 4.2).
    pub(super) fn offers_tls(&self) -> bool {
        self.listener.starttls != StartTls::Off && self.tls.is_none() && self.doors.tls.is_ready(&self.listener.name)
    }

    /// What the listener's kind does not let pass.
    pub(super) fn refusal_by_kind(&self, command: &Command) -> Option<Reply> {
        match (command, self.listener.kind) {
            (Command::Ehlo(_) | Command::Helo(_), Kind::Lmtp) => return Some(replies::OF_SMTP),
            (Command::Lhlo(_), Kind::Relay | Kind::Submission | Kind::Submissions) => return Some(replies::OF_LMTP),
            // RFC 3207 4 lets these pass. The octets of a chunk must be taken whatever comes of it, and without MAIL they
            // come to nothing.
            (Command::Ehlo(_) | Command::Helo(_) | Command::Lhlo(_), _) => return None,
            (Command::Noop | Command::Quit | Command::Bdat { .. }, _) => return None,
            _ => {}
        }
        if self.listener.starttls == StartTls::Required && self.tls.is_none() {
            return Some(replies::TLS_FIRST);
        }
        // RFC 6409 4.3: users alone submit, and networks that may relay.
        let is_stranger = || !self.may_relay();
        let submits = matches!(command, Command::Mail(_)) && self.listener.kind.is_submission();
        (submits && is_stranger()).then_some(replies::AUTHENTICATION_REQUIRED)
    }

    /// What a client is told that did not name itself.
    pub(super) fn hello_first(&self) -> Reply {
        if self.listener.kind == Kind::Lmtp { replies::LHLO_FIRST } else { replies::HELLO_FIRST }
    }

    /// STARTTLS. `more` says that octets came behind it in clear: whoever is between us and the client may have put them
    /// there, to be taken for words of the protected session, so there is none.
    pub(super) fn start_tls(&mut self, more: bool) {
        if self.tls.is_some() {
            return self.refuse("STARTTLS", &replies::TLS_UNDER_WAY);
        }
        if self.listener.starttls == StartTls::Off {
            return self.refuse("STARTTLS", &replies::NOT_IMPLEMENTED);
        }
        if !self.doors.tls.is_ready(&self.listener.name) {
            return self.refuse("STARTTLS", &replies::TLS_NOT_NOW);
        }
        if more {
            self.tell_failed("octets in clear behind STARTTLS");
            return self.end(&replies::TLS_LAST, "octets in clear behind STARTTLS");
        }
        self.say(&replies::BEGIN_TLS);
        self.flush();
        self.begin_handshake();
    }

    /// From here on the connection is the handshake's.
    pub(super) fn begin_handshake(&mut self) {
        self.end_transaction();
        self.effects.push_back(Effect::StartTls);
        self.timers.start(Timer::Handshake, self.now.mono, self.config.limits.tls_handshake);
        self.state = State::Waiting(Answer::Handshake);
    }

    /// The handshake is done.
    pub fn handle_secured(&mut self, info: TlsInfo, now: Now) {
        self.now = now;
        if !matches!(self.state, State::Waiting(Answer::Handshake)) {
            return;
        }
        self.timers.stop(Timer::Handshake);
        if !self.pending.is_empty() {
            return self.handle_unsecured("octets in clear during the handshake", now);
        }
        // RFC 3207 4.2: what was learnt of the client is forgotten.
        self.helo = None;
        self.user = None;
        self.framer = LineFramer::default();
        let client = info.client.as_ref();
        self.doors.observe.event(Event::TlsEstablished {
            session: &self.id,
            peer: self.peer,
            version: info.version,
            cipher: info.cipher,
            server_name: info.server_name.as_deref(),
            resumed: info.resumed,
            client: client.map(|client| &*client.subject),
            verified: client.map(|client| client.verified),
        });
        self.tls = Some(Arc::new(info));
        self.effects.push_back(Effect::Secured);
        self.state = State::Command;
        if self.listener.kind == Kind::Submissions {
            self.welcome();
        }
        self.settle();
    }

    /// There was no handshake, for these reasons: the connection is of no more use.
    pub fn handle_unsecured(&mut self, why: &str, now: Now) {
        self.now = now;
        if !matches!(self.state, State::Waiting(Answer::Handshake)) {
            return;
        }
        self.tell_failed(why);
        self.close("no TLS");
    }

    fn tell_failed(&self, why: &str) {
        let listener = &self.listener.name;
        self.doors.observe.event(Event::TlsFailed { session: &self.id, listener, peer: self.peer, why });
    }
}
