//! What a store promises, on every engine; and the spool on a store that fails.

use super::faults::{Call, Faulty};
use super::world::{Bench, content, done, id, later, octets, offer, ruling, storage};
use crate::base::fault::SpoolFault;
use crate::base::flow::spool::{Room, Spool};
use crate::base::world::store::{Journal, Position, Record, Store, StoreFault, Write};
use crate::config::model::Storage;
use crate::edge::store::{memory::Memory, sled};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

fn record(kind: u8, octets: usize) -> Record {
    let payload = Bytes::from(vec![kind; octets]);
    Record { kind, pieces: vec![payload.slice(..octets / 3), payload.slice(octets / 3..)] }
}

async fn engines() -> (tempfile::TempDir, [Arc<dyn Store>; 2]) {
    let dir = tempfile::tempdir().expect("a directory");
    let on_disk = sled::open(dir.path(), &storage()).expect("a store");
    (dir, [on_disk, Arc::new(Memory::default())])
}

#[tokio::test]
async fn records_come_back_in_order_and_by_position() {
    let (_dir, engines) = engines().await;
    for store in engines {
        let sizes = [0, 1, 7, 8, 9, 5000, 70_000, 200_000, 3];
        let mut positions = Vec::new();
        for group in sizes.chunks(4) {
            let records = group.iter().map(|size| record(9, *size)).collect();
            positions.extend(store.append(records).await.expect("appended"));
        }
        for (at, size) in positions.iter().zip(sizes) {
            for thought in [0, size, 1 << 20] {
                let found = store.read(*at, thought).await.expect("read");
                assert_eq!(found.record, Ok((9, Bytes::from(vec![9; size]))));
            }
        }
        for step in [1, 10_000, 1 << 20] {
            let mut all = Vec::new();
            let mut at = Position(0);
            loop {
                let found = store.replay(at, step).await.expect("replayed");
                let Some(last) = found.last() else { break };
                at = last.end;
                all.extend(found);
            }
            assert_eq!(all.iter().map(|found| found.at).collect::<Vec<_>>(), positions, "in steps of {step}");
        }
        store.trim(positions[7]).await.expect("trimmed");
        assert!(store.extent().0 > positions[0] && store.extent().0 <= positions[7]);
        assert!(store.read(positions[0], 0).await.is_err(), "it was given back");
        assert!(store.read(positions[8], 0).await.is_ok_and(|found| found.record.is_ok()));
        let (_, end) = store.extent();
        store.trim(end).await.expect("trimmed");
        let next = store.append(vec![record(1, 5)]).await.expect("appended");
        assert!(next[0] > positions[8], "a position is never used twice");
    }
}

