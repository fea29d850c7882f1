//! A spool, a deliver, a clock and an event log in memory, and a house that runs the driver on them.

use super::{Doors, start};
use crate::base::event::Event;
use crate::base::fault::{Scope, SpoolFault};
use crate::base::fixtures::START;
pub(super) use crate::base::fixtures::entry as message;
use crate::base::flow::Answer;
use crate::base::flow::attempt::{Attempt, Deliver, Endpoint, NextHop};
use crate::base::flow::entry::{Entry, Progress};
use crate::base::flow::offer::{Offer, OfferedContent};
use crate::base::flow::operator::{Operate, Selection};
use crate::base::flow::policy::{
    Attempted, Hook, Outcome as Told, Policy, RouteVerdict, Routing, SendVerdict, Sendout, SessionInfo, SessionPolicy,
    Unplaced,
};
use crate::base::flow::report::{Outcome, Report};
use crate::base::flow::ruling::{Ruling, Settle};
use crate::base::flow::spool::{Blob, Room, Spool};
use crate::base::mail::content::{Body, Content};
use crate::base::mail::header::section_bytes;
use crate::base::mail::id::QueueId;
use crate::base::time::Now;
use crate::base::world::{Clock, Dice, Observe};
use crate::config;
use crate::config::model::{Config, DomainPattern, Queue, Route};
use crate::path::settle::Settler;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// Nothing configured, without jitter.
pub(super) fn config() -> Config {
    Config { queue: Queue { jitter_percent: 0, ..Queue::default() }, ..config::example() }
}

/// Everything to one smart host.
pub(super) fn routed(to: &str) -> Config {
    let via = NextHop::Smarthost(Endpoint::Address(to.parse().expect("an address and port")));
    Config {
        routes: vec![Route { name: None, to: Some(DomainPattern::new("*")), via, tls: None, inside: false }],
        ..config()
    }
}

/// Messages in a map; new ones go into the queue's inbox.
pub(super) struct MemorySpool {
    state: Mutex<Messages>,
    inbox: mpsc::Sender<Arc<Entry>>,
    failed: watch::Sender<u32>,
}

#[derive(Default)]
struct Messages {
    entries: BTreeMap<QueueId, (Arc<Entry>, Bytes)>,
    damaged: BTreeSet<QueueId>,
    failures: (u32, Option<SpoolFault>),
}

impl MemorySpool {
    pub(super) fn put(&self, entry: Entry) {
        self.store(Arc::new(entry), Bytes::from_static(b"Subject: x\r\n\r\nhello\r\n"));
    }

    pub(super) fn left(&self) -> usize {
        self.state.lock().expect("unpoisoned").entries.len()
    }

    pub(super) fn get(&self, number: u128) -> Option<Arc<Entry>> {
        let state = self.state.lock().expect("unpoisoned");
        state.entries.get(&QueueId::new(START, number)).map(|(entry, _)| Arc::clone(entry))
    }

    pub(super) fn damage(&self, number: u128) {
        self.state.lock().expect("unpoisoned").damaged.insert(QueueId::new(START, number));
    }

    pub(super) fn fail_rules(&self, times: u32, fault: SpoolFault) {
        self.state.lock().expect("unpoisoned").failures = (times, Some(fault));
    }

    pub(super) async fn rules_failed(&self, times: u32) {
        self.failed.subscribe().wait_for(|failed| *failed >= times).await.expect("the spool is there");
    }

    fn store(&self, entry: Arc<Entry>, octets: Bytes) {
        self.state.lock().expect("unpoisoned").entries.insert(entry.id, (entry, octets));
    }

    fn apply(&self, ruling: Ruling) -> Result<(Option<Arc<Entry>>, Vec<Offer>), SpoolFault> {
        let mut state = self.state.lock().expect("unpoisoned");
        if let (left @ 1.., Some(fault)) = &mut state.failures {
            *left -= 1;
            let fault = fault.clone();
            drop(state);
            self.failed.send_modify(|failed| *failed += 1);
            return Err(fault);
        }
        let (entry, octets) = state.entries.get(&ruling.id).expect("rulings are about messages that are there").clone();
        let mut entry = (*entry).clone();
        for (index, progress) in ruling.changes {
            assert!(!matches!(entry.progress[index as usize], Progress::Done(_)), "an end is final");
            entry.progress[index as usize] = progress;
        }
        ruling.placements.into_iter().for_each(|(index, placement)| entry.place(index, placement));
        let left = (!entry.is_finished()).then(|| Arc::new(entry));
        match &left {
            Some(entry) => state.entries.insert(ruling.id, (Arc::clone(entry), octets)),
            None => state.entries.remove(&ruling.id),
        };
        Ok((left, ruling.notifications))
    }
}

