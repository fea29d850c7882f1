//! Bodies and their parts, whole and in windows of any width.

use super::*;
use proptest::prelude::*;

const MIXED: &str = "Content-Type: multipart/mixed; boundary=\"b 1\"\r\n\r\n";

/// The parts, seen through windows of that many octets, which grow where nothing is understood.
fn walked(section: &str, body: &[u8], window: usize) -> Result<Tree, TooComplex> {
    let mut walk = Walk::new(section.as_bytes())?;
    let (mut at, mut wide) = (0, window);
    loop {
        let end = (at + wide).min(body.len());
        let taken = walk.push(&body[at..end], end == body.len())?;
        at += taken;
        wide = if taken == 0 { wide + window } else { window };
        if end == body.len() {
            assert_eq!(at, end, "the last window is understood to its end");
            return Ok(walk.finish());
        }
    }
}

fn tree(section: &str, body: &str) -> Tree {
    walked(section, body.as_bytes(), usize::MAX / 2).expect("within the limits")
}

/// `most` decoded octets from `offset` on.
fn read(part: &Part, body: &[u8], offset: u64, most: usize) -> Vec<u8> {
    let mut reading = part.read(offset, most);
    while let Some((at, bytes)) = reading.wanted() {
        let at = usize::try_from(at).expect("a test's body is small");
        reading.push(&body[at..at + bytes]);
    }
    reading.into_octets()
}

fn shown(tree: &Tree, body: &str) -> Vec<(Option<usize>, String, String)> {
    let part = |part: &Part| {
        let content = String::from_utf8_lossy(&read(part, body.as_bytes(), 0, usize::MAX / 4)).into_owned();
        assert_eq!(content.len() as u64, part.size_bytes);
        (part.parent, part.content_type.to_string(), content)
    };
    tree.parts.iter().map(part).collect()
}

fn leaf(parent: usize, content_type: &str, content: &str) -> (Option<usize>, String, String) {
    (Some(parent), content_type.to_owned(), content.to_owned())
}

#[test]
fn a_message_without_mime_is_one_part_rfc2045_5_2() {
    let all = shown(&tree("Subject: x\r\n\r\n", "text\r\n"), "text\r\n");
    assert_eq!(all, [(None, "text/plain".to_owned(), "text\r\n".to_owned())]);
    assert_eq!(tree("\r\n", "").parts.len(), 1);
}

#[test]
fn the_line_end_before_a_boundary_is_not_content_rfc2046_5_1_1() {
    let body =
        "preamble\r\n--b 1\r\n\r\none\r\n\r\n--b 1 \t\r\nContent-Type: text/html\r\n\r\ntwo\r\n--b 1--\r\nepilogue\r\n";
    let tree = tree(MIXED, body);
    assert_eq!(shown(&tree, body)[1..], [leaf(0, "text/plain", "one\r\n"), leaf(0, "text/html", "two")]);
    let second = &tree.parts[2];
    assert_eq!(&body[second.begin as usize..second.end as usize], "Content-Type: text/html\r\n\r\ntwo");
    assert_eq!((tree.parts[0].begin, tree.parts[0].end), (0, body.len() as u64));
}

#[test]
fn lines_that_only_look_like_a_boundary_are_content_rfc2046_5_1_1() {
    let body = "--b 1\r\n\r\n--b\r\n--b 12\r\nx--b 1\r\n --b 1\r\n--b 1-\r\n--b 1--x\r\n--b 1--\r\n";
    assert_eq!(shown(&tree(MIXED, body), body)[1].2, "--b\r\n--b 12\r\nx--b 1\r\n --b 1\r\n--b 1-\r\n--b 1--x");
}

#[test]
fn an_outer_boundary_ends_the_inner_parts_rfc2046_5_1_2() {
    let body = "--b 1\r\nContent-Type: multipart/alternative; boundary=in\r\n\r\n--in\r\n\r\na\r\n--b 1\r\n\r\nc\r\n--b 1--\r\n--in\r\n";
    let all = shown(&tree(MIXED, body), body);
    assert_eq!(all[1], leaf(0, "multipart/alternative", "--in\r\n\r\na"));
    assert_eq!(all[2..], [leaf(1, "text/plain", "a"), leaf(0, "text/plain", "c")]);
}

#[test]
fn messages_in_messages_are_opened_rfc2046_5_2_1_and_5_1_5() {
    let body = "--d\r\n\r\nSubject: in\r\nContent-Type: text/html\r\n\r\nhi\r\n--d\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nYQ==\r\n--d--";
    let all = shown(&tree("Content-Type: multipart/digest; boundary=d\r\n\r\n", body), body);
    let inner = "Subject: in\r\nContent-Type: text/html\r\n\r\nhi";
    assert_eq!(
        all[1..],
        [leaf(0, "message/rfc822", inner), leaf(1, "text/html", "hi"), leaf(0, "message/rfc822", "a")]
    );
}

