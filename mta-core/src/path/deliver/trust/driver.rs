//! Finds out what a domain promises: asks for its MTA-STS record, fetches its policy, keeps what it has over restarts
//! (RFC 8461 3); asks the zones of its hosts (RFC 7672 2).

use super::dane;
use super::demand::{By, Demand, Promise, Refused, Zone};
use super::policies::{Announced, Kept, Policies, Step};
use super::sts::{self, Mode, POLICY_BYTES_MAX, Policy};
use crate::base::event::Event;
use crate::base::flow::Answer;
use crate::base::flow::attempt::NextHop;
use crate::base::flow::tls_result::{PolicyFound, TlsFailure, TlsResult, TlsResults};
use crate::base::mail::domain::Domain;
use crate::base::time::UnixMillis;
use crate::base::world::dns::{Dns, DnsFault, Exchangers, Located, Mx, RecordData, RecordKind, SignedDns, SignedFault};
use crate::base::world::http::{HttpClient, HttpFault, HttpHost, HttpRequest, Origin};
use crate::base::world::store::{Journal, Record, StoreFault};
use crate::base::world::tls::Trust;
use crate::base::world::{Clock, Observe};
use crate::config::model::{Config, DaneMode};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{Either, Shared, select};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// How long fetching a policy may take (RFC 8461 3.3 suggests a minute).
const FETCH: Duration = Duration::from_secs(60);

/// How long a record is waited for. Whoever can keep it from us could as well say that there is none.
const RECORD: Duration = Duration::from_secs(10);

/// How often policies are looked through for old ones.
const LOOK: Duration = Duration::from_secs(600);

/// Octets of kept policies that are read at once.
const REPLAY_BYTES: usize = 1024 * 1024;

/// Policies that are written behind each other before those that were replaced are given back.
const KEPT_RECORDS_MAX: usize = 20_000;

/// The kind of record that a kept policy is.
const KIND: u8 = 1;

/// What is asked of the world.
#[derive(Clone)]
pub struct Doors {
    /// The configuration in force.
    pub config: watch::Receiver<Arc<Config>>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Names.
    pub dns: Arc<dyn Dns>,
    /// Names, and whether their zones vouch for them.
    pub signed: Arc<dyn SignedDns>,
    /// Where policies are fetched; it follows no redirect (RFC 8461 3.3).
    pub http: Arc<dyn HttpClient>,
    /// Where policies are kept; none: in memory alone.
    pub journal: Option<Arc<dyn Journal>>,
    /// Who tells domains how their policies fare.
    pub results: Arc<dyn TlsResults>,
    /// Events.
    pub observe: Arc<dyn Observe>,
}

/// What domains promise.
pub struct Promises {
    shared: Arc<Inner>,
    /// Policies on their way: whoever wants one that is being fetched waits for that.
    fetching: Mutex<HashMap<Box<str>, Fetching>>,
}

type Fetching = Shared<Answer<'static, Option<Arc<Policy>>>>;

struct Inner {
    doors: Doors,
    policies: Mutex<Policies>,
    /// Records in the journal.
    written: AtomicUsize,
}

impl Promises {
    /// Of domains of which nothing is known yet.
    #[must_use]
    pub fn new(doors: Doors) -> Self {
        let shared = Inner { doors, policies: Mutex::default(), written: AtomicUsize::new(0) };
        Self { shared: Arc::new(shared), fetching: Mutex::default() }
    }

    /// Takes up what was kept.
    ///
    /// # Errors
    /// The journal can't be read.
    pub async fn recall(&self) -> Result<(), StoreFault> {
        let Some(journal) = &self.shared.doors.journal else { return Ok(()) };
        let mut at = journal.extent().0;
        let mut kept: HashMap<Box<str>, Kept> = HashMap::new();
        loop {
            let found = journal.replay(at, REPLAY_BYTES).await?;
            let Some(last) = found.last() else { break };
            at = last.end;
            self.shared.written.fetch_add(found.len(), Ordering::Relaxed);
            // One that can't be read is fetched again when mail goes there.
            let read = found.into_iter().filter_map(|found| serde_json::from_slice::<Kept>(&found.record.ok()?.1).ok());
            kept.extend(read.map(|policy| (policy.domain().into(), policy)));
        }
        let (now, count) = (self.shared.now(), kept.len());
        self.shared.policies().recall(kept.into_values().collect(), now);
        if self.shared.written.load(Ordering::Relaxed) > 2 * count {
            self.shared.compact().await;
        }
        Ok(())
    }

