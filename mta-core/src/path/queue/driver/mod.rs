//! The queue's driver: one task that owns the machine, and one short task for each thing that the machine begins.
//!
//! The owning task never waits for the spool or the network: it takes in what has arrived, tells the machine, and
//! spawns what comes out. So the inbox is always emptied, also while the disk or every site is slow.

mod attempt;
mod doors;
#[cfg(test)]
mod fakes;
mod listing;
mod operate;
mod outcomes;
mod placing;
#[cfg(test)]
mod placing_tests;
#[cfg(test)]
mod tests;

use super::machine::{After, AttemptHealth, Effect, Machine};
use super::operation::Action;
use super::rules::Rules;
use crate::base::event::Event;
use crate::base::flow::Answer;
use crate::base::flow::entry::{Entry, Progress};
use crate::base::flow::operator::Operate;
use crate::base::flow::policy::Hook;
use crate::base::mail::id::QueueId;
use crate::base::time::{Now, UnixMillis};
use crate::base::world::Clock;
use crate::config::model::Config;
use attempt::Work;
pub use doors::Doors;
use futures_util::FutureExt;
use operate::{Command, Tickets};
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

/// Entries taken from the inbox at once.
const INBOX_BATCH_MAX: usize = 256;
/// Ended tasks taken in at once, before the machine is polled again.
const ENDED_BATCH_MAX: usize = 256;
/// Fresh entries kept at hand until their first attempt, so that it need not read them back: about 1 KiB each.
const FRESH_ENTRIES_MAX: usize = 4096;
/// Commands of operators that wait.
const COMMANDS_MAX: usize = 64;
/// The wait after a panic.
const PANIC_AGAIN: Duration = Duration::from_secs(1);
/// The longest sleep: due times are wall-clock times, and a step of that clock is noticed within this.
const SLEEP_MAX: Duration = Duration::from_secs(30);

/// Starts the queue: reads what the spool holds, then serves `inbox` too, until `stop` turns true (or its sender is
/// gone). From then on nothing is begun, attempts under way may end within `limits.drain`; the task's result is how
/// many were cut off. The handle is for operators. Attempts run on those threads.
pub fn start(
    threads: &Handle,
    doors: Doors,
    config: watch::Receiver<Arc<Config>>,
    inbox: mpsc::Receiver<Arc<Entry>>,
    stop: watch::Receiver<bool>,
) -> (Arc<dyn Operate>, JoinHandle<u64>) {
    let (commands, asked) = mpsc::channel(COMMANDS_MAX);
    let handle = Arc::new(operate::Handle::new(Arc::clone(&doors.spool), commands));
    let driver = Driver::new(doors, config);
    (handle, threads.spawn(driver.run(inbox, asked, stop)))
}

struct Driver {
    /// The doors and the configuration in force; tasks keep those that they began with.
    work: Arc<Work>,
    machine: Machine,
    config: watch::Receiver<Arc<Config>>,
    /// Plugins say where recipients go.
    placing: bool,
    tasks: JoinSet<Ended>,
    listing: listing::Listing,
    /// Entries that came by the inbox and were not known, or whose ways policy has just said: nothing has happened to
    /// them since.
    fresh: HashMap<QueueId, Arc<Entry>>,
    tickets: Tickets,
}

/// What a task did.
enum Ended {
    Attempted { slot: u32, after: After, health: AttemptHealth },
    Aged { slot: u32, after: After, acted: bool },
    Placed { slot: u32, after: After },
    Operated { id: QueueId, ticket: Option<u64>, after: After, acted: operate::Acted },
}

impl Driver {
    fn new(doors: Doors, mut config: watch::Receiver<Arc<Config>>) -> Self {
        let present = Arc::clone(&config.borrow_and_update());
        let placing = doors.policy.has(Hook::Route);
        let machine = Machine::new(Rules::of(&present, placing));
        Self {
            listing: listing::Listing::new(doors.clone()),
            work: Arc::new(Work { doors, config: present }),
            machine,
            config,
            placing,
            tasks: JoinSet::new(),
            fresh: HashMap::new(),
            tickets: Tickets::default(),
        }
    }

