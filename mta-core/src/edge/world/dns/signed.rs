//! DNS whose answers are proved (RFC 4033 5): hickory's validation, from the root's keys or those of a file down.
//!
//! It has a resolver and a cache of its own: what everybody else asks must not depend on whether zones are signed well.

use super::{host_name, options};
use crate::base::event::Event;
use crate::base::flow::Answer;
use crate::base::world::Observe;
use crate::base::world::dns::{DnsFault, Exchangers, Located, Mx, SignedDns, SignedFault, Tlsa};
use hickory_resolver::TokioResolver;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::dnssec::{Proof, TrustAnchors};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// How long name servers that pass no signatures on are left alone.
const ASK_AGAIN: Duration = Duration::from_secs(300);

/// The same of such as said nothing at all: as soon as they speak again, it is known what of.
const ASK_AGAIN_SILENT: Duration = Duration::from_secs(10);

/// How long one look-up may take with all that it takes to prove it: keys of each zone from the root down.
const LOOKUP: Duration = Duration::from_secs(60);

/// How long a proved absence is believed. hickory keeps none, and each costs a dozen questions.
const ABSENCE: Duration = Duration::from_secs(60);

/// Absences kept.
const ABSENCES_MAX: usize = 4096;

/// Asks the configured name servers, and believes what is signed.
pub struct ValidatingDns {
    resolver: TokioResolver,
    observe: Arc<dyn Observe>,
    able: Mutex<Able>,
    absences: std::sync::Mutex<Absences>,
}

/// What is known not to be there, and until when that is believed.
#[derive(Default)]
struct Absences(HashMap<(Name, RecordType), (DnsFault, Instant)>);

impl Absences {
    fn find(&self, name: &Name, kind: RecordType, now: Instant) -> Option<DnsFault> {
        let (fault, until) = self.0.get(&(name.clone(), kind))?;
        (now < *until).then_some(*fault)
    }

    fn keep(&mut self, name: Name, kind: RecordType, fault: DnsFault, now: Instant) {
        if self.0.len() >= ABSENCES_MAX {
            self.0.retain(|_, (_, until)| now < *until);
        }
        if self.0.len() < ABSENCES_MAX {
            self.0.insert((name, kind), (fault, now + ABSENCE));
        }
    }
}

/// Whether signatures come through.
enum Able {
    /// They do, and are asked for from here on, whatever happens: to take them away must not make us believe less.
    Yes,
    /// They did not; then it is asked again.
    NotBefore(Instant),
    Unknown,
}

/// Keys to believe, as name servers and their tools write them: a DNSKEY record a line, with a TTL and a class or without.
fn read(path: &Path) -> Result<TrustAnchors, String> {
    let told = |why: String| format!("delivery.dns_trust_anchor: {}: {why}", path.display());
    let text = std::fs::read_to_string(path).map_err(|fault| told(fault.to_string()))?;
    let records = anchors(&text);
    if records.is_empty() {
        return Err(told("expected DNSKEY records, as \". 3600 IN DNSKEY 257 3 13 mdsswUyr3DPW…\"".to_owned()));
    }
    records.parse().map_err(|fault| told(format!("{fault}")))
}

/// As hickory reads them. Tools differ in what they leave out.
fn anchors(text: &str) -> String {
    let record = |line: &str| {
        let words: Vec<&str> = line.split(';').next()?.split_whitespace().collect();
        let kind = words.iter().position(|word| word.eq_ignore_ascii_case("DNSKEY")).filter(|kind| *kind > 0)?;
        Some(format!("{} 3600 IN {}\n", words[0], words[kind..].join(" ")))
    };
    text.lines().filter_map(record).collect()
}

/// Records of which nothing is known to be forged.
struct Proved {
    records: Vec<Record>,
    signed: bool,
}

