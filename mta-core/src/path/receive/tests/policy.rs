//! What plugins say is what the client hears.

use super::world::verdict;
use super::*;
use crate::base::flow::entry::Progress;
use crate::base::flow::policy::{DataVerdict, Disposition, Gate};
use crate::base::mail::content::{Composed, Piece};
use crate::base::mail::edits::{Edits, EnvelopeEdit, HeaderEdit};
use crate::base::smtp::reply::Reply;
use crate::base::smtp::status::EnhancedStatus;
use crate::config::model::{DomainPattern, Tenant};

fn reply(code: u16, text: &str) -> Reply {
    let class = u8::try_from(code / 100).expect("a digit");
    Reply::from_text(code, Some(EnhancedStatus::new(class, 7, 1)), text)
}

fn world(change: impl FnOnce(&World)) -> World {
    let world = World::new(config());
    change(&world);
    world
}

fn deciding(verdict: DataVerdict) -> Bench {
    Bench::in_world(world(|w| *w.policy.data.lock().expect("no panic") = Some(verdict)), INSIDE)
}

#[test]
fn on_connect_comes_before_the_greeting_rfc5321_4_3_2() {
    let bench = |gate| Bench::in_world(world(|w| *w.policy.connect.lock().expect("no panic") = Some(gate)), INSIDE);
    assert_eq!(bench(Gate::Next).writes, ["220 mx.example ESMTP Mailwright\r\n"]);
    for (gate, answer) in [
        (Gate::Reject(reply(550, "no")), "554 5.7.1 no\r\n"),
        (Gate::Tempfail(reply(451, "later")), "421 4.7.1 later\r\n"),
        (Gate::Disconnect(reply(421, "go")), "421 4.7.1 go\r\n"),
    ] {
        let bench = bench(gate);
        assert_eq!(bench.writes, [answer]);
        assert!(bench.closed && bench.world.heard.has("session-refused", "policy"));
    }
}

#[test]
fn a_refused_name_leaves_the_session_as_it_was_rfc5321_4_1_4() {
    let bench = |gate| Bench::in_world(world(|w| *w.policy.helo.lock().expect("no panic") = Some(gate)), INSIDE);
    let mut refusing = bench(Gate::Reject(reply(550, "no")));
    assert_eq!(
        refusing.say("EHLO c.example\r\nMAIL FROM:<a@b.example>\r\n"),
        "550 5.7.1 no\r\n503 5.5.1 send EHLO or HELO first\r\n"
    );
    assert_eq!(refusing.say("HELO c.example\r\n"), "550 5.7.1 no\r\n");
    assert!(refusing.world.heard.has("command-refused", "\"verb\":\"HELO\""));
    let asked = refusing.world.policy.asked.lock().expect("no panic").clone();
    assert!(asked.contains(&"asked helo c.example".to_owned()) && !asked.contains(&"helo c.example".to_owned()));
    let mut parting = bench(Gate::Disconnect(reply(421, "go")));
    assert_eq!(parting.say("EHLO c.example\r\nNOOP\r\n"), "421 4.7.1 go\r\n");
    assert!(parting.closed);
    let mut letting = bench(Gate::Next);
    assert!(letting.say("EHLO c.example\r\n").starts_with("250-mx.example"));
    letting.say("MAIL FROM:<a@b.example>\r\n");
    *letting.world.policy.asked.lock().expect("no panic") = Vec::new();
    // One that is accepted in a transaction ends it.
    assert!(letting.say("HELO d.example\r\nRCPT TO:<x@here.example>\r\n").ends_with("503 5.5.1 send MAIL first\r\n"));
    assert_eq!(*letting.world.policy.asked.lock().expect("no panic"), ["asked helo d.example", "helo d.example"]);
}

#[test]
fn on_mail_is_asked_after_our_own_checks_rfc5321_4_1_1_2() {
    let bench = |gate| {
        let mut bench = Bench::in_world(world(|w| *w.policy.mail.lock().expect("no panic") = Some(gate)), INSIDE);
        bench.say("EHLO c.example\r\n");
        bench
    };
    let mut refusing = bench(Gate::Reject(reply(550, "no")));
    assert_eq!(refusing.say("MAIL FROM:<a@b.example> SIZE=99999999999\r\n"), "552 5.3.4 message too large\r\n");
    assert_eq!(
        refusing.say("MAIL FROM:<a@b.example> SIZE=77\r\nRCPT TO:<x@here.example>\r\n"),
        "550 5.7.1 no\r\n503 5.5.1 send MAIL first\r\n"
    );
    let asked = refusing.world.policy.asked.lock().expect("no panic").clone();
    assert_eq!(asked[asked.len() - 2..], ["mail a@b.example Some(77)", "ended"]);
    let mut parting = bench(Gate::Disconnect(reply(421, "go")));
    assert_eq!(parting.say("MAIL FROM:<>\r\nNOOP\r\n"), "421 4.7.1 go\r\n");
    assert!(parting.closed);
    assert_eq!(bench(Gate::Next).say("MAIL FROM:<>\r\n"), "250 2.1.0 sender ok\r\n");
}

