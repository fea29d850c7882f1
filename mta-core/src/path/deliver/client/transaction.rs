//! One mail transaction from the client's side: MAIL, RCPT, DATA or BDAT, and what each recipient gets
//! (RFC 5321 3.3, RFC 2033 4.2, RFC 2920, RFC 3030).

use super::content::ContentWriter;
use super::message::Message;
use super::replies;
use super::timer::Timer;
use super::words::{Finished, Full, Protocol};
use crate::base::fault::Scope;
use crate::base::flow::report::Outcome;
use crate::base::smtp::ehlo::Capabilities;
use crate::base::smtp::encode;
use crate::base::smtp::reply::Reply;
use crate::base::smtp::status::EnhancedStatus;
use std::collections::VecDeque;

/// The next thing to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Reset,
    Mail,
    /// The recipient at this place.
    Rcpt(usize),
    /// DATA, or BDAT's first line.
    Data,
    /// DATA was said; its answer decides.
    Go,
    /// The octets.
    Content,
    /// Nothing more.
    Over,
}

/// A reply that is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Reset,
    Mail,
    Rcpt(usize),
    Data,
    /// The one reply for all recipients.
    Final,
    /// LMTP's reply for one recipient (RFC 2033 4.2).
    FinalFor(usize),
    /// The reply to a lone dot, which says nothing to anybody.
    FinalForNobody,
}

/// What one recipient has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stand {
    Open,
    Accepted,
    /// There were too many in this transaction (RFC 5321 4.5.3.1.10).
    Surplus(Reply),
    Settled(Outcome),
}

/// What the session must do after a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Go on.
    Continue,
    /// The connection is of no more use, for this reason.
    Abandon(Reply),
}

/// The machine of one transaction.
#[derive(Debug)]
pub(super) struct Transaction {
    message: Message,
    /// For each of the message's recipients.
    stands: Vec<Stand>,
    next: Next,
    awaited: VecDeque<Awaited>,
    content: Option<ContentWriter>,
    /// Recipients that were let in.
    accepted: usize,
    protocol: Protocol,
    dsn: bool,
    /// MAIL was answered.
    answered: bool,
    /// The server is back in the state before MAIL.
    clean: bool,
    /// All content was written with its end: from here it may have the message.
    delivered: bool,
    trouble: Option<Scope>,
}

impl Transaction {
    /// A transaction about to begin, behind RSET if the last one was left half done.
    pub(super) fn new(message: Message, can: &Capabilities, protocol: Protocol, reset: bool) -> Self {
        let mut stands = vec![Stand::Open; message.recipients.len()];
        let mut next = if reset { Next::Reset } else { Next::Mail };
        let mut trouble = None;
        if let Some(refusal) = message.obstacle(can) {
            stands.fill(Stand::Settled(Outcome::Failed(refusal)));
            trouble = Some(Scope::Message);
        }
        for (place, stand) in stands.iter_mut().enumerate().filter(|(_, stand)| **stand == Stand::Open) {
            if !message.can_name(place, can) {
                *stand = Stand::Settled(Outcome::Failed(replies::NEEDS_SMTPUTF8));
                trouble = trouble.max(Some(Scope::Recipient));
            }
        }
        let nobody = stands.iter().all(|stand| *stand != Stand::Open);
        if nobody {
            next = Next::Over;
        }
        Self {
            message,
            stands,
            next,
            awaited: VecDeque::new(),
            content: None,
            accepted: 0,
            protocol,
            dsn: can.dsn,
            answered: false,
            clean: nobody && !reset,
            delivered: false,
            trouble,
        }
    }

    /// Writes what can be said now. With pipelining that is everything up to DATA (RFC 2920 3.1); without, one
    /// command.
    pub(super) fn advance(&mut self, can: &Capabilities, out: &mut Vec<u8>) {
        while self.next != Next::Over && (self.awaited.is_empty() || can.pipelining) {
            match self.next {
                Next::Reset => {
                    out.extend_from_slice(encode::RSET);
                    self.say(Awaited::Reset, Next::Mail);
                }
                Next::Mail => {
                    encode::mail(&self.message.mail(can), out);
                    self.say(Awaited::Mail, Next::Rcpt(0));
                }
                Next::Rcpt(place) => match self.stands.get(place) {
                    None => self.next = Next::Data,
                    Some(Stand::Open) => {
                        encode::rcpt(&self.message.rcpt(place, can), out);
                        self.say(Awaited::Rcpt(place), Next::Rcpt(place + 1));
                    }
                    Some(_) => self.next = Next::Rcpt(place + 1),
                },
                // The answers are known and nobody was accepted: no DATA. (Not in lock-step alone: BDAT too waits.)
                Next::Data if self.awaited.is_empty() && !self.is_any_accepted() => self.next = Next::Over,
                Next::Data if self.message.is_binary() => {
                    // Octets of a chunk that nobody wants would be sent in vain, so BDAT waits for the RCPTs.
                    if !self.awaited.is_empty() {
                        return;
                    }
                    encode::bdat(self.message.rendered.size_bytes(), true, out);
                    self.content = Some(ContentWriter::chunk(self.message.rendered.clone()));
                    self.next = Next::Content;
                }
                Next::Data => {
                    out.extend_from_slice(encode::DATA);
                    self.say(Awaited::Data, Next::Go);
                }
                Next::Go | Next::Content | Next::Over => return,
            }
        }
    }