impl ValidatingDns {
    /// Asks `servers`, or those of the system, as [`HickoryDns`](super::HickoryDns) does. Of `anchors`, a file of DNSKEY
    /// records, it believes each key; without it, the root's. Must be called within the runtime.
    ///
    /// # Errors
    /// In words, when the file can't be used or hickory can't be set up.
    pub fn new(servers: &[SocketAddr], anchors: Option<&Path>, observe: Arc<dyn Observe>) -> Result<Self, String> {
        let (config, mut options) = options(servers);
        options.validate = true;
        options.preserve_intermediates = true;
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = options;
        if let Some(path) = anchors {
            builder = builder.with_trust_anchor(Arc::new(read(path)?));
        }
        let resolver = builder.build().map_err(|fault| fault.to_string())?;
        Ok(Self { resolver, observe, able: Mutex::new(Able::Unknown), absences: std::sync::Mutex::default() })
    }

    /// The records of one type, with the aliases on the way.
    async fn ask(&self, name: &str, kind: RecordType) -> Result<Proved, SignedFault> {
        let mut name = Name::from_ascii(name).map_err(|_| DnsFault::NoSuchDomain)?;
        name.set_fqdn(true);
        if let Some(fault) = self.absences().find(&name, kind, Instant::now()) {
            return Err(fault.into());
        }
        let found = tokio::time::timeout(LOOKUP, self.resolver.lookup(name.clone(), kind)).await;
        let found = match found.map_err(|_| DnsFault::Failed)? {
            Ok(found) => found,
            Err(fault) => {
                let fault = meaning(&fault);
                if let SignedFault::Dns(absence @ (DnsFault::NoRecord | DnsFault::NoSuchDomain)) = fault {
                    self.absences().keep(name, kind, absence, Instant::now());
                }
                return Err(fault);
            }
        };
        let counts = |record: &&Record| [kind, RecordType::CNAME].contains(&record.record_type());
        let records: Vec<Record> = found.answers().iter().filter(counts).cloned().collect();
        if records.iter().any(|record| record.proof == Proof::Bogus) {
            return Err(SignedFault::Bogus);
        }
        // RFC 7672 2.1.1: what can't be told is as good as unsigned.
        let signed = records.iter().all(|record| record.proof == Proof::Secure);
        Ok(Proved { records, signed })
    }

    fn absences(&self) -> MutexGuard<'_, Absences> {
        // No change panics half-way.
        self.absences.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for the root's own keys; how long it is not asked again, where they don't come.
    async fn probe(&self) -> Result<(), Duration> {
        let (why, rest) = match self.resolver.lookup(Name::root(), RecordType::DNSKEY).await {
            Ok(found) if found.answers().iter().any(|record| record.proof == Proof::Secure) => return Ok(()),
            Ok(_) => ("no signatures".to_owned(), ASK_AGAIN),
            Err(NetError::Dns(fault)) => (fault.to_string(), ASK_AGAIN),
            Err(fault) => (fault.to_string(), ASK_AGAIN_SILENT),
        };
        self.observe.event(Event::DnssecUnavailable { why: &format!("the keys of the root zone: {why}") });
        Err(rest)
    }
}

fn meaning(fault: &NetError) -> SignedFault {
    match fault {
        NetError::Dns(DnsError::DnssecBogus) => SignedFault::Bogus,
        // An absence in a part of the tree that is known to be unsigned.
        NetError::Dns(DnsError::Nsec { response, proof: Proof::Insecure, .. }) => {
            super::absence(response.response_code).into()
        }
        NetError::Dns(DnsError::Nsec { .. }) => SignedFault::Bogus,
        fault => super::meaning(fault).into(),
    }
}

/// Where the aliases in an answer lead from this name.
fn end_of(name: &str, records: &[Record]) -> Box<str> {
    let mut end: Box<str> = name.to_ascii_lowercase().into();
    // As often as there are records: a circle ends too.
    for _ in records {
        let alias = records.iter().find_map(|record| match &record.data {
            RData::CNAME(target) if host_name(&record.name) == end => Some(host_name(&target.0)),
            _ => None,
        });
        match alias {
            Some(target) => end = target,
            None => break,
        }
    }
    end
}

