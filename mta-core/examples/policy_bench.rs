//! What plugins cost: `builtin:hello` asked through policy's door, at each hook and for whole transactions.
//!
//! `cargo run --release -p mta-core --example policy_bench [threads]`. Each line is the median of many batches; a run
//! takes about ten seconds. docs/performance.md has the figures.

use bytes::Bytes;
use mta_core::base::event::Event;
use mta_core::base::flow::entry::{Entry, Progress};
use mta_core::base::flow::policy::{Asked, Policy, Sendout, SessionInfo, SessionPolicy, Submission};
use mta_core::base::mail::address::Address;
use mta_core::base::mail::content::{Body, Content};
use mta_core::base::mail::edits::Edits;
use mta_core::base::mail::envelope::{BodyType, Envelope, Recipient};
use mta_core::base::mail::id::QueueId;
use mta_core::base::time::UnixMillis;
use mta_core::base::world::Observe;
use mta_core::config::model::{Budget, CompileLimits, EditGrant, OnFailure, Plugin, PluginSource};
use mta_core::edge::plugins;
use mta_core::edge::world::clock::SystemClock;
use mta_core::edge::world::dice::SystemDice;
use mta_core::edge::world::dns::HickoryDns;
use mta_core::edge::world::http::HyperClient;
use mta_core::edge::world::net::SystemNet;
use mta_core::edge::world::ticker;
use mta_core::path::policy::{Host, HostSettings, Reach, Supplies};
use std::collections::BTreeMap;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Calls in a batch, and batches: together about a second a line.
const BATCH: u32 = 500;
const BATCHES: usize = 61;
/// The most threads that one run uses.
const THREADS_MAX: usize = 64;

struct Faults;

impl Observe for Faults {
    fn event(&self, event: Event<'_>) {
        if matches!(event, Event::PluginFault { .. }) {
            println!("a figure below is worthless: {event:?}");
        }
    }
}

/// What every worker asks about.
struct Mail {
    host: Host,
    envelope: Envelope,
    entry: Entry,
    content: Content,
}

fn main() -> Result<(), Box<dyn Error>> {
    let threads = std::env::args().nth(1).map_or(Ok(1), |text| text.parse())?;
    let threads = usize::clamp(threads, 1, THREADS_MAX);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    let mail = Arc::new(runtime.block_on(mail())?);
    println!("{threads} thread(s), each line: median (lowest, highest) of {BATCHES} batches of {BATCH}");
    for what in [What::Connect, What::Rcpt, What::Data, What::Transaction, What::PreSend] {
        let workers: Vec<_> = (0..threads).map(|_| runtime.spawn(worker(mail.clone(), what))).collect();
        let mut times = Vec::new();
        for worker in workers {
            times.append(&mut runtime.block_on(worker)?);
        }
        times.sort_unstable();
        let micros = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e6 / f64::from(BATCH));
        let (low, mid, high) = (times.first(), times.get(times.len() / 2), times.last());
        println!("{:<52} {:>7.2} µs ({:.2}, {:.2})", what.words(), micros(mid), micros(low), micros(high));
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum What {
    Connect,
    Rcpt,
    Data,
    Transaction,
    PreSend,
}

impl What {
    fn words(self) -> &'static str {
        match self {
            Self::Connect => "on-connect: instance restored, call, at rest",
            Self::Rcpt => "on-rcpt, the transaction has its instance",
            Self::Data => "on-data (Subject, add a field), instance restored",
            Self::Transaction => "on-rcpt and on-data, instance restored",
            Self::PreSend => "on-pre-send: instance restored, call, at rest",
        }
    }
}

async fn worker(mail: Arc<Mail>, what: What) -> Vec<Duration> {
    let mut times = Vec::with_capacity(BATCHES);
    let mut session = mail.session();
    for _ in 0..BATCHES {
        let start = Instant::now();
        for _ in 0..BATCH {
            mail.ask(&mut *session, what).await;
        }
        times.push(start.elapsed());
        session.transaction_ended();
    }
    times
}

impl Mail {
    fn session(&self) -> Box<dyn SessionPolicy> {
        self.host.session(SessionInfo {
            id: "bench".into(),
            listener: "mx".into(),
            peer: SocketAddr::from((Ipv4Addr::LOCALHOST, 4711)),
            helo: None,
        })
    }

    async fn ask(&self, session: &mut dyn SessionPolicy, what: What) {
        let submission =
            Submission { id: self.entry.id, envelope: &self.envelope, content: &self.content, size_bytes_max: 1 << 20 };
        match what {
            What::Connect => drop(session.gate(Asked::Connect).await),
            What::Rcpt => drop(session.gate(Asked::Rcpt { sender: None, to: &self.envelope.recipients[0] }).await),
            What::Data => drop(session.data(submission).await),
            What::Transaction => {
                session.gate(Asked::Rcpt { sender: None, to: &self.envelope.recipients[0] }).await;
                session.data(submission).await;
                session.transaction_ended();
            }
            What::PreSend => {
                let sendout = Sendout {
                    entry: &self.entry,
                    content: &self.content,
                    recipient: 0,
                    attempt: 1,
                    site: "mx",
                    size_bytes_max: 1 << 20,
                };
                drop(self.host.pre_send(sendout).await);
            }
        }
    }
}

async fn mail() -> Result<Mail, Box<dyn Error>> {
    let host = Host::new(HostSettings::new(
        Arc::new(SystemClock),
        Arc::new(Faults),
        Reach {
            dice: Arc::new(SystemDice::new()?),
            dns: Arc::new(HickoryDns::new(&[])?),
            http: Arc::new(HyperClient::new(Arc::new(SystemNet))),
        },
    ))?;
    ticker::spawn(host.pulse())?;
    let hello = Plugin {
        name: "hello".into(),
        source: PluginSource::Builtin("hello".into()),
        allow: vec!["log".into()],
        edit: vec![EditGrant::Headers],
        on_failure: OnFailure::Tempfail,
        config_json: r#"{"header":"X-Hello"}"#.to_owned(),
        budget: Budget::default(),
        hooks: Vec::new(),
        listeners: Vec::new(),
        tenants: Vec::new(),
        tick: Duration::from_secs(60),
        on_failure_by_hook: BTreeMap::new(),
        sha256: None,
        compile: CompileLimits::default(),
    };
    let start = Instant::now();
    host.load(&[hello], &Supplies::default(), &plugins::read).await?;
    println!("load (compile, configure, self-test): {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
    let recipient = Recipient { address: Address::parse("a@example.net")?, notify: None, orcpt: None };
    let envelope = Envelope {
        sender: Some(Address::parse("from@example.org")?),
        recipients: vec![recipient],
        body: BodyType::SevenBit,
        smtputf8: false,
        ret: None,
        envid: None,
    };
    let entry = Entry {
        id: QueueId(7),
        accepted: UnixMillis(0),
        envelope: envelope.clone(),
        trace: "".into(),
        edits: Edits::default(),
        size_bytes: 4096,
        head_bytes: 0,
        tenant: None,
        tags: Vec::new(),
        progress: vec![Progress::fresh(UnixMillis(0))],
    };
    let head = "From: from@example.org\r\nTo: a@example.net\r\nSubject: Hello, world\r\nMIME-Version: 1.0\r\n\r\n";
    let content =
        Content { head: Bytes::from_static(head.as_bytes()), body: Body::Memory(Bytes::from(vec![b'x'; 4000])) };
    Ok(Mail { host, envelope, entry, content })
}
