//! The connections of the stage while nobody uses them: kept, checked, closed with QUIT (RFC 5321 4.1.1.10).

use super::connection::Connection;
use crate::base::flow::attempt::NextHop;
use crate::base::world::Clock;
use crate::path::deliver::pool::Pool;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;

/// How long the answer to QUIT is waited for: nothing hangs on it but politeness (RFC 5321 4.1.1.10).
const GOODBYE: Duration = Duration::from_secs(2);

/// QUITs under way at once; beyond, connections are closed without one.
const GOODBYES_MAX: usize = 256;

/// Idle connections, and those on their way out.
pub(super) struct Connections {
    pool: Mutex<Pool<Connection>>,
    /// No connection is kept any more.
    draining: AtomicBool,
    /// One permit for each QUIT under way.
    goodbyes: Arc<Semaphore>,
    clock: Arc<dyn Clock>,
    /// How many connections were opened from each pool's addresses of IPv4, and of IPv6.
    turns: Mutex<HashMap<(Box<str>, bool), usize>>,
}

impl Connections {
    pub(super) fn new(idle_connections_max: usize, clock: Arc<dyn Clock>) -> Self {
        Self {
            pool: Mutex::new(Pool::new(idle_connections_max)),
            draining: AtomicBool::new(false),
            goodbyes: Arc::new(Semaphore::new(GOODBYES_MAX)),
            clock,
            turns: Mutex::default(),
        }
    }

    /// An idle connection to this hop that is still of use.
    pub(super) async fn idle(&self, hop: &NextHop) -> Option<Connection> {
        loop {
            let mut connection = self.pool().take(hop)?;
            if connection.is_quiet().await {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection for the next message to this hop.
    pub(super) fn keep(&self, hop: &Arc<NextHop>, mut connection: Connection, idle: Duration) {
        connection.reused = true;
        let until = self.clock.now().mono + idle;
        let mut pool = self.pool();
        // Looked at under the lock that a drain takes: nothing is put down behind its back.
        let refused = if self.draining.load(Ordering::Acquire) {
            Err(connection)
        } else {
            pool.keep(Arc::clone(hop), connection, until)
        };
        drop(pool);
        if let Err(connection) = refused {
            self.say_goodbye(connection);
        }
    }

    /// Closes what is due.
    pub(super) fn sweep(&self) {
        let due = self.pool().due(self.clock.now().mono);
        due.into_iter().for_each(|connection| self.say_goodbye(connection));
    }

    /// Closes all, and keeps none from here on.
    pub(super) async fn close(&self) {
        let idle = {
            let mut pool = self.pool();
            self.draining.store(true, Ordering::Release);
            pool.drain()
        };
        let until = self.clock.now().mono + GOODBYE;
        futures_util::future::join_all(idle.into_iter().map(|connection| connection.quit(until))).await;
    }

    /// Says QUIT beside the mail: whoever waits for a report does not wait for that.
    pub(super) fn say_goodbye(&self, connection: Connection) {
        let until = self.clock.now().mono + GOODBYE;
        if let Ok(permit) = Arc::clone(&self.goodbyes).try_acquire_owned() {
            tokio::spawn(async move {
                connection.quit(until).await;
                drop(permit);
            });
        }
    }

    /// How many connections were opened from that pool's addresses of that family before this one.
    pub(super) fn turn(&self, pool: &str, is_ipv4: bool) -> usize {
        // A number is whole whatever happened to the one who held it.
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = turns.entry((pool.into(), is_ipv4)).or_default();
        let before = *opened;
        *opened = before.wrapping_add(1);
        before
    }

    fn pool(&self) -> MutexGuard<'_, Pool<Connection>> {
        // A panic elsewhere left it whole: no method of the pool can stop half way.
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