    fn say(&mut self, awaited: Awaited, next: Next) {
        self.awaited.push_back(awaited);
        self.next = next;
    }

    /// The content to go on with, while there is one under way.
    pub(super) fn content(&mut self) -> Option<&mut ContentWriter> {
        self.content.as_mut()
    }

    /// The last of the content was written to the connection: now replies are due.
    pub(super) fn content_written(&mut self) {
        self.content = None;
        self.delivered = true;
        self.next = Next::Over;
        match self.protocol {
            Protocol::Smtp => self.awaited.push_back(Awaited::Final),
            Protocol::Lmtp => {
                let accepted = self.stands.iter().enumerate().filter(|(_, stand)| **stand == Stand::Accepted);
                self.awaited.extend(accepted.map(|(place, _)| Awaited::FinalFor(place)));
            }
        }
    }

    /// The next reply is about one recipient of several.
    pub(super) fn is_told_of_one(&self) -> bool {
        matches!(self.awaited.front(), Some(Awaited::FinalFor(_)))
    }

    /// Takes the next reply. 421 is for here only where [`is_told_of_one`](Self::is_told_of_one): else it ends the session.
    pub(super) fn reply(&mut self, reply: Reply, out: &mut Vec<u8>) -> Step {
        let Some(awaited) = self.awaited.pop_front() else { return self.early(reply) };
        match awaited {
            Awaited::Reset if reply.is_positive() => {}
            Awaited::Reset => return Step::Abandon(reply),
            Awaited::Mail => return self.mail_answered(&reply),
            Awaited::Rcpt(place) => return self.rcpt_answered(place, reply),
            Awaited::Data => return self.data_answered(&reply, out),
            Awaited::Final => {
                if reply.code / 100 == 3 {
                    return Step::Abandon(replies::OUT_OF_PLACE);
                }
                self.settle(&Stand::Accepted, &reply, Scope::Message);
                self.clean = true;
            }
            Awaited::FinalFor(place) => {
                if reply.code / 100 == 3 {
                    return Step::Abandon(replies::OUT_OF_PLACE);
                }
                let outcome = self.outcome(reply);
                self.settle_one(place, outcome, Scope::Recipient);
                self.clean = self.awaited.is_empty();
            }
            Awaited::FinalForNobody => self.clean = true,
        }
        Step::Continue
    }

    fn mail_answered(&mut self, reply: &Reply) -> Step {
        self.answered = true;
        if reply.code / 100 == 3 {
            return Step::Abandon(replies::OUT_OF_PLACE);
        }
        if !reply.is_positive() {
            self.settle(&Stand::Open, reply, Scope::Message);
            if self.awaited.is_empty() {
                self.next = Next::Over;
            }
        }
        Step::Continue
    }

    fn rcpt_answered(&mut self, place: usize, reply: Reply) -> Step {
        // MAIL was refused; this is its echo (503).
        if self.stands.get(place) != Some(&Stand::Open) {
            return Step::Continue;
        }
        if reply.code / 100 == 3 {
            return Step::Abandon(replies::OUT_OF_PLACE);
        }
        if reply.is_positive() {
            // Behind a refusal for want of room there was room: it was about that recipient alone.
            self.settle_surplus();
            self.stands[place] = Stand::Accepted;
            self.accepted += 1;
            return Step::Continue;
        }
        let reply = too_many_is_transient(reply);
        if is_too_many(&reply) {
            self.stands[place] = Stand::Surplus(reply);
        } else {
            let outcome = self.outcome(reply);
            self.settle_one(place, outcome, Scope::Recipient);
        }
        Step::Continue
    }

    /// Whoever was refused as one too many stays so: in this attempt there is no better moment.
    fn settle_surplus(&mut self) {
        for place in 0..self.stands.len() {
            if let Stand::Surplus(reply) = &self.stands[place] {
                let outcome = Outcome::Deferred(reply.clone());
                self.settle_one(place, outcome, Scope::Recipient);
            }
        }
    }

    /// The first refusal for want of room, and how many came in before it.
    fn full(&self) -> Option<Full> {
        let reply = self.stands.iter().find_map(|stand| match stand {
            Stand::Surplus(reply) => Some(reply.clone()),
            _ => None,
        });
        reply.map(|reply| Full { taken: self.accepted, reply })
    }

