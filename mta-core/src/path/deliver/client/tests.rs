//! The client against a scripted server, in memory: transcripts in, outcomes out.

use super::*;
use crate::base::fault::Scope;
use crate::base::flow::entry::Entry;
use crate::base::flow::report::Outcome;
use crate::base::mail::render::render;
use crate::path::deliver::scripted::{BODY, HEAD, Script, ScriptedServer, TRACE, content, entry, willing};
use proptest::prelude::*;
use std::time::Duration;

fn timeouts() -> ClientTimeouts {
    let seconds = Duration::from_secs;
    ClientTimeouts {
        connect: seconds(1),
        greeting: seconds(2),
        command: seconds(3),
        data: seconds(4),
        content: seconds(5),
        final_reply: seconds(6),
    }
}

pub(super) fn message(entry: Entry) -> Message {
    let rendered = render(&[TRACE], &content(), [].iter());
    let recipients = (0..u32::try_from(entry.envelope.recipients.len()).expect("few")).collect();
    Message { entry: Arc::new(entry), recipients, rendered, stored_is_8bit: None, reverse_path: None }
}

/// A client and a server with a wire between them that cuts what it carries.
pub(super) struct Pair {
    pub(super) client: Client,
    pub(super) server: ScriptedServer,
    pub(super) now: Instant,
    /// What the client wrote, write by write.
    pub(super) writes: Vec<String>,
    cuts: Vec<usize>,
}

impl Pair {
    pub(super) fn new(script: Script, protocol: Protocol) -> Self {
        Self::cut(script, protocol, vec![usize::MAX])
    }

    /// What the server says arrives in pieces of these lengths.
    fn cut(script: Script, protocol: Protocol, cuts: Vec<usize>) -> Self {
        Self::protecting(script, protocol, cuts, Protect::Never)
    }

    /// A session that is to be protected so, up to where the handshake is to begin.
    pub(super) fn protecting(script: Script, protocol: Protocol, cuts: Vec<usize>, protect: Protect) -> Self {
        let now = Instant::now();
        let client = Client::new(protocol, "here.test".into(), timeouts(), now).protecting(protect);
        let server = ScriptedServer::new(script);
        let mut pair = Self { client, server, now, writes: Vec::new(), cuts };
        let greeting = pair.server.greeting();
        pair.carry(&greeting);
        pair.run();
        pair
    }

    /// Gives the client octets, cut into pieces.
    fn carry(&mut self, octets: &[u8]) {
        let mut rest = octets;
        let mut cuts = self.cuts.clone().into_iter().cycle();
        while !rest.is_empty() {
            let (now, later) = rest.split_at(cuts.next().expect("endless").clamp(1, rest.len()));
            self.client.handle_input(now, self.now);
            rest = later;
        }
    }

    /// Until nobody has anything to say.
    pub(super) fn run(&mut self) {
        loop {
            if let Some(wanted) = self.client.wanted() {
                let from = usize::try_from(wanted.offset).expect("small");
                self.client.handle_body(&BODY[from..from + wanted.bytes], self.now);
            }
            let octets = self.client.transmit().to_vec();
            if octets.is_empty() {
                break;
            }
            self.writes.push(String::from_utf8_lossy(&octets).into_owned());
            self.client.transmitted(octets.len(), self.now);
            let answers = self.server.feed(&octets);
            self.carry(&answers);
        }
        if self.server.closed {
            self.client.handle_closed(None);
        }
    }

    pub(super) fn send(&mut self, message: Message) -> Finished {
        self.writes.clear();
        self.client.begin(message, self.now);
        self.run();
        self.client.take_finished().expect("the script leads to an end")
    }
}

pub(super) fn send(script: Script, recipients: &[&str]) -> Finished {
    Pair::new(script, Protocol::Smtp).send(message(entry(recipients)))
}

/// One letter for each recipient: delivered, failed, deferred or open.
pub(super) fn marks(finished: &Finished) -> String {
    let mut marks: Vec<(u32, char)> = finished.open.iter().map(|recipient| (*recipient, 'o')).collect();
    marks.extend(finished.outcomes.iter().map(|(recipient, outcome)| match outcome {
        Outcome::Delivered { .. } => (*recipient, 'D'),
        Outcome::Failed(_) => (*recipient, 'F'),
        _ => (*recipient, 'd'),
    }));
    marks.sort_unstable();
    marks.into_iter().map(|(_, mark)| mark).collect()
}

