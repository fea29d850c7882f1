//! What plugins cost: `builtin:hello` asked through policy's door, at each hook and for whole transactions.
//!
//! `cargo run --release -p mta-core --example policy_bench [threads] [COMPONENT]`. Each line is the median of many batches; a
//! run takes about ten seconds. With a component of plugins/examples it measures that one alone, which takes some minutes
//! for an interpreter. docs/performance.md has the figures.

mod guest;
#[path = "guest/mail.rs"]
mod mail;

use bytes::Bytes;
use mail::Mail;
use mta_core::base::flow::policy::{Asked, Hook, Policy, SessionPolicy};
use mta_core::config::model::{EditGrant, Plugin, PluginSource};
use mta_core::edge::plugins;
use mta_core::path::policy::Host;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// Calls in a batch, and batches: together about a second a line.
const BATCH: u32 = 500;
const BATCHES: usize = 61;
/// The most threads that one run uses.
const THREADS_MAX: usize = 64;

/// Whom every worker asks, and about what.
struct Bench {
    host: Host,
    mail: Mail,
}

fn main() -> Result<(), Box<dyn Error>> {
    let threads = std::env::args().nth(1).map_or(Ok(1), |text| text.parse())?;
    let threads = usize::clamp(threads, 1, THREADS_MAX);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    println!("{threads} thread(s), each line: median (lowest, highest) of {BATCHES} batches of {BATCH}");
    for (bench, what) in lines(&runtime, std::env::args().nth(2).as_deref())? {
        let workers: Vec<_> = (0..threads).map(|_| runtime.spawn(worker(bench.clone(), what))).collect();
        let mut times = Vec::new();
        for worker in workers {
            times.append(&mut runtime.block_on(worker)?);
        }
        times.sort_unstable();
        let micros = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e6 / f64::from(BATCH));
        let (low, mid, high) = (times.first(), times.get(times.len() / 2), times.last());
        println!("{:<52} {:>7.3} µs ({:.3}, {:.3})", what.words(), micros(mid), micros(low), micros(high));
    }
    Ok(())
}

/// Whom to ask, and what.
type Line = (Arc<Bench>, What);

/// What is measured: `builtin:hello` and guests of a few instructions, or one of the larger examples alone. Each host
/// reserves address space for thousands of instances, so that one process has room for few.
fn lines(runtime: &Runtime, example: Option<&str>) -> Result<Vec<Line>, Box<dyn Error>> {
    let host = |plugin| Ok::<_, Box<dyn Error>>(Arc::new(runtime.block_on(bench(plugin))?));
    if let Some(path) = example {
        let known = EXAMPLES.into_iter().find(|(file, ..)| Path::new(path).ends_with(file));
        let (_, what, allow, config) = known.ok_or_else(|| format!("{path} is none of plugins/examples"))?;
        return Ok(vec![(host(component(path, allow, config)?)?, what)]);
    }
    let (hello, nothing, taking) = (host(hello()?)?, host(rcpt(false)?)?, host(rcpt(true)?)?);
    Ok(vec![
        (hello.clone(), What::Connect),
        (hello.clone(), What::Rcpt),
        (hello.clone(), What::Data),
        (hello.clone(), What::Transaction),
        (hello, What::PreSend),
        (nothing.clone(), What::Nothing),
        (taking, What::Take),
        (nothing.clone(), What::Absent),
        (nothing, What::AbsentAsked),
    ])
}

#[derive(Clone, Copy)]
enum What {
    Connect,
    Rcpt,
    Data,
    Transaction,
    PreSend,
    Nothing,
    Take,
    Absent,
    AbsentAsked,
    Greylist,
    RateLimit,
    SubjectRule,
}

