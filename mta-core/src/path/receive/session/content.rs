//! Content: DATA and BDAT, up to the last octet (RFC 5321 4.1.1.4, RFC 3030 2).

use super::state::{Chunk, State, Timer};
use super::{Effect, Session};
use crate::base::mail::envelope::BodyType;
use crate::base::mail::id::QueueId;
use crate::base::smtp::dot::{Decoded, DotDecoder};
use crate::base::smtp::reply::Reply;
use crate::config::model::listener::Kind;
use crate::path::receive::collect::{Collector, ContentLimits, Refusal};
use crate::path::receive::doors::Charge;
use crate::path::receive::replies;

impl Session {
    /// DATA: content follows, once we say so.
    pub(super) fn data(&mut self) {
        if let Some(reply) = self.data_refusal() {
            return self.refuse("DATA", &reply);
        }
        self.open_content();
        self.state = State::Data(DotDecoder::default());
        self.out.extend_from_slice(replies::GO_AHEAD);
    }

    fn data_refusal(&self) -> Option<Reply> {
        let Some(transaction) = &self.transaction else { return Some(replies::MAIL_FIRST) };
        if transaction.chunked {
            return Some(replies::CHUNKS_BEGUN);
        }
        // RFC 3030 3: binary content has no lines, so no dot can end it.
        if transaction.envelope.body == BodyType::BinaryMime {
            return Some(replies::BINARY_NEEDS_BDAT);
        }
        self.recipients_refusal()
    }

    /// BDAT: so many octets follow at once, whatever we think of it.
    pub(super) fn bdat(&mut self, octets: u64, last: bool) {
        let refused = self.bdat_refusal();
        if refused.is_none() {
            self.open_content();
        }
        self.state = State::Chunk(Chunk { left: octets, octets, last, refused });
    }

    fn bdat_refusal(&self) -> Option<Reply> {
        if self.helo.as_ref().is_none_or(|helo| !helo.extended) {
            return Some(self.hello_first());
        }
        if self.transaction.is_none() {
            return Some(replies::MAIL_FIRST);
        }
        self.recipients_refusal()
    }

    /// RFC 5321 3.3: without recipients 503 or 554 is the answer.
    fn recipients_refusal(&self) -> Option<Reply> {
        let transaction = self.transaction.as_ref()?;
        match transaction.envelope.recipients.is_empty() {
            false => None,
            // RFC 2033 4.2: it must be 503, whatever became of them.
            true if self.listener.kind == Kind::Lmtp => Some(replies::RCPT_FIRST),
            true if transaction.refused_rcpt => Some(replies::NO_RECIPIENTS),
            true => Some(replies::RCPT_FIRST),
        }
    }

    /// The message gets its name, and a place for its content.
    fn open_content(&mut self) {
        let (now, limits) = (self.now, ContentLimits::of(&self.config));
        // As far as can be known before its header section is here: what is ours is signed, what is not may be sealed.
        let will_be_signed = if self.may_relay() { !self.config.dkim.is_empty() } else { self.config.arc.is_some() };
        let Some(transaction) = &mut self.transaction else { return };
        if transaction.collector.is_some() {
            return;
        }
        let random = u128::from(self.doors.dice.roll()) << 64 | u128::from(self.doors.dice.roll());
        transaction.id = QueueId::new(now.wall, random);
        let charge = Charge::new(self.doors.content_memory.clone());
        let collector = Collector::new(limits, transaction.announced_bytes, charge);
        transaction.collector = Some(if will_be_signed { collector.hashing() } else { collector });
        self.timers.start(Timer::Data, now.mono, self.config.limits.data_total);
    }

    /// Takes content from the input; false when more must come first.
    pub(super) fn content(&mut self, input: &mut &[u8]) -> bool {
        match &self.state {
            State::Data(_) => self.data_content(input),
            State::Chunk(_) => self.chunk_content(input),
            _ => true,
        }
    }

    fn data_content(&mut self, input: &mut &[u8]) -> bool {
        let State::Data(decoder) = &mut self.state else { return true };
        let Some(collector) = self.transaction.as_mut().and_then(|t| t.collector.as_mut()) else {
            self.state = State::Command;
            return true;
        };
        let Decoded { taken, ended } = decoder.decode(input, |run| collector.push(run));
        *input = input.get(taken..).unwrap_or_default();
        if decoder.found_bare() {
            collector.refuse(Refusal::BareLineEnd);
        }
        self.spill();
        if ended {
            self.content_ended(true);
        }
        ended
    }

    fn chunk_content(&mut self, input: &mut &[u8]) -> bool {
        let State::Chunk(chunk) = &mut self.state else { return true };
        let taken = usize::try_from(chunk.left).unwrap_or(usize::MAX).min(input.len());
        let (octets, rest) = input.split_at(taken);
        *input = rest;
        chunk.left -= taken as u64;
        let ended = chunk.left == 0;
        let refused = chunk.refused.is_some();
        if let (false, Some(transaction)) = (refused, &mut self.transaction)
            && let Some(collector) = &mut transaction.collector
        {
            transaction.chunked = true;
            collector.push(octets);
            // Only BINARYMIME has no lines (RFC 3030 3); elsewhere a bare CR or LF could be smuggled on by DATA.
            if transaction.envelope.body != BodyType::BinaryMime {
                transaction.line_ends.feed(octets);
                if transaction.line_ends.is_broken() {
                    collector.refuse(Refusal::BareLineEnd);
                }
            }
            self.spill();
        }
        if ended {
            self.chunk_ended();
        }
        ended
    }

    /// Every chunk has its own reply (RFC 3030 2).
    fn chunk_ended(&mut self) {
        let State::Chunk(chunk) = std::mem::replace(&mut self.state, State::Command) else { return };
        if let Some(reply) = chunk.refused {
            return self.refuse("BDAT", &reply);
        }
        let Some(transaction) = &mut self.transaction else { return };
        let Some(collector) = &mut transaction.collector else { return };
        if chunk.last {
            if transaction.envelope.body != BodyType::BinaryMime && transaction.line_ends.found_bare() {
                collector.refuse(Refusal::BareLineEnd);
            }
            return self.content_ended(true);
        }
        // What is refused already need not wait for its last chunk; those that follow get 503.
        if collector.refusal().is_some() {
            return self.content_ended(false);
        }
        let text = format!("{} octets received", chunk.octets);
        self.say(&Reply { text: text.into(), ..replies::OK });
    }

    /// Sends octets on to the disk, when there are too many for memory.
    fn spill(&mut self) {
        let Some(transaction) = &mut self.transaction else { return };
        let Some(piece) = transaction.collector.as_mut().and_then(Collector::spill) else { return };
        if !std::mem::replace(&mut transaction.blob, true) {
            self.effects.push_back(Effect::OpenBlob(transaction.id));
        }
        self.effects.push_back(Effect::Spill(piece));
    }
}
