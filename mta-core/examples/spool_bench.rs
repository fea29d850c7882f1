//! Measures the spool by itself: throughput, CPU, flushes, space given back, the time and memory of a start.
//!
//! ```text
//! spool_bench commit DIR SESSIONS OCTETS SECONDS [finish]   accept at once from so many sessions; `finish` also ends them
//! spool_bench rounds DIR MESSAGES ROUNDS OCTETS             store and end so many, so often; the directory's size
//! spool_bench fill DIR MESSAGES OCTETS                      leave so many deferred messages
//! spool_bench start DIR                                     open, list everything, hold what a queue would
//! spool_bench                                               some of each, in half a minute
//! ```
//! `DIR` may be `memory`. Every run is bounded by its arguments; docs/performance.md has figures and method.

use bytes::Bytes;
use mta_core::base::event::Event;
use mta_core::base::flow::Answer;
use mta_core::base::flow::entry::{Entry, Fate, Progress};
use mta_core::base::flow::offer::{Offer, OfferedContent};
use mta_core::base::flow::operator::Selection;
use mta_core::base::flow::ruling::Ruling;
use mta_core::base::flow::spool::Spool;
use mta_core::base::mail::edits::Edits;
use mta_core::base::mail::envelope::{BodyType, Envelope, Recipient};
use mta_core::base::mail::id::QueueId;
use mta_core::base::time::{Now, UnixMillis};
use mta_core::base::world::store::{
    BlobWriter, Found, Journal, OpenBlob, Position, Record, Shrunk, Store, StoreFault, Write,
};
use mta_core::base::world::{Clock, Observe};
use mta_core::config::model::Storage;
use mta_core::edge::store;
use mta_core::path::spool::driver::{self, SpoolDoor, Tasks};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;

/// How long the spool is given to bring its directory into order: it looks at its index's size every ten seconds.
const SETTLED_AFTER: Duration = Duration::from_secs(15);
/// How long each load of the standard run lasts, in seconds.
const STANDARD_SECONDS: u64 = 3;
/// What the standard run fills the spool with.
const STANDARD_MESSAGES: usize = 200_000;

struct RealClock;

impl Clock for RealClock {
    fn now(&self) -> Now {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { mono: Instant::now(), wall: UnixMillis(u64::try_from(since.as_millis()).unwrap_or(0)) }
    }

    fn sleep_until(&self, when: Instant) -> Answer<'static, ()> {
        Box::pin(tokio::time::sleep_until(when.into()))
    }
}

/// Prints what an operator would see, but for the end of each message.
struct Print;

impl Observe for Print {
    fn event(&self, event: Event<'_>) {
        if !matches!(event, Event::Finished { .. }) {
            eprintln!("{}", serde_json::to_string(&event).unwrap_or_default());
        }
    }
}

/// Counts the groups: each is one fdatasync.
struct Counted {
    inner: Arc<dyn Store>,
    appends: AtomicU64,
}

type Reply<'a, T> = Answer<'a, Result<T, StoreFault>>;

impl Journal for Counted {
    fn append(&self, records: Vec<Record>) -> Reply<'_, Vec<Position>> {
        self.appends.fetch_add(1, Ordering::Relaxed);
        self.inner.append(records)
    }
    fn read(&self, at: Position, payload_bytes: usize) -> Reply<'_, Found> {
        self.inner.read(at, payload_bytes)
    }
    fn replay(&self, from: Position, bytes: usize) -> Reply<'_, Vec<Found>> {
        self.inner.replay(from, bytes)
    }
    fn extent(&self) -> (Position, Position) {
        self.inner.extent()
    }
    fn trim(&self, before: Position) -> Reply<'_, ()> {
        self.inner.trim(before)
    }
}

