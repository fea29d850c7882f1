//! The message as plugins see it: its fields after edits, its envelope, its parts and its body.

use super::guests::{
    ACCEPT, COPY_BODY, FIND, NEXT, PARTS, READ_PART, TRAP, WRITE, WRITE_BODY, expect_error, expect_octet, guest,
};
use super::stage::{ID, Stage, address, content, entry, envelope, plugin};
use crate::base::flow::policy::{DataVerdict, Disposition, Policy, Sending, Sendout, Submission};
use crate::base::mail::content::{Body, Composed, Content, ReadAt};
use crate::base::mail::edits::EnvelopeEdit;
use crate::base::mail::envelope::BodyType;
use crate::base::mime::walk::Walk;
use crate::config::model::{EditGrant, OnFailure, Plugin};
use crate::sandbox::scene::body::{ALL_WRITTEN_BYTES_MAX, BodyScene, WRITTEN_BYTES_MAX};
use crate::sandbox::scene::{MessageScene, Note, Refused, Scene, SessionScene};
use bytes::Bytes;
use std::io;
use std::sync::Arc;
use tokio::sync::Semaphore;

fn message(head: &'static str) -> MessageScene {
    MessageScene {
        id: ID,
        content: content(head, "body"),
        sender: Some(address("from@example.org")),
        recipients: vec![address("a@example.net")],
        whole: true,
        results: Arc::default(),
        is_ours: false,
        headers: Vec::new(),
        envelope: Vec::new(),
        tags: Vec::new(),
        body: BodyScene::new(BodyType::SevenBit, Some(1 << 30)),
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
    let mut scene = Scene { message: Some(Box::new(message("A: 1\r\n\r\n"))), ..Scene::default() };
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

fn memory() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(ALL_WRITTEN_BYTES_MAX))
}

/// The body that the edits made, and what a later plugin sees of it.
fn new_body(scene: &mut Scene) -> Option<Vec<u8>> {
    scene.keep().expect("it ends with a line");
    let message = scene.message.take().expect("it is there");
    let Body::Memory(seen) = message.content.body.clone() else { panic!("small") };
    let body = message.into_edits(0).1.map(|body| body.body());
    body.map(|body| {
        let Body::Memory(octets) = body else { panic!("small") };
        assert_eq!(octets, seen);
        octets.to_vec()
    })
}

#[test]
fn a_new_body_is_what_was_written_and_copied_in_that_order() {
    let mut scene = Scene { message: Some(Box::new(message("A: 1\r\n\r\n"))), ..Scene::default() };
    assert_eq!(new_body(&mut scene), None, "nothing was changed");
    scene.message = Some(Box::new(message("A: 1\r\n\r\n")));
    let memory = memory();
    let one = scene.message.as_mut().expect("it is there");
    one.write_body(b"<\r\n", &memory).expect("a line");
    one.copy_body(1, 2, Some((b'o', b'd'))).expect("a stretch");
    one.write_body(b">\r", &memory).expect("half a line end");
    one.write_body(b"\n", &memory).expect("the other half");
    one.copy_body(0, 0, None).expect("nothing");
    scene.keep().expect("it ends with a line");
    let two = scene.message.as_mut().expect("it is there");
    two.copy_body(3, 4, Some((b'o', b'\r'))).expect("a stretch of the new body");
    assert_eq!(scene.keep(), Err(Refused::Invalid), "half a line end");
    let two = scene.message.as_mut().expect("it is there");
    two.copy_body(3, 5, Some((b'o', b'\n'))).expect("a stretch of the new body");
    two.write_body(b"end", &memory).expect("text");
    assert_eq!(new_body(&mut scene), Some(b"od>\r\nend".to_vec()));
    drop(scene);
    assert_eq!(memory.available_permits(), ALL_WRITTEN_BYTES_MAX, "what was written is given back");
}

#[test]
fn lines_and_octets_stay_as_mail_declared_them_rfc5321_2_3_8_and_rfc6152_3() {
    let memory = memory();
    for (pieces, is_fine) in [
        (vec![&b"a\nb"[..]], false),
        (vec![b"a\rb"], false),
        (vec![b"\n"], false),
        (vec![b"a\r", b"\nb"], true),
        (vec![b"a\r", b"b"], false),
        (vec![b"\xc3\xa4"], false),
    ] {
        let mut message = message("A: 1\r\n\r\n");
        let written: Vec<_> = pieces.iter().map(|piece| message.write_body(piece, &memory)).collect();
        let refused = if is_fine { Ok(()) } else { Err(Refused::Invalid) };
        assert_eq!(written.last(), Some(&refused), "{pieces:?}");
    }
    let mut message = message("A: 1\r\n\r\n");
    message.write_body(b"a\r", &memory).expect("half a line end");
    assert_eq!(message.copy_body(0, 4, Some((b'b', b'y'))), Err(Refused::Invalid));
    message.body = BodyScene::new(BodyType::EightBitMime, Some(100));
    message.write_body(b"\xc3\xa4\r\n", &memory).expect("it was declared");
    assert_eq!(message.write_body(b"\n", &memory), Err(Refused::Invalid));
    message.body = BodyScene::new(BodyType::BinaryMime, Some(100));
    message.write_body(b"\n\xc3", &memory).expect("binary has no lines");
    message.body = BodyScene::new(BodyType::SevenBit, None);
    assert_eq!(message.write_body(b"", &memory), Err(Refused::NotHere));
}