/// The names at which TLSA records of a host with these addresses may lie (RFC 7672 2.2.2).
fn bases(host: &str, proved: &Proved) -> Vec<Box<str>> {
    let own: Box<str> = host.to_ascii_lowercase().into();
    let end = end_of(host, &proved.records);
    if end == own {
        return if proved.signed { vec![own] } else { Vec::new() };
    }
    let first = |record: &&Record| record.record_type() == RecordType::CNAME && host_name(&record.name) == own;
    match proved.records.iter().find(first) {
        _ if proved.signed => vec![end, own],
        // Only the way on is unsigned: the host's own zone still has a say.
        Some(alias) if alias.proof == Proof::Secure => vec![own],
        _ => Vec::new(),
    }
}

fn addresses(proved: &Proved) -> impl Iterator<Item = IpAddr> + '_ {
    proved.records.iter().filter_map(|record| match record.data {
        RData::A(a) => Some(IpAddr::V4(a.0)),
        RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
        _ => None,
    })
}

impl SignedDns for ValidatingDns {
    fn is_able(&self) -> Answer<'_, bool> {
        Box::pin(async {
            let mut able = self.able.lock().await;
            match *able {
                Able::Yes => return true,
                Able::NotBefore(when) if Instant::now() < when => return false,
                Able::NotBefore(_) | Able::Unknown => {}
            }
            let probed = self.probe().await;
            *able = match probed {
                Ok(()) => Able::Yes,
                Err(rest) => Able::NotBefore(Instant::now() + rest),
            };
            probed.is_ok()
        })
    }

    fn exchangers<'a>(&'a self, domain: &'a str) -> Answer<'a, Result<Exchangers, SignedFault>> {
        Box::pin(async move {
            let Proved { records, signed } = self.ask(domain, RecordType::MX).await?;
            let exchanger = |record: &Record| match &record.data {
                RData::MX(mx) => Some(Mx { preference: mx.preference, host: host_name(&mx.exchange) }),
                _ => None,
            };
            let records: Vec<Mx> = records.iter().filter_map(exchanger).collect();
            if records.is_empty() { Err(DnsFault::NoRecord.into()) } else { Ok(Exchangers { records, signed }) }
        })
    }

    fn host<'a>(&'a self, host: &'a str) -> Answer<'a, Result<Located, SignedFault>> {
        Box::pin(async move {
            let both = futures_util::future::join(self.ask(host, RecordType::AAAA), self.ask(host, RecordType::A));
            let (v6, v4) = both.await;
            let families = [&v6, &v4].into_iter().flatten();
            let has_some: Vec<&Proved> = families.filter(|proved| addresses(proved).next().is_some()).collect();
            let Some(first) = has_some.first() else {
                return Err(match (v6, v4) {
                    (Err(SignedFault::Bogus), _) | (_, Err(SignedFault::Bogus)) => SignedFault::Bogus,
                    // One family's absence says nothing while the other is unknown.
                    (Err(SignedFault::Dns(DnsFault::Failed)), _) | (_, Err(SignedFault::Dns(DnsFault::Failed))) => {
                        DnsFault::Failed.into()
                    }
                    (Err(fault), _) | (_, Err(fault)) => fault,
                    (Ok(_), Ok(_)) => DnsFault::NoRecord.into(),
                });
            };
            // Signed is what both families agree about.
            let mut bases = bases(host, first);
            for other in &has_some[1..] {
                let theirs = self::bases(host, other);
                bases.retain(|base| theirs.contains(base));
            }
            Ok(Located { addresses: has_some.iter().flat_map(|proved| addresses(proved)).collect(), bases })
        })
    }

    fn tlsa<'a>(&'a self, base: &'a str, port: u16) -> Answer<'a, Result<Vec<Tlsa>, SignedFault>> {
        Box::pin(async move {
            // RFC 6698 3.
            let Proved { records, signed } = self.ask(&format!("_{port}._tcp.{base}"), RecordType::TLSA).await?;
            let tlsa = |record: &Record| match &record.data {
                RData::TLSA(tlsa) => Some(Tlsa {
                    usage: tlsa.cert_usage.into(),
                    selector: tlsa.selector.into(),
                    matching: tlsa.matching.into(),
                    data: tlsa.cert_data.clone().into(),
                }),
                _ => None,
            };
            let found: Vec<Tlsa> = records.iter().filter_map(tlsa).collect();
            if signed && !found.is_empty() { Ok(found) } else { Err(DnsFault::NoRecord.into()) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_resolver::proto::rr::rdata::{A, CNAME};

    #[test]
    fn absences_are_believed_for_a_while_and_so_many_of_them() {
        let (mut absences, now) = (Absences::default(), Instant::now());
        absences.keep(name("a."), RecordType::A, DnsFault::NoRecord, now);
        assert_eq!(absences.find(&name("A."), RecordType::A, now), Some(DnsFault::NoRecord));
        assert_eq!(absences.find(&name("a."), RecordType::AAAA, now), None);
        assert_eq!(absences.find(&name("a."), RecordType::A, now + ABSENCE), None);
        for number in 0..ABSENCES_MAX {
            absences.keep(name(&format!("{number}.")), RecordType::A, DnsFault::NoRecord, now);
        }
        assert_eq!(absences.0.len(), ABSENCES_MAX);
        absences.keep(name("late."), RecordType::A, DnsFault::NoSuchDomain, now + ABSENCE);
        assert_eq!(absences.0.len(), 1, "those of before have ended");
    }

    #[test]
    fn keys_are_read_as_several_tools_write_them() {
        let key =
            "DNSKEY 257 3 13 GyhYdCfwEbIikIA12iT1XxAyTgSBQ6chwxQpwnYtJsvaFszaAhW/RnkFRZRcUcJDigzCLpwPG2ZTMlVqakz2Uw==";
        let text = format!("; unbound\n. {key}\n\n.\t172800\tIN\t{key} ;;state=2\ntest. IN {key}\n");
        assert_eq!(anchors(&text), format!(". 3600 IN {key}\n. 3600 IN {key}\ntest. 3600 IN {key}\n"));
        let dir = tempfile::tempdir().expect("a directory");
        let read = |text: &str| {
            let path = dir.path().join("anchor");
            std::fs::write(&path, text).expect("our own");
            read(&path).map(|anchors| anchors.len())
        };
        assert_eq!(read(&text), Ok(2), "those of the root are counted");
        assert!(read("nothing").expect_err("no key").contains("expected DNSKEY records"));
        assert!(read(". DNSKEY 257 3 13 !").is_err());
        assert!(super::read(&dir.path().join("gone")).is_err());
    }

    fn name(text: &str) -> Name {
        Name::from_ascii(text).expect("a name")
    }

    fn alias(from: &str, to: &str, proof: Proof) -> Record {
        let mut record = Record::from_rdata(name(from), 60, RData::CNAME(CNAME(name(to))));
        record.proof = proof;
        record
    }

    fn address(host: &str, proof: Proof) -> Record {
        let mut record = Record::from_rdata(name(host), 60, RData::A(A::new(192, 0, 2, 1)));
        record.proof = proof;
        record
    }

    /// Where records of `Mx.example.` are looked for, when this is found.
    fn of(records: Vec<Record>) -> Vec<String> {
        let signed = records.iter().all(|record| record.proof == Proof::Secure);
        bases("Mx.example", &Proved { records, signed }).into_iter().map(Into::into).collect()
    }

    #[test]
    fn the_names_of_tlsa_records_follow_signed_aliases_rfc7672_2_2_2() {
        use Proof::{Indeterminate, Insecure, Secure};
        assert_eq!(of(vec![address("mx.example.", Secure)]), ["mx.example"]);
        for unsigned in [Insecure, Indeterminate] {
            assert!(of(vec![address("mx.example.", unsigned)]).is_empty());
        }
        let both = vec![alias("mx.example.", "Host.example.", Secure), address("host.example.", Secure)];
        assert_eq!(of(both), ["host.example", "mx.example"]);
        let half = vec![alias("mx.example.", "host.example.", Secure), address("host.example.", Insecure)];
        assert_eq!(of(half), ["mx.example"]);
        let none = vec![alias("mx.example.", "host.example.", Insecure), address("host.example.", Secure)];
        assert!(of(none).is_empty());
        let circle = vec![alias("mx.example.", "b.", Insecure), alias("b.", "mx.example.", Insecure)];
        assert!(of(circle).is_empty());
    }
}
