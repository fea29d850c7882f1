//! The spool when something behind it can't keep up: the index, the disk's free space, or the queue.

use super::faults::{Call, Faulty};
use super::world::{Bench, done, id, later, offer, ruling, storage};
use crate::base::fault::SpoolFault;
use crate::base::flow::spool::Spool;
use crate::base::world::store::StoreFault;
use crate::config::model::Storage;
use crate::edge::store::memory::Memory;
use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// So many recipients make an entry of more than 160,000 octets: 200 of them are what may wait for the index.
const RECIPIENTS: usize = 1000;
const FULL_AFTER: u64 = 32 * 1024 * 1024 / 160_000;

/// Every task that can go on has gone on. The tests here run on one thread and on a store that never waits by itself.
async fn all_have_had_their_turn() {
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
}

/// Accepts large entries until one has to wait; its number, and what came of it after `then`.
async fn accept_until_one_waits(bench: &Bench, then: impl AsyncFnOnce()) -> (u64, Result<(), SpoolFault>) {
    for n in 0..FULL_AFTER * 2 {
        let mut accepting = pin!(bench.door.accept(offer(n, RECIPIENTS, 10)));
        tokio::select! {
            biased;
            accepted = &mut accepting => accepted.expect("accepted"),
            () = all_have_had_their_turn() => {
                then().await;
                return (n, accepting.await);
            }
        }
    }
    panic!("nobody had to wait for the index");
}

#[tokio::test]
async fn mail_waits_while_the_index_is_too_far_behind() {
    let memory = Arc::new(Memory::default());
    let store = Faulty::new(memory.clone());
    let bench = Bench::open(store.clone()).await.expect("a spool");
    store.hold(Call::Apply, true);
    let (waited, accepted) = accept_until_one_waits(&bench, async || store.hold(Call::Apply, false)).await;
    assert_eq!(accepted, Ok(()), "as soon as the index is written");
    // What is on its way into the index counts no longer: half as much again may have come.
    assert!((FULL_AFTER - 10..FULL_AFTER * 2).contains(&waited), "{waited} came before that");
    bench.close().await;
    let bench = Bench::open(Arc::new(memory.crashed())).await.expect("a spool");
    assert_eq!(bench.door.messages(), waited + 1);
    bench.close().await;
}

#[tokio::test]
async fn the_index_rests_near_a_full_disk_and_mail_that_would_wait_for_it_is_refused() {
    let memory = Arc::new(Memory::default());
    let store = Faulty::new(memory.clone());
    store.set_free_bytes(10_000);
    let bench = Bench::open_with(store.clone(), Storage { free_bytes_min: 1000, ..storage() }).await.expect("a spool");
    store.hold(Call::Apply, true);
    let (waited, refused) = accept_until_one_waits(&bench, async || {
        // Less than half of the threshold is left, and what was under way fails.
        store.set_free_bytes(400);
        store.fail(Call::Apply, &StoreFault::Io("it is slow".to_owned()));
        store.hold(Call::Apply, false);
        bench.clock.advance(Duration::from_secs(1));
    })
    .await;
    assert_eq!(refused, Err(SpoolFault::DiskFull));

    // The index would take it again, but is not asked.
    store.heal();
    let before = (store.count(Call::Apply), store.count(Call::Checkpoint), store.count(Call::Shrink));
    for _ in 0..30 {
        bench.clock.advance(Duration::from_secs(1));
        all_have_had_their_turn().await;
    }
    let after = (store.count(Call::Apply), store.count(Call::Checkpoint), store.count(Call::Shrink));
    assert_eq!(after, before);
    assert_eq!(bench.door.rule(ruling(0, [0], &later(1))).await, Err(SpoolFault::DiskFull), "nor is there room for it");

    store.set_free_bytes(10_000);
    bench.clock.advance(Duration::from_secs(1));
    store.wait_for_more(Call::Apply, before.0).await;
    bench.seen.wait_for("disk-recovered").await;
    assert!(bench.door.rule(ruling(0, [0], &later(1))).await.expect("ruled").is_some());
    bench.door.accept(offer(9000, 1, 10)).await.expect("accepted");
    bench.close().await;
    let bench = Bench::open(Arc::new(memory.crashed())).await.expect("a spool");
    assert_eq!(bench.door.messages(), waited + 1, "all but the one that was refused");
    bench.close().await;
}

#[tokio::test]
async fn what_the_queue_does_not_take_is_bounded_and_told() {
    // What the queue's channel holds here, and as many beside the committer.
    const MESSAGES: u64 = 20_000;
    let mut bench = Bench::open(Arc::new(Memory::default())).await.expect("a spool");
    for first in (0..MESSAGES).step_by(500) {
        let accepts = (first..first + 500).map(|n| bench.door.accept(offer(n, 1, 10)));
        assert!(futures_util::future::join_all(accepts).await.iter().all(Result::is_ok));
    }
    let refused = bench.door.accept(offer(MESSAGES, 1, 10)).await;
    assert_eq!(refused, Err(SpoolFault::Store("the queue does not keep up".to_owned())));
    // Whoever rules may be the one who is to take them: that never waits.
    assert_eq!(bench.door.rule(ruling(0, [0], &done())).await, Ok(None));

    let mut admitted = BTreeSet::new();
    for _ in 0..MESSAGES {
        admitted.insert(bench.admitted.recv().await.expect("admitted").id);
    }
    assert!(admitted.into_iter().eq((0..MESSAGES).map(id)), "each once");
    bench.door.accept(offer(MESSAGES + 1, 1, 10)).await.expect("accepted again");
    assert_eq!(bench.admitted.recv().await.expect("admitted").id, id(MESSAGES + 1));
    bench.close().await;
}
