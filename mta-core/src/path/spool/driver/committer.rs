//! The committer: gathers what was handed in, writes it once, then answers all of it.
//!
//! No delay is added: a group is what came while the one before was on its way to the disk.

use super::shared::{Pin, Shared, spool_fault};
use crate::base::event::Event;
use crate::base::fault::SpoolFault;
use crate::base::flow::entry::{Entry, Progress};
use crate::base::flow::placement::Placement;
use crate::base::mail::id::QueueId;
use crate::base::world::store::{Position, StoreFault};
use crate::path::spool::group::{Fresh, Group, Ruled};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

/// Jobs handed in and not yet taken.
pub(super) const JOBS_MAX: usize = 4096;
/// One group: jobs, and octets.
const GROUP_JOBS_MAX: usize = 1024;
const GROUP_BYTES_MAX: usize = 8 << 20;
/// Accepted entries that the queue has not yet taken.
const ADMIT_WAITING_MAX: usize = 10_000;
/// Free space is looked at whenever so many octets were written.
const WATCH_EVERY_BYTES: usize = 4 << 20;

/// What the committer is asked for.
pub(super) enum Job {
    Accept(Fresh, oneshot::Sender<Result<(), SpoolFault>>),
    Rule(Box<Change>, oneshot::Sender<Result<Option<Arc<Entry>>, SpoolFault>>),
    /// Write this message again at the journal's end; whether that was done.
    Move {
        pin: Pin,
        from: Position,
        content: Bytes,
        answer: oneshot::Sender<Result<bool, SpoolFault>>,
    },
    /// Try the disk.
    Probe(oneshot::Sender<Result<(), SpoolFault>>),
    /// Everything before this was answered; nothing comes behind it.
    Close(oneshot::Sender<()>),
}

/// A ruling on its way.
pub(super) struct Change {
    pub(super) pin: Pin,
    pub(super) changes: Vec<(u32, Progress)>,
    pub(super) placements: Vec<(u32, Option<Placement>)>,
    pub(super) notifications: Vec<Fresh>,
}

/// A job whose records are in the group, with its answer if the group becomes durable.
enum Pending {
    Accept(Fresh, oneshot::Sender<Result<(), SpoolFault>>),
    Rule(Box<Change>, Ruled, oneshot::Sender<Result<Option<Arc<Entry>>, SpoolFault>>),
    Move(Pin, bool, oneshot::Sender<Result<bool, SpoolFault>>),
    Probe(oneshot::Sender<Result<(), SpoolFault>>),
}

pub(super) struct Committer {
    pub(super) shared: Arc<Shared>,
    pub(super) admit: mpsc::Sender<Arc<Entry>>,
    /// For the queue as soon as it has room: whoever rules may be the one who admits, so the committer never waits
    /// for it.
    pub(super) waiting: VecDeque<Arc<Entry>>,
    pub(super) written_bytes: usize,
}