/// Components, their grants and their configuration.
const EXAMPLES: [(&str, What, &[&str], &str); 3] = [
    ("greylist.wasm", What::Greylist, &["kv:greylist", "clock"], r#"{"delay_seconds":0}"#),
    ("rate-limit.wasm", What::RateLimit, &["kv:rates"], r#"{"recipients":1000000,"seconds":1}"#),
    ("subject-rule.wasm", What::SubjectRule, &[], r#"{"rules":[{"subject":"invoice","verdict":"mark"}]}"#),
];

impl What {
    fn words(self) -> &'static str {
        match self {
            Self::Connect => "on-connect: instance restored, call, at rest",
            Self::Rcpt => "on-rcpt, the transaction has its instance",
            Self::Data => "on-data (Subject, add a field), instance restored",
            Self::Transaction => "on-rcpt and on-data, instance restored",
            Self::PreSend => "on-pre-send: instance restored, call, at rest",
            Self::Nothing => "on-rcpt that does nothing",
            Self::Take => "on-rcpt that takes from a limit in a bucket",
            Self::Absent => "whether there is a hook that no plugin has",
            Self::AbsentAsked => "on-helo asked though no plugin has it",
            Self::Greylist => "C: on-rcpt of the greylist, with its instance",
            Self::RateLimit => "Python: on-rcpt of the rate limit, with its instance",
            Self::SubjectRule => "JavaScript: on-data of the subject rule, with its instance",
        }
    }
}

async fn worker(bench: Arc<Bench>, what: What) -> Vec<Duration> {
    let mut times = Vec::with_capacity(BATCHES);
    let mut session = guest::session(&bench.host);
    for _ in 0..BATCHES {
        let start = Instant::now();
        for _ in 0..BATCH {
            bench.ask(&mut *session, what).await;
        }
        times.push(start.elapsed());
        session.transaction_ended();
    }
    times
}

impl Bench {
    async fn ask(&self, session: &mut dyn SessionPolicy, what: What) {
        match what {
            What::Connect => drop(session.gate(Asked::Connect).await),
            What::Rcpt | What::Nothing | What::Take => {
                drop(session.gate(self.mail.rcpt()).await);
            }
            What::Absent => {
                std::hint::black_box(self.host.has(std::hint::black_box(Hook::Helo)));
            }
            What::AbsentAsked => drop(session.gate(Asked::Helo("mx.example.org")).await),
            What::Data | What::SubjectRule => drop(session.data(self.mail.submission()).await),
            What::Greylist | What::RateLimit => {
                session.gate(self.mail.rcpt()).await;
                session.transaction_ended();
            }
            What::Transaction => {
                session.gate(self.mail.rcpt()).await;
                session.data(self.mail.submission()).await;
                session.transaction_ended();
            }
            What::PreSend => drop(self.host.pre_send(self.mail.sendout()).await),
        }
    }
}

/// The plugin that the first lines are about.
fn hello() -> Result<(Plugin, Bytes), Box<dyn Error>> {
    let source = PluginSource::Builtin("hello".into());
    let octets = plugins::read(&source)?;
    let hello = Plugin { allow: vec!["log".into()], edit: vec![EditGrant::Headers], ..Plugin::new("hello", source) };
    Ok((Plugin { config_json: r#"{"header":"X-Hello"}"#.to_owned(), ..hello }, octets))
}

/// A plugin that only has on-rcpt: does nothing there, or takes from a rate limit that is never used up.
fn rcpt(takes: bool) -> Result<(Plugin, Bytes), Box<dyn Error>> {
    // A sender is 5 words once flattened, a recipient 4, parameters 2.
    let hook = ("on-rcpt", "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)");
    let plugin =
        Plugin { allow: vec!["kv:limits".into()], ..Plugin::new("rcpt", PluginSource::Builtin("rcpt".into())) };
    let take = [("kv", "take", "(param i32 i32 i32 i32 i32 i32 i64 i32)")];
    let data = r#"(data (i32.const 16) "limits") (data (i32.const 32) "192.0.2.1")"#;
    let body = "(call $take (i32.const 16) (i32.const 6) (i32.const 32) (i32.const 9) (i32.const 1)
        (i32.const 1000000000) (i64.const 1000) (i32.const 2048))";
    let octets = if takes { guest::guest(&take, data, hook, body)? } else { guest::guest(&[], "", hook, "")? };
    Ok((plugin, octets))
}

/// A plugin of plugins/examples.
fn component(path: &str, allow: &[&str], config: &str) -> Result<(Plugin, Bytes), Box<dyn Error>> {
    let octets = std::fs::read(path)?;
    let allow = allow.iter().map(|word| (*word).into()).collect();
    let plain = Plugin::new("example", PluginSource::Builtin("example".into()));
    Ok((Plugin { allow, edit: vec![EditGrant::Headers], config_json: config.to_owned(), ..plain }, octets.into()))
}

async fn bench(plugin: (Plugin, Bytes)) -> Result<Bench, Box<dyn Error>> {
    let start = Instant::now();
    let host = guest::host(vec![plugin]).await?;
    println!("load (compile, configure, self-test): {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
    let head = "From: from@example.org\r\nTo: a@example.net\r\nSubject: Hello, world\r\nMIME-Version: 1.0\r\n\r\n";
    Ok(Bench { host, mail: Mail::new(guest::envelope()?, head, vec![b'x'; 4000]) })
}
