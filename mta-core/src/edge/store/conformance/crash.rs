//! The power goes between any two writes: what was acknowledged is there afterwards, on every engine.

use super::faults::{Call, Faulty};
use super::world::{Bench, StillClock, content, done, id, later, offer, ruling, storage};
use crate::base::flow::entry::Progress;
use crate::base::flow::ruling::Ruling;
use crate::base::flow::spool::Spool;
use crate::base::mail::id::QueueId;
use crate::base::world::store::Store;
use crate::edge::store::{memory::Memory, sled};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What the spool said yes to.
#[derive(Default)]
struct Acknowledged {
    /// Messages, with the last acknowledged progress.
    live: BTreeMap<QueueId, Vec<Progress>>,
    /// Messages whose end was acknowledged.
    ended: Vec<QueueId>,
    /// Asked for when the power was gone: either way is right.
    unsure: Vec<QueueId>,
}

impl Acknowledged {
    fn ruled(&mut self, n: u64, ruled: bool, progress: Option<Vec<Progress>>) {
        match (ruled, progress) {
            (true, Some(progress)) => {
                self.live.insert(id(n), progress);
            }
            (true, None) => {
                self.live.remove(&id(n));
                self.ended.push(id(n));
            }
            (false, _) => self.unsure.push(id(n)),
        }
    }
}

/// Some of everything, in an order that never changes.
async fn story(bench: &Bench, store: &Faulty, clock: &StillClock) -> Acknowledged {
    let mut said = Acknowledged::default();
    for n in 0..8 {
        // The last is long enough for a blob.
        let accepted = bench.door.accept(offer(n, 2, if n == 7 { 40_000 } else { 900 })).await.is_ok();
        said.ruled(n, accepted, Some(vec![later(0); 2]));
        if !accepted {
            said.live.remove(&id(n));
        }
        if n == 3 {
            next_checkpoint(store, clock).await;
        }
    }
    let ruled = bench.door.rule(ruling(0, [0, 1], &done())).await.is_ok();
    said.ruled(0, ruled, None);
    let ruled = bench.door.rule(ruling(1, [1], &later(1))).await.is_ok();
    said.ruled(1, ruled, Some(vec![later(0), later(1)]));
    let bounce = Ruling { notifications: vec![offer(20, 1, 300), offer(21, 1, 40_000)], ..ruling(5, [0, 1], &done()) };
    let ruled = bench.door.rule(bounce).await.is_ok();
    said.ruled(5, ruled, None);
    for n in [20, 21] {
        said.ruled(n, ruled, Some(vec![later(0)]));
    }
    next_checkpoint(store, clock).await;
    let ruled = bench.door.rule(ruling(7, [0, 1], &done())).await.is_ok();
    said.ruled(7, ruled, None);
    let ruled = bench.door.rule(ruling(2, [0], &done())).await.is_ok();
    said.ruled(2, ruled, Some(vec![done(), later(0)]));
    said
}

async fn next_checkpoint(store: &Faulty, clock: &StillClock) {
    if store.is_without_power() {
        // There may be nothing to make a checkpoint for.
        return;
    }
    let before = store.count(Call::Checkpoint);
    clock.advance(Duration::from_secs(11));
    store.wait_for_more(Call::Checkpoint, before).await;
}

/// What is found after the crash is what was acknowledged.
async fn verify(store: Arc<dyn Store>, said: &Acknowledged, at: u64) {
    let bench = Bench::open(store).await.expect("a spool");
    let found = bench.contents().await;
    for (id, progress) in said.live.iter().filter(|(id, _)| !said.unsure.contains(id)) {
        let (entry, octets) = found.get(id).unwrap_or_else(|| panic!("power cut {at}: {id} was acknowledged"));
        assert_eq!(&entry.progress, progress, "power cut {at}: {id}");
        let n = u64::try_from(id.0 & 0xffff).expect("16 bits");
        let body = if [7, 21].contains(&n) {
            40_000
        } else if n == 20 {
            300
        } else {
            900
        };
        assert_eq!(octets, &content(n, body), "power cut {at}: {id}");
    }
    for id in &said.ended {
        assert!(!found.contains_key(id), "power cut {at}: {id} had ended");
    }
    let both = [20, 21].map(|n| found.contains_key(&id(n)));
    assert_eq!(both[0], both[1], "power cut {at}: notifications come together");
    if both[0] {
        assert!(!found.contains_key(&id(5)), "power cut {at}: and with their ruling");
    }
    // It still works.
    bench.door.accept(offer(30, 1, 10)).await.expect("accepted");
    bench.close().await;
}

