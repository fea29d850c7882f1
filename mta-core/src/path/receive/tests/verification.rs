//! Mail from outside is verified before policy is asked, and what was found is told (RFC 8601 5). What is kept for mail that
//! may be forwarded, and the way back of its bounces (RFC 8617 5.1, RFC 5321 3.9).

use super::world::verdict;
use super::*;
use crate::base::flow::entry::Entry;
use crate::base::flow::entry::Progress;
use crate::base::flow::policy::Disposition;
use crate::base::flow::policy::verify::{Consequence, Verified};
use crate::base::mail::address::Address;
use crate::base::mail::canonical::{self, BodyHash};
use crate::base::mail::content::Body;
use crate::base::mail::domain::Domain;
use crate::base::mail::edits::HeaderEdit;
use crate::base::mail::envelope::Recipient;
use crate::base::mail::tie::{KEY_BYTES, Key};
use crate::base::smtp::reply::Reply;
use crate::base::smtp::status::EnhancedStatus;
use crate::config::model::verify::Verification;
use crate::config::model::{DkimKey, Srs};
use mail_auth::dkim::Canonicalization;

fn verifying() -> Config {
    Config { verify: Verification::default(), ..config() }
}

fn finding(consequence: Consequence, peer: &str) -> Bench {
    deciding(consequence, peer, None)
}

fn deciding(consequence: Consequence, peer: &str, disposition: Option<Disposition>) -> Bench {
    let world = World::new(verifying());
    let forged = HeaderEdit::Set { name: "Authentication-Results".into(), nth: 0, value: None };
    let field = "Authentication-Results: mx.example; none\r\n".into();
    let found = Verified { field, edits: vec![forged], consequence, ..Verified::default() };
    *world.verify.found.lock().expect("no panic") = found;
    *world.policy.data.lock().expect("no panic") = disposition.map(verdict);
    Bench::in_world(world, peer)
}

fn asked(bench: &Bench) -> Vec<String> {
    bench.world.verify.asked.lock().expect("no panic").clone()
}

#[test]
fn our_own_clients_are_not_verified_and_neither_is_anybody_where_it_is_off() {
    let mut inside = finding(Consequence::Go, INSIDE);
    assert!(inside.send("x\r\n").starts_with("250 "));
    assert_eq!(asked(&inside), [""; 0]);
    let elsewhere = Verification { listeners: vec!["other".into()], ..Verification::default() };
    for verify in [Verification { enabled: false, ..Verification::default() }, elsewhere] {
        let mut bench = Bench::with(Config { verify, ..config() }, OUTSIDE);
        assert!(bench.send("x\r\n").starts_with("250 "));
        assert_eq!(asked(&bench), [""; 0]);
    }
}

#[test]
fn results_stand_above_our_received_and_forged_ones_go_rfc8601_5() {
    let mut bench = finding(Consequence::Go, OUTSIDE);
    assert!(bench.send("Authentication-Results: mx.example; spf=pass\r\n\r\nbody\r\n").starts_with("250 "));
    assert_eq!(asked(&bench), ["198.51.100.7 c.example a@b.example 6"]);
    let kept = bench.world.spool.kept.lock().expect("no panic");
    let entry = &kept[0].entry;
    assert!(entry.trace.starts_with("Authentication-Results: mx.example; none\r\nReceived: from c.example "));
    assert_eq!(entry.edits.headers.len(), 1);
    assert!(matches!(entry.progress[0], Progress::Pending { .. }));
}

#[test]
fn a_large_message_is_verified_when_it_lies_on_the_disk() {
    let mut bench = finding(Consequence::Go, OUTSIDE);
    let body = format!("Subject: x\r\n\r\n{}\r\n", "y".repeat(9000));
    assert!(bench.send(body).starts_with("250 "));
    assert_eq!(asked(&bench), ["198.51.100.7 c.example a@b.example 9002"]);
}

#[test]
fn a_refusal_is_the_final_reply_and_policy_is_not_asked_rfc7372_3() {
    for code in [550, 451] {
        let class = u8::try_from(code / 100).expect("a digit");
        let reply = Reply::from_text(code, Some(EnhancedStatus::new(class, 7, 26)), "no");
        let mut bench = deciding(Consequence::Refuse(reply), OUTSIDE, Some(Disposition::Accept));
        assert_eq!(bench.send("x\r\n"), format!("{code} {class}.7.26 no\r\n"));
        assert!(bench.world.heard.has("message-refused", "7.26 no"));
        assert!(!bench.world.policy.asked.lock().expect("no panic").iter().any(|asked| asked.starts_with("data")));
        // The session goes on.
        assert_eq!(bench.say("NOOP\r\n"), "250 2.0.0 ok\r\n");
    }
}

