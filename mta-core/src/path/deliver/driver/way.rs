//! The addresses of a next hop, one after the other, looked up as late as possible, and what each host is held to.

use super::parts::Parts;
use crate::base::event::Event;
use crate::base::flow::attempt::{Endpoint, NextHop};
use crate::base::flow::tls_result::{PolicyFound, TlsFailure};
use crate::base::mail::domain::Domain;
use crate::base::smtp::reply::Reply;
use crate::base::smtp::status::EnhancedStatus;
use crate::base::world::dns::{DnsFault, Exchangers, Located, Mx, SignedFault};
use crate::config::model::Config;
use crate::path::deliver::mx::{self, Found, Group, Ourselves, Plan, Target};
use crate::path::deliver::trust::dane;
use crate::path::deliver::trust::demand::{By, Demand, Promise, Refused, Zone};
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
    /// Of hosts that get no mail.
    refusals: Vec<Reply>,
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
    pub(super) fn take_refusals(&mut self) -> Vec<Reply> {
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
        if !self.promise.dane {
            return Ok(self.parts.dns.mx(name).await);
        }
        match self.parts.signed.exchangers(name).await {
            Ok(Exchangers { records, signed }) => {
                self.signed = signed;
                Ok(Ok(records))
            }
            Err(SignedFault::Dns(fault)) => {
                // RFC 7672 2.2.1: the domain is its own exchanger, and its addresses are of the same zone.
                self.signed = fault == DnsFault::NoRecord;
                Ok(Err(fault))
            }
            Err(SignedFault::Bogus) => {
                let event =
                    Event::LookupFailed { hop: &self.hop.to_string(), name, why: &SignedFault::Bogus.to_string() };
                self.parts.observe.event(event);
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
            return if is_told { Ok(()) } else { Err(plan.without_address()) };
        };
        let located = join_all(group.hosts.iter().map(|host| self.locate(host))).await;
        let zones = group.hosts.iter().zip(&located).map(|(host, located)| self.zone(host, located.as_ref()));
        let zones = join_all(zones).await;
        let mut found = Vec::with_capacity(zones.len());
        for ((host, located), zone) in group.hosts.into_iter().zip(located).zip(zones) {
            let addresses = match (zone.and_then(|zone| self.promise.of(&host, zone)), located) {
                (Ok(demand), Ok(located)) => {
                    self.demands.insert(host.clone(), Arc::new(demand));
                    Ok(located.addresses)
                }
                (Err(refused), _) => {
                    self.parts.tell_refused(&self.promise, &host, &refused);
                    self.refusals.push(refused.reply(&host));
                    // It stays in the list by its name, which may be ours.
                    Ok(Vec::new())
                }
                (Ok(_), Err(SignedFault::Dns(fault))) => {
                    self.tell_failed(&host, fault);
                    Err(fault)
                }
                (Ok(_), Err(SignedFault::Bogus)) => Err(DnsFault::Failed),
            };
            found.push((host, addresses));
        }
        self.take(&mut plan, found)?;
        self.stage = Stage::Planned(plan);
        Ok(())
    }

    async fn locate(&self, host: &str) -> Result<Located, SignedFault> {
        if self.promise.dane && self.signed {
            return self.parts.signed.host(host).await;
        }
        let addresses = self.parts.dns.addresses(host).await?;
        Ok(Located { addresses, bases: Vec::new() })
    }

    /// What the host's zone says of its certificates, where it is signed (RFC 7672 2.2).
    async fn zone(&self, host: &str, located: Result<&Located, &SignedFault>) -> Result<Option<Zone>, Refused> {
        let refused = |failure, why| {
            let found = PolicyFound::Tlsa { records: Arc::new([]) };
            Err(Refused { by: By::Dane, failure, found, why })
        };
        let bases = match located {
            Ok(located) => &located.bases,
            Err(SignedFault::Bogus) => return refused(TlsFailure::DnssecInvalid, SignedFault::Bogus.to_string()),
            Err(SignedFault::Dns(_)) => return Ok(None),
        };
        for base in bases {
            match self.parts.signed.tlsa(base, self.config.delivery.mx_port).await {
                Ok(records) => {
                    // RFC 7672 3.2.3.
                    let mut names = vec![base.clone(), host.into()];
                    names.extend(self.promise.domain.as_ref().and_then(|domain| Some(domain.dns_name()?.into())));
                    let shown = records.iter().map(|record| record.to_string().into()).collect();
                    return Ok(Some(Zone { asked: dane::asked(&records), names, records: shown }));
                }
                Err(SignedFault::Dns(DnsFault::NoRecord | DnsFault::NoSuchDomain)) => {}
                // RFC 7672 2.1.2: whoever keeps them from us would have us go on without.
                Err(SignedFault::Dns(DnsFault::Failed)) => {
                    let why = "the name servers do not say what its certificate is (TLSA)".to_owned();
                    return refused(TlsFailure::TlsaInvalid, why);
                }
                Err(SignedFault::Bogus) => {
                    let why = format!("what its certificate is (TLSA) is not known: {}", SignedFault::Bogus);
                    return refused(TlsFailure::DnssecInvalid, why);
                }
            }
        }
        Ok(None)
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
