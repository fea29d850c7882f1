//! What chains of plugins cost a message: a relay's hooks in their order, by sessions that take turns.
//!
//! `cargo run --release -p mta-core --example chain_bench [CHAIN] [SESSIONS] [KIB]`. CHAIN is `none`, `hello` or `standard` (the
//! plugins of `relay_bench/standard.toml`). Between two hooks so many KiB of other memory are read and written, as the rest of a
//! server would: with 0 and one session everything lies in the inner caches, and plugins look several times as cheap as they
//! are. docs/performance.md has the figures.

#[path = "guest/empty.rs"]
mod empty;

use bytes::Bytes;
use mta_core::base::flow::entry::{Entry, Progress};
use mta_core::base::flow::policy::{
    Asked, Attempted, Outcome, Policy, Sendout, SessionInfo, SessionPolicy, Submission, Unplaced,
};
use mta_core::base::mail::content::{Body, Content};
use mta_core::base::mail::edits::Edits;
use mta_core::base::mail::id::QueueId;
use mta_core::base::smtp::reply::Reply;
use mta_core::base::time::UnixMillis;
use mta_core::config::model::Config;
use mta_core::config::parse::parse;
use mta_core::edge::plugins;
use mta_core::edge::world::clock::SystemClock;
use mta_core::path::policy::Host;
use mta_core::path::suppress::driver::Suppressor;
use mta_core::sandbox::{Secret, Supplies};
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Messages of each session in a batch, and batches.
const MESSAGES: usize = 500;
const BATCHES: usize = 21;
/// The most sessions and the most other memory of a run.
const SESSIONS_MAX: usize = 1_000;
const OTHER_KIB_MAX: usize = 64 * 1024;

const STANDARD: &str = include_str!("relay_bench/standard.toml");
const HELLO: &str = r#"
    [[plugin]]
    name = "hello"
    source = "builtin:hello"
    allow = ["log"]
    edit = ["headers"]
"#;
const SERVER: &str = r#"
    hostname = "mx.example"
    data_dir = "unused"
    [[listener]]
    name = "mx"
    bind = "127.0.0.1:2525"
    [[route]]
    to = "*"
    smarthost = "127.0.0.1:2526"
"#;

/// What is asked of a message, in order.
const STEPS: [&str; 7] = ["connect", "mail", "rcpt", "data", "route", "pre-send", "outcome"];

struct Bench {
    host: Host,
    config: Config,
    entry: Arc<Entry>,
    content: Content,
    reply: Reply,
    /// What is written to between two hooks.
    other: Vec<u64>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let chain = words.next().unwrap_or_else(|| "standard".to_owned());
    let mut number = |default: usize, max: usize| match words.next().map(|word| word.parse::<usize>()) {
        None => Ok(default),
        Some(Ok(number)) if number <= max => Ok(number),
        Some(_) => Err(format!("wants a number up to {max}")),
    };
    let (sessions, other_kib) = (number(20, SESSIONS_MAX)?.max(1), number(0, OTHER_KIB_MAX)?);
    let mut bench = Bench::new(&chain, other_kib).await?;
    let mut sessions: Vec<_> = (0..sessions).map(|_| bench.session()).collect();
    let mut took: Vec<[Duration; STEPS.len()]> = Vec::new();
    for _ in 0..=BATCHES {
        took.push(bench.batch(&mut sessions).await);
    }
    // In the first one instances are made.
    took.remove(0);
    let median = |mut times: Vec<Duration>| {
        times.sort_unstable();
        times.get(times.len() / 2).map_or(0.0, |time| time.as_secs_f64() * 1e6 / MESSAGES as f64)
    };
    println!(
        "{chain}, {} sessions in turn, {other_kib} KiB of other memory between hooks; µs a message:",
        sessions.len()
    );
    for (step, name) in STEPS.iter().enumerate() {
        println!("{name:<10} {:>8.2}", median(took.iter().map(|times| times[step]).collect()));
    }
    println!("{:<10} {:>8.2}", "all", median(took.iter().map(|times| times.iter().sum()).collect()));
    Ok(())
}