impl Committer {
    /// Works until it is closed.
    pub(super) async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut batch = Vec::with_capacity(GROUP_JOBS_MAX);
        loop {
            tokio::select! {
                biased;
                permit = self.admit.reserve(), if !self.waiting.is_empty() => {
                    match (permit, self.waiting.pop_front()) {
                        (Ok(permit), Some(entry)) => permit.send(entry),
                        // The queue has gone: the next start admits what is on disk.
                        _ => self.waiting.clear(),
                    }
                    continue;
                }
                taken = jobs.recv_many(&mut batch, GROUP_JOBS_MAX) => if taken == 0 { return },
            }
            // Whoever the last group answered is about to hand in more: one turn for them, and the group is whole
            // instead of half. With nobody else it is a turn of nothing.
            tokio::task::yield_now().await;
            while batch.len() < GROUP_JOBS_MAX {
                let Ok(job) = jobs.try_recv() else { break };
                batch.push(job);
            }
            let mut rest = VecDeque::from(std::mem::take(&mut batch));
            while !rest.is_empty() {
                self.wait_for_index().await;
                if let Some(closed) = self.commit_some(&mut rest).await {
                    jobs.close();
                    // Whoever waits for this may have gone.
                    let _asked = closed.send(());
                    return;
                }
            }
            batch = Vec::from(rest);
        }
    }

    /// Waits while too much is not yet in the index, unless that would take long.
    async fn wait_for_index(&self) {
        loop {
            let written = self.shared.index_written.notified();
            if !self.shared.ledger().is_full() || self.shared.is_index_stuck.load(Ordering::Acquire) {
                return;
            }
            self.shared.index_wanted.notify_one();
            written.await;
        }
    }

    /// Makes one group from the front of the jobs and commits it. Some: it was the last.
    async fn commit_some(&mut self, jobs: &mut VecDeque<Job>) -> Option<oneshot::Sender<()>> {
        let mut group = Group::default();
        let mut pending = Vec::with_capacity(jobs.len());
        let mut closed = None;
        let is_full = self.shared.ledger().is_full();
        while closed.is_none() && group.bytes < GROUP_BYTES_MAX {
            match jobs.pop_front() {
                None => break,
                Some(Job::Close(answer)) => closed = Some(answer),
                Some(job) if is_full => refuse(job, &SpoolFault::DiskFull),
                Some(job) => self.add(job, &mut group, &mut pending),
            }
        }
        if group.is_empty() {
            self.answer(pending);
            return closed;
        }
        self.written_bytes += group.bytes;
        let (records, durable) = group.take_records();
        match self.shared.store.append(records).await {
            Ok(positions) => {
                {
                    let mut ledger = self.shared.ledger();
                    durable.settle(&mut ledger, &positions);
                    ledger.settled = self.shared.store.extent().1;
                    if ledger.is_high() {
                        self.shared.index_wanted.notify_one();
                    }
                }
                let change = self.shared.disk().wrote();
                self.shared.tell(change);
                self.answer(pending);
            }
            Err(fault) => self.fail(pending, &fault),
        }
        if self.written_bytes >= WATCH_EVERY_BYTES {
            self.written_bytes = 0;
            self.shared.watch_disk();
        }
        closed
    }

    fn add(&self, job: Job, group: &mut Group, pending: &mut Vec<Pending>) {
        match job {
            Job::Accept(_, answer) if self.waiting.len() >= ADMIT_WAITING_MAX => {
                tell(answer, Err(SpoolFault::Store("the queue does not keep up".to_owned())));
            }
            Job::Accept(fresh, answer) => {
                group.accept(&fresh);
                pending.push(Pending::Accept(fresh, answer));
            }
            Job::Rule(change, answer) => {
                let Change { pin, changes, placements, notifications } = &*change;
                let ruled = group.rule(&self.shared.ledger(), pin.id, changes, placements, notifications);
                match ruled {
                    Some(ruled) => pending.push(Pending::Rule(change, ruled, answer)),
                    None => tell(answer, Ok(None)),
                }
            }
            Job::Move { pin, from, content, answer } => {
                let is_moved = group.move_up(&self.shared.ledger(), pin.id, from, content);
                pending.push(Pending::Move(pin, is_moved, answer));
            }
            Job::Probe(answer) => {
                group.probe();
                pending.push(Pending::Probe(answer));
            }
            // Taken out by the caller.
            Job::Close(_) => {}
        }
    }

    /// The group is durable.
    fn answer(&mut self, pending: Vec<Pending>) {
        for one in pending {
            match one {
                Pending::Accept(fresh, answer) => {
                    self.admit(fresh);
                    tell(answer, Ok(()));
                }
                Pending::Rule(change, ruled, answer) => {
                    let Change { pin, notifications, .. } = *change;
                    notifications.into_iter().for_each(|fresh| self.admit(fresh));
                    if ruled.has_ended {
                        self.ended(pin.id, ruled.is_blob);
                    }
                    tell(answer, Ok(ruled.left));
                }
                Pending::Move(_pin, is_moved, answer) => tell(answer, Ok(is_moved)),
                Pending::Probe(answer) => tell(answer, Ok(())),
            }
        }
    }

    /// Hands a durable message to the queue.
    fn admit(&mut self, fresh: Fresh) {
        let Fresh { entry, content } = fresh;
        if let Some(content) = content {
            self.shared.hot().insert(entry.id, content);
        }
        if !self.waiting.is_empty() {
            self.waiting.push_back(entry);
            return;
        }
        match self.admit.try_send(entry) {
            Err(TrySendError::Full(entry)) => self.waiting.push_back(entry),
            // Without a queue the next start admits it.
            Ok(()) | Err(TrySendError::Closed(_)) => {}
        }
    }

    fn ended(&self, id: QueueId, is_blob: bool) {
        self.shared.hot().remove(id);
        if is_blob {
            self.shared.drop_blob(id);
        }
    }

    /// Nothing of the group is durable.
    fn fail(&self, pending: Vec<Pending>, fault: &StoreFault) {
        let free = self.shared.store.free_bytes().unwrap_or_default();
        let change = self.shared.disk().failed(fault, free);
        self.shared.tell(change);
        let why = fault.to_string();
        self.shared.observe.event(Event::CommitFailed { messages: pending.len() as u64, why: &why });
        let fault = spool_fault(fault);
        for one in pending {
            match one {
                Pending::Accept(_, answer) | Pending::Probe(answer) => tell(answer, Err(fault.clone())),
                Pending::Rule(_, _, answer) => tell(answer, Err(fault.clone())),
                Pending::Move(_, _, answer) => tell(answer, Err(fault.clone())),
            }
        }
    }
}

fn refuse(job: Job, fault: &SpoolFault) {
    match job {
        Job::Accept(_, answer) | Job::Probe(answer) => tell(answer, Err(fault.clone())),
        Job::Rule(_, answer) => tell(answer, Err(fault.clone())),
        Job::Move { answer, .. } => tell(answer, Err(fault.clone())),
        Job::Close(answer) => tell(answer, ()),
    }
}

/// Answers; whoever asked may have gone in the meantime.
fn tell<T>(answer: oneshot::Sender<T>, value: T) {
    let _asked = answer.send(value);
}
