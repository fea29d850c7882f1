//! The machine and recipients whose way policy says: when it is asked, and what goes first after that.

use super::tests::{ANSWERED, DAY, MINUTE, START, after, begun, entry, jobs, pending, rules, ways};
use super::*;
use crate::base::flow::entry::Progress;
use crate::base::flow::placement::{Placement, Priority};
use crate::path::queue::operation::Action;

fn placing() -> Rules {
    Rules { ways: ways(Vec::new(), true), ..rules() }
}

/// The message with all its recipients placed so.
fn placed(entry: &Entry, placement: &Placement) -> Entry {
    let mut placed = entry.clone();
    (0..placed.progress.len() as u32).for_each(|index| placed.place(index, Some(placement.clone())));
    placed
}

fn of(priority: Priority) -> Placement {
    Placement { priority, ..Placement::default() }
}

/// The one message that policy is asked about now.
fn asked(machine: &mut Machine, now: UnixMillis) -> Job {
    match begun(machine, now).as_slice() {
        [Effect::Place(job)] => job.clone(),
        other => panic!("one question is expected, not {} effects", other.len()),
    }
}

fn hops(jobs: &[Job]) -> Vec<String> {
    jobs.iter().map(|job| job.hop.to_string()).collect()
}

#[test]
fn a_recipient_goes_nowhere_before_policy_was_asked_and_then_where_it_said() {
    let mut machine = Machine::new(placing());
    let message = entry(1, &["b@one.example", "c@two.example"]);
    machine.admit(&message, START);
    let job = asked(&mut machine, START);
    assert_eq!((job.hop.to_string().as_str(), machine.counts().placings), ("unplaced", 1));
    let mut answered = message.clone();
    answered.place(0, Some(Placement { via: Some("chosen".into()), ..Placement::default() }));
    answered.place(1, Some(Placement { pool: Some("ours".into()), ..Placement::default() }));
    machine.placed(job.slot, &after(&answered), START);
    let mut hops = hops(&jobs(&mut machine, START));
    hops.sort();
    assert_eq!(hops, ["maildir:chosen", "mx:two.example from ours"]);
    assert_eq!(machine.counts().items, 2);
}

#[test]
fn what_the_configuration_does_not_name_is_missing_and_not_elsewhere() {
    let mut machine = Machine::new(placing());
    let way = |via: &str, pool: Option<&str>| Placement {
        via: Some(via.into()),
        pool: pool.map(Into::into),
        ..Placement::default()
    };
    for (number, way) in [way("gone", None), way("chosen", Some("gone"))].iter().enumerate() {
        machine.admit(&placed(&entry(number as u128, &["b@one.example"]), way), START);
    }
    assert_eq!(hops(&jobs(&mut machine, START)), ["missing:route \"gone\"", "missing:pool \"gone\""]);
}

#[test]
fn without_such_plugins_nobody_is_asked_and_what_was_said_still_holds() {
    let mut machine = Machine::new(rules());
    machine.admit(&entry(1, &["b@one.example"]), START);
    let way = Placement { via: Some("chosen".into()), ..Placement::default() };
    machine.admit(&placed(&entry(2, &["b@one.example"]), &way), START);
    assert_eq!(hops(&jobs(&mut machine, START)), ["mx:one.example", "maildir:chosen"]);
}

#[test]
fn who_was_placed_is_not_asked_about_again_when_the_server_starts() {
    let mut machine = Machine::new(placing());
    machine.admit(&placed(&entry(1, &["b@one.example"]), &Placement::default()), START);
    assert_eq!(hops(&jobs(&mut machine, START)), ["mx:one.example"]);
}

#[test]
fn policy_that_can_not_say_is_asked_again_at_the_next_due_time() {
    let mut machine = Machine::new(placing());
    let message = entry(1, &["b@one.example"]);
    machine.admit(&message, START);
    let job = asked(&mut machine, START);
    machine.placed(job.slot, &after(&pending(&message, START.plus(MINUTE))), START);
    assert!(begun(&mut machine, UnixMillis(START.plus(MINUTE).0 - 1)).is_empty());
    asked(&mut machine, START.plus(MINUTE));
    assert_eq!(machine.wake(), None, "what is asked about has no other time");
}

