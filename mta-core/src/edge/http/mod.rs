//! The public HTTP ports (RFC 9112): plugins answer at `/p/<plugin>/…`, and `/healthz` tells whether the server serves.
//!
//! `port` accepts connections and bounds them, `request` answers one request, and `fields` says which header fields pass
//! in either direction. See docs/decisions/0020-public-http-is-small.md.

mod fields;
mod port;
mod request;
#[cfg(test)]
mod tests;

use crate::base::event::Event;
use crate::base::flow::policy::Policy;
use crate::base::world::net::Listener;
use crate::base::world::{Clock, Observe};
use crate::config::model::HttpListener;
use crate::path::receive::slots::Slots;
use port::Port;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

/// What the ports need of the rest.
pub struct Doors {
    /// Who is asked.
    pub policy: Arc<dyn Policy>,
    /// Who is told.
    pub observe: Arc<dyn Observe>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// The public ports of a server. Dropped, they are closed, and their connections with them.
pub struct Web {
    clock: Arc<dyn Clock>,
    draining: watch::Sender<bool>,
    /// Connections that began while the server served.
    serving: TaskTracker,
    ports: JoinSet<()>,
}

impl Web {
    /// Tells of the ports, which are open, and serves them.
    #[must_use]
    pub fn start(doors: Doors, ports: Vec<(HttpListener, Box<dyn Listener>)>) -> Self {
        let (draining, serving) = (watch::Sender::new(false), TaskTracker::new());
        let mut tasks = JoinSet::new();
        let doors = Arc::new(doors);
        for (config, listener) in ports {
            doors.observe.event(Event::Listening { listener: &config.name, address: listener.local() });
            let port = Port {
                requests: Semaphore::new(config.requests_max),
                config,
                doors: Arc::clone(&doors),
                slots: Arc::new(Slots::default()),
                draining: draining.subscribe(),
            };
            tasks.spawn(port::serve(listener, Arc::new(port), serving.clone()));
        }
        Self { clock: Arc::clone(&doors.clock), draining, serving, ports: tasks }
    }

    /// The server is going down: connections end with the answer that is under way, and are waited for within the limit.
    /// The ports stay open until [`close`](Self::close), so that whoever asks for `/healthz` is told.
    pub async fn drain(&self, limit: Duration) {
        self.draining.send_replace(true);
        self.serving.close();
        let over = self.clock.sleep_until(self.clock.now().mono + limit);
        tokio::select! {
            () = self.serving.wait() => {}
            () = over => {}
        }
    }

    /// Closes the ports and cuts what is left.
    pub async fn close(mut self) {
        self.ports.shutdown().await;
    }
}