impl Spool for MemorySpool {
    fn room(&self) -> Room {
        Room::Open
    }

    fn blob(&self, _: QueueId) -> Answer<'_, Result<Box<dyn Blob>, SpoolFault>> {
        Box::pin(async { Err(SpoolFault::Store("no blobs here".to_owned())) })
    }

    fn accept(&self, offer: Offer) -> Answer<'_, Result<(), SpoolFault>> {
        Box::pin(async move {
            let OfferedContent::Memory(octets) = offer.content else { return Err(SpoolFault::DiskFull) };
            let entry = Arc::new(offer.entry);
            self.store(Arc::clone(&entry), octets);
            self.inbox.send(entry).await.map_err(|_| SpoolFault::Closing)
        })
    }

    fn entry(&self, id: QueueId) -> Answer<'_, Result<Option<Arc<Entry>>, SpoolFault>> {
        let state = self.state.lock().expect("unpoisoned");
        let found = state.entries.get(&id).map(|(entry, _)| Arc::clone(entry));
        Box::pin(async { Ok(found) })
    }

    fn content(&self, id: QueueId) -> Answer<'_, Result<Content, SpoolFault>> {
        let state = self.state.lock().expect("unpoisoned");
        let found = match state.entries.get(&id) {
            Some((_, octets)) if !state.damaged.contains(&id) => {
                let head = section_bytes(octets).expect("a header section");
                Ok(Content { head: octets.slice(..head), body: Body::Memory(octets.slice(head..)) })
            }
            _ => Err(SpoolFault::Damaged("nothing to read".to_owned())),
        };
        Box::pin(async { found })
    }

    fn rule(&self, ruling: Ruling) -> Answer<'_, Result<Option<Arc<Entry>>, SpoolFault>> {
        Box::pin(async {
            let (left, notifications) = self.apply(ruling)?;
            for offer in notifications {
                self.accept(offer).await?;
            }
            Ok(left)
        })
    }

    fn list(
        &self,
        selection: Selection,
        after: Option<QueueId>,
        limit: usize,
    ) -> Answer<'_, Result<Vec<Arc<Entry>>, SpoolFault>> {
        let matches = |entry: &Entry| {
            let domain = selection.domain.as_ref().is_none_or(|wanted| {
                entry.envelope.recipients.iter().any(|r| r.address.domain().is_some_and(|d| d.to_string() == *wanted))
            });
            let held = !selection.held || entry.progress.iter().any(|p| matches!(p, Progress::Held(_)));
            domain && held && selection.id.is_none_or(|id| id == entry.id)
        };
        let state = self.state.lock().expect("unpoisoned");
        let entries = state.entries.values().map(|(entry, _)| Arc::clone(entry));
        let found = entries.filter(|e| after.is_none_or(|after| e.id > after) && matches(e)).take(limit).collect();
        Box::pin(async { Ok(found) })
    }
}

/// Hands attempts to the test, which says how each ends.
struct AskedDeliver(mpsc::UnboundedSender<Asked>);

/// An attempt under way.
pub(super) struct Asked {
    attempt: Attempt,
    answer: oneshot::Sender<(Outcome, Option<Scope>)>,
}

impl Asked {
    pub(super) fn end(self, outcome: Outcome) {
        self.end_with(outcome, None);
    }

    pub(super) fn end_with(self, outcome: Outcome, trouble: Option<Scope>) {
        assert!(self.answer.send((outcome, trouble)).is_ok(), "the attempt waits for its end");
    }

    pub(super) fn panic(self) {
        drop(self.answer);
    }

    pub(super) fn content_text(&self) -> String {
        let Body::Memory(body) = &self.attempt.content.body else { return String::new() };
        String::from_utf8_lossy(&[&self.attempt.content.head[..], body].concat()).into_owned()
    }
}

impl Deref for Asked {
    type Target = Attempt;

    fn deref(&self) -> &Attempt {
        &self.attempt
    }
}