#[test]
fn a_refused_piece_begins_no_new_body_and_limits_are_kept() {
    let memory = memory();
    let mut scene = Scene { message: Some(Box::new(message("A: 1\r\n\r\n"))), ..Scene::default() };
    let one = scene.message.as_mut().expect("it is there");
    one.body = BodyScene::new(BodyType::SevenBit, Some(12));
    assert_eq!(one.write_body(b"12345", &memory), Err(Refused::TooLarge), "the head has 8 octets");
    assert_eq!(one.copy_body(0, 5, Some((b'b', b'y'))), Err(Refused::TooLarge));
    assert_eq!(new_body(&mut scene), None);

    let mut message = message("A: 1\r\n\r\n");
    for _ in 0..WRITTEN_BYTES_MAX / (1 << 16) {
        message.write_body(&[b'x'; 1 << 16], &memory).expect("room");
    }
    assert_eq!(message.write_body(b"x", &memory), Err(Refused::TooLarge), "written");
    let mut message = self::message("A: 1\r\n\r\n");
    let little = Arc::new(Semaphore::new(3));
    message.write_body(b"abc", &little).expect("room");
    assert_eq!(message.write_body(b"d", &little), Err(Refused::TooLarge), "of all messages together");
    let pieces = (0..2000).map(|_| message.copy_body(0, 1, Some((b'b', b'b'))));
    assert!(pieces.filter(Result::is_ok).count() < 1024, "pieces");
}

#[test]
fn a_rolled_back_body_was_never_there() {
    let memory = memory();
    let mut scene = Scene { message: Some(Box::new(message("A: 1\r\n\r\n"))), ..Scene::default() };
    scene.message.as_mut().expect("it is there").write_body(b"kept\r\n", &memory).expect("a line");
    scene.keep().expect("it ends with a line");
    let mark = scene.mark();
    scene.message.as_mut().expect("it is there").write_body(b"gone\r\n", &memory).expect("a line");
    scene.roll_back(mark);
    assert_eq!(new_body(&mut scene), Some(b"kept\r\n".to_vec()));
}

/// All octets of a body, wherever it lies.
fn read(body: &Body) -> Vec<u8> {
    match body {
        Body::Memory(octets) => octets.to_vec(),
        Body::Stored { source, bytes } => {
            let mut octets = vec![0; usize::try_from(*bytes).expect("small")];
            let count = source.read_at(0, &mut octets).expect("it reads");
            octets.truncate(count);
            octets
        }
    }
}

fn octets(body: Option<Composed>) -> Option<Vec<u8>> {
    body.map(|body| read(&body.body()))
}

struct Disk(Bytes);

