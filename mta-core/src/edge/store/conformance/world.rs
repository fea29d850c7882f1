//! The suite's world: a clock that stands until it is moved, an observer that remembers, messages, and an open spool.

use crate::base::event::Event;
use crate::base::flow::Answer;
use crate::base::flow::entry::{Entry, Fate, Progress};
use crate::base::flow::offer::{Offer, OfferedContent};
use crate::base::flow::operator::Selection;
use crate::base::flow::ruling::Ruling;
use crate::base::flow::spool::Spool;
use crate::base::mail::content::{Body, Content};
use crate::base::mail::domain::Domain;
use crate::base::mail::edits::Edits;
use crate::base::mail::envelope::{BodyType, Envelope, Recipient};
use crate::base::mail::id::QueueId;
use crate::base::time::{Now, UnixMillis};
use crate::base::world::store::{Store, StoreFault};
use crate::base::world::{Clock, Observe};
use crate::config::model::Storage;
use crate::path::spool::driver::{self, SpoolDoor, Tasks};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

/// When the suite's messages were accepted.
pub(super) const NOON: UnixMillis = UnixMillis(1_750_000_000_000);

/// Time that stands still until a test moves it.
pub(super) struct StillClock {
    began: Instant,
    passed: watch::Sender<Duration>,
}

impl StillClock {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { began: Instant::now(), passed: watch::Sender::new(Duration::ZERO) })
    }

    pub(super) fn advance(&self, by: Duration) {
        self.passed.send_modify(|passed| *passed += by);
    }
}

impl Clock for StillClock {
    fn now(&self) -> Now {
        let passed = *self.passed.borrow();
        Now { mono: self.began + passed, wall: NOON.plus(passed) }
    }

    fn sleep_until(&self, when: Instant) -> Answer<'static, ()> {
        let (began, mut passed) = (self.began, self.passed.subscribe());
        Box::pin(async move {
            let woken = passed.wait_for(|passed| began + *passed >= when).await.is_ok();
            if !woken {
                // The clock has gone, and with it the end of any sleep.
                std::future::pending::<()>().await;
            }
        })
    }
}

/// Remembers events by their names, as they would be logged.
#[derive(Default)]
pub(super) struct Seen {
    lines: Mutex<Vec<String>>,
    count: watch::Sender<usize>,
}

impl Observe for Seen {
    fn event(&self, event: Event<'_>) {
        let line = serde_json::to_string(&event).expect("events are plain data");
        self.lines.lock().expect("no test panics here").push(line);
        self.count.send_modify(|count| *count += 1);
    }
}

impl Seen {
    /// The events of that name.
    pub(super) fn all(&self, name: &str) -> Vec<serde_json::Value> {
        let lines = self.lines.lock().expect("no test panics here");
        let events = lines.iter().map(|line| serde_json::from_str(line).expect("it was written above"));
        events.filter(|event: &serde_json::Value| event["event"] == name).collect()
    }

    /// Waits until an event of that name was seen.
    pub(super) async fn wait_for(&self, name: &str) {
        let mut count = self.count.subscribe();
        let seen = count.wait_for(|_| !self.all(name).is_empty()).await.is_ok();
        assert!(seen, "the sender lives in self");
    }
}

/// Small thresholds, so that tests run in moments.
pub(super) fn storage() -> Storage {
    Storage { free_bytes_min: 0, segment_bytes: 64 << 10, blob_bytes_min: 32 << 10, ..Storage::default() }
}

/// An open spool, and what a test needs around it.
pub(super) struct Bench {
    pub(super) door: Arc<SpoolDoor>,
    pub(super) tasks: Tasks,
    pub(super) clock: Arc<StillClock>,
    pub(super) seen: Arc<Seen>,
    pub(super) admitted: mpsc::Receiver<Arc<Entry>>,
}

impl Bench {
    pub(super) async fn open(store: Arc<dyn Store>) -> Result<Self, StoreFault> {
        Self::open_with(store, storage()).await
    }

