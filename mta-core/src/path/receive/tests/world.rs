//! The other side of every door, for this stage's tests: a spool, a policy, a clock and a listener's ear.

use crate::base::event::Event;
use crate::base::fault::SpoolFault;
use crate::base::flow::Answer;
use crate::base::flow::entry::Entry;
use crate::base::flow::offer::{Offer, OfferedContent};
use crate::base::flow::operator::Selection;
use crate::base::flow::policy::verify::{Incoming, Verified, Verify};
use crate::base::flow::policy::{
    Asked, Attempted, DataVerdict, Disposition, Gate, Hook, Policy, RouteVerdict, SendVerdict, Sending, Sendout,
    SessionInfo, SessionPolicy, Submission, Unplaced,
};
use crate::base::flow::ruling::Ruling;
use crate::base::flow::spool::{Blob, Room, Spool};
use crate::base::mail::address::Address;
use crate::base::mail::canonical::BodyHash;
use crate::base::mail::content::{Body, Content};
use crate::base::mail::edits::Edits;
use crate::base::mail::id::QueueId;
use crate::base::mail::tie::{KEY_BYTES, Key};
use crate::base::time::{Now, UnixMillis};
use crate::base::world::net::Socket;
use crate::base::world::tls::{Secured, ServerTls, TlsInfo};
use crate::base::world::{Clock, Dice, Observe};
use crate::config;
use crate::config::model::listener::Listener;
use crate::config::model::verify::Verification;
use crate::config::model::{Config, DomainPattern, Network, Relay, Storage};
use crate::path::receive::doors::Doors;
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::sync::watch;

/// `mx.example`, which takes mail for `here.example` from anyone and for anywhere from 192.0.2.0/24.
pub(super) fn config() -> Config {
    let network = Network { base: [192, 0, 2, 0].into(), prefix: 24 };
    Config {
        hostname: "mx.example".into(),
        listeners: vec![mx()],
        relay: Relay { networks: vec![network], domains: vec![DomainPattern::new("here.example")] },
        storage: Storage { blob_bytes_min: 4096, ..Storage::default() },
        verify: Verification { enabled: false, ..Verification::default() },
        ..config::example()
    }
}

/// The only port there is.
pub(super) fn mx() -> Arc<Listener> {
    Arc::new(Listener::new("mx", SocketAddr::from(([127, 0, 0, 1], 25))))
}

/// Everything behind the doors, in the tests' hands.
pub(super) struct World {
    pub(super) config: watch::Sender<Arc<Config>>,
    pub(super) doors: Arc<Doors>,
    pub(super) spool: Arc<TestSpool>,
    pub(super) policy: Arc<TestPolicy>,
    pub(super) tls: Arc<TestTls>,
    pub(super) verify: Arc<TestVerify>,
    pub(super) heard: Arc<Heard>,
}

impl World {
    pub(super) fn new(config: Config) -> Self {
        let spool = Arc::new(TestSpool::default());
        let policy = Arc::new(TestPolicy::default());
        let tls = Arc::new(TestTls::default());
        let verify = Arc::new(TestVerify::default());
        let heard = Arc::new(Heard::default());
        let config = watch::Sender::new(Arc::new(config));
        let doors = Doors::new(
            config.subscribe(),
            Arc::clone(&spool) as Arc<dyn Spool>,
            Arc::clone(&policy) as Arc<dyn Policy>,
            Arc::clone(&heard) as Arc<dyn Observe>,
            Arc::new(RealClock),
            Arc::new(CountingDice::default()),
            Arc::new(Key::new([7; KEY_BYTES])),
        );
        let doors = Arc::new(
            doors
                .with_tls(Arc::clone(&tls) as Arc<dyn ServerTls>)
                .with_verifier(Arc::clone(&verify) as Arc<dyn Verify>),
        );
        Self { config, doors, spool, policy, tls, verify, heard }
    }
}

/// How every handshake ends, as it is told.
pub(super) struct TestTls {
    pub(super) ready: AtomicBool,
    pub(super) answer: Mutex<Option<Result<TlsInfo, String>>>,
}