    /// What is promised for this next hop. Policies are the exchangers' alone: where the operator names a host, the
    /// operator's word counts.
    pub async fn of(&self, hop: &NextHop, config: &Config) -> Promise {
        let configured = config.tls_to(hop).clone();
        let NextHop::Mx(domain @ Domain::Name(_)) = hop.target() else { return Promise::configured(configured) };
        let dane = match config.delivery.dane {
            DaneMode::Off => false,
            DaneMode::Auto => self.shared.doors.signed.is_able().await,
            DaneMode::On => true,
        };
        let sts = if config.delivery.mta_sts { self.policy(domain).await } else { None };
        Promise { domain: Some(domain.clone()), configured, sts, dane }
    }

    /// The exchangers of a domain, and whether its zone vouches for them.
    pub async fn exchangers(&self, promise: &Promise, name: &str) -> (Result<Vec<Mx>, SignedFault>, bool) {
        let doors = &self.shared.doors;
        if !promise.dane {
            return (doors.dns.mx(name).await.map_err(SignedFault::Dns), false);
        }
        match doors.signed.exchangers(name).await {
            Ok(Exchangers { records, signed }) => (Ok(records), signed),
            Err(fault) => {
                // RFC 7672 2.2.1: the domain is its own exchanger, and its addresses are of the same zone.
                let is_own = fault == SignedFault::Dns(DnsFault::NoRecord);
                (Err(fault), is_own)
            }
        }
    }

    /// The addresses of an exchanger, which its zone may or may not vouch for, and what it is held to.
    pub async fn host(
        &self,
        promise: &Promise,
        vouched: bool,
        host: &str,
    ) -> (Result<Vec<IpAddr>, DnsFault>, Result<Demand, Refused>) {
        let doors = &self.shared.doors;
        if !vouched {
            return (doors.dns.addresses(host).await, promise.of(host, None));
        }
        match doors.signed.host(host).await {
            Ok(Located { addresses, bases }) => {
                let zone = self.zone(promise, host, &bases).await;
                (Ok(addresses), zone.and_then(|zone| promise.of(host, zone)))
            }
            Err(SignedFault::Dns(fault)) => (Err(fault), promise.of(host, None)),
            Err(SignedFault::Bogus) => {
                (Err(DnsFault::Failed), Err(unknown(TlsFailure::DnssecInvalid, SignedFault::Bogus.to_string())))
            }
        }
    }

    /// What the host's zone says of its certificates, where it is signed (RFC 7672 2.2).
    async fn zone(&self, promise: &Promise, host: &str, bases: &[Box<str>]) -> Result<Option<Zone>, Refused> {
        let port = self.shared.doors.config.borrow().delivery.mx_port;
        for base in bases {
            match self.shared.doors.signed.tlsa(base, port).await {
                Ok(records) => {
                    // RFC 7672 3.2.3.
                    let mut names = vec![base.clone(), host.into()];
                    names.extend(promise.domain.as_ref().and_then(|domain| Some(domain.dns_name()?.into())));
                    let shown = records.iter().map(|record| record.to_string().into()).collect();
                    return Ok(Some(Zone { asked: dane::asked(&records), names, records: shown }));
                }
                Err(SignedFault::Dns(DnsFault::NoRecord | DnsFault::NoSuchDomain)) => {}
                // RFC 7672 2.1.2: whoever keeps them from us would have us go on without.
                Err(SignedFault::Dns(DnsFault::Failed)) => {
                    let why = "the name servers do not say what its certificate is (TLSA)".to_owned();
                    return Err(unknown(TlsFailure::TlsaInvalid, why));
                }
                Err(SignedFault::Bogus) => {
                    let why = format!("what its certificate is (TLSA) is not known: {}", SignedFault::Bogus);
                    return Err(unknown(TlsFailure::DnssecInvalid, why));
                }
            }
        }
        Ok(None)
    }

