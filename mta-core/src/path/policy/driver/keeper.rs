//! Keeps the plugins' buckets: reads them when the server starts, and writes what changed, many changes at once.
//!
//! Hooks never wait for it. What a plugin wrote is kept within [`BEHIND`], or when the server ends; a crash may lose as
//! much as that.

use crate::base::event::Event;
use crate::base::world::store::{Journal, Position, Record, StoreFault};
use crate::base::world::{Clock, Observe};
use crate::sandbox::capability::kv::kept::Page;
use crate::sandbox::capability::kv::{Bucket, Kv};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, Notify};

/// How long a change waits for others to be written with it.
const BEHIND: Duration = Duration::from_millis(200);
/// The longest wait before writing is tried again, after it failed.
const AGAIN_MAX: Duration = Duration::from_secs(30);
/// Entries in a record.
const PAGE_ENTRIES_MAX: usize = 256;
/// Records that are written at once.
const RECORDS_MAX: usize = 64;
/// What is read at once when the server starts, in octets.
const REPLAY_BYTES: usize = 1024 * 1024;
/// A journal shorter than this is not written anew, whatever it holds.
const SHORT_BYTES: u64 = 4 * 1024 * 1024;

/// The keeper of all buckets.
pub(super) struct Keeper {
    journal: Option<Arc<dyn Journal>>,
    clock: Arc<dyn Clock>,
    observe: Arc<dyn Observe>,
    changed: Arc<Notify>,
    /// One at a time writes.
    turn: Mutex<()>,
}

impl Keeper {
    /// A keeper on a journal of its own; without one it keeps nothing, and buckets live as long as the server.
    pub(super) fn new(
        journal: Option<Arc<dyn Journal>>,
        clock: Arc<dyn Clock>,
        observe: Arc<dyn Observe>,
    ) -> (Self, Kv) {
        let changed = Arc::new(Notify::new());
        let kv = match &journal {
            Some(_) => Kv::kept(clock.now().wall.0, changed.clone()),
            None => Kv::default(),
        };
        (Self { journal, clock, observe, changed, turn: Mutex::new(()) }, kv)
    }

    /// Reads what was kept into the buckets. What is damaged was set aside by the journal, and is told.
    pub(super) async fn recall(&self, kv: &Kv) -> Result<(), StoreFault> {
        let Some(journal) = &self.journal else { return Ok(()) };
        let now_ms = self.clock.now().wall.0;
        let mut from = journal.extent().0;
        loop {
            let found = journal.replay(from, REPLAY_BYTES).await?;
            let Some(last) = found.last() else { return Ok(()) };
            from = last.end;
            for found in found {
                let position = found.at.0;
                match found.understood(Page::read, "it is no page of entries") {
                    Ok(page) => {
                        let bucket = kv.bucket(page.name());
                        page.entries.into_iter().for_each(|(key, what)| bucket.restore(now_ms, &key, what));
                    }
                    Err(why) => self.observe.event(Event::PluginDataDamaged { position, why: &why }),
                }
            }
        }
    }

    /// Writes changes as they come. Never ends.
    pub(super) async fn keep(&self, kv: &Kv) {
        let mut wait = BEHIND;
        loop {
            self.changed.notified().await;
            self.clock.sleep_until(self.clock.now().mono + wait).await;
            match self.save(kv).await {
                Ok(()) => wait = BEHIND,
                Err(fault) => {
                    wait = (wait * 2).min(AGAIN_MAX);
                    self.observe.event(Event::PluginDataUnkept { why: &fault.to_string() });
                    self.changed.notify_one();
                }
            }
        }
    }

    /// Writes all changes now.
    pub(super) async fn save(&self, kv: &Kv) -> Result<(), StoreFault> {
        let Some(journal) = &self.journal else { return Ok(()) };
        let _turn = self.turn.lock().await;
        let buckets = kv.buckets();
        loop {
            let mut taken: Vec<(&Bucket, Page)> = Vec::new();
            for (name, bucket) in &buckets {
                while taken.len() < RECORDS_MAX {
                    let changes = bucket.take_changes(PAGE_ENTRIES_MAX);
                    if changes.is_empty() {
                        break;
                    }
                    taken.push((bucket, Page::new(name, changes)));
                }
            }
            if taken.is_empty() {
                break;
            }
            let records: Vec<Record> = taken.iter().map(|(_, page)| page.record()).collect();
            if let Err(fault) = journal.append(records).await {
                taken
                    .iter()
                    .for_each(|(bucket, page)| bucket.put_back(page.entries.iter().map(|(key, what)| (&**key, what))));
                return Err(fault);
            }
        }
        let live: usize = buckets.iter().map(|(_, bucket)| bucket.size_bytes()).sum();
        let (Position(begin), end) = journal.extent();
        match end.0 - begin > SHORT_BYTES.max(2 * live as u64) {
            true => self.write_anew(&**journal, kv, end).await,
            false => Ok(()),
        }
    }

    /// Writes everything behind `end`, and gives back what is before it. An interruption leaves both.
    async fn write_anew(&self, journal: &dyn Journal, kv: &Kv, end: Position) -> Result<(), StoreFault> {
        for (name, bucket) in kv.buckets() {
            let mut after = None;
            loop {
                let entries = bucket.page(after.as_ref(), PAGE_ENTRIES_MAX);
                let Some((key, what)) = entries.last() else { break };
                after = Some((what.is_limit(), key.clone()));
                journal.append(vec![Page::new(&name, entries).record()]).await?;
            }
        }
        journal.trim(end).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::flow::Answer;
    use crate::base::time::{Now, UnixMillis};
    use crate::edge::store;
    use crate::sandbox::capability::kv::kept::BucketName;
    use std::path::Path;
    use std::time::Instant;

    const NOW_MS: u64 = 1_700_000_000_000;

    /// A clock that stands, and wakes sleepers at once.
    struct Standing(Instant);

    impl Clock for Standing {
        fn now(&self) -> Now {
            Now { mono: self.0, wall: UnixMillis(NOW_MS) }
        }

        fn sleep_until(&self, _: Instant) -> Answer<'static, ()> {
            Box::pin(std::future::ready(()))
        }
    }

