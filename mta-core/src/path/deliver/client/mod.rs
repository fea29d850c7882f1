//! The client's side of an SMTP or LMTP session, as a machine: octets and time in, octets and results out
//! (RFC 5321, RFC 2033).
//!
//! The driver writes [`Client::transmit`], reads into [`Client::handle_input`], and calls
//! [`Client::handle_timeout`] when [`Client::deadline`] has passed, until [`Client::state`] is not `Working` any more.

mod content;
mod message;
mod replies;
mod timer;
mod tls;
mod transaction;
mod words;

pub use content::Wanted;
pub use message::Message;
pub use replies::are_ours;
pub use words::{Ended, Finished, Full, Protect, Protocol, State};

use crate::base::smtp::ehlo::Capabilities;
use crate::base::smtp::encode;
use crate::base::smtp::remote::{RemoteReply, ReplyReader};
use crate::base::smtp::reply::Reply;
use crate::config::model::ClientTimeouts;
use std::sync::Arc;
use std::time::Instant;
use timer::Timer;
use transaction::{Step, Transaction};

/// What an idle session keeps of its buffer, in octets.
const IDLE_BUFFER_BYTES_MAX: usize = 4 * 1024;

/// What the session is at.
#[derive(Debug)]
enum Phase {
    Greeting,
    Hello,
    /// HELO, because EHLO was not understood.
    PlainHello,
    /// STARTTLS was said.
    AskedTls,
    /// The connection is the handshake's.
    Handshake,
    Ready,
    Busy(Box<Transaction>),
    Leaving,
    Closed(Ended),
}

/// The machine.
#[derive(Debug)]
pub struct Client {
    protocol: Protocol,
    /// Our name, for EHLO.
    hostname: Arc<str>,
    /// What is to be done about TLS yet.
    protect: Protect,
    timeouts: ClientTimeouts,
    phase: Phase,
    reader: ReplyReader,
    can: Capabilities,
    /// To be written; what is before `written` was.
    out: Vec<u8>,
    written: usize,
    timer: (Timer, Instant),
    /// The last transaction was left half done: RSET goes before the next (RFC 5321 4.1.1.5).
    must_reset: bool,
    /// The host said that it closes, in an answer that was for one recipient: the session ends with the transaction.
    closing: Option<Reply>,
    messages: u32,
    finished: Option<Finished>,
}

impl Client {
    /// A session over a connection that was just made.
    #[must_use]
    pub fn new(protocol: Protocol, hostname: Arc<str>, timeouts: ClientTimeouts, now: Instant) -> Self {
        Self {
            protocol,
            hostname,
            protect: Protect::Never,
            timeouts,
            phase: Phase::Greeting,
            reader: ReplyReader::default(),
            can: Capabilities::default(),
            out: Vec::new(),
            written: 0,
            timer: (Timer::Greeting, now + Timer::Greeting.limit(&timeouts)),
            must_reset: false,
            closing: None,
            messages: 0,
            finished: None,
        }
    }

    /// Where the session stands.
    #[must_use]
    pub fn state(&self) -> State {
        match self.phase {
            Phase::Ready => State::Ready,
            Phase::Closed(_) => State::Closed,
            Phase::Handshake => State::Securing,
            _ => State::Working,
        }
    }

    /// How it ended; none while it has not.
    #[must_use]
    pub fn ended(&self) -> Option<&Ended> {
        match &self.phase {
            Phase::Closed(ended) => Some(ended),
            _ => None,
        }
    }

