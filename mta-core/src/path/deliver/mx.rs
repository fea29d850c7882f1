//! Which hosts to try, in which order: mail exchangers from DNS answers, without doing the asking (RFC 5321 5.1).
//!
//! [`groups`] reads the answer about the domain; a [`Plan`] then takes the hosts of one preference after another and
//! turns their addresses into [`Target`]s, until somebody takes the mail or the plan ends.

use crate::base::smtp::reply::Reply;
use crate::base::smtp::status::EnhancedStatus;
use crate::base::world::Dice;
use crate::base::world::dns::{DnsFault, Mx};
use std::net::{IpAddr, SocketAddr};

/// Exchangers of a domain that are looked at, the most preferred first: an answer may hold hundreds.
pub const EXCHANGERS_MAX: usize = 20;

/// Addresses tried in one attempt (Postfix: `smtp_mx_address_limit`, 5).
pub const ADDRESSES_PER_ATTEMPT_MAX: usize = 5;

/// Hosts of equal preference, in the order in which they are to be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Their names.
    pub hosts: Vec<Box<str>>,
}

/// A host, and what DNS said of its addresses.
pub type Found = (Box<str>, Result<Vec<IpAddr>, DnsFault>);

/// One address to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The host's name, or its address where it has no other name.
    pub host: Box<str>,
    /// Where it listens.
    pub address: SocketAddr,
}

/// The mail would come back to us: we are among the best exchangers. [`LOOP`] says so to the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loop {
    /// The address that is ours, where it was an address that gave it away.
    pub address: Option<IpAddr>,
}

/// What this machine is, for finding out that mail would come back to it.
#[derive(Clone, Copy)]
pub struct Ourselves<'a> {
    /// Our name.
    pub hostname: &'a str,
    /// The port of mail exchangers: 25, but for tests.
    pub port: u16,
    /// Where we listen.
    pub listening: &'a [SocketAddr],
    /// Whether an address is this machine's.
    pub is_local: &'a dyn Fn(IpAddr) -> bool,
}

impl Ourselves<'_> {
    /// On port 25 every address of this machine is ours, whoever listens: a redirection may stand before us. On
    /// another port only the sockets that we listen on are.
    fn is_at(&self, ip: IpAddr) -> bool {
        if self.port == 25 {
            return (self.is_local)(ip);
        }
        let here = |socket: &SocketAddr| socket.ip() == ip || socket.ip().is_unspecified() && (self.is_local)(ip);
        self.listening.iter().any(|socket| socket.port() == self.port && here(socket))
    }

    fn is_named(&self, host: &str) -> bool {
        let serves = self.port == 25 || self.listening.iter().any(|socket| socket.port() == self.port);
        serves && host.eq_ignore_ascii_case(self.hostname)
    }
}

/// The domain's exchangers by preference, equal ones in random order (RFC 5321 5.1); with no MX record, the domain
/// itself (the implicit MX).
///
/// # Errors
/// A permanent reply for a domain that does not exist or takes no mail (RFC 7505), a transient one when the name
/// servers failed.
pub fn groups(domain: &str, answer: Result<Vec<Mx>, DnsFault>, dice: &dyn Dice) -> Result<Vec<Group>, Reply> {
    let mut records = match answer {
        Ok(records) => records,
        Err(DnsFault::NoRecord) => Vec::new(),
        Err(DnsFault::NoSuchDomain) => return Err(NO_SUCH_DOMAIN),
        Err(DnsFault::Failed) => return Err(LOOKUP_FAILED),
    };
    if records.is_empty() {
        // RFC 5321 5.1: "If an empty list of MXs is returned, the address is treated as if it was associated with an
        // implicit MX RR with a preference of 0, pointing to that host."
        return Ok(vec![Group { hosts: vec![domain.into()] }]);
    }
    // RFC 7505 3: the null MX stands alone; beside others it is a mistake, and they are what was meant.
    records.retain(|record| !record.host.is_empty());
    if records.is_empty() {
        return Err(NULL_MX);
    }
    shuffle(&mut records, dice);
    records.sort_by_key(|record| record.preference);
    records.truncate(EXCHANGERS_MAX);
    let equal = records.chunk_by(|one, other| one.preference == other.preference);
    Ok(equal.map(|records| Group { hosts: records.iter().map(|record| record.host.clone()).collect() }).collect())
}

/// Goes through the groups; holds what was learnt on the way.
#[derive(Debug)]
pub struct Plan {
    groups: std::vec::IntoIter<Group>,
    /// How many addresses may still be tried.
    room: usize,
    /// No group was looked at yet: finding ourselves in the first one is a loop.
    at_best: bool,
}