#[test]
fn an_answer_that_was_kept_and_not_heard_of_holds_when_the_age_is_looked_at_first() {
    let mut machine = Machine::new(placing());
    let message = entry(1, &["b@one.example"]);
    machine.admit(&message, START);
    let job = asked(&mut machine, START);
    // Its time for a look comes before the next question.
    let late = START.plus(6 * DAY);
    machine.placed(job.slot, &After::Unknown, late);
    let effects = begun(&mut machine, late);
    let [Effect::Age(look)] = &effects[..] else { panic!("it is older than mail may be") };
    let answered = placed(&message, &Placement::default());
    machine.aged(look.slot, &after(&answered), false, late);
    let effects = begun(&mut machine, late);
    assert!(matches!(effects[..], [Effect::Operate { operation: Operation { action: Action::Divide, .. }, .. }]));
    machine.operated(message.id, &after(&answered), late);
    assert_eq!(hops(&jobs(&mut machine, late)), ["mx:one.example"]);
}

#[test]
fn it_is_asked_while_all_delivery_is_paused_and_for_a_bounded_number_at_once() {
    let mut machine = Machine::new(Rules { paused: true, ..placing() });
    for number in 0..300 {
        machine.admit(&entry(number, &["b@one.example"]), START);
    }
    assert_eq!(begun(&mut machine, START).len(), 256);
}

#[test]
fn nothing_begins_while_policy_is_asked_and_it_is_not_asked_while_something_is_under_way() {
    let mut machine = Machine::new(placing());
    let mut message = entry(1, &["b@one.example", "c@two.example"]);
    message.place(0, Some(Placement::default()));
    let later = START.plus(MINUTE);
    message.progress[1] = pending(&message, later).progress[1].clone();
    machine.admit(&message, START);
    let [attempt] = &jobs(&mut machine, START)[..] else { panic!("the first goes, the second is not due") };
    assert!(begun(&mut machine, later).is_empty(), "the question waits for the attempt");
    let tried = Entry { progress: pending(&message, later).progress, ..message.clone() };
    machine.attempted(attempt.slot, &after(&tried), ANSWERED, later);
    let effects = begun(&mut machine, later);
    assert!(matches!(effects[..], [Effect::Operate { operation: Operation { action: Action::Divide, .. }, .. }]));
    machine.operated(message.id, &after(&tried), later);
    let job = asked(&mut machine, later);
    // The first is due as well, and waits for the answer.
    let mut answered = tried.clone();
    answered.place(1, Some(Placement { via: Some("chosen".into()), ..Placement::default() }));
    machine.placed(job.slot, &after(&answered), later);
    let effects = begun(&mut machine, later);
    assert!(matches!(effects[..], [Effect::Operate { .. }]), "it is divided once more, since it had to wait");
    machine.operated(message.id, &after(&answered), later);
    let mut hops = hops(&jobs(&mut machine, later));
    hops.sort();
    assert_eq!(hops, ["maildir:chosen", "mx:one.example"]);
}

#[test]
fn an_operator_rebinds_what_is_still_and_what_is_under_way_when_it_ends() {
    let mut machine = Machine::new(placing());
    let message = placed(&entry(1, &["b@one.example"]), &Placement::default());
    machine.admit(&message, START);
    let [attempt] = &jobs(&mut machine, START)[..] else { panic!("it goes") };
    assert!(machine.is_busy(message.id));
    machine.operate(message.id, Operation { action: Action::Rebind, ..Operation::divide() });
    assert!(begun(&mut machine, START).is_empty(), "not beside the attempt");
    let tried = placed(&pending(&message, START.plus(MINUTE)), &Placement::default());
    machine.attempted(attempt.slot, &after(&tried), ANSWERED, START);
    let effects = begun(&mut machine, START);
    assert!(matches!(effects[..], [Effect::Operate { operation: Operation { action: Action::Rebind, .. }, .. }]));
    let mut unbound = pending(&message, START);
    unbound.place(0, None);
    machine.operated(message.id, &after(&unbound), START);
    asked(&mut machine, START);
}

