//! AUTH: the client shows who it is (RFC 4954). The mechanisms are machines of their own; here is how SMTP carries them.
//!
//! 534 and 432 are never answered: whether a user may use a mechanism is the same for all, and told by what is offered,
//! so that no answer tells who is a user here.

use super::state::{Answer, Dialogue, Outcome, State};
use super::{Effect, Session};
use crate::base::event::Event;
use crate::base::flow::policy::{Asked, Gate, Hook};
use crate::base::sasl::door::{Checked, Claim, User};
use crate::base::sasl::scram::Bindings;
use crate::base::sasl::{Exchange, Failure, Hidden, LINE_BYTES_MAX, Mechanism, Step, wire};
use crate::base::smtp::command::Mail;
use crate::base::smtp::line::Line;
use crate::base::smtp::reply::Reply;
use crate::base::time::Now;
use crate::config::model::auth::AuthOffer;
use crate::path::receive::replies;
use std::sync::Arc;

impl Session {
    /// Whether what the client sends now can be read by nobody between us: what secrets need.
    fn is_private(&self) -> bool {
        match self.listener.auth {
            AuthOffer::DangerPlaintext => true,
            AuthOffer::Private => self.tls().is_some(),
            AuthOffer::Off => false,
        }
    }

    /// What the connection can be known again by.
    fn bindings(&self) -> Bindings {
        let tls = self.tls();
        let exporter = tls.and_then(|tls| tls.exporter).map(Into::into);
        let server_end_point = tls.and_then(|tls| tls.end_point.clone()).map(Into::into);
        Bindings { server_end_point, exporter }
    }

    /// The mechanisms that EHLO announces: none where AUTH would be refused whatever it says.
    pub(super) fn mechanisms(&self) -> Vec<Mechanism> {
        if self.user.is_some() || !self.is_private() {
            return Vec::new();
        }
        self.possible_mechanisms()
    }

    fn possible_mechanisms(&self) -> Vec<Mechanism> {
        let (offered, bound) = (self.doors.auth.offered(), !self.bindings().is_empty());
        Mechanism::ALL.into_iter().filter(|mechanism| offered.has(*mechanism, bound)).collect()
    }

    /// Longest line with AUTH, in octets, where that is more than for other commands: tokens come in it (RFC 4954 4).
    pub(super) fn auth_line_bytes_max(&self) -> usize {
        let may_come = self.user.is_none() && self.is_private() && self.doors.auth.offered().tokens;
        if may_come { LINE_BYTES_MAX } else { 0 }
    }

    /// AUTH begins an exchange.
    pub(super) fn auth(&mut self, mechanism: Option<Mechanism>, initial: Option<&Hidden>) {
        if let Some(reply) = self.auth_refusal() {
            return self.refuse("AUTH", &reply);
        }
        let Some(mechanism) = mechanism.filter(|wanted| self.possible_mechanisms().contains(wanted)) else {
            return self.refuse("AUTH", &replies::UNKNOWN_MECHANISM);
        };
        let exchange = Exchange::new(mechanism, self.bindings());
        let dialogue = Dialogue { mechanism, exchange, name: "".into(), claim: None, outcome: Outcome::Open };
        let dialogue = self.dialogue.insert(Box::new(dialogue));
        let step = match initial {
            None => Ok(dialogue.exchange.begin()),
            Some(text) => wire::decode_initial(text.reveal())
                .ok_or(Failure::Malformed)
                .and_then(|octets| dialogue.exchange.respond(&octets)),
        };
        self.step(step);
    }

    /// RFC 4954 4: after EHLO, once, and not in a transaction.
    fn auth_refusal(&self) -> Option<Reply> {
        let is_off = self.listener.auth == AuthOffer::Off;
        if is_off || self.possible_mechanisms().is_empty() {
            return Some(replies::NOT_IMPLEMENTED);
        }
        if self.helo.as_ref().is_none_or(|helo| !helo.extended) {
            return Some(replies::HELLO_FIRST);
        }
        if self.user.is_some() {
            return Some(replies::AUTH_TWICE);
        }
        if self.transaction.is_some() {
            return Some(replies::AUTH_IN_TRANSACTION);
        }
        (!self.is_private()).then_some(replies::AUTH_NEEDS_TLS)
    }