pub(super) fn reply(finished: &Finished, at: usize) -> &Reply {
    match &finished.outcomes[at].1 {
        Outcome::Delivered { reply, .. } | Outcome::Deferred(reply) | Outcome::Failed(reply) => reply,
        other => panic!("no reply in {other:?}"),
    }
}

#[test]
fn a_pipelined_transaction_takes_two_writes_rfc2920_3_1() {
    let mut pair = Pair::new(willing(), Protocol::Smtp);
    let finished = pair.send(message(entry(&["r@b.test", "q@b.test"])));
    assert_eq!(marks(&finished), "DD");
    assert_eq!(reply(&finished, 0).to_string(), "250 2.0.0 taken");
    let size = TRACE.len() + HEAD.len() + BODY.len();
    let envelope = format!("MAIL FROM:<s@a.test> SIZE={size}\r\nRCPT TO:<r@b.test>\r\nRCPT TO:<q@b.test>\r\nDATA\r\n");
    let content = format!("{TRACE}Subject: x\r\n\r\none\r\n..two\r\nthree\r\n.\r\n");
    assert_eq!(pair.writes, [envelope, content]);
    assert_eq!(pair.server.messages[0], [TRACE.as_bytes(), HEAD, BODY, b"\r\n"].concat());
    assert_eq!((pair.client.state(), finished.trouble), (State::Ready, None));
}

#[test]
fn without_pipelining_one_command_goes_at_a_time_rfc5321_4_1_1() {
    let mut pair = Pair::new(Script { keywords: &["SIZE"], ..willing() }, Protocol::Smtp);
    assert_eq!(marks(&pair.send(message(entry(&["r@b.test", "q@b.test"])))), "DD");
    assert_eq!(pair.writes.len(), 5);
}

#[test]
fn ehlo_falls_back_to_helo_and_then_nothing_is_offered_rfc5321_3_2() {
    let script = Script { answers: vec![("EHLO", "502 5.5.1 what?")], ..willing() };
    let mut pair = Pair::new(script, Protocol::Smtp);
    assert_eq!(pair.server.commands, ["EHLO here.test", "HELO here.test"]);
    pair.send(message(entry(&["r@b.test"])));
    assert_eq!(pair.writes[0], "MAIL FROM:<s@a.test>\r\n");
}

#[test]
fn a_refusing_greeting_ends_the_session_rfc5321_3_1() {
    let pair = Pair::new(Script { greeting: "554 5.3.2 no service", ..willing() }, Protocol::Smtp);
    assert!(matches!(pair.client.ended(), Some(Ended::Refused(reply)) if reply.code == 554));
    let pair = Pair::new(Script { greeting: "SSH-2.0-x", ..willing() }, Protocol::Smtp);
    assert!(matches!(pair.client.ended(), Some(Ended::Lost(reply)) if *reply == replies::MALFORMED));
}

#[test]
fn recipients_are_told_apart_rfc5321_3_3() {
    let script = Script {
        answers: vec![("RCPT TO:<no@", "550 5.1.1 nobody"), ("RCPT TO:<later@", "450 4.2.1 busy")],
        ..willing()
    };
    let finished = send(script, &["yes@b.test", "no@b.test", "later@b.test"]);
    assert_eq!((marks(&finished).as_str(), finished.trouble), ("DFd", Some(Scope::Recipient)));
}

#[test]
fn a_lone_dot_answers_354_to_nobody_rfc2920_3_1() {
    let script = Script { answers: vec![("RCPT", "550 5.1.1 nobody")], finals: vec!["554 no one"], ..willing() };
    let mut pair = Pair::new(script.clone(), Protocol::Smtp);
    let finished = pair.send(message(entry(&["r@b.test", "q@b.test"])));
    assert_eq!((marks(&finished).as_str(), pair.writes[1].as_str()), ("FF", ".\r\n"));
    assert_eq!(reply(&finished, 0).code, 550);
    assert_eq!(pair.client.state(), State::Ready);
    // In lock-step DATA is not said at all, and RSET clears up before the next MAIL.
    let mut pair = Pair::new(Script { keywords: &[], ..script }, Protocol::Smtp);
    assert_eq!(marks(&pair.send(message(entry(&["r@b.test"])))), "F");
    assert!(!pair.server.commands.contains(&"DATA".to_owned()));
    pair.send(message(entry(&["r@b.test"])));
    assert_eq!(pair.writes[0], "RSET\r\n");
}

