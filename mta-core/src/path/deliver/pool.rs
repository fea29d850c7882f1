//! Idle connections, kept a short while for the next message to the same next hop. Servers wait
//! at least five minutes for the next command (RFC 5321 4.5.3.2.7), so what is kept for seconds is most often alive.

use crate::base::flow::attempt::NextHop;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

/// Connections that nobody uses, by next hop. Pure: it holds and hands out, the driver opens and closes.
#[derive(Debug)]
pub struct Pool<C> {
    /// For each hop the connections in the order in which they fell idle; no entry is empty.
    idle: HashMap<Arc<NextHop>, Vec<Idle<C>>>,
    held: usize,
    idle_connections_max: usize,
}

#[derive(Debug)]
struct Idle<C> {
    connection: C,
    until: Instant,
}

impl<C> Pool<C> {
    /// An empty pool for so many connections in all.
    #[must_use]
    pub fn new(idle_connections_max: usize) -> Self {
        Self { idle: HashMap::new(), held: 0, idle_connections_max }
    }

    /// The connection that was used last, so that those no longer needed fall due.
    pub fn take(&mut self, hop: &NextHop) -> Option<C> {
        let kept = self.idle.get_mut(hop)?;
        let taken = kept.pop();
        if kept.is_empty() {
            self.idle.remove(hop);
        }
        self.held -= usize::from(taken.is_some());
        taken.map(|idle| idle.connection)
    }

    /// Keeps a connection until then; gives it back when the pool is full.
    ///
    /// # Errors
    /// The connection, for the caller to close.
    pub fn keep(&mut self, hop: Arc<NextHop>, connection: C, until: Instant) -> Result<(), C> {
        if self.held >= self.idle_connections_max {
            return Err(connection);
        }
        self.idle.entry(hop).or_default().push(Idle { connection, until });
        self.held += 1;
        Ok(())
    }

    /// Takes out what is due.
    pub fn due(&mut self, now: Instant) -> Vec<C> {
        let mut due = Vec::new();
        for kept in self.idle.values_mut() {
            due.extend(kept.extract_if(.., |idle| idle.until <= now).map(|idle| idle.connection));
        }
        self.idle.retain(|_, kept| !kept.is_empty());
        self.held -= due.len();
        due
    }

    /// Takes out all.
    pub fn drain(&mut self) -> Vec<C> {
        self.held = 0;
        self.idle.drain().flat_map(|(_, kept)| kept).map(|idle| idle.connection).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const SECOND: Duration = Duration::from_secs(1);

    fn hop(name: &str) -> Arc<NextHop> {
        Arc::new(NextHop::Maildir(name.into()))
    }

    #[test]
    fn the_last_used_goes_first_and_only_to_its_own_hop() {
        let (mut pool, now) = (Pool::new(9), Instant::now());
        for (name, connection) in [("a", 1), ("a", 2), ("b", 3)] {
            pool.keep(hop(name), connection, now).expect("room");
        }
        assert_eq!((pool.take(&hop("a")), pool.take(&hop("a")), pool.take(&hop("a"))), (Some(2), Some(1), None));
        assert_eq!((pool.drain(), pool.held), (vec![3], 0));
    }

    #[test]
    fn what_is_due_leaves_and_the_rest_stays_rfc5321_4_5_3_2_7() {
        let (mut pool, now) = (Pool::new(9), Instant::now());
        pool.keep(hop("a"), 1, now + SECOND).expect("room");
        pool.keep(hop("a"), 2, now + 2 * SECOND).expect("room");
        assert!(pool.due(now).is_empty());
        assert_eq!(pool.due(now + SECOND), [1]);
        assert_eq!((pool.held, pool.take(&hop("a"))), (1, Some(2)));
        assert!(pool.idle.is_empty());
    }

    #[test]
    fn a_full_pool_gives_the_connection_back() {
        let (mut pool, now) = (Pool::new(1), Instant::now());
        pool.keep(hop("a"), 1, now).expect("room");
        assert_eq!(pool.keep(hop("b"), 2, now), Err(2));
        pool.take(&hop("a"));
        assert_eq!(pool.keep(hop("b"), 2, now), Ok(()));
    }
}
