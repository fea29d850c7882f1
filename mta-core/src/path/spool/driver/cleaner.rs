//! The cleaner: when too much of the journal is dead, what lives at its front is written again at its end, so that the
//! front can be given back.

use super::committer::Job;
use super::shared::{Shared, tell_damage};
use crate::base::event::Event;
use crate::base::mail::id::QueueId;
use crate::base::world::store::{Found, Position, StoreFault};
use crate::path::spool::ledger::Known;
use crate::path::spool::record;
use crate::path::spool::replay::hear;
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How often the cleaner looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Octets of the journal that are looked through at once.
const STEP_BYTES: usize = 4 << 20;
/// The pause between two steps: at most 40 MiB are looked through in a second, unless space runs away.
const STEP_PAUSE: Duration = Duration::from_millis(100);

pub(super) struct Cleaner {
    pub(super) shared: Arc<Shared>,
    pub(super) jobs: mpsc::WeakSender<Job>,
    /// Where the journal began when a checkpoint was last asked for to give its front back. If it still begins there,
    /// the front is no whole segment, and what lives in it has to move.
    pub(super) asked_at: Option<Position>,
}

impl Cleaner {
    /// Works until the spool is closed.
    pub(super) async fn run(mut self) {
        let mut may_end = self.shared.may_end.subscribe();
        loop {
            let next = self.shared.clock.now().mono + LOOK_EVERY;
            tokio::select! {
                _ = may_end.wait_for(|may| *may) => return,
                () = self.shared.clock.sleep_until(next) => {}
            }
            tokio::select! {
                _ = may_end.wait_for(|may| *may) => return,
                // A pass that fails is tried again at the next look: nothing is lost but time.
                _ = self.pass() => {}
            }
        }
    }

    /// Cleans until little enough is dead.
    async fn pass(&mut self) -> Result<(), StoreFault> {
        let (mut at, end) = self.shared.store.extent();
        let mut moved = 0;
        if self.front_is_free(at) && self.asked_at != Some(at) {
            self.asked_at = Some(at);
            self.want_checkpoint();
            return Ok(());
        }
        while at < end && self.is_too_dead(at) && !self.shared.is_closing() {
            let (next, step_moved) = self.step(at).await?;
            if next == at {
                break;
            }
            at = next;
            moved += step_moved;
            if !self.is_running_away(at) {
                self.shared.clock.sleep_until(self.shared.clock.now().mono + STEP_PAUSE).await;
            }
        }
        if moved > 0 {
            self.want_checkpoint();
            self.shared.observe.event(Event::Reclaimed { bytes: 0, moved });
        }
        Ok(())
    }

    fn want_checkpoint(&self) {
        self.shared.checkpoint_wanted.store(true, Ordering::Release);
        self.shared.index_wanted.notify_one();
    }

    /// A segment or more can be given back without moving anything.
    fn front_is_free(&self, begin: Position) -> bool {
        let ledger = self.shared.ledger();
        let lowest = ledger.live.lowest().unwrap_or(ledger.settled);
        lowest.0.saturating_sub(begin.0) > self.shared.storage.segment_bytes
    }

    /// With everything before `at` given back, more than half as much as lives would still be dead.
    fn is_too_dead(&self, at: Position) -> bool {
        let (living, dead) = self.account(at);
        dead > (living / 2).max(self.shared.storage.segment_bytes)
    }

    fn is_running_away(&self, at: Position) -> bool {
        let (living, dead) = self.account(at);
        dead > living.saturating_mul(2).max(4 * self.shared.storage.segment_bytes)
    }

    fn account(&self, at: Position) -> (u64, u64) {
        let ledger = self.shared.ledger();
        let living = ledger.live.total();
        (living, ledger.settled.0.saturating_sub(at.0).saturating_sub(living))
    }

    /// Looks through the journal from `at`: where the next step begins, and how many messages moved.
    async fn step(&self, at: Position) -> Result<(Position, u64), StoreFault> {
        let found = self.shared.store.replay(at, STEP_BYTES).await?;
        let Some(next) = found.last().map(|last| last.end) else { return Ok((at, 0)) };
        let has_damage = found.iter().any(|one| one.record.is_err());
        let mut moved = 0;
        let mut left = messages(&found);
        while !left.is_empty() {
            let before = left.len();
            let (now_moved, again) = self.move_all(left).await?;
            moved += now_moved;
            left = again;
            if left.len() == before && now_moved == 0 {
                // The disk does not take them now.
                return Ok((at, moved));
            }
        }
        if has_damage {
            self.give_up_damaged(found, next)?;
        }
        Ok((next, moved))
    }

    /// Moves those that still live where they were found; how many, and those to be looked at again.
    async fn move_all(&self, found: Vec<Living>) -> Result<(u64, Vec<Living>), StoreFault> {
        let ids: Vec<QueueId> = found.iter().map(|one| one.id).collect();
        let pins = self.shared.pin_all(ids).await?;
        let mut answers = Vec::new();
        for (pin, one) in pins.into_iter().zip(found) {
            let known = self.shared.ledger().known(one.id);
            if !matches!(known, Known::Is(kept) if kept.home.message.at == one.at) {
                continue;
            }
            let content = one.content.clone();
            let (answer, answered) = oneshot::channel();
            let job = Job::Move { pin, from: one.at, content, answer };
            let Some(jobs) = self.jobs.upgrade() else { return Ok((0, Vec::new())) };
            if jobs.send(job).await.is_err() {
                return Ok((0, Vec::new()));
            }
            answers.push((one, answered));
        }
        let (mut moved, mut again) = (0, Vec::new());
        for (one, answered) in answers {
            match answered.await {
                Ok(Ok(true)) => moved += 1,
                // It changed while it was looked at.
                Ok(Ok(false)) => again.push(one),
                Ok(Err(fault)) => return Err(StoreFault::Io(fault.to_string())),
                Err(_) => return Ok((moved, Vec::new())),
            }
        }
        Ok((moved, again))
    }

    /// What still counts as living before `next` was in records that can't be read: it holds space no longer. Its
    /// octets were set aside.
    fn give_up_damaged(&self, found: Vec<Found>, next: Position) -> Result<(), StoreFault> {
        let mut damaged = Vec::new();
        hear(found, self.shared.clock.now().wall, &mut damaged)?;
        damaged.iter().for_each(|one| tell_damage(&*self.shared.observe, one));
        self.shared.ledger().live.give_up(next);
        Ok(())
    }
}

/// A message's record that may still be the one that counts.
struct Living {
    id: QueueId,
    at: Position,
    content: Bytes,
}

fn messages(found: &[Found]) -> Vec<Living> {
    let messages = found.iter().filter_map(|one| match &one.record {
        Ok((record::MESSAGE | record::JOINED, payload)) => {
            let id = record::name(payload)?;
            let content = record::content_of(payload, id).ok()?;
            Some(Living { id, at: one.at, content })
        }
        _ => None,
    });
    messages.collect()
}
