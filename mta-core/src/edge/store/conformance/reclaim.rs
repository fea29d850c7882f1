//! Space comes back: rounds of storing and ending leave a directory of about what lives, and nothing that lives is
//! touched by it.

use super::world::{Bench, done, id, later, offer, ruling, storage};
use crate::base::flow::placement::Placement;
use crate::base::flow::ruling::Ruling;
use crate::base::flow::spool::Spool;
use crate::base::world::store::Store;
use crate::edge::store::{memory::Memory, sled};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const LIVING: u64 = 100;
const ROUNDS: u64 = 10;
const MESSAGES: u64 = 200;
const OCTETS: usize = 4000;

/// What policy said of a recipient.
fn way() -> Placement {
    Placement { campaign: Some("spring".into()), ..Placement::default() }
}

async fn ten_rounds(store: Arc<dyn Store>) -> Bench {
    let bench = Bench::open(Arc::clone(&store)).await.expect("a spool");
    let door = &bench.door;
    for round in 0..ROUNDS {
        let first = round * 1000;
        let accepts = (first..first + MESSAGES + LIVING / ROUNDS).map(|n| door.accept(offer(n, 2, OCTETS)));
        let accepted = futures_util::future::join_all(accepts).await;
        assert!(accepted.iter().all(Result::is_ok));
        let rulings = (first..first + MESSAGES).map(|n| door.rule(ruling(n, [0, 1], &done())));
        let ended = futures_util::future::join_all(rulings).await;
        assert!(ended.iter().all(|left| matches!(left, Ok(None))));
        // Some of what stays has a state of its own.
        door.rule(ruling(first + MESSAGES, [0], &later(3))).await.expect("ruled");
        let placed = Ruling { placements: vec![(1, Some(way()))], ..ruling(first + MESSAGES + 1, [], &done()) };
        door.rule(placed).await.expect("ruled");
    }
    bench
}

/// Lets time pass until the journal is small enough; fails when that takes too long.
async fn wait_until_small(bench: &Bench, store: &dyn Store, bytes: u64) {
    let shrinks = async {
        loop {
            let (begin, end) = store.extent();
            if end.0 - begin.0 <= bytes {
                return;
            }
            bench.clock.advance(Duration::from_millis(100));
            // Through another thread and back: the tasks that woke have their turn.
            tokio::task::spawn_blocking(std::thread::yield_now).await.expect("it only yields");
        }
    };
    let limit = Duration::from_secs(30);
    assert!(
        tokio::time::timeout(limit, shrinks).await.is_ok(),
        "{:?} is still too much: {:?}",
        store.extent(),
        bench.seen.all("reclaimed").len()
    );
}

async fn space_comes_back(store: Arc<dyn Store>) {
    let bench = ten_rounds(Arc::clone(&store)).await;
    let living = LIVING * (OCTETS as u64 + 300);
    wait_until_small(&bench, &*store, living * 2 - 1).await;
    let before = bench.contents().await;
    assert_eq!(before.len() as u64, LIVING);
    assert!(!bench.seen.all("reclaimed").is_empty());
    bench.close().await;

    let bench = Bench::open(Arc::clone(&store)).await.expect("a spool");
    assert!(bench.contents().await == before, "what was moved is what it was");
    assert_eq!(before[&id(200)].0.progress, [later(3), later(0)]);
    assert_eq!(before[&id(201)].0.placements, [None, Some(Box::new(way()))]);
    for living in before.keys() {
        let changes = vec![(0, done()), (1, done())];
        let ruling = Ruling { id: *living, changes, placements: Vec::new(), notifications: Vec::new() };
        assert_eq!(bench.door.rule(ruling).await, Ok(None));
    }
    // With nothing left, less than a segment and a bit may stay.
    wait_until_small(&bench, &*store, storage().segment_bytes * 17).await;
    bench.close().await;
}

#[tokio::test]
async fn space_comes_back_on_memory() {
    space_comes_back(Arc::new(Memory::default())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn space_comes_back_on_sled_and_its_index_can_be_made_again_from_what_is_left() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = sled::open(dir.path(), &storage()).expect("a store");
    let bench = ten_rounds(Arc::clone(&store)).await;
    wait_until_small(&bench, &*store, LIVING * (OCTETS as u64 + 300) * 2 - 1).await;
    let before = bench.contents().await;
    bench.close().await;
    drop(store);
    std::fs::remove_dir_all(dir.path().join("index")).expect("removed");
    let bench = Bench::open(sled::open(dir.path(), &storage()).expect("a store")).await.expect("a spool");
    assert!(bench.contents().await == before, "the journal alone holds all that lives");
    assert_eq!(before[&id(201)].0.placement(1), Some(&way()));
    bench.close().await;
}

/// Octets of all files below.
fn bytes(dir: &Path) -> u64 {
    let items = std::fs::read_dir(dir).into_iter().flatten().flatten();
    // What goes away meanwhile has no length.
    items.map(|item| item.metadata().map_or(0, |m| if m.is_dir() { bytes(&item.path()) } else { m.len() })).sum()
}

/// Large entries, so that few messages make a large index: a hundred recipients each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spool_that_has_emptied_gives_its_index_back_too_and_what_still_lives_is_untouched() {
    const MESSAGES: u64 = 4000;
    const LEFT: u64 = 20;
    let dir = tempfile::tempdir().expect("a directory");
    let store = sled::open(dir.path(), &storage()).expect("a store");
    let bench = Bench::open(Arc::clone(&store)).await.expect("a spool");
    let accepts = (0..MESSAGES).map(|n| bench.door.accept(offer(n, 100, 10)));
    assert!(futures_util::future::join_all(accepts).await.iter().all(Result::is_ok));
    bench.close().await;
    let full = bytes(dir.path());
    let index = bytes(&dir.path().join("index"));
    assert!(index > 20 << 20, "{index} octets are no large index");

    let bench = Bench::open(Arc::clone(&store)).await.expect("a spool");
    let ends = (LEFT..MESSAGES).map(|n| bench.door.rule(ruling(n, 0..100, &done())));
    assert!(futures_util::future::join_all(ends).await.iter().all(|left| matches!(left, Ok(None))));
    let before = bench.contents().await;
    assert_eq!(before.len() as u64, LEFT);
    let limit = full / MESSAGES * LEFT * 2 + storage().segment_bytes * 4 + (1 << 20);
    let shrinks = async {
        while bytes(dir.path()) > limit {
            bench.clock.advance(Duration::from_millis(200));
            // Through another thread and back: the tasks that woke have their turn.
            tokio::task::spawn_blocking(std::thread::yield_now).await.expect("it only yields");
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(30), shrinks).await.is_ok();
    assert!(in_time, "{} octets of {full} are left, and {limit} may be", bytes(dir.path()));
    assert!(bench.contents().await == before);
    bench.close().await;
    drop(store);
    let bench = Bench::open(sled::open(dir.path(), &storage()).expect("a store")).await.expect("a spool");
    assert!(bench.contents().await == before);
    assert!(bench.seen.all("spool-rebuilding").is_empty());
    bench.close().await;
}
