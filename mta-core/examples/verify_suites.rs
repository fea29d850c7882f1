//! Runs the public suites of SPF (RFC 7208) and ARC (RFC 8617) against the verifying stage, and counts.
//!
//! The suites are not part of this repository. Their YAML comes as one JSON list of documents on standard input
//! (docs/testing.md has the command line), and each case goes through the stage as a message would.

use bytes::Bytes;
use mta_core::base::event::Event;
use mta_core::base::flow::Answer;
use mta_core::base::flow::policy::verify::{Incoming, Method, Outcome, Verified, Verify};
use mta_core::base::mail::address::Address;
use mta_core::base::mail::content::{Body, Content};
use mta_core::base::mail::domain::Domain;
use mta_core::base::mail::envelope::{BodyType, Envelope};
use mta_core::base::mail::header;
use mta_core::base::mail::id::QueueId;
use mta_core::base::world::Observe;
use mta_core::base::world::dns::{Dns, DnsFault, Mx, RecordData, RecordKind};
use mta_core::config::model::Config;
use mta_core::config::parse::parse;
use mta_core::edge::world::clock::SystemClock;
use mta_core::path::verify::driver::Verifier;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};
use std::future::ready;
use std::io::Read as _;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::watch;

/// Aliases that are followed.
const ALIASES_MAX: usize = 8;

/// Records by name and type; "TIMEOUT" where nobody answers.
#[derive(Default)]
struct Zone(HashMap<String, Vec<(String, Value)>>);

impl Zone {
    fn add(&mut self, name: &str, kind: &str, value: Value) {
        self.0.entry(key(name)).or_default().push((kind.to_owned(), value));
    }

    fn of(&self, name: &str, kind: &str) -> Result<Vec<&Value>, DnsFault> {
        let mut records = self.0.get(&key(name)).ok_or(DnsFault::NoSuchDomain)?;
        // A name server follows aliases, and gives up on those that go round.
        for _ in 0..ALIASES_MAX {
            let Some((_, Value::String(alias))) = records.iter().find(|(kind, _)| kind == "CNAME") else { break };
            records = self.0.get(&key(alias)).ok_or(DnsFault::NoSuchDomain)?;
        }
        let found: Vec<&Value> = records.iter().filter(|(known, _)| known == kind).map(|(_, value)| value).collect();
        match found.is_empty() {
            false => Ok(found),
            true if records.iter().any(|(known, _)| known == "TIMEOUT" || known == "CNAME") => Err(DnsFault::Failed),
            true => Err(DnsFault::NoRecord),
        }
    }

    fn records_of(&self, name: &str, kind: RecordKind) -> Result<Vec<RecordData>, DnsFault> {
        let name_of = |value: &Value| Some(RecordData::Ptr(key(value.as_str()?).into()));
        Ok(match kind {
            RecordKind::A => {
                self.of(name, "A")?.into_iter().filter_map(|v| Some(RecordData::A(v.as_str()?.parse().ok()?))).collect()
            }
            RecordKind::Aaaa => {
                let ips = self.of(name, "AAAA")?.into_iter();
                ips.filter_map(|v| Some(RecordData::Aaaa(v.as_str()?.parse().ok()?))).collect()
            }
            RecordKind::Ptr => self.of(name, "PTR")?.into_iter().filter_map(name_of).collect(),
            RecordKind::Txt => self.of(name, "TXT")?.into_iter().map(|v| RecordData::Txt(text(v))).collect(),
        })
    }
}

fn key(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// One string, or several that belong together; octets above 127 as Latin-1.
fn text(value: &Value) -> Vec<u8> {
    let octets =
        |text: &str| text.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap_or(b'?')).collect::<Vec<u8>>();
    match value {
        Value::Array(parts) => parts.iter().flat_map(text).collect(),
        other => octets(other.as_str().unwrap_or_default()),
    }
}

impl Dns for Zone {
    fn mx<'a>(&'a self, domain: &'a str) -> Answer<'a, Result<Vec<Mx>, DnsFault>> {
        let mx = |value: &Value| Some(Mx { preference: 0, host: key(value.get(1)?.as_str()?).into() });
        Box::pin(ready(self.of(domain, "MX").map(|found| found.into_iter().filter_map(mx).collect())))
    }

    fn records<'a>(&'a self, name: &'a str, kind: RecordKind) -> Answer<'a, Result<Vec<RecordData>, DnsFault>> {
        Box::pin(ready(self.records_of(name, kind)))
    }

    fn addresses<'a>(&'a self, _: &'a str) -> Answer<'a, Result<Vec<IpAddr>, DnsFault>> {
        Box::pin(ready(Err(DnsFault::Failed)))
    }
}

struct Deaf;