#[test]
fn on_rcpt_is_asked_after_our_own_checks() {
    let bench = |gate| {
        let mut bench = Bench::in_world(world(|w| *w.policy.rcpt.lock().expect("no panic") = Some(gate)), OUTSIDE);
        bench.say("EHLO c.example\r\nMAIL FROM:<a@b.example>\r\n");
        bench
    };
    let mut refusing = bench(Gate::Reject(reply(550, "no")));
    assert_eq!(refusing.say("RCPT TO:<x@there.example>\r\n"), "550 5.7.1 relaying denied\r\n");
    assert_eq!(
        refusing.say("RCPT TO:<x@here.example>\r\nDATA\r\n"),
        "550 5.7.1 no\r\n554 5.5.1 no valid recipients\r\n"
    );
    assert!(!refusing.closed);
    refusing.say("RSET\r\n");
    let asked = refusing.world.policy.asked.lock().expect("no panic").clone();
    assert_eq!(asked[asked.len() - 2..], ["rcpt a@b.example x@here.example", "ended"]);
    let mut parting = bench(Gate::Disconnect(reply(421, "go")));
    assert_eq!(parting.say("RCPT TO:<x@here.example>\r\nNOOP\r\n"), "421 4.7.1 go\r\n");
    assert!(parting.closed);
    assert_eq!(bench(Gate::Accept).say("RCPT TO:<x@here.example>\r\n"), "250 2.1.5 recipient ok\r\n");
}

#[test]
fn hooks_know_how_many_recipients_were_refused_for_good() {
    let letting = |w: &World| *w.policy.rcpt.lock().expect("no panic") = Some(Gate::Next);
    let mut bench = Bench::in_world(world(letting), OUTSIDE);
    bench.say("EHLO c.example\r\nRCPT TO:<x@here.example>\r\nMAIL FROM:<a@b.example>\r\n");
    bench.say("RCPT TO:<x@there.example>\r\nRCPT TO:<y@there.example>\r\nRCPT TO:<x@here.example>\r\n");
    let told = |bench: &Bench| {
        let asked = bench.world.policy.asked.lock().expect("no panic");
        asked.iter().filter(|what| what.starts_with("rejected")).cloned().collect::<Vec<_>>()
    };
    assert_eq!(told(&bench), ["rejected 2"], "not the one before MAIL");
    let refusing = |w: &World| *w.policy.rcpt.lock().expect("no panic") = Some(Gate::Reject(reply(550, "no")));
    let mut bench = Bench::in_world(world(refusing), OUTSIDE);
    bench.say("EHLO c.example\r\nMAIL FROM:<a@b.example>\r\n");
    bench.say("RCPT TO:<x@here.example>\r\nRCPT TO:<y@here.example>\r\n");
    assert_eq!(told(&bench), ["rejected 1"], "a plugin's refusal counts too");
}

#[test]
fn on_data_may_refuse_hold_and_drop() {
    let mut bench = deciding(verdict(Disposition::Reject(reply(550, "spam"))));
    assert_eq!(bench.send("A: b\r\n"), "550 5.7.1 spam\r\n");
    assert!(bench.world.heard.has("message-refused", "tester"));

    let mut bench = deciding(verdict(Disposition::Tempfail(reply(451, "later"))));
    assert_eq!(bench.send("A: b\r\n"), "451 4.7.1 later\r\n");

    let mut bench = deciding(verdict(Disposition::Discard("bin".into())));
    assert_eq!(bench.send("A: b\r\n"), "250 2.0.0 ok\r\n");
    assert!(bench.world.heard.has("message-discarded", "bin"));
    assert!(bench.world.spool.kept.lock().expect("no panic").is_empty());

    let mut bench = deciding(verdict(Disposition::Quarantine("odd".into())));
    assert!(bench.send("A: b\r\n").starts_with("250 2.0.0 queued as "));
    assert!(bench.world.heard.has("message-held", "odd"));
    let kept = bench.world.spool.kept.lock().expect("no panic");
    assert_eq!(kept[0].entry.progress, [Progress::Held("odd".into())]);
}

