//! The envelope: MAIL, RCPT and the end of a transaction (RFC 5321 3.3, 4.1.1.2, 4.1.1.3).

use super::state::{Answer, State, Timer, Transaction};
use super::{Effect, Session};
use crate::base::event::Event;
use crate::base::flow::policy::{Asked, Gate, Hook};
use crate::base::flow::spool::Room;
use crate::base::mail::address::Address;
use crate::base::mail::envelope::{Envelope, Recipient};
use crate::base::mail::id::QueueId;
use crate::base::smtp::command::Mail;
use crate::base::smtp::dot::LineEndCheck;
use crate::base::smtp::reply::Reply;
use crate::base::time::Now;
use crate::path::receive::relay::{self, Refused};
use crate::path::receive::replies;
use std::sync::Arc;

impl Session {
    /// MAIL opens a transaction.
    pub(super) fn mail(&mut self, mail: Mail) {
        if self.refuse_when_draining() {
            return;
        }
        // Between transactions is where a new configuration begins to hold.
        self.config = Arc::clone(&self.doors.config.borrow());
        if self.counts.messages >= self.config.limits.messages_per_session_max {
            // RFC 9422 4.1: the server may close what goes beyond MAILMAX.
            return self.end(&replies::TOO_MANY_MESSAGES, "message limit");
        }
        if let Some(reply) = self.mail_refusal(&mail) {
            return self.refuse("MAIL", &reply);
        }
        let Mail { sender, size, body, smtputf8, ret, envid, auth: _, requiretls } = mail;
        let body = body.unwrap_or_default();
        let by_sender = || sender.as_ref().and_then(|s| self.config.tenant_of_sender(self.may_relay(), s));
        let tenant = self.tenant_of_client().or_else(by_sender).cloned();
        self.transaction = Some(Box::new(Transaction {
            envelope: Envelope { sender, recipients: Vec::new(), body, smtputf8, ret, envid },
            tenant_known: tenant.is_some(),
            tenant,
            requires_tls: requiretls,
            announced_bytes: size,
            refused_rcpt: false,
            asked: None,
            asked_policy: false,
            id: QueueId(0),
            collector: None,
            chunked: false,
            line_ends: LineEndCheck::default(),
            blob: false,
            replies: 1,
            body_hash: None,
            arrived: None,
            verified: None,
            receipt: None,
        }));
        if self.doors.policy.has(Hook::Mail) {
            self.ask_policy(Answer::Mail);
        } else {
            self.say(&replies::SENDER_OK);
        }
    }

    /// Asks a hook of the envelope.
    pub(super) fn ask_gate(&mut self, answer: Answer) {
        self.effects.push_back(Effect::AskGate);
        self.state = State::Waiting(answer);
    }

    /// Asks one of the transaction.
    fn ask_policy(&mut self, answer: Answer) {
        if let Some(transaction) = &mut self.transaction {
            transaction.asked_policy = true;
        }
        self.ask_gate(answer);
    }

    /// Refuses a command if that is what the hook said; whether it did.
    pub(super) fn turn_down(&mut self, verb: &str, gate: Gate) -> bool {
        let (reply, closes) = match gate {
            Gate::Next | Gate::Accept => return false,
            Gate::Tempfail(reply) | Gate::Reject(reply) => (reply, false),
            Gate::Disconnect(reply) => (reply, true),
        };
        self.refuse(verb, &reply);
        if closes {
            self.close("disconnected by policy");
        }
        true
    }

    fn mail_gate(&mut self, gate: Gate) {
        self.state = State::Command;
        match self.turn_down("MAIL", gate) {
            true => self.end_transaction(),
            false => self.say(&replies::SENDER_OK),
        }
    }

    fn mail_refusal(&self, mail: &Mail) -> Option<Reply> {
        let Some(helo) = &self.helo else { return Some(self.hello_first()) };
        if self.transaction.is_some() {
            return Some(replies::NESTED_MAIL);
        }
        // RFC 5321 2.2.1: without EHLO there are no extensions.
        let plain = Mail { sender: None, ..Mail::default() };
        let has_parameters = Mail { sender: None, ..mail.clone() } != plain;
        if !helo.extended && has_parameters {
            return Some(replies::PARAMETERS_NEED_EHLO);
        }
        if mail.requiretls && self.tls().is_none() {
            return Some(replies::REQUIRETLS_NEEDS_TLS);
        }
        if let Some(reply) = self.sender_refusal(mail) {
            return Some(reply);
        }
        // RFC 1870 6.1: refused here, it costs nobody the transfer.
        if mail.size.is_some_and(|size| size > self.config.limits.message_bytes_max) {
            return Some(replies::TOO_LARGE);
        }
        match self.doors.spool.room() {
            Room::Open => None,
            Room::DiskLow => Some(replies::DISK_LOW),
            Room::Failing => Some(replies::STORE_FAILING),
        }
    }

    /// RCPT adds a recipient.
    pub(super) fn rcpt(&mut self, recipient: Recipient) {
        let recipient = match self.rcpt_refusal(&recipient) {
            Err(reply) => return self.refuse_rcpt(&reply),
            Ok(None) => recipient,
            // Whom a notification is about is said in the words of the client (RFC 3461 4.2).
            Ok(Some(address)) => {
                let orcpt = recipient.orcpt.or_else(|| Some(format!("rfc822;{}", recipient.address).into()));
                Recipient { address, orcpt, ..recipient }
            }
        };
        let Some(transaction) = &mut self.transaction else { return };
        if !transaction.tenant_known {
            let tenant = self.config.tenant_of_recipient(&recipient.address);
            if transaction.envelope.recipients.is_empty() {
                transaction.tenant = tenant.cloned();
            } else if transaction.tenant.as_ref() != tenant {
                return self.refuse_rcpt(&replies::ANOTHER_TENANT);
            }
        }
        if self.doors.policy.has(Hook::Rcpt) {
            transaction.asked = Some(recipient);
            self.ask_policy(Answer::Rcpt);
        } else {
            transaction.envelope.recipients.push(recipient);
            self.say(&replies::RECIPIENT_OK);
        }
    }

