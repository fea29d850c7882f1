//! Tests of the content framing: ends, dots, bare line ends, and every split of the octets.

use super::*;
use proptest::prelude::*;

/// What the decoder made of the pieces: content, end, bare line ends, and how many octets were left behind the end.
fn decode(pieces: &[&[u8]]) -> (Vec<u8>, bool, bool, usize) {
    let mut decoder = DotDecoder::default();
    let mut content = Vec::new();
    let mut left = 0;
    let mut ended = false;
    for piece in pieces {
        if ended {
            left += piece.len();
            continue;
        }
        let decoded = decoder.decode(piece, |run| content.extend_from_slice(run));
        ended = decoded.ended;
        left += piece.len() - decoded.taken;
    }
    (content, ended, decoder.found_bare(), left)
}

fn encode(pieces: &[&[u8]]) -> Vec<u8> {
    let mut encoder = DotEncoder::default();
    let mut wire = Vec::new();
    for piece in pieces {
        encoder.encode(piece, |run| wire.extend_from_slice(run));
    }
    wire.extend_from_slice(encoder.end());
    wire
}

fn split<'a>(input: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|c| (*c).min(input.len())).collect();
    cuts.sort_unstable();
    cuts.push(input.len());
    let mut from = 0;
    cuts.into_iter().map(|cut| &input[std::mem::replace(&mut from, cut)..cut]).collect()
}

#[test]
fn a_dot_alone_ends_the_content_rfc5321_4_5_2() {
    assert_eq!(decode(&[b"a\r\n.\r\nQUIT\r\n"]), (b"a\r\n".to_vec(), true, false, 6));
    assert_eq!(decode(&[b".\r\n"]), (Vec::new(), true, false, 0));
    assert_eq!(decode(&[b"a.\r\n.a\r\n"]), (b"a.\r\na\r\n".to_vec(), false, false, 0));
}

#[test]
fn a_dot_before_other_characters_is_taken_off_rfc5321_4_5_2() {
    assert_eq!(decode(&[b"..\r\n..a\r\n...\r\n.\r\n"]), (b".\r\n.a\r\n..\r\n".to_vec(), true, false, 0));
}

#[test]
fn no_other_line_end_ends_the_content_rfc5321_4_1_1_4() {
    let smuggled: &[&[u8]] =
        &[b"a\n.\n", b"a\n.\r\n", b"a\r\n.\n", b"a\r.\r", b"a\r\n.\r\r\n", b"a\r.\r\n", b"\r\n.\n\r\n", b".\r.\r\n"];
    for content in smuggled {
        let (_, ended, bare, _) = decode(&[content]);
        assert!(!ended && bare, "{}", content.escape_ascii());
        let (_, ended, bare, _) = decode(&[content, b"\r\n.\r\n"]);
        assert!(ended && bare, "{}", content.escape_ascii());
    }
}

#[test]
fn line_ends_are_checked_in_chunks_rfc3030_2() {
    let bare = |pieces: &[&[u8]]| {
        let mut check = LineEndCheck::default();
        pieces.iter().for_each(|p| check.feed(p));
        check.found_bare()
    };
    assert!(!bare(&[b"a\r\nb\r", b"\n", b"c"]));
    assert!(!bare(&[b"a\r", b"", b"\n"]));
    for pieces in [&[&b"a\nb"[..]][..], &[b"a\r", b"b"], &[b"a\r"], &[b"\r\r\n"], &[b"a", b"\n"]] {
        assert!(bare(pieces), "{pieces:?}");
    }
}

#[test]
fn dots_are_doubled_and_the_last_line_is_ended_rfc5321_4_5_2() {
    assert_eq!(encode(&[b".a\r\n.\r\nb.\r\n..c\r\n"]), b"..a\r\n..\r\nb.\r\n...c\r\n.\r\n");
    assert_eq!(encode(&[b"a\r", b"\n", b".b"]), b"a\r\n..b\r\n.\r\n");
    assert_eq!(encode(&[]), b".\r\n");
}

/// Octets that hit every state.
fn octets() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(proptest::sample::select(b"ab..\r\r\n\n".to_vec()), 0..60)
}

/// Content made of whole lines and perhaps an unfinished one.
fn lines() -> impl Strategy<Value = Vec<u8>> {
    ("([a.]{0,4}\r\n){0,12}", "[a.]{0,3}").prop_map(|(lines, last)| (lines + &last).into_bytes())
}

proptest! {
    #[test]
    fn any_split_decodes_to_the_same(input in octets(), cuts in proptest::collection::vec(0_usize..60, 0..6)) {
        let (whole, parts) = (decode(&[&input]), decode(&split(&input, &cuts)));
        prop_assert_eq!((whole.1, whole.2, whole.3), (parts.1, parts.2, parts.3));
        // Refused content need not be the same octet for octet: nobody sees it.
        prop_assert!(whole.2 || whole.0 == parts.0);
    }

    #[test]
    fn what_is_encoded_is_decoded_to_the_same(content in lines(), cuts in proptest::collection::vec(0_usize..60, 0..6)) {
        let wire = encode(&split(&content, &cuts));
        prop_assert_eq!(&wire, &encode(&[&content]));
        let (decoded, ended, bare, left) = decode(&[&wire]);
        prop_assert!(ended && !bare && left == 0);
        let mut wanted = content;
        if !wanted.is_empty() && !wanted.ends_with(b"\r\n") {
            wanted.extend_from_slice(b"\r\n");
        }
        prop_assert_eq!(decoded, wanted);
    }

    #[test]
    fn any_split_is_checked_the_same(input in octets(), cuts in proptest::collection::vec(0_usize..60, 0..6)) {
        let (mut whole, mut parts) = (LineEndCheck::default(), LineEndCheck::default());
        whole.feed(&input);
        split(&input, &cuts).into_iter().for_each(|p| parts.feed(p));
        prop_assert_eq!(whole.found_bare(), parts.found_bare());
    }
}
