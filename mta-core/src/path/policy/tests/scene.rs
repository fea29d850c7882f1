//! The message as plugins see it: its fields after edits, and its envelope.

use super::super::scene::{MessageScene, Note, Refused, Scene, SessionScene};
use super::stage::{ID, address, content};
use crate::base::mail::edits::EnvelopeEdit;
use std::sync::Arc;

fn message(head: &'static str) -> MessageScene {
    MessageScene {
        id: ID,
        content: content(head, "body"),
        sender: Some(address("from@example.org")),
        recipients: vec![address("a@example.net")],
        whole: true,
        headers: Vec::new(),
        envelope: Vec::new(),
        tags: Vec::new(),
    }
}

fn shown(message: &MessageScene, name: Option<&str>) -> Vec<String> {
    message.fields(name).into_iter().map(|(name, value)| format!("{name}={value}")).collect()
}

#[test]
fn each_edit_counts_the_fields_that_those_before_it_left() {
    let mut message = message("A: 1\r\nB: 2\r\na: 3\r\n\r\n");
    message.add_header("A", "0").expect("a field");
    message.set_header("a", 1, None).expect("the content's first");
    message.set_header("A", 1, Some("three")).expect("the content's second");
    assert_eq!(shown(&message, None), ["A=0", "B=2", "a=three"]);
    assert_eq!(shown(&message, Some("A")), ["A=0", "a=three"]);
    assert_eq!(message.header("a").as_deref(), Some("0"));
    assert_eq!(message.set_header("A", 2, None), Err(Refused::NoSuchItem));
}

#[test]
fn a_field_can_smuggle_nothing_rfc5322_2_2() {
    let mut message = message("A: 1\r\n\r\n");
    for (name, value) in [("A:", "x"), ("A b", "x"), ("", "x"), ("A", "x\r\nB: y"), ("A", "x\0")] {
        assert_eq!(message.add_header(name, value), Err(Refused::Invalid), "{name:?} {value:?}");
    }
    assert_eq!(message.add_header("A", &"x".repeat(9000)), Err(Refused::TooLarge));
}

#[test]
fn the_envelope_is_shown_as_edited() {
    let mut message = message("A: 1\r\n\r\n");
    let (a, b) = (address("a@example.net"), address("b@example.net"));
    message.edit_envelope(EnvelopeEdit::AddRecipient(b.clone())).expect("one more");
    message.edit_envelope(EnvelopeEdit::AddRecipient(b.clone())).expect("once is enough");
    message.edit_envelope(EnvelopeEdit::RemoveRecipient(a.clone())).expect("it was there");
    assert_eq!(message.edit_envelope(EnvelopeEdit::RemoveRecipient(a)), Err(Refused::NoSuchItem));
    message.edit_envelope(EnvelopeEdit::SetSender(None)).expect("the null sender");
    assert_eq!(message.recipients(), [&b]);
    assert_eq!(message.sender(), None);
    assert_eq!(message.envelope.len(), 3);
    message.whole = false;
    assert_eq!(message.set_tag("t", "1"), Err(Refused::NotHere));
}

#[test]
fn what_is_rolled_back_was_never_there() {
    let mut scene = Scene { message: Some(message("A: 1\r\n\r\n")), ..Scene::default() };
    let mark = scene.mark();
    let message = scene.message.as_mut().expect("it is there");
    message.add_header("X", "1").expect("a field");
    message.set_tag("t", "1").expect("a tag");
    message.edit_envelope(EnvelopeEdit::SetSender(None)).expect("the null sender");
    scene.roll_back(mark);
    let message = scene.message.expect("it is there");
    assert_eq!(shown(&message, None), ["A=1"]);
    assert_eq!((message.tag("t"), message.sender()), (None, Some(&address("from@example.org"))));
}

#[test]
fn notes_are_bounded_and_shared_only_by_name() {
    let session = SessionScene::new("s".into(), "mx".into(), [127, 0, 0, 1].into(), None);
    let (one, other): (Arc<str>, Arc<str>) = ("one".into(), "other".into());
    session.set_note(&one, "shared/k", Note::Number(1)).expect("it fits");
    session.set_note(&one, "k", Note::Text("x".into())).expect("it fits");
    assert_eq!(session.note(&other, "shared/k"), Some(Note::Number(1)));
    assert_eq!(session.note(&other, "k"), None);
    assert_eq!(session.set_note(&one, "k", Note::Bytes(vec![0; 5000])), Err(Refused::TooLarge));
    for number in 1..64 {
        session.set_note(&one, &number.to_string(), Note::Number(0)).expect("it fits");
    }
    assert_eq!(session.set_note(&one, "too many", Note::Number(0)), Err(Refused::TooLarge));
    session.set_note(&one, "1", Note::Number(2)).expect("it replaces");
    session.set_note(&other, "k", Note::Number(0)).expect("others have room");
}
