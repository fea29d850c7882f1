//! Any interleaving of inputs: no recipient is in two hands at once, no limit is passed, and whatever is pending has a
//! place from which it will come again.

use super::tests::{DAY, MINUTE, START, entry, rules, ways};
use super::*;
use crate::base::flow::entry::{Fate, Progress};
use crate::base::flow::placement::Placement;
use crate::path::queue::operation::Action;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const DOMAINS: [&str; 4] = ["one.example", "two.example", "three.example", "four.example"];
const ATTEMPTS_MAX: u32 = 3;
const PER_DESTINATION_MAX: u32 = 2;

#[derive(Clone, Debug)]
enum Step {
    Accept {
        recipients: Vec<usize>,
    },
    /// One thing under way ends: which, how it went for each of its recipients in turn, and what the site did.
    End {
        which: usize,
        outcomes: [u8; 4],
        health: u8,
    },
    Operate {
        message: usize,
        action: usize,
        domain: Option<usize>,
        held: bool,
    },
    List {
        message: usize,
    },
    Reroute {
        shared: Vec<usize>,
        placing: bool,
    },
    Pause(bool),
    Pass {
        minutes: u32,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let recipients = prop::collection::vec(0..DOMAINS.len(), 1..5);
    prop_oneof![
        3 => recipients.prop_map(|recipients| Step::Accept { recipients }),
        8 => (any::<usize>(), any::<[u8; 4]>(), 0u8..4)
            .prop_map(|(which, outcomes, health)| Step::End { which, outcomes, health }),
        2 => (any::<usize>(), 0usize..3, prop::option::of(0..DOMAINS.len()), any::<bool>())
            .prop_map(|(message, action, domain, held)| Step::Operate { message, action, domain, held }),
        1 => any::<usize>().prop_map(|message| Step::List { message }),
        1 => (prop::collection::vec(0..DOMAINS.len(), 0..4), any::<bool>())
            .prop_map(|(shared, placing)| Step::Reroute { shared, placing }),
        1 => any::<bool>().prop_map(Step::Pause),
        3 => (0u32..3000).prop_map(|minutes| Step::Pass { minutes }),
    ]
}

/// What the machine was told to do and the world has not answered.
enum UnderWay {
    Attempt { job: Job, recipients: Vec<u32> },
    Age { job: Job, recipients: Vec<u32> },
    Place { job: Job, recipients: Vec<u32> },
    Operate { id: QueueId, operation: Operation, recipients: Vec<u32> },
}

impl UnderWay {
    fn hands(&self) -> (QueueId, &[u32]) {
        match self {
            Self::Attempt { job, recipients } | Self::Age { job, recipients } | Self::Place { job, recipients } => {
                (job.id, recipients)
            }
            Self::Operate { id, recipients, .. } => (*id, recipients),
        }
    }
}

/// The spool, the driver's tasks and the clock.
struct World {
    machine: Machine,
    rules: Rules,
    now: UnixMillis,
    spool: BTreeMap<QueueId, Entry>,
    accepted: u128,
    under_way: Vec<UnderWay>,
}

impl World {
    fn new() -> Self {
        let rules = Rules {
            attempts_max: ATTEMPTS_MAX,
            attempts_per_destination_max: PER_DESTINATION_MAX,
            delay_notice: Some(30 * MINUTE),
            ..rules()
        };
        let machine = Machine::new(rules.clone());
        Self { machine, rules, now: START, spool: BTreeMap::new(), accepted: 0, under_way: Vec::new() }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Accept { recipients } => self.accept(&recipients),
            Step::End { which, outcomes, health } => self.end(which, outcomes, health),
            Step::Operate { message, action, domain, held } => {
                if let Some(id) = self.nth(message) {
                    let action = [Action::Cancel, Action::Retry, Action::Rebind][action];
                    let domain = domain.map(|n| Arc::from(DOMAINS[n]));
                    self.machine.operate(id, Operation { action, domain, held, ticket: Some(1) });
                }
            }
            Step::List { message } => {
                if let Some(id) = self.nth(message) {
                    self.machine.admit(&self.spool[&id], self.now);
                }
            }
            Step::Reroute { shared, placing } => {
                self.rules.ways = ways(shared.into_iter().map(|n| DOMAINS[n]).collect(), placing);
                assert!(self.machine.set_rules(self.rules.clone(), true));
                for entry in self.spool.values() {
                    self.machine.admit(entry, self.now);
                }
            }
            Step::Pause(paused) => {
                self.rules.paused = paused;
                self.machine.set_rules(self.rules.clone(), false);
            }
            Step::Pass { minutes } => self.now = self.now.plus(minutes * MINUTE),
        }
        self.begin();
        self.check();
    }

    fn nth(&self, n: usize) -> Option<QueueId> {
        self.spool.keys().nth(n % self.spool.len().max(1)).copied()
    }

    fn accept(&mut self, recipients: &[usize]) {
        self.accepted += 1;
        let names: Vec<String> =
            recipients.iter().enumerate().map(|(i, domain)| format!("r{i}@{}", DOMAINS[*domain])).collect();
        let mut entry = entry(self.accepted, &names.iter().map(String::as_str).collect::<Vec<_>>());
        entry.accepted = self.now;
        entry.progress.fill(Progress::fresh(self.now));
        self.machine.admit(&entry, self.now);
        self.spool.insert(entry.id, entry);
    }

