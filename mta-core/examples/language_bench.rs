//! What a call costs in other languages: the plugins of plugins/examples, asked through policy's door.
//!
//! `cargo run --release -p mta-core --example language_bench FOLDER [threads]`, with their components in the folder. Each
//! line is the median of many batches. docs/performance.md has the figures.

mod guest;

use bytes::Bytes;
use mta_core::base::flow::policy::{Asked, Policy, SessionInfo, Submission};
use mta_core::base::mail::content::{Body, Content};
use mta_core::base::mail::envelope::Envelope;
use mta_core::base::mail::id::QueueId;
use mta_core::config::model::{EditGrant, Plugin, PluginSource};
use mta_core::path::policy::Host;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Calls in a batch, and batches.
const BATCH: u32 = 50;
const BATCHES: usize = 61;

/// One example: its component, its grants, its configuration, and whether it is asked at `on-data` or at `on-rcpt`.
struct Example {
    file: &'static str,
    allow: &'static [&'static str],
    config: &'static str,
    data: bool,
}

const EXAMPLES: [Example; 3] = [
    Example { file: "greylist.wasm", allow: &["kv:greylist", "clock"], config: r#"{"delay_seconds":0}"#, data: false },
    Example {
        file: "subject-rule.wasm",
        allow: &[],
        config: r#"{"rules":[{"subject":"invoice","verdict":"mark"}]}"#,
        data: true,
    },
    Example {
        file: "rate-limit.wasm",
        allow: &["kv:rates"],
        config: r#"{"recipients":1000000,"seconds":1}"#,
        data: false,
    },
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("name the folder with the components")?;
    let threads: usize = arguments.next().map_or(Ok(1), |text| text.parse())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    println!("{threads} thread(s), each line: median (lowest, highest) of {BATCHES} batches of {BATCH}");
    for example in EXAMPLES {
        let octets = Bytes::from(std::fs::read(Path::new(&folder).join(example.file))?);
        let (bytes, start) = (octets.len(), Instant::now());
        let host = Arc::new(runtime.block_on(guest::host(vec![(plugin(&example), octets)]))?);
        println!("{}: {bytes} octets, loaded in {:.0} ms", example.file, start.elapsed().as_secs_f64() * 1e3);
        let envelope = Arc::new(guest::envelope()?);
        let workers: Vec<_> =
            (0..threads).map(|_| runtime.spawn(worker(host.clone(), envelope.clone(), example.data))).collect();
        let mut times = Vec::new();
        for worker in workers {
            times.append(&mut runtime.block_on(worker)?);
        }
        times.sort_unstable();
        let micros = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e6 / f64::from(BATCH));
        let (low, mid, high) = (times.first(), times.get(times.len() / 2), times.last());
        let hook = if example.data { "on-data" } else { "on-rcpt" };
        println!("{hook:<8} {:>8.1} µs ({:.1}, {:.1})", micros(mid), micros(low), micros(high));
    }
    Ok(())
}

fn plugin(example: &Example) -> Plugin {
    Plugin {
        allow: example.allow.iter().map(|word| (*word).into()).collect(),
        edit: vec![EditGrant::Headers],
        config_json: example.config.to_owned(),
        ..Plugin::new("example", PluginSource::Builtin("example".into()))
    }
}

/// Each call is of a transaction of its own.
async fn worker(host: Arc<Host>, envelope: Arc<Envelope>, data: bool) -> Vec<Duration> {
    let head = Bytes::from_static(b"From: from@example.org\r\nTo: a@example.net\r\nSubject: Hello, world\r\n\r\n");
    let content = Content { head, body: Body::Memory(Bytes::from(vec![b'x'; 4000])) };
    let mut session = host.session(SessionInfo {
        id: "bench".into(),
        listener: "mx".into(),
        peer: SocketAddr::from((Ipv4Addr::LOCALHOST, 4711)),
        helo: None,
    });
    let mut times = Vec::with_capacity(BATCHES);
    for _ in 0..BATCHES {
        let start = Instant::now();
        for _ in 0..BATCH {
            if data {
                let submission =
                    Submission { id: QueueId(7), envelope: &envelope, content: &content, size_bytes_max: 1 << 20 };
                drop(session.data(submission).await);
            } else {
                session.gate(Asked::Rcpt { sender: None, to: &envelope.recipients[0] }).await;
            }
            session.transaction_ended();
        }
        times.push(start.elapsed());
    }
    times
}
