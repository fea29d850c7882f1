//! Groups of records that are on their way to the disk while others are.

use super::faults::{Call, Faulty};
use super::pressure::all_have_had_their_turn;
use super::world::{Bench, done, id, later, offer, ruling};
use crate::base::fault::SpoolFault;
use crate::base::flow::entry::Entry;
use crate::base::flow::spool::Spool;
use crate::base::world::store::{Position, Store, StoreFault};
use crate::edge::store::memory::Memory;
use crate::path::spool::driver::SpoolDoor;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

struct Flying {
    memory: Arc<Memory>,
    store: Arc<Faulty>,
    bench: Bench,
}

impl Flying {
    /// A spool on a store whose appends may be held, with one message of two recipients in it.
    async fn open() -> Self {
        let memory = Arc::new(Memory::default());
        let store = Faulty::new(memory.clone());
        let bench = Bench::open(store.clone()).await.expect("a spool");
        bench.door.accept(offer(0, 2, 10)).await.expect("accepted");
        Self { memory, store, bench }
    }

    fn accept(&self, n: u64) -> JoinHandle<Result<(), SpoolFault>> {
        let door = Arc::clone(&self.bench.door);
        tokio::spawn(async move { door.accept(offer(n, 1, 10)).await })
    }

    fn ends(&self, recipient: u32) -> JoinHandle<Result<Option<Arc<Entry>>, SpoolFault>> {
        let door: Arc<SpoolDoor> = Arc::clone(&self.bench.door);
        tokio::spawn(async move { door.rule(ruling(0, [recipient], &done())).await })
    }

    /// Whatever can go on has gone on; how many appends there were.
    async fn appends(&self) -> u64 {
        all_have_had_their_turn().await;
        self.store.count(Call::Append)
    }
}

#[tokio::test]
async fn a_group_that_is_larger_than_those_on_their_way_follows_them_and_no_other() {
    let flying = Flying::open().await;
    flying.store.hold(Call::Append, true);
    let two = [flying.accept(1), flying.accept(2)];
    assert_eq!(flying.appends().await, 2, "nothing is on its way: they go at once, and together");
    let as_many = [flying.accept(3), flying.accept(4)];
    assert_eq!(flying.appends().await, 2, "two are not more than two");
    let more = flying.accept(5);
    assert_eq!(flying.appends().await, 3, "three are");
    flying.store.hold(Call::Append, false);
    for accepted in two.into_iter().chain(as_many).chain([more]) {
        assert_eq!(accepted.await.expect("it ended"), Ok(()));
    }
    assert_eq!(flying.bench.door.messages(), 6);
    flying.bench.close().await;
}

#[tokio::test]
async fn a_change_waits_for_the_change_of_the_same_message_that_is_on_its_way() {
    let flying = Flying::open().await;
    flying.store.hold(Call::Append, true);
    let first = flying.ends(0);
    assert_eq!(flying.appends().await, 2);
    let last = flying.ends(1);
    assert_eq!(flying.appends().await, 2, "what it changes is not known yet");
    flying.store.hold(Call::Append, false);
    let left = first.await.expect("it ended").expect("ruled").expect("one is left");
    assert_eq!(left.progress, [done(), later(0)]);
    assert_eq!(last.await.expect("it ended"), Ok(None), "both have ended, and so has the message");
    assert_eq!(flying.bench.door.entry(id(0)).await, Ok(None));
    flying.bench.close().await;
}

#[tokio::test]
async fn a_checkpoint_passes_over_nothing_that_is_on_its_way() {
    let flying = Flying::open().await;
    flying.store.answer_appends(1);
    let first = flying.accept(1);
    assert_eq!(flying.appends().await, 2);
    let second = [flying.accept(2), flying.accept(3)];
    assert_eq!(flying.appends().await, 3, "all are in the journal, and none is answered");
    flying.store.answer_appends(2);
    assert_eq!(first.await.expect("it ended"), Ok(()));
    // In a few rounds what was answered is old enough for the index; the checkpoint then names the first that is not there.
    for _ in 0..10 {
        flying.bench.clock.advance(Duration::from_secs(11));
        all_have_had_their_turn().await;
    }
    assert!(flying.store.count(Call::Apply) > 0 && flying.store.checkpointed() > Some(Position(0)));

    let after = Bench::open(Arc::new(flying.memory.crashed())).await.expect("a spool");
    assert_eq!(after.contents().await.into_keys().collect::<Vec<_>>(), [0, 1, 2, 3].map(id));
    after.close().await;
    flying.store.answer_appends(u64::MAX);
    for accepted in second {
        assert_eq!(accepted.await.expect("it ended"), Ok(()));
    }
    flying.bench.close().await;
}

#[tokio::test]
async fn groups_that_fail_are_answered_each() {
    let flying = Flying::open().await;
    flying.store.hold(Call::Append, true);
    let first = flying.accept(1);
    assert_eq!(flying.appends().await, 2);
    let second = [flying.accept(2), flying.accept(3)];
    assert_eq!(flying.appends().await, 3);
    flying.store.fail(Call::Append, &StoreFault::Io("a cable".to_owned()));
    flying.store.hold(Call::Append, false);
    for refused in std::iter::once(first).chain(second) {
        assert_eq!(refused.await.expect("it ended"), Err(SpoolFault::Store("a cable".to_owned())));
    }
    flying.store.heal();
    assert_eq!(flying.accept(4).await.expect("it ended"), Ok(()));
    let after = Bench::open(Arc::new(flying.memory.crashed())).await.expect("a spool");
    assert_eq!(after.contents().await.into_keys().collect::<Vec<_>>(), [0, 4].map(id));
    after.close().await;
    flying.bench.close().await;
}

#[tokio::test]
async fn closing_waits_for_what_is_on_its_way() {
    let flying = Flying::open().await;
    flying.store.hold(Call::Append, true);
    let accepted = flying.accept(1);
    let door = Arc::clone(&flying.bench.door);
    let closing = tokio::spawn(async move { door.close().await });
    assert_eq!(flying.appends().await, 2);
    assert!(!closing.is_finished(), "it is not on the disk yet");
    flying.store.hold(Call::Append, false);
    assert_eq!(accepted.await.expect("it ended"), Ok(()));
    closing.await.expect("it ended");
    flying.bench.close().await;
}