impl Store for Counted {
    fn get(&self, tree: &'static str, keys: Vec<Bytes>) -> Reply<'_, Vec<Option<Bytes>>> {
        self.inner.get(tree, keys)
    }
    fn scan(&self, tree: &'static str, after: Option<Bytes>, limit: usize) -> Reply<'_, Vec<(Bytes, Bytes)>> {
        self.inner.scan(tree, after, limit)
    }
    fn apply(&self, writes: Vec<Write>) -> Reply<'_, ()> {
        self.inner.apply(writes)
    }
    fn checkpoint(&self, upto: Position) -> Reply<'_, ()> {
        self.inner.checkpoint(upto)
    }
    fn checkpointed(&self) -> Option<Position> {
        self.inner.checkpointed()
    }
    fn index_lost(&self) -> Option<String> {
        self.inner.index_lost()
    }
    fn reset_trees(&self) -> Reply<'_, ()> {
        self.inner.reset_trees()
    }
    fn shrink_trees(&self) -> Reply<'_, Shrunk> {
        self.inner.shrink_trees()
    }
    fn blob(&self, name: &str) -> Reply<'_, Box<dyn BlobWriter>> {
        self.inner.blob(name)
    }
    fn open_blob(&self, name: &str) -> Reply<'_, OpenBlob> {
        self.inner.open_blob(name)
    }
    fn remove_blob(&self, name: &str) -> Reply<'_, ()> {
        self.inner.remove_blob(name)
    }
    fn blobs(&self) -> Reply<'_, Vec<String>> {
        self.inner.blobs()
    }
    fn free_bytes(&self) -> Option<u64> {
        self.inner.free_bytes()
    }
}

struct Bench {
    door: Arc<SpoolDoor>,
    tasks: Tasks,
    store: Arc<Counted>,
    next: AtomicU64,
}

impl Bench {
    async fn open(dir: &str) -> Self {
        let storage = Storage::default();
        let inner = match dir {
            "memory" => store::memory::open(),
            dir => store::sled::open(Path::new(dir), &storage).expect("the directory can be opened"),
        };
        let store = Arc::new(Counted { inner, appends: AtomicU64::new(0) });
        let (admit, mut admitted) = mpsc::channel(10_000);
        tokio::spawn(async move { while admitted.recv().await.is_some() {} });
        let shared: Arc<dyn Store> = store.clone();
        let opened = driver::open(shared, Arc::new(Print), Arc::new(RealClock), storage, admit).await;
        let (door, tasks) = opened.expect("the spool opens");
        Self { door, tasks, store, next: AtomicU64::new(0) }
    }

    async fn close(self) {
        self.door.close().await;
        drop(self.door);
        self.tasks.ended().await;
    }

    fn offer(&self, content: &Bytes) -> Offer {
        let now = RealClock.now().wall;
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        // Random in the low bits, as the real ones are.
        let random = u128::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        let address = |local: &str, domain: &str| {
            let json = serde_json::json!({ "local": local, "domain": { "Name": domain } });
            serde_json::from_value(json).expect("the literal is an address")
        };
        let template = TEMPLATE.get_or_init(|| {
            let to = address("somebody", "recipient.example");
            let recipients = vec![Recipient { address: to, notify: None, orcpt: None }];
            let sender = Some(address("sender", "origin.example"));
            let body = BodyType::EightBitMime;
            Envelope { sender, recipients, body, smtputf8: false, ret: None, envid: None }
        });
        let entry = Entry {
            id: QueueId::new(now, random),
            accepted: now,
            envelope: template.clone(),
            trace: "Received: from client.example (client.example [192.0.2.1])\r\n\tby mx.example.test with ESMTP id \
                    01JXXXXXXXXXXXXXXXXXXXXXXX;\r\n\tSun, 22 Nov 2026 12:00:00 +0000\r\n"
                .into(),
            edits: Edits::default(),
            size_bytes: content.len() as u64,
            head_bytes: 2,
            tenant: None,
            tags: Vec::new(),
            progress: vec![Progress::fresh(now)],
            placements: Vec::new(),
        };
        Offer { entry, content: OfferedContent::Memory(content.clone()) }
    }

