//! One copy of a message over SMTP or LMTP: connections from the pool or anew, transaction after transaction, host after
//! host, until every recipient has its outcome.

use super::connection::{Connection, Made, look_for_8bit};
use super::connections::Connections;
use super::parts::Parts;
use super::requirement::Requirement;
use super::way::Way;
use crate::base::event::Event;
use crate::base::fault::Scope;
use crate::base::flow::attempt::{Attempt, NextHop};
use crate::base::flow::report::{Copy, Outcome};
use crate::base::flow::tls_result::TlsFailure;
use crate::base::mail::address::Address;
use crate::base::mail::render::Rendered;
use crate::base::smtp::reply::Reply;
use crate::base::smtp::status::EnhancedStatus;
use crate::base::world::net::Socket;
use crate::base::world::tls::Outgoing;
use crate::config::model::Config;
use crate::path::deliver::client::{Client, Ended, Finished, Full, Message, Protect, Protocol, State, are_ours};
use crate::path::deliver::mx::{self, Target};
use crate::path::deliver::trust::demand::{By, Demand, Promise};
use futures_util::future::{Either, select};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// What came of the copy.
#[derive(Debug, Default)]
pub(super) struct Carried {
    pub(super) outcomes: Vec<(u32, Outcome)>,
    /// The host that was tried last.
    pub(super) remote: Option<Arc<str>>,
    /// Which host's words the outcomes have; those of the others are ours.
    pub(super) said_by: BTreeMap<u32, Arc<str>>,
    /// How the last connection was protected, in words.
    pub(super) tls: Option<Box<str>>,
    pub(super) trouble: Option<Scope>,
}

/// One copy on its way.
pub(super) struct Transport<'a> {
    parts: &'a Parts,
    connections: &'a Connections,
    config: &'a Config,
    attempt: &'a Attempt,
    rendered: Rendered,
    way: Way<'a>,
    /// What the message itself wants of TLS.
    requirement: Requirement,
    /// What its connections are held to.
    promise: Arc<Promise>,
    /// Where the present connection goes; none for one from the pool.
    target: Option<Target>,
    /// The reverse path that leads back to the copy, where it has one.
    reverse_path: Option<Address>,
    /// Recipients without an outcome yet.
    pending: Vec<u32>,
    /// So many recipients the present host takes in one transaction, as it has shown.
    room: Option<usize>,
    /// What is to be said of the hosts that failed us, and which of them said it; none: we do.
    failure: Option<(Reply, Option<Arc<str>>)>,
    /// Not every host refused us for good.
    may_pass: bool,
    /// A host let us in.
    reached: bool,
    carried: Carried,
}

impl<'a> Transport<'a> {
    pub(super) fn new(
        parts: &'a Parts,
        connections: &'a Connections,
        config: &'a Config,
        attempt: &'a Attempt,
        promise: Arc<Promise>,
        copy: Copy,
        rendered: Rendered,
    ) -> Self {
        let requirement = Requirement::of(attempt);
        let promise = requirement.strengthen(promise, &attempt.hop);
        Self {
            parts,
            connections,
            config,
            attempt,
            rendered,
            way: Way::new(parts, config, &attempt.hop, Arc::clone(&promise)),
            requirement,
            promise,
            target: None,
            reverse_path: copy.reverse_path,
            pending: copy.recipients,
            room: None,
            failure: None,
            may_pass: false,
            reached: false,
            carried: Carried::default(),
        }
    }

    /// Carries the copy to its recipients, or finds out why that can't be.
    pub(super) async fn carry(mut self) -> Carried {
        while !self.pending.is_empty() {
            self.room = None;
            let idle = self.idle().await;
            let connection = if idle.is_some() {
                self.target = None;
                idle
            } else {
                self.connect().await
            };
            match connection {
                Some(connection) => self.use_connection(connection).await,
                None => break,
            }
        }
        self.carried
    }

    /// An idle connection that is protected as this mail wants it and comes from where it is to come from; one of before a
    /// reload, or of before the domain said else, may not.
    async fn idle(&mut self) -> Option<Connection> {
        loop {
            let connection = self.connections.idle(&self.attempt.hop).await?;
            let serves = connection.made.serves(&self.promise, self.parts.clock.now().mono);
            if serves && self.is_from_its_pool(&connection) && self.obstacle(&connection).is_none() {
                return Some(connection);
            }
            self.connections.say_goodbye(connection);
        }
    }