    pub(super) async fn open_with(store: Arc<dyn Store>, storage: Storage) -> Result<Self, StoreFault> {
        let (clock, seen) = (StillClock::new(), Arc::new(Seen::default()));
        let (admit, admitted) = mpsc::channel(10_000);
        let (door, tasks) = driver::open(store, seen.clone(), clock.clone(), storage, admit).await?;
        Ok(Self { door, tasks, clock, seen, admitted })
    }

    /// Closes the spool; everything is on disk when this returns.
    pub(super) async fn close(self) {
        self.door.close().await;
        drop(self.door);
        self.tasks.ended().await;
    }

    /// Every message as it stands, with its content.
    pub(super) async fn contents(&self) -> BTreeMap<QueueId, (Entry, Vec<u8>)> {
        let mut all = BTreeMap::new();
        let mut after = None;
        loop {
            let page = self.door.list(Selection::default(), after, 300).await.expect("a list");
            let Some(last) = page.last() else { return all };
            after = Some(last.id);
            for entry in page {
                let content = self.door.content(entry.id).await.expect("content");
                assert!(all.insert(entry.id, (Entry::clone(&entry), octets(&content))).is_none(), "listed once");
            }
        }
    }
}

/// All octets of a content.
pub(super) fn octets(content: &Content) -> Vec<u8> {
    let mut all = content.head.to_vec();
    match &content.body {
        Body::Memory(body) => all.extend_from_slice(body),
        Body::Stored { source, bytes } => {
            let mut body = vec![0; usize::try_from(*bytes).expect("small")];
            assert_eq!(source.read_at(0, &mut body).expect("readable"), body.len());
            all.extend_from_slice(&body);
        }
    }
    all
}

/// A message with as many recipients, and a body of so many octets.
pub(super) fn offer(n: u64, recipients: usize, body: usize) -> Offer {
    let content = content(n, body);
    Offer { entry: entry(n, recipients, &content), content: OfferedContent::Memory(content) }
}

pub(super) fn id(n: u64) -> QueueId {
    QueueId::new(NOON.plus(Duration::from_millis(n)), u128::from(n))
}

pub(super) fn content(n: u64, body: usize) -> Bytes {
    let mut text = format!("Subject: message {n}\r\n\r\n").into_bytes();
    text.extend((0..body).map(|i| u8::try_from((i as u64 * 31 + n) % 251).expect("below 251")));
    text.into()
}

pub(super) fn entry(n: u64, recipients: usize, content: &Bytes) -> Entry {
    let recipient = |i: usize| {
        let domain = format!("d{}.example", i % 3);
        let address: (Box<str>, Option<Domain>) = (format!("r{i}").into(), Some(Domain::Name(domain.into())));
        // Addresses are made by parsing alone; their stored form is the other way to have one.
        let address = serde_json::json!({ "local": address.0, "domain": address.1 });
        Recipient { address: serde_json::from_value(address).expect("an address"), notify: None, orcpt: None }
    };
    Entry {
        id: id(n),
        accepted: NOON,
        envelope: Envelope {
            sender: None,
            recipients: (0..recipients).map(recipient).collect(),
            body: BodyType::SevenBit,
            smtputf8: false,
            ret: None,
            envid: None,
        },
        trace: "Received: from test\r\n".into(),
        edits: Edits::default(),
        size_bytes: content.len() as u64,
        head_bytes: u32::try_from(content.iter().position(|o| *o == b'\n').expect("a field") + 3).expect("short"),
        tenant: None,
        tags: Vec::new(),
        progress: vec![Progress::fresh(NOON); recipients],
        placements: Vec::new(),
    }
}

/// A ruling on some recipients.
pub(super) fn ruling(n: u64, recipients: impl IntoIterator<Item = u32>, progress: &Progress) -> Ruling {
    let changes = recipients.into_iter().map(|index| (index, progress.clone())).collect();
    Ruling { id: id(n), changes, placements: Vec::new(), notifications: Vec::new() }
}

pub(super) fn done() -> Progress {
    Progress::Done(Fate::Delivered)
}

pub(super) fn later(attempts: u16) -> Progress {
    let due = NOON.plus(Duration::from_secs(60 * u64::from(attempts)));
    Progress::Pending { attempts, due, last: None, delay_told: false }
}
