//! What chains of plugins cost a message: a relay's hooks in their order, by sessions that take turns.
//!
//! `cargo run --release -p mta-core --example chain_bench [CHAIN] [SESSIONS] [KIB]`. CHAIN is `none`, `hello` or `standard` (the
//! plugins of `relay_bench/standard.toml`). Between two hooks so many KiB of other memory are written, which clears the
//! caches of data. In a server that relays the same calls cost more: its kernel has been there between two hooks, and code is
//! cold too. docs/performance.md has the figures.

#[path = "guest/host.rs"]
mod host;
#[path = "guest/mail.rs"]
mod mail;

use mail::Mail;
use mta_core::base::flow::policy::{Asked, Attempted, Hook, Outcome, Policy, SessionPolicy, Unplaced};
use mta_core::base::smtp::reply::Reply;
use mta_core::config::model::Config;
use mta_core::config::parse::parse;
use mta_core::edge::plugins;
use mta_core::edge::world::clock::SystemClock;
use mta_core::path::policy::Host;
use mta_core::path::suppress::driver::Suppressor;
use mta_core::sandbox::{Secret, Supplies};
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Messages of a batch, of all sessions together, where there are not more sessions; and batches.
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

/// The hooks that a message meets, in order.
const HOOKS: [Hook; 7] = [Hook::Connect, Hook::Mail, Hook::Rcpt, Hook::Data, Hook::Route, Hook::PreSend, Hook::Outcome];

struct Bench {
    host: Host,
    config: Config,
    mail: Mail,
    reply: Reply,
    /// What is written to between two hooks.
    other: Vec<u64>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let chain = words.next().unwrap_or_else(|| "standard".to_owned());
    let mut number = |what: &str, default: usize, max: usize| match words.next().map(|word| word.parse::<usize>()) {
        None => Ok(default),
        Some(Ok(number)) if number <= max => Ok(number),
        Some(_) => Err(format!("{what} is a number up to {max}")),
    };
    let (sessions, other_kib) = (number("SESSIONS", 20, SESSIONS_MAX)?.max(1), number("KIB", 0, OTHER_KIB_MAX)?);
    let mut bench = Bench::new(&chain, other_kib).await?;
    let mut sessions: Vec<_> = (0..sessions).map(|_| host::session(&bench.host)).collect();
    let rounds = (MESSAGES / sessions.len()).max(1);
    let messages = (rounds * sessions.len()) as f64;
    let mut took: Vec<[Duration; HOOKS.len()]> = Vec::new();
    for _ in 0..=BATCHES {
        took.push(bench.batch(&mut sessions, rounds).await);
    }
    // In the first one instances are made.
    took.remove(0);
    let median = |mut times: Vec<Duration>| {
        times.sort_unstable();
        times.get(times.len() / 2).map_or(0.0, |time| time.as_secs_f64() * 1e6 / messages)
    };
    println!(
        "{chain}, {} sessions in turn, {other_kib} KiB of other memory between hooks; µs a message:",
        sessions.len()
    );
    for (step, hook) in HOOKS.iter().enumerate() {
        println!("{:<10} {:>8.2}", hook.name(), median(took.iter().map(|times| times[step]).collect()));
    }
    println!("{:<10} {:>8.2}", "all", median(took.iter().map(|times| times.iter().sum()).collect()));
    Ok(())
}

impl Bench {
    async fn new(chain: &str, other_kib: usize) -> Result<Self, Box<dyn Error>> {
        let chain = match chain {
            "none" => String::new(),
            "hello" => HELLO.to_owned(),
            "standard" => STANDARD.to_owned(),
            other => return Err(format!("{other} is no chain: none, hello or standard").into()),
        };
        let config = parse("bench", &format!("{SERVER}\n{chain}"), &[]).map_err(|problems| problems.to_string())?;
        // In the place of the file that the configuration names.
        let secret = Secret::new(b"a secret of thirty-two octets....".to_vec())?;
        let supplies = Supplies { secrets: vec![("links".into(), Arc::new(secret))], ..Supplies::default() };
        let suppress = Suppressor::open(None, Arc::new(SystemClock), Arc::new(host::Faults)).await?;
        let host = host::without_plugins(Some(Arc::new(suppress)))?;
        host.load(&config.plugins, &supplies, &plugins::read).await?;
        let head = "From: from@example.org\r\nTo: a@example.net\r\nSubject: Hello, world\r\nMIME-Version: 1.0\r\n\
            Date: Mon, 30 Nov 2026 09:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n\r\n";
        let body = format!("{}\r\n", "x".repeat(76)).repeat(50);
        let mail = Mail::new(host::envelope()?, head, body.into());
        let reply = Reply::from_text(250, None, "2.0.0 taken");
        Ok(Self { host, config, mail, reply, other: vec![0; other_kib * 128] })
    }

    /// One batch: in each round every session comes one step further. The time of each step.
    async fn batch(&mut self, sessions: &mut [Box<dyn SessionPolicy>], rounds: usize) -> [Duration; HOOKS.len()] {
        let mut took = [Duration::ZERO; HOOKS.len()];
        for _ in 0..rounds {
            for (hook, took) in HOOKS.into_iter().zip(&mut took) {
                for session in &mut *sessions {
                    self.other();
                    let start = Instant::now();
                    self.ask(hook, &mut **session).await;
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

    async fn ask(&self, hook: Hook, session: &mut dyn SessionPolicy) {
        let Mail { entry, content } = &self.mail;
        match hook {
            Hook::Connect => drop(session.gate(Asked::Connect).await),
            Hook::Mail => {
                let asked = Asked::Mail { envelope: &entry.envelope, size_bytes: Some(4096) };
                drop(session.gate(asked).await);
            }
            Hook::Rcpt => drop(session.gate(self.mail.rcpt()).await),
            Hook::Data => {
                drop(session.data(self.mail.submission()).await);
                session.transaction_ended();
            }
            Hook::Route => {
                let unplaced = Unplaced { entry, content, recipient: 0, attempt: 1, routes: &self.config };
                drop(self.host.route(unplaced).await);
            }
            Hook::PreSend => drop(self.host.pre_send(self.mail.sendout()).await),
            Hook::Outcome => {
                self.host.outcome(&Attempted {
                    entry: Arc::clone(entry),
                    content: Some(content.clone()),
                    recipient: 0,
                    attempt: 1,
                    site: "mx".into(),
                    outcome: Outcome::Delivered(self.reply.clone()),
                });
                self.host.told().await;
            }
            // Not among the hooks above.
            Hook::Helo | Hook::Auth | Hook::Password | Hook::Feedback | Hook::Http | Hook::Tick | Hook::Disconnect => {}
        }
    }
}
