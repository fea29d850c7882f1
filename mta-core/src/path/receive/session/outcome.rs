//! The content is here: what becomes of the message, and what is answered (RFC 5321 4.2.5, 6.1).

use super::state::{Answer, Arrived, Form, Receipt, State, Timer};
use super::submission;
use super::{Effect, Session};
use crate::base::event::Event;
use crate::base::fault::SpoolFault;
use crate::base::flow::entry::{Entry, OURS_TAG, OUTSIDE_TAG, Progress, REQUIRETLS_TAG};
use crate::base::flow::offer::{Offer, OfferedContent};
use crate::base::flow::policy::{DataVerdict, Disposition, Hook, Submission};
use crate::base::mail::address::Address;
use crate::base::mail::content::{Body, Content};
use crate::base::mail::edits::{Edits, EnvelopeEdit};
use crate::base::mail::envelope::{Envelope, Recipient};
use crate::base::mail::header;
use crate::base::smtp::reply::Reply;
use crate::base::time::Now;
use crate::config::model::listener::Kind;
use crate::path::receive::collect::{Collected, Collector, Refusal};
use crate::path::receive::replies;
use crate::path::receive::trace::Trace;
use std::sync::Arc;

impl Session {
    /// The last octet of the content was read, or (`last` is false) of a chunk that others were to follow.
    pub(super) fn content_ended(&mut self, last: bool) {
        self.timers.stop(Timer::Data);
        self.state = State::Command;
        let Some(transaction) = &mut self.transaction else { return };
        // RFC 2033 4.2: each recipient has an answer of its own, by the recipients that the client knows.
        if last && self.listener.kind == Kind::Lmtp {
            transaction.replies = transaction.envelope.recipients.len();
        }
        let finished = transaction.collector.as_mut().map(|collector| (collector.finish(), collector.body_hash()));
        match finished {
            None => {}
            Some((Err(refusal), _)) => self.refuse_message(&reply_of(&refusal), None),
            Some((Ok(Collected::Memory(whole, head_bytes)), body_hash)) => {
                let body = Body::Memory(whole.slice(head_bytes..));
                let content = Content { head: whole.slice(..head_bytes), body };
                transaction.arrived = Some(Arrived { content, form: Form::Memory(whole), body_hash });
                self.decide();
            }
            Some((Ok(Collected::Spilled { head, rest }), body_hash)) => {
                transaction.body_hash = body_hash;
                if !std::mem::replace(&mut transaction.blob, true) {
                    self.effects.push_back(Effect::OpenBlob(transaction.id));
                }
                if !rest.is_empty() {
                    self.effects.push_back(Effect::Spill(rest));
                }
                self.effects.push_back(Effect::FinishBlob(head));
                self.state = State::Waiting(Answer::Blob);
            }
        }
    }

    /// The blob could not be opened or written. The rest of the content is heard to its end, then the client is told.
    pub fn handle_spool_fault(&mut self, fault: SpoolFault, now: Now) {
        self.now = now;
        if self.state_is_waiting_for(Answer::Blob) {
            return self.handle_blob_finished(Err(fault), now);
        }
        let Some(transaction) = &mut self.transaction else { return };
        transaction.blob = false;
        if let Some(collector) = &mut transaction.collector {
            collector.refuse(Refusal::Spool(fault));
        }
    }

    /// The blob is on stable storage, or is not.
    pub fn handle_blob_finished(&mut self, finished: Result<Content, SpoolFault>, now: Now) {
        self.now = now;
        if !self.state_is_waiting_for(Answer::Blob) {
            return;
        }
        self.state = State::Command;
        match (finished, &mut self.transaction) {
            (Ok(content), Some(transaction)) => {
                let body_hash = transaction.body_hash.take();
                transaction.arrived = Some(Arrived { content, form: Form::Blob, body_hash });
                self.decide();
            }
            (Err(fault), _) => self.refuse_message(&replies::of_fault(&fault), None),
            (Ok(_), None) => {}
        }
        self.go_on();
    }

