//! Any octets in any two pieces: lines, content and replies come out as they do in one piece, and what is encoded is
//! decoded to the same (RFC 5321 2.3.8, 4.5.2; RFC 3030 2).
#![no_main]

use libfuzzer_sys::fuzz_target;
use mta_core::base::smtp::dot::{DotDecoder, DotEncoder, LineEndCheck};
use mta_core::base::smtp::line::{Line, LineFramer};
use mta_core::base::smtp::remote::ReplyReader;

fuzz_target!(|input: (u8, &[u8])| {
    let (cut, octets) = input;
    let (one, two) = octets.split_at(usize::from(cut).min(octets.len()));
    assert_eq!(lines(&[one, two]), lines(&[octets]));
    assert_eq!(replies(&[one, two]), replies(&[octets]));
    let (whole, parts) = (content(&[octets]), content(&[one, two]));
    assert_eq!((whole.1, whole.2, whole.3), (parts.1, parts.2, parts.3));
    assert!(whole.2 || whole.0 == parts.0);
    let (bare, bare_in_parts) = (has_bare(&[octets]), has_bare(&[one, two]));
    assert_eq!(bare, bare_in_parts);
    if !bare {
        round_trip(one, two);
    }
});

/// Content without bare line ends, dots doubled and taken off again.
fn round_trip(one: &[u8], two: &[u8]) {
    let mut encoder = DotEncoder::default();
    let mut wire = Vec::new();
    encoder.encode(one, |run| wire.extend_from_slice(run));
    encoder.encode(two, |run| wire.extend_from_slice(run));
    wire.extend_from_slice(encoder.end());
    let (decoded, ended, bare, left) = content(&[&wire]);
    assert!(ended && !bare && left == 0);
    assert!(decoded.starts_with(&[one, two].concat()));
}

fn content(pieces: &[&[u8]]) -> (Vec<u8>, bool, bool, usize) {
    let mut decoder = DotDecoder::default();
    let (mut decoded, mut ended, mut left) = (Vec::new(), false, 0);
    for piece in pieces {
        let mut taken = 0;
        if !ended {
            let step = decoder.decode(piece, |run| decoded.extend_from_slice(run));
            (taken, ended) = (step.taken, step.ended);
        }
        left += piece.len() - taken;
    }
    (decoded, ended, decoder.found_bare(), left)
}

fn has_bare(pieces: &[&[u8]]) -> bool {
    let mut check = LineEndCheck::default();
    pieces.iter().for_each(|piece| check.feed(piece));
    check.found_bare()
}

fn lines(pieces: &[&[u8]]) -> Vec<Option<Vec<u8>>> {
    let mut framer = LineFramer::default();
    let mut seen = Vec::new();
    for mut piece in pieces.iter().copied() {
        while let Some(line) = framer.next(&mut piece, 64) {
            seen.push(if let Line::Complete(line) = line { Some(line.to_vec()) } else { None });
        }
    }
    seen
}

fn replies(pieces: &[&[u8]]) -> (Vec<String>, bool) {
    let mut reader = ReplyReader::default();
    let mut seen = Vec::new();
    for mut piece in pieces.iter().copied() {
        loop {
            match reader.next(&mut piece) {
                Ok(Some(reply)) => seen.push(reply.into_reply().to_string()),
                Ok(None) => break,
                Err(_) => return (seen, true),
            }
        }
    }
    (seen, false)
}
