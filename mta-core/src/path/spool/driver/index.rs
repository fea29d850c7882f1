//! The index writer: brings changes into the index behind the journal, makes checkpoints, gives space back (the
//! journal's and the index's own), watches the disk.

use super::committer::Job;
use super::recovery::rebuild_index;
use super::shared::{Shared, writes};
use crate::base::event::Event;
use crate::base::flow::spool::Room;
use crate::base::world::store::{Position, Shrunk, StoreFault};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// How often the index writer looks for what has to be written.
const ROUND: Duration = Duration::from_millis(200);
/// A change stays in memory for so many rounds: most messages have ended by then.
const ROUNDS_BEFORE_WRITTEN: u64 = 5;
/// Entries written at once.
const BATCH_ENTRIES: usize = 2000;
/// A checkpoint at the latest after this long, or after so much of the journal: what a start has to replay.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(10);
const CHECKPOINT_EVERY_BYTES: u64 = 256 << 20;
/// How often the index's size is looked at.
const SIZE_EVERY: Duration = Duration::from_secs(10);
/// How often free space is looked at when nothing is written, and a failed disk is tried.
const WATCH_EVERY: Duration = Duration::from_secs(1);
/// A journal without a living record that is shorter than this is left alone.
const DEAD_BYTES_MIN: u64 = 1 << 20;

pub(super) struct IndexWriter {
    pub(super) shared: Arc<Shared>,
    pub(super) jobs: mpsc::WeakSender<Job>,
    pub(super) checkpointed_at: Instant,
    pub(super) watched_at: Instant,
    /// When the index's size was last looked at, and whether it is being shrunk.
    pub(super) sized_at: Instant,
    pub(super) is_shrinking: bool,
    /// Why the index must be made again, if it must.
    pub(super) lost: Option<String>,
}

impl IndexWriter {
    /// Works until the spool is closed; then everything is brought into the index.
    pub(super) async fn run(mut self) {
        let mut may_end = self.shared.may_end.subscribe();
        let mut next_round = self.shared.clock.now().mono + ROUND;
        loop {
            tokio::select! {
                // Its sender lives in `shared`, so it can't fail.
                _ = may_end.wait_for(|may| *may) => break,
                () = self.shared.index_wanted.notified() => {}
                () = self.shared.clock.sleep_until(next_round) => {}
            }
            let now = self.shared.clock.now().mono;
            if now >= next_round {
                next_round = now + ROUND;
                self.shared.ledger().next_round();
            }
            self.watch(now).await;
            self.remove_dead_blobs().await;
            self.write(false).await;
            self.checkpoint_if_due(now).await;
            if self.is_shrinking || now.saturating_duration_since(self.sized_at) >= SIZE_EVERY {
                self.sized_at = now;
                self.shrink().await;
            }
        }
        self.remove_dead_blobs().await;
        self.write(true).await;
        self.checkpoint().await;
        // One step: an index in which little lives is small when the program ends; a longer way waits for its next run.
        self.shrink().await;
    }

    /// Looks at the disk, and tries one that failed.
    async fn watch(&mut self, now: Instant) {
        if now.saturating_duration_since(self.watched_at) < WATCH_EVERY {
            return;
        }
        self.watched_at = now;
        self.shared.watch_disk();
        if self.shared.disk().room() != Room::Failing {
            return;
        }
        let Some(jobs) = self.jobs.upgrade() else { return };
        let (answer, answered) = oneshot::channel();
        if jobs.try_send(Job::Probe(answer)).is_ok() {
            // The committer notes what came of it. It may wait for this very task, so the answer is not waited for.
            drop(answered);
        }
    }

    async fn remove_dead_blobs(&self) {
        for id in self.shared.take_dead_blobs() {
            // What can't be removed now is an orphan, which the next start removes.
            let _removed = self.shared.store.remove_blob(&id.to_string()).await;
        }
    }

