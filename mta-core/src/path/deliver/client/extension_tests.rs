//! What goes out depends on what the host offers: SIZE, 8BITMIME, BINARYMIME, SMTPUTF8, DSN, and LMTP's replies.

use super::tests::{Pair, marks, message, reply};
use super::*;
use crate::base::flow::entry::Entry;
use crate::base::flow::report::Outcome;
use crate::base::mail::content::{Body, ReadAt};
use crate::base::mail::envelope::{BodyType, Notify, Ret};
use crate::base::smtp::status::EnhancedStatus;
use crate::path::deliver::scripted::{BODY, HEAD, Script, TRACE, entry, willing};
use bytes::Bytes;
use std::io;

const LARGE: &[u8] = &[b'x'; content::PIECE_BYTES * 3 + 5];

fn with(keywords: &'static [&'static str]) -> Script {
    Script { keywords, ..willing() }
}

/// Sends to a host that offers `keywords`: the first refusal's status, and the client's writes.
fn send_to(keywords: &'static [&'static str], message: Message) -> (Finished, Vec<String>) {
    let mut pair = Pair::new(with(keywords), Protocol::Smtp);
    let finished = pair.send(message);
    (finished, pair.writes)
}

fn status(finished: &Finished) -> Option<EnhancedStatus> {
    reply(finished, 0).status
}

#[test]
fn a_message_above_the_announced_size_is_not_begun_rfc1870_6_1() {
    let (finished, writes) = send_to(&["PIPELINING", "SIZE 20"], message(entry(&["r@b.test"])));
    assert_eq!((marks(&finished).as_str(), reply(&finished, 0).code), ("F", 552));
    assert_eq!((status(&finished), writes.len()), (Some(EnhancedStatus::new(5, 3, 4)), 0));
}

#[test]
fn the_connection_is_ready_after_a_message_that_it_could_not_take() {
    let mut pair = Pair::new(with(&["SIZE 20"]), Protocol::Smtp);
    pair.send(message(entry(&["r@b.test"])));
    assert_eq!(pair.client.state(), State::Ready);
}

fn declared(body: BodyType, text: &'static [u8]) -> Message {
    let entry = entry(&["r@b.test"]);
    let entry = Entry { envelope: crate::base::mail::envelope::Envelope { body, ..entry.envelope }, ..entry };
    let mut message = message(entry);
    message.rendered.body = Body::Memory(Bytes::from_static(text));
    message
}

#[test]
fn eight_bit_content_needs_8bitmime_and_plain_content_does_not_rfc6152_3() {
    let (finished, writes) = send_to(&["PIPELINING"], declared(BodyType::EightBitMime, b"gr\xc3\xbc\xc3\x9fe\r\n"));
    assert_eq!((status(&finished), writes.len()), (Some(EnhancedStatus::new(5, 6, 3)), 0));
    let (finished, writes) = send_to(&["PIPELINING"], declared(BodyType::EightBitMime, b"hello\r\n"));
    assert_eq!(marks(&finished), "D");
    assert!(writes[0].starts_with("MAIL FROM:<s@a.test>\r\n"));
    let (_, writes) = send_to(&["PIPELINING", "8BITMIME"], declared(BodyType::EightBitMime, b"gr\xc3\xbc\r\n"));
    assert!(writes[0].starts_with("MAIL FROM:<s@a.test> BODY=8BITMIME\r\n"));
}

#[test]
fn binary_content_goes_by_bdat_or_not_at_all_rfc3030_3() {
    let binary: &[u8] = b"\r\n.\r\n\0\rx";
    let (finished, writes) = send_to(&["BINARYMIME"], declared(BodyType::BinaryMime, binary));
    assert_eq!((status(&finished), writes.len()), (Some(EnhancedStatus::new(5, 6, 3)), 0));
    let mut pair = Pair::new(willing(), Protocol::Smtp);
    assert_eq!(marks(&pair.send(declared(BodyType::BinaryMime, binary))), "D");
    assert!(pair.writes[0].contains(" BODY=BINARYMIME") && !pair.server.commands.contains(&"DATA".to_owned()));
    assert_eq!(pair.server.messages[0], [TRACE.as_bytes(), HEAD, binary].concat());
    assert_eq!(pair.writes.len(), 2, "the envelope, then BDAT with its octets");
    // Nobody wants it: the octets stay here.
    let script = Script { answers: vec![("RCPT", "550 5.1.1 no")], ..willing() };
    let mut pair = Pair::new(script, Protocol::Smtp);
    assert_eq!(marks(&pair.send(declared(BodyType::BinaryMime, binary))), "F");
    assert_eq!(pair.writes.len(), 1);
}