    /// One line of the exchange; false when it has not wholly come.
    pub(super) fn auth_line(&mut self, input: &mut &[u8]) -> bool {
        let response = match self.framer.next(input, LINE_BYTES_MAX) {
            None => return false,
            // RFC 4954 4: this cancels it.
            Some(Line::Complete(b"*")) => Err(replies::AUTH_CANCELLED),
            Some(Line::Complete(line)) => wire::decode(line).ok_or(replies::AUTH_MALFORMED),
            Some(Line::TooLong) => Err(replies::AUTH_LINE_TOO_LONG),
            Some(Line::BareLineEnd) => Err(replies::BARE_LINE_END),
        };
        self.state = State::Command;
        match (response, &mut self.dialogue) {
            (Ok(octets), Some(dialogue)) => {
                let step = dialogue.exchange.respond(&octets);
                self.step(step);
            }
            (Err(reply), _) => self.break_off(&reply),
            (Ok(_), None) => {}
        }
        true
    }

    /// The client broke the exchange off. One in which it was told already that what it showed is no good has failed.
    fn break_off(&mut self, reply: &Reply) {
        if let Some(Outcome::IsNot(_, why)) = self.dialogue.as_ref().map(|dialogue| &dialogue.outcome) {
            self.tell_failure(why);
            self.counts.auth_failures = self.counts.auth_failures.saturating_add(1);
        }
        self.dialogue = None;
        match self.counts.auth_failures >= self.config.auth.failures_max {
            true => self.end(&replies::TOO_MANY_AUTH_FAILURES, "authentication failures"),
            false => self.refuse("AUTH", reply),
        }
    }

    /// What the exchange needs next.
    fn step(&mut self, step: Result<Step, Failure>) {
        let Some(dialogue) = &mut self.dialogue else { return };
        match step {
            Ok(Step::Challenge(octets)) => {
                self.state = State::Auth;
                self.out.extend_from_slice(format!("334 {}\r\n", wire::encode(&octets)).as_bytes());
            }
            Ok(Step::Check(name, password)) => self.check(Claim::Password(name, password)),
            Ok(Step::Token(name, token)) => self.check(Claim::Token(name, token)),
            Ok(Step::Keys(name)) => {
                dialogue.name = name;
                self.hand_keys();
            }
            Ok(Step::Proven(name)) => {
                let checked = self.doors.auth.proven(self.peer.ip(), &name, true);
                self.checked(checked, Failure::Wrong.why());
            }
            // What it says to the challenge that told it so is of no account.
            Err(_) if matches!(dialogue.outcome, Outcome::IsNot(..)) => self.put_to_policy(),
            Err(Failure::Malformed) => self.break_off(&replies::AUTH_MALFORMED),
            Err(failure) if dialogue.name.is_empty() => self.checked(Checked::IsNot { known: false }, failure.why()),
            Err(failure) => {
                let checked = self.doors.auth.proven(self.peer.ip(), &dialogue.name, false);
                self.checked(checked, failure.why());
            }
        }
    }

    /// Has what the client shows checked.
    fn check(&mut self, claim: Claim) {
        let Some(dialogue) = &mut self.dialogue else { return };
        dialogue.name = claim.name().into();
        dialogue.claim = Some(claim);
        self.effects.push_back(Effect::CheckClaim);
        self.state = State::Waiting(Answer::Check);
    }

    /// Gives the exchange the user's keys, and a nonce.
    fn hand_keys(&mut self) {
        let Some(dialogue) = &mut self.dialogue else { return };
        let mut nonce = [0; 18];
        let keys = self.doors.auth.keys(self.peer.ip(), &dialogue.name);
        match (keys, self.doors.dice.fill(&mut nonce)) {
            (Ok(keys), Ok(())) => {
                let step = dialogue.exchange.keys(keys, &wire::encode(&nonce));
                self.step(step);
            }
            (Err(later), _) => self.checked(Checked::Later(later), later.why()),
            // Without randomness nobody is let in.
            (Ok(_), Err(_)) => {
                self.dialogue = None;
                self.refuse("AUTH", &replies::AUTH_LATER);
            }
        }
    }

    /// What [`Effect::CheckClaim`] is about.
    pub fn claim(&mut self) -> Option<Claim> {
        self.dialogue.as_mut()?.claim.take()
    }

    /// What the check came to.
    pub fn handle_checked(&mut self, checked: Checked, now: Now) {
        self.now = now;
        if !matches!(self.state, State::Waiting(Answer::Check)) {
            return;
        }
        self.checked(checked, Failure::Wrong.why());
        self.go_on();
    }