impl Plan {
    /// A plan over these groups.
    #[must_use]
    pub fn new(groups: Vec<Group>) -> Self {
        Self { groups: groups.into_iter(), room: ADDRESSES_PER_ATTEMPT_MAX, at_best: true }
    }

    /// The hosts to look up next; none when the plan has ended.
    pub fn next_group(&mut self) -> Option<Group> {
        if self.room == 0 {
            return None;
        }
        self.groups.next()
    }

    /// Takes the addresses of a group's hosts, in its order, and gives those to try.
    ///
    /// # Errors
    /// A loop (RFC 5321 5.1).
    pub fn admit(&mut self, found: Vec<Found>, ourselves: Ourselves<'_>, dice: &dyn Dice) -> Result<Vec<Target>, Loop> {
        let best = std::mem::take(&mut self.at_best);
        let ours = |(host, answer): &Found| {
            ourselves.is_named(host) || answer.iter().flatten().any(|ip| ourselves.is_at(ip.to_canonical()))
        };
        if let Some((_, answer)) = found.iter().find(|host| ours(host)) {
            // RFC 5321 5.1: hosts of our own preference and above it are no way forward.
            self.groups = Vec::new().into_iter();
            let address = answer.iter().flatten().next().copied();
            return if best { Err(Loop { address }) } else { Ok(Vec::new()) };
        }
        let hosts = found.into_iter().filter_map(|(host, answer)| Some((host, answer.ok()?))).collect();
        let mut targets = in_turn(hosts, ourselves.port, dice);
        targets.truncate(self.room);
        self.room -= targets.len();
        Ok(targets)
    }
}

/// Every host's first address, then every host's second, and so on, so that one host with many addresses does not use
/// up the attempt. Families alternate within a host and between hosts: a machine without IPv6 still gets through.
fn in_turn(hosts: Vec<(Box<str>, Vec<IpAddr>)>, port: u16, dice: &dyn Dice) -> Vec<Target> {
    let mut rows: Vec<_> = Vec::with_capacity(hosts.len());
    for (place, (host, mut addresses)) in hosts.into_iter().enumerate() {
        shuffle(&mut addresses, dice);
        let (v6, v4): (Vec<IpAddr>, Vec<IpAddr>) = addresses.into_iter().partition(IpAddr::is_ipv6);
        let (first, second) = if place % 2 == 0 { (v6, v4) } else { (v4, v6) };
        rows.push((host, alternate(first, second)));
    }
    let longest = rows.iter().map(|(_, addresses)| addresses.len()).max().unwrap_or(0);
    let mut targets = Vec::new();
    for turn in 0..longest {
        for (host, addresses) in &rows {
            if let Some(ip) = addresses.get(turn) {
                targets.push(Target { host: host.clone(), address: SocketAddr::new(*ip, port) });
            }
        }
    }
    targets
}

fn alternate<T>(first: Vec<T>, second: Vec<T>) -> Vec<T> {
    let (mut one, mut other) = (first.into_iter(), second.into_iter());
    let mut all = Vec::with_capacity(one.len() + other.len());
    while one.len() + other.len() > 0 {
        all.extend(one.next());
        all.extend(other.next());
    }
    all
}

/// Fisher and Yates's shuffle.
fn shuffle<T>(items: &mut [T], dice: &dyn Dice) {
    for last in (1..items.len()).rev() {
        let below = dice.roll() % (last as u64 + 1);
        items.swap(last, usize::try_from(below).unwrap_or(last));
    }
}

/// RFC 3463 3.2 (X.1.2): the domain in the recipient's address does not exist.
pub const NO_SUCH_DOMAIN: Reply =
    Reply::new(550, EnhancedStatus::new(5, 1, 2), "the recipient's domain does not exist");

/// RFC 7505 4.
pub const NULL_MX: Reply = Reply::new(556, EnhancedStatus::new(5, 1, 10), "the recipient's domain takes no mail");

/// RFC 3463 3.5 (X.4.3).
pub const LOOKUP_FAILED: Reply =
    Reply::new(451, EnhancedStatus::new(4, 4, 3), "the name servers of the recipient's domain did not answer");

/// RFC 3463 3.5 (X.4.4): names without addresses.
pub const NO_ADDRESS: Reply =
    Reply::new(550, EnhancedStatus::new(5, 4, 4), "the recipient's domain has no host that takes mail");

/// RFC 3463 3.5 (X.4.6).
pub const LOOP: Reply =
    Reply::new(550, EnhancedStatus::new(5, 4, 6), "mail for the recipient's domain comes back to this host");

#[cfg(test)]
#[path = "mx_tests.rs"]
mod tests;