impl Deliver for AskedDeliver {
    fn attempt(&self, attempt: Attempt) -> Answer<'_, Report> {
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            let (id, recipients) = (attempt.entry.id, attempt.recipients.clone());
            assert!(self.0.send(Asked { attempt, answer }).is_ok(), "the test is there");
            let (outcome, trouble) = answered.await.expect("a deliver that panics");
            let outcomes = recipients.iter().map(|&index| (index, outcome.clone())).collect();
            let said_by = recipients.iter().map(|&index| (index, "mx.to.example".into())).collect();
            let remote = Some("mx.to.example".into());
            Report { id, outcomes, remote, said_by, tls: None, took: Duration::ZERO, trouble }
        })
    }

    fn close_idle(&self) -> Answer<'_, ()> {
        Box::pin(async {})
    }
}

/// A clock that stands until it is advanced.
pub(super) struct ManualClock {
    begin: Instant,
    passed: watch::Sender<Duration>,
    sleepers: watch::Sender<BTreeSet<Duration>>,
}

impl ManualClock {
    pub(super) fn advance(&self, by: Duration) {
        self.passed.send_modify(|passed| *passed += by);
    }

    /// Waits until somebody sleeps until `from_now` from now.
    pub(super) async fn sleeper(&self, from_now: Duration) {
        let wanted = *self.passed.borrow() + from_now;
        self.sleepers.subscribe().wait_for(|all| all.contains(&wanted)).await.expect("the clock is there");
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Now {
        let passed = *self.passed.borrow();
        Now { mono: self.begin + passed, wall: START.plus(passed) }
    }

    fn sleep_until(&self, when: Instant) -> Answer<'static, ()> {
        let (begin, mut passed) = (self.begin, self.passed.subscribe());
        self.sleepers.send_modify(|all| _ = all.insert(when.saturating_duration_since(begin)));
        Box::pin(async move {
            let reached = passed.wait_for(|passed| begin + *passed >= when).await.is_ok();
            assert!(reached, "the clock is there");
        })
    }
}

struct EventNames(mpsc::UnboundedSender<String>);

impl Observe for EventNames {
    fn event(&self, event: Event<'_>) {
        let shown = format!("{event:?}");
        let name = shown.split([' ', '{']).next().unwrap_or_default().to_owned();
        // Nobody reads on after the test's end.
        let _unread = self.0.send(name);
    }
}

/// What plugins say of recipients' ways, in their order, then nothing more; without it there are none that say it.
#[derive(Default)]
pub(super) struct Placer {
    answers: Mutex<Option<VecDeque<Routing>>>,
    /// The addresses that they were asked about, and the attempts that were to come.
    asked: Mutex<Vec<(String, u32)>>,
}

impl Placer {
    pub(super) fn say(&self, answers: impl IntoIterator<Item = Routing>) {
        *self.answers.lock().expect("unpoisoned") = Some(answers.into_iter().collect());
    }

    pub(super) fn asked(&self) -> Vec<(String, u32)> {
        std::mem::take(&mut self.asked.lock().expect("unpoisoned"))
    }
}

/// Keeps what policy is told of recipients: which, at which attempt, and what.
struct ToldPolicy(mpsc::UnboundedSender<(u32, u32, Told)>, Arc<Placer>);

impl Policy for ToldPolicy {
    fn has(&self, hook: Hook) -> bool {
        hook == Hook::Outcome || hook == Hook::Route && self.1.answers.lock().expect("unpoisoned").is_some()
    }

    fn route<'a>(&'a self, unplaced: Unplaced<'a>) -> Answer<'a, RouteVerdict> {
        let to = unplaced.entry.envelope.recipients[unplaced.recipient as usize].address.to_string();
        self.1.asked.lock().expect("unpoisoned").push((to, unplaced.attempt));
        let said = self.1.answers.lock().expect("unpoisoned").as_mut().and_then(VecDeque::pop_front);
        let routing = said.unwrap_or(Routing::Next);
        Box::pin(async { RouteVerdict { routing, plugin: Some("placer".into()) } })
    }

    fn session(&self, _: SessionInfo) -> Box<dyn SessionPolicy> {
        panic!("the queue opens no session")
    }

    fn pre_send<'a>(&'a self, _: Sendout<'a>) -> Answer<'a, SendVerdict> {
        panic!("deliver asks before an attempt")
    }

    fn outcome(&self, attempted: &Attempted) {
        // Nobody reads on after the test's end.
        let _unread = self.0.send((attempted.recipient, attempted.attempt, attempted.outcome.clone()));
    }
}