impl ReadAt for Disk {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|from| self.0.get(from..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

/// The same content with its body on a disk.
fn on_disk(content: &Content) -> Content {
    let body = Bytes::from(read(&content.body));
    let bytes = body.len() as u64;
    Content { head: content.head.clone(), body: Body::Stored { source: Arc::new(Disk(body)), bytes } }
}

fn body_editor(name: &str) -> Plugin {
    Plugin { edit: vec![EditGrant::Body], on_failure: OnFailure::Open, ..plugin(name) }
}

async fn data(stage: &Stage, content: &Content) -> DataVerdict {
    let envelope = envelope(&["a@example.net"]);
    stage
        .session()
        .data(Submission { id: ID, envelope: &envelope, content, size_bytes_max: 100, verified: None, is_ours: false })
        .await
}

/// Copies so much of the old body from there.
fn copy(offset: i64, bytes: i64) -> String {
    format!("(call $copy-body (i64.const {offset}) (i64.const {bytes}) (i32.const 2048))")
}

#[tokio::test]
async fn a_new_body_is_seen_by_the_plugins_behind_and_not_by_the_one_that_writes_it() {
    let stage = Stage::new();
    // The option's tag at 8, the place at 16. The head has 8 octets.
    let find = "(call $find (i32.const 16) (i32.const 5) (i64.const 0) (i32.const 2048))";
    let (fine, absent) = (expect_octet(2048, 0), expect_octet(2056, 0));
    let all = copy(8, -1);
    let first = format!("{WRITE} {fine} {find} {fine} {absent} {all} {fine} {NEXT}");
    let found = format!("{} {}", expect_octet(2056, 1), expect_octet(2064, 8));
    // Behind "X-One": "te" of "text".
    let second = format!("{find} {found} {} {fine} {WRITE} {fine} {ACCEPT}", copy(13, 2));
    let plugins = [
        (body_editor("first"), guest(&[WRITE_BODY, COPY_BODY, FIND], &[("on-data", &first)])),
        (body_editor("second"), guest(&[WRITE_BODY, COPY_BODY, FIND], &[("on-data", &second)])),
    ];
    stage.load(&plugins).await.expect("they load");
    let content = content("A: b\r\n\r\n", "text\r\n");
    for content in [content.clone(), on_disk(&content)] {
        let verdict = data(&stage, &content).await;
        assert_eq!(stage.events.take("plugin-fault"), Vec::<serde_json::Value>::new());
        assert_eq!(verdict.disposition, Disposition::Accept);
        assert_eq!(octets(verdict.body).as_deref(), Some(&b"teX-One"[..]));
    }
}

#[tokio::test]
async fn a_call_that_fails_leaves_no_trace_of_its_new_body() {
    let stage = Stage::new();
    let half = "(i32.store8 (i32.const 4000) (i32.const 13))
                (call $write-body (i32.const 4000) (i32.const 1) (i32.const 2048))";
    for (body, kind) in [(format!("{WRITE} {TRAP}"), "trap"), (format!("{WRITE} {half} {NEXT}"), "fault")] {
        let octets = guest(&[WRITE_BODY], &[("on-data", &body)]);
        stage.load(&[(body_editor("p"), octets)]).await.expect("it loads");
        let verdict = data(&stage, &content("A: b\r\n\r\n", "text\r\n")).await;
        assert_eq!((verdict.disposition, verdict.body), (Disposition::Next, None));
        let faults = stage.events.take("plugin-fault");
        assert_eq!(faults[0]["kind"], kind);
    }
}

#[tokio::test]
async fn what_is_refused_is_told_to_the_guest() {
    let stage = Stage::new();
    let without = guest(
        &[WRITE_BODY, COPY_BODY],
        &[("on-data", &format!("{WRITE} {} {} {} {ACCEPT}", expect_error(1), copy(8, 1), expect_error(1)))],
    );
    // In the header section; beyond the 100 octets that the message may have.
    let bad = format!(
        "{} {} (loop $again {WRITE} (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $n) (i32.const 19)))) {} {ACCEPT}",
        copy(7, 1),
        expect_error(2),
        expect_error(3)
    );
    let with = guest(&[WRITE_BODY, COPY_BODY], &[("on-data", &bad)]);
    for (plugin, octets) in [(plugin("without"), without), (body_editor("with"), with)] {
        stage.load(&[(plugin, octets)]).await.expect("it loads");
        let verdict = data(&stage, &content("A: b\r\n\r\n", "text\r\n")).await;
        assert_eq!(verdict.disposition, Disposition::Accept, "{:?}", stage.events.take("plugin-fault"));
    }
}

#[tokio::test]
async fn a_new_body_before_an_attempt_is_this_recipients_alone() {
    let stage = Stage::new();
    let octets_of = guest(&[WRITE_BODY], &[("on-pre-send", &format!("{WRITE} {NEXT}"))]);
    stage.load(&[(body_editor("p"), octets_of)]).await.expect("it loads");
    let (entry, content) = (entry(&["a@example.net", "b@example.net"]), content("A: b\r\n\r\n", "text\r\n"));
    let sendout =
        Sendout { entry: &entry, content: &content, recipient: 1, attempt: 1, site: "x", size_bytes_max: 100 };
    let verdict = stage.host.pre_send(sendout).await;
    assert_eq!((verdict.sending, octets(verdict.body)), (Sending::Next, Some(b"X-One".to_vec())));
}

const MIXED: &str = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
const TWO: &str = "--b\r\n\r\none\r\n--b\r\nContent-Type: image/png; name=a\r\nContent-Transfer-Encoding: base64\r\n\r\nWC1P\r\nbmU=\r\n--b--\r\n";

#[tokio::test]
async fn parts_are_told_and_decoded() {
    let stage = Stage::new();
    // The list's length at 8; the third part's type, file name and size in the list itself.
    let third = |place: u32| format!("(i32.add (i32.load (i32.const 2052)) (i32.const {}))", 2 * 72 + place);
    let expect = |what: String, value: u32| format!("(if (i32.ne {what} (i32.const {value})) (then unreachable))");
    let look = [
        "(call $parts (i32.const 2048))".to_owned(),
        expect_octet(2048, 0),
        expect_octet(2056, 3),
        expect(format!("(i32.load {})", third(0)), 2),
        expect(format!("(i32.load8_u {})", third(4)), 1),
        expect(format!("(i32.load {})", third(16)), 9),
        expect(format!("(i32.load8_u (i32.load {}))", third(36)), u32::from(b'a')),
        expect(format!("(i32.load {})", third(48)), 5),
        "(call $read-part (i32.const 2) (i64.const 2) (i32.const 100) (i32.const 2048))".to_owned(),
        expect_octet(2048, 0),
        expect_octet(2056, 3),
        expect("(i32.load8_u (i32.load (i32.const 2052)))".to_owned(), u32::from(b'O')),
        "(call $read-part (i32.const 3) (i64.const 0) (i32.const 1) (i32.const 2048))".to_owned(),
        // The answer is a list or an error, so the error lies where the list would.
        format!("{} {}", expect_octet(2048, 1), expect_octet(2052, 4)),
        ACCEPT.to_owned(),
    ];
    let octets = guest(&[PARTS, READ_PART], &[("on-data", &look.join(" "))]);
    stage.load(&[(plugin("p"), octets)]).await.expect("it loads");
    let content = content(MIXED, TWO);
    for content in [content.clone(), on_disk(&content)] {
        let verdict = data(&stage, &content).await;
        assert_eq!(verdict.disposition, Disposition::Accept, "{:?}", stage.events.take("plugin-fault"));
    }
}

#[test]
fn parts_are_looked_for_again_when_the_body_or_its_description_changed() {
    let mut message = message("Content-Type: text/html\r\nA: b\r\n\r\n");
    let known = |message: &MessageScene| message.body.parts.is_some();
    let look = |message: &mut MessageScene| {
        let walk = Walk::new(&message.mime_section()).expect("within the limits");
        let tree = Arc::new(walk.finish());
        message.body.parts = Some(Ok(Arc::clone(&tree)));
        tree.parts[0].content_type.to_string()
    };
    assert_eq!(look(&mut message), "text/html");
    message.add_header("X-One", "1").expect("a field");
    assert!(known(&message));
    message.set_header("content-type", 0, Some("image/png")).expect("it is there");
    assert!(!known(&message));
    assert_eq!(look(&mut message), "image/png");
    let mut scene = Scene { message: Some(Box::new(message)), ..Scene::default() };
    scene.roll_back(crate::sandbox::scene::Mark::default());
    let message = scene.message.as_mut().expect("it is there");
    assert_eq!((known(message), look(message)), (false, "text/html".to_owned()));
    message.write_body(b"x", &memory()).expect("text");
    scene.keep().expect("it ends with a line");
    assert!(!known(scene.message.as_ref().expect("it is there")));
}

#[test]
fn notes_are_bounded_and_shared_only_by_name() {
    let session = SessionScene::new("s".into(), "mx".into(), [127, 0, 0, 1].into(), None);
    let (one, other): (Arc<str>, Arc<str>) = ("one".into(), "other".into());
    session.set_note(&one, false, "shared/k", Note::Number(1)).expect("it fits");
    session.set_note(&one, false, "k", Note::Text("x".into())).expect("it fits");
    assert_eq!(session.note(&other, false, "shared/k"), Some(Note::Number(1)));
    assert_eq!(session.note(&other, false, "k"), None);
    assert_eq!(session.set_note(&one, false, "k", Note::Bytes(vec![0; 5000])), Err(Refused::TooLarge));
    for number in 1..64 {
        session.set_note(&one, false, &number.to_string(), Note::Number(0)).expect("it fits");
    }
    assert_eq!(session.set_note(&one, false, "too many", Note::Number(0)), Err(Refused::TooLarge));
    session.set_note(&one, false, "1", Note::Number(2)).expect("it replaces");
    session.set_note(&other, false, "k", Note::Number(0)).expect("others have room");
    let shadow: Arc<str> = "shadow:one".into();
    session.set_note(&shadow, true, "shared/k", Note::Number(7)).expect("shadows have their own room");
    assert_eq!(session.note(&shadow, true, "shared/k"), Some(Note::Number(7)));
    assert_eq!(session.note(&other, false, "shared/k"), Some(Note::Number(1)), "nobody hears a shadow");
}
