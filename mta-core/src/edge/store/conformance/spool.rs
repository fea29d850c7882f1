//! What the spool promises on every engine.

use super::world::{Bench, content, done, entry, id, later, octets, offer, ruling};
use crate::base::fault::SpoolFault;
use crate::base::flow::offer::{Offer, OfferedContent};
use crate::base::flow::operator::Selection;
use crate::base::flow::placement::Placement;
use crate::base::flow::ruling::Ruling;
use crate::base::flow::spool::Spool;
use crate::base::mail::content::{Body, Composed, Content, Piece};
use crate::base::world::store::Store;
use crate::edge::store::{memory::Memory, sled};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Runs a test on every engine.
macro_rules! on_every_engine {
    ($($name:ident),* $(,)?) => {
        mod on_memory {
            $(#[tokio::test] async fn $name() { super::$name(std::sync::Arc::new(super::Memory::default())).await; })*
        }
        mod on_sled {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $name() {
                let dir = tempfile::tempdir().expect("a directory");
                let store = super::sled::open(dir.path(), &super::super::world::storage()).expect("a store");
                super::$name(store).await;
            })*
        }
    };
}

on_every_engine!(
    what_is_accepted_comes_back,
    a_ruling_is_kept_and_the_last_one_ends_the_message,
    notifications_come_with_their_ruling,
    large_content_lies_in_a_blob,
    composed_content_takes_the_place_of_what_came,
    a_blob_that_became_no_message_goes,
    a_listing_merges_what_is_and_what_is_not_yet_in_the_index,
    what_ended_stays_ended,
    many_at_once_are_all_kept,
    after_closing_nothing_is_taken,
);

async fn what_is_accepted_comes_back(store: Arc<dyn Store>) {
    let mut bench = Bench::open(Arc::clone(&store)).await.expect("a spool");
    bench.door.accept(offer(1, 2, 4000)).await.expect("accepted");
    let admitted = bench.admitted.recv().await.expect("the queue hears of it");
    assert_eq!(*admitted, entry(1, 2, &content(1, 4000)));
    let read = bench.door.content(id(1)).await.expect("content");
    assert_eq!(read.head, "Subject: message 1\r\n\r\n");
    assert_eq!(octets(&read), content(1, 4000));
    bench.close().await;

    let bench = Bench::open(store).await.expect("a spool");
    assert_eq!(bench.door.messages(), 1);
    let (entry_now, octets_now) = bench.contents().await.remove(&id(1)).expect("it is there");
    assert_eq!((entry_now, octets_now), (entry(1, 2, &content(1, 4000)), content(1, 4000).to_vec()));
    bench.close().await;
}

async fn a_ruling_is_kept_and_the_last_one_ends_the_message(store: Arc<dyn Store>) {
    let bench = Bench::open(Arc::clone(&store)).await.expect("a spool");
    bench.door.accept(offer(1, 3, 100)).await.expect("accepted");
    let left = bench.door.rule(ruling(1, [0], &done())).await.expect("ruled").expect("two are left");
    assert_eq!(left.pending().as_slice(), [1, 2]);
    let way = Placement { campaign: Some("spring".into()), ..Placement::default() };
    let placements = vec![(1, Some(Placement::default())), (2, Some(way.clone()))];
    bench.door.rule(Ruling { placements, ..ruling(1, [1], &later(1)) }).await.expect("ruled");
    bench.door.rule(Ruling { placements: vec![(1, None)], ..ruling(1, [], &done()) }).await.expect("ruled");
    bench.close().await;

    let bench = Bench::open(Arc::clone(&store)).await.expect("a spool");
    let entry = bench.door.entry(id(1)).await.expect("readable").expect("it is there");
    assert_eq!(entry.progress, [done(), later(1), later(0)]);
    assert_eq!(
        entry.placements,
        [None, None, Some(Box::new(way))],
        "what policy said of each, and that it is to say again"
    );
    assert_eq!(bench.door.rule(ruling(1, [1, 2], &done())).await, Ok(None));
    assert_eq!(bench.door.entry(id(1)).await, Ok(None));
    assert!(matches!(bench.door.content(id(1)).await, Err(SpoolFault::Store(_))));
    bench.close().await;

    let bench = Bench::open(store).await.expect("a spool");
    assert_eq!((bench.door.messages(), bench.contents().await.len()), (0, 0));
    bench.close().await;
}