#[tokio::test]
async fn power_cut_between_any_two_writes_on_memory() {
    for at in 0.. {
        let memory = Arc::new(Memory::default());
        let store = Faulty::new(memory.clone());
        let bench = Bench::open(store.clone()).await.expect("a spool");
        store.cut_power_after(at);
        let clock = Arc::clone(&bench.clock);
        let said = story(&bench, &store, &clock).await;
        let was_cut = store.is_without_power();
        verify(Arc::new(memory.crashed()), &said, at).await;
        if !was_cut {
            assert!(at > 15, "the story has more than {at} writes");
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn power_cut_between_any_two_writes_on_sled() {
    for at in 0.. {
        let dir = tempfile::tempdir().expect("a directory");
        let real = sled::open(&dir.path().join("a"), &storage()).expect("a store");
        let store = Faulty::new(real);
        let bench = Bench::open(store.clone()).await.expect("a spool");
        store.cut_power_after(at);
        let clock = Arc::clone(&bench.clock);
        let said = story(&bench, &store, &clock).await;
        let was_cut = store.is_without_power();
        // The files as they are now: nothing is closed or flushed for it.
        copy(&dir.path().join("a"), &dir.path().join("b"));
        let after = sled::open(&dir.path().join("b"), &storage()).expect("a store");
        verify(after, &said, at).await;
        bench.close().await;
        if !was_cut {
            assert!(at > 15, "the story has more than {at} writes");
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_is_lost_or_garbage_is_made_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let (first, index) = (dir.path().join("a"), dir.path().join("a/index"));
    let bench = Bench::open(sled::open(&first, &storage()).expect("a store")).await.expect("a spool");
    for n in 0..50 {
        bench.door.accept(offer(n, 2, 200)).await.expect("accepted");
    }
    bench.door.rule(ruling(3, [0], &done())).await.expect("ruled");
    bench.door.rule(ruling(4, [0, 1], &done())).await.expect("ruled");
    let wanted = bench.contents().await;
    bench.close().await;

    type Harm = fn(&Path);
    let harms: [(&str, Harm); 5] = [
        ("removed", |index| std::fs::remove_dir_all(index).expect("removed")),
        ("garbage", |index| std::fs::write(only(index).join("db"), vec![0xa5; 200_000]).expect("written")),
        ("no configuration", |index| std::fs::write(only(index).join("conf"), b"nonsense").expect("written")),
        ("emptied", |index| std::fs::write(only(index).join("db"), b"").expect("written")),
        ("no note", |index| std::fs::remove_file(index.with_file_name("checkpoint")).expect("removed")),
    ];
    for (name, harm) in harms {
        harm(&index);
        let bench = Bench::open(sled::open(&first, &storage()).expect(name)).await.expect(name);
        assert!(bench.contents().await == wanted, "{name}");
        // sled does without its configuration; whatever else is gone must be noticed.
        assert_eq!(bench.seen.all("spool-rebuilding").len(), usize::from(name != "no configuration"), "{name}");
        bench.close().await;
    }
}

/// The directory of the one index that is there.
fn only(index: &Path) -> PathBuf {
    let mut all = std::fs::read_dir(index).expect("readable").map(|item| item.expect("readable").path());
    let one = all.next().expect("an index");
    assert!(all.next().is_none(), "one index alone");
    one
}

/// A copy of the directory as it stands. sled renames its snapshots at its own time: a copy that a file has gone from
/// under is of no moment, and is made again.
pub(super) fn copy(from: &Path, to: &Path) {
    const TRIES: usize = 20;
    let whole = (0..TRIES).any(|_| match try_copy(from, to) {
        Ok(()) => true,
        Err(gone) if gone.kind() == std::io::ErrorKind::NotFound => {
            std::fs::remove_dir_all(to).expect("our own copy");
            false
        }
        Err(error) => panic!("{}: {error}", from.display()),
    });
    assert!(whole, "{} never stands still", from.display());
}

fn try_copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for item in std::fs::read_dir(from)? {
        let item = item?;
        let target = to.join(item.file_name());
        if item.file_type()?.is_dir() {
            try_copy(&item.path(), &target)?;
        } else {
            std::fs::copy(item.path(), target)?;
        }
    }
    Ok(())
}