    async fn run(
        mut self,
        mut inbox: mpsc::Receiver<Arc<Entry>>,
        mut commands: mpsc::Receiver<Command>,
        mut stop: watch::Receiver<bool>,
    ) -> u64 {
        self.listing.begin();
        let mut arrived = Vec::with_capacity(INBOX_BATCH_MAX);
        let mut deadline: Option<Instant> = None;
        let mut inbox_open = true;
        let mut sleeper = Sleeper::default();
        loop {
            let now = self.work.doors.clock.now();
            if deadline.is_some() && (self.tasks.is_empty() || deadline.is_some_and(|end| now.mono >= end)) {
                return self.end().await;
            }
            self.follow_plugins();
            self.begin_all(now);
            // Once draining, what the machine waits for is not begun any more.
            let wake = if deadline.is_some() { None } else { self.machine.wake() };
            let asleep = sleeper.until(wake, deadline, now, &*self.work.doors.clock);
            tokio::select! {
                taken = inbox.recv_many(&mut arrived, INBOX_BATCH_MAX), if inbox_open => {
                    inbox_open = taken > 0;
                    self.admit(&mut arrived);
                }
                Some(ended) = self.tasks.join_next() => self.take_in(ended),
                Some(command) = commands.recv(), if deadline.is_none() => self.command(command),
                Some(batch) = self.listing.next() => self.admit_listed(&batch),
                () = asleep => sleeper.0 = None,
                Ok(()) = self.config.changed() => self.reload(),
                () = stopped(&mut stop), if deadline.is_none() => {
                    self.machine.drain();
                    self.listing.end();
                    self.tickets.clear();
                    deadline = Some(now.mono + self.work.config.limits.drain);
                }
            }
        }
    }

    fn begin_all(&mut self, now: Now) {
        while let Some(effect) = self.machine.poll(now.wall) {
            match effect {
                Effect::Attempt(job) => {
                    let (slot, fresh) = (job.slot, self.fresh.remove(&job.id));
                    let failed = Ended::Attempted { slot, after: After::Unknown, health: AttemptHealth::NOT_ASKED };
                    self.spawn(failed, |work| async move {
                        let (after, health) = work.attempt(&job, fresh).await;
                        Ended::Attempted { slot, after, health }
                    });
                }
                Effect::Age(job) => {
                    let slot = job.slot;
                    self.fresh.remove(&job.id);
                    let failed = Ended::Aged { slot, after: After::Unknown, acted: false };
                    self.spawn(failed, |work| async move {
                        let (after, acted) = work.look_at_age(&job).await;
                        Ended::Aged { slot, after, acted }
                    });
                }
                Effect::Place(job) => {
                    let (slot, fresh) = (job.slot, self.fresh.remove(&job.id));
                    let failed = Ended::Placed { slot, after: After::Unknown };
                    self.spawn(failed, |work| async move {
                        let after = work.place(&job, fresh).await;
                        Ended::Placed { slot, after }
                    });
                }
                Effect::Operate { id, operation, except, ways } => {
                    let ticket = operation.ticket;
                    self.fresh.remove(&id);
                    let failed = Ended::Operated { id, ticket, after: After::Unknown, acted: Ok(false) };
                    self.spawn(failed, |work| async move {
                        let (after, acted) = work.operate(id, &operation, &except, &ways).await;
                        Ended::Operated { id, ticket, after, acted }
                    });
                }
            }
        }
    }

    /// Spawns the work. A panic in it is a bug, is said so, and leaves the item to be tried again: its slot is not
    /// lost by it.
    fn spawn<F>(&mut self, failed: Ended, make: impl FnOnce(Arc<Work>) -> F)
    where
        F: Future<Output = Ended> + Send + 'static,
    {
        let work = Arc::clone(&self.work);
        let future = make(Arc::clone(&self.work));
        self.tasks.spawn(async move {
            match AssertUnwindSafe(future).catch_unwind().await {
                Ok(ended) => ended,
                Err(_) => {
                    let Doors { observe, clock, .. } = &work.doors;
                    observe.event(Event::Bug { place: "queue", why: "the work on a message panicked" });
                    // What always panics must not do so all the time.
                    clock.sleep_until(clock.now().mono + PANIC_AGAIN).await;
                    failed
                }
            }
        });
    }

    fn admit(&mut self, arrived: &mut Vec<Arc<Entry>>) {
        self.follow_plugins();
        let now = self.work.doors.clock.now();
        for entry in arrived.drain(..) {
            if self.machine.admit(&entry, now.wall) && self.fresh.len() < FRESH_ENTRIES_MAX {
                self.fresh.insert(entry.id, entry);
            }
        }
    }

    /// Listed entries are never kept: a listing is older than its arrival here.
    fn admit_listed(&mut self, batch: &[Arc<Entry>]) {
        let now = self.work.doors.clock.now();
        for entry in batch {
            self.machine.admit(entry, now.wall);
        }
    }