    async fn end(&self, id: QueueId) {
        let changes = vec![(0, Progress::Done(Fate::Delivered))];
        self.door
            .rule(Ruling { id, changes, placements: Vec::new(), notifications: Vec::new() })
            .await
            .expect("the measured disk takes rulings, else the figures mean nothing");
    }
}

static TEMPLATE: std::sync::OnceLock<Envelope> = std::sync::OnceLock::new();

fn content(octets: usize) -> Bytes {
    let mut content = b"\r\n".to_vec();
    content.extend((0..octets.saturating_sub(2)).map(|i| b"abcdefghijklmnopqrstuvwxyz\r\n"[i % 28]));
    content.into()
}

async fn commit(dir: &str, sessions: usize, octets: usize, seconds: u64, finish: bool) {
    let bench = Arc::new(Bench::open(dir).await);
    let content = content(octets);
    let (began, cpu) = (Instant::now(), cpu_micros());
    let until = began + Duration::from_secs(seconds);
    let session = |_| {
        let (bench, content) = (Arc::clone(&bench), content.clone());
        tokio::spawn(async move {
            let mut accepted = 0u64;
            while Instant::now() < until {
                let offer = bench.offer(&content);
                let id = offer.entry.id;
                bench.door.accept(offer).await.expect("the measured disk takes mail, else the figures mean nothing");
                accepted += 1;
                if finish {
                    let read = bench.door.content(id).await.expect("what was just accepted can be read");
                    assert_eq!(read.size_bytes(), content.len() as u64);
                    bench.end(id).await;
                }
            }
            accepted
        })
    };
    let sessions: Vec<_> = (0..sessions).map(session).collect();
    let mut accepted = 0;
    for session in sessions {
        accepted += session.await.expect("a session ends by its own clock");
    }
    let took = began.elapsed().as_secs_f64();
    let cpu = cpu_micros() - cpu;
    let appends = bench.store.appends.load(Ordering::Relaxed);
    println!(
        "{accepted} messages in {took:.2} s: {:.0} a second, {:.1} us CPU and {:.3} flushes a message; RSS {} MiB",
        accepted as f64 / took,
        cpu as f64 / accepted as f64,
        appends as f64 / accepted as f64,
        rss_kib() / 1024
    );
    if let Ok(bench) = Arc::try_unwrap(bench) {
        bench.close().await;
    }
}

async fn rounds(dir: &str, messages: usize, rounds: usize, octets: usize) {
    let bench = Bench::open(dir).await;
    let content = content(octets);
    println!("round stored_mib ended_mib journal_mib index_mib seconds");
    for round in 1..=rounds {
        let began = Instant::now();
        let mut ids = Vec::with_capacity(messages);
        for chunk in 0..messages.div_ceil(200) {
            let count = 200.min(messages - chunk * 200);
            let accepts = (0..count).map(|_| async {
                let offer = bench.offer(&content);
                let id = offer.entry.id;
                bench.door.accept(offer).await.expect("the measured disk takes mail, else the figures mean nothing");
                id
            });
            ids.extend(futures_util::future::join_all(accepts).await);
        }
        let stored = disk_bytes(Path::new(dir));
        for chunk in ids.chunks(200) {
            futures_util::future::join_all(chunk.iter().map(|id| bench.end(*id))).await;
        }
        let mib = |path: &Path| disk_bytes(path) as f64 / f64::from(1 << 20);
        let dir = Path::new(dir);
        println!(
            "{round} {:.1} {:.1} {:.1} {:.1} {:.1}",
            stored as f64 / f64::from(1 << 20),
            mib(dir),
            mib(&dir.join("journal")),
            mib(&dir.join("index")),
            began.elapsed().as_secs_f64()
        );
    }
    tokio::time::sleep(SETTLED_AFTER).await;
    let settled = disk_bytes(Path::new(dir)) as f64 / f64::from(1 << 20);
    println!("{} s later: {settled:.1} MiB", SETTLED_AFTER.as_secs());
    bench.close().await;
    println!("after closing: {:.1} MiB", disk_bytes(Path::new(dir)) as f64 / f64::from(1 << 20));
}