#[test]
fn addresses_beyond_ascii_need_smtputf8_but_for_their_domain_rfc6531_3_2() {
    let entry = entry(&["j\u{f6}rg@b.test", "joe@b\u{fc}cher.test", "joe@b.test"]);
    let (finished, writes) = send_to(&["PIPELINING"], message(entry.clone()));
    assert_eq!((marks(&finished).as_str(), status(&finished)), ("FDD", Some(EnhancedStatus::new(5, 6, 7))));
    assert!(writes[0].contains("RCPT TO:<joe@xn--bcher-kva.test>\r\n"), "{writes:?}");
    let (finished, writes) = send_to(&["PIPELINING", "SMTPUTF8"], message(entry));
    assert_eq!(marks(&finished), "DDD");
    assert!(writes[0].starts_with("MAIL FROM:<s@a.test> SMTPUTF8\r\nRCPT TO:<j\u{f6}rg@b.test>\r\n"), "{writes:?}");
}

#[test]
fn a_header_in_utf8_needs_smtputf8_rfc6531_3_2() {
    let mut message = message(entry(&["r@b.test"]));
    Arc::make_mut(&mut message.entry).envelope.smtputf8 = true;
    let (finished, writes) = send_to(&["PIPELINING"], message.clone());
    assert_eq!(marks(&finished), "D", "nothing in it needs SMTPUTF8");
    assert!(!writes[0].contains("SMTPUTF8"));
    message.rendered.head[1] = Bytes::from_static("Subject: gr\u{fc}n\r\n\r\n".as_bytes());
    let (finished, _) = send_to(&["PIPELINING"], message.clone());
    assert_eq!(status(&finished), Some(EnhancedStatus::new(5, 6, 9)));
    let (_, writes) = send_to(&["PIPELINING", "SMTPUTF8"], message);
    assert!(writes[0].starts_with("MAIL FROM:<s@a.test> SMTPUTF8\r\n"));
}

#[test]
fn dsn_parameters_go_to_hosts_that_offer_dsn_rfc3461_5_2_1() {
    let mut entry = entry(&["r@b.test"]);
    entry.envelope.ret = Some(Ret::Hdrs);
    entry.envelope.envid = Some("a b".into());
    entry.envelope.recipients[0].notify = Some(Notify { success: true, failure: true, delay: false });
    entry.envelope.recipients[0].orcpt = Some("rfc822;r+x@b.test".into());
    let (finished, writes) = send_to(&["PIPELINING", "DSN"], message(entry.clone()));
    let wanted = "MAIL FROM:<s@a.test> RET=HDRS ENVID=a+20b\r\n\
                  RCPT TO:<r@b.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;r+2Bx@b.test\r\nDATA\r\n";
    assert_eq!(writes[0], wanted);
    assert!(matches!(finished.outcomes[0].1, Outcome::Delivered { dsn_passed_on: true, .. }));
    let (finished, writes) = send_to(&["PIPELINING"], message(entry));
    assert_eq!(writes[0], "MAIL FROM:<s@a.test>\r\nRCPT TO:<r@b.test>\r\nDATA\r\n");
    assert!(matches!(finished.outcomes[0].1, Outcome::Delivered { dsn_passed_on: false, .. }));
}

#[test]
fn too_many_recipients_pass_also_as_552_rfc5321_4_5_3_1_10() {
    for (answer, mark) in [("552 too many", "d"), ("552 5.5.3 too many", "d"), ("552 5.2.2 full", "F")] {
        let script = Script { answers: vec![("RCPT", answer)], ..willing() };
        assert_eq!(marks(&Pair::new(script, Protocol::Smtp).send(message(entry(&["r@b.test"])))), mark, "{answer}");
    }
}

const FIVE: [&str; 5] = ["a@b.test", "b@b.test", "c@b.test", "d@b.test", "e@b.test"];

fn roomy(recipients_max: usize) -> Script {
    Script { recipients_max, ..willing() }
}

#[test]
fn those_beyond_the_hosts_room_are_left_for_the_next_transaction_rfc5321_4_5_3_1_10() {
    for protocol in [Protocol::Smtp, Protocol::Lmtp] {
        let finals = match protocol {
            Protocol::Smtp => vec!["250 2.0.0 taken"],
            Protocol::Lmtp => vec!["250 2.0.0 taken", "250 2.0.0 taken"],
        };
        let mut pair = Pair::new(Script { finals, ..roomy(2) }, protocol);
        let mut five = message(entry(&FIVE));
        let finished = pair.send(five.clone());
        assert_eq!((marks(&finished).as_str(), finished.trouble), ("DDooo", None), "nothing has failed");
        assert_eq!(finished.full.map(|full| (full.taken, full.reply.code)), Some((2, 452)));
        // The connection is ready for the rest, without RSET.
        five.recipients = finished.open;
        let finished = pair.send(Message { recipients: five.recipients[..2].to_vec(), ..five });
        assert_eq!((marks(&finished).as_str(), finished.full), ("DD", None));
        assert!(pair.writes[0].starts_with("MAIL FROM:<s@a.test>"), "{}", pair.writes[0]);
    }
}