    fn take_in(&mut self, first: Result<Ended, tokio::task::JoinError>) {
        let now = self.work.doors.clock.now();
        let mut next = Some(first);
        for _ in 0..ENDED_BATCH_MAX {
            match next {
                Some(Ok(ended)) => self.ended(ended, now),
                // Only `end` aborts tasks, and takes no results in afterwards.
                Some(Err(_)) => {}
                None => return,
            }
            next = self.tasks.try_join_next();
        }
        if let Some(Ok(ended)) = next {
            self.ended(ended, now);
        }
    }

    fn ended(&mut self, ended: Ended, now: Now) {
        match ended {
            Ended::Attempted { slot, after, health } => self.machine.attempted(slot, &after, health, now.wall),
            Ended::Aged { slot, after, acted } => self.machine.aged(slot, &after, acted, now.wall),
            Ended::Placed { slot, after } => {
                self.machine.placed(slot, &after, now.wall);
                self.keep_placed(after, now);
            }
            Ended::Operated { id, ticket, after, acted } => {
                self.machine.operated(id, &after, now.wall);
                if let Some(ticket) = ticket {
                    self.tickets.one_done(ticket, acted);
                }
            }
        }
    }

    fn command(&mut self, command: Command) {
        let ids = command.ids.clone();
        let Some(operation) = self.tickets.open(command) else { return };
        for id in ids {
            let mut operation = operation.clone();
            // It waits for the end of what is under way. The operator need not.
            if operation.action == Action::Rebind
                && self.machine.is_busy(id)
                && let Some(ticket) = operation.ticket.take()
            {
                self.tickets.one_done(ticket, Ok(true));
            }
            self.machine.operate(id, operation);
        }
    }

    /// What was just placed and may go at once is at hand for its first attempt.
    fn keep_placed(&mut self, after: After, now: Now) {
        let After::Entry(entry) = after else { return };
        let is_due = |progress: &Progress| matches!(progress, Progress::Pending { due, .. } if *due <= now.wall);
        if self.fresh.len() < FRESH_ENTRIES_MAX && entry.progress.iter().any(is_due) {
            self.fresh.insert(entry.id, entry);
        }
    }

    /// Plugins that say where recipients go came, or went: whom nobody asked about is asked about now, or goes by the
    /// configuration.
    fn follow_plugins(&mut self) {
        let placing = self.work.doors.policy.has(Hook::Route);
        if std::mem::replace(&mut self.placing, placing) != placing {
            let config = Arc::clone(&self.work.config);
            self.set_rules(&config, true);
        }
    }

    fn reload(&mut self) {
        let config = Arc::clone(&self.config.borrow_and_update());
        let present = &self.work.config;
        let Config { routes, pools, hostname, feedback, .. } = &*config;
        let rerouted = (routes, pools, hostname, feedback)
            != (&present.routes, &present.pools, &present.hostname, &present.feedback);
        self.set_rules(&config, rerouted);
        self.work = Arc::new(Work { doors: self.work.doors.clone(), config });
    }

    fn set_rules(&mut self, config: &Arc<Config>, rerouted: bool) {
        if rerouted {
            // They were divided by the old routes; what is read back is routed anew.
            self.fresh.clear();
        }
        if self.machine.set_rules(Rules::of(config, self.placing), rerouted) {
            self.listing.begin();
        }
    }

    /// Cuts off what still runs. What was not ruled is as it was before its attempt.
    async fn end(mut self) -> u64 {
        let cut = u64::from(self.machine.counts().attempts);
        self.tasks.shutdown().await;
        self.work.doors.deliver.close_idle().await;
        cut
    }
}

/// The sleep that is slept already, so that a busy queue does not set a timer for each message.
#[derive(Default)]
struct Sleeper(Option<(Instant, Answer<'static, ()>)>);

impl Sleeper {
    /// A sleep until `wake` or `deadline`, whichever is first; it may end earlier, never later.
    fn until(
        &mut self,
        wake: Option<UnixMillis>,
        deadline: Option<Instant>,
        now: Now,
        clock: &dyn Clock,
    ) -> &mut Answer<'static, ()> {
        let wait = wake.map_or(SLEEP_MAX, |wake| wake.since(now.wall).min(SLEEP_MAX));
        let when = deadline.map_or(now.mono + wait, |deadline| deadline.min(now.mono + wait));
        if self.0.as_ref().is_some_and(|(until, _)| *until > when) {
            self.0 = None;
        }
        &mut self.0.get_or_insert_with(|| (when, clock.sleep_until(when))).1
    }
}

/// Ends when the queue is told to stop, or when nobody can tell it any more.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _told_or_gone = stop.wait_for(|stop| *stop).await;
}