    fn begin(&mut self) {
        while let Some(effect) = self.machine.poll(self.now) {
            let under_way = match effect {
                Effect::Attempt(job) => {
                    let recipients = self.recipients(job.id, |entry, i| {
                        self.goes_to(&job, entry, i)
                            && matches!(entry.progress[i], Progress::Pending { due, .. } if due <= self.now)
                    });
                    UnderWay::Attempt { job, recipients }
                }
                Effect::Age(job) => {
                    let recipients = self.recipients(job.id, |entry, i| self.goes_to(&job, entry, i));
                    UnderWay::Age { job, recipients }
                }
                Effect::Place(job) => {
                    let recipients = self.recipients(job.id, |entry, i| {
                        self.goes_to(&job, entry, i)
                            && matches!(entry.progress[i], Progress::Pending { due, .. } if due <= self.now)
                    });
                    UnderWay::Place { job, recipients }
                }
                Effect::Operate { id, operation, except, ways } => {
                    let recipients = self.recipients(id, |entry, i| {
                        let domain = entry.envelope.recipients[i].address.domain();
                        let taken = matches!(entry.progress[i], Progress::Pending { .. })
                            && except.iter().any(|hop| **hop == ways.of(entry, i));
                        operation.action != Action::Divide && operation.concerns(&entry.progress[i], domain) && !taken
                    });
                    UnderWay::Operate { id, operation, recipients }
                }
            };
            let (id, recipients) = under_way.hands();
            for other in self.under_way.iter().map(UnderWay::hands).filter(|(other, _)| *other == id) {
                assert!(other.1.iter().all(|r| !recipients.contains(r)), "a recipient is in two hands");
            }
            self.under_way.push(under_way);
        }
    }

    fn recipients(&self, id: QueueId, chosen: impl Fn(&Entry, usize) -> bool) -> Vec<u32> {
        let Some(entry) = self.spool.get(&id) else { return Vec::new() };
        (0..entry.progress.len()).filter(|&i| chosen(entry, i)).map(|i| i as u32).collect()
    }

    fn goes_to(&self, job: &Job, entry: &Entry, i: usize) -> bool {
        matches!(entry.progress[i], Progress::Pending { .. }) && job.ways.of(entry, i) == *job.hop
    }

    fn end(&mut self, which: usize, outcomes: [u8; 4], health: u8) {
        if self.under_way.is_empty() {
            return;
        }
        match self.under_way.swap_remove(which % self.under_way.len()) {
            UnderWay::Attempt { job, recipients } => {
                for &r in &recipients {
                    self.rule(job.id, r, |now, old| attempt_result(outcomes[r as usize % 4], now, old));
                }
                let seen = [Health::Unknown, Health::Answered, Health::SessionFailed, Health::SiteFailed];
                let health = AttemptHealth(seen[usize::from(health)]);
                let after = if outcomes[0] == 255 { After::Unknown } else { self.left(job.id) };
                self.machine.attempted(job.slot, &after, health, self.now);
            }
            UnderWay::Age { job, recipients } => {
                let expiry = self.spool.get(&job.id).map(|entry| entry.accepted.plus(5 * DAY));
                let expired = expiry.is_some_and(|expiry| expiry <= self.now);
                for &r in &recipients {
                    self.rule(job.id, r, |_, old| if expired { Progress::Done(Fate::Expired) } else { told(old) });
                }
                let after = self.left(job.id);
                self.machine.aged(job.slot, &after, !recipients.is_empty(), self.now);
            }
            UnderWay::Place { job, recipients } => {
                for &r in &recipients {
                    let outcome = outcomes[r as usize % 4];
                    self.rule(job.id, r, |now, old| place_result(outcome, now, old));
                    let via = (outcome % 2 == 1).then(|| "chosen".into());
                    if outcome % 8 < 6
                        && let Some(entry) = self.spool.get_mut(&job.id)
                    {
                        entry.place(r, Some(Placement { via, ..Placement::default() }));
                    }
                }
                let after = if outcomes[0] == 255 { After::Unknown } else { self.left(job.id) };
                self.machine.placed(job.slot, &after, self.now);
            }
            UnderWay::Operate { id, operation, recipients } => {
                let failed = outcomes[0] > 240;
                for &r in recipients.iter().filter(|_| !failed) {
                    self.rule(id, r, |now, _| match operation.action {
                        Action::Cancel => Progress::Done(Fate::Cancelled),
                        Action::Retry | Action::Rebind | Action::Divide => Progress::fresh(now),
                    });
                    if operation.action == Action::Rebind
                        && let Some(entry) = self.spool.get_mut(&id)
                    {
                        entry.place(r, None);
                    }
                }
                let after = if failed { After::Unknown } else { self.left(id) };
                self.machine.operated(id, &after, self.now);
            }
        }
    }