#[test]
fn too_many_is_believed_only_of_those_at_the_end_rfc5321_4_5_3_1_10() {
    // A host that lets somebody in behind the refusal had room: 452 was about that mailbox.
    let script = Script { answers: vec![("RCPT TO:<b@", "452 no room")], ..willing() };
    let finished = Pair::new(script, Protocol::Smtp).send(message(entry(&FIVE)));
    assert_eq!((marks(&finished).as_str(), finished.full), ("DdDDD", None));
    assert_eq!(finished.trouble, Some(crate::base::fault::Scope::Recipient));
    // A status that says something else is believed, wherever it stands.
    let script = Script { answers: vec![("RCPT TO:<e@", "452 4.2.2 mailbox full")], ..willing() };
    let finished = Pair::new(script, Protocol::Smtp).send(message(entry(&FIVE)));
    assert_eq!((marks(&finished).as_str(), finished.full), ("DDDDd", None));
}

#[test]
fn the_rest_waits_when_the_first_of_them_were_not_taken_rfc5321_4_5_3_1_10() {
    let refused = Script { finals: vec!["451 4.3.0 later"], ..roomy(2) };
    assert_eq!(marks(&Pair::new(refused, Protocol::Smtp).send(message(entry(&FIVE)))), "ddddd");
    let lost = Script { closes_after_content: true, ..roomy(2) };
    let finished = Pair::new(lost, Protocol::Smtp).send(message(entry(&FIVE)));
    assert_eq!((marks(&finished).as_str(), finished.full), ("ddddd", None));
    let finished = Pair::new(roomy(0), Protocol::Smtp).send(message(entry(&FIVE)));
    assert_eq!((marks(&finished).as_str(), finished.full.map(|full| full.taken)), ("ddddd", Some(0)));
}

#[test]
fn lmtp_answers_for_each_recipient_that_it_accepted_rfc2033_4_2() {
    let script = Script {
        answers: vec![("RCPT TO:<no@", "550 5.1.1 nobody")],
        finals: vec!["250 2.0.0 taken", "452 4.2.2 full", "554 5.7.1 no"],
        ..willing()
    };
    let mut pair = Pair::new(script, Protocol::Lmtp);
    let finished = pair.send(message(entry(&["a@b.test", "no@b.test", "b@b.test", "c@b.test"])));
    assert_eq!((marks(&finished).as_str(), pair.server.commands[0].as_str()), ("DFdF", "LHLO here.test"));
    assert_eq!(pair.client.state(), State::Ready);
}

#[test]
fn lmtp_keeps_the_replies_that_came_before_the_end_rfc2033_4_2() {
    let script = Script { finals: vec!["250 2.0.0 taken", "421 4.3.2 closing"], ..willing() };
    let finished = Pair::new(script, Protocol::Lmtp).send(message(entry(&["a@b.test", "b@b.test", "c@b.test"])));
    assert_eq!(marks(&finished), "Ddd");
    // One mailbox is locked, says what lies behind a proxy: the others have their mail, and the session ends.
    let script = Script { finals: vec!["421 4.2.1 locked", "250 2.0.0 taken", "250 2.0.0 taken"], ..willing() };
    let mut pair = Pair::new(script, Protocol::Lmtp);
    assert_eq!(marks(&pair.send(message(entry(&["a@b.test", "b@b.test", "c@b.test"])))), "dDD");
    assert_eq!(pair.client.state(), State::Closed);
    // 354 to nobody leaves the number of replies unknown: the session ends.
    let script = Script { answers: vec![("RCPT", "550 5.1.1 no")], ..willing() };
    let mut pair = Pair::new(script, Protocol::Lmtp);
    assert_eq!(marks(&pair.send(message(entry(&["a@b.test"])))), "F");
    assert_eq!(pair.client.state(), State::Closed);
}

/// Never read: the machine only asks for ranges, and the pair answers from [`BODY`].
struct Elsewhere;