    /// Writes what is old enough, or all of it when there is much, or when it is the last time.
    async fn write(&mut self, is_last: bool) {
        if self.lost.is_some() && !self.rebuild().await {
            return;
        }
        let free = self.shared.store.free_bytes();
        let is_stuck = free.is_some_and(|free| self.shared.disk().is_nearly_full(free));
        self.shared.is_index_stuck.store(is_stuck, Ordering::Release);
        if is_stuck {
            self.shared.index_written.notify_one();
            return;
        }
        loop {
            let batch = {
                let mut ledger = self.shared.ledger();
                let rounds = if is_last || ledger.is_high() { 0 } else { ROUNDS_BEFORE_WRITTEN };
                ledger.take(rounds, BATCH_ENTRIES)
            };
            if batch.is_empty() {
                return;
            }
            match self.shared.store.apply(writes(&batch)).await {
                Ok(()) => {
                    self.shared.ledger().written(&batch);
                    self.shared.index_written.notify_one();
                }
                Err(fault) => {
                    self.shared.ledger().not_written(&batch);
                    self.failed(&fault);
                    return;
                }
            }
        }
    }

    fn failed(&mut self, fault: &StoreFault) {
        if let StoreFault::IndexLost(why) = fault {
            self.lost = Some(why.clone());
            self.shared.is_index_ready.send_replace(false);
            let mut ledger = self.shared.ledger();
            ledger.index_is_unsure(true);
        }
    }

    /// Makes the index again from the journal, while commits go on.
    async fn rebuild(&mut self) -> bool {
        let why = self.lost.clone().unwrap_or_default();
        let shared = &self.shared;
        let rebuilt = rebuild_index(&*shared.store, &*shared.observe, &*shared.clock, &why).await;
        if let Err(fault) = rebuilt {
            self.lost = Some(fault.to_string());
            self.shared.is_index_stuck.store(true, Ordering::Release);
            self.shared.index_written.notify_one();
            return false;
        }
        self.lost = None;
        self.shared.ledger().index_is_unsure(false);
        self.shared.is_index_ready.send_replace(true);
        true
    }

    async fn checkpoint_if_due(&mut self, now: Instant) {
        let is_wanted = self.shared.checkpoint_wanted.swap(false, Ordering::AcqRel);
        let done = self.shared.store.checkpointed().unwrap_or_default();
        let behind = self.shared.ledger().settled.0.saturating_sub(done.0);
        let is_late = now.saturating_duration_since(self.checkpointed_at) >= CHECKPOINT_EVERY;
        if is_wanted || behind >= CHECKPOINT_EVERY_BYTES || (is_late && behind > 0) {
            self.checkpointed_at = now;
            self.checkpoint().await;
        }
    }

    /// Makes the index durable, and gives back what of the journal nobody needs any more.
    async fn checkpoint(&mut self) {
        if self.lost.is_some() || self.shared.is_index_stuck.load(Ordering::Acquire) {
            return;
        }
        let upto = {
            let mut ledger = self.shared.ledger();
            ledger.first_unwritten().unwrap_or(ledger.settled)
        };
        if let Err(fault) = self.shared.store.checkpoint(upto).await {
            self.failed(&fault);
            return;
        }
        self.trim(upto).await;
    }

    /// Takes one step towards a smaller index, if it is much larger than what lives and there is room for a copy.
    async fn shrink(&mut self) {
        let is_well = self.lost.is_none() && !self.shared.is_index_stuck.load(Ordering::Acquire);
        let shrunk = if is_well && self.shared.disk().room() == Room::Open {
            // What fails has changed nothing, and is tried again at the next look.
            self.shared.store.shrink_trees().await.unwrap_or(Shrunk::Not)
        } else {
            Shrunk::Not
        };
        self.is_shrinking = shrunk == Shrunk::GoesOn;
        if let Shrunk::By { bytes } = shrunk {
            self.shared.observe.event(Event::Reclaimed { bytes, moved: 0 });
        }
    }

    async fn trim(&self, checkpointed: Position) {
        let (begin, end) = self.shared.store.extent();
        let lowest = self.shared.ledger().live.lowest();
        if lowest.is_none() && end.0 - begin.0 < DEAD_BYTES_MIN {
            return;
        }
        let before = lowest.unwrap_or(checkpointed).min(checkpointed);
        if self.shared.store.trim(before).await.is_ok() {
            let given_back = self.shared.store.extent().0.0.saturating_sub(begin.0);
            if given_back > 0 {
                self.shared.observe.event(Event::Reclaimed { bytes: given_back, moved: 0 });
            }
        }
    }
}