    fn rule(&mut self, id: QueueId, recipient: u32, change: impl Fn(UnixMillis, &Progress) -> Progress) {
        let now = self.now;
        if let Some(entry) = self.spool.get_mut(&id) {
            let progress = &mut entry.progress[recipient as usize];
            *progress = change(now, progress);
        }
    }

    fn left(&mut self, id: QueueId) -> After {
        if self.spool.get(&id).is_some_and(Entry::is_finished) {
            self.spool.remove(&id);
        }
        self.spool.get(&id).map_or(After::Gone, |entry| After::Entry(Arc::new(entry.clone())))
    }

    fn check(&self) {
        let counts = self.machine.counts();
        assert!(counts.attempts <= ATTEMPTS_MAX);
        let mut by_hop: BTreeMap<&NextHop, u32> = BTreeMap::new();
        for under_way in &self.under_way {
            if let UnderWay::Attempt { job, .. } = under_way {
                *by_hop.entry(&job.hop).or_default() += 1;
            }
        }
        assert!(by_hop.values().all(|n| *n <= PER_DESTINATION_MAX));
        self.check_places();
        for (id, entry) in &self.spool {
            self.check_pending(*id, entry);
        }
    }

    /// Each item is where its place says, and its time is set.
    fn check_places(&self) {
        let machine = &self.machine;
        for slot in machine.items.all() {
            let item = machine.items.get(slot);
            let working = self.under_way.iter().any(|under_way| match under_way {
                UnderWay::Attempt { job, .. } | UnderWay::Age { job, .. } | UnderWay::Place { job, .. } => {
                    job.slot == slot
                }
                UnderWay::Operate { .. } => false,
            });
            match item.place {
                Place::Vacant => panic!("a vacant slot is no item"),
                Place::Waiting | Place::Ready => assert!(item.timer.is_some() && !working),
                Place::Aging => assert!(machine.aging.contains(&slot) && !working),
                Place::Unplaced => assert!(machine.unplaced.contains(&slot) && !working),
                Place::Attempted | Place::Aged | Place::Placing => assert!(working),
                Place::Parked => assert!(machine.desks.contains_key(&item.id()), "parked and forgotten"),
            }
            if item.place == Place::Ready {
                let destination = machine.destinations.get(item.destination);
                let may = destination.may_start(machine.rules.attempts_per_destination_max);
                assert!(!may || destination.has_turn(), "a destination that may start has no turn");
                let resting = destination.congestion.resting_until().is_some();
                let woken = destination.under_way > 0 || resting || destination.has_turn();
                assert!(woken, "nothing will give the line another turn");
            }
        }
    }

    /// A pending recipient has an item for its next hop, or its message is to be divided anew.
    fn check_pending(&self, id: QueueId, entry: &Entry) {
        let hops: BTreeSet<&NextHop> = self
            .machine
            .items
            .of_message(id)
            .map(|slot| &*self.machine.destinations.get(self.machine.items.get(slot).destination).hop)
            .collect();
        for i in 0..entry.progress.len() {
            if matches!(entry.progress[i], Progress::Pending { .. }) {
                let hop = self.rules.ways.of(entry, i);
                // The message of an item that is to be placed is divided whole after that.
                let known = hops.contains(&hop) || hops.contains(&NextHop::Unplaced);
                let known = known || self.machine.desks.contains_key(&id);
                assert!(known, "{id} {i} is pending and nothing will start it");
            }
        }
    }
}

fn attempt_result(outcome: u8, now: UnixMillis, old: &Progress) -> Progress {
    let Progress::Pending { attempts, last, delay_told, .. } = old.clone() else { return old.clone() };
    match outcome % 8 {
        0 | 1 => Progress::Done(Fate::Delivered),
        2 => Progress::Held("odd".into()),
        n => Progress::Pending { attempts: attempts + 1, due: now.plus(u32::from(n) * MINUTE), last, delay_told },
    }
}

/// Policy has a way for most, holds some, and fails some.
fn place_result(outcome: u8, now: UnixMillis, old: &Progress) -> Progress {
    let Progress::Pending { attempts, last, delay_told, due } = old.clone() else { return old.clone() };
    match outcome % 8 {
        5 => Progress::Held("odd".into()),
        6 => Progress::Pending { attempts: attempts + 1, due: now.plus(MINUTE), last, delay_told },
        7 => Progress::Done(Fate::Bounced),
        _ => Progress::Pending { attempts, due, last, delay_told },
    }
}

fn told(old: &Progress) -> Progress {
    match old.clone() {
        Progress::Pending { attempts, due, last, .. } => Progress::Pending { attempts, due, last, delay_told: true },
        other => other,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_interleaving_keeps_every_recipient_in_one_hand_and_none_forgotten(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
        // With everything answered and time passing, the queue empties: nothing is stuck.
        world.step(Step::Pause(false));
        for _ in 0..400 {
            world.step(Step::Pass { minutes: 60 });
            while !world.under_way.is_empty() {
                world.step(Step::End { which: 0, outcomes: [0; 4], health: 1 });
            }
        }
        let stuck: Vec<_> = world.spool.values().filter(|e| !e.pending().is_empty()).collect();
        prop_assert!(stuck.is_empty(), "{stuck:?}");
    }
}
