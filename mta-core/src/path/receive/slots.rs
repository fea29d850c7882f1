//! How many sessions there may be, in all and from one address.

use crate::base::world::net::client_of;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Counts sessions. Shared by all listeners of a server.
#[derive(Debug)]
pub struct Slots {
    peers: Mutex<Peers>,
    /// Sessions in all, for those who wait for the last one.
    open: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Peers {
    by_ip: HashMap<IpAddr, u32>,
    open: usize,
}

/// Why a session may not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSlot {
    /// `sessions_max` is reached.
    Server,
    /// `sessions_per_peer_max` is reached.
    Peer,
}

/// A session's place; given back when it is dropped.
#[derive(Debug)]
pub struct Slot {
    slots: Arc<Slots>,
    ip: IpAddr,
}

impl Default for Slots {
    fn default() -> Self {
        Self { peers: Mutex::default(), open: watch::Sender::new(0) }
    }
}

impl Slots {
    /// A place for a session from `ip`. All addresses of an IPv6 /64 count as one peer: that is what one customer
    /// gets (RFC 6177 2).
    ///
    /// # Errors
    /// Which limit is reached.
    pub fn take(self: &Arc<Self>, ip: IpAddr, sessions_max: usize, per_peer_max: usize) -> Result<Slot, NoSlot> {
        let ip = client_of(ip);
        let mut peers = self.peers();
        if peers.open >= sessions_max {
            return Err(NoSlot::Server);
        }
        let of_peer = peers.by_ip.entry(ip).or_insert(0);
        if usize::try_from(*of_peer).unwrap_or(usize::MAX) >= per_peer_max {
            return Err(NoSlot::Peer);
        }
        *of_peer += 1;
        peers.open += 1;
        self.open.send_replace(peers.open);
        drop(peers);
        Ok(Slot { slots: Arc::clone(self), ip })
    }

    /// Sessions that are open now.
    #[must_use]
    pub fn open(&self) -> usize {
        *self.open.borrow()
    }

    /// The number of open sessions, to be waited on.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<usize> {
        self.open.subscribe()
    }

    fn peers(&self) -> MutexGuard<'_, Peers> {
        // The counts are whole numbers changed in one step: a panic elsewhere can't have left them half done.
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut peers = self.slots.peers();
        peers.open -= 1;
        if let Some(of_peer) = peers.by_ip.get_mut(&self.ip) {
            *of_peer -= 1;
            if *of_peer == 0 {
                peers.by_ip.remove(&self.ip);
            }
        }
        self.slots.open.send_replace(peers.open);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_refuses_on_its_own_and_a_64_is_one_peer_rfc6177_2() {
        let slots = Arc::new(Slots::default());
        let ip = |text: &str| text.parse::<IpAddr>().expect("a literal");
        let one = slots.take(ip("192.0.2.1"), 3, 2).expect("a place");
        let _two = slots.take(ip("::ffff:192.0.2.1"), 3, 2).expect("a place");
        assert_eq!(slots.take(ip("192.0.2.1"), 3, 2).err(), Some(NoSlot::Peer));
        let _three = slots.take(ip("2001:db8::1"), 3, 1).expect("a place");
        assert_eq!(slots.take(ip("192.0.2.9"), 3, 2).err(), Some(NoSlot::Server));
        drop(one);
        assert_eq!(slots.take(ip("2001:db8::2"), 3, 1).err(), Some(NoSlot::Peer), "the same /64");
        assert!(slots.take(ip("192.0.2.1"), 3, 2).is_ok());
        assert_eq!(slots.open(), 2, "the last place was given back at once");
    }
}
