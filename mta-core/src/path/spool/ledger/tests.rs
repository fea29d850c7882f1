//! The ledger against a plain model of journal and index: whatever the order, the index ends as the journal says.

use super::*;
use crate::base::flow::entry::{Entry, Progress};
use crate::base::mail::edits::Edits;
use crate::base::mail::envelope::{BodyType, Envelope};
use crate::base::time::UnixMillis;
use crate::path::spool::record::{Home, Span};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn kept(n: u128, at: u64) -> Arc<Kept> {
    let envelope = Envelope {
        sender: None,
        recipients: Vec::new(),
        body: BodyType::SevenBit,
        smtputf8: false,
        ret: None,
        envid: None,
    };
    let entry = Entry {
        id: QueueId(n),
        accepted: UnixMillis(at),
        envelope,
        trace: "".into(),
        edits: Edits::default(),
        size_bytes: 0,
        head_bytes: 0,
        tenant: None,
        tags: Vec::new(),
        progress: vec![Progress::fresh(UnixMillis(at))],
        placements: Vec::new(),
    };
    let message = Span { at: Position(at), bytes: 10 };
    Arc::new(Kept { entry: Arc::new(entry), home: Home { message, state: None, is_blob: false } })
}

fn ledger() -> Ledger {
    Ledger::new(100, 1 << 20, 64)
}

#[test]
fn a_message_that_ends_soon_never_reaches_the_index() {
    let mut ledger = ledger();
    ledger.put(kept(1, 10), Position(10));
    ledger.end(QueueId(1), Position(20));
    assert_eq!((ledger.known(QueueId(1)), ledger.first_unwritten()), (Known::Not, None));
    assert_eq!((ledger.take(0, 10), ledger.messages, ledger.live.total()), (Vec::new(), 0, 0));
}

#[test]
fn a_change_waits_for_its_age_unless_there_is_much() {
    let mut ledger = ledger();
    ledger.put(kept(1, 10), Position(10));
    assert!(ledger.take(2, 10).is_empty());
    ledger.next_round();
    ledger.put(kept(2, 20), Position(20));
    ledger.next_round();
    let ids: Vec<_> = ledger.take(2, 10).into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, [QueueId(1)]);
    assert_eq!(ledger.first_unwritten(), Some(Position(10)), "it is on its way, not there");
    (3..60).for_each(|n| ledger.put(kept(n, 100), Position(100)));
    assert!(ledger.is_high() && !ledger.is_full());
    (60..110).for_each(|n| ledger.put(kept(n, 100), Position(100)));
    assert!(ledger.is_full());
}

#[test]
fn what_is_read_late_is_not_older_than_what_was_ruled() {
    let mut ledger = ledger();
    ledger.pin(QueueId(1));
    assert_eq!(ledger.known(QueueId(1)), Known::Not);
    // Another ruling is faster, and the index is written meanwhile.
    ledger.pin(QueueId(1));
    ledger.fill(QueueId(1), Some(Kept::clone(&kept(1, 10))));
    ledger.put(kept(1, 50), Position(50));
    ledger.unpin(QueueId(1));
    let batch = ledger.take(0, 10);
    ledger.written(&batch);
    ledger.fill(QueueId(1), Some(Kept::clone(&kept(1, 10))));
    assert_eq!(ledger.known(QueueId(1)), Known::Is(kept(1, 50)));
    ledger.unpin(QueueId(1));
    assert_eq!(ledger.known(QueueId(1)), Known::Not, "nobody needs it: the index has it");
}

#[derive(Clone, Debug)]
enum Step {
    Put(u128),
    End(u128),
    Take,
    Written,
    NotWritten,
    Round,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u128..6).prop_map(Step::Put),
        3 => (0u128..6).prop_map(Step::End),
        2 => Just(Step::Take),
        2 => Just(Step::Written),
        1 => Just(Step::NotWritten),
        1 => Just(Step::Round),
    ]
}

proptest! {
    #[test]
    fn index_and_ledger_together_say_what_the_journal_says(steps in proptest::collection::vec(step(), 0..80)) {
        let mut ledger = ledger();
        let mut truth: BTreeMap<QueueId, Arc<Kept>> = BTreeMap::new();
        let mut journal: Vec<(u64, QueueId, Option<Arc<Kept>>)> = Vec::new();
        let mut index: BTreeMap<QueueId, Arc<Kept>> = BTreeMap::new();
        let mut leaving: Batch = Vec::new();
        for (n, step) in steps.into_iter().enumerate() {
            let at = n as u64 * 100;
            match step {
                // As the committer does: what it changes, it knows, or read from the index first.
                Step::Put(id) | Step::End(id) => {
                    let id = QueueId(id);
                    ledger.pin(id);
                    ledger.fill(id, index.get(&id).map(|kept| Kept::clone(kept)));
                    if matches!(step, Step::Put(_)) {
                        ledger.put(kept(id.0, at), Position(at));
                        truth.insert(id, kept(id.0, at));
                        journal.push((at, id, Some(kept(id.0, at))));
                    } else if truth.remove(&id).is_some() {
                        ledger.end(id, Position(at));
                        journal.push((at, id, None));
                    }
                    ledger.unpin(id);
                }
                Step::Take if leaving.is_empty() => leaving = ledger.take(1, 3),
                Step::Written => {
                    for (id, kept) in &leaving {
                        match kept {
                            Some(kept) => index.insert(*id, Arc::clone(kept)),
                            None => index.remove(id),
                        };
                    }
                    ledger.written(&leaving);
                    leaving.clear();
                }
                Step::NotWritten => {
                    ledger.not_written(&leaving);
                    leaving.clear();
                }
                Step::Take => {}
                Step::Round => ledger.next_round(),
            }
            // What a reader sees.
            for id in (0..6).map(QueueId) {
                let seen = match ledger.known(id) {
                    Known::Is(kept) => Some(kept),
                    Known::Gone => None,
                    Known::Not => index.get(&id).cloned(),
                };
                prop_assert_eq!(seen.as_ref(), truth.get(&id));
            }
            prop_assert_eq!(ledger.messages as usize, truth.len());
            prop_assert_eq!(ledger.live.total(), truth.len() as u64 * 46);
            // What a crash here would lead back to: the index as of the first record that is not in it, replayed.
            let from = ledger.first_unwritten().map_or(u64::MAX, |position| position.0);
            let mut replayed = index.clone();
            for (at, id, kept) in &journal {
                if *at >= from {
                    match kept {
                        Some(kept) => replayed.insert(*id, Arc::clone(kept)),
                        None => replayed.remove(id),
                    };
                }
            }
            prop_assert_eq!(&replayed, &truth);
        }
    }
}
