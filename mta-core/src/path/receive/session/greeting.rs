//! The beginning: connect, greeting, EHLO and HELO (RFC 5321 3.1, 3.2).

use super::state::{Answer, Helo, State, Timer};
use super::{Effect, Session};
use crate::base::event::Event;
use crate::base::flow::policy::{Gate, Hook};
use crate::base::smtp::ehlo::Announced;
use crate::base::smtp::reply::Reply;
use crate::base::time::Now;
use crate::config::model::listener::Kind;
use crate::path::receive::replies;

impl Session {
    /// The connection is there.
    pub fn handle_open(&mut self, now: Now) {
        self.now = now;
        self.timers.start(Timer::Session, now.mono, self.config.limits.session_total);
        self.doors.observe.event(Event::SessionOpened {
            session: &self.id,
            listener: &self.listener.name,
            peer: self.peer,
        });
        match self.listener.kind {
            Kind::Submissions => self.begin_handshake(),
            _ => self.welcome(),
        }
        self.settle();
    }

    /// Policy first, then the greeting.
    pub(super) fn welcome(&mut self) {
        if self.doors.policy.has(Hook::Connect) {
            self.ask_gate(Answer::Connect);
        } else {
            self.greet();
        }
    }

    /// What `on-connect` said.
    pub(super) fn connect_gate(&mut self, gate: Gate) {
        match gate {
            Gate::Next | Gate::Accept => self.greet(),
            Gate::Tempfail(reply) | Gate::Reject(reply) | Gate::Disconnect(reply) => self.turn_away(reply),
        }
    }

    /// RFC 5321 4.3.2 lets a connection be answered by 220, 554 or 421 alone; 421 closes it at once, and so do we
    /// with 554, since whoever was refused has nothing to ask.
    fn turn_away(&mut self, reply: Reply) {
        let code = if reply.is_permanent() { 554 } else { 421 };
        let reply = Reply { code, ..reply };
        let text = reply.to_string();
        self.doors.observe.event(Event::SessionRefused {
            session: &self.id,
            listener: &self.listener.name,
            peer: self.peer,
            reply: &text,
            why: "policy",
        });
        self.end(&reply, "refused by policy");
    }

    fn greet(&mut self) {
        self.state = State::Command;
        // RFC 5321 4.2: the greeting's text begins with the name; it has no status (RFC 2034 4).
        let protocol = if self.listener.kind == Kind::Lmtp { "LMTP" } else { "ESMTP" };
        let text = format!("{} {protocol} Mailwright", self.config.hostname);
        self.say(&Reply { code: 220, status: None, text: text.into() });
    }

    /// EHLO, HELO and LHLO.
    pub(super) fn name(&mut self, helo: Helo) {
        if self.doors.policy.has(Hook::Helo) {
            self.naming = Some(helo);
            self.ask_gate(Answer::Helo);
        } else {
            self.named(helo);
        }
    }

    /// What `on-helo` said. After a refusal the session stays as it was before the command (RFC 5321 4.1.4).
    pub(super) fn helo_gate(&mut self, gate: Gate) {
        self.state = State::Command;
        let Some(helo) = self.naming.take() else { return };
        let verb = match (self.listener.kind, helo.extended) {
            (Kind::Lmtp, _) => "LHLO",
            (_, true) => "EHLO",
            (_, false) => "HELO",
        };
        if !self.turn_down(verb, gate) {
            self.named(helo);
        }
    }

    /// A name that is accepted ends a transaction like RSET (RFC 5321 4.1.4).
    fn named(&mut self, helo: Helo) {
        self.end_transaction();
        let extended = helo.extended;
        self.helo = Some(helo);
        self.effects.push_back(Effect::Named);
        match extended {
            true => self.announce(),
            false => {
                let text = self.config.hostname.to_string();
                self.say(&Reply { code: 250, status: None, text: text.into() });
            }
        }
    }

    fn announce(&mut self) {
        let mechanisms = self.mechanisms();
        let limits = &self.config.limits;
        let announced = Announced {
            hostname: &self.config.hostname,
            message_bytes_max: limits.message_bytes_max,
            mechanisms: &mechanisms,
            messages_max: limits.messages_per_session_max,
            recipients_max: limits.recipients_per_message_max,
            starttls: self.offers_tls(),
            requiretls: self.tls().is_some(),
            xclient: self.may_name_clients(),
        };
        announced.encode(&mut self.out);
    }

    /// The server began to go down before the session did.
    pub(super) fn refuse_when_draining(&mut self) -> bool {
        if self.draining {
            self.end(&replies::GOING_DOWN, "the server is going down");
        }
        self.draining
    }
}
