//! One session's task: does what the machine wants, and feeds it octets, time and answers.
//!
//! Thousands of sessions are idle at any moment, so an idle one owns no buffer: octets are read into a buffer of the
//! thread and given to the machine before the thread does anything else.

use crate::base::flow::Answer;
use crate::base::flow::policy::{Hook, SessionPolicy};
use crate::base::flow::spool::Blob;
use crate::base::time::Now;
use crate::base::world::net::{Gone, Socket};
use crate::base::world::tls::Secured;
use crate::config::model::listener::Listener;
use crate::path::receive::doors::{Doors, Phase};
use crate::path::receive::session::{Effect, Session};
use crate::path::receive::slots::Slot;
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

/// One read: a message of 64 KiB in one system call.
const READ_BYTES: usize = 64 * 1024;

/// How long a client that was told off may go on writing, so that it hears why.
const LINGER: Duration = Duration::from_secs(2);

thread_local! {
    static READ_BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
}

/// The session of the client at `peer` from its beginning to its end. `slot` is given back with it.
pub(in crate::path::receive) async fn run(
    socket: Box<dyn Socket>,
    peer: SocketAddr,
    listener: Arc<Listener>,
    doors: Arc<Doors>,
    phase: watch::Receiver<Phase>,
    slot: Slot,
) {
    let now = doors.clock.now();
    let mut machine = Session::new(Arc::clone(&doors), listener, peer, now);
    machine.handle_open(now);
    let mut driver =
        Driver { doors, machine, socket, policy: None, blob: None, alarm: None, phase: next_phase(phase), _slot: slot };
    driver.run().await;
    driver.part();
}

struct Driver {
    doors: Arc<Doors>,
    machine: Session,
    socket: Box<dyn Socket>,
    /// Policy's side; made when it is first asked.
    policy: Option<Box<dyn SessionPolicy>>,
    /// Large content on its way to disk.
    blob: Option<Box<dyn Blob>>,
    /// Wakes the task at that time. Deadlines mostly move away before they come, so it is kept as it is until it
    /// rings, and set again then.
    alarm: Option<(Instant, Answer<'static, ()>)>,
    phase: NextPhase,
    _slot: Slot,
}

/// The next change of phase, and how to learn of the one behind it. Boxed and kept, so that a wait does not enter
/// itself into the sender's list each time.
type NextPhase = Pin<Box<dyn Future<Output = (Phase, watch::Receiver<Phase>)> + Send>>;

fn next_phase(mut phase: watch::Receiver<Phase>) -> NextPhase {
    Box::pin(async move {
        let known = *phase.borrow_and_update();
        // A session that began while the phase changed must not miss it.
        if known == Phase::Draining {
            return (known, phase);
        }
        let next = match phase.changed().await {
            Ok(()) => *phase.borrow_and_update(),
            // The server is gone.
            Err(_) => Phase::Cutting,
        };
        (next, phase)
    })
}

/// What ended a wait.
enum Woken {
    /// The machine was given something.
    Fed,
    /// The connection is of no more use.
    Gone(&'static str),
}

impl Driver {
    async fn run(&mut self) {
        loop {
            while let Some(effect) = self.machine.poll() {
                match effect {
                    Effect::Close { linger } => return self.close(linger).await,
                    effect => self.act(effect).await,
                }
            }
            if self.machine.is_closed() {
                return;
            }
            match poll_fn(|cx| self.poll_wait(cx)).await {
                Woken::Fed => {}
                Woken::Gone(why) => {
                    let now = self.now();
                    self.machine.handle_gone(why, now);
                }
            }
        }
    }

    /// Tells policy that the client is gone.
    fn part(&mut self) {
        let Self { doors, machine, policy, .. } = self;
        if doors.policy.has(Hook::Disconnect) {
            let policy = policy.get_or_insert_with(|| doors.policy.session(machine.info()));
            policy.belongs_to(machine.tenant());
            policy.rejected(machine.rejected_recipients());
            policy.disconnected();
        }
    }