#[test]
fn a_refused_mail_is_of_the_message_rfc5321_3_3() {
    let echo = |answer| Script {
        answers: vec![("MAIL", answer), ("RCPT", "503 5.5.1 MAIL first"), ("DATA", "503 5.5.1 MAIL first")],
        ..willing()
    };
    let finished = send(echo("550 5.7.1 not you"), &["r@b.test", "q@b.test"]);
    assert_eq!((marks(&finished).as_str(), reply(&finished, 1).code), ("FF", 550));
    assert_eq!(finished.trouble, Some(Scope::Message));
    assert_eq!(marks(&send(echo("451 4.3.0 later"), &["r@b.test"])), "d");
    let lockstep = Script { keywords: &[], ..echo("550 5.7.1 not you") };
    let mut pair = Pair::new(lockstep, Protocol::Smtp);
    assert_eq!(marks(&pair.send(message(entry(&["r@b.test"])))), "F");
    assert_eq!(pair.writes.len(), 1);
}

#[test]
fn refused_data_and_refused_content_are_of_the_message_rfc5321_4_1_1_4() {
    for (script, mark) in [
        (Script { answers: vec![("DATA", "451 4.3.0 no")], ..willing() }, "d"),
        (Script { answers: vec![("DATA", "554 5.0.0 no")], ..willing() }, "F"),
        (Script { finals: vec!["452 4.3.1 full"], ..willing() }, "d"),
        (Script { finals: vec!["554 5.7.1 spam"], ..willing() }, "F"),
    ] {
        let finished = send(script, &["r@b.test"]);
        assert_eq!((marks(&finished).as_str(), finished.trouble), (mark, Some(Scope::Message)));
    }
}

#[test]
fn the_session_that_ends_with_421_leaves_the_undecided_to_another_host_rfc5321_3_8() {
    for (answers, marked) in [
        (vec![("MAIL", "421 4.3.2 closing")], "oo"),
        (vec![("RCPT TO:<a@", "550 5.1.1 no"), ("RCPT TO:<b@", "421 4.3.2 closing")], "Fo"),
        (vec![("DATA", "421 4.3.2 closing")], "oo"),
    ] {
        let mut pair = Pair::new(Script { answers, ..willing() }, Protocol::Smtp);
        let finished = pair.send(message(entry(&["a@b.test", "b@b.test"])));
        assert_eq!((marks(&finished).as_str(), finished.trouble), (marked, Some(Scope::Session)));
        assert!(matches!(pair.client.ended(), Some(Ended::Lost(reply)) if reply.code == 421));
    }
    // Said of the content it decides: the host has it not.
    let finished = send(Script { finals: vec!["421 4.3.2 closing"], ..willing() }, &["a@b.test"]);
    assert_eq!((marks(&finished).as_str(), reply(&finished, 0).code), ("d", 421));
}

#[test]
fn a_connection_lost_before_the_dot_leaves_recipients_open_and_after_it_defers_them_rfc1047() {
    for at in ["MAIL", "RCPT", "DATA"] {
        let finished = send(Script { closes_at: Some(at), ..willing() }, &["a@b.test"]);
        assert_eq!((marks(&finished).as_str(), finished.answered), ("o", at != "MAIL"), "closed at {at}");
    }
    let finished = send(Script { closes_after_content: true, ..willing() }, &["a@b.test"]);
    assert_eq!((marks(&finished).as_str(), reply(&finished, 0)), ("d", &replies::LOST_AFTER_DOT));
}

#[test]
fn a_refusal_while_content_is_sent_is_the_final_word() {
    let mut pair = Pair::new(Script { answers: vec![("DATA", "")], ..willing() }, Protocol::Smtp);
    pair.client.begin(message(entry(&["a@b.test"])), pair.now);
    let commands = pair.client.transmit().len();
    pair.client.transmitted(commands, pair.now);
    pair.client.handle_input(b"250 ok\r\n250 ok\r\n354 go\r\n552 5.3.4 too much\r\n", pair.now);
    let finished = pair.client.take_finished().expect("decided");
    assert_eq!((marks(&finished).as_str(), reply(&finished, 0).code), ("F", 552));
    assert_eq!(pair.client.state(), State::Closed);
}

#[test]
fn replies_out_of_place_end_the_session_rfc5321_4_2_1() {
    for (begins, answer) in [("MAIL", "354 go"), ("RCPT", "354 go"), ("DATA", "250 fine")] {
        let mut pair = Pair::new(Script { answers: vec![(begins, answer)], ..willing() }, Protocol::Smtp);
        assert_eq!(marks(&pair.send(message(entry(&["a@b.test"])))), "o", "{answer} to {begins}");
        assert_eq!(pair.client.state(), State::Closed);
    }
}

