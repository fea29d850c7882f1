//! A connection and the machine that speaks over it: writes, reads and waits until the machine has no more to do.

use crate::base::flow::Answer;
use crate::base::flow::tls_result::TlsFailure;
use crate::base::mail::content::{Body, ReadAt};
use crate::base::smtp::reply::Reply;
use crate::base::smtp::status::EnhancedStatus;
use crate::base::world::Clock;
use crate::base::world::net::{Gone, Socket};
use crate::base::world::tls::{ClientTls, Outgoing, Secured, Unsecured};
use crate::path::deliver::client::{Client, Message, State, Wanted};
use crate::path::deliver::trust::demand::{By, Promise};
use futures_util::future::{Either, select};
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::task::yield_now;

/// What is read at once, in octets: the replies to a pipelined transaction of some fifty recipients.
const READ_BYTES: usize = 4096;

/// How long a connection to a mail exchanger serves by what its domain and its zone said when it was made.
const FRESH: Duration = Duration::from_secs(300);

/// What a connection was made for: it serves no mail that wants something else.
pub(super) struct Made {
    /// What was known of the next hop.
    pub(super) promise: Arc<Promise>,
    /// What it wants of TLS.
    pub(super) tls: Outgoing,
    /// By whose word.
    pub(super) by: By,
    /// When.
    pub(super) at: Instant,
}

impl Made {
    /// Whether it still serves mail under this promise. What zones say ends with their records' time, so that a
    /// connection does not go on for ever by what they said once.
    pub(super) fn serves(&self, promise: &Promise, now: Instant) -> bool {
        let is_fresh = promise.domain.is_none() || now.saturating_duration_since(self.at) < FRESH;
        is_fresh && *self.promise == *promise
    }
}

/// One session over one socket.
pub(super) struct Connection {
    socket: Box<dyn Socket>,
    pub(super) client: Client,
    /// The host's name and address, as reports show them.
    pub(super) remote: Arc<str>,
    /// Our own address.
    pub(super) local: IpAddr,
    /// It served another message before the present one.
    pub(super) reused: bool,
    /// What it was made for.
    pub(super) made: Made,
    /// What went wrong with its TLS.
    pub(super) failure: Option<TlsFailure>,
    /// How it is protected, in words.
    pub(super) tls: Option<Box<str>>,
    /// Something was written and not flushed.
    unflushed: bool,
    clock: Arc<dyn Clock>,
    /// Armed at or before the client's deadline, and armed again when it goes off early: a deadline that moves on with
    /// every reply costs nothing.
    alarm: Option<(Instant, Answer<'static, ()>)>,
    /// Writing failed. Reading goes on, for the host may have said why.
    deaf: bool,
}

impl Connection {
    pub(super) fn new(
        socket: Box<dyn Socket>,
        client: Client,
        remote: Arc<str>,
        made: Made,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (reused, failure, tls, unflushed) = (false, None, None, false);
        let (local, alarm, deaf) = (socket.local().ip(), None, false);
        Self { socket, client, remote, local, reused, made, failure, tls, unflushed, clock, alarm, deaf }
    }

    /// The handshake with the host, for which the session waits.
    pub(super) async fn secure(&mut self, tls: &dyn ClientTls, host: &str, limit: Duration) {
        let socket = std::mem::replace(&mut self.socket, Box::new(Gone));
        let until = self.clock.now().mono + limit;
        let handshake = tls.connect(socket, host, self.made.tls.trust());
        let (why, failure) = match select(handshake, self.clock.sleep_until(until)).await {
            Either::Left((Ok(Secured { socket, info }), _)) => {
                self.socket = socket;
                let by = if matches!(self.made.tls, Outgoing::Verify(_)) { self.made.by } else { By::Operator };
                self.tls = Some(match by {
                    By::Operator => info.to_string().into(),
                    by => format!("{info}, {}", by.name()).into(),
                });
                return self.client.handle_secured(self.clock.now().mono);
            }
            Either::Left((Err(Unsecured { why, failure }), _)) => (why, failure),
            Either::Right(((), _)) => ("the handshake took too long".to_owned(), TlsFailure::ValidationFailure),
        };
        self.failure = Some(failure);
        self.client.handle_unsecured(&why);
    }

    /// Runs the session until it is ready or closed.
    pub(super) async fn run(&mut self, body: Option<&Body>) {
        while self.client.state() == State::Working {
            match (self.client.wanted(), body) {
                (Some(wanted), Some(Body::Stored { source, .. })) => {
                    self.give_stored(Arc::clone(source), wanted).await;
                }
                _ => {
                    // What several connections have to say goes out together if each lets the others come this far
                    // first: then the next hop is woken once, and waking it is dear where it sleeps on another core.
                    if !self.client.transmit().is_empty() {
                        yield_now().await;
                    }
                    poll_fn(|context| self.poll_step(context)).await;
                }
            }
        }
    }