impl Bench {
    async fn new(chain: &str, other_kib: usize) -> Result<Self, Box<dyn Error>> {
        let key = std::env::temp_dir().join("mailwright-chain-bench.key");
        std::fs::write(&key, "a secret of thirty-two octets....")?;
        let chain = match chain {
            "none" => String::new(),
            "hello" => HELLO.to_owned(),
            "standard" => STANDARD.replace("KEY", &key.display().to_string()),
            other => return Err(format!("{other} is no chain: none, hello or standard").into()),
        };
        let config = parse("bench", &format!("{SERVER}\n{chain}"), &[]).map_err(|problems| problems.to_string())?;
        let secret = Secret::new(std::fs::read(&key)?)?;
        let supplies = Supplies { secrets: vec![("links".into(), Arc::new(secret))], ..Supplies::default() };
        let suppress = Suppressor::open(None, Arc::new(SystemClock), Arc::new(empty::Faults)).await?;
        let host = empty::empty(Some(Arc::new(suppress)))?;
        host.load(&config.plugins, &supplies, &plugins::read).await?;
        let envelope = empty::envelope()?;
        let entry = Entry {
            id: QueueId(7),
            accepted: UnixMillis(0),
            envelope,
            trace: "".into(),
            edits: Edits::default(),
            size_bytes: 4096,
            head_bytes: 0,
            tenant: None,
            tags: Vec::new(),
            progress: vec![Progress::fresh(UnixMillis(0))],
            placements: Vec::new(),
        };
        let head = "From: from@example.org\r\nTo: a@example.net\r\nSubject: Hello, world\r\nMIME-Version: 1.0\r\n\
            Date: Mon, 30 Nov 2026 09:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n\r\n";
        let line = format!("{}\r\n", "x".repeat(76));
        let content =
            Content { head: Bytes::from_static(head.as_bytes()), body: Body::Memory(Bytes::from(line.repeat(50))) };
        let reply = Reply::from_text(250, None, "2.0.0 taken");
        Ok(Self { host, config, entry: Arc::new(entry), content, reply, other: vec![0; other_kib * 128] })
    }

    fn session(&self) -> Box<dyn SessionPolicy> {
        self.host.session(SessionInfo {
            id: "bench".into(),
            listener: "mx".into(),
            peer: SocketAddr::from((Ipv4Addr::LOCALHOST, 4711)),
            helo: None,
            tls: None,
            user: None,
        })
    }

    /// One batch: in each round every session comes one step further. The time of each step.
    async fn batch(&mut self, sessions: &mut [Box<dyn SessionPolicy>]) -> [Duration; STEPS.len()] {
        let mut took = [Duration::ZERO; STEPS.len()];
        for _ in 0..MESSAGES / sessions.len().min(MESSAGES) {
            for (step, took) in took.iter_mut().enumerate() {
                for session in &mut *sessions {
                    self.other();
                    let start = Instant::now();
                    self.step(step, &mut **session).await;
                    *took += start.elapsed();
                }
            }
        }
        took
    }

    /// What the rest of a server does to the caches.
    fn other(&mut self) {
        for place in self.other.iter_mut().step_by(8) {
            *place = place.wrapping_add(1);
        }
        std::hint::black_box(&mut self.other);
    }

    async fn step(&self, step: usize, session: &mut dyn SessionPolicy) {
        let entry = &self.entry;
        match STEPS[step] {
            "connect" => drop(session.gate(Asked::Connect).await),
            "mail" => {
                let asked = Asked::Mail { envelope: &entry.envelope, size_bytes: Some(4096) };
                drop(session.gate(asked).await);
            }
            "rcpt" => drop(session.gate(Asked::Rcpt { sender: None, to: &entry.envelope.recipients[0] }).await),
            "data" => {
                let submission = Submission {
                    id: entry.id,
                    envelope: &entry.envelope,
                    content: &self.content,
                    size_bytes_max: 1 << 20,
                    verified: None,
                    is_ours: false,
                };
                drop(session.data(submission).await);
                session.transaction_ended();
            }
            "route" => {
                let (content, routes) = (&self.content, &self.config);
                drop(self.host.route(Unplaced { entry, content, recipient: 0, attempt: 1, routes }).await);
            }
            "pre-send" => {
                let sendout = Sendout {
                    entry,
                    content: &self.content,
                    recipient: 0,
                    attempt: 1,
                    site: "mx",
                    size_bytes_max: 1 << 20,
                };
                drop(self.host.pre_send(sendout).await);
            }
            _ => {
                self.host.outcome(&Attempted {
                    entry: Arc::clone(entry),
                    content: Some(self.content.clone()),
                    recipient: 0,
                    attempt: 1,
                    site: "mx".into(),
                    outcome: Outcome::Delivered(self.reply.clone()),
                });
                self.host.told().await;
            }
        }
    }
}