async fn notifications_come_with_their_ruling(store: Arc<dyn Store>) {
    let mut bench = Bench::open(Arc::clone(&store)).await.expect("a spool");
    bench.door.accept(offer(1, 1, 100)).await.expect("accepted");
    bench.admitted.recv().await.expect("admitted");
    let ruling = Ruling { notifications: vec![offer(2, 1, 50), offer(3, 1, 50_000)], ..ruling(1, [0], &done()) };
    assert_eq!(bench.door.rule(ruling).await, Ok(None));
    assert_eq!(bench.admitted.recv().await.expect("admitted").id, id(2));
    assert_eq!(bench.admitted.recv().await.expect("admitted").id, id(3));
    bench.close().await;

    let bench = Bench::open(store).await.expect("a spool");
    let all = bench.contents().await;
    assert_eq!(all.keys().copied().collect::<Vec<_>>(), [id(2), id(3)]);
    assert_eq!(all[&id(3)].1, content(3, 50_000));
    bench.close().await;
}

async fn large_content_lies_in_a_blob(store: Arc<dyn Store>) {
    let bench = Bench::open(Arc::clone(&store)).await.expect("a spool");
    let octets_sent = content(1, 1_000_000);
    let mut blob = bench.door.blob(id(1)).await.expect("a blob");
    for piece in octets_sent.chunks(70_000) {
        blob.write(octets_sent.slice_ref(piece)).await.expect("written");
    }
    let entry = entry(1, 1, &octets_sent);
    let finished = blob.finish(octets_sent.slice(..entry.head_bytes as usize)).await.expect("finished");
    assert_eq!(octets(&finished), octets_sent);
    bench.door.accept(Offer { entry, content: OfferedContent::Blob(finished) }).await.expect("accepted");
    bench.door.accept(offer(2, 1, 100_000)).await.expect("accepted: moved to a blob, as it is long");
    bench.close().await;

    let bench = Bench::open(Arc::clone(&store)).await.expect("a spool");
    let all = bench.contents().await;
    assert_eq!((&all[&id(1)].1, &all[&id(2)].1), (&octets_sent.to_vec(), &content(2, 100_000).to_vec()));
    assert_eq!(store.blobs().await.expect("names").len(), 2);
    bench.door.rule(ruling(1, [0], &done())).await.expect("ruled");
    bench.close().await;
    assert_eq!(store.blobs().await, Ok(vec![id(2).to_string()]), "an ended message's blob is removed");
}

/// A body that policy put together from the blob of the same message, and from octets of its own.
async fn composed_content_takes_the_place_of_what_came(store: Arc<dyn Store>) {
    let bench = Bench::open(Arc::clone(&store)).await.expect("a spool");
    let mut expected = BTreeMap::new();
    for (n, kept) in [(1, 900_000), (2, 1_000)] {
        let came = content(n, 1_000_000);
        let mut blob = bench.door.blob(id(n)).await.expect("a blob");
        blob.write(came.clone()).await.expect("written");
        let arrived = blob.finish(content(n, 0)).await.expect("finished");
        let old = Composed::from(&arrived.body);
        let pieces = [old.stretch(7, kept), vec![Piece::Memory("new\r\n".into())], old.stretch(0, 9)].concat();
        let wanted = Content { head: arrived.head.clone(), body: Composed::new(pieces).body() };
        drop((arrived, old));
        let wanted_octets = octets(&wanted);
        let entry = entry(n, 1, &Bytes::from(wanted_octets.clone()));
        bench.door.accept(Offer { entry, content: OfferedContent::Composed(wanted) }).await.expect("accepted");
        expected.insert(id(n), wanted_octets);
    }
    let short = Content { head: content(3, 0), body: Body::Memory("x".into()) };
    let refused = Offer { entry: entry(3, 1, &content(3, 100)), content: OfferedContent::Composed(short) };
    assert!(bench.door.accept(refused).await.is_err(), "it is not as long as it says");
    bench.close().await;

    let bench = Bench::open(Arc::clone(&store)).await.expect("a spool");
    let all: BTreeMap<_, _> = bench.contents().await.into_iter().map(|(id, (_, octets))| (id, octets)).collect();
    assert_eq!(all, expected);
    assert_eq!(store.blobs().await, Ok(vec![id(1).to_string()]), "the short one needs none");
    bench.door.rule(ruling(1, [0], &done())).await.expect("ruled");
    bench.close().await;
    assert_eq!(store.blobs().await, Ok(Vec::new()));
}