/// Dice that show 1, 2, 3: ids differ, and no jitter is configured here.
#[derive(Default)]
struct Counting(AtomicU64);

impl Dice for Counting {
    fn roll(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

/// Everything that the driver needs, before it runs.
pub(super) struct Foundation {
    pub(super) spool: Arc<MemorySpool>,
    clock: Arc<ManualClock>,
    config: watch::Sender<Arc<Config>>,
    inbox: mpsc::Receiver<Arc<Entry>>,
    pub(super) placer: Arc<Placer>,
}

/// A running driver.
pub(super) struct House {
    pub(super) spool: Arc<MemorySpool>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) operator: Arc<dyn Operate>,
    pub(super) placer: Arc<Placer>,
    config: watch::Sender<Arc<Config>>,
    attempts: mpsc::UnboundedReceiver<Asked>,
    events: mpsc::UnboundedReceiver<String>,
    outcomes: mpsc::UnboundedReceiver<(u32, u32, Told)>,
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<u64>>,
}

impl Foundation {
    pub(super) fn start(self) -> House {
        let (asked, attempts) = mpsc::unbounded_channel();
        let (told, events) = mpsc::unbounded_channel();
        let (tell_policy, outcomes) = mpsc::unbounded_channel();
        let (stop, stopped) = watch::channel(false);
        let settle: Arc<dyn Settle> = Arc::new(Settler::new(self.config.subscribe(), Arc::new(Counting::default())));
        let doors = Doors {
            spool: Arc::clone(&self.spool) as Arc<dyn Spool>,
            deliver: Arc::new(AskedDeliver(asked.clone())),
            feedback: Arc::new(AskedDeliver(asked)),
            settle,
            policy: Arc::new(ToldPolicy(tell_policy, Arc::clone(&self.placer))),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            observe: Arc::new(EventNames(told)),
        };
        let (operator, task) = start(&Handle::current(), doors, self.config.subscribe(), self.inbox, stopped);
        let (spool, clock, config, placer) = (self.spool, self.clock, self.config, self.placer);
        House { spool, clock, operator, placer, config, attempts, events, outcomes, stop, task: Some(task) }
    }
}

impl House {
    pub(super) fn new(config: Config) -> Self {
        Self::stopped(config).start()
    }

    pub(super) fn stopped(config: Config) -> Foundation {
        let (sender, inbox) = mpsc::channel(16);
        let spool = MemorySpool { state: Mutex::default(), inbox: sender, failed: watch::Sender::new(0) };
        let clock = ManualClock {
            begin: Instant::now(),
            passed: watch::Sender::new(Duration::ZERO),
            sleepers: watch::Sender::default(),
        };
        let config = watch::Sender::new(Arc::new(config));
        Foundation { spool: Arc::new(spool), clock: Arc::new(clock), config, inbox, placer: Arc::default() }
    }

    pub(super) async fn accept(&self, entry: Entry) {
        let octets = Bytes::from_static(b"Subject: x\r\n\r\nhello\r\n");
        let offer = Offer { entry, content: OfferedContent::Memory(octets) };
        self.spool.accept(offer).await.expect("the driver takes its inbox in");
    }

    pub(super) async fn attempt(&mut self) -> Asked {
        self.attempts.recv().await.expect("the driver runs")
    }

    /// Lets every task go on until it waits for something that only the test can give.
    pub(super) async fn quiet(&self) {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }

    pub(super) async fn no_attempt(&mut self) -> bool {
        self.quiet().await;
        self.attempts.try_recv().is_err()
    }

    /// Waits for an event of that name.
    pub(super) async fn event(&mut self, name: &str) {
        while self.events.recv().await.expect("the driver runs") != name {}
    }

    /// The next that policy is told: the recipient's index, the attempt, and what became of it.
    pub(super) async fn told(&mut self) -> (u32, u32, Told) {
        self.outcomes.recv().await.expect("the driver runs")
    }

    pub(super) fn reload(&self, config: Config) {
        self.config.send_replace(Arc::new(config));
    }

    pub(super) fn begin_stop(&mut self) -> JoinHandle<u64> {
        self.stop.send_replace(true);
        self.task.take().expect("stopped once")
    }

    pub(super) async fn stop(mut self) {
        self.begin_stop().await.expect("the driver ends");
    }
}
