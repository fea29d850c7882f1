//! The addresses of a next hop, one after the other, looked up as late as possible, and what each host is held to.

use super::parts::Parts;
use crate::base::event::Event;
use crate::base::flow::attempt::{Endpoint, NextHop};
use crate::base::mail::domain::Domain;
use crate::base::smtp::reply::Reply;
use crate::base::smtp::status::EnhancedStatus;
use crate::base::world::dns::{DnsFault, Mx, SignedFault};
use crate::config::model::Config;
use crate::path::deliver::mx::{self, Found, Group, Ourselves, Plan, Target};
use crate::path::deliver::trust::demand::{By, Demand, Promise};
use futures_util::future::join_all;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

/// RFC 7672 2.1.1: an answer that may be forged leads nowhere (RFC 3463 3.8, X.7.5).
const BOGUS: Reply = Reply::new(
    451,
    EnhancedStatus::new(4, 7, 5),
    "DANE: the signatures of the recipient's domain do not hold (DNSSEC), so its mail exchangers are not known",
);

/// A way to a next hop.
pub(super) struct Way<'a> {
    parts: &'a Parts,
    config: &'a Config,
    hop: &'a NextHop,
    promise: Arc<Promise>,
    /// The domain itself says who its exchangers are.
    signed: bool,
    /// What hosts are held to.
    demands: HashMap<Box<str>, Arc<Demand>>,
    /// Of hosts that get no mail, and whose word it is.
    refusals: Vec<(By, Reply)>,
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
    pub(super) fn new(parts: &'a Parts, config: &'a Config, hop: &'a NextHop, promise: Arc<Promise>) -> Self {
        let (targets, demands, refusals) = (VecDeque::new(), HashMap::new(), Vec::new());
        let (signed, stage, found) = (false, Stage::Start, false);
        Self { parts, config, hop, promise, signed, demands, refusals, targets, stage, found }
    }

    /// What connections to this host are held to.
    pub(super) fn demand(&self, host: &str) -> Arc<Demand> {
        let known = self.demands.get(host).cloned();
        known.unwrap_or_else(|| Arc::new(Demand::configured(self.promise.configured.clone())))
    }

    /// What is to be said of hosts that were passed over since this was last asked.
    pub(super) fn take_refusals(&mut self) -> Vec<(By, Reply)> {
        std::mem::take(&mut self.refusals)
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
                let answer = self.exchangers(&name).await?;
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

    async fn exchangers(&mut self, name: &str) -> Result<Result<Vec<Mx>, DnsFault>, Reply> {
        let (found, signed) = self.parts.promises.exchangers(&self.promise, name).await;
        self.signed = signed;
        match found {
            Ok(records) => Ok(Ok(records)),
            Err(SignedFault::Dns(fault)) => Ok(Err(fault)),
            Err(SignedFault::Bogus) => {
                let why = SignedFault::Bogus.to_string();
                self.parts.observe.event(Event::LookupFailed { hop: &self.hop.to_string(), name, why: &why });
                Err(BOGUS)
            }
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
            let is_told = self.found || !self.refusals.is_empty();
            return if is_told { Ok(()) } else { Err(mx::NO_ADDRESS) };
        };
        let hosts = group.hosts.iter().map(|host| self.parts.promises.host(&self.promise, self.signed, host));
        let answers = join_all(hosts).await;
        let mut found = Vec::with_capacity(answers.len());
        for (host, (addresses, demand)) in group.hosts.into_iter().zip(answers) {
            let addresses = match (demand, addresses) {
                (Ok(demand), addresses) => {
                    self.demands.insert(host.clone(), Arc::new(demand));
                    // It may take the mail tomorrow, whatever the others say today (RFC 5321 4.5.4.1).
                    if addresses == Err(DnsFault::Failed) {
                        self.refusals.push((By::Operator, mx::LOOKUP_FAILED));
                    }
                    addresses.inspect_err(|fault| self.tell_failed(&host, *fault))
                }
                (Err(refused), _) => {
                    self.parts.tell_refused(&self.promise, &host, &refused);
                    self.refusals.push((refused.by, refused.reply(&host)));
                    // It stays in the list by its name, which may be ours.
                    Ok(Vec::new())
                }
            };
            found.push((host, addresses));
        }
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