impl Default for TestTls {
    fn default() -> Self {
        let info = TlsInfo {
            version: "TLSv1.3",
            cipher: "TLS_AES_256_GCM_SHA384",
            server_name: None,
            resumed: false,
            exporter: None,
            end_point: None,
            client: None,
        };
        Self { ready: true.into(), answer: Mutex::new(Some(Ok(info))) }
    }
}

impl ServerTls for TestTls {
    fn is_ready(&self, _listener: &str) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    fn accept(&self, _listener: &str, socket: Box<dyn Socket>) -> Answer<'static, Result<Secured, String>> {
        let answer = self.answer.lock().expect("no panic").clone();
        Box::pin(async move {
            match answer {
                Some(answer) => answer.map(|info| Secured { socket, info }),
                None => std::future::pending().await,
            }
        })
    }
}

/// A message that the spool took.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) entry: Entry,
    pub(super) content: Vec<u8>,
    pub(super) was_blob: bool,
}

/// Keeps what it is offered, or fails as it is told.
#[derive(Default)]
pub(super) struct TestSpool {
    pub(super) room: Mutex<Option<Room>>,
    pub(super) fault: Mutex<Option<SpoolFault>>,
    pub(super) blob_fault: Mutex<Option<SpoolFault>>,
    pub(super) kept: Mutex<Vec<Kept>>,
    /// The finished blob, until it is offered.
    blob: Arc<Mutex<Option<Vec<u8>>>>,
    pub(super) spilled_bytes: Arc<AtomicU64>,
}

impl TestSpool {
    pub(super) fn take(&self, offer: Offer) -> Result<(), SpoolFault> {
        if let Some(fault) = self.fault.lock().expect("no panic").clone() {
            return Err(fault);
        }
        let (content, was_blob) = match offer.content {
            OfferedContent::Memory(bytes) => (bytes.to_vec(), false),
            OfferedContent::Blob(_) => (self.blob.lock().expect("no panic").take().expect("a finished blob"), true),
            OfferedContent::Composed(content) => {
                let Body::Memory(body) = &content.body else { panic!("small bodies are in memory") };
                ([&content.head[..], body].concat(), false)
            }
        };
        self.kept.lock().expect("no panic").push(Kept { entry: offer.entry, content, was_blob });
        Ok(())
    }

    pub(super) fn open(&self) -> Result<Box<dyn Blob>, SpoolFault> {
        match self.blob_fault.lock().expect("no panic").clone() {
            Some(fault) => Err(fault),
            None => Ok(Box::new(TestBlob {
                octets: Vec::new(),
                finished: Arc::clone(&self.blob),
                spilled_bytes: Arc::clone(&self.spilled_bytes),
            })),
        }
    }
}

struct TestBlob {
    octets: Vec<u8>,
    finished: Arc<Mutex<Option<Vec<u8>>>>,
    spilled_bytes: Arc<AtomicU64>,
}

impl Blob for TestBlob {
    fn write(&mut self, octets: Bytes) -> Answer<'_, Result<(), SpoolFault>> {
        self.octets.extend_from_slice(&octets);
        self.spilled_bytes.fetch_add(octets.len() as u64, Ordering::Relaxed);
        Box::pin(async { Ok(()) })
    }

    fn finish(self: Box<Self>, head: Bytes) -> Answer<'static, Result<Content, SpoolFault>> {
        assert!(self.octets.starts_with(&head), "the header section is the blob's beginning");
        *self.finished.lock().expect("no panic") = Some(self.octets.clone());
        let body = Bytes::from(self.octets).slice(head.len()..);
        Box::pin(async move { Ok(Content { head, body: Body::Memory(body) }) })
    }
}

impl Spool for TestSpool {
    fn room(&self) -> Room {
        self.room.lock().expect("no panic").unwrap_or(Room::Open)
    }

