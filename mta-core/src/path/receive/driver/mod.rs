//! The part of receive that waits: accept loops, and one task for each session.

mod proxy;
mod session;

pub use super::doors::Phase;

#[cfg(test)]
pub(super) use session::run as task;

use super::doors::Doors;
use super::replies;
use super::slots::{NoSlot, Slot};
use crate::base::event::Event;
use crate::base::smtp::reply::Reply;
use crate::base::world::net::{Listener, Socket};
use crate::config::model::listener::{self as model, Kind};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::AsyncWrite;
use tokio::sync::watch;

/// So many failures to accept in a row are no longer those of single connections: the process is out of descriptors
/// or memory.
const ACCEPT_FAILURES_TOLD: u32 = 10;

/// The rest between tries from then on: the waiting connection stays readable, so that without one the loop would spin.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Tells of a port that is open. Told apart from [`serve`], whose task begins some time later.
pub fn announce(listener: &dyn Listener, name: &str, doors: &Doors) {
    doors.observe.event(Event::Listening { listener: name, address: listener.local() });
}

/// Accepts sessions until `phase` leaves [`Phase::Serving`], then closes the port and returns; the sessions go on by
/// themselves, and [`drained`] waits for them.
pub async fn serve(
    mut listener: Box<dyn Listener>,
    known: Arc<model::Listener>,
    doors: Arc<Doors>,
    mut phase: watch::Receiver<Phase>,
) {
    let mut failures: u32 = 0;
    loop {
        let accepted = tokio::select! {
            biased;
            // An error means that the sender is gone, and with it the server.
            _ = phase.wait_for(|phase| *phase > Phase::Serving) => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(socket) => {
                failures = 0;
                admit(socket, &known, &doors, &phase).await;
            }
            Err(why) => {
                failures = failures.saturating_add(1);
                if is_told(failures) {
                    let why = why.to_string();
                    doors.observe.event(Event::AcceptFailed { listener: &known.name, failures, why: &why });
                }
                if failures >= ACCEPT_FAILURES_TOLD {
                    let rested = doors.clock.sleep_until(doors.clock.now().mono + ACCEPT_AGAIN);
                    tokio::select! {
                        _ = phase.wait_for(|phase| *phase > Phase::Serving) => return,
                        () = rested => {}
                    }
                }
            }
        }
    }
}

/// At the limit, and whenever the number has doubled since: an hour of failures is a dozen lines.
fn is_told(failures: u32) -> bool {
    failures.is_multiple_of(ACCEPT_FAILURES_TOLD) && (failures / ACCEPT_FAILURES_TOLD).is_power_of_two()
}

/// Waits until the last session has ended, for at most `limit`. Returns how many are left then.
pub async fn drained(doors: &Doors, limit: Duration) -> usize {
    let mut open = doors.slots.watch();
    let mut over = doors.clock.sleep_until(doors.clock.now().mono + limit);
    tokio::select! {
        biased;
        _ = open.wait_for(|open| *open == 0) => 0,
        () = &mut over => doors.slots.open(),
    }
}

/// Lets a connection in, or tells it why not; the latter costs no task.
async fn admit(
    socket: Box<dyn Socket>,
    known: &Arc<model::Listener>,
    doors: &Arc<Doors>,
    phase: &watch::Receiver<Phase>,
) {
    let (listener, sessions_max, per_peer_max) = {
        let config = doors.config.borrow();
        // A reload may have changed what the port is for.
        let present = config.listeners.iter().find(|listener| listener.name == known.name);
        let listener = Arc::clone(present.unwrap_or(known));
        (listener, config.limits.sessions_max, config.limits.sessions_per_peer_max)
    };
    let peer = socket.peer();
    let from_proxy = listener.proxy_from.iter().any(|network| network.contains(peer.ip()));
    // A proxy is many clients: each is counted once it is known. Who speaks for others by XCLIENT does so one by one over
    // its own connections, and they are all it has.
    let is_many = from_proxy || listener.xclient_from.iter().any(|network| network.contains(peer.ip()));
    let per_peer_max = if is_many { usize::MAX } else { per_peer_max };
    match doors.slots.take(peer.ip(), sessions_max, per_peer_max) {
        Ok(slot) if from_proxy => {
            tokio::spawn(proxied(socket, listener, Arc::clone(doors), phase.clone(), slot));
        }
        Ok(slot) => {
            tokio::spawn(session::run(socket, peer, listener, Arc::clone(doors), phase.clone(), slot));
        }
        Err(no_slot) => refuse(socket, peer, no_slot, &listener, doors).await,
    }
}

/// Learns from a proxy who the client is, and lets that in.
async fn proxied(
    mut socket: Box<dyn Socket>,
    listener: Arc<model::Listener>,
    doors: Arc<Doors>,
    mut phase: watch::Receiver<Phase>,
    slot: Slot,
) {
    let peer = match proxy::client(&mut socket, &doors, &mut phase).await {
        Ok(peer) => peer,
        Err(why) => {
            let event = Event::ProxyRefused { listener: &listener.name, peer: socket.peer(), why: &why };
            return doors.observe.event(event);
        }
    };
    drop(slot);
    let (sessions_max, per_peer_max) = {
        let limits = &doors.config.borrow().limits;
        (limits.sessions_max, limits.sessions_per_peer_max)
    };
    match doors.slots.take(peer.ip(), sessions_max, per_peer_max) {
        // Boxed: what waits here for a header is small.
        Ok(slot) => Box::pin(session::run(socket, peer, listener, Arc::clone(&doors), phase, slot)).await,
        Err(no_slot) => refuse(socket, peer, no_slot, &listener, &doors).await,
    }
}

/// RFC 5321 4.3.2: 421 instead of a greeting; where TLS is to come first, not a word.
async fn refuse(socket: Box<dyn Socket>, peer: SocketAddr, no_slot: NoSlot, listener: &model::Listener, doors: &Doors) {
    let (reply, why) = match no_slot {
        NoSlot::Server => (replies::SERVER_FULL, "session limit"),
        NoSlot::Peer => (replies::PEER_FULL, "session limit of this address"),
    };
    let text = reply.to_string();
    doors.observe.event(Event::SessionRefused { session: "-", listener: &listener.name, peer, reply: &text, why });
    if listener.kind != Kind::Submissions {
        turn_away(socket, &reply).await;
    }
}

/// One try to write, which a fresh connection always has room for; then the connection is closed.
async fn turn_away(mut socket: Box<dyn Socket>, reply: &Reply) {
    let mut line = Vec::new();
    reply.encode(&mut line);
    poll_fn(|cx| {
        // Whether it arrives is the client's affair: it is turned away in any case.
        let _ = Pin::new(&mut socket).poll_write(cx, &line);
        let _ = Pin::new(&mut socket).poll_shutdown(cx);
        Poll::Ready(())
    })
    .await;
}