    /// It is known who the client is, or that it is not. Some mechanisms tell it so in the exchange first.
    fn checked(&mut self, checked: Checked, why: &'static str) {
        self.state = State::Command;
        let Some(dialogue) = &mut self.dialogue else { return };
        dialogue.outcome = match checked {
            Checked::Is(user) => Outcome::Is(user),
            Checked::IsNot { known } => Outcome::IsNot(known, why),
            Checked::Unfit { known, why } => Outcome::IsNot(known, why),
            Checked::Later(later) => {
                self.tell_failure(later.why());
                self.dialogue = None;
                return self.refuse("AUTH", &replies::AUTH_LATER);
            }
        };
        let is_not = matches!(dialogue.outcome, Outcome::IsNot(..));
        match is_not.then(|| dialogue.exchange.refused()).flatten() {
            Some(told) => self.step(Ok(told)),
            None => self.put_to_policy(),
        }
    }

    /// The exchange came to an end: policy is asked, or told of a failure.
    fn put_to_policy(&mut self) {
        match self.doors.policy.has(Hook::Auth) {
            true => self.ask_gate(Answer::Auth),
            false => self.conclude(Gate::Next),
        }
    }

    /// What `on-auth` is asked about.
    pub(super) fn asked_auth(&self) -> Option<Asked<'_>> {
        let dialogue = self.dialogue.as_ref()?;
        let succeeded = matches!(dialogue.outcome, Outcome::Is(_));
        Some(Asked::Auth { mechanism: dialogue.mechanism.name(), user: dialogue.user(), succeeded })
    }

    /// The user that the client is, or will be if policy lets it.
    pub(super) fn acting_user(&self) -> Option<&User> {
        match self.dialogue.as_ref().map(|dialogue| &dialogue.outcome) {
            Some(Outcome::Is(user)) => Some(user),
            _ => self.user.as_deref(),
        }
    }

    /// What `on-auth` said.
    pub(super) fn auth_gate(&mut self, gate: Gate) {
        self.state = State::Command;
        self.conclude(gate);
    }

    /// A refusal stands whatever policy says; it may close the connection too.
    fn conclude(&mut self, gate: Gate) {
        let Some(dialogue) = &self.dialogue else { return };
        match (&dialogue.outcome, gate) {
            (Outcome::Is(user), Gate::Next | Gate::Accept) => {
                let (user, mechanism) = (Arc::clone(user), dialogue.mechanism.name());
                self.doors.observe.event(Event::AuthSucceeded {
                    session: &self.id,
                    peer: self.peer,
                    mechanism,
                    user: &user.name,
                });
                self.dialogue = None;
                self.user = Some(user);
                self.effects.push_back(Effect::Authenticated);
                self.say(&replies::AUTHENTICATED);
            }
            (Outcome::Is(_), gate) => {
                self.tell_failure("policy");
                self.dialogue = None;
                self.turn_down("AUTH", gate);
            }
            (Outcome::IsNot(_, why), gate) => {
                self.tell_failure(why);
                self.dialogue = None;
                self.counts.auth_failures = self.counts.auth_failures.saturating_add(1);
                if matches!(gate, Gate::Disconnect(_)) {
                    self.turn_down("AUTH", gate);
                } else if self.counts.auth_failures >= self.config.auth.failures_max {
                    self.end(&replies::TOO_MANY_AUTH_FAILURES, "authentication failures");
                } else {
                    self.refuse("AUTH", &replies::WRONG_CREDENTIALS);
                }
            }
            (Outcome::Open, _) => self.dialogue = None,
        }
    }

    /// A name is told where it is a user's. What else stands there may be anything, a password typed into the wrong
    /// field not the least.
    fn tell_failure(&self, why: &str) {
        let Some(dialogue) = &self.dialogue else { return };
        let known = matches!(dialogue.outcome, Outcome::Is(_) | Outcome::IsNot(true, _));
        self.doors.observe.event(Event::AuthFailed {
            session: &self.id,
            peer: self.peer,
            mechanism: dialogue.mechanism.name(),
            user: known.then_some(dialogue.user()),
            why,
        });
    }

    /// RFC 4954 5: the parameter is there with the extension alone. RFC 6409 6.1: whoever has shown who it is sends as
    /// itself.
    pub(super) fn sender_refusal(&self, mail: &Mail) -> Option<Reply> {
        if mail.auth && self.user.is_none() && self.mechanisms().is_empty() {
            return Some(replies::AUTH_NOT_OFFERED);
        }
        let foreign = self.user.as_ref().is_some_and(|user| !user.may_send_as(mail.sender.as_ref()));
        foreign.then_some(replies::SENDER_NOT_YOURS)
    }
}