#[test]
fn each_step_has_its_own_time_limit_rfc5321_4_5_3_2() {
    let silent = |client: &mut Client, now: Instant, seconds: u64| {
        assert_eq!(client.deadline(), Some(now + Duration::from_secs(seconds)));
        client.handle_timeout(now + Duration::from_secs(seconds) - Duration::from_millis(1));
        assert_eq!(client.state(), State::Working);
        client.handle_timeout(now + Duration::from_secs(seconds));
        assert_eq!(client.state(), State::Closed);
    };
    let now = Instant::now();
    silent(&mut Client::new(Protocol::Smtp, "here.test".into(), timeouts(), now), now, 2);
    for (heard, seconds) in [("", 3), ("250 ok\r\n250 ok\r\n", 4), ("250 ok\r\n250 ok\r\n354 go\r\n", 5)] {
        let mut pair = Pair::new(willing(), Protocol::Smtp);
        pair.client.begin(message(entry(&["a@b.test"])), pair.now);
        let commands = pair.client.transmit().len();
        pair.client.transmitted(commands, pair.now);
        pair.client.handle_input(heard.as_bytes(), pair.now);
        silent(&mut pair.client, pair.now, seconds);
        assert_eq!(marks(&pair.client.take_finished().expect("lost")), "o");
    }
    let mut pair = Pair::new(willing(), Protocol::Smtp);
    pair.client.begin(message(entry(&["a@b.test"])), pair.now);
    for heard in ["250 ok\r\n250 ok\r\n354 go\r\n", ""] {
        let octets = pair.client.transmit().len();
        pair.client.transmitted(octets, pair.now);
        pair.client.handle_input(heard.as_bytes(), pair.now);
    }
    silent(&mut pair.client, pair.now, 6);
    assert_eq!(marks(&pair.client.take_finished().expect("lost")), "d", "the host may have it (RFC 1047)");
}

#[test]
fn quit_is_said_and_answered_rfc5321_4_1_1_10() {
    let mut pair = Pair::new(willing(), Protocol::Smtp);
    pair.client.quit(pair.now);
    pair.run();
    assert_eq!(pair.server.commands.last().map(String::as_str), Some("QUIT"));
    assert_eq!(pair.client.ended(), Some(&Ended::Quit));
}

fn any_script() -> impl Strategy<Value = Script> {
    let rcpt = prop::sample::select(vec!["250 fine", "450 4.2.1 busy", "550-5.1.1 no\r\n550 5.1.1 body", "421 bye"]);
    let last = prop::sample::select(vec!["250 2.0.0 taken", "451 4.3.0 no", "554 5.7.1 no", "hello", "421 4.3.2 bye"]);
    let mail = prop::sample::select(vec!["250 fine", "250 fine", "250 fine", "451 no", "550 no", "x"]);
    let keywords = prop::sample::select(vec![&["PIPELINING", "SIZE"][..], &["DSN"][..]]);
    (mail, rcpt.clone(), rcpt, last, keywords, any::<bool>()).prop_map(|(mail, one, two, last, keywords, close)| {
        Script {
            answers: vec![("MAIL", mail), ("RCPT TO:<one@", one), ("RCPT TO:<two@", two)],
            finals: vec![last],
            keywords,
            closes_after_content: close,
            ..willing()
        }
    })
}

proptest! {
    /// RFC 5321 4.2 knows lines, not packets: however the server's octets are cut, the outcomes are the same, and every
    /// recipient is in them once.
    #[test]
    fn any_split_of_the_servers_octets_gives_the_same_outcomes(
        script in any_script(), cuts in prop::collection::vec(1usize..40, 1..6), lmtp: bool,
    ) {
        let protocol = if lmtp { Protocol::Lmtp } else { Protocol::Smtp };
        let recipients = ["one@b.test", "two@b.test", "three@b.test"];
        let mut script = script;
        if lmtp {
            script.finals = vec![script.finals[0]; 3];
        }
        let whole = Pair::new(script.clone(), protocol).send(message(entry(&recipients)));
        let split = Pair::cut(script, protocol, cuts).send(message(entry(&recipients)));
        prop_assert_eq!(&whole, &split);
        prop_assert_eq!(marks(&whole).len(), recipients.len());
    }
}