    /// A reload may have taken the address out of the pool, as one that others block.
    fn is_from_its_pool(&self, connection: &Connection) -> bool {
        self.attempt.hop.pool().is_none_or(|name| {
            let pool = self.config.pools.iter().find(|pool| *pool.name == *name);
            pool.is_some_and(|pool| pool.addresses.contains(&connection.local))
        })
    }

    /// A session with the next host that lets us in. None when there are no more: then nobody is pending.
    async fn connect(&mut self) -> Option<Connection> {
        loop {
            let next = self.way.next().await;
            let refusals = self.way.take_refusals();
            refusals
                .into_iter()
                .for_each(|(by, refusal)| self.note_failure(self.requirement.refused(by, refusal), None));
            match next {
                Ok(Some(target)) => {
                    if let Some(connection) = self.open(&target).await {
                        self.reached = true;
                        self.target = Some(target);
                        return Some(connection);
                    }
                }
                Ok(None) => {
                    let scope = if self.reached { Scope::Session } else { Scope::Site };
                    let (reply, said_by) = self.failure.take().unwrap_or((mx::LOOKUP_FAILED, None));
                    self.settle_pending(&reply, said_by.as_ref(), scope);
                    return None;
                }
                Err(reply) => {
                    self.may_pass = !reply.is_permanent();
                    self.settle_pending(&reply, None, Scope::Site);
                    return None;
                }
            }
        }
    }

    /// Connects and exchanges greetings. A refusal is of this host alone: the next one may take the mail (RFC 5321 3.1
    /// and 5.1).
    async fn open(&mut self, target: &Target) -> Option<Connection> {
        let demand = self.way.demand(&target.host);
        let mut wanted = demand.tls.clone();
        loop {
            let connection = self.greet(target, &wanted, demand.by).await?;
            let unprotected = match connection.client.ended() {
                Some(Ended::Unprotected(why)) => Some(why.to_string()),
                _ => None,
            };
            if wanted == demand.tls {
                self.tell_tried(target, &demand, &connection);
            }
            let (Some(why), Some(next)) = (unprotected, demand.after(&wanted)) else {
                return self.greeted(target, &demand, connection);
            };
            let how = if *next == Outgoing::Off { "in clear" } else { "without verification" };
            self.tell_failed(target, &format!("{why}; once more {how}"));
            wanted = next.clone();
        }
    }

    /// What the first connection to a host showed of its TLS.
    fn tell_tried(&self, target: &Target, demand: &Demand, connection: &Connection) {
        let outcome = match connection.client.ended() {
            Some(Ended::Unprotected(why)) => {
                Err((connection.failure.unwrap_or(TlsFailure::StarttlsNotSupported), why.to_string()))
            }
            _ if connection.tls.is_some() => Ok(()),
            None if demand.tls != Outgoing::Off => {
                Err((TlsFailure::StarttlsNotSupported, "the host does not offer STARTTLS".to_owned()))
            }
            // It was over before there was to be TLS.
            _ => return,
        };
        self.parts.tell_tried(&self.promise, demand, (target, connection.local), outcome);
    }

    /// A session that exchanged greetings, however that ended.
    async fn greet(&mut self, target: &Target, wanted: &Outgoing, by: By) -> Option<Connection> {
        self.carried.remote = Some(label(target));
        let socket = match self.dial(target).await {
            Ok(socket) => socket,
            Err(why) => {
                self.tell_failed(target, &why);
                let text = format!("no connection to {}: {why}", target.address);
                self.note_failure(Reply::from_text(451, Some(EnhancedStatus::new(4, 4, 1)), &text), None);
                return None;
            }
        };
        let parts = self.parts;
        let protocol =
            if matches!(self.attempt.hop.target(), NextHop::Lmtp(_)) { Protocol::Lmtp } else { Protocol::Smtp };
        let hostname = Arc::clone(&self.config.hostname);
        let client = Client::new(protocol, hostname, self.config.delivery.timeouts, parts.clock.now().mono);
        let client = client.protecting(match wanted {
            Outgoing::Off => Protect::Never,
            Outgoing::Opportunistic => Protect::IfOffered,
            Outgoing::Required | Outgoing::Verify(_) => Protect::Always,
        });
        let at = parts.clock.now().mono;
        let made = Made { promise: Arc::clone(&self.promise), tls: wanted.clone(), by, at };
        let mut connection = Connection::new(socket, client, label(target), made, Arc::clone(&parts.clock));
        connection.run(None).await;
        if connection.client.state() == State::Securing {
            connection.secure(&*parts.tls, &target.host, self.config.delivery.timeouts.connect).await;
            connection.run(None).await;
        }
        Some(connection)
    }

