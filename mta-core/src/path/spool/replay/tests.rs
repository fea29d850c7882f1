//! Records and what they lead back to.

use super::*;
use crate::base::flow::entry::{Fate, Progress};
use crate::base::flow::placement::Placement;
use crate::base::mail::edits::Edits;
use crate::base::mail::envelope::{BodyType, Envelope, Recipient};
use crate::base::time::UnixMillis;
use crate::base::world::store::{Damage, Record};
use bytes::Bytes;
use proptest::prelude::*;

const NOW: UnixMillis = UnixMillis(1_750_000_000_000);

fn id(n: u64) -> QueueId {
    QueueId::new(NOW, u128::from(n))
}

fn entry(n: u64, recipients: usize) -> Entry {
    let address = serde_json::json!({ "local": "r", "domain": { "Name": "example.org" } });
    let address = serde_json::from_value(address).expect("an address");
    let recipient = Recipient { address, notify: None, orcpt: None };
    let envelope = Envelope {
        sender: None,
        recipients: vec![recipient; recipients],
        body: BodyType::EightBitMime,
        smtputf8: true,
        ret: None,
        envid: Some("x".into()),
    };
    Entry {
        id: id(n),
        accepted: NOW,
        envelope,
        trace: "Received: x\r\n".into(),
        edits: Edits::default(),
        size_bytes: 3,
        head_bytes: 2,
        tenant: Some("t".into()),
        tags: vec![("a".into(), "b".into())],
        progress: vec![Progress::fresh(NOW); recipients],
        placements: Vec::new(),
    }
}

fn payload(record: &Record) -> Bytes {
    record.pieces.concat().into()
}

/// What a journal with these records leads back to.
fn replayed(records: &[Record]) -> Vec<(QueueId, Option<Vec<Progress>>)> {
    let found = records.iter().zip((0..).step_by(1000)).map(|(record, at)| Found {
        at: Position(at),
        end: Position(at + 1000),
        record: Ok((record.kind, payload(record))),
    });
    let mut damaged = Vec::new();
    let heard = hear(found.collect(), NOW, &mut damaged).expect("nothing newer");
    assert_eq!(damaged, []);
    let mut fold = Fold::default();
    fold.add(heard, HashMap::new());
    let mut all: Vec<_> =
        fold.changed.into_iter().map(|(id, kept)| (id, kept.map(|kept| kept.entry.progress.clone()))).collect();
    all.sort_by_key(|(id, _)| *id);
    all
}

fn message(n: u64) -> Record {
    record::message(&entry(n, 1), false, Bytes::from_static(b"\r\nx"), false)
}

fn notification(n: u64) -> Record {
    record::message(&entry(n, 1), false, Bytes::from_static(b"\r\nx"), true)
}

fn state(n: u64, joined: u16, progress: Vec<Progress>) -> Record {
    record::state(&Entry { progress, ..entry(n, 1) }, joined)
}

fn done() -> Vec<Progress> {
    vec![Progress::Done(Fate::Bounced)]
}

fn fresh() -> Vec<Progress> {
    vec![Progress::fresh(NOW)]
}

#[test]
fn the_newest_state_counts() {
    let held = vec![Progress::Held("so".into())];
    let records = [message(1), state(1, 0, held.clone()), message(2), record::gone(id(2), 0)];
    assert_eq!(replayed(&records), [(id(1), Some(held)), (id(2), None)]);
}

#[test]
fn notifications_count_only_with_their_ruling() {
    let whole = [message(1), notification(2), notification(3), record::gone(id(1), 2)];
    assert_eq!(replayed(&whole), [(id(1), None), (id(2), Some(fresh())), (id(3), Some(fresh()))]);
    assert_eq!(replayed(&whole[..3]), [(id(1), Some(fresh()))], "torn before the ruling");
    // After a crash the ruling is made again, with other notifications.
    let again = [message(1), notification(2), notification(4), state(1, 1, done())];
    assert_eq!(replayed(&again), [(id(1), Some(done())), (id(4), Some(fresh()))]);
    let one_lost = [message(1), notification(2), record::gone(id(1), 2)];
    assert_eq!(replayed(&one_lost), [(id(1), Some(fresh()))], "it is ruled again");
    let other_between = [message(1), notification(2), message(5), record::gone(id(1), 0)];
    assert_eq!(replayed(&other_between), [(id(1), None), (id(5), Some(fresh()))]);
}