    fn blob(&self, _id: QueueId) -> Answer<'_, Result<Box<dyn Blob>, SpoolFault>> {
        Box::pin(async { self.open() })
    }

    fn accept(&self, offer: Offer) -> Answer<'_, Result<(), SpoolFault>> {
        Box::pin(async { self.take(offer) })
    }

    fn entry(&self, _id: QueueId) -> Answer<'_, Result<Option<Arc<Entry>>, SpoolFault>> {
        Box::pin(async { Ok(None) })
    }

    fn content(&self, _id: QueueId) -> Answer<'_, Result<Content, SpoolFault>> {
        Box::pin(async { Err(SpoolFault::Closing) })
    }

    fn rule(&self, _ruling: Ruling) -> Answer<'_, Result<Option<Arc<Entry>>, SpoolFault>> {
        Box::pin(async { Ok(None) })
    }

    fn list(
        &self,
        _selection: Selection,
        _after: Option<QueueId>,
        _limit: usize,
    ) -> Answer<'_, Result<Vec<Arc<Entry>>, SpoolFault>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

/// Finds what it is told, and keeps what it was asked about.
#[derive(Default)]
pub(super) struct TestVerify {
    pub(super) found: Mutex<Verified>,
    pub(super) asked: Mutex<Vec<String>>,
    /// The hash of the last body, as it was taken while it came.
    pub(super) hash: Mutex<Option<BodyHash>>,
}

impl Verify for TestVerify {
    fn verify<'a>(&'a self, incoming: Incoming<'a>) -> Answer<'a, Verified> {
        let sender = incoming.envelope.sender.as_ref().map(ToString::to_string).unwrap_or_default();
        let asked = format!("{} {} {sender} {}", incoming.peer, incoming.helo, incoming.content.body.size_bytes());
        self.asked.lock().expect("no panic").push(asked);
        *self.hash.lock().expect("no panic") = incoming.body_hash;
        let found = self.found.lock().expect("no panic").clone();
        Box::pin(async { found })
    }
}

/// Says what it is told; a hook without words is absent.
#[derive(Default)]
pub(super) struct TestPolicy {
    pub(super) connect: Mutex<Option<Gate>>,
    pub(super) helo: Mutex<Option<Gate>>,
    pub(super) auth: Mutex<Option<Gate>>,
    pub(super) mail: Mutex<Option<Gate>>,
    pub(super) rcpt: Mutex<Option<Gate>>,
    pub(super) data: Mutex<Option<DataVerdict>>,
    /// What was asked and told, in order.
    pub(super) asked: Arc<Mutex<Vec<String>>>,
}

/// A verdict without edits.
pub(super) fn verdict(disposition: Disposition) -> DataVerdict {
    let plugin = Some("tester".into());
    DataVerdict { disposition, plugin, edits: Edits::default(), body: None, envelope: Vec::new(), tags: Vec::new() }
}

struct TestSession {
    connect: Option<Gate>,
    helo: Option<Gate>,
    auth: Option<Gate>,
    mail: Option<Gate>,
    rcpt: Option<Gate>,
    data: Option<DataVerdict>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl TestSession {
    fn note(&self, what: String) {
        self.asked.lock().expect("no panic").push(what);
    }
}

impl Policy for TestPolicy {
    fn has(&self, hook: Hook) -> bool {
        match hook {
            Hook::Connect => self.connect.lock().expect("no panic").is_some(),
            Hook::Rcpt => self.rcpt.lock().expect("no panic").is_some(),
            Hook::Data => self.data.lock().expect("no panic").is_some(),
            Hook::Helo => self.helo.lock().expect("no panic").is_some(),
            Hook::Mail => self.mail.lock().expect("no panic").is_some(),
            Hook::Auth => self.auth.lock().expect("no panic").is_some(),
            Hook::Password | Hook::Route | Hook::PreSend | Hook::Outcome | Hook::Feedback | Hook::Http | Hook::Tick => {
                false
            }
            Hook::Disconnect => true,
        }
    }

    fn session(&self, info: SessionInfo) -> Box<dyn SessionPolicy> {
        let session = TestSession {
            connect: self.connect.lock().expect("no panic").clone(),
            helo: self.helo.lock().expect("no panic").clone(),
            auth: self.auth.lock().expect("no panic").clone(),
            mail: self.mail.lock().expect("no panic").clone(),
            rcpt: self.rcpt.lock().expect("no panic").clone(),
            data: self.data.lock().expect("no panic").clone(),
            asked: Arc::clone(&self.asked),
        };
        session.note(format!("session {} {:?}", info.listener, info.helo));
        Box::new(session)
    }

