//! What is kept for mail that may be forwarded, and the way back of its bounces (RFC 8617 5.1, RFC 5321 3.9).

use super::*;
use crate::base::flow::entry::Entry;
use crate::base::mail::address::Address;
use crate::base::mail::canonical::{self, BodyHash};
use crate::base::mail::content::Body;
use crate::base::mail::domain::Domain;
use crate::base::mail::envelope::Recipient;
use crate::base::mail::tie::{KEY_BYTES, Key};
use crate::config::model::{DkimKey, Srs};
use mail_auth::dkim::Canonicalization;

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

fn key() -> DkimKey {
    DkimKey { domain: "here.example".into(), selector: "s".into(), key: "k".into(), tenants: Vec::new() }
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
            let mut bench = Bench::with(config.clone(), peer);
            assert!(bench.send(format!("Subject: x\r\n\r\n{body}")).starts_with("250 "));
            let entry = kept(&bench);
            assert_eq!(entry.is_from_outside(), peer == OUTSIDE);
            assert_eq!(entry.body_hash(), hash(body).filter(|_| is_hashed), "{peer} {} octets", body.len());
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
