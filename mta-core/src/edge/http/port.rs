//! One port: its connections, each with its limits.

use super::request::{Asked, answer};
use super::{Doors, fields};
use crate::base::event::Event;
use crate::base::world::net::{Listener, Socket};
use crate::config::model::HttpListener;
use crate::path::receive::slots::{NoSlot, Slot, Slots};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// The rest between tries to accept, when the process is out of descriptors or memory: without it the loop would spin.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// A port with all that its connections share.
pub(super) struct Port {
    pub(super) config: HttpListener,
    pub(super) doors: Arc<Doors>,
    pub(super) slots: Arc<Slots>,
    /// One permit for each request that plugins answer.
    pub(super) requests: Semaphore,
    pub(super) draining: watch::Receiver<bool>,
}

/// Accepts connections until it is dropped, and all of them with it.
pub(super) async fn serve(mut listener: Box<dyn Listener>, port: Arc<Port>, serving: TaskTracker) {
    let mut connections = JoinSet::new();
    let mut failures: u32 = 0;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // Nothing is kept of those that have ended.
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok(socket) => {
                failures = 0;
                if let Some(slot) = admit(&*socket, &port) {
                    let token = (!*port.draining.borrow()).then(|| serving.token());
                    connections.spawn(converse(socket, Arc::clone(&port), slot, token));
                }
            }
            Err(why) => {
                failures = failures.saturating_add(1);
                rest(&port, failures, &why).await;
            }
        }
    }
}

/// A place for the connection, if the limits have one. One that has none is closed without a word: an answer would cost
/// what the limit is there to save.
fn admit(socket: &dyn Socket, port: &Port) -> Option<Slot> {
    let HttpListener { name, trusted_proxies, connections_max, connections_per_peer_max, .. } = &port.config;
    let peer = socket.peer();
    // A proxy has the connections of many, and limits of its own.
    let of_peer = match fields::is_among(trusted_proxies, peer.ip()) {
        true => *connections_max,
        false => *connections_per_peer_max,
    };
    let why = match port.slots.take(peer.ip(), *connections_max, of_peer) {
        Ok(slot) => return Some(slot),
        Err(NoSlot::Server) => "connections_max",
        Err(NoSlot::Peer) => "connections_per_peer_max",
    };
    port.doors.observe.event(Event::HttpRefused { listener: name, peer, why });
    None
}

/// Tells of failures to accept, at the tenth in a row and whenever their number has doubled, and rests.
async fn rest(port: &Port, failures: u32, why: &io::Error) {
    let Doors { clock, observe, .. } = &*port.doors;
    if failures.is_multiple_of(10) && (failures / 10).is_power_of_two() {
        let why = why.to_string();
        observe.event(Event::AcceptFailed { listener: &port.config.name, failures, why: &why });
    }
    clock.sleep_until(clock.now().mono + ACCEPT_AGAIN).await;
}

/// A connection, from accept to close. One that began while the server went down gets one answer.
async fn converse(socket: Box<dyn Socket>, port: Arc<Port>, slot: Slot, token: Option<TaskTrackerToken>) {
    let (clock, config) = (&port.doors.clock, &port.config);
    let (peer, late) = (socket.peer().ip(), token.is_none());
    let asked = AtomicU32::new(0);
    let service = service_fn(|request| {
        let before = asked.fetch_add(1, Ordering::Relaxed);
        let last = late || before + 1 >= config.requests_per_connection_max;
        answer(&port, Asked { peer, last, late }, request)
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(config.head_wait).max_buf_size(config.head_bytes_max);
    builder.keep_alive(!late);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(socket), service));
    let mut over = clock.sleep_until(clock.now().mono + config.connection_total);
    let mut draining = port.draining.clone();
    let mut told = late;
    loop {
        tokio::select! {
            // However it ends, there is nobody left to be told.
            _ = connection.as_mut() => break,
            () = &mut over => break,
            _ = draining.wait_for(|draining| *draining), if !told => {
                told = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
    drop((slot, token));
}