impl Observe for Deaf {
    fn event(&self, _: Event<'_>) {}
}

/// What came of the cases.
#[derive(Default)]
struct Count {
    as_expected: usize,
    /// No SMTP client can bring them: the sender is no mailbox.
    no_mail: usize,
    others: Vec<String>,
}

impl Count {
    fn add(&mut self, name: &str, expected: &[String], got: &str) {
        if expected.iter().any(|one| one.eq_ignore_ascii_case(got)) {
            self.as_expected += 1;
        } else {
            self.others.push(format!("{name}: expected {}, got {got}", expected.join(" or ")));
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input).expect("documents come as JSON");
    let documents: Vec<Map<String, Value>> = serde_json::from_str(&input).expect("a list of documents");
    let mut counts: BTreeMap<&str, Count> = BTreeMap::new();
    for document in &documents {
        let (suite, zone) = match document.get("zonedata").and_then(Value::as_object) {
            Some(zonedata) => ("spf", spf_zone(zonedata)),
            None => ("arc", arc_zone(document)),
        };
        let zone = Arc::new(zone);
        let tests = document.get("tests").and_then(Value::as_object).expect("a document has tests");
        for (name, case) in tests {
            let count = counts.entry(suite).or_default();
            match suite {
                "spf" => spf(name, case, &zone, count).await,
                _ => arc(name, case, &zone, count).await,
            }
        }
    }
    for (suite, count) in counts {
        let Count { as_expected, no_mail, others } = count;
        println!("{suite}: {as_expected} as expected, {} otherwise, {no_mail} that no client can bring", others.len());
        others.iter().for_each(|other| println!("  {other}"));
    }
}

fn arc_zone(document: &Map<String, Value>) -> Zone {
    let mut zone = Zone::default();
    for (name, value) in document.get("txt-records").and_then(Value::as_object).into_iter().flatten() {
        zone.add(name, "TXT", value.clone());
    }
    zone
}

/// Records of the old type SPF stand for TXT where a name has none of its own.
fn spf_zone(zonedata: &Map<String, Value>) -> Zone {
    let mut zone = Zone::default();
    for (name, records) in zonedata {
        let records = records.as_array().cloned().unwrap_or_default();
        let has_txt = records.iter().any(|record| record.get("TXT").is_some());
        for record in records {
            match record {
                Value::Object(entries) => {
                    for (kind, value) in entries {
                        match kind.as_str() {
                            "SPF" if has_txt => {}
                            "SPF" => zone.add(name, "TXT", value),
                            "TXT" if value == "NONE" => zone.add(name, "NONE", value),
                            kind => zone.add(name, kind, value),
                        }
                    }
                }
                word => zone.add(name, word.as_str().unwrap_or_default(), Value::Null),
            }
        }
    }
    zone
}

async fn verify(zone: &Arc<Zone>, peer: IpAddr, helo: &str, sender: Option<Address>, message: &[u8]) -> Verified {
    let (_, config) = watch::channel(Arc::new(config()));
    let verifier = Verifier::new(config, Arc::<Zone>::clone(zone), Arc::new(SystemClock), Arc::new(Deaf));
    let octets = Bytes::from(message.to_vec());
    let head_bytes = header::section_bytes(&octets).unwrap_or(octets.len());
    let content = Content { head: octets.slice(..head_bytes), body: Body::Memory(octets.slice(head_bytes..)) };
    let envelope =
        Envelope { sender, recipients: Vec::new(), body: BodyType::SevenBit, smtputf8: false, ret: None, envid: None };
    let (envelope, content) = (&envelope, &content);
    let incoming = Incoming { session: "s", id: QueueId(1), peer, helo, envelope, content, body_hash: None };
    verifier.expect("the library starts").verify(incoming).await
}

fn config() -> Config {
    let text = "hostname = \"mx.example.test\"\ndata_dir = \"d\"\n[[listener]]\nname = \"mx\"\nbind = \"[::]:25\"\n";
    parse("suite", text, &[]).expect("it is sound")
}

async fn spf(name: &str, case: &Value, zone: &Arc<Zone>, count: &mut Count) {
    let word = |key: &str| case.get(key).and_then(Value::as_str).unwrap_or_default();
    let expected = match case.get("result") {
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(one) => vec![one.as_str().unwrap_or_default().to_owned()],
        None => Vec::new(),
    };
    let sender = match word("mailfrom") {
        "" => None,
        // Some cases name a domain alone.
        from => {
            let (local, domain) = from.rsplit_once('@').unwrap_or(("postmaster", from));
            let local = if local.is_empty() { "postmaster" } else { local };
            match Domain::parse(domain).map(|domain| Address::new(local, Some(domain))) {
                Ok(Ok(address)) => Some(address),
                _ => {
                    count.no_mail += 1;
                    return;
                }
            }
        }
    };
    let peer: IpAddr = word("host").parse().expect("a client has an address");
    // As receive does.
    let peer = peer.to_canonical();
    let wanted = if sender.is_some() { "smtp.mailfrom" } else { "smtp.helo" };
    let verified = verify(zone, peer, word("helo"), sender, b"Subject: x\r\n\r\n").await;
    let of = |property: &str| {
        let results = verified.results.iter().filter(|result| result.method == Method::Spf);
        let mut found = results.filter(|result| result.properties.iter().any(|(name, _)| *name == property));
        found.next().map_or("none", |result| result.outcome.name())
    };
    count.add(name, &expected, of(wanted));
}

async fn arc(name: &str, case: &Value, zone: &Arc<Zone>, count: &mut Count) {
    let word = |key: &str| case.get(key).and_then(Value::as_str).unwrap_or_default();
    let message = word("message").replace("\r\n", "\n").replace('\n', "\r\n");
    let verified = verify(zone, IpAddr::from([192, 0, 2, 1]), "client.example", None, message.as_bytes()).await;
    let result = verified.results.iter().find(|result| result.method == Method::Arc);
    let got = result.map_or(Outcome::None, |result| result.outcome);
    // Where it expects nothing, an older draft left open what RFC 8617 5.2 says is a failure.
    let expected = if word("cv").is_empty() { "fail" } else { word("cv") };
    count.add(name, &[expected.to_owned()], got.name());
}
