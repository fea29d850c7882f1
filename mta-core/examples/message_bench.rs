//! What a hook pays for the message: header fields, search, parts and a new body, for messages of three sizes.
//!
//! `cargo run --release -p mta-core --example message_bench`. The guests are a few instructions of WebAssembly each, so
//! that the host's part is what is seen; "nothing" is what an on-data hook costs that does nothing. Each line is the
//! median of many calls, in memory and with the body on a disk. A run takes about half a minute. docs/performance.md has
//! the figures.

mod guest;

use bytes::Bytes;
use mta_core::base::flow::policy::Submission;
use mta_core::base::mail::content::{Body, Content, ReadAt};
use mta_core::base::mail::header;
use mta_core::base::mail::id::QueueId;
use mta_core::config::model::{EditGrant, Plugin, PluginSource};
use mta_core::path::policy::Host;
use std::error::Error;
use std::fs::File;
use std::hint::black_box;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time for one line of the table, and its calls at most.
const LINE_TIME: Duration = Duration::from_secs(1);
const CALLS_MAX: usize = 20_000;
const BATCHES: usize = 101;
/// Header fields of the messages: about what mail has that came over three hops.
const FIELDS: usize = 30;

/// What a guest does in on-data. "Subject" lies at 16, "From" at 32, a needle that is nowhere at 48, answers at 2048.
const GUESTS: [(&str, &str); 5] = [
    ("nothing", ""),
    (
        "two headers read, one added",
        "(call $header (i32.const 16) (i32.const 7) (i32.const 2048))
         (call $header (i32.const 32) (i32.const 4) (i32.const 2048))
         (call $add-header (i32.const 16) (i32.const 7) (i32.const 32) (i32.const 4) (i32.const 2048))",
    ),
    ("search for what is not there", "(call $find (i32.const 48) (i32.const 8) (i64.const 0) (i32.const 2048))"),
    ("parts", "(call $parts (i32.const 2048))"),
    (
        "a line above the old body",
        "(call $write-body (i32.const 48) (i32.const 10) (i32.const 2048))
         (call $copy-body (i64.const BODY) (i64.const -1) (i32.const 2048))",
    ),
];

struct Disk(File);

impl ReadAt for Disk {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.0.read_at(&mut buffer[filled..], offset + filled as u64)? {
                0 => break,
                more => filled += more,
            }
        }
        Ok(filled)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    look(&content(4 << 10, false)?);
    runtime.block_on(async {
        for (place, on_disk) in [("in memory", false), ("on disk", true)] {
            for (size, bytes) in [("4 KiB", 4 << 10), ("1 MiB", 1 << 20), ("25 MiB", 25 << 20)] {
                let content = content(bytes, on_disk)?;
                for (what, body) in GUESTS {
                    let host = host(&body.replace("BODY", &content.head.len().to_string())).await?;
                    let (median, lowest) = measure(&host, &content).await?;
                    println!("{what}, {size} {place}: median (lowest)\t{median:.2} ({lowest:.2})\tµs");
                }
            }
        }
        Ok(())
    })
}

/// The median and the lowest time of an on-data, in microseconds.
async fn measure(host: &Host, content: &Content) -> Result<(f64, f64), Box<dyn Error>> {
    let envelope = guest::envelope()?;
    let mut session = guest::session(host);
    let mut times = Vec::with_capacity(CALLS_MAX);
    let began = Instant::now();
    while times.len() < CALLS_MAX && (began.elapsed() < LINE_TIME || times.len() < 5) {
        let submission = Submission {
            id: QueueId(7),
            envelope: &envelope,
            content,
            size_bytes_max: 1 << 30,
            verified: None,
            is_ours: false,
        };
        let start = Instant::now();
        drop(session.data(submission).await);
        times.push(start.elapsed());
        session.transaction_ended();
    }
    times.sort_unstable();
    let micros = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e6);
    Ok((micros(times.get(times.len() / 2)), micros(times.first())))
}

/// What a look through the whole header section costs by itself: whether an index would gain anything.
fn look(content: &Content) {
    const LOOKS: u32 = 1000;
    let mut times: Vec<Duration> = (0..BATCHES)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..LOOKS {
                black_box(header::find(black_box(&content.head), black_box("X-Not-There"), 0));
            }
            start.elapsed() / LOOKS
        })
        .collect();
    times.sort_unstable();
    let nanos = |time: Option<&Duration>| time.map_or(0, Duration::as_nanos);
    let (median, lowest) = (nanos(times.get(BATCHES / 2)), nanos(times.first()));
    println!("a look through {FIELDS} fields: median (lowest)\t{median} ({lowest})\tns");
}

/// A message with an attachment that makes it so long.
fn content(bytes: usize, on_disk: bool) -> Result<Content, Box<dyn Error>> {
    let mut head = String::new();
    for field in 0..FIELDS - 4 {
        let value =
            "from a.example ([192.0.2.1]) by b.example with ESMTP id 0123456789; Mon, 1 Jan 2024 00:00:00 +0000";
        head.push_str(&format!("X-Field-{field}: {value}\r\n"));
    }
    head.push_str("From: from@example.org\r\nSubject: Hello, world\r\nMIME-Version: 1.0\r\n");
    head.push_str("Content-Type: multipart/mixed; boundary=\"=_bench\"\r\n\r\n");
    let mut body = b"--=_bench\r\n\r\nHello\r\n--=_bench\r\nContent-Type: application/pdf; name=a.pdf\r\n\
        Content-Transfer-Encoding: base64\r\n\r\n"
        .to_vec();
    let line = format!("{}\r\n", "QUJD".repeat(19));
    while body.len() < bytes {
        body.extend_from_slice(line.as_bytes());
    }
    body.extend_from_slice(b"--=_bench--\r\n");
    let body = if on_disk {
        let mut file = tempfile::tempfile()?;
        file.write_all(&body)?;
        Body::Stored { source: Arc::new(Disk(file)), bytes: body.len() as u64 }
    } else {
        Body::Memory(body.into())
    };
    Ok(Content { head: Bytes::from(head), body })
}

async fn host(body: &str) -> Result<Host, Box<dyn Error>> {
    let imports = [
        ("message", "header", "(param i32 i32 i32)"),
        ("message", "add-header", "(param i32 i32 i32 i32 i32)"),
        ("message", "find", "(param i32 i32 i64 i32)"),
        ("message", "parts", "(param i32)"),
        ("message", "write-body", "(param i32 i32 i32)"),
        ("message", "copy-body", "(param i64 i64 i32)"),
    ];
    let data = r#"(data (i32.const 16) "Subject") (data (i32.const 32) "From") (data (i32.const 48) "!nowhere\0d\0a")"#;
    let edit = vec![EditGrant::Headers, EditGrant::Body];
    let plugin = Plugin { edit, ..Plugin::new("bench", PluginSource::Builtin("bench".into())) };
    guest::host(vec![(plugin, guest::guest(&imports, data, ("on-data", ""), body)?)]).await
}
