//! What the tests tell, and the world around a reporter: a clock that is moved, a spool and a web that remember.

use crate::base::event::Event;
use crate::base::fault::SpoolFault;
use crate::base::fixtures::Names;
use crate::base::flow::Answer;
use crate::base::flow::entry::Entry;
use crate::base::flow::offer::{Offer, OfferedContent};
use crate::base::flow::operator::Selection;
use crate::base::flow::policy::dmarc::{Disposition, Judged, Published, Row, Signature, Wish};
use crate::base::flow::policy::verify::Outcome;
use crate::base::flow::ruling::Ruling;
use crate::base::flow::spool::{Blob, Room, Spool};
use crate::base::flow::tls_result::{PolicyFound, TlsFailure, TlsResult};
use crate::base::mail::content::Content;
use crate::base::mail::domain::Domain;
use crate::base::mail::id::QueueId;
use crate::base::time::{Now, UnixMillis};
use crate::base::world::dns::RecordData;
use crate::base::world::http::{HttpAnswer, HttpClient, HttpFault, HttpRequest};
use crate::base::world::store::Journal;
use crate::base::world::{Clock, Dice, Observe};
use crate::config::example;
use crate::config::model::Config;
use crate::config::model::report::Reporting;
use crate::report::driver::{Parts, Reporter};
use std::future::ready;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

/// A midnight of UTC, in seconds since 1970.
pub(super) const MIDNIGHT: u64 = 1_800_057_600;
pub(super) const DAY: u64 = 86_400;

/// A message of `author`'s domain, under the policy of `domain`, from this client.
pub(super) fn judged(domain: &str, author: &str, client: u8) -> Judged {
    let policy = Published {
        domain: domain.into(),
        policy: Wish::Reject,
        subdomains: Wish::Quarantine,
        absent: Wish::None,
        tests: false,
        strict_dkim: true,
        strict_spf: false,
        failure_options: "d:s".into(),
    };
    let signature = |selector: &str, outcome, why: &str| Signature {
        domain: author.into(),
        selector: selector.into(),
        outcome,
        why: why.into(),
    };
    let row = Row {
        source: [192, 0, 2, client].into(),
        disposition: Disposition::Pass,
        dkim: true,
        spf: false,
        reason: None,
        author: author.into(),
        sender: "bounces.test".into(),
        to: Some("here.test".into()),
        signatures: vec![signature("a", Outcome::Fail, "it was <changed>"), signature("b", Outcome::Pass, "")],
        checked: Some(("bounces.test".into(), Outcome::SoftFail)),
    };
    Judged { policy, row }
}

/// A connection for `domain` that was as MTA-STS wants it, or not.
pub(super) fn connection(domain: &str, failure: Option<TlsFailure>) -> TlsResult {
    TlsResult {
        domain: Domain::parse(domain).expect("a domain"),
        policy: PolicyFound::Sts {
            lines: ["version: STSv1".into(), "mode: enforce".into()].into(),
            hosts: ["*.mx.test".into()].into(),
        },
        mx: Some("one.mx.test".into()),
        remote: Some([192, 0, 2, 9].into()),
        local: Some([192, 0, 2, 1].into()),
        outcome: failure.map_or(Ok(()), |failure| Err((failure, "in words".into()))),
    }
}

pub(super) struct TestClock {
    began: Instant,
    /// Milliseconds since then.
    passed: watch::Sender<u64>,
}

impl Clock for TestClock {
    fn now(&self) -> Now {
        let passed = *self.passed.borrow();
        Now { mono: self.began + Duration::from_millis(passed), wall: UnixMillis(MIDNIGHT * 1000 + passed) }
    }

    fn sleep_until(&self, when: Instant) -> Answer<'static, ()> {
        let (began, mut passed) = (self.began, self.passed.subscribe());
        Box::pin(async move {
            // It ends with the test.
            let _ = passed.wait_for(|passed| began + Duration::from_millis(*passed) >= when).await;
        })
    }
}

struct Counting(AtomicU64);

impl Dice for Counting {
    fn roll(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

#[derive(Default)]
pub(super) struct Heard(pub(super) Mutex<Vec<String>>);

impl Observe for Heard {
    fn event(&self, event: Event<'_>) {
        let line = serde_json::to_string(&event).expect("events are plain data");
        self.0.lock().expect("no panic").push(line);
    }
}

/// Takes what is offered, unless it is told to refuse.
struct Taking {
    offers: mpsc::UnboundedSender<(Entry, String)>,
    refuses: watch::Receiver<bool>,
}

impl Spool for Taking {
    fn room(&self) -> Room {
        Room::Open
    }

    fn blob(&self, _: QueueId) -> Answer<'_, Result<Box<dyn Blob>, SpoolFault>> {
        panic!("reports are small")
    }

    fn accept(&self, offer: Offer) -> Answer<'_, Result<(), SpoolFault>> {
        if *self.refuses.borrow() {
            return Box::pin(ready(Err(SpoolFault::DiskFull)));
        }
        let OfferedContent::Memory(octets) = offer.content else { panic!("reports are in memory") };
        self.offers.send((offer.entry, String::from_utf8(octets.into()).expect("ASCII"))).expect("the test waits");
        Box::pin(ready(Ok(())))
    }