async fn fill(dir: &str, messages: usize, octets: usize) {
    let bench = Bench::open(dir).await;
    let content = content(octets);
    let began = Instant::now();
    for chunk in 0..messages.div_ceil(500) {
        let count = 500.min(messages - chunk * 500);
        let accepts = (0..count).map(|_| async {
            bench
                .door
                .accept(bench.offer(&content))
                .await
                .expect("the measured disk takes mail, else the figures mean nothing");
        });
        futures_util::future::join_all(accepts).await;
    }
    println!("{messages} stored in {:.1} s", began.elapsed().as_secs_f64());
    bench.close().await;
    println!("{:.1} MiB on disk", disk_bytes(Path::new(dir)) as f64 / f64::from(1 << 20));
}

async fn start(dir: &str) {
    let before = rss_kib();
    let began = Instant::now();
    let bench = Bench::open(dir).await;
    let opened = began.elapsed();
    // About what a queue keeps of each: its name, when it is due, where it goes.
    let mut queue: Vec<(QueueId, UnixMillis, u32)> = Vec::new();
    let mut after = None;
    loop {
        let page = bench.door.list(Selection::default(), after, 4096).await.expect("an opened spool can be listed");
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        queue.extend(page.iter().map(|entry| (entry.id, entry.accepted, 0)));
    }
    let listed = began.elapsed();
    let grown = rss_kib() - before;
    println!(
        "{} messages: open in {:.2} s, listed after {:.2} s, {} KiB more RSS: {:.0} octets a message",
        queue.len(),
        opened.as_secs_f64(),
        listed.as_secs_f64(),
        grown,
        grown as f64 * 1024.0 / queue.len().max(1) as f64
    );
    bench.close().await;
}

/// CPU time of this process so far, all threads, user and system.
fn cpu_micros() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = behind_name.split_whitespace().collect();
    let ticks: u64 = [11, 12].iter().filter_map(|i| fields.get(*i)?.parse::<u64>().ok()).sum();
    // Linux counts in hundredths of a second.
    ticks * 10_000
}

fn rss_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

/// What the directory takes on disk.
fn disk_bytes(dir: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let Ok(items) = fs::read_dir(dir) else { return 0 };
    let sizes = items.flatten().map(|item| match item.metadata() {
        Ok(meta) if meta.is_dir() => disk_bytes(&item.path()),
        Ok(meta) => meta.blocks() * 512,
        Err(_) => 0,
    });
    sizes.sum()
}

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<usize>().expect("the arguments are as the head of this file says");
    match args[..] {
        ["commit", dir, sessions, octets, seconds, ref rest @ ..] => {
            commit(dir, number(sessions), number(octets), number(seconds) as u64, rest == ["finish"]).await;
        }
        ["rounds", dir, messages, count, octets] => rounds(dir, number(messages), number(count), number(octets)).await,
        ["fill", dir, messages, octets] => fill(dir, number(messages), number(octets)).await,
        ["start", dir] => start(dir).await,
        [] => standard().await,
        _ => eprintln!("see the top of examples/spool_bench.rs"),
    }
}

/// Loads of each kind but `rounds`, on the disk of the system's directory for temporary files.
async fn standard() {
    for (sessions, octets, finish) in [(1, 4096, false), (20, 4096, false), (200, 4096, false), (20, 65_536, false)]
        .into_iter()
        .chain([(20, 4096, true), (200, 4096, true)])
    {
        let folder = tempfile::tempdir().expect("a folder for the run");
        let ended = if finish { ", read and ended" } else { "" };
        print!("{sessions} sessions, {} KiB{ended}: ", octets / 1024);
        commit(&folder.path().to_string_lossy(), sessions, octets, STANDARD_SECONDS, finish).await;
    }
    let folder = tempfile::tempdir().expect("a folder for the run");
    let dir = folder.path().to_string_lossy();
    fill(&dir, STANDARD_MESSAGES, 1024).await;
    start(&dir).await;
}