async fn a_blob_that_became_no_message_goes(store: Arc<dyn Store>) {
    let bench = Bench::open(Arc::clone(&store)).await.expect("a spool");
    let mut blob = bench.door.blob(id(1)).await.expect("a blob");
    blob.write(content(1, 100)).await.expect("written");
    drop(blob);
    let mut blob = bench.door.blob(id(2)).await.expect("a blob");
    blob.write(content(2, 100)).await.expect("written");
    let head = content(2, 0);
    drop(blob.finish(head).await.expect("finished"));
    let other = Content { head: content(2, 0), body: Body::Memory(content(2, 100)) };
    let refused = Offer { entry: entry(2, 1, &content(2, 100)), content: OfferedContent::Blob(other) };
    assert!(bench.door.accept(refused).await.is_err(), "its content was let go before");
    bench.close().await;
    assert_eq!(store.blobs().await, Ok(Vec::new()));

    // One that a crash left.
    let mut orphan = store.blob(&id(3).to_string()).await.expect("a blob");
    orphan.write(content(3, 100)).await.expect("written");
    orphan.finish().await.expect("finished");
    Bench::open(Arc::clone(&store)).await.expect("a spool").close().await;
    assert_eq!(store.blobs().await, Ok(Vec::new()));
}

async fn a_listing_merges_what_is_and_what_is_not_yet_in_the_index(store: Arc<dyn Store>) {
    let bench = Bench::open(Arc::clone(&store)).await.expect("a spool");
    for n in (0..600).step_by(2) {
        bench.door.accept(offer(n, 1 + usize::from(n == 10), 10)).await.expect("accepted");
    }
    bench.close().await;
    let bench = Bench::open(store).await.expect("a spool");
    for n in (1..600).step_by(2) {
        bench.door.accept(offer(n, 1, 10)).await.expect("accepted");
    }
    bench.door.rule(ruling(4, [0], &done())).await.expect("ruled");
    bench.door.rule(ruling(7, [0], &done())).await.expect("ruled");
    bench.door.rule(ruling(10, [0], &done())).await.expect("ruled");

    let wanted: Vec<_> = (0..600).filter(|n| ![4, 7].contains(n)).map(id).collect();
    let all: Vec<_> = bench.contents().await.into_keys().collect();
    assert_eq!(all, wanted);
    let after = bench.door.list(Selection::default(), Some(id(3)), 4).await.expect("a list");
    assert_eq!(after.iter().map(|entry| entry.id).collect::<Vec<_>>(), [5, 6, 8, 9].map(id));
    let second = Selection { domain: Some("D1.example".to_owned()), ..Selection::default() };
    let second = bench.door.list(second, None, 10).await.expect("a list");
    assert_eq!(second.iter().map(|entry| entry.id).collect::<Vec<_>>(), [id(10)]);
    let one = Selection { id: Some(id(4)), ..Selection::default() };
    assert_eq!(bench.door.list(one, None, 10).await, Ok(Vec::new()));
    bench.close().await;
}

async fn what_ended_stays_ended(store: Arc<dyn Store>) {
    let bench = Bench::open(store).await.expect("a spool");
    bench.door.accept(offer(1, 2, 10)).await.expect("accepted");
    bench.door.rule(ruling(1, [0], &done())).await.expect("ruled");
    let late = bench.door.rule(ruling(1, [0, 9], &later(2))).await.expect("ruled").expect("one is left");
    assert_eq!(late.progress, [done(), later(0)], "a late report and an index that is none change nothing");
    assert_eq!(bench.door.rule(ruling(99, [0], &done())).await, Ok(None), "an unknown message");
    bench.close().await;
}

async fn many_at_once_are_all_kept(store: Arc<dyn Store>) {
    let bench = Bench::open(Arc::clone(&store)).await.expect("a spool");
    let door = &bench.door;
    let work = (0..500).map(|n| async move {
        door.accept(offer(n, 1, 500)).await.expect("accepted");
        match n % 3 {
            0 => assert_eq!(door.rule(ruling(n, [0], &done())).await, Ok(None)),
            1 => assert!(door.rule(ruling(n, [0], &later(1))).await.is_ok_and(|left| left.is_some())),
            _ => {}
        }
    });
    futures_util::future::join_all(work).await;
    bench.clock.advance(Duration::from_secs(60));
    bench.close().await;
    let bench = Bench::open(store).await.expect("a spool");
    let all = bench.contents().await;
    assert_eq!(all.keys().copied().collect::<Vec<_>>(), (0..500).filter(|n| n % 3 != 0).map(id).collect::<Vec<_>>());
    assert!((0..500).filter(|n| n % 3 == 1).all(|n| all[&id(n)].0.progress == [later(1)]));
    bench.close().await;
}

async fn after_closing_nothing_is_taken(store: Arc<dyn Store>) {
    let bench = Bench::open(store).await.expect("a spool");
    bench.door.accept(offer(1, 1, 10)).await.expect("accepted");
    bench.door.close().await;
    assert_eq!(bench.door.accept(offer(2, 1, 10)).await, Err(SpoolFault::Closing));
    assert_eq!(bench.door.rule(ruling(1, [0], &done())).await, Err(SpoolFault::Closing));
    bench.close().await;
}