#[test]
fn a_part_that_is_cut_short_is_told_as_far_as_it_came() {
    for (body, wanted) in [
        ("--b 1\r\nContent-Type: text/html\r\n--b 1\r\n--b 1--", vec!["text/html", "text/plain"]),
        ("--b 1\r\nContent-Type: text/html", vec!["text/html"]),
        ("--b 1", vec!["text/plain"]),
        ("no boundary at all\r\n", vec![]),
    ] {
        let all = shown(&tree(MIXED, body), body);
        let types: Vec<&str> = all[1..].iter().map(|(_, name, _)| &**name).collect();
        assert_eq!(types, wanted, "{body:?}");
        assert!(all[1..].iter().all(|(_, _, content)| content.is_empty()), "{body:?}");
    }
}

#[test]
fn what_is_beyond_the_limits_is_refused_and_not_told_in_part() {
    let many = "--b 1\r\n\r\nx\r\n".repeat(PARTS_MAX);
    assert!(walked(MIXED, many.as_bytes(), 1 << 20).is_err());
    let few = "--b 1\r\n\r\nx\r\n".repeat(PARTS_MAX - 1);
    assert_eq!(tree(MIXED, &few).parts.len(), PARTS_MAX);
    let deep = "Content-Type: message/rfc822\r\n\r\n".repeat(DEPTH_MAX + 1);
    assert!(walked("Content-Type: message/rfc822\r\n\r\n", deep.as_bytes(), 1 << 20).is_err());
    let wide = format!("--b 1\r\nX: {}\r\n\r\n--b 1--", "x".repeat(SECTION_BYTES_MAX));
    assert!(walked(MIXED, wide.as_bytes(), 1 << 20).is_err());
}

#[test]
fn a_read_may_begin_anywhere_in_a_large_part() {
    let line = format!("{}\r\n", "QUJD".repeat(19));
    let body = format!("{}QUI=\r\n", line.repeat(20_000));
    let section = "Content-Transfer-Encoding: base64\r\n\r\n";
    let tree = walked(section, body.as_bytes(), 100_000).expect("within the limits");
    let part = &tree.parts[0];
    assert_eq!(part.size_bytes, 20_000 * 57 + 2);
    assert!(part.marks.len() > 4, "{}", part.marks.len());
    for offset in [0, 1, 57, 500_000, 1_000_003, part.size_bytes - 1] {
        let wanted: Vec<u8> =
            (offset..(offset + 10).min(part.size_bytes)).map(|at| b"ABC"[(at % 3) as usize]).collect();
        assert_eq!(read(part, body.as_bytes(), offset, 10), wanted, "{offset}");
    }
    assert_eq!(read(part, body.as_bytes(), part.size_bytes, 10), b"");
    assert_eq!(read(part, body.as_bytes(), u64::MAX, 10), b"");
}

/// Lines that make trouble.
fn lines() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        Just("--b 1".to_owned()),
        Just("--b 1--".to_owned()),
        Just("--in".to_owned()),
        Just("--in--".to_owned()),
        Just("Content-Type: multipart/digest; boundary=in".to_owned()),
        Just("Content-Type: message/rfc822".to_owned()),
        Just("Content-Transfer-Encoding: base64".to_owned()),
        Just("Content-Transfer-Encoding: quoted-printable".to_owned()),
        Just(String::new()),
        "[-=a4 ]{0,6}",
    ];
    let end = prop_oneof![8 => Just("\r\n"), 1 => Just("\n"), 1 => Just("\r"), 1 => Just("")];
    prop::collection::vec((line, end), 0..25)
        .prop_map(|lines| lines.into_iter().map(|(line, end)| line + end).collect::<String>().into_bytes())
}

proptest! {
    #[test]
    fn any_windows_show_the_same_parts(body in lines(), window in 1_usize..40) {
        let whole = walked(MIXED, &body, usize::MAX / 2).expect("within the limits");
        let parts = walked(MIXED, &body, window).expect("within the limits");
        prop_assert_eq!(format!("{:?}", whole.parts), format!("{:?}", parts.parts));
    }

    #[test]
    fn a_size_is_what_can_be_read_in_any_pieces(body in lines(), piece in 1_usize..9) {
        let tree = walked(MIXED, &body, usize::MAX / 2).expect("within the limits");
        for part in &tree.parts {
            prop_assert!(part.begin <= part.content && part.content <= part.end && part.end <= body.len() as u64);
            let whole = read(part, &body, 0, 1 << 20);
            prop_assert_eq!(whole.len() as u64, part.size_bytes);
            let mut pieces = Vec::new();
            while pieces.len() < whole.len() {
                pieces.extend(read(part, &body, pieces.len() as u64, piece));
            }
            prop_assert_eq!(pieces, whole);
        }
    }

    #[test]
    fn no_octets_make_it_panic(section in prop::collection::vec(any::<u8>(), 0..80), body in prop::collection::vec(any::<u8>(), 0..300)) {
        let section = [b"Content-Type: multipart/x; boundary=a\r\n", &section[..]].concat();
        if let Ok(walk) = Walk::new(&section) {
            let mut walk = walk;
            let _parts = walk.push(&body, true).map(|_| walk.finish());
        }
    }
}