impl ReadAt for Elsewhere {
    fn read_at(&self, _: u64, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[test]
fn a_stored_body_is_asked_for_and_a_large_one_goes_in_bounded_pieces() {
    let mut stored = message(entry(&["r@b.test"]));
    stored.rendered.body = Body::Stored { source: Arc::new(Elsewhere), bytes: BODY.len() as u64 };
    let mut pair = Pair::new(willing(), Protocol::Smtp);
    assert_eq!(marks(&pair.send(stored)), "D");
    assert_eq!(pair.server.messages[0], [TRACE.as_bytes(), HEAD, BODY, b"\r\n"].concat());
    let mut pair = Pair::new(willing(), Protocol::Smtp);
    assert_eq!(marks(&pair.send(declared(BodyType::SevenBit, LARGE))), "D");
    assert!(pair.writes.iter().all(|write| write.len() <= content::PIECE_BYTES + 5));
    assert_eq!(pair.server.messages[0].len(), TRACE.len() + HEAD.len() + LARGE.len() + 2);
    let mut look = declared(BodyType::EightBitMime, b"");
    look.rendered.body = Body::Stored { source: Arc::new(Elsewhere), bytes: 9 };
    assert!(look.must_look(&Capabilities::default()));
    look.stored_is_8bit = Some(false);
    assert!(!look.must_look(&Capabilities::default()));
}

const WITH_TLS: &[&str] = &["PIPELINING", "STARTTLS"];

fn offering(answer: &'static str) -> Script {
    Script { keywords: WITH_TLS, answers: vec![("STARTTLS", answer)], ..willing() }
}

fn protecting(script: Script, protect: Protect) -> Pair {
    Pair::protecting(script, Protocol::Smtp, vec![usize::MAX], protect)
}

#[test]
fn ehlo_comes_again_inside_tls_and_what_was_offered_in_clear_is_forgotten_rfc3207_4_2() {
    for protocol in [Protocol::Smtp, Protocol::Lmtp] {
        for protect in [Protect::IfOffered, Protect::Always] {
            let mut pair = Pair::protecting(offering("220 go"), protocol, vec![usize::MAX], protect);
            assert_eq!((pair.client.state(), pair.client.deadline()), (State::Securing, None));
            pair.server.change(Script { keywords: &["DSN", "STARTTLS"], ..willing() });
            pair.client.handle_secured(pair.now);
            assert!(!pair.client.capabilities().pipelining);
            pair.run();
            assert_eq!(pair.client.state(), State::Ready);
            assert!(pair.client.capabilities().dsn && !pair.client.capabilities().pipelining);
            assert_eq!(pair.server.commands.len(), 3, "{:?}", pair.server.commands);
        }
    }
}

#[test]
fn without_tls_a_session_goes_on_only_where_it_may_rfc3207_4() {
    let refused = |pair: &Pair| match pair.client.ended() {
        Some(Ended::Unprotected(reply)) => reply.to_string(),
        other => panic!("{other:?}"),
    };
    for script in [willing(), offering("454 4.7.0 not now"), offering("502 what")] {
        let pair = protecting(script.clone(), Protect::IfOffered);
        assert_eq!(pair.client.state(), State::Ready);
        let pair = protecting(script, Protect::Always);
        assert!(refused(&pair).starts_with("451 4.7.4 TLS is required, and the host "));
        assert!(pair.server.commands.len() <= 2, "nothing of the mail was said");
    }
    let old = Script { answers: vec![("EHLO", "500 what")], ..willing() };
    assert!(refused(&protecting(old, Protect::Always)).starts_with("451 4.7.4"), "HELO offers nothing");
    let mut pair = protecting(offering("220 go"), Protect::IfOffered);
    pair.client.handle_unsecured("no common version");
    assert_eq!(refused(&pair), "451 4.7.5 TLS could not be established: no common version");
}

#[test]
fn octets_in_clear_behind_the_answer_are_believed_to_nobody() {
    for protect in [Protect::IfOffered, Protect::Always] {
        let pair = protecting(offering("220 go\r\n250-there\r\n250 SIZE"), protect);
        assert!(
            matches!(pair.client.ended(), Some(Ended::Unprotected(reply)) if reply.to_string().starts_with("451 4.7.5"))
        );
    }
}

#[test]
fn the_wish_for_tls_is_passed_on_to_those_who_know_it_rfc8689_4_2() {
    let tagged = || {
        let mut entry = entry(&["r@b.test"]);
        entry.tags.push((crate::base::flow::entry::REQUIRETLS_TAG.into(), Box::default()));
        message(entry)
    };
    let (_, writes) = send_to(&["PIPELINING", "REQUIRETLS"], tagged());
    assert!(writes[0].starts_with("MAIL FROM:<s@a.test> REQUIRETLS\r\n"), "{writes:?}");
    let (_, writes) = send_to(&["PIPELINING"], tagged());
    assert!(writes[0].starts_with("MAIL FROM:<s@a.test>\r\n"), "{writes:?}");
    let (_, writes) = send_to(&["PIPELINING", "REQUIRETLS"], message(entry(&["r@b.test"])));
    assert!(writes[0].starts_with("MAIL FROM:<s@a.test>\r\n"), "{writes:?}");
}