    /// What the host offers; nothing before EHLO was answered.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.can
    }

    /// Transactions begun in this session.
    #[must_use]
    pub fn messages(&self) -> u32 {
        self.messages
    }

    /// Begins a transaction; only when [`State::Ready`].
    pub fn begin(&mut self, message: Message, now: Instant) {
        debug_assert!(matches!(self.phase, Phase::Ready), "a transaction begins when the session is ready");
        self.messages += 1;
        let reset = std::mem::take(&mut self.must_reset);
        let transaction = Transaction::new(message, &self.can, self.protocol, reset);
        self.phase = Phase::Busy(Box::new(transaction));
        self.go_on(now);
    }

    /// Says QUIT, if the session is in a state for it; else it is closed at once.
    pub fn quit(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::Ready) {
            self.close(Ended::Quit);
            return;
        }
        self.out.extend_from_slice(encode::QUIT);
        self.phase = Phase::Leaving;
        self.start(Timer::Command, now);
    }

    /// What came of the last transaction, once.
    pub fn take_finished(&mut self) -> Option<Finished> {
        self.finished.take()
    }

    /// What is to be written now.
    #[must_use]
    pub fn transmit(&self) -> &[u8] {
        self.out.get(self.written..).unwrap_or_default()
    }

    /// So many octets of it were written.
    pub fn transmitted(&mut self, octets: usize, now: Instant) {
        self.written += octets;
        if self.written < self.out.len() {
            if self.timer.0 == Timer::Content {
                self.start(Timer::Content, now);
            }
            return;
        }
        self.out.clear();
        self.written = 0;
        self.go_on(now);
    }

    /// A stretch of the stored body that is to be read and given to [`handle_body`](Self::handle_body).
    #[must_use]
    pub fn wanted(&mut self) -> Option<Wanted> {
        if !self.transmit().is_empty() {
            return None;
        }
        match &mut self.phase {
            Phase::Busy(transaction) => transaction.content().and_then(|content| content.wanted()),
            _ => None,
        }
    }

    /// Takes what was [`wanted`](Self::wanted).
    pub fn handle_body(&mut self, octets: &[u8], now: Instant) {
        if let Phase::Busy(transaction) = &mut self.phase
            && let Some(content) = transaction.content()
        {
            content.stored(octets, &mut self.out);
            self.start(Timer::Content, now);
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); none when nothing is waited for.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        (self.state() == State::Working).then_some(self.timer.1)
    }

    /// The deadline may have passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            self.lose(self.timer.0.reply());
        }
    }

    /// The connection ended or failed; `why` is what is to be said of it, if there is more to say than that.
    pub fn handle_closed(&mut self, why: Option<Reply>) {
        match self.phase {
            Phase::Closed(_) => {}
            Phase::Ready | Phase::Leaving => self.close(Ended::Quit),
            _ => self.lose(why.unwrap_or(replies::LOST)),
        }
    }

    /// Takes octets from the host.
    pub fn handle_input(&mut self, input: &[u8], now: Instant) {
        let mut rest = input;
        while self.state() != State::Closed {
            match self.reader.next(&mut rest) {
                Ok(Some(reply)) if matches!(self.phase, Phase::AskedTls) => self.tls_answered(reply, !rest.is_empty()),
                Ok(Some(reply)) => self.reply(reply, now),
                Ok(None) => return,
                Err(_) => self.lose(replies::MALFORMED),
            }
        }
    }

    fn reply(&mut self, reply: RemoteReply, now: Instant) {
        let positive = reply.code / 100 == 2;
        match &mut self.phase {
            // RFC 5321 3.1: 220, or a refusal (554, 421, 521).
            Phase::Greeting if positive => {
                self.hello(now);
            }
            Phase::Hello if positive => {
                self.can = Capabilities::parse(&reply);
                self.protect(now);
            }
            // RFC 5321 3.2 and 4.1.4: a server of old. LMTP has no such way back (RFC 2033 4.1).
            Phase::Hello if reply.code / 100 == 5 && self.protocol == Protocol::Smtp => {
                encode::helo(&self.hostname, &mut self.out);
                self.phase = Phase::PlainHello;
                self.start(Timer::Greeting, now);
            }
            Phase::PlainHello if positive => self.protect(now),
            Phase::Greeting | Phase::Hello | Phase::PlainHello => self.close(Ended::Refused(reply.into_reply())),
            // RFC 5321 3.8: 421 may come at any time and ends the session. RFC 2033 4.2: behind LMTP's content each reply is
            // about one recipient all the same, as where a proxy passes it on, and the others' are still to come.
            Phase::Busy(transaction) if reply.code == 421 && !transaction.is_told_of_one() => {
                self.lose(reply.into_reply());
            }
            Phase::Busy(transaction) => {
                let reply = reply.into_reply();
                self.closing = self.closing.take().or_else(|| (reply.code == 421).then(|| reply.clone()));
                match transaction.reply(reply, &mut self.out) {
                    Step::Continue => self.go_on(now),
                    Step::Abandon(why) => self.lose(why),
                }
            }
            Phase::Ready | Phase::Leaving => self.close(Ended::Quit),
            // The first is taken before it comes here; in the second nothing is read.
            Phase::AskedTls | Phase::Handshake | Phase::Closed(_) => {}
        }
    }

    fn hello(&mut self, now: Instant) {
        match self.protocol {
            Protocol::Smtp => encode::ehlo(&self.hostname, &mut self.out),
            Protocol::Lmtp => encode::lhlo(&self.hostname, &mut self.out),
        }
        self.phase = Phase::Hello;
        self.start(Timer::Greeting, now);
    }

    /// Says what can be said, and sees whether the transaction is over.
    fn go_on(&mut self, now: Instant) {
        let Phase::Busy(transaction) = &mut self.phase else { return };
        transaction.advance(&self.can, &mut self.out);
        if let Some(content) = transaction.content() {
            if !content.is_ended() && self.written == 0 {
                content.fill(&mut self.out);
            } else if content.is_ended() && self.out.is_empty() {
                transaction.content_written();
            }
        }
        let timer = transaction.timer();
        // A host that answers what it can't have read yet is waited for by our own writing.
        let over = transaction.is_over() && self.out.is_empty();
        self.start(timer, now);
        if over {
            self.finish(None);
            if let Some(why) = self.closing.take() {
                self.close(Ended::Lost(why));
            }
        }
    }

    /// Gives the transaction's result; the session is ready for the next one.
    fn finish(&mut self, lost: Option<&Reply>) {
        let Phase::Busy(transaction) = std::mem::replace(&mut self.phase, Phase::Ready) else { return };
        let finished = transaction.finish(lost);
        self.must_reset = !finished.clean;
        self.finished = Some(finished);
        if self.out.capacity() > IDLE_BUFFER_BYTES_MAX {
            self.out = Vec::new();
        }
    }

    fn lose(&mut self, why: Reply) {
        self.finish(Some(&why));
        self.close(Ended::Lost(why));
    }

    fn close(&mut self, ended: Ended) {
        self.phase = Phase::Closed(ended);
        self.out = Vec::new();
        self.written = 0;
    }

    fn start(&mut self, timer: Timer, now: Instant) {
        self.timer = (timer, now + timer.limit(&self.timeouts));
    }
}

#[cfg(test)]
mod extension_tests;
#[cfg(test)]
mod tests;