    /// The session, if the host let us in.
    fn greeted(&mut self, target: &Target, demand: &Demand, connection: Connection) -> Option<Connection> {
        let ended = match connection.client.ended() {
            None => self.obstacle(&connection).map(|reply| (reply, None)),
            Some(Ended::Unprotected(reply)) => {
                Some((self.requirement.unprotected(demand.explained(reply.clone(), &target.host)), None))
            }
            Some(ended) => Some(said(ended, &connection.remote)),
        };
        match ended {
            None => Some(connection),
            Some((reply, said_by)) => {
                // The host is well: other messages may go there.
                if connection.client.ended().is_none() {
                    self.reached = true;
                    self.connections.say_goodbye(connection);
                }
                self.tell_failed(target, &reply.to_string());
                self.note_failure(reply, said_by);
                None
            }
        }
    }

    /// Why this message can't go by that connection.
    fn obstacle(&self, connection: &Connection) -> Option<Reply> {
        self.requirement.obstacle(&connection.made.tls, connection.client.capabilities())
    }

    async fn dial(&self, target: &Target) -> Result<Box<dyn Socket>, String> {
        let parts = self.parts;
        let source = self.attempt.hop.pool().map(|pool| self.source(pool, target.address)).transpose()?;
        let until = parts.clock.now().mono + self.config.delivery.timeouts.connect;
        match select(parts.net.connect(target.address, source), parts.clock.sleep_until(until)).await {
            Either::Left((Ok(socket), _)) => Ok(socket),
            Either::Left((Err(fault), _)) => Err(fault.to_string()),
            Either::Right(((), _)) => Err("timed out".to_owned()),
        }
    }

    /// The pool's next address of the target's family.
    fn source(&self, pool: &str, target: SocketAddr) -> Result<IpAddr, String> {
        let found = self.config.pools.iter().find(|known| *known.name == *pool);
        let Some(found) = found else { return Err(format!("the configuration has no pool \"{pool}\"")) };
        let fit: Vec<IpAddr> =
            found.addresses.iter().copied().filter(|source| source.is_ipv4() == target.is_ipv4()).collect();
        if fit.is_empty() {
            let family = if target.is_ipv4() { "IPv4" } else { "IPv6" };
            return Err(format!("the pool \"{pool}\" has no {family} address"));
        }
        Ok(fit[self.connections.turn(pool, target.is_ipv4()) % fit.len()])
    }

    fn tell_failed(&self, target: &Target, why: &str) {
        let event = Event::ConnectFailed { hop: &self.attempt.hop.to_string(), address: target.address, why };
        self.parts.observe.event(event);
    }

    /// Transactions over one connection until nobody is pending, the connection ends, or it has carried enough.
    async fn use_connection(&mut self, mut connection: Connection) {
        while !self.pending.is_empty() {
            if self.is_spent(&connection.client) {
                self.again();
                return self.connections.say_goodbye(connection);
            }
            let (chosen, finished) = self.transact(&mut connection).await;
            let closed = connection.client.state() == State::Closed;
            if closed && connection.reused && !finished.answered {
                // It was dead already, as idle connections often are; this was no attempt (RFC 5321 4.5.4.1 counts
                // failures of the host, and it has not failed).
                return self.again();
            }
            connection.reused = true;
            self.carried.remote = Some(Arc::clone(&connection.remote));
            self.carried.tls.clone_from(&connection.tls);
            self.carried.trouble = self.carried.trouble.max(finished.trouble);
            self.take(finished.outcomes, &connection.remote);
            self.pending.drain(..chosen);
            self.pending.extend(finished.open);
            match finished.full {
                // Nobody at all: the others would fare no better.
                Some(Full { taken: 0, reply }) => {
                    self.settle_pending(&reply, Some(&connection.remote), Scope::Recipient);
                }
                Some(Full { taken, .. }) => self.room = Some(taken),
                None => {}
            }
            if closed {
                self.reached = true;
                if let Some((reply, said_by)) = connection.client.ended().map(|ended| said(ended, &connection.remote)) {
                    self.note_failure(reply, said_by);
                }
                return;
            }
        }
        if self.is_spent(&connection.client) {
            self.connections.say_goodbye(connection);
        } else {
            self.connections.keep(&self.attempt.hop, connection, self.config.delivery.connection_idle);
        }
    }