#[test]
fn a_message_that_was_moved_up_counts_only_with_its_ways() {
    let mut placed = entry(1, 1);
    placed.place(0, Some(Placement { via: Some("bulk".into()), ..Placement::default() }));
    let ways = |records: &[Record]| {
        let found = records.iter().map(|record| Found {
            at: Position(0),
            end: Position(1),
            record: Ok((record.kind, payload(record))),
        });
        let mut fold = Fold::default();
        fold.add(hear(found.collect(), NOW, &mut Vec::new()).expect("nothing newer"), HashMap::new());
        fold.changed[&id(1)].as_ref().map(|kept| kept.entry.placements.clone())
    };
    let moved = record::message(&placed, false, Bytes::from_static(b"\r\nx"), true);
    let all = [message(1), record::state(&placed, 0), moved, record::state(&placed, 1)];
    for many in 2..=4 {
        assert_eq!(ways(&all[..many]), Some(placed.placements.clone()), "{many} records");
    }
    let asked_anew = [&all[..], &[state(1, 0, fresh())]].concat();
    assert_eq!(ways(&asked_anew), Some(Vec::new()), "a state without ways says that there are none");
}

#[test]
fn a_state_without_its_message_is_nothing() {
    assert_eq!(replayed(&[state(1, 0, fresh()), record::probe()]), []);
    let too_long = [message(1), state(1, 0, [fresh(), fresh()].concat())];
    assert_eq!(replayed(&too_long), [(id(1), Some(fresh()))]);
}

#[test]
fn damage_is_named_where_it_can_be_and_a_newer_kind_is_refused() {
    let head = payload(&message(1));
    let found = |record| Found { at: Position(8), end: Position(16), record };
    let harm = |head: Bytes| Damage { why: "bad".to_owned(), head, kept_in: "there".to_owned() };
    let mut damaged = Vec::new();
    let batch = vec![
        found(Err(harm(head))),
        found(Err(harm(Bytes::from_static(&[0xff; 64])))),
        found(Ok((record::STATE, id(3).to_key().to_vec().into()))),
    ];
    hear(batch, NOW, &mut damaged).expect("nothing newer");
    let names: Vec<_> = damaged.iter().map(|one| one.id).collect();
    assert_eq!(names, [Some(id(1)), None, Some(id(3))]);
    let newer = vec![found(Ok((200, Bytes::from(vec![0; 40]))))];
    assert!(matches!(hear(newer, NOW, &mut damaged), Err(StoreFault::Newer(_))));
}

proptest! {
    #[test]
    fn a_message_leads_back_to_itself(n: u64, recipients in 0usize..5, is_blob: bool, is_joined: bool, content: Vec<u8>) {
        let (entry, content) = (entry(n, recipients), Bytes::from(content));
        let made = record::message(&entry, is_blob, content.clone(), is_joined);
        prop_assert_eq!(record::content_of(&payload(&made), entry.id), Ok(content.clone()));
        prop_assert!(record::content_of(&payload(&made), QueueId(1)).is_err());
        let said = record::read(made.kind, &payload(&made));
        prop_assert_eq!(said, Ok(Said::Message { entry: entry.clone(), is_blob, content, is_joined }));

        let message = Span { at: Position(n), bytes: 7 };
        let kept = Kept { entry: Arc::new(entry), home: Home { message, state: Some(message), is_blob } };
        let value = record::index_value(&kept);
        prop_assert_eq!(record::read_index_home(&value), Ok(kept.home));
        prop_assert_eq!(record::read_index(&value), Ok(kept));
    }

    #[test]
    fn a_record_cut_anywhere_or_of_any_octets_is_no_panic(kind: u8, octets: Vec<u8>, cut: usize) {
        let _said = record::read(kind, &octets.clone().into());
        let _kept = record::read_index(&octets);
        let _name = record::guess_name(&octets, NOW);
        let whole = payload(&message(1));
        // The content's end is not marked: what is cut there is noticed by the entry's length.
        let meta = whole.len() - 3;
        let cut = cut % meta;
        prop_assert!(record::read(record::MESSAGE, &whole.slice(..cut)).is_err());
    }
}
