//! Any split of the client's octets gives the same transcript and the same messages.

use super::world::verdict;
use super::*;
use crate::base::flow::policy::{Disposition, Gate};
use proptest::prelude::*;

/// Everything the client hears, what was queued and whether the session ended.
fn transcript(pieces: &[&[u8]], hooks: bool) -> (String, Vec<Vec<u8>>, bool) {
    let world = World::new(config());
    if hooks {
        *world.policy.rcpt.lock().expect("no panic") = Some(Gate::Next);
        *world.policy.data.lock().expect("no panic") = Some(verdict(Disposition::Next));
    }
    let mut bench = Bench::in_world(world, OUTSIDE);
    for piece in pieces {
        bench.say(piece);
    }
    let kept = bench.world.spool.kept.lock().expect("no panic").drain(..).map(|kept| kept.content).collect();
    (bench.writes.concat(), kept, bench.closed)
}

/// One thing that a client may write, well formed or not.
fn piece() -> impl Strategy<Value = String> {
    let fixed = [
        "EHLO c.example\r\n",
        "MAIL FROM:<a@b.example> SIZE=20\r\n",
        "RCPT TO:<x@here.example>\r\n",
        "RCPT TO:<x@there.example>\r\n",
        "DATA\r\nA: b\r\n\r\n..x\r\n.\r\n",
        "DATA\r\n.\r\n",
        "DATA\r\na\n.\r\n\r\n.\r\n",
        "BDAT 10\r\n\r\n.\r\nMAIL\r",
        "BDAT 6 LAST\r\nQUIT\r\n",
        "RSET\r\n",
        "NOOP\r\n",
        "NO\nOP\r\n",
        "QUIT\r\n",
    ];
    prop_oneof![8 => proptest::sample::select(fixed.to_vec()).prop_map(str::to_owned), 1 => "[A-Z.\r\n]{0,9}"]
}

proptest! {
    #[test]
    fn any_split_gives_the_same_transcript(
        script in proptest::collection::vec(piece(), 1..14),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..12),
        hooks: bool,
    ) {
        let script = format!("EHLO c.example\r\n{}", script.concat());
        let octets = script.as_bytes();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(octets.len())).collect();
        cuts.sort_unstable();
        cuts.push(octets.len());
        let mut from = 0;
        let pieces: Vec<&[u8]> = cuts.into_iter().map(|cut| &octets[std::mem::replace(&mut from, cut)..cut]).collect();
        prop_assert_eq!(transcript(&pieces, hooks), transcript(&[octets], hooks));
    }
}
