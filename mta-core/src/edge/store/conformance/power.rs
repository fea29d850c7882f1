//! The power goes, and with it whatever was written and not synced: what was acknowledged is there, whole, and nothing
//! that was half written is taken for a message.

use super::faults::{Call, Faulty};
use super::recorder::{Deed, Recorder, cut};
use super::world::{Bench, content, done, id, later, offer, ruling, storage};
use crate::base::flow::ruling::Ruling;
use crate::base::flow::spool::Spool;
use crate::edge::store::sled;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// What had been promised.
#[derive(Clone, Debug)]
enum Mark {
    Asked(u64),
    Accepted(u64),
    EndAsked(u64),
    Ended(u64),
}

/// Rounds of the story, and messages in each.
const ROUNDS: u64 = 8;
const MESSAGES: u64 = 12;
/// Cuts of each story.
const CUTS: usize = 40;
/// Notifications have numbers of their own.
const NOTIFICATION: u64 = 5000;

/// From within a page to a few of them, and one that lies in a blob.
fn body_bytes(n: u64) -> usize {
    [10, 900, 3000, 5000, 12_000, 40_000][usize::try_from(n * 7 % 11 % 6).expect("small")]
}

async fn accept(bench: &Bench, disk: &Recorder<Mark>, n: u64) {
    disk.mark(Mark::Asked(n));
    bench.door.accept(offer(n, 2, body_bytes(n))).await.expect("accepted");
    disk.mark(Mark::Accepted(n));
}

/// Ends a message, every third with two notifications.
async fn end(bench: &Bench, disk: &Recorder<Mark>, n: u64) {
    let owed = if n.is_multiple_of(3) { vec![NOTIFICATION + 2 * n, NOTIFICATION + 2 * n + 1] } else { Vec::new() };
    disk.mark(Mark::EndAsked(n));
    owed.iter().for_each(|n| disk.mark(Mark::Asked(*n)));
    let notifications = owed.iter().map(|n| offer(*n, 1, body_bytes(*n))).collect();
    let ruling = Ruling { notifications, ..ruling(n, [0, 1], &done()) };
    assert_eq!(bench.door.rule(ruling).await, Ok(None));
    owed.iter().for_each(|n| disk.mark(Mark::Accepted(*n)));
    disk.mark(Mark::Ended(n));
}

/// Some of everything, many at once; with checkpoints and reclaimed space now and then.
async fn story(bench: &Bench, store: &Faulty, disk: &Recorder<Mark>) {
    for round in 0..ROUNDS {
        let first = round * 100;
        // All at once, and the rest one by one: groups of many records, and of one.
        let (many, few) = (first..first + MESSAGES - 3, first + MESSAGES - 3..first + MESSAGES);
        futures_util::future::join_all(many.map(|n| accept(bench, disk, n))).await;
        for n in few {
            accept(bench, disk, n).await;
        }
        bench.door.rule(ruling(first + 1, [0], &later(1))).await.expect("ruled");
        let ends = (first + 2..first + MESSAGES).filter(|n| n % 4 != 0);
        futures_util::future::join_all(ends.map(|n| end(bench, disk, n))).await;
        if round % 2 == 1 {
            let before = store.count(Call::Checkpoint);
            bench.clock.advance(Duration::from_secs(11));
            store.wait_for_more(Call::Checkpoint, before).await;
        }
    }
}

/// What must be there, what may be, and what must not.
#[derive(Default)]
struct Promised {
    must: BTreeSet<u64>,
    may: BTreeSet<u64>,
}

impl Promised {
    fn by(deeds: &[Deed<Mark>]) -> Self {
        let mut promised = Self::default();
        for deed in deeds {
            match deed {
                Deed::Mark(Mark::Asked(n)) => {
                    promised.may.insert(*n);
                }
                Deed::Mark(Mark::Accepted(n)) => {
                    promised.must.insert(*n);
                }
                Deed::Mark(Mark::EndAsked(n)) => {
                    promised.must.remove(n);
                }
                Deed::Mark(Mark::Ended(n)) => {
                    promised.may.remove(n);
                }
                _ => {}
            }
        }
        promised
    }
}

async fn verify(dir: &Path, promised: &Promised, what: &str) {
    let bench = Bench::open(sled::open(dir, &storage()).expect(what)).await.expect(what);
    let found: BTreeMap<_, _> = bench.contents().await;
    for n in &promised.must {
        assert!(found.contains_key(&id(*n)), "{what}: message {n} was acknowledged");
    }
    let may: BTreeMap<_, _> = promised.may.iter().map(|n| (id(*n), *n)).collect();
    for (id_found, (_, octets)) in &found {
        let n = may.get(id_found).unwrap_or_else(|| panic!("{what}: {id_found} had ended, or never was"));
        assert!(*octets == content(*n, body_bytes(*n)), "{what}: message {n} is not whole");
    }
    for n in (0..ROUNDS * 100).step_by(3) {
        let owed = [NOTIFICATION + 2 * n, NOTIFICATION + 2 * n + 1].map(|n| found.contains_key(&id(n)));
        assert_eq!(owed[0], owed[1], "{what}: the notifications of {n} come together");
        assert!(!owed[0] || !found.contains_key(&id(n)), "{what}: and with the end of {n}");
    }
    bench.door.accept(offer(9999, 1, 10)).await.expect(what);
    bench.close().await;
}

/// A small generator of numbers: the same seed cuts the same way.
fn dice(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed | 1;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 16).expect("64 bits") % below.max(1)
    }
}

async fn cut_everywhere(seed: u64) {
    let place = tempfile::tempdir().expect("a directory");
    let (dir, copies) = (place.path().join("a"), place.path().join("copies"));
    let disk = Recorder::new(&dir, &copies);
    let store = Faulty::new(sled::open_on(disk.clone(), &dir, &storage()).expect("a store"));
    let bench = Bench::open(store.clone()).await.expect("a spool");
    story(&bench, &store, &disk).await;
    bench.close().await;
    let deeds = disk.deeds();
    let syncs = deeds.iter().filter(|deed| matches!(deed, Deed::Sync(_))).count();
    assert!(syncs > 50 && deeds.iter().any(|deed| matches!(deed, Deed::Remove(_))), "{syncs} syncs");
    let mut dice = dice(seed);
    for _ in 0..CUTS {
        let at = dice(deeds.len() + 1);
        let with_index = dice(3) > 0;
        let survivors = cut(&deeds[..at], &mut dice);
        let after = tempfile::tempdir().expect("a directory");
        disk.leave(&survivors, with_index, after.path());
        let what = format!("seed {seed}, cut {at} of {}, index {with_index}", deeds.len());
        verify(after.path(), &Promised::by(&deeds[..at]), &what).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, max_shrink_iters: 0, ..ProptestConfig::default() })]

    #[test]
    fn what_was_not_synced_is_lost_and_what_was_acknowledged_is_not(seed: u64) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
        runtime.block_on(cut_everywhere(seed));
    }
}