    async fn act(&mut self, effect: Effect) {
        match effect {
            Effect::Send(octets) => self.send(&octets).await,
            Effect::StartTls => self.secure().await,
            Effect::AskGate | Effect::AskData => self.ask(&effect).await,
            Effect::Secured
            | Effect::Authenticated
            | Effect::Renewed { .. }
            | Effect::Named
            | Effect::TransactionEnded => {
                self.tell(&effect);
            }
            Effect::CheckClaim => {
                let Some(claim) = self.machine.claim() else { return };
                let checked = self.doors.auth.check(self.machine.info(), claim).await;
                let now = self.now();
                self.machine.handle_checked(checked, now);
            }
            Effect::Verify => {
                let Some(incoming) = self.machine.incoming() else { return };
                let verified = self.doors.verify.verify(incoming).await;
                let now = self.now();
                self.machine.handle_verified(verified, now);
            }
            Effect::Offer(offer) => {
                let committed = self.doors.spool.accept(*offer).await;
                let now = self.now();
                self.machine.handle_committed(committed, now);
            }
            Effect::OpenBlob(id) => {
                let opened = self.doors.spool.blob(id).await;
                let now = self.now();
                match opened {
                    Ok(blob) => self.blob = Some(blob),
                    Err(fault) => self.machine.handle_spool_fault(fault, now),
                }
            }
            Effect::Spill(octets) => {
                let Some(blob) = &mut self.blob else { return };
                if let Err(fault) = blob.write(octets).await {
                    self.blob = None;
                    let now = self.now();
                    self.machine.handle_spool_fault(fault, now);
                }
            }
            Effect::FinishBlob(head) => {
                // Without a blob its fault has been told already.
                let Some(blob) = self.blob.take() else { return };
                let finished = blob.finish(head).await;
                let now = self.now();
                self.machine.handle_blob_finished(finished, now);
            }
            Effect::DropBlob => self.blob = None,
            Effect::Close { .. } => {}
        }
    }

    /// Tells policy, if it was asked before, what has become of the session.
    fn tell(&mut self, effect: &Effect) {
        let Self { doors, machine, policy: slot, .. } = self;
        let Some(policy) = slot else { return };
        match effect {
            Effect::Secured => machine.tls().into_iter().for_each(|tls| policy.secured(tls)),
            Effect::Authenticated => machine.user().into_iter().for_each(|user| policy.authenticated(user)),
            Effect::Named => machine.helo().into_iter().for_each(|name| policy.named(name)),
            Effect::TransactionEnded => policy.transaction_ended(),
            // It meets the next client when it is asked about that.
            Effect::Renewed { rejected } => {
                if doors.policy.has(Hook::Disconnect) {
                    policy.rejected(*rejected);
                    policy.disconnected();
                }
                *slot = None;
            }
            _ => {}
        }
    }

    /// Asks the hook that the effect names.
    async fn ask(&mut self, effect: &Effect) {
        let Self { doors, machine, policy, .. } = self;
        let policy = policy.get_or_insert_with(|| doors.policy.session(machine.info()));
        policy.belongs_to(machine.tenant());
        policy.rejected(machine.rejected_recipients());
        match effect {
            Effect::AskGate => {
                let Some(asked) = machine.asked() else { return };
                let gate = policy.gate(asked).await;
                machine.handle_gate(gate, doors.clock.now());
            }
            _ => {
                let Some(submission) = machine.submission() else { return };
                let verdict = policy.data(submission).await;
                machine.handle_data_verdict(verdict, doors.clock.now());
            }
        }
    }

    /// The handshake, for as long as the machine waits for it.
    async fn secure(&mut self) {
        if self.machine.is_closed() {
            return;
        }
        let socket = std::mem::replace(&mut self.socket, Box::new(Gone));
        let mut handshake = self.doors.tls.accept(self.machine.listener(), socket);
        let ended = poll_fn(|cx| {
            if let Poll::Ready(ended) = handshake.as_mut().poll(cx) {
                return Poll::Ready(Some(ended));
            }
            while let Poll::Ready(woken) = self.poll_phase(cx) {
                if let Woken::Gone(why) = woken {
                    let now = self.now();
                    self.machine.handle_gone(why, now);
                    return Poll::Ready(None);
                }
            }
            while !self.machine.is_closed() {
                ready!(self.poll_deadline(cx));
            }
            Poll::Ready(None)
        })
        .await;
        let now = self.now();
        match ended {
            Some(Ok(Secured { socket, info })) => {
                self.socket = socket;
                self.machine.handle_secured(info, now);
            }
            Some(Err(why)) => self.machine.handle_unsecured(&why, now),
            None => {}
        }
    }

    /// Writes all of it. A client that does not read is waited for as long as one that does not write.
    async fn send(&mut self, octets: &[u8]) {
        let mut written = 0;
        let mut until = None;
        let sent = poll_fn(|cx| {
            loop {
                let socket = Pin::new(&mut self.socket);
                // What is written to TLS lies there till it is flushed.
                let is_written = written == octets.len();
                let taken = if is_written {
                    socket.poll_flush(cx).map_ok(|()| 0)
                } else {
                    socket.poll_write(cx, &octets[written..])
                };
                match taken {
                    Poll::Ready(Ok(_)) if is_written => return Poll::Ready(Ok(())),
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err("connection lost")),
                    Poll::Ready(Ok(more)) => written += more,
                    Poll::Ready(Err(_)) => return Poll::Ready(Err("connection lost")),
                    Poll::Pending => {
                        let now = self.doors.clock.now();
                        let idle = self.doors.config.borrow().limits.command_idle;
                        let until = *until.get_or_insert(now.mono + idle);
                        ready!(self.poll_alarm(cx, until));
                        if self.now().mono >= until {
                            return Poll::Ready(Err("the client does not read"));
                        }
                    }
                }
            }
        })
        .await;
        if let Err(why) = sent {
            let now = self.now();
            self.machine.handle_gone(why, now);
        }
    }