#[test]
fn edits_of_on_data_go_with_the_message() {
    let edits = Edits { headers: vec![HeaderEdit::Add { name: "X-Seen".into(), value: "yes".into() }] };
    let address = |text: &str| text.parse().expect("a mailbox");
    let envelope = vec![
        EnvelopeEdit::AddRecipient(address("new@here.example")),
        EnvelopeEdit::AddRecipient(address("new@here.example")),
        EnvelopeEdit::RemoveRecipient(address("x@here.example")),
        EnvelopeEdit::SetSender(None),
    ];
    let tags = vec![("k".into(), "v".into())];
    let mut bench =
        deciding(DataVerdict { edits: edits.clone(), envelope, tags: tags.clone(), ..verdict(Disposition::Next) });
    assert!(bench.send("A: b\r\n").starts_with("250 "));
    let kept = bench.world.spool.kept.lock().expect("no panic");
    let entry = &kept[0].entry;
    assert_eq!((&entry.edits, &entry.tags), (&edits, &tags));
    assert_eq!(entry.envelope.sender, None);
    assert_eq!(entry.envelope.recipients[0].address, address("new@here.example"));
    assert_eq!((entry.envelope.recipients.len(), entry.progress.len()), (1, 1));
}

/// What is kept is what policy made of the message, wherever the message lay when it came.
#[test]
fn a_new_body_of_on_data_is_what_is_kept() {
    let body = Composed::new(vec![Piece::Memory("new\r\n".into())]);
    for old in ["old\r\n".to_owned(), "0123456\r\n".repeat(100_000)] {
        let mut bench = deciding(DataVerdict { body: Some(body.clone()), ..verdict(Disposition::Next) });
        assert!(bench.send(format!("A: b\r\n\r\n{old}")).starts_with("250 "));
        let kept = bench.world.spool.kept.lock().expect("no panic");
        assert_eq!(kept[0].content, b"A: b\r\n\r\nnew\r\n");
        assert_eq!((kept[0].entry.size_bytes, kept[0].entry.head_bytes), (13, 8));
    }
    // RFC 5322 2.1: what came had no body, and no empty line before it.
    let mut bench = deciding(DataVerdict { body: Some(body), ..verdict(Disposition::Next) });
    assert!(bench.send("A: b\r\n").starts_with("250 "));
    let kept = bench.world.spool.kept.lock().expect("no panic");
    assert_eq!((&kept[0].content[..], kept[0].entry.head_bytes), (&b"A: b\r\n\r\nnew\r\n"[..], 8));
}

#[test]
fn a_message_without_a_recipient_left_is_discarded_by_name() {
    let gone = EnvelopeEdit::RemoveRecipient("x@here.example".parse().expect("a mailbox"));
    let mut bench = deciding(DataVerdict { envelope: vec![gone], ..verdict(Disposition::Next) });
    assert_eq!(bench.send("A: b\r\n"), "250 2.0.0 ok\r\n");
    assert!(bench.world.heard.has("message-discarded", "tester"));
}

#[test]
fn a_message_belongs_to_one_tenant_and_452_splits_it_rfc5321_4_5_3_1_10() {
    let tenant = |name: &str, domain: &str| Tenant {
        name: name.into(),
        domains: vec![DomainPattern::new(domain)],
        ..Tenant::default()
    };
    let mut config = config();
    config.relay.domains.push(DomainPattern::new("globex.example"));
    config.tenants = vec![tenant("acme", "here.example"), tenant("globex", "globex.example")];
    let mut outside = Bench::with(config.clone(), OUTSIDE);
    outside.say("EHLO c.example\r\n");
    let split = "452 4.5.3 please send to this recipient in a transaction of its own\r\n";
    assert_eq!(outside.say("MAIL FROM:<x@globex.example>\r\n"), "250 2.1.0 sender ok\r\n");
    assert_eq!(outside.say("RCPT TO:<a@here.example>\r\n"), "250 2.1.5 recipient ok\r\n");
    assert_eq!(outside.say("RCPT TO:<b@globex.example>\r\n"), split, "a sender from outside says nothing");
    assert_eq!(outside.say("RCPT TO:<postmaster>\r\n"), split, "nobody's is another's");
    assert_eq!(outside.say("RCPT TO:<c@here.example>\r\n"), "250 2.1.5 recipient ok\r\n");
    assert!(outside.say("DATA\r\nSubject: x\r\n\r\nx\r\n.\r\n").contains("250 2.0.0"));
    let mut inside = Bench::with(config, INSIDE);
    inside.say("EHLO c.example\r\n");
    inside.say("MAIL FROM:<x@globex.example>\r\n");
    assert_eq!(inside.say("RCPT TO:<a@here.example>\r\n"), "250 2.1.5 recipient ok\r\n");
    assert_eq!(inside.say("RCPT TO:<b@elsewhere.example>\r\n"), "250 2.1.5 recipient ok\r\n", "the sender's message");
    assert!(inside.say("DATA\r\nSubject: x\r\n\r\nx\r\n.\r\n").contains("250 2.0.0"));
    let tenants = |bench: &Bench| -> Vec<Option<Box<str>>> {
        bench.world.spool.kept.lock().expect("no panic").iter().map(|kept| kept.entry.tenant.clone()).collect()
    };
    assert_eq!((tenants(&outside), tenants(&inside)), (vec![Some("acme".into())], vec![Some("globex".into())]));
}
