//! What goes out is what came in, with the trace on top and the edits applied: nothing else changes.

use super::*;
use proptest::prelude::*;

const HEAD: &[u8] = b"From: a@b\r\nSubject: one\r\n two\r\nX-A: 1\r\nx-a: 2\r\n\r\n";

fn content() -> Content {
    Content { head: Bytes::from_static(HEAD), body: Body::Memory(Bytes::from_static(b"body\r\n")) }
}

fn add(name: &str, value: &str) -> HeaderEdit {
    HeaderEdit::Add { name: name.into(), value: value.into() }
}

fn set(name: &str, nth: u32, value: Option<&str>) -> HeaderEdit {
    HeaderEdit::Set { name: name.into(), nth, value: value.map(Into::into) }
}

fn head_with(edits: &[HeaderEdit]) -> String {
    let rendered = render(&["Received: x\r\n"], &content(), edits.iter());
    String::from_utf8(rendered.head.concat()).expect("tests write ASCII")
}

#[test]
fn without_edits_the_stored_octets_go_out_uncopied_behind_the_trace() {
    let content = content();
    let rendered = render(&["Return-Path: <>\r\n", "Received: x\r\n"], &content, [].iter());
    assert_eq!(rendered.head[0], "Return-Path: <>\r\nReceived: x\r\n");
    assert_eq!(rendered.head[1].as_ptr(), content.head.as_ptr());
    assert_eq!(rendered.size_bytes(), 17 + 13 + HEAD.len() as u64 + 6);
    assert_eq!(render(&[], &content, [].iter()).head.len(), 1);
}

#[test]
fn the_last_added_field_is_the_topmost_below_the_trace() {
    let head = head_with(&[add("X-One", "1"), add("X-Two", "2")]);
    assert!(head.starts_with("Received: x\r\nX-Two: 2\r\nX-One: 1\r\nFrom: a@b\r\n"), "{head}");
    assert!(head.ends_with("x-a: 2\r\n\r\n"));
}

#[test]
fn set_counts_from_the_top_without_case_and_sees_earlier_edits() {
    let head = head_with(&[set("X-A", 1, Some("new")), set("subject", 0, None)]);
    assert_eq!(head, "Received: x\r\nFrom: a@b\r\nX-A: 1\r\nX-A: new\r\n\r\n");
    // An added field counts, and one that went no longer does.
    let head = head_with(&[add("X-A", "0"), set("X-A", 0, None), set("X-A", 0, None)]);
    assert_eq!(head, "Received: x\r\nFrom: a@b\r\nSubject: one\r\n two\r\nx-a: 2\r\n\r\n");
    assert_eq!(head_with(&[set("X-None", 0, Some("x"))]).len(), HEAD.len() + 13);
}

#[test]
fn a_value_cannot_break_out_of_its_field() {
    let head = head_with(&[add("X-A", "x\r\nBcc: y\r\n\r\nbody\0"), add("Bad:Name", "x"), add("", "x")]);
    assert!(head.starts_with("Received: x\r\nX-A: x  Bcc: y    body\r\nFrom"), "{head}");
}

#[test]
fn lines_that_are_no_fields_stay_where_they_are() {
    let content =
        Content { head: Bytes::from_static(b"A: b\r\nnonsense\r\nC: d\r\n\r\n"), body: Body::Memory(Bytes::new()) };
    let rendered = render(&[], &content, [add("X", "y")].iter());
    assert_eq!(rendered.head.concat(), b"X: y\r\nA: b\r\nnonsense\r\nC: d\r\n\r\n");
}

#[test]
fn long_values_are_folded_at_78_rfc5322_2_1_1() {
    let value = "word ".repeat(40);
    let text = String::from_utf8(field("X-Long", &value).expect("a name")).expect("ASCII");
    assert!(text.lines().all(|line| line.len() <= 78), "{text}");
    assert!(text.lines().count() > 2);
    assert_eq!(text.replace("\r\n", ""), format!("X-Long: {}", value.trim()));
}

proptest! {
    /// RFC 5322 2.1.1 and 2.2.3: no line above 998, every line of the field but its first begins with white space and
    /// has text, and unfolding leads back to the value unless a word had to be cut.
    #[test]
    fn any_value_is_written_as_one_lawful_field(value in "([a-zé]{0,40}[ \t]{1,5}){0,30}[x]{0,1500}") {
        let octets = field("X-Any", &value).expect("a name");
        let text = String::from_utf8(octets.clone()).expect("cut between characters");
        let lines: Vec<&str> = text.strip_suffix("\r\n").expect("ends its line").split("\r\n").collect();
        for (at, line) in lines.iter().enumerate() {
            prop_assert!(line.len() <= 998);
            prop_assert!(at == 0 || line.starts_with([' ', '\t']));
            prop_assert!(at == 0 || !line.trim().is_empty());
        }
        prop_assert_eq!(header::fields(&octets).count(), 1);
        if lines.iter().all(|line| line.len() < 900) {
            let whole = format!("X-Any: {}", value.trim());
            prop_assert_eq!(lines.concat(), whole.trim_end());
        }
    }
}
