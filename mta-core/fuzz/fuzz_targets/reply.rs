//! Any octets as a next hop's replies: the client's session comes to an end for every recipient, the same however each
//! line is cut, and nothing that the host said is anything but printable afterwards (RFC 5321 4.2, RFC 2033 4.2).
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use mta_core::base::flow::entry::{Entry, Progress};
use mta_core::base::flow::report::Outcome;
use mta_core::base::mail::content::{Body, Content};
use mta_core::base::mail::edits::Edits;
use mta_core::base::mail::envelope::{BodyType, Envelope, Notify, Recipient, Ret};
use mta_core::base::mail::id::QueueId;
use mta_core::base::mail::render::render;
use mta_core::base::time::UnixMillis;
use mta_core::config::model::ClientTimeouts;
use mta_core::path::deliver::client::{Client, Message, Protocol, State};
use std::sync::Arc;
use std::time::{Duration, Instant};

const RECIPIENTS: [&str; 3] = ["a@to.example", "j\u{f6}rg@b\u{fc}cher.example", "\u{4a5}@to.example"];
const HEAD: &[u8] = b"Subject: x\r\n\r\n";
const BODY: &[u8] = b"one\r\n.two\r\n\xc3\xb6";
/// Transactions of one session.
const MESSAGES_MAX: u32 = 3;
/// Octets that one transaction may write: the envelope and the content, with much to spare.
const WRITTEN_BYTES_MAX: usize = 4096;

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (kind, cut, octets) = input;
    let whole = session(kind, usize::MAX, octets);
    let parts = session(kind, usize::from(cut).max(1), octets);
    assert_eq!(whole, parts);
});

/// What the client wrote, and what it made of the answers.
fn session(kind: u8, cut: usize, octets: &[u8]) -> (Vec<u8>, Vec<String>) {
    let protocol = if kind & 1 == 0 { Protocol::Smtp } else { Protocol::Lmtp };
    let body = [BodyType::SevenBit, BodyType::EightBitMime, BodyType::BinaryMime][usize::from(kind >> 1) % 3];
    let now = Instant::now();
    let mut client = Client::new(protocol, "here.example".into(), timeouts(), now);
    let (mut written, mut said) = (Vec::new(), Vec::new());
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        for piece in line.chunks(cut) {
            client.handle_input(piece, now);
        }
        go_on(&mut client, now, body, &mut written, &mut said);
    }
    client.handle_closed(None);
    finished(&mut client, &mut said);
    assert!(client.state() == State::Closed && client.take_finished().is_none());
    said.extend(client.ended().map(|ended| format!("{ended:?}")));
    assert!(written.len() <= WRITTEN_BYTES_MAX * MESSAGES_MAX as usize);
    (written, said)
}

/// Writes what there is to write, and begins the next message when the session is ready for it.
fn go_on(client: &mut Client, now: Instant, body: BodyType, written: &mut Vec<u8>, said: &mut Vec<String>) {
    loop {
        let octets = client.transmit().len();
        written.extend_from_slice(client.transmit());
        finished(client, said);
        if octets > 0 {
            client.transmitted(octets, now);
        } else if client.state() == State::Ready && client.messages() < MESSAGES_MAX {
            client.begin(message(body), now);
        } else if client.state() == State::Ready {
            client.quit(now);
        } else {
            assert!(client.wanted().is_none(), "nothing is stored elsewhere");
            assert!(client.state() == State::Closed || client.deadline().is_some(), "it waits for ever");
            return;
        }
    }
}

/// Each recipient has one outcome, or is left open.
fn finished(client: &mut Client, said: &mut Vec<String>) {
    let Some(finished) = client.take_finished() else { return };
    let mut all: Vec<u32> = finished.outcomes.iter().map(|(index, _)| *index).chain(finished.open.clone()).collect();
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2]);
    for (_, outcome) in &finished.outcomes {
        let (Outcome::Delivered { reply, .. } | Outcome::Failed(reply) | Outcome::Deferred(reply)) = outcome else {
            continue;
        };
        assert!((200..600).contains(&reply.code) && !reply.text.contains(char::is_control), "{reply:?}");
    }
    said.push(format!("{finished:?}"));
}

fn timeouts() -> ClientTimeouts {
    let minute = Duration::from_secs(60);
    ClientTimeouts {
        connect: minute,
        greeting: minute,
        command: minute,
        data: minute,
        content: minute,
        final_reply: minute,
    }
}

fn message(body: BodyType) -> Message {
    let recipient = |text: &str| Recipient {
        address: text.parse().expect("a mailbox"),
        notify: Some(Notify { success: true, failure: true, delay: false }),
        orcpt: Some("utf-8;\u{4a5}+x@to.example".into()),
    };
    let entry = Entry {
        id: QueueId(7),
        accepted: UnixMillis(0),
        envelope: Envelope {
            sender: "s@from.example".parse().ok(),
            recipients: RECIPIENTS.into_iter().map(recipient).collect(),
            body,
            smtputf8: true,
            ret: Some(Ret::Hdrs),
            envid: Some("e=1".into()),
        },
        trace: "Received: x\r\n".into(),
        edits: Edits::default(),
        size_bytes: (HEAD.len() + BODY.len()) as u64,
        head_bytes: HEAD.len() as u32,
        tenant: None,
        tags: Vec::new(),
        progress: RECIPIENTS.map(|_| Progress::fresh(UnixMillis(0))).to_vec(),
        placements: Vec::new(),
    };
    let content = Content { head: Bytes::from_static(HEAD), body: Body::Memory(Bytes::from_static(BODY)) };
    let rendered = render(&[&entry.trace], &content, [].iter());
    Message { entry: Arc::new(entry), recipients: vec![0, 1, 2], rendered, stored_is_8bit: None, reverse_path: None }
}