    fn data_answered(&mut self, reply: &Reply, out: &mut Vec<u8>) -> Step {
        let wanted = self.is_any_accepted();
        match reply.code {
            354 if wanted => {
                self.content = Some(ContentWriter::dots(self.message.rendered.clone()));
                self.next = Next::Content;
            }
            // RFC 2920 3.1: "the client SHOULD send a single dot" when no recipient was accepted. With LMTP nobody can
            // tell how many replies that makes (RFC 2033 4.2), so the connection ends.
            354 if self.protocol == Protocol::Lmtp => return Step::Abandon(replies::OUT_OF_PLACE),
            354 => {
                out.extend_from_slice(b".\r\n");
                self.say(Awaited::FinalForNobody, Next::Over);
            }
            200..400 => return Step::Abandon(replies::OUT_OF_PLACE),
            _ => {
                self.settle(&Stand::Accepted, reply, Scope::Message);
                self.next = Next::Over;
            }
        }
        Step::Continue
    }

    /// A reply nobody asked for. While content is sent, a refusal is the final word on it; the connection can't be
    /// used on, because the server may read the rest as commands.
    fn early(&mut self, reply: Reply) -> Step {
        if self.next == Next::Content && matches!(reply.code, 400..) {
            self.settle(&Stand::Accepted, &reply, Scope::Message);
            return Step::Abandon(reply);
        }
        Step::Abandon(replies::OUT_OF_PLACE)
    }

    /// Every recipient that stands so gets what the reply says.
    fn settle(&mut self, which: &Stand, reply: &Reply, scope: Scope) {
        for place in 0..self.stands.len() {
            if self.stands[place] == *which {
                let outcome = self.outcome(reply.clone());
                self.settle_one(place, outcome, scope);
            }
        }
    }

    fn settle_one(&mut self, place: usize, outcome: Outcome, scope: Scope) {
        if !matches!(outcome, Outcome::Delivered { .. }) {
            self.trouble = self.trouble.max(Some(scope));
        }
        if let Some(stand) = self.stands.get_mut(place) {
            *stand = Stand::Settled(outcome);
        }
    }

    fn outcome(&self, reply: Reply) -> Outcome {
        match reply.code / 100 {
            2 => Outcome::Delivered { reply, dsn_passed_on: self.dsn },
            5 => Outcome::Failed(reply),
            _ => Outcome::Deferred(reply),
        }
    }

    fn is_any_accepted(&self) -> bool {
        self.stands.contains(&Stand::Accepted)
    }

    /// Nothing is left to say or to hear.
    pub(super) fn is_over(&self) -> bool {
        self.next == Next::Over && self.awaited.is_empty()
    }

    /// What the machine waits for now.
    pub(super) fn timer(&self) -> Timer {
        match self.awaited.front() {
            Some(Awaited::Data) => Timer::Data,
            Some(Awaited::Final | Awaited::FinalFor(_) | Awaited::FinalForNobody) => Timer::FinalReply,
            None if self.next == Next::Content => Timer::Content,
            _ => Timer::Command,
        }
    }

    /// The result. `lost` is why the session ended, if it did: then recipients without an outcome are open to another
    /// host, unless the message was sent whole (RFC 1047): those are deferred.
    pub(super) fn finish(mut self, lost: Option<&Reply>) -> Finished {
        // A session that is lost has no next transaction.
        let full = self.full().filter(|_| lost.is_none());
        // RFC 5321 4.5.3.1.10: the others go in a further transaction, once this one has carried the first of them.
        let carried = self.stands.iter().any(|stand| matches!(stand, Stand::Settled(Outcome::Delivered { .. })));
        if !carried || lost.is_some() {
            self.settle_surplus();
        }
        let mut outcomes = Vec::with_capacity(self.stands.len());
        let mut open = Vec::new();
        for (recipient, stand) in self.message.recipients.iter().zip(self.stands) {
            match stand {
                Stand::Settled(outcome) => outcomes.push((*recipient, outcome)),
                Stand::Accepted if self.delivered => {
                    let reply = lost.filter(|reply| **reply != replies::LOST).cloned();
                    outcomes.push((*recipient, Outcome::Deferred(reply.unwrap_or(replies::LOST_AFTER_DOT))));
                }
                Stand::Open | Stand::Accepted | Stand::Surplus(_) => open.push(*recipient),
            }
        }
        let trouble = self.trouble.max(lost.map(|_| Scope::Session));
        Finished { outcomes, open, full, trouble, answered: self.answered, clean: self.clean }
    }
}

/// RFC 5321 4.5.3.1.10: 452 means "too many recipients", unless its status says something else, as 4.2.2 of a full
/// mailbox or 4.3.1 of a full disk.
fn is_too_many(reply: &Reply) -> bool {
    reply.code == 452 && reply.status.is_none_or(|status| status == EnhancedStatus::new(4, 5, 3))
}

/// RFC 5321 4.5.3.1.10: servers of old said 552 where 452 was meant, "too many recipients". A status that says
/// something else, as 5.2.2 of a full mailbox, is believed.
fn too_many_is_transient(reply: Reply) -> Reply {
    let says_else = reply.status.is_some_and(|status| status != EnhancedStatus::new(5, 5, 3));
    if reply.code != 552 || says_else {
        return reply;
    }
    Reply { code: 452, status: Some(EnhancedStatus::new(4, 5, 3)), text: reply.text }
}
