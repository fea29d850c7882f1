//! Who guesses is held back: failures are counted by client and by name, in tables that can't grow.

use crate::base::world::net::client_of;
use crate::config::model::auth::Auth;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Clients and names of which failures are known, each; beyond, those are forgotten that failed longest ago.
const TRACKED_MAX: usize = 20_000;

/// The first wait; each further failure doubles it.
const WAIT: Duration = Duration::from_secs(1);

/// After so long without a failure a client or a name begins anew.
const FORGOTTEN: Duration = Duration::from_secs(3600);

/// The tables.
#[derive(Debug, Default)]
pub struct Throttle {
    peers: Failures<IpAddr>,
    names: Failures<Box<str>>,
}

/// The limits that the configuration sets.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Failures of one client that cost nothing.
    pub per_peer_max: u32,
    /// The same with one name.
    pub per_name_max: u32,
    /// The longest wait.
    pub wait_max: Duration,
}

impl Patience {
    /// Those of a configuration.
    #[must_use]
    pub fn of(auth: &Auth) -> Self {
        let Auth { failures_per_peer_max: per_peer_max, failures_per_user_max: per_name_max, .. } = *auth;
        Self { per_peer_max, per_name_max, wait_max: auth.failure_wait_max }
    }
}

impl Throttle {
    /// Whether the client may try this name now. It is counted as a failure from here on, so that many tries at once
    /// are not all let through before the first of them has failed. Without a name, which is empty then, the client alone
    /// is counted.
    pub fn admit(&mut self, peer: IpAddr, name: &str, patience: Patience, now: Instant) -> bool {
        let peer = client_of(peer);
        if self.peers.is_held(&peer, now) || self.names.is_held(name, now) {
            return false;
        }
        self.peers.count(peer, patience.per_peer_max, patience.wait_max, now);
        if !name.is_empty() {
            self.names.count(name.into(), patience.per_name_max, patience.wait_max, now);
        }
        true
    }

    /// It was no failure. The name begins anew; the client has this one back alone, or one good account would let it
    /// guess all others'.
    pub fn succeeded(&mut self, peer: IpAddr, name: &str) {
        self.peers.take_back(&client_of(peer));
        self.names.forget(name);
    }

    /// It was not tried at all.
    pub fn untried(&mut self, peer: IpAddr, name: &str) {
        self.peers.take_back(&client_of(peer));
        self.names.take_back(name);
    }
}

/// Two halves, so that the oldest go without a search: a full `new` becomes `old`, and the `old` one before it goes.
#[derive(Debug)]
struct Failures<K> {
    new: HashMap<K, Failed>,
    old: HashMap<K, Failed>,
}

#[derive(Clone, Copy, Debug)]
struct Failed {
    count: u32,
    /// Not before this.
    until: Instant,
    last: Instant,
}

impl<K> Default for Failures<K> {
    fn default() -> Self {
        Self { new: HashMap::new(), old: HashMap::new() }
    }
}

impl<K: Hash + Eq> Failures<K> {
    fn is_held<Q: Hash + Eq + ?Sized>(&self, key: &Q, now: Instant) -> bool
    where
        K: std::borrow::Borrow<Q>,
    {
        self.new.get(key).or_else(|| self.old.get(key)).is_some_and(|failed| failed.until > now)
    }

    fn count(&mut self, key: K, free: u32, wait_max: Duration, now: Instant) {
        let known = self.old.remove(&key).or_else(|| self.new.remove(&key));
        let before = known.filter(|failed| now.saturating_duration_since(failed.last) < FORGOTTEN);
        let count = before.map_or(0, |failed| failed.count).saturating_add(1);
        let beyond = count.saturating_sub(free);
        let wait = match beyond {
            0 => Duration::ZERO,
            beyond => WAIT.saturating_mul(1 << (beyond - 1).min(20)).min(wait_max),
        };
        if self.new.len() >= TRACKED_MAX / 2 {
            self.old = std::mem::take(&mut self.new);
        }
        self.new.insert(key, Failed { count, until: now + wait, last: now });
    }

    fn take_back<Q: Hash + Eq + ?Sized>(&mut self, key: &Q)
    where
        K: std::borrow::Borrow<Q>,
    {
        let failed = self.new.get_mut(key).or_else(|| self.old.get_mut(key));
        if let Some(failed) = failed {
            failed.count = failed.count.saturating_sub(1);
            failed.until = failed.last;
        }
    }

    fn forget<Q: Hash + Eq + ?Sized>(&mut self, key: &Q)
    where
        K: std::borrow::Borrow<Q>,
    {
        self.new.remove(key);
        self.old.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience { per_peer_max: 3, per_name_max: 5, wait_max: Duration::from_secs(60) };

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("a literal")
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_client_waits_twice_as_long_each_time_rfc6177_2() {
        let (mut throttle, mut now) = (Throttle::default(), Instant::now());
        for number in 0..3 {
            assert!(throttle.admit(ip("2001:db8::1"), &format!("n{number}"), PATIENCE, now), "free of charge");
        }
        for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert!(throttle.admit(ip("2001:db8::1"), &format!("w{wait}"), PATIENCE, now));
            assert!(!throttle.admit(ip("2001:db8::2"), "other", PATIENCE, now), "the same /64");
            assert!(!throttle.admit(
                ip("2001:db8::1"),
                "other",
                PATIENCE,
                now + seconds(wait) - Duration::from_millis(1)
            ));
            now += seconds(wait);
        }
        assert!(throttle.admit(ip("2001:db8:0:1::1"), "other", PATIENCE, now), "another client");
        now += FORGOTTEN;
        for _ in 0..3 {
            assert!(throttle.admit(ip("2001:db8::1"), "x", PATIENCE, now), "it begins anew");
        }
    }

    #[test]
    fn a_name_is_held_for_all_clients() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        for last in 1..=6 {
            assert!(throttle.admit(IpAddr::from([192, 0, 2, last]), "ann", PATIENCE, now));
        }
        assert!(!throttle.admit(ip("192.0.2.9"), "ann", PATIENCE, now));
        assert!(throttle.admit(ip("192.0.2.9"), "bob", PATIENCE, now));
        assert!(throttle.admit(ip("192.0.2.10"), "ann", PATIENCE, now + seconds(1)));
    }

    #[test]
    fn a_success_clears_the_name_and_of_the_client_itself_alone() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        let peer = ip("192.0.2.1");
        for _ in 0..3 {
            assert!(throttle.admit(peer, "ann", PATIENCE, now));
        }
        throttle.succeeded(peer, "ann");
        // Two failures of the client are left.
        assert!(throttle.admit(peer, "bob", PATIENCE, now));
        assert!(throttle.admit(peer, "bob", PATIENCE, now));
        assert!(!throttle.admit(peer, "bob", PATIENCE, now));
        throttle.untried(peer, "bob");
        assert!(throttle.admit(peer, "bob", PATIENCE, now), "what was not tried is no failure");
    }

    #[test]
    fn the_tables_do_not_grow_without_end() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        for number in 0..50_000_u32 {
            assert!(throttle.admit(IpAddr::from(number.to_be_bytes()), &number.to_string(), PATIENCE, now));
        }
        assert!(throttle.peers.new.len() + throttle.peers.old.len() <= TRACKED_MAX);
        assert!(throttle.names.new.len() + throttle.names.old.len() <= TRACKED_MAX);
    }
}