#[tokio::test]
async fn appends_at_once_come_in_their_order() {
    let (_dir, engines) = engines().await;
    for store in engines {
        let appends = (1..=8).map(|kind| store.append((0..kind).map(|_| record(kind, 300)).collect()));
        let appended = futures_util::future::join_all(appends).await;
        let positions: Vec<_> = appended.into_iter().flat_map(|one| one.expect("appended")).collect();
        assert!(positions.is_sorted() && positions.len() == 36);
        let found = store.replay(Position(0), 1 << 20).await.expect("replayed");
        let kinds = found.into_iter().map(|found| (found.at, found.record.expect("whole").0));
        let wanted = (1..=8).flat_map(|kind| (0..kind).map(move |_| kind));
        assert_eq!(kinds.collect::<Vec<_>>(), positions.into_iter().zip(wanted).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn trees_are_ordered_and_a_reset_forgets_them() {
    let (_dir, engines) = engines().await;
    for store in engines {
        let write = |tree, key: &'static [u8], value: Option<&'static [u8]>| Write {
            tree,
            key: Bytes::from_static(key),
            value: value.map(Bytes::from_static),
        };
        let writes = vec![
            write("entry", b"b", Some(b"2")),
            write("entry", b"a", Some(b"1")),
            write("kv", b"a", Some(b"other")),
            write("entry", b"c", Some(b"3")),
            write("entry", b"b", None),
        ];
        store.apply(writes).await.expect("applied");
        let keys = [b"a", b"b", b"c"].map(|key| Bytes::from_static(key)).to_vec();
        let found = store.get("entry", keys).await.expect("read");
        assert_eq!(found, [Some(Bytes::from_static(b"1")), None, Some(Bytes::from_static(b"3"))]);
        let scanned = store.scan("entry", Some(Bytes::from_static(b"a")), 10).await.expect("scanned");
        assert_eq!(scanned, [(Bytes::from_static(b"c"), Bytes::from_static(b"3"))]);
        assert_eq!(store.scan("entry", None, 1).await.expect("scanned").len(), 1);
        store.checkpoint(Position(7)).await.expect("made");
        assert_eq!(store.checkpointed(), Some(Position(7)));
        store.reset_trees().await.expect("reset");
        assert_eq!((store.checkpointed(), store.scan("entry", None, 9).await), (None, Ok(Vec::new())));
    }
}

#[tokio::test]
async fn a_full_disk_is_told_and_service_resumes_when_space_is_back() {
    let store = Faulty::new(Arc::new(Memory::default()));
    store.set_free_bytes(10_000);
    let storage = Storage { free_bytes_min: 1000, ..storage() };
    let bench = Bench::open_with(store.clone(), storage).await.expect("a spool");
    bench.door.accept(offer(1, 2, 10)).await.expect("accepted");

    store.fail(Call::Append, &StoreFault::Full);
    assert_eq!(bench.door.accept(offer(2, 1, 10)).await, Err(SpoolFault::DiskFull));
    assert_eq!(bench.door.room(), Room::DiskLow);
    assert_eq!((bench.seen.all("disk-low").len(), bench.seen.all("commit-failed").len()), (1, 1));
    assert_eq!(bench.door.rule(ruling(1, [0], &done())).await, Err(SpoolFault::DiskFull));
    store.set_free_bytes(900);
    store.heal();
    bench.clock.advance(Duration::from_secs(2));
    assert_eq!(bench.door.accept(offer(3, 1, 10)).await, Err(SpoolFault::DiskFull), "below the threshold");
    assert!(bench.door.blob(id(4)).await.is_err());
    bench.door.rule(ruling(1, [0], &done())).await.expect("what is there may go on").expect("one is left");

    store.set_free_bytes(2000);
    bench.clock.advance(Duration::from_secs(2));
    bench.seen.wait_for("disk-recovered").await;
    assert_eq!(bench.door.room(), Room::Open);
    bench.door.accept(offer(5, 1, 10)).await.expect("accepted");
    assert_eq!(bench.contents().await.into_keys().collect::<Vec<_>>(), [id(1), id(5)]);
    bench.close().await;
}

#[tokio::test]
async fn a_disk_that_fails_closes_the_door_until_it_writes_again() {
    let store = Faulty::new(Arc::new(Memory::default()));
    let bench = Bench::open(store.clone()).await.expect("a spool");
    store.fail(Call::Append, &StoreFault::Io("it is broken".to_owned()));
    for n in 0..3 {
        assert!(matches!(bench.door.accept(offer(n, 1, 10)).await, Err(SpoolFault::Store(_))));
    }
    assert_eq!(bench.door.room(), Room::Failing);
    let before = store.count(Call::Append);
    assert!(bench.door.accept(offer(9, 1, 10)).await.is_err());
    assert_eq!(store.count(Call::Append), before, "mail is not what tries the disk");
    store.heal();
    bench.clock.advance(Duration::from_secs(2));
    bench.seen.wait_for("commit-recovered").await;
    bench.door.accept(offer(10, 1, 10)).await.expect("accepted");
    assert_eq!(bench.contents().await.into_keys().collect::<Vec<_>>(), [id(10)]);
    bench.close().await;
}

#[tokio::test]
async fn an_error_on_any_call_loses_nothing() {
    let calls = [Call::Read, Call::Trim, Call::Get, Call::Apply, Call::Checkpoint, Call::RemoveBlob, Call::Blob];
    for call in calls {
        for fault in [StoreFault::Io("broken".to_owned()), StoreFault::IndexLost("broken".to_owned())] {
            let memory = Arc::new(Memory::default());
            let store = Faulty::new(memory.clone());
            let bench = Bench::open(store.clone()).await.expect("a spool");
            bench.door.accept(offer(1, 2, 10)).await.expect("accepted");
            store.fail(call, &fault);
            let large_was_accepted = bench.door.accept(offer(2, 1, 40_000)).await.is_ok();
            bench.door.accept(offer(3, 1, 10)).await.expect("accepted");
            bench.door.rule(ruling(1, [0], &later(1))).await.expect("ruled");
            bench.clock.advance(Duration::from_secs(60));
            store.heal();
            bench.close().await;
            for after in [memory.clone(), Arc::new(memory.crashed())] {
                let bench = Bench::open(after).await.expect("a spool");
                let found = bench.contents().await;
                assert_eq!(found.len(), 2 + usize::from(large_was_accepted), "{call:?} {fault}");
                assert_eq!(found[&id(1)].0.progress, [later(1), later(0)], "{call:?} {fault}");
                bench.close().await;
            }
        }
    }
}

#[tokio::test]
async fn an_index_lost_while_serving_is_made_again() {
    let store = Faulty::new(Arc::new(Memory::default()));
    let bench = Bench::open(store.clone()).await.expect("a spool");
    for n in 0..10 {
        bench.door.accept(offer(n, 1, 10)).await.expect("accepted");
    }
    // Into the index, and out of the ledger.
    bench.clock.advance(Duration::from_secs(11));
    store.wait_for_more(Call::Checkpoint, 1).await;
    store.fail(Call::Apply, &StoreFault::IndexLost("broken".to_owned()));
    bench.door.accept(offer(10, 1, 10)).await.expect("accepted");
    bench.door.rule(ruling(3, [0], &done())).await.expect("ruled");
    while bench.seen.all("spool-rebuilding").is_empty() {
        bench.clock.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
    store.heal();
    let work = async { bench.door.rule(ruling(4, [0], &later(2))).await.expect("ruled, once there is an index") };
    let time = async {
        loop {
            bench.clock.advance(Duration::from_secs(1));
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = work => {}
        () = time => {}
    }
    let found = bench.contents().await;
    assert_eq!(found.keys().copied().collect::<Vec<_>>(), [0, 1, 2, 4, 5, 6, 7, 8, 9, 10].map(id));
    assert_eq!(found[&id(4)].0.progress, [later(2)]);
    bench.close().await;
}

#[tokio::test]
async fn what_comes_while_a_group_is_written_is_one_group() {
    let store = Faulty::new(Arc::new(Memory::default()));
    let bench = Bench::open(store.clone()).await.expect("a spool");
    store.hold(Call::Append, true);
    let first = store.count(Call::Append);
    let door = &bench.door;
    let accepts = futures_util::future::join_all((0..100).map(|n| door.accept(offer(n, 1, 10))));
    let release = async {
        store.wait_for_more(Call::Append, first).await;
        store.hold(Call::Append, false);
    };
    let (accepted, ()) = tokio::join!(accepts, release);
    assert!(accepted.iter().all(Result::is_ok));
    assert!(store.count(Call::Append) - first <= 2, "{} groups", store.count(Call::Append) - first);
    bench.close().await;
}

#[tokio::test]
async fn a_damaged_message_is_held_and_the_rest_is_served() {
    let memory = Arc::new(Memory::default());
    let bench = Bench::open(memory.clone()).await.expect("a spool");
    let before = memory.extent().1;
    bench.door.accept(offer(1, 1, 10)).await.expect("accepted");
    bench.door.accept(offer(2, 1, 10)).await.expect("accepted");
    bench.close().await;
    memory.damage(before);
    let bench = Bench::open(memory.clone()).await.expect("a spool");
    assert!(matches!(bench.door.content(id(1)).await, Err(SpoolFault::Damaged(_))));
    let damaged = bench.seen.all("record-damaged");
    assert_eq!(damaged[0]["id"], serde_json::to_value(id(1)).expect("an id"));
    let entry = bench.door.entry(id(1)).await.expect("readable").expect("it is there");
    assert!(matches!(&entry.progress[..], [crate::base::flow::entry::Progress::Held(_)]));
    assert_eq!(octets(&bench.door.content(id(2)).await.expect("content")), content(2, 10));
    bench.close().await;
}
