//! The server machine and the client machine against each other, in memory, on a virtual clock.
//!
//! The stages never meet in the program: between them lie a network and somebody else's software. Here each is held to
//! the other's reading of RFC 5321.

use crate::base::flow::report::Outcome;
use crate::base::mail::content::{Body, Content};
use crate::base::mail::render::render;
use crate::config::model::ClientTimeouts;
use crate::path::deliver::client::{Client, Message, Protocol, State};
use crate::path::deliver::scripted::entry;
use crate::path::receive::tests::Bench;
use bytes::Bytes;
use proptest::prelude::*;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A wire that cuts what it carries into pieces, between the two machines.
struct Pair {
    client: Client,
    server: Bench,
    now: Instant,
    cuts: Vec<usize>,
}

impl Pair {
    fn new(server: Bench, cuts: Vec<usize>) -> Self {
        let now = Instant::now();
        let client = Client::new(Protocol::Smtp, "c.example".into(), ClientTimeouts::default(), now);
        let mut pair = Self { client, server, now, cuts };
        let greeting = pair.server.heard();
        pair.tell_client(&greeting);
        pair.run();
        pair
    }

    /// Sends one message and returns what became of each recipient.
    fn deliver(&mut self, content: &Content, recipients: &[&str]) -> Vec<(u32, Outcome)> {
        let mut entry = entry(recipients);
        entry.size_bytes = content.size_bytes();
        let rendered = render(&[], content, [].iter());
        let recipients = (0..).take(recipients.len()).collect();
        self.client.begin(
            Message { entry: Arc::new(entry), recipients, rendered, stored_is_8bit: None, reverse_path: None },
            self.now,
        );
        self.run();
        self.client.take_finished().expect("the transaction ended").outcomes
    }

    /// Carries octets until neither has any to say.
    fn run(&mut self) {
        while !self.client.transmit().is_empty() && !self.server.is_closed() {
            let octets = self.client.transmit().to_vec();
            self.client.transmitted(octets.len(), self.now);
            let mut said = String::new();
            for piece in pieces(&octets, &self.cuts) {
                said.push_str(&self.server.say(piece));
            }
            self.tell_client(&said);
        }
    }

    fn tell_client(&mut self, said: &str) {
        for piece in pieces(said.as_bytes(), &self.cuts) {
            self.client.handle_input(piece, self.now);
        }
        if self.server.is_closed() {
            self.client.handle_closed(None);
        }
    }
}

/// The octets in pieces of these lengths, over and over.
fn pieces<'a>(octets: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut rest = octets;
    let mut pieces = Vec::new();
    for cut in cuts.iter().cycle() {
        let (piece, behind) = rest.split_at((*cut).min(rest.len()));
        pieces.push(piece);
        rest = behind;
        if rest.is_empty() {
            break;
        }
    }
    pieces
}

fn content(body: &[u8]) -> Content {
    Content { head: Bytes::from_static(b"Subject: x\r\n\r\n"), body: Body::Memory(Bytes::copy_from_slice(body)) }
}

/// Lines as RFC 5321 2.3.8 has them; dots at their beginnings are likely.
fn body() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec("[.]{0,3}[a-z]{0,12}", 0..40).prop_map(|lines| {
        let mut body = lines.join("\r\n").into_bytes();
        if !body.is_empty() {
            body.extend_from_slice(b"\r\n");
        }
        body
    })
}

proptest! {
    /// RFC 5321 4.5.2: what is stuffed on one side is unstuffed on the other, whatever the network does to the octets;
    /// RFC 2920 3.1: replies come in the order of the commands.
    #[test]
    fn what_the_client_sends_is_what_the_server_keeps(
        bodies in proptest::collection::vec(body(), 1..4),
        cuts in proptest::collection::vec(1usize..200, 1..8),
    ) {
        let mut pair = Pair::new(Bench::open(), cuts);
        for body in &bodies {
            let outcomes = pair.deliver(&content(body), &["x@here.example", "y@there.example"]);
            prop_assert_eq!(outcomes.len(), 2);
            for (_, outcome) in outcomes {
                prop_assert!(matches!(outcome, Outcome::Delivered { .. }), "{:?}", outcome);
            }
        }
        let kept = pair.server.kept();
        prop_assert_eq!(kept.len(), bodies.len());
        for ((recipients, octets), body) in kept.iter().zip(&bodies) {
            prop_assert_eq!(recipients, &2);
            prop_assert_eq!(octets, &[b"Subject: x\r\n\r\n".as_slice(), body].concat());
        }
    }
}

/// RFC 5321 3.3: each RCPT has an answer of its own, and a refused one doesn't spoil the others.
#[test]
fn a_refused_recipient_leaves_the_others_alone() {
    let mut pair = Pair::new(Bench::from_outside(), vec![usize::MAX]);
    let outcomes = pair.deliver(&content(b"hello\r\n"), &["x@here.example", "y@there.example"]);
    let [(0, Outcome::Delivered { .. }), (1, Outcome::Failed(reply))] = outcomes.as_slice() else {
        panic!("one of each, not {outcomes:?}")
    };
    assert_eq!(reply.code, 550, "RFC 5321 3.6.2: no relaying for strangers");
    assert_eq!(pair.server.kept().len(), 1);
}

/// RFC 5321 4.5.3.2.7 and 3.8: the server gives an idle client up with 421, and the client takes it as the end of the
/// session, not of any mail.
#[test]
fn an_idle_session_ends_with_421_when_time_has_passed() {
    let mut pair = Pair::new(Bench::open(), vec![usize::MAX]);
    assert_eq!(pair.client.state(), State::Ready);
    let said = pair.server.wait(Duration::from_secs(301));
    assert!(said.starts_with("421 4.4.2 "), "{said}");
    pair.now += Duration::from_secs(301);
    pair.tell_client(&said);
    assert_eq!(pair.client.state(), State::Closed);
    assert!(pair.client.take_finished().is_none(), "no transaction was under way");
}
