//! The machine on a virtual clock: what starts, when, and what must not.

use super::*;
use crate::base::fixtures;
pub(super) use crate::base::fixtures::START;
use crate::base::flow::attempt::Routes;
use crate::base::flow::entry::{Fate, LastFailure, Progress};
use crate::base::mail::domain::Domain;
use crate::path::queue::operation::Action;

pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const DAY: Duration = Duration::from_secs(86_400);

/// Each domain goes to its own exchangers; those named in the list share a smart host.
pub(super) struct Table(pub(super) Vec<&'static str>);

impl Routes for Table {
    fn next_hop(&self, domain: Option<&Domain>) -> NextHop {
        match domain {
            Some(domain) if !self.0.contains(&&*domain.to_string()) => NextHop::Mx(domain.clone()),
            _ => NextHop::Maildir("shared".into()),
        }
    }

    fn named(&self, route: &str) -> Option<NextHop> {
        (route == "chosen").then(|| NextHop::Maildir("chosen".into()))
    }

    fn has_pool(&self, pool: &str) -> bool {
        pool == "ours"
    }
}

/// The way of recipients whose domains share a smart host.
pub(super) fn ways(shared: Vec<&'static str>, placing: bool) -> Ways {
    Ways { routes: Arc::new(Table(shared)), placing }
}

pub(super) fn rules() -> Rules {
    Rules {
        ways: ways(Vec::new(), false),
        paused: false,
        attempts_max: 1000,
        attempts_per_destination_max: 50,
        retry: vec![MINUTE, 5 * MINUTE],
        age_max: 5 * DAY,
        notification_age_max: DAY,
        delay_notice: None,
    }
}

pub(super) fn entry(number: u128, recipients: &[&str]) -> Entry {
    fixtures::entry(number, "a@from.example", recipients)
}

pub(super) fn pending(entry: &Entry, due: UnixMillis) -> Entry {
    let mut later = entry.clone();
    for progress in &mut later.progress {
        *progress = Progress::Pending { attempts: 1, due, last: None::<Box<LastFailure>>, delay_told: false };
    }
    later
}

pub(super) const ANSWERED: AttemptHealth = AttemptHealth(Health::Answered);
const SITE_FAILED: AttemptHealth = AttemptHealth(Health::SiteFailed);

/// All that can begin now.
pub(super) fn begun(machine: &mut Machine, now: UnixMillis) -> Vec<Effect> {
    std::iter::from_fn(|| machine.poll(now)).collect()
}

pub(super) fn jobs(machine: &mut Machine, now: UnixMillis) -> Vec<Job> {
    begun(machine, now)
        .into_iter()
        .map(|effect| match effect {
            Effect::Attempt(job) => job,
            Effect::Age(_) | Effect::Place(_) | Effect::Operate { .. } => panic!("only attempts are expected here"),
        })
        .collect()
}

pub(super) fn after(entry: &Entry) -> After {
    After::Entry(Arc::new(entry.clone()))
}

#[test]
fn each_destination_has_its_turn_however_long_the_line_of_another_is() {
    let mut machine = Machine::new(Rules { attempts_max: 4, ..rules() });
    for number in 0..100 {
        machine.admit(&entry(number, &["b@huge.example"]), START);
    }
    machine.admit(&entry(200, &["b@small.example"]), START);
    machine.admit(&entry(201, &["b@tiny.example"]), START);
    let hops: Vec<String> = jobs(&mut machine, START).iter().map(|job| job.hop.to_string()).collect();
    assert_eq!(hops, ["mx:huge.example", "mx:small.example", "mx:tiny.example", "mx:huge.example"]);
}

#[test]
fn a_job_says_whether_it_is_all_of_its_message() {
    let mut machine = Machine::new(rules());
    machine.admit(&entry(1, &["a@one.example", "b@one.example"]), START);
    machine.admit(&entry(2, &["a@one.example", "b@two.example"]), START);
    let begun: Vec<_> = jobs(&mut machine, START).iter().map(|job| (job.id, job.is_whole)).collect();
    let id = |number| QueueId::new(START, number);
    assert_eq!(begun, [(id(1), true), (id(2), false), (id(2), false)]);
}

#[test]
fn the_limits_hold_in_all_and_for_each_destination() {
    let mut machine = Machine::new(Rules { attempts_max: 6, attempts_per_destination_max: 2, ..rules() });
    for number in 0..40 {
        machine.admit(&entry(number, &["b@one.example", "b@two.example"]), START);
    }
    let started = jobs(&mut machine, START);
    assert_eq!(started.len(), 4, "two destinations, two each");
    machine.set_rules(Rules { attempts_max: 6, attempts_per_destination_max: 5, ..rules() }, false);
    assert_eq!(jobs(&mut machine, START).len(), 2, "and six in all");
    machine.attempted(started[0].slot, &After::Gone, ANSWERED, START);
    assert_eq!(jobs(&mut machine, START).len(), 1, "a slot that is free is used");
}

#[test]
fn a_deferred_item_waits_for_its_due_time_and_is_found_by_the_timer() {
    let mut machine = Machine::new(rules());
    let message = entry(1, &["b@to.example"]);
    machine.admit(&message, START);
    let job = jobs(&mut machine, START).remove(0);
    let due = START.plus(MINUTE);
    machine.attempted(job.slot, &after(&pending(&message, due)), ANSWERED, START);
    assert_eq!(machine.wake(), Some(due));
    assert!(begun(&mut machine, UnixMillis(due.0 - 1)).is_empty());
    assert_eq!(jobs(&mut machine, due).len(), 1);
}

#[test]
fn a_dead_site_is_probed_and_not_stormed() {
    let mut machine = Machine::new(rules());
    for number in 0..1000 {
        machine.admit(&entry(number, &["b@dead.example"]), START);
    }
    let (mut now, mut attempts) = (START, 0);
    while now < START.plus(Duration::from_secs(3600)) {
        for job in jobs(&mut machine, now) {
            attempts += 1;
            let tried = pending(&entry(0, &["b@dead.example"]), now.plus(MINUTE));
            machine.attempted(job.slot, &after(&tried), SITE_FAILED, now);
        }
        now = machine.wake().expect("a thousand messages wait").max(UnixMillis(now.0 + 1));
    }
    assert!((10..=25).contains(&attempts), "{attempts} attempts in an hour, by one, then five minutes");
    assert_eq!(machine.counts().items, 1000);
}

#[test]
fn an_operator_ends_a_rest() {
    let mut machine = Machine::new(rules());
    for number in 0..10 {
        machine.admit(&entry(number, &["b@dead.example"]), START);
    }
    for job in jobs(&mut machine, START) {
        let tried = pending(&entry(0, &["b@dead.example"]), START.plus(MINUTE));
        machine.attempted(job.slot, &after(&tried), SITE_FAILED, START);
    }
    assert!(begun(&mut machine, START).is_empty(), "the destination rests");
    let retried = entry(9, &["b@dead.example"]);
    machine.operate(retried.id, Operation { action: Action::Retry, ..Operation::divide() });
    let effects = begun(&mut machine, START);
    assert!(matches!(effects[..], [Effect::Operate { .. }, Effect::Attempt(_)]), "one probe goes");
    machine.operated(retried.id, &after(&retried), START);
    assert_eq!(machine.counts().attempts, 1);
}

#[test]
fn age_is_looked_at_wherever_the_item_is_rfc5321_4_5_4_1() {
    let expiry = START.plus(5 * DAY);
    // In the line of a destination that is full; waiting; and while all delivery is paused.
    let mut machine = Machine::new(Rules { attempts_max: 1, ..rules() });
    machine.admit(&entry(1, &["b@to.example"]), START);
    machine.admit(&entry(2, &["b@to.example"]), START);
    machine.admit(&pending(&entry(3, &["b@to.example"]), START.plus(50 * DAY)), START);
    assert_eq!(jobs(&mut machine, START).len(), 1);
    let looks = begun(&mut machine, expiry);
    assert!(looks.iter().all(|effect| matches!(effect, Effect::Age(_))));
    assert_eq!(looks.len(), 2, "what is under way is left alone");

    let mut paused = Machine::new(Rules { paused: true, ..rules() });
    paused.admit(&entry(1, &["b@to.example"]), START);
    assert!(begun(&mut paused, UnixMillis(expiry.0 - 1)).is_empty());
    let looks = begun(&mut paused, expiry);
    let [Effect::Age(job)] = &looks[..] else { panic!("one look at one age") };
    paused.aged(job.slot, &After::Gone, true, expiry);
    assert_eq!(paused.counts(), Counts::default());
}

#[test]
fn notifications_have_an_age_limit_of_their_own() {
    let mut machine = Machine::new(Rules { paused: true, ..rules() });
    let mut notification = entry(1, &["b@to.example"]);
    notification.envelope.sender = None;
    machine.admit(&notification, START);
    assert_eq!(machine.wake(), Some(START.plus(DAY)));
}

#[test]
fn the_delay_notice_is_looked_for_once() {
    let mut machine = Machine::new(Rules { paused: true, delay_notice: Some(4 * MINUTE), ..rules() });
    let mut message = entry(1, &["b@to.example"]);
    machine.admit(&message, START);
    let now = START.plus(4 * MINUTE);
    let effects = begun(&mut machine, now);
    let [Effect::Age(job)] = &effects[..] else { panic!("one look at one age") };
    if let Progress::Pending { delay_told, .. } = &mut message.progress[0] {
        *delay_told = true;
    }
    machine.aged(job.slot, &after(&message), true, now);
    assert_eq!(machine.wake(), Some(START.plus(5 * DAY)));
}

#[test]
fn a_look_that_finds_nothing_is_not_repeated_at_once() {
    let mut machine = Machine::new(Rules { paused: true, delay_notice: Some(MINUTE), ..rules() });
    let message = entry(1, &["b@to.example"]);
    machine.admit(&message, START);
    let now = START.plus(MINUTE);
    let effects = begun(&mut machine, now);
    let [Effect::Age(job)] = &effects[..] else { panic!("one look at one age") };
    machine.aged(job.slot, &after(&message), false, now);
    assert!(begun(&mut machine, now).is_empty());
    assert_eq!(machine.wake(), Some(now.plus(AGE_AGAIN)));
}

#[test]
fn mail_that_came_of_age_while_the_server_was_down_gets_a_last_chance() {
    let mut machine = Machine::new(rules());
    let now = START.plus(6 * DAY);
    machine.admit(&entry(1, &["b@to.example"]), now);
    assert_eq!(jobs(&mut machine, now).len(), 1);
    let mut paused = Machine::new(Rules { paused: true, ..rules() });
    paused.admit(&entry(1, &["b@to.example"]), now);
    assert_eq!(paused.wake(), Some(now.plus(LAST_CHANCE)));
}

#[test]
fn held_and_ended_recipients_are_never_scheduled() {
    let mut machine = Machine::new(rules());
    let mut message = entry(1, &["b@held.example", "c@done.example"]);
    message.progress = vec![Progress::Held("odd".into()), Progress::Done(Fate::Delivered)];
    machine.admit(&message, START);
    assert_eq!((machine.counts().items, machine.wake()), (0, None));
    // An operator releases the first.
    machine.operate(message.id, Operation { action: Action::Retry, ..Operation::divide() });
    assert!(matches!(begun(&mut machine, START)[..], [Effect::Operate { .. }]));
    message.progress[0] = Progress::fresh(START);
    machine.operated(message.id, &after(&message), START);
    assert_eq!(jobs(&mut machine, START)[0].hop.to_string(), "mx:held.example");
}

#[test]
fn nothing_begins_on_a_message_while_an_operation_works_on_it() {
    let mut machine = Machine::new(rules());
    let message = entry(1, &["b@one.example", "c@two.example"]);
    machine.admit(&message, START);
    machine.operate(message.id, Operation { action: Action::Cancel, ..Operation::divide() });
    assert!(matches!(begun(&mut machine, START)[..], [Effect::Operate { .. }]));
    machine.operated(message.id, &After::Unknown, START);
    assert_eq!(jobs(&mut machine, START).len(), 2, "the operation failed: all is as it was");
}

#[test]
fn a_cancel_meets_what_is_under_way_when_it_ends() {
    let mut machine = Machine::new(rules());
    let mut message = entry(1, &["b@one.example", "c@two.example"]);
    machine.admit(&message, START);
    let mut started = jobs(&mut machine, START);
    started.sort_by_key(|job| job.hop.to_string());
    message.progress[1] = pending(&message, START.plus(MINUTE)).progress[1].clone();
    machine.attempted(started[1].slot, &after(&message), ANSWERED, START);
    machine.operate(message.id, Operation { action: Action::Cancel, ..Operation::divide() });
    let effects = begun(&mut machine, START);
    let [Effect::Operate { except, .. }] = &effects[..] else { panic!("the cancel goes at once") };
    assert_eq!(except[0].to_string(), "mx:one.example");
    message.progress[1] = Progress::Done(Fate::Cancelled);
    machine.operated(message.id, &after(&message), START);
    assert!(begun(&mut machine, START.plus(DAY)).is_empty());
    message.progress[0] = pending(&message, START.plus(MINUTE)).progress[0].clone();
    machine.attempted(started[0].slot, &after(&message), ANSWERED, START.plus(DAY));
    let effects = begun(&mut machine, START.plus(DAY));
    assert!(matches!(&effects[..], [Effect::Operate { except, .. }] if except.is_empty()), "and again at the end");
    machine.operated(message.id, &After::Gone, START.plus(DAY));
    assert_eq!(machine.counts(), Counts::default());
    assert!(machine.desks.is_empty());
}

#[test]
fn a_recipient_that_is_released_beside_an_attempt_is_not_lost_to_the_attempts_older_view() {
    let mut machine = Machine::new(rules());
    let mut message = entry(1, &["b@one.example", "c@one.example"]);
    message.progress[1] = Progress::Held("odd".into());
    machine.admit(&message, START);
    let [attempt] = &jobs(&mut machine, START)[..] else { panic!("one of them goes") };
    machine.operate(message.id, Operation { action: Action::Retry, held: true, ..Operation::divide() });
    assert!(matches!(begun(&mut machine, START)[..], [Effect::Operate { .. }]));
    // The attempt's ruling was durable first, the operator's is taken in first.
    let mut tried = message.clone();
    tried.progress[0] = Progress::Done(Fate::Delivered);
    let mut released = tried.clone();
    released.progress[1] = Progress::fresh(START);
    machine.operated(message.id, &after(&released), START);
    machine.attempted(attempt.slot, &after(&tried), ANSWERED, START);
    let effects = begun(&mut machine, START);
    assert!(matches!(effects[..], [Effect::Operate { operation: Operation { action: Action::Divide, .. }, .. }]));
    machine.operated(message.id, &after(&released), START);
    assert_eq!(jobs(&mut machine, START).len(), 1, "the other one goes");
}

#[test]
fn a_new_route_never_starts_a_recipient_twice() {
    let mut machine = Machine::new(rules());
    let message = entry(1, &["b@one.example", "c@two.example"]);
    machine.admit(&message, START);
    let mut started = jobs(&mut machine, START);
    started.sort_by_key(|job| job.hop.to_string());
    let later = pending(&message, START);
    machine.attempted(started[1].slot, &after(&later), AttemptHealth::NOT_ASKED, START);
    // Both domains share a next hop from now on, while the first is still being tried by the old one.
    let shared = Rules { ways: ways(vec!["one.example", "two.example"], false), ..rules() };
    assert!(machine.set_rules(shared, true));
    machine.admit(&message, START);
    assert!(begun(&mut machine, START).is_empty(), "the message waits until it is still");
    machine.attempted(started[0].slot, &after(&later), ANSWERED, START);
    let effects = begun(&mut machine, START);
    assert!(matches!(effects[..], [Effect::Operate { operation: Operation { action: Action::Divide, .. }, .. }]));
    machine.operated(message.id, &after(&later), START);
    let hops: Vec<String> = jobs(&mut machine, START).iter().map(|job| job.hop.to_string()).collect();
    assert_eq!(hops, ["maildir:shared"]);
}

#[test]
fn idle_destinations_are_forgotten_beyond_a_number() {
    let mut machine = Machine::new(rules());
    for number in 0..3000 {
        machine.admit(&entry(number, &[&format!("b@d{number}.example")]), START);
        let job = jobs(&mut machine, START).remove(0);
        machine.attempted(job.slot, &After::Gone, ANSWERED, START);
    }
    assert!(machine.destinations.known() < 1100, "{}", machine.destinations.known());
}

#[test]
fn a_message_to_many_domains_has_an_item_for_each_while_idle_ones_are_forgotten() {
    let domains = |from: u32, to: u32| (from..to).map(|n| format!("b@d{n}.example")).collect::<Vec<_>>();
    let mut machine = Machine::new(rules());
    let mut number = 0;
    let mut pass = |machine: &mut Machine, recipients: &[String]| {
        number += 1;
        let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
        machine.admit(&entry(number, &recipients), START);
        let jobs = jobs(machine, START);
        let mut hops: Vec<String> = jobs.iter().map(|job| job.hop.to_string()).collect();
        hops.sort_unstable();
        hops.dedup();
        assert_eq!(hops.len(), recipients.len(), "each domain is tried once");
        jobs.iter().for_each(|job| machine.attempted(job.slot, &After::Gone, ANSWERED, START));
    };
    // As many as are remembered; then the oldest of them beside new ones, in either order, and more at once than are remembered.
    pass(&mut machine, &domains(0, 1000));
    pass(&mut machine, &domains(1000, 1024));
    pass(&mut machine, &[domains(0, 1), domains(1024, 1025)].concat());
    pass(&mut machine, &[domains(2000, 2900), domains(1, 100)].concat());
    pass(&mut machine, &[domains(100, 200), domains(3000, 3900)].concat());
    (4..8).for_each(|thousand| pass(&mut machine, &domains(thousand * 1000, thousand * 1000 + 999)));
    assert!(machine.poll(START).is_none() && machine.destinations.known() <= 1024);
    assert_eq!(machine.counts(), Counts::default());
}

#[test]
fn a_drain_begins_nothing() {
    let mut machine = Machine::new(rules());
    machine.admit(&entry(1, &["b@to.example"]), START);
    machine.drain();
    assert!(begun(&mut machine, START.plus(9 * DAY)).is_empty());
}
