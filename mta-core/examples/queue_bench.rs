//! How the scheduler bears a large queue: time and memory for a million deferred messages, and for the relay path.
//!
//! `cargo run --release -p mta-core --example queue_bench [messages]`. No disk and no network: the machine alone.

use mta_core::base::flow::attempt::{NextHop, Routes};
use mta_core::base::flow::entry::{Entry, Progress};
use mta_core::base::mail::address::Address;
use mta_core::base::mail::domain::Domain;
use mta_core::base::mail::edits::Edits;
use mta_core::base::mail::envelope::{BodyType, Envelope, Recipient};
use mta_core::base::mail::id::QueueId;
use mta_core::base::time::UnixMillis;
use mta_core::path::queue::machine::{After, AttemptHealth, Effect, Machine};
use mta_core::path::queue::rules::{Rules, Ways};
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

const START: UnixMillis = UnixMillis(1_800_000_000_000);
/// Destinations that the messages go to.
const DOMAINS: u64 = 10_000;
/// The most messages that one run holds.
const MESSAGES_MAX: u64 = 4_000_000;

struct Exchangers;

impl Routes for Exchangers {
    fn next_hop(&self, domain: Option<&Domain>) -> NextHop {
        domain.map_or(NextHop::Nowhere, |domain| NextHop::Mx(domain.clone()))
    }

    fn named(&self, _: &str) -> Option<NextHop> {
        None
    }

    fn has_pool(&self, _: &str) -> bool {
        false
    }
}

fn rules() -> Rules {
    Rules {
        ways: Ways { routes: Arc::new(Exchangers), placing: false },
        paused: false,
        attempts_max: 1000,
        attempts_per_destination_max: 50,
        retry: vec![Duration::from_secs(60), Duration::from_secs(3600)],
        age_max: Duration::from_secs(5 * 86_400),
        notification_age_max: Duration::from_secs(86_400),
        delay_notice: Some(Duration::from_secs(4 * 3600)),
    }
}

/// Random enough for ids and due times, and the same in each run.
fn mixed(n: u64) -> u64 {
    let n = (n ^ (n >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (n ^ (n >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ (n >> 32)
}

fn template(domain: u64) -> Result<Entry, Box<dyn Error>> {
    let address = |text: &str| Address::parse(text).map_err(|_| "a well-formed address");
    let to = address(&format!("b@d{domain}.example"))?;
    Ok(Entry {
        id: QueueId(0),
        accepted: START,
        envelope: Envelope {
            sender: Some(address("a@from.example")?),
            recipients: vec![Recipient { address: to, notify: None, orcpt: None }],
            body: BodyType::SevenBit,
            smtputf8: false,
            ret: None,
            envid: None,
        },
        trace: Box::default(),
        edits: Edits::default(),
        size_bytes: 4096,
        head_bytes: 400,
        tenant: None,
        tags: Vec::new(),
        progress: vec![Progress::fresh(START)],
        placements: Vec::new(),
    })
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = status.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * 4096
}

fn per(time: Duration, count: u64) -> f64 {
    time.as_secs_f64() * 1e6 / count.max(1) as f64
}

fn main() -> Result<(), Box<dyn Error>> {
    let asked = std::env::args().nth(1).map(|count| count.parse()).transpose()?;
    let count: u64 = asked.unwrap_or(1_000_000).min(MESSAGES_MAX);
    let mut entries = (0..DOMAINS).map(template).collect::<Result<Vec<_>, _>>()?;

    let mut machine = Machine::new(rules());
    let (before, begin) = (resident_bytes(), Instant::now());
    for n in 0..count {
        let entry = &mut entries[(mixed(n) % DOMAINS) as usize];
        entry.id = QueueId::new(START.plus(Duration::from_millis(n)), u128::from(mixed(n)) << 16);
        let due = START.plus(Duration::from_millis(1000 + mixed(n + 7) % 3_600_000));
        entry.progress[0] = Progress::Pending { attempts: 3, due, last: None, delay_told: false };
        machine.admit(entry, START);
    }
    let (took, bytes) = (begin.elapsed(), resident_bytes().saturating_sub(before));
    println!("{count} deferred messages admitted: {:.2} s, {:.2} us each", took.as_secs_f64(), per(took, count));
    println!("memory: {} MiB, {} bytes each", bytes >> 20, bytes / count.max(1));

    let begin = Instant::now();
    for _ in 0..1000 {
        let nothing_is_due = machine.wake() > Some(START) && machine.poll(START).is_none();
        assert!(nothing_is_due, "the first is due a second later");
    }
    println!("the next due: {:.3} us", per(begin.elapsed(), 1000));

    let (begin, mut now, mut attempts) = (Instant::now(), START, 0u64);
    while let Some(wake) = machine.wake().filter(|_| attempts < count) {
        now = wake.max(now);
        while let Some(effect) = machine.poll(now) {
            if let Effect::Attempt(job) = effect {
                attempts += 1;
                machine.attempted(job.slot, &After::Gone, AttemptHealth::of(None, true), now);
            }
        }
    }
    println!("{attempts} attempts as they came due: {:.2} us each", per(begin.elapsed(), attempts));

    let mut fresh = Machine::new(rules());
    let begin = Instant::now();
    for n in 0..count {
        let entry = &mut entries[0];
        entry.id = QueueId::new(START.plus(Duration::from_millis(n)), u128::from(mixed(n)) << 16);
        entry.progress[0] = Progress::fresh(START);
        fresh.admit(entry, START);
        if let Some(Effect::Attempt(job)) = fresh.poll(START) {
            fresh.attempted(job.slot, &After::Gone, AttemptHealth::of(None, true), START);
        }
    }
    println!("{count} fresh messages in and out: {:.2} us each", per(begin.elapsed(), count));
    Ok(())
}
