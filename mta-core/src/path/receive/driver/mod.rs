//! The part of receive that waits: accept loops, and one task for each session.

mod session;

pub use super::doors::Phase;

#[cfg(test)]
pub(super) use session::run as task;

use super::doors::Doors;
use super::replies;
use super::slots::NoSlot;
use crate::base::event::Event;
use crate::base::smtp::reply::Reply;
use crate::base::world::net::{Listener, Socket};
use std::future::poll_fn;
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
    name: Arc<str>,
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
                admit(socket, &name, &doors, &phase).await;
            }
            Err(why) => {
                failures = failures.saturating_add(1);
                if is_told(failures) {
                    let why = why.to_string();
                    doors.observe.event(Event::AcceptFailed { listener: &name, failures, why: &why });
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
async fn admit(socket: Box<dyn Socket>, name: &Arc<str>, doors: &Arc<Doors>, phase: &watch::Receiver<Phase>) {
    let (sessions_max, per_peer_max) = {
        let limits = &doors.config.borrow().limits;
        (limits.sessions_max, limits.sessions_per_peer_max)
    };
    let peer = socket.peer();
    let (reply, why) = match doors.slots.take(peer.ip(), sessions_max, per_peer_max) {
        Ok(slot) => {
            let task = session::run(socket, Arc::clone(name), Arc::clone(doors), phase.clone(), slot);
            tokio::spawn(task);
            return;
        }
        // RFC 5321 4.3.2: 421 instead of a greeting.
        Err(NoSlot::Server) => (replies::SERVER_FULL, "session limit"),
        Err(NoSlot::Peer) => (replies::PEER_FULL, "session limit of this address"),
    };
    let text = reply.to_string();
    doors.observe.event(Event::SessionRefused { session: "-", listener: name, peer, reply: &text, why });
    turn_away(socket, &reply).await;
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