    async fn policy(&self, domain: &Domain) -> Option<Arc<Policy>> {
        let name = domain.dns_name()?;
        let announced = self.shared.record(&name).await;
        let now = self.shared.now();
        let step = self.shared.policies().announced(&name, &announced, now);
        match (step, announced) {
            (Step::Hold(policy), _) => policy,
            (Step::Fetch, Announced::Id(id)) => self.fetch(domain, &name, id).await,
            (Step::Fetch, Announced::Nothing) => None,
        }
    }

    /// Fetches it, or waits for who fetches it already.
    async fn fetch(&self, domain: &Domain, name: &str, id: Box<str>) -> Option<Arc<Policy>> {
        let fetching = {
            let mut all = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
            let begin = || {
                let (shared, domain) = (Arc::clone(&self.shared), domain.clone());
                let fetching: Answer<'static, _> = Box::pin(async move { shared.fetch(&domain, &id).await });
                fetching.shared()
            };
            all.entry(name.into()).or_insert_with(begin).clone()
        };
        let fetched = fetching.clone().await;
        let mut all = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
        if all.get(name).is_some_and(|present| present.ptr_eq(&fetching)) {
            all.remove(name);
        }
        fetched
    }

    /// Fetches policies anew before they end; runs until it is dropped.
    pub async fn refresh(&self) {
        let clock = &self.shared.doors.clock;
        loop {
            clock.sleep_until(clock.now().mono + LOOK).await;
            let now = self.shared.now();
            let due = self.shared.policies().due(now);
            for (name, id) in due {
                // What is kept are names that were domains.
                if let Ok(domain) = Domain::parse(&name) {
                    self.fetch(&domain, &name, id).await;
                }
            }
            if self.shared.written.load(Ordering::Relaxed) > KEPT_RECORDS_MAX {
                self.shared.compact().await;
            }
        }
    }
}

/// A host of which its zone may say something that we don't get to know.
fn unknown(failure: TlsFailure, why: String) -> Refused {
    Refused { by: By::Dane, failure, found: PolicyFound::Tlsa { records: Arc::new([]) }, why }
}

impl Inner {
    fn now(&self) -> UnixMillis {
        self.doors.clock.now().wall
    }

    fn policies(&self) -> MutexGuard<'_, Policies> {
        // No change panics half-way.
        self.policies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// RFC 8461 3.1.
    async fn record(&self, name: &str) -> Announced {
        let name = format!("_mta-sts.{name}");
        let until = self.doors.clock.now().mono + RECORD;
        let asked = self.doors.dns.records(&name, RecordKind::Txt);
        let found = match select(asked, self.doors.clock.sleep_until(until)).await {
            Either::Left((Ok(found), _)) => found,
            Either::Left((Err(_), _)) | Either::Right(_) => return Announced::Nothing,
        };
        let text = |record| match record {
            RecordData::Txt(text) => Some(text),
            _ => None,
        };
        let texts: Vec<Vec<u8>> = found.into_iter().filter_map(text).collect();
        sts::announced(&texts).map_or(Announced::Nothing, Announced::Id)
    }

    async fn fetch(&self, domain: &Domain, id: &str) -> Option<Arc<Policy>> {
        let name = domain.dns_name()?;
        let until = self.doors.clock.now().mono + FETCH;
        let fetched = match select(Box::pin(self.get(&name)), self.doors.clock.sleep_until(until)).await {
            Either::Left((fetched, _)) => fetched,
            Either::Right(((), _)) => Err((TlsFailure::StsPolicyFetchError, "it took more than a minute".to_owned())),
        };
        let fetched = fetched.map_err(|(failure, why)| self.tell_failed(domain, failure, &why)).ok();
        let (policy, is_new) = self.policies().fetched(&name, id, fetched.clone(), self.now());
        if let Some(policy) = &fetched {
            if is_new {
                let domain = domain.to_string();
                self.doors.observe.event(Event::StsPolicy { domain: &domain, mode: policy.mode.name(), id });
            }
            self.keep(&Kept::new(&name, id, policy, self.now())).await;
        }
        policy
    }