#[test]
fn what_is_held_is_held_whatever_plugins_think_but_they_may_refuse_it() {
    let held = |disposition: Option<Disposition>| {
        let mut bench = deciding(Consequence::Hold("why".into()), OUTSIDE, disposition);
        let answer = bench.send("x\r\n");
        let kept = bench.world.spool.kept.lock().expect("no panic");
        let progress = kept.first().map(|kept| kept.entry.progress[0].clone());
        (answer, progress)
    };
    for disposition in [None, Some(Disposition::Next), Some(Disposition::Accept)] {
        assert_eq!(held(disposition).1, Some(Progress::Held("why".into())));
    }
    assert_eq!(held(Some(Disposition::Quarantine("mine".into()))).1, Some(Progress::Held("mine".into())));
    let no = Reply::from_text(550, Some(EnhancedStatus::new(5, 7, 1)), "no");
    assert_eq!(held(Some(Disposition::Reject(no))), ("550 5.7.1 no\r\n".to_owned(), None));
}

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

fn key() -> DkimKey {
    DkimKey { domain: "here.example".into(), selector: "s".into(), key: "k".into(), at: "".into(), tenants: Vec::new() }
}

fn kept(bench: &Bench) -> Entry {
    bench.world.spool.kept.lock().expect("no panic")[0].entry.clone()
}

fn hash(body: &str) -> Option<BodyHash> {
    let body = Body::Memory(body.to_owned().into());
    canonical::hashes(&body, &[Canonicalization::Relaxed]).ok()?.first().copied()
}

#[test]
fn whose_mail_it_is_and_the_hash_of_its_body_are_kept_rfc6376_3_7() {
    let large = "words  \r\n".repeat(2000);
    for (config, peer, is_hashed) in [
        (Config { arc: Some(key()), ..config() }, OUTSIDE, true),
        (Config { arc: Some(key()), ..config() }, INSIDE, false),
        (Config { dkim: vec![key()], ..config() }, INSIDE, true),
        (Config { dkim: vec![key()], ..config() }, OUTSIDE, false),
        (config(), OUTSIDE, false),
    ] {
        for body in ["small\r\n", &large] {
            let verifying = Config { verify: Verification::default(), ..config.clone() };
            let mut bench = Bench::with(verifying, peer);
            assert!(bench.send(format!("Subject: x\r\n\r\n{body}")).starts_with("250 "));
            let entry = kept(&bench);
            assert_eq!(entry.is_from_outside(), peer == OUTSIDE);
            assert_eq!(entry.body_hash(), hash(body).filter(|_| is_hashed), "{peer} {} octets", body.len());
            let shown = bench.world.verify.hash.lock().expect("no panic").take();
            assert_eq!(shown, hash(body).filter(|_| is_hashed && peer == OUTSIDE), "verification is given it");
        }
    }
}

fn srs() -> Config {
    let domain = Domain::parse("srs.example").expect("a domain");
    Config { srs: Some(Srs { domain, age_max: Duration::from_secs(21 * 86_400) }), ..config() }
}

/// The answer to RCPT at an address of a key, and the message's recipient.
fn bounced(octet: u8, at: UnixMillis) -> (String, Option<Recipient>) {
    let (config, sender) = (srs(), Address::parse("Ann@far.example").expect("a mailbox"));
    let domain = &config.srs.as_ref().expect("it is there").domain;
    let address = Key::new([octet; KEY_BYTES]).forwarded(&sender, domain, at).expect("there is room");
    let mut bench = Bench::with(config, OUTSIDE);
    bench.say("EHLO c.example\r\nMAIL FROM:<>\r\n");
    let answer = bench.say(format!("RCPT TO:<{address}>\r\n"));
    if !answer.starts_with("250 ") {
        return (answer, None);
    }
    bench.say("DATA\r\n");
    assert!(bench.say("Subject: a report\r\n\r\n.\r\n").starts_with("250 "));
    (address.to_string(), kept(&bench).envelope.recipients.pop())
}

#[test]
fn a_bounce_goes_on_to_who_sent_what_was_forwarded_rfc5321_3_9() {
    let (address, recipient) = bounced(7, NOW);
    let recipient = recipient.expect("it is taken");
    assert_eq!(recipient.address.to_string(), "Ann@far.example");
    assert_eq!(recipient.orcpt, Some(format!("rfc822;{address}").into()));
    assert_eq!(bounced(8, NOW), ("550 5.1.1 no such address here\r\n".to_owned(), None), "forged");
    let old = UnixMillis(NOW.0 - 22 * 86_400_000);
    assert_eq!(bounced(7, old), ("550 5.1.1 no such address here\r\n".to_owned(), None));
}