#[test]
fn the_more_urgent_goes_first_to_one_destination() {
    let mut machine = Machine::new(Rules { attempts_per_destination_max: 1, ..rules() });
    let order = [Priority::Bulk, Priority::Normal, Priority::Transactional, Priority::Bulk, Priority::Transactional];
    for (number, priority) in order.into_iter().enumerate() {
        machine.admit(&placed(&entry(number as u128, &["b@one.example"]), &of(priority)), START);
    }
    let mut went = Vec::new();
    while let Some(job) = jobs(&mut machine, START).pop() {
        went.push(job.id);
        machine.attempted(job.slot, &After::Gone, ANSWERED, START);
    }
    let id = |number| QueueId::new(START, number);
    assert_eq!(went, [2, 4, 1, 0, 3].map(id), "and in the order in which they came among their like");
}

#[test]
fn the_more_urgent_goes_first_of_all_destinations_and_no_destination_waits_for_ever() {
    let mut machine = Machine::new(Rules { attempts_max: 1, attempts_per_destination_max: 1, ..rules() });
    for number in 0..60 {
        let to = format!("b@urgent{}.example", number % 3);
        machine.admit(&placed(&entry(number, &[&to]), &of(Priority::Transactional)), START);
    }
    machine.admit(&placed(&entry(100, &["b@bulk.example"]), &of(Priority::Bulk)), START);
    machine.admit(&entry(101, &["b@normal.example"]), START);
    let mut went = Vec::new();
    while let Some(job) = jobs(&mut machine, START).pop() {
        went.push(job.hop.to_string());
        machine.attempted(job.slot, &After::Gone, ANSWERED, START);
    }
    assert_eq!(went.len(), 62);
    assert!(went[..8].iter().all(|hop| hop.starts_with("mx:urgent")), "{went:?}");
    for other in ["mx:bulk.example", "mx:normal.example"] {
        let turn = went.iter().position(|hop| hop == other).expect("it went");
        assert!((8..12).contains(&turn), "{other} at {turn}");
    }
}

#[test]
fn recipients_that_travel_together_have_the_highest_of_their_priorities() {
    let mut machine = Machine::new(Rules { attempts_per_destination_max: 1, ..rules() });
    machine.admit(&entry(1, &["b@one.example"]), START);
    let mut mixed = placed(&entry(2, &["b@one.example", "c@one.example"]), &of(Priority::Bulk));
    mixed.place(1, Some(of(Priority::Transactional)));
    machine.admit(&mixed, START);
    assert_eq!(jobs(&mut machine, START)[0].id, mixed.id);
}

#[test]
fn a_time_to_live_of_policy_is_looked_at_and_never_makes_it_longer() {
    for (expires, looked_at) in [(MINUTE, MINUTE), (9 * DAY, 5 * DAY)] {
        let mut machine = Machine::new(Rules { paused: true, ..rules() });
        let placement = Placement { expires: Some(START.plus(expires)), ..Placement::default() };
        machine.admit(&placed(&entry(1, &["b@one.example"]), &placement), START);
        assert_eq!(machine.wake(), Some(START.plus(looked_at)));
        assert!(matches!(begun(&mut machine, START.plus(looked_at))[..], [Effect::Age(_)]));
    }
    // It passed while the server was down: no last chance, unlike the configuration's own age.
    let mut machine = Machine::new(rules());
    let placement = Placement { expires: Some(START.plus(MINUTE)), ..Placement::default() };
    machine.admit(&placed(&entry(1, &["b@one.example"]), &placement), START.plus(DAY));
    assert!(matches!(begun(&mut machine, START.plus(DAY))[..], [Effect::Age(_)]));
}

#[test]
fn before_its_time_nothing_begins() {
    let mut machine = Machine::new(placing());
    let message = entry(1, &["b@one.example"]);
    machine.admit(&message, START);
    let job = asked(&mut machine, START);
    let mut later = placed(&message, &Placement::default());
    later.progress[0] = Progress::fresh(START.plus(DAY));
    machine.placed(job.slot, &after(&later), START);
    assert_eq!(machine.wake(), Some(START.plus(DAY)));
    assert!(begun(&mut machine, UnixMillis(START.plus(DAY).0 - 1)).is_empty());
    assert_eq!(jobs(&mut machine, START.plus(DAY)).len(), 1);
}