    /// Closes our side; with `linger` the client's octets are dropped until it closes too, or for a moment.
    async fn close(&mut self, linger: bool) {
        let until = self.now().mono + LINGER;
        // Best effort, here and below: the client may have gone first. TLS says so that it ends, which takes room.
        let shut = poll_fn(|cx| {
            if let Poll::Ready(shut) = Pin::new(&mut self.socket).poll_shutdown(cx) {
                return Poll::Ready(shut.is_ok());
            }
            while self.now().mono < until {
                ready!(self.poll_alarm(cx, until));
            }
            Poll::Ready(false)
        })
        .await;
        if !linger || !shut {
            return;
        }
        poll_fn(|cx| {
            while let Poll::Ready(read) = self.poll_drop(cx) {
                if !matches!(read, Ok(more) if more > 0) || self.now().mono >= until {
                    return Poll::Ready(());
                }
            }
            while self.now().mono < until {
                ready!(self.poll_alarm(cx, until));
            }
            Poll::Ready(())
        })
        .await;
    }

    /// Reads once, and drops what came.
    fn poll_drop(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        READ_BUFFER.with_borrow_mut(|buffer| {
            let mut read = ReadBuf::new(buffer);
            ready!(Pin::new(&mut self.socket).poll_read(cx, &mut read))?;
            Poll::Ready(Ok(read.filled().len()))
        })
    }

    /// Waits for the client, for a timer, or for the end of the server.
    fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<Woken> {
        if let Poll::Ready(woken) = self.poll_phase(cx) {
            return Poll::Ready(woken);
        }
        if let Poll::Ready(read) = self.poll_read(cx) {
            return Poll::Ready(match read {
                Ok(0) => Woken::Gone("closed by the client"),
                Ok(_) => Woken::Fed,
                Err(_) => Woken::Gone("connection lost"),
            });
        }
        self.poll_deadline(cx).map(|()| Woken::Fed)
    }

    /// Tells the machine that the server goes down; ready when it does.
    fn poll_phase(&mut self, cx: &mut Context<'_>) -> Poll<Woken> {
        if let Poll::Ready((phase, receiver)) = self.phase.as_mut().poll(cx) {
            self.phase = if phase == Phase::Draining { next_after_drain(receiver) } else { next_phase(receiver) };
            match phase {
                Phase::Serving => {}
                Phase::Draining => {
                    let now = self.now();
                    self.machine.handle_drain(now);
                    return Poll::Ready(Woken::Fed);
                }
                Phase::Cutting => return Poll::Ready(Woken::Gone("cut when the server ended")),
            }
            // The new future must be polled, or nobody would wake us.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Tells the machine that a timer has run out; ready when it has.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(deadline) = self.machine.deadline() {
            ready!(self.poll_alarm(cx, deadline));
            let now = self.now();
            if now.mono >= deadline {
                self.machine.handle_timeout(now);
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }

    /// Reads once, and gives the machine what came.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        READ_BUFFER.with_borrow_mut(|buffer| {
            let mut read = ReadBuf::new(buffer);
            ready!(Pin::new(&mut self.socket).poll_read(cx, &mut read))?;
            let octets = read.filled();
            if !octets.is_empty() {
                let now = self.doors.clock.now();
                self.machine.handle_input(octets, now);
            }
            Poll::Ready(Ok(octets.len()))
        })
    }

    /// Ready when the alarm rings, which may be before `deadline` but not after it.
    fn poll_alarm(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let early_enough = self.alarm.as_ref().is_some_and(|(at, _)| *at <= deadline);
        if !early_enough {
            self.alarm = Some((deadline, self.doors.clock.sleep_until(deadline)));
        }
        if let Some((_, alarm)) = &mut self.alarm {
            ready!(alarm.as_mut().poll(cx));
            self.alarm = None;
        }
        Poll::Ready(())
    }

    fn now(&self) -> Now {
        self.doors.clock.now()
    }
}

/// Draining is known: only the cut is waited for.
fn next_after_drain(mut phase: watch::Receiver<Phase>) -> NextPhase {
    Box::pin(async move {
        // An error means that the server is gone.
        let _ = phase.wait_for(|phase| *phase > Phase::Draining).await;
        (Phase::Cutting, phase)
    })
}