    fn route<'a>(&'a self, _: Unplaced<'a>) -> Answer<'a, RouteVerdict> {
        panic!("the queue asks for ways")
    }

    fn pre_send<'a>(&'a self, _sendout: Sendout<'a>) -> Answer<'a, SendVerdict> {
        Box::pin(async { SendVerdict { sending: Sending::Next, plugin: None, edits: Edits::default(), body: None } })
    }

    fn outcome(&self, _: &Attempted) {
        panic!("the queue tells outcomes")
    }
}

impl SessionPolicy for TestSession {
    fn secured(&mut self, tls: &Arc<TlsInfo>) {
        self.note(format!("secured {}", tls.version));
    }

    fn named(&mut self, name: &str) {
        self.note(format!("helo {name}"));
    }

    fn rejected(&mut self, recipients: u32) {
        if recipients > 0 {
            self.note(format!("rejected {recipients}"));
        }
    }

    fn gate<'a>(&'a mut self, asked: Asked<'a>) -> Answer<'a, Gate> {
        let text = |sender: Option<&Address>| sender.map(ToString::to_string).unwrap_or_default();
        let (what, gate) = match asked {
            Asked::Connect => ("connect".to_owned(), &self.connect),
            Asked::Helo(name) => (format!("asked helo {name}"), &self.helo),
            Asked::Auth { mechanism, user, succeeded } => (format!("auth {mechanism} {user} {succeeded}"), &self.auth),
            Asked::Mail { envelope, size_bytes } => {
                (format!("mail {} {size_bytes:?}", text(envelope.sender.as_ref())), &self.mail)
            }
            Asked::Rcpt { sender, to } => (format!("rcpt {} {}", text(sender), to.address), &self.rcpt),
        };
        self.note(what);
        let gate = gate.clone().unwrap_or(Gate::Next);
        Box::pin(async { gate })
    }

    fn data<'a>(&'a mut self, submission: Submission<'a>) -> Answer<'a, DataVerdict> {
        self.note(format!("data {} octets", submission.content.size_bytes()));
        let verdict = self.data.clone().unwrap_or_else(|| verdict(Disposition::Next));
        Box::pin(async { verdict })
    }

    fn authenticated(&mut self, user: &str) {
        self.note(format!("user {user}"));
    }

    fn belongs_to(&mut self, tenant: Option<&Arc<str>>) {
        if let Some(tenant) = tenant {
            self.note(format!("tenant {tenant}"));
        }
    }

    fn transaction_ended(&mut self) {
        self.note("ended".to_owned());
    }

    fn disconnected(&mut self) {
        self.note("gone".to_owned());
    }
}

/// Every event, as JSON.
#[derive(Default)]
pub(super) struct Heard(pub(super) Mutex<Vec<String>>);

impl Heard {
    /// Whether an event of that name has that text in it.
    pub(super) fn has(&self, event: &str, text: &str) -> bool {
        let name = format!("\"event\":\"{event}\"");
        self.0.lock().expect("no panic").iter().any(|line| line.contains(&name) && line.contains(text))
    }
}

impl Observe for Heard {
    fn event(&self, event: Event<'_>) {
        let line = serde_json::to_string(&event).expect("events are plain data");
        self.0.lock().expect("no panic").push(line);
    }
}

struct RealClock;

impl Clock for RealClock {
    fn now(&self) -> Now {
        Now { mono: Instant::now(), wall: UnixMillis(1_700_000_000_000) }
    }

    fn sleep_until(&self, when: Instant) -> Answer<'static, ()> {
        Box::pin(tokio::time::sleep_until(when.into()))
    }
}

/// 1, 2, 3…
#[derive(Default)]
struct CountingDice(AtomicU64);

impl Dice for CountingDice {
    fn roll(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}