    fn entry(&self, _: QueueId) -> Answer<'_, Result<Option<Arc<Entry>>, SpoolFault>> {
        panic!("nobody asks")
    }

    fn content(&self, _: QueueId) -> Answer<'_, Result<Content, SpoolFault>> {
        panic!("nobody asks")
    }

    fn rule(&self, _: Ruling) -> Answer<'_, Result<Option<Arc<Entry>>, SpoolFault>> {
        panic!("nobody asks")
    }

    fn list(&self, _: Selection, _: Option<QueueId>, _: usize) -> Answer<'_, Result<Vec<Arc<Entry>>, SpoolFault>> {
        panic!("nobody asks")
    }
}

/// Answers with a status, and remembers what it was sent.
#[derive(Default)]
pub(super) struct Server {
    pub(super) status: AtomicU16,
    pub(super) requests: Mutex<Vec<HttpRequest>>,
}

impl HttpClient for Server {
    fn fetch(&self, request: HttpRequest) -> Answer<'_, Result<HttpAnswer, HttpFault>> {
        self.requests.lock().expect("no panic").push(request);
        let status = self.status.load(Ordering::Relaxed);
        Box::pin(ready(Ok(HttpAnswer { status, fields: Vec::new(), body: Vec::new() })))
    }
}

/// A reporter, and all that is around it.
pub(super) struct World {
    pub(super) reporter: Arc<Reporter>,
    pub(super) clock: Arc<TestClock>,
    pub(super) heard: Arc<Heard>,
    pub(super) server: Arc<Server>,
    pub(super) refuses: watch::Sender<bool>,
    pub(super) config: watch::Sender<Arc<Config>>,
    pub(super) offers: mpsc::UnboundedReceiver<(Entry, String)>,
}

pub(super) fn reporting() -> Reporting {
    let mut report = Reporting::new("dmarc@ours.test".parse().expect("an address"));
    report.spread = Duration::ZERO;
    report
}

impl World {
    /// One whose zones have these texts, `NAME TXT TEXT` a line.
    pub(super) async fn new(zone: &'static str, journal: Option<Arc<dyn Journal>>) -> Self {
        let read = |line: &'static str| {
            let (name, text) = line.split_once(" TXT ").expect("a line of the test's zone");
            (name, RecordData::Txt(text.as_bytes().to_vec()))
        };
        let mut records: Vec<_> = zone.lines().map(read).collect();
        records.push(("tls.test", RecordData::A([203, 0, 114, 1].into())));
        records.push(("inside.test", RecordData::A([10, 0, 0, 1].into())));
        let clock = Arc::new(TestClock { began: Instant::now(), passed: watch::Sender::new(0) });
        let (heard, server) = (Arc::new(Heard::default()), Arc::new(Server::default()));
        server.status.store(200, Ordering::Relaxed);
        let parts = Parts {
            dns: Arc::new(Names { records, ..Names::default() }),
            http: Arc::<Server>::clone(&server),
            clock: Arc::<TestClock>::clone(&clock),
            dice: Arc::new(Counting(AtomicU64::new(1))),
            observe: Arc::<Heard>::clone(&heard),
        };
        let reporter = Arc::new(Reporter::open(journal, parts).await.expect("the disk works"));
        let config = Config { report: Some(reporting()), ..example() };
        let config = watch::Sender::new(Arc::new(config));
        let (offers, offered) = mpsc::unbounded_channel();
        let refuses = watch::Sender::new(false);
        reporter.posts_to(Arc::new(Taking { offers, refuses: refuses.subscribe() }), config.subscribe());
        Self { reporter, clock, heard, server, refuses, config, offers: offered }
    }

    /// Changes `[report]`.
    pub(super) fn set(&self, change: impl FnOnce(&mut Reporting)) {
        let mut config = Config::clone(&self.config.borrow());
        change(config.report.as_mut().expect("it is there"));
        self.config.send_replace(Arc::new(config));
    }

    /// Time goes on.
    pub(super) fn pass(&self, seconds: u64) {
        self.clock.passed.send_modify(|passed| *passed += seconds * 1000);
    }

    /// Events of this name so far.
    pub(super) fn events(&self, name: &str) -> Vec<serde_json::Value> {
        let lines = self.heard.0.lock().expect("no panic");
        let events = lines.iter().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
        events.filter(|event| event["event"] == name).collect()
    }
}
