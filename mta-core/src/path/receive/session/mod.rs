//! The server's side of one SMTP session as a machine: octets, answers and time in, effects out (RFC 5321 3, 4).
//!
//! Replies are gathered while input is left, so that a group of pipelined commands is answered in one write
//! (RFC 2920 3.2). Input that comes behind a command whose answer must be waited for (a hook, the commit) stays in
//! order and is gone on with afterwards.

mod auth;
mod content;
mod envelope;
mod greeting;
mod outcome;
mod state;
mod submission;
mod tls;
mod verification;
mod xclient;

use super::doors::Doors;
use super::replies;
use crate::base::event::Event;
use crate::base::flow::offer::Offer;
use crate::base::flow::policy::SessionInfo;
use crate::base::mail::id::QueueId;
use crate::base::sasl::door::User;
use crate::base::smtp::command::{Command, verb_of};
use crate::base::smtp::line::{Line, LineFramer};
use crate::base::smtp::reply::Reply;
use crate::base::time::Now;
use crate::base::world::tls::TlsInfo;
use crate::config::model::Config;
use crate::config::model::listener::Listener;
use bytes::Bytes;
use state::{Answer, Counts, Dialogue, Helo, State, Timer, Timers, Transaction};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

/// Replies that may wait to be sent, in octets: a group of some hundred commands.
const UNSENT_BYTES_MAX: usize = 32 * 1024;

/// What the machine wants done, in this order, before it is given anything else. Effects that ask are answered by the
/// `handle_` call that each names.
#[derive(Debug)]
pub enum Effect {
    /// Write these octets to the client.
    Send(Vec<u8>),
    /// Ask the hook of the envelope that [`Session::asked`] names: [`Session::handle_gate`].
    AskGate,
    /// Verify [`Session::incoming`]: [`Session::handle_verified`].
    Verify,
    /// Ask `on-data` about [`Session::submission`]: [`Session::handle_data_verdict`].
    AskData,
    /// Take the connection over to TLS: [`Session::handle_secured`], or [`Session::handle_unsecured`] if that fails.
    /// Nothing else may be read or written before.
    StartTls,
    /// The connection is protected, and what was said before is forgotten: tell policy [`Session::tls`].
    Secured,
    /// Check [`Session::claim`]: [`Session::handle_checked`].
    CheckClaim,
    /// The client has shown who it is: tell policy [`Session::user`].
    Authenticated,
    /// The client is another from here on: what policy knew of the one before is over, and it is to meet this one.
    Renewed {
        /// How many recipients the one before was refused for good.
        rejected: u32,
    },
    /// The client named itself: tell policy [`Session::helo`].
    Named,
    /// The transaction ended, and policy was asked in it: tell it so.
    TransactionEnded,
    /// Open a blob: [`Session::handle_spool_fault`] if that fails.
    OpenBlob(QueueId),
    /// Write these octets of the content to the blob: [`Session::handle_spool_fault`] if that fails.
    Spill(Bytes),
    /// Finish the blob, with this header section: [`Session::handle_blob_finished`].
    FinishBlob(Bytes),
    /// Drop the blob, if there is one.
    DropBlob,
    /// Make this durable: [`Session::handle_committed`].
    Offer(Box<Offer>),
    /// Close the connection; nothing comes behind it.
    Close {
        /// The client may still be writing: its octets are to be read and dropped for a moment, because a connection
        /// that is closed over unread octets is reset, and the reset can overtake our last reply (RFC 1122 4.2.2.13).
        linger: bool,
    },
}

/// One session.
pub struct Session {
    doors: Arc<Doors>,
    /// As it stood at the last MAIL.
    config: Arc<Config>,
    listener: Arc<Listener>,
    /// The client, as far as is known: who connected, or for whom that speaks.
    peer: SocketAddr,
    /// Who connected.
    origin: SocketAddr,
    id: Box<str>,
    state: State,
    framer: LineFramer,
    /// Input behind a command whose answer is waited for: at most one read of the driver's.
    pending: Vec<u8>,
    /// Replies not sent yet.
    out: Vec<u8>,
    effects: VecDeque<Effect>,
    /// How the connection is protected; none: it is not.
    tls: Option<Arc<TlsInfo>>,
    helo: Option<Helo>,
    /// The name that a hook decides on.
    naming: Option<Helo>,
    /// The exchange by which it shows who it is.
    dialogue: Option<Box<Dialogue>>,
    /// Who it has shown to be.
    user: Option<Arc<User>>,
    transaction: Option<Box<Transaction>>,
    timers: Timers,
    counts: Counts,
    /// The server is going down: what runs may end, nothing new begins.
    draining: bool,
    /// The present, as the last call gave it.
    now: Now,
}