    /// Refuses what names others as its authors; has the message verified, where it comes from outside; then asks `on-data`,
    /// where there is one.
    pub(super) fn decide(&mut self) {
        if self.has_foreign_author() {
            return self.refuse_message(&replies::FROM_NOT_YOURS, None);
        }
        if self.is_to_be_verified() {
            return self.verify();
        }
        if !self.doors.policy.has(Hook::Data) {
            let verified = self.transaction.as_ref().and_then(|transaction| transaction.verified.as_deref());
            let headers = verified.map(|verified| verified.edits.clone()).unwrap_or_default();
            return self.offer(Edits { headers }, Vec::new(), None);
        }
        if let Some(transaction) = &mut self.transaction {
            transaction.asked_policy = true;
        }
        self.effects.push_back(Effect::AskData);
        self.state = State::Waiting(Answer::Data);
    }

    /// A user writes as somebody else.
    fn has_foreign_author(&self) -> bool {
        let Some(user) = self.user.as_ref().filter(|_| self.config.auth.check_from) else { return false };
        let arrived = self.transaction.as_ref().and_then(|transaction| transaction.arrived.as_ref());
        arrived.is_some_and(|arrived| !submission::is_from(&arrived.content.head, user))
    }

    /// The message that `on-data` is asked about.
    #[must_use]
    pub fn submission(&self) -> Option<Submission<'_>> {
        let transaction = self.transaction.as_ref()?;
        let arrived = transaction.arrived.as_ref()?;
        Some(Submission {
            id: transaction.id,
            envelope: &transaction.envelope,
            content: &arrived.content,
            size_bytes_max: self.config.limits.message_bytes_max,
            verified: transaction.verified.as_deref(),
            is_ours: self.may_relay(),
        })
    }

    /// What `on-data` said.
    pub fn handle_data_verdict(&mut self, verdict: DataVerdict, now: Now) {
        self.now = now;
        if !self.state_is_waiting_for(Answer::Data) {
            return;
        }
        self.state = State::Command;
        let DataVerdict { disposition, plugin, edits, body, envelope, tags } = verdict;
        if let (Some(body), Some(arrived)) = (body, self.transaction.as_mut().and_then(|t| t.arrived.as_mut())) {
            arrived.content.head = header::with_empty_line(&arrived.content.head);
            arrived.content.body = body.body();
            arrived.form = Form::Composed;
            arrived.body_hash = None;
        }
        let plugin = plugin.unwrap_or_else(|| "policy".into());
        match disposition {
            Disposition::Tempfail(reply) | Disposition::Reject(reply) => self.refuse_message(&reply, Some(&plugin)),
            Disposition::Discard(reason) => self.discard(&plugin, &reason),
            Disposition::Next | Disposition::Accept => {
                self.edit_envelope(envelope);
                self.offer_unless_empty(edits, tags, None, &plugin);
            }
            Disposition::Quarantine(reason) => {
                self.edit_envelope(envelope);
                self.offer_unless_empty(edits, tags, Some((Arc::clone(&plugin), reason)), &plugin);
            }
        }
        self.go_on();
    }

    fn edit_envelope(&mut self, edits: Vec<EnvelopeEdit>) {
        let Some(transaction) = &mut self.transaction else { return };
        let Envelope { sender, recipients, .. } = &mut transaction.envelope;
        for edit in edits {
            match edit {
                EnvelopeEdit::SetSender(to) => *sender = to,
                EnvelopeEdit::RemoveRecipient(gone) => recipients.retain(|r| r.address != gone),
                EnvelopeEdit::AddRecipient(address) if recipients.iter().any(|r| r.address == address) => {}
                EnvelopeEdit::AddRecipient(address) => {
                    recipients.push(Recipient { address, notify: None, orcpt: None });
                }
            }
        }
    }

    /// A message whose last recipient a plugin took away is discarded by it.
    fn offer_unless_empty(
        &mut self,
        edits: Edits,
        tags: Vec<(Box<str>, Box<str>)>,
        held: Option<(Arc<str>, Box<str>)>,
        plugin: &Arc<str>,
    ) {
        let is_empty = self.transaction.as_ref().is_none_or(|t| t.envelope.recipients.is_empty());
        if is_empty { self.discard(plugin, "no recipient is left") } else { self.offer(edits, tags, held) }
    }

    fn discard(&mut self, plugin: &str, reason: &str) {
        if let Some(transaction) = &self.transaction {
            self.doors.observe.event(Event::MessageDiscarded { session: &self.id, id: transaction.id, plugin, reason });
        }
        self.counts.messages = self.counts.messages.saturating_add(1);
        self.answer_message(&replies::DISCARDED);
    }

    /// Hands the message to the spool; nothing is answered before it is durable.
    fn offer(&mut self, mut edits: Edits, mut tags: Vec<(Box<str>, Box<str>)>, held: Option<(Arc<str>, Box<str>)>) {
        let held = held.or_else(|| self.held_by_verification());
        let may_relay = self.may_relay();
        // Only signatures depend on it so far.
        let is_ours = !self.config.dkim.is_empty() && may_relay;
        let (Some(transaction), Some(helo)) = (&mut self.transaction, &self.helo) else { return };
        let Some(Arrived { content, form, body_hash }) = transaction.arrived.take() else { return };
        let at = self.now.wall;
        if self.user.is_some() {
            submission::complete(&content.head, &mut edits, transaction.id, &self.config.hostname, at);
        }
        let trace = Trace {
            helo: &helo.name,
            extended: helo.extended,
            lmtp: self.listener.kind == Kind::Lmtp,
            tls: self.tls.as_deref(),
            authenticated: self.user.is_some(),
            hidden: self.user.is_some() && self.config.auth.hide_client,
            peer: self.peer.ip(),
            hostname: &self.config.hostname,
            id: transaction.id,
            envelope: &transaction.envelope,
            at,
        };
        // RFC 8689 4.1.
        tags.extend(own_tags([
            (OURS_TAG, is_ours),
            (OUTSIDE_TAG, !may_relay),
            (REQUIRETLS_TAG, transaction.requires_tls),
        ]));
        // Our results stand above the field of the hop that they are about (RFC 8601 5).
        let trace = match transaction.verified.take() {
            Some(verified) => [verified.field, trace.field()].concat().into(),
            None => trace.field(),
        };
        let empty = Envelope { recipients: Vec::new(), sender: None, envid: None, ..transaction.envelope };
        let envelope = std::mem::replace(&mut transaction.envelope, empty);
        let progress = match &held {
            Some((_, reason)) => Progress::Held(reason.clone()),
            None => Progress::fresh(at),
        };
        let count = envelope.recipients.len();
        transaction.receipt = Some(Receipt {
            sender: shown_sender(envelope.sender.as_ref()),
            recipients: u32::try_from(count).unwrap_or(u32::MAX),
            bytes: content.size_bytes(),
            held,
        });
        let mut entry = Entry {
            id: transaction.id,
            accepted: at,
            envelope,
            trace,
            edits,
            size_bytes: content.size_bytes(),
            head_bytes: u32::try_from(content.head.len()).unwrap_or(u32::MAX),
            tenant: transaction.tenant.as_deref().map(Into::into),
            tags,
            progress: vec![progress; count],
            placements: Vec::new(),
        };
        body_hash.iter().for_each(|hash| entry.keep_body_hash(hash));
        let content = match form {
            Form::Memory(whole) => OfferedContent::Memory(whole),
            Form::Blob => OfferedContent::Blob(content),
            Form::Composed => OfferedContent::Composed(content),
        };
        self.effects.push_back(Effect::Offer(Box::new(Offer { entry, content })));
        self.state = State::Waiting(Answer::Commit);
    }

    /// The message is durable, or is not and was never here.
    pub fn handle_committed(&mut self, committed: Result<(), SpoolFault>, now: Now) {
        self.now = now;
        if !self.state_is_waiting_for(Answer::Commit) {
            return;
        }
        self.state = State::Command;
        match committed {
            Ok(()) => self.accepted(),
            Err(fault) => self.refuse_message(&replies::of_fault(&fault), None),
        }
        self.go_on();
    }

    fn accepted(&mut self) {
        self.counts.messages = self.counts.messages.saturating_add(1);
        self.counts.errors_in_a_row = 0;
        let Some(transaction) = &mut self.transaction else { return };
        let id = transaction.id;
        // The blob is the spool's now.
        transaction.blob = false;
        if let Some(receipt) = &transaction.receipt {
            self.doors.observe.event(Event::Accepted {
                session: &self.id,
                id,
                sender: &receipt.sender,
                recipients: receipt.recipients,
                bytes: receipt.bytes,
                peer: self.peer,
                user: self.user.as_ref().map(|user| &*user.name),
            });
            if let Some((plugin, reason)) = &receipt.held {
                self.doors.observe.event(Event::MessageHeld { id, plugin, reason });
            }
        }
        let text = format!("queued as {id}");
        self.answer_message(&Reply { text: text.into(), ..replies::OK });
    }

    /// The answer to a message, as often as it is due. All recipients share what becomes of it here: it is queued for all
    /// or for none.
    fn answer_message(&mut self, reply: &Reply) {
        let replies = self.transaction.as_ref().map_or(1, |transaction| transaction.replies);
        self.end_transaction();
        for _ in 0..replies {
            self.say(reply);
        }
    }

    /// The message is refused after its content came.
    pub(super) fn refuse_message(&mut self, reply: &Reply, plugin: Option<&str>) {
        if let Some(transaction) = &self.transaction {
            let text = reply.to_string();
            let (sender, recipients) = match &transaction.receipt {
                Some(receipt) => (receipt.sender.clone(), receipt.recipients),
                None => {
                    let count = transaction.envelope.recipients.len();
                    (shown_sender(transaction.envelope.sender.as_ref()), u32::try_from(count).unwrap_or(u32::MAX))
                }
            };
            self.doors.observe.event(Event::MessageRefused {
                session: &self.id,
                id: transaction.id,
                sender: &sender,
                recipients,
                bytes: transaction.collector.as_ref().map_or(0, Collector::received_bytes),
                reply: &text,
                plugin,
            });
        }
        self.answer_message(reply);
        if reply.code == replies::GOING_DOWN.code {
            return self.close("the server is going down");
        }
        self.count_error(reply);
    }

    pub(super) fn state_is_waiting_for(&self, answer: Answer) -> bool {
        matches!(self.state, State::Waiting(waiting) if waiting == answer)
    }
}

/// What the server itself says of a message: the names of what is so.
fn own_tags(said: [(&str, bool); 3]) -> impl Iterator<Item = (Box<str>, Box<str>)> {
    said.into_iter().filter(|(_, is_so)| *is_so).map(|(name, _)| (name.into(), Box::default()))
}

/// As logs show it: nothing for the null sender.
fn shown_sender(sender: Option<&Address>) -> String {
    sender.map(ToString::to_string).unwrap_or_default()
}

fn reply_of(refusal: &Refusal) -> Reply {
    match refusal {
        Refusal::TooLarge => replies::TOO_LARGE,
        Refusal::HeaderTooLarge => replies::HEADER_TOO_LARGE,
        Refusal::Loop => replies::LOOP,
        Refusal::BareLineEnd => replies::BARE_IN_CONTENT,
        Refusal::Spool(fault) => replies::of_fault(fault),
    }
}