    /// The same host once more, by a new connection.
    fn again(&mut self) {
        if let Some(target) = self.target.take() {
            self.way.again(target);
        }
    }

    /// One transaction for as many recipients as one may have; how many those were.
    async fn transact(&mut self, connection: &mut Connection) -> (usize, Finished) {
        let can = connection.client.capabilities();
        let most = self.config.delivery.recipients_per_transaction_max;
        // RFC 9422 4.2.
        let most = can.recipients_max.and_then(|max| usize::try_from(max).ok()).map_or(most, |max| most.min(max));
        let most = self.room.map_or(most, |room| most.min(room));
        let chosen = self.pending.len().min(most.max(1));
        let mut message = Message {
            entry: Arc::clone(&self.attempt.entry),
            reverse_path: self.reverse_path.clone(),
            recipients: self.pending[..chosen].to_vec(),
            rendered: self.rendered.clone(),
            stored_is_8bit: None,
        };
        if message.must_look(can) {
            look_for_8bit(&mut message).await;
        }
        connection.client.begin(message, self.parts.clock.now().mono);
        connection.run(Some(&self.rendered.body)).await;
        let finished = connection.client.take_finished();
        (chosen, finished.expect("a session that left `Working` has finished its transaction"))
    }

    /// It has carried as many messages as we or the host (RFC 9422 4.1) want over one connection.
    fn is_spent(&self, client: &Client) -> bool {
        let most = self.config.delivery.messages_per_connection_max;
        client.messages() >= client.capabilities().messages_max.map_or(most, |max| most.min(max))
    }

    /// Of several failures one that may pass is told: it is why the mail is tried again.
    fn note_failure(&mut self, reply: Reply, said_by: Option<Arc<str>>) {
        let passes = !reply.is_permanent();
        if passes || !self.may_pass {
            self.failure = Some((reply, said_by));
        }
        self.may_pass |= passes;
    }

    /// What came of a transaction with that host.
    fn take(&mut self, outcomes: Vec<(u32, Outcome)>, remote: &Arc<str>) {
        for (recipient, outcome) in &outcomes {
            let reply = match outcome {
                Outcome::Delivered { reply, .. } | Outcome::Deferred(reply) | Outcome::Failed(reply) => reply,
                Outcome::Postponed(_) | Outcome::Held(..) | Outcome::Discarded(..) => continue,
            };
            if !are_ours(reply) {
                self.carried.said_by.insert(*recipient, Arc::clone(remote));
            }
        }
        self.carried.outcomes.extend(outcomes);
    }

    fn settle_pending(&mut self, reply: &Reply, said_by: Option<&Arc<str>>, scope: Scope) {
        if let Some(remote) = said_by {
            self.carried.said_by.extend(self.pending.iter().map(|recipient| (*recipient, Arc::clone(remote))));
        }
        let passes = self.may_pass || !reply.is_permanent();
        let outcome = |reply: Reply| if passes { Outcome::Deferred(reply) } else { Outcome::Failed(reply) };
        let settled = self.pending.drain(..).map(|recipient| (recipient, outcome(reply.clone())));
        self.carried.outcomes.extend(settled);
        self.carried.trouble = self.carried.trouble.max(Some(scope));
    }
}

/// Why a session with that host ended, and whether the host says so.
fn said(ended: &Ended, remote: &Arc<str>) -> (Reply, Option<Arc<str>>) {
    match ended {
        Ended::Refused(reply) | Ended::Unprotected(reply) | Ended::Lost(reply) => {
            (reply.clone(), (!are_ours(reply)).then(|| Arc::clone(remote)))
        }
        Ended::Quit => (Reply::new(451, EnhancedStatus::new(4, 4, 2), "the host closed the connection"), None),
    }
}

/// `host[address]:port`, or the address with its port where there is no other name.
fn label(target: &Target) -> Arc<str> {
    let (ip, port) = (target.address.ip(), target.address.port());
    if ip.to_string() == *target.host {
        return target.address.to_string().into();
    }
    format!("{}[{ip}]:{port}", target.host).into()
}