    /// RFC 8461 3.3: by HTTPS, from a host whose name is made of the domain's.
    async fn get(&self, name: &str) -> Result<Policy, (TlsFailure, String)> {
        let failed = |why: String| (TlsFailure::StsPolicyFetchError, why);
        let host = format!("mta-sts.{name}");
        let found = self.doors.dns.addresses(&host).await.map_err(|fault| failed(format!("{host}: {fault}")))?;
        let port = self.doors.config.borrow().delivery.mta_sts_port;
        let request = HttpRequest {
            origin: Origin { secure: true, host: HttpHost::Name(host.into()), port },
            addresses: found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect(),
            method: "GET".into(),
            target: "/.well-known/mta-sts.txt".to_owned(),
            fields: Vec::new(),
            body: Bytes::new(),
            answer_bytes_max: POLICY_BYTES_MAX,
            trust: Trust::System,
        };
        let answer = self.doors.http.fetch(request).await.map_err(|fault| match fault {
            HttpFault::Untrusted(why) => (TlsFailure::StsWebpkiInvalid, why),
            fault => failed(fault.to_string()),
        })?;
        if answer.status != 200 {
            return Err(failed(format!("its server answered {}", answer.status)));
        }
        let invalid = |why: &str| (TlsFailure::StsPolicyInvalid, why.to_owned());
        let is_type = |(name, _): &&(String, String)| name == "content-type";
        let kind = answer.fields.iter().find(is_type).map_or("", |(_, value)| value);
        let kind = kind.split(';').next().unwrap_or_default().trim();
        // Users may put files of other types on a server of their domain; it shall not be theirs to say.
        if !kind.eq_ignore_ascii_case("text/plain") {
            return Err(invalid("it is not served as text/plain"));
        }
        sts::policy(&answer.body).map_err(invalid)
    }

    fn tell_failed(&self, domain: &Domain, failure: TlsFailure, why: &str) {
        let (name, policy) = (domain.to_string(), By::Sts(Mode::Enforce).name());
        let words = format!("the policy could not be fetched: {why}");
        self.doors.observe.event(Event::TlsPolicyFailed { domain: &name, policy, host: None, why: &words });
        let nothing = PolicyFound::Sts { lines: Arc::new([]), hosts: Arc::new([]) };
        let outcome = Err((failure, why.into()));
        self.doors.results.tell(TlsResult {
            domain: domain.clone(),
            policy: nothing,
            mx: None,
            remote: None,
            local: None,
            outcome,
        });
    }

    /// A disk that fails costs the memory of a restart, and no mail.
    async fn keep(&self, kept: &Kept) {
        if let Some(record) = record(kept)
            && let Some(journal) = &self.doors.journal
            && journal.append(vec![record]).await.is_ok()
        {
            self.written.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Writes what lasts once more, and gives back what lies before it.
    async fn compact(&self) {
        let Some(journal) = &self.doors.journal else { return };
        let lasting: Vec<Record> = self.policies().kept(self.now()).iter().filter_map(record).collect();
        let count = lasting.len();
        let end = journal.extent().1;
        let first = match journal.append(lasting).await {
            Ok(positions) => positions.first().copied().unwrap_or(end),
            Err(_) => return,
        };
        self.written.store(count, Ordering::Relaxed);
        // What can't be given back now is given back with the next.
        let _ = journal.trim(first).await;
    }
}

fn record(kept: &Kept) -> Option<Record> {
    let octets = serde_json::to_vec(kept).ok()?;
    Some(Record { kind: KIND, pieces: vec![octets.into()] })
}