    /// Reads a stretch of a stored body where reading may block, and hands it to the machine.
    async fn give_stored(&mut self, source: Arc<dyn ReadAt>, wanted: Wanted) {
        let read = tokio::task::spawn_blocking(move || {
            let mut octets = vec![0; wanted.bytes];
            let read = source.read_at(wanted.offset, &mut octets)?;
            if read < octets.len() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(octets) }
        });
        match read.await.unwrap_or_else(|cut| Err(io::Error::other(cut))) {
            Ok(octets) => self.client.handle_body(&octets, self.clock.now().mono),
            // Half a message must not be ended with a dot: the connection goes instead.
            Err(fault) => self.client.handle_closed(Some(unreadable(&fault))),
        }
    }

    /// Ready when the machine may have changed what it needs.
    fn poll_step(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let wrote = self.poll_write(context);
            if self.client.state() != State::Working || self.client.wanted().is_some() {
                return Poll::Ready(());
            }
            let read = self.poll_read(context).is_ready();
            if self.client.state() != State::Working {
                return Poll::Ready(());
            }
            if !wrote && !read && self.poll_alarm(context).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Writes what is there to be written, as far as the socket takes it; whether it took any.
    fn poll_write(&mut self, context: &mut Context<'_>) -> bool {
        let mut wrote = false;
        while !self.deaf && !self.client.transmit().is_empty() {
            match Pin::new(&mut self.socket).poll_write(context, self.client.transmit()) {
                Poll::Ready(Ok(octets)) if octets > 0 => {
                    self.client.transmitted(octets, self.clock.now().mono);
                    wrote = true;
                    self.unflushed = true;
                }
                Poll::Ready(_) => self.deaf = true,
                Poll::Pending => break,
            }
        }
        // What is written to TLS lies there till it is flushed.
        if self.unflushed && Pin::new(&mut self.socket).poll_flush(context).is_ready() {
            self.unflushed = false;
        }
        wrote
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut space = [MaybeUninit::uninit(); READ_BYTES];
        let mut buffer = ReadBuf::uninit(&mut space);
        match Pin::new(&mut self.socket).poll_read(context, &mut buffer) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(fault)) => self.client.handle_closed(Some(broken(&fault))),
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => self.client.handle_closed(None),
            Poll::Ready(Ok(())) => self.client.handle_input(buffer.filled(), self.clock.now().mono),
        }
        Poll::Ready(())
    }

    fn poll_alarm(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.client.deadline() else { return Poll::Ready(()) };
        let mut alarm = match self.alarm.take() {
            Some(alarm) if alarm.0 <= deadline => alarm,
            _ => (deadline, self.clock.sleep_until(deadline)),
        };
        if alarm.1.as_mut().poll(context).is_pending() {
            self.alarm = Some(alarm);
            return Poll::Pending;
        }
        self.client.handle_timeout(self.clock.now().mono);
        Poll::Ready(())
    }

    /// Whether an idle connection is still of use: a host that closed it, or says 421, is seen without waiting.
    pub(super) async fn is_quiet(&mut self) -> bool {
        poll_fn(|context| Poll::Ready(self.poll_read(context).is_pending())).await
            && self.client.state() == State::Ready
    }

    /// Says QUIT, and waits for its answer until then.
    pub(super) async fn quit(mut self, until: Instant) {
        self.client.quit(self.clock.now().mono);
        let limit = self.clock.sleep_until(until);
        select(std::pin::pin!(self.run(None)), limit).await;
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection to {}", self.remote)
    }
}

/// Looks through a stored body for 8-bit octets, where RFC 6152 3 makes it matter.
pub(super) async fn look_for_8bit(message: &mut Message) {
    let Body::Stored { source, bytes } = &message.rendered.body else { return };
    let (source, bytes) = (Arc::clone(source), *bytes);
    let looked = tokio::task::spawn_blocking(move || {
        let mut buffer = vec![0; 256 * 1024];
        let mut offset = 0;
        while offset < bytes {
            let read = source.read_at(offset, &mut buffer).ok().filter(|read| *read > 0)?;
            if !buffer.get(..read)?.is_ascii() {
                return Some(true);
            }
            offset += read as u64;
        }
        Some(false)
    });
    // Unreadable: the declaration is believed, and reading fails again where it is reported.
    message.stored_is_8bit = looked.await.ok().flatten();
}

fn broken(fault: &io::Error) -> Reply {
    let text = format!("the connection broke: {fault}");
    Reply::from_text(451, Some(EnhancedStatus::new(4, 4, 2)), &text)
}

fn unreadable(fault: &io::Error) -> Reply {
    let text = format!("the stored message could not be read: {fault}");
    Reply::from_text(451, Some(EnhancedStatus::new(4, 3, 0)), &text)
}