    #[derive(Default)]
    struct Heard(std::sync::Mutex<Vec<String>>);

    impl Observe for Heard {
        fn event(&self, event: Event<'_>) {
            self.0.lock().expect("whole").push(format!("{event:?}"));
        }
    }

    fn keeper(dir: &Path, heard: &Arc<Heard>) -> (Keeper, Kv) {
        let journal = store::journal::open(dir, 64 * 1024).expect("a journal");
        Keeper::new(Some(journal), Arc::new(Standing(Instant::now())), heard.clone())
    }

    fn named(bucket: &str) -> BucketName {
        BucketName { plugin: "p".into(), tenant: None, bucket: bucket.into() }
    }

    fn count(kv: &Kv, add: i64) -> i64 {
        kv.bucket(named("b")).incr(NOW_MS, "k", add, None).expect("a counter")
    }

    #[tokio::test]
    async fn buckets_outlive_the_server() {
        let (dir, heard) = (tempfile::tempdir().expect("a directory"), Arc::new(Heard::default()));
        {
            let (keeper, kv) = keeper(dir.path(), &heard);
            keeper.recall(&kv).await.expect("an empty journal");
            assert_eq!(count(&kv, 2), 2);
            keeper.save(&kv).await.expect("the disk works");
            assert_eq!(count(&kv, 40), 42);
            keeper.save(&kv).await.expect("the disk works");
        }
        let (keeper, kv) = keeper(dir.path(), &heard);
        keeper.recall(&kv).await.expect("the disk works");
        assert_eq!((count(&kv, 0), heard.0.lock().expect("whole").len()), (42, 0));
    }

    #[tokio::test]
    async fn changes_are_kept_without_being_asked_for() {
        let (dir, heard) = (tempfile::tempdir().expect("a directory"), Arc::new(Heard::default()));
        let journal = store::journal::open(dir.path(), 64 * 1024).expect("a journal");
        let (keeper, kv) = Keeper::new(Some(journal.clone()), Arc::new(Standing(Instant::now())), heard);
        let (keeper, kv) = (Arc::new(keeper), Arc::new(kv));
        let (keeping, kept) = (keeper.clone(), kv.clone());
        let task = tokio::spawn(async move { keeping.keep(&kept).await });
        count(&kv, 1);
        while journal.extent().0 == journal.extent().1 {
            tokio::task::yield_now().await;
        }
        task.abort();
    }

    #[tokio::test]
    async fn a_journal_that_grew_is_written_anew_and_keeps_everything() {
        let (dir, heard) = (tempfile::tempdir().expect("a directory"), Arc::new(Heard::default()));
        let length = |journal: &Arc<dyn Journal>| journal.extent().1.0 - journal.extent().0.0;
        {
            let (keeper, kv) = keeper(dir.path(), &heard);
            let journal = keeper.journal.clone().expect("there is one");
            let bucket = kv.bucket(named("large"));
            count(&kv, 7);
            let mut longest = 0;
            for round in 0..200u32 {
                bucket.set(NOW_MS, "k", vec![0; 60_000], None).expect("it fits");
                bucket.take(NOW_MS, &round.to_string(), 1, 2, 60_000).expect("it fits");
                keeper.save(&kv).await.expect("the disk works");
                longest = longest.max(length(&journal));
            }
            assert!(longest < 2 * SHORT_BYTES, "12 MB were written, {longest} were there at most");
            assert!(longest > SHORT_BYTES / 2);
        }
        let (keeper, kv) = keeper(dir.path(), &heard);
        keeper.recall(&kv).await.expect("the disk works");
        let bucket = kv.bucket(named("large"));
        assert_eq!((count(&kv, 0), bucket.page(None, usize::MAX).len()), (7, 201));
        assert_eq!(heard.0.lock().expect("whole").len(), 0);
    }

    #[tokio::test]
    async fn a_damaged_page_is_told_and_the_rest_is_recalled() {
        let (dir, heard) = (tempfile::tempdir().expect("a directory"), Arc::new(Heard::default()));
        {
            let (keeper, kv) = keeper(dir.path(), &heard);
            for bucket in ["one", "two"] {
                kv.bucket(named(bucket)).set(NOW_MS, "key-of-it", bucket.into(), None).expect("it fits");
                keeper.save(&kv).await.expect("the disk works");
            }
        }
        let files = std::fs::read_dir(dir.path().join("journal")).expect("a directory");
        let file = files.map(|file| file.expect("a file").path()).next().expect("one segment");
        let mut octets = std::fs::read(&file).expect("a file");
        let at = octets.windows(3).position(|three| three == b"one").expect("the first page");
        octets[at] ^= 1;
        std::fs::write(&file, octets).expect("a file");
        let (keeper, kv) = keeper(dir.path(), &heard);
        keeper.recall(&kv).await.expect("the disk works");
        let left = |bucket: &str| kv.bucket(named(bucket)).get(NOW_MS, "key-of-it").map(|stored| stored.value);
        assert_eq!((left("one"), left("two")), (None, Some(b"two".to_vec())));
        assert!(heard.0.lock().expect("whole")[0].starts_with("PluginDataDamaged"));
    }
}