impl Session {
    /// A session that was let in. Call [`handle_open`](Self::handle_open) first.
    #[must_use]
    pub fn new(doors: Arc<Doors>, listener: Arc<Listener>, peer: SocketAddr, now: Now) -> Self {
        let config = Arc::clone(&doors.config.borrow());
        let id = format!("{:016x}", doors.dice.roll()).into();
        Self {
            doors,
            config,
            listener,
            peer,
            origin: peer,
            id,
            state: State::Waiting(Answer::Connect),
            framer: LineFramer::default(),
            pending: Vec::new(),
            out: Vec::new(),
            effects: VecDeque::new(),
            tls: None,
            helo: None,
            naming: None,
            dialogue: None,
            user: None,
            transaction: None,
            timers: Timers::new(),
            counts: Counts::default(),
            draining: false,
            now,
        }
    }

    /// The next thing to do. None: give it input, or the time at [`deadline`](Self::deadline).
    pub fn poll(&mut self) -> Option<Effect> {
        // What was set aside because the client did not take our replies is gone on with once they are sent.
        if self.effects.is_empty() && !self.pending.is_empty() {
            self.go_on();
        }
        self.effects.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// The end was reached; effects may still be there.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// What policy may know of the session.
    #[must_use]
    pub fn info(&self) -> SessionInfo {
        SessionInfo {
            id: self.id.clone(),
            listener: Arc::clone(&self.listener.name),
            peer: self.peer,
            helo: self.helo().map(Into::into),
            tls: self.tls.clone(),
            user: self.user().map(Into::into),
        }
    }

    /// The client, as far as is known.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// How many recipients the client was refused for good so far.
    #[must_use]
    pub fn rejected_recipients(&self) -> u32 {
        self.counts.rejected_recipients
    }

    /// The client's name, once it said one.
    #[must_use]
    pub fn helo(&self) -> Option<&str> {
        self.helo.as_ref().map(|helo| &*helo.name)
    }

    /// Who the client has shown to be.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_ref().map(|user| &*user.name)
    }

    /// Octets from the client.
    pub fn handle_input(&mut self, input: &[u8], now: Now) {
        self.now = now;
        if self.is_closed() {
            return;
        }
        if self.is_waiting() || !self.pending.is_empty() {
            self.pending.extend_from_slice(input);
            return self.go_on();
        }
        self.run(input);
        self.settle();
    }

    /// The client closed the connection, or it broke. A message that had not wholly come is dropped
    /// (RFC 5321 4.1.1.10).
    pub fn handle_gone(&mut self, why: &str, now: Now) {
        self.now = now;
        self.close(why);
    }

    /// A timer may have run out.
    pub fn handle_timeout(&mut self, now: Now) {
        self.now = now;
        let handshake = matches!(self.state, State::Waiting(Answer::Handshake));
        if self.is_closed() || (self.is_waiting() && !handshake) {
            return;
        }
        match self.timers.expired(now.mono) {
            // There is nobody to tell: the connection is neither in clear nor protected.
            Some(Timer::Session) if handshake => self.close("session time limit"),
            Some(Timer::Handshake) => self.handle_unsecured("the handshake took too long", now),
            Some(Timer::Session) => self.leave(&replies::SESSION_TOO_LONG, "session time limit"),
            Some(Timer::Data) => self.leave(&replies::TIMEOUT, "content time limit"),
            Some(Timer::Idle) => self.leave(&replies::TIMEOUT, "idle"),
            None => return,
        }
        self.settle();
    }

    /// The server goes down: an idle session ends now, a transaction may end first (RFC 5321 3.8).
    pub fn handle_drain(&mut self, now: Now) {
        self.now = now;
        self.draining = true;
        self.settle();
    }

    fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting(_))
    }

    /// Goes on with what came while an answer was waited for.
    fn go_on(&mut self) {
        if !self.is_waiting() && !self.pending.is_empty() {
            let pending = std::mem::take(&mut self.pending);
            self.run(&pending);
        }
        self.settle();
    }

    /// Takes all of the input, or as much as comes before something must be waited for.
    fn run(&mut self, mut input: &[u8]) {
        loop {
            match &self.state {
                // Short commands with long replies must not pile up here faster than the client takes them.
                State::Command if self.out.len() > UNSENT_BYTES_MAX => {
                    self.pending = input.to_vec();
                    break;
                }
                State::Command => {
                    if !self.next_line(&mut input) {
                        break;
                    }
                }
                State::Auth => {
                    if !self.auth_line(&mut input) {
                        break;
                    }
                }
                State::Data(_) | State::Chunk(_) => {
                    if !self.content(&mut input) {
                        break;
                    }
                }
                State::Waiting(_) => {
                    self.pending = input.to_vec();
                    break;
                }
                State::Closed => break,
            }
        }
    }

    /// One command; false when its line has not wholly come.
    fn next_line(&mut self, input: &mut &[u8]) -> bool {
        let smtputf8 = self.transaction.as_ref().is_some_and(|t| t.envelope.smtputf8);
        let bytes_max = self.config.limits.command_line_bytes_max;
        let parsed = match self.framer.next(input, bytes_max.max(self.auth_line_bytes_max())) {
            None => return false,
            Some(Line::Complete(line)) if line.len() + 2 > bytes_max && verb_of(line) != "AUTH" => {
                Err((verb_of(line), replies::LINE_TOO_LONG, false))
            }
            Some(Line::Complete(line)) => {
                Command::parse(line, smtputf8).map_err(|error| (verb_of(line), error.reply(), error.loses_track()))
            }
            Some(Line::TooLong) => Err(("unknown", replies::LINE_TOO_LONG, false)),
            Some(Line::BareLineEnd) => Err(("unknown", replies::BARE_LINE_END, false)),
        };
        self.counts.commands = self.counts.commands.saturating_add(1);
        if self.counts.commands > self.config.limits.commands_per_session_max {
            self.end(&replies::TOO_MANY_COMMANDS, "command limit");
            return true;
        }
        match parsed {
            Ok(Command::StartTls) => self.start_tls(!input.is_empty()),
            Ok(command) => self.command(command),
            Err((verb, reply, loses_track)) => {
                self.refuse(verb, &reply);
                if loses_track {
                    self.close_after("the length of a chunk is unknown", true);
                }
            }
        }
        true
    }

    /// What each command does; its file tells.
    fn command(&mut self, command: Command) {
        let verb = command.verb();
        if let Some(reply) = self.refusal_by_kind(&command) {
            return self.refuse(verb, &reply);
        }
        match command {
            Command::Ehlo(name) | Command::Lhlo(name) => self.name(Helo { name, extended: true }),
            Command::Helo(name) => self.name(Helo { name, extended: false }),
            Command::Mail(mail) => self.mail(mail),
            Command::Rcpt(recipient) => self.rcpt(recipient),
            Command::Data => self.data(),
            Command::Bdat { octets, last } => self.bdat(octets, last),
            Command::Rset => {
                self.end_transaction();
                self.say(&replies::OK);
            }
            Command::Noop => self.say(&replies::OK),
            Command::Vrfy => self.say(&replies::CANNOT_VERIFY),
            Command::Help => self.say(&replies::HELP),
            Command::Quit => {
                self.say(&replies::BYE);
                self.close("quit");
            }
            Command::Xclient(told) => self.xclient(*told),
            Command::Auth { mechanism, initial } => self.auth(mechanism, initial.as_ref()),
            // RFC 5321 3.5.2 lets EXPN be left out; STARTTLS comes here where it is not announced (RFC 3207 4).
            Command::Expn | Command::StartTls => self.refuse(verb, &replies::NOT_IMPLEMENTED),
        }
    }

    /// A reply that refuses nothing.
    fn say(&mut self, reply: &Reply) {
        reply.encode(&mut self.out);
    }

    /// A 4xx or 5xx reply to a command.
    fn refuse(&mut self, verb: &str, reply: &Reply) {
        let text = reply.to_string();
        self.doors.observe.event(Event::CommandRefused { session: &self.id, peer: self.peer, verb, reply: &text });
        self.say(reply);
        self.count_error(reply);
    }

    /// Too many 5xx in a row are an attack or a broken client (RFC 5321 7.8).
    fn count_error(&mut self, reply: &Reply) {
        if !reply.is_permanent() {
            return;
        }
        self.counts.errors = self.counts.errors.saturating_add(1);
        self.counts.errors_in_a_row = self.counts.errors_in_a_row.saturating_add(1);
        if self.counts.errors_in_a_row >= self.config.limits.errors_per_session_max {
            self.end(&replies::TOO_MANY_ERRORS, "error limit");
        }
    }

    /// Says why to a client that is silent, and closes.
    fn leave(&mut self, reply: &Reply, why: &str) {
        self.say(reply);
        self.close(why);
    }

    /// Says why to a client that may be in the middle of writing, and closes.
    fn end(&mut self, reply: &Reply, why: &str) {
        self.say(reply);
        self.close_after(why, true);
    }

    fn close(&mut self, why: &str) {
        self.close_after(why, false);
    }

    fn close_after(&mut self, why: &str, linger: bool) {
        if self.is_closed() {
            return;
        }
        self.end_transaction();
        self.flush();
        self.state = State::Closed;
        self.pending = Vec::new();
        self.effects.push_back(Effect::Close { linger });
        self.doors.observe.event(Event::SessionClosed {
            session: &self.id,
            peer: self.peer,
            messages: self.counts.messages,
            commands: self.counts.commands,
            errors: self.counts.errors,
            why,
        });
    }

    fn flush(&mut self) {
        if !self.out.is_empty() {
            self.effects.push_back(Effect::Send(std::mem::take(&mut self.out)));
        }
    }

    /// After every call: sends what is due, and sets the timers for what is waited for now.
    fn settle(&mut self) {
        let limits = &self.config.limits;
        match &self.state {
            State::Closed | State::Waiting(_) => return self.timers.stop(Timer::Idle),
            State::Command if self.draining && self.transaction.is_none() => {
                return self.leave(&replies::GOING_DOWN, "the server is going down");
            }
            State::Command | State::Auth => self.timers.start(Timer::Idle, self.now.mono, limits.command_idle),
            State::Data(_) | State::Chunk(_) => self.timers.start(Timer::Idle, self.now.mono, limits.data_idle),
        }
        self.flush();
    }
}