    /// Why the recipient is refused, or whom its address stands for, where it is one that we gave to a forwarded sender.
    fn rcpt_refusal(&self, recipient: &Recipient) -> Result<Option<Address>, Reply> {
        let Some(transaction) = &self.transaction else { return Err(replies::MAIL_FIRST) };
        if transaction.chunked {
            return Err(replies::CHUNKS_BEGUN);
        }
        let extended = self.helo.as_ref().is_some_and(|helo| helo.extended);
        if !extended && (recipient.notify.is_some() || recipient.orcpt.is_some()) {
            return Err(replies::PARAMETERS_NEED_EHLO);
        }
        if transaction.envelope.recipients.len() >= self.config.limits.recipients_per_message_max {
            return Err(replies::TOO_MANY_RECIPIENTS);
        }
        let (config, key, to, now) = (&self.config, &self.doors.key, &recipient.address, self.now.wall);
        let refused = match relay::way_back(config, key, to, now) {
            Ok(Some(sender)) => return Ok(Some(sender)),
            Ok(None) => relay::allows(config, key, self.may_relay(), to, now).err(),
            Err(refused) => Some(refused),
        };
        let Some(refused) = refused else { return Ok(None) };
        if refused == Refused::NotOurs {
            let (session, why) = (Some(&*self.id), "its address is none that we made, or too old");
            self.doors.observe.event(Event::FeedbackUntied { session, id: None, why });
        }
        Err(refused.reply())
    }

    /// Whether the client may send anywhere: from where it is, or because of who it is.
    pub(super) fn may_relay(&self) -> bool {
        self.user.is_some() || relay::is_inside(&self.config, self.peer.ip())
    }

    fn refuse_rcpt(&mut self, reply: &Reply) {
        self.note_refused_rcpt(reply);
        self.refuse("RCPT", reply);
    }

    fn note_refused_rcpt(&mut self, reply: &Reply) {
        if let Some(transaction) = &mut self.transaction {
            transaction.refused_rcpt = true;
            self.counts.rejected_recipients += u32::from(reply.is_permanent());
        }
    }

    /// Whose session or message it is, as far as is known.
    #[must_use]
    pub fn tenant(&self) -> Option<&Arc<str>> {
        match &self.transaction {
            Some(transaction) => transaction.tenant.as_ref(),
            None => self.tenant_of_client(),
        }
    }

    /// Whose client it is. Who has shown who it is needs no further sign.
    fn tenant_of_client(&self) -> Option<&Arc<str>> {
        let by_user = self.acting_user().and_then(|user| user.tenant.as_ref());
        by_user.or_else(|| self.config.tenant_of_client(&self.listener.name, self.peer.ip()))
    }

    /// What a hook of the envelope is asked about.
    #[must_use]
    pub fn asked(&self) -> Option<Asked<'_>> {
        let State::Waiting(answer) = self.state else { return None };
        let transaction = self.transaction.as_ref();
        match answer {
            Answer::Connect => Some(Asked::Connect),
            Answer::Helo => Some(Asked::Helo(&self.naming.as_ref()?.name)),
            Answer::Mail => transaction.map(|transaction| Asked::Mail {
                envelope: &transaction.envelope,
                size_bytes: transaction.announced_bytes,
            }),
            Answer::Rcpt => transaction.and_then(|transaction| {
                Some(Asked::Rcpt { sender: transaction.envelope.sender.as_ref(), to: transaction.asked.as_ref()? })
            }),
            Answer::Auth => self.asked_auth(),
            Answer::Handshake | Answer::Blob | Answer::Check | Answer::Verified | Answer::Data | Answer::Commit => None,
        }
    }

    /// What a hook of the envelope said.
    pub fn handle_gate(&mut self, gate: Gate, now: Now) {
        self.now = now;
        match self.state {
            State::Waiting(Answer::Connect) => self.connect_gate(gate),
            State::Waiting(Answer::Helo) => self.helo_gate(gate),
            State::Waiting(Answer::Auth) => self.auth_gate(gate),
            State::Waiting(Answer::Mail) => self.mail_gate(gate),
            State::Waiting(Answer::Rcpt) => self.rcpt_gate(gate),
            // An answer that nobody waits for: the session ended meanwhile.
            _ => return,
        }
        self.go_on();
    }

    fn rcpt_gate(&mut self, gate: Gate) {
        self.state = State::Command;
        let asked = self.transaction.as_mut().and_then(|transaction| transaction.asked.take());
        if let Gate::Tempfail(reply) | Gate::Reject(reply) | Gate::Disconnect(reply) = &gate {
            self.note_refused_rcpt(reply);
        }
        if self.turn_down("RCPT", gate) {
            return;
        }
        if let (Some(transaction), Some(recipient)) = (&mut self.transaction, asked) {
            transaction.envelope.recipients.push(recipient);
        }
        self.say(&replies::RECIPIENT_OK);
    }

    /// The transaction is over, or was never begun.
    pub(super) fn end_transaction(&mut self) {
        self.timers.stop(Timer::Data);
        let Some(transaction) = self.transaction.take() else { return };
        if transaction.blob {
            self.effects.push_back(Effect::DropBlob);
        }
        if transaction.asked_policy {
            self.effects.push_back(Effect::TransactionEnded);
        }
    }
}
