//! The addresses of a next hop, one after the other, looked up as late as possible.

use super::parts::Parts;
use crate::base::event::Event;
use crate::base::flow::attempt::{Endpoint, NextHop};
use crate::base::mail::domain::Domain;
use crate::base::smtp::reply::Reply;
use crate::base::smtp::status::EnhancedStatus;
use crate::base::world::dns::DnsFault;
use crate::config::model::Config;
use crate::path::deliver::mx::{self, Found, Group, Ourselves, Plan, Target};
use std::collections::VecDeque;
use std::net::SocketAddr;

/// A way to a next hop.
pub(super) struct Way<'a> {
    parts: &'a Parts,
    config: &'a Config,
    hop: &'a NextHop,
    targets: VecDeque<Target>,
    stage: Stage,
    /// Some address was found.
    found: bool,
}

enum Stage {
    /// Nothing was looked up yet.
    Start,
    /// Exchangers are left to look up.
    Planned(Plan),
    /// What is in `targets` is all.
    Known,
}

impl<'a> Way<'a> {
    pub(super) fn new(parts: &'a Parts, config: &'a Config, hop: &'a NextHop) -> Self {
        Self { parts, config, hop, targets: VecDeque::new(), stage: Stage::Start, found: false }
    }

    /// The next address to try; none when there are no more.
    ///
    /// # Errors
    /// Why there is none at all.
    pub(super) async fn next(&mut self) -> Result<Option<Target>, Reply> {
        loop {
            if let Some(target) = self.targets.pop_front() {
                self.found = true;
                return Ok(Some(target));
            }
            match std::mem::replace(&mut self.stage, Stage::Known) {
                Stage::Start => self.start().await?,
                Stage::Planned(plan) => self.admit(plan).await?,
                Stage::Known => return Ok(None),
            }
        }
    }

    /// Tries an address once more before all others.
    pub(super) fn again(&mut self, target: Target) {
        self.targets.push_front(target);
    }

    async fn start(&mut self) -> Result<(), Reply> {
        match self.hop.target() {
            NextHop::Mx(Domain::Literal(ip)) => {
                let address = SocketAddr::new(*ip, self.config.delivery.mx_port);
                let group = Group { hosts: vec![ip.to_string().into()] };
                let found = vec![(ip.to_string().into(), Ok(vec![address.ip()]))];
                let mut plan = Plan::new(vec![group]);
                plan.next_group();
                self.take(&mut plan, found)
            }
            NextHop::Mx(domain) => {
                let Some(name) = domain.dns_name() else { return Err(mx::NO_SUCH_DOMAIN) };
                let answer = self.parts.dns.mx(&name).await;
                if let Err(fault) = &answer {
                    self.tell_failed(&name, *fault);
                }
                let groups = mx::groups(&name, answer, &*self.parts.dice)?;
                self.stage = Stage::Planned(Plan::new(groups));
                Ok(())
            }
            NextHop::Smarthost(endpoint) | NextHop::Lmtp(endpoint) => self.endpoint(endpoint).await,
            // None of them is reached over a connection.
            NextHop::Maildir(_) | NextHop::Nowhere | NextHop::Feedback => Ok(()),
            NextHop::From(..) | NextHop::Unplaced | NextHop::Missing(_) => Ok(()),
        }
    }

    /// A configured host: where its name gives nothing, the configuration or DNS is at fault, not the mail, which waits.
    async fn endpoint(&mut self, endpoint: &Endpoint) -> Result<(), Reply> {
        match endpoint {
            Endpoint::Address(address) => {
                self.targets.push_back(Target { host: address.ip().to_string().into(), address: *address });
            }
            Endpoint::Host(host, port) => {
                let found = self.parts.dns.addresses(host).await.map_err(|fault| {
                    self.tell_failed(host, fault);
                    let text = format!("the next hop {host} could not be looked up: {fault}");
                    Reply::from_text(451, Some(EnhancedStatus::new(4, 4, 3)), &text)
                })?;
                let target = |ip| Target { host: host.clone(), address: SocketAddr::new(ip, *port) };
                self.targets.extend(found.into_iter().take(mx::ADDRESSES_PER_ATTEMPT_MAX).map(target));
            }
        }
        Ok(())
    }

    /// Looks up the next group of exchangers, all of its hosts at once.
    async fn admit(&mut self, mut plan: Plan) -> Result<(), Reply> {
        let Some(group) = plan.next_group() else {
            return if self.found { Ok(()) } else { Err(plan.without_address()) };
        };
        let dns = &self.parts.dns;
        let answers = futures_util::future::join_all(group.hosts.iter().map(|host| dns.addresses(host))).await;
        for (host, answer) in group.hosts.iter().zip(&answers) {
            if let Err(fault) = answer {
                self.tell_failed(host, *fault);
            }
        }
        let found = group.hosts.into_iter().zip(answers).collect();
        self.take(&mut plan, found)?;
        self.stage = Stage::Planned(plan);
        Ok(())
    }

    fn take(&mut self, plan: &mut Plan, found: Vec<Found>) -> Result<(), Reply> {
        let listening: Vec<SocketAddr> = self.config.listeners.iter().map(|listener| listener.bind).collect();
        let net = &self.parts.net;
        let ourselves = Ourselves {
            hostname: &self.config.hostname,
            port: self.config.delivery.mx_port,
            listening: &listening,
            is_local: &|ip| net.is_local(ip),
        };
        match plan.admit(found, ourselves, &*self.parts.dice) {
            Ok(targets) => {
                self.targets.extend(targets);
                Ok(())
            }
            Err(looped) => {
                if let Some(address) = looped.address {
                    self.parts.observe.event(Event::LoopFound { hop: &self.hop.to_string(), address });
                }
                Err(mx::LOOP)
            }
        }
    }

    /// A missing MX record is the usual thing, and no event.
    fn tell_failed(&self, name: &str, fault: DnsFault) {
        if fault != DnsFault::NoRecord {
            let event = Event::LookupFailed { hop: &self.hop.to_string(), name, why: &fault.to_string() };
            self.parts.observe.event(event);
        }
    }
}
