//! Signatures verify, cover what they should, and are made by whom they should (RFC 6376, RFC 8463).

use super::driver::Signer;
use super::fields::{author_domain, covered};
use super::key::{Key, Kind, generate};
use super::keyring::{Keyring, Signing};
use crate::base::flow::attempt::{Outgoing, Sign};
use crate::base::flow::entry::{Entry, OURS_TAG};
use crate::base::flow::policy::standing::Signers as _;
use crate::base::mail::content::{Body, ReadAt};
use crate::base::mail::edits::Edits;
use crate::base::mail::envelope::{BodyType, Envelope};
use crate::base::mail::id::QueueId;
use crate::base::mail::render::Rendered;
use crate::base::time::UnixMillis;
use crate::edge::world::clock::SystemClock;
use arc_swap::ArcSwap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use mail_auth::common::parse::TxtRecordParser;
use mail_auth::common::verify::DomainKey;
use mail_auth::{AuthenticatedMessage, DkimResult, MessageAuthenticator, Parameters, ResolverCache, Txt};
use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::io;
use std::sync::Arc;
use tokio::runtime::{Builder, Handle};

/// RFC 8463 A.3, without its signatures.
const HEAD: &str = "From: Joe SixPack <joe@football.example.com>\r\n\
    To: Suzie Q <suzie@shopping.example.net>\r\n\
    Subject: Is dinner ready?\r\n\
    Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n\
    Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n\r\n";
const BODY: &str = "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n";
/// RFC 8463 A.1.
const SEED: &str = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
/// What PKCS #8 puts before it (RFC 8410 7).
const PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

pub(super) fn ed25519() -> Key {
    let octets = [&PKCS8[..], &BASE64.decode(SEED).expect("base64")].concat();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", BASE64.encode(octets));
    Key::parse(pem.as_bytes()).expect("a key")
}

pub(super) fn signing(domain: &str, selector: &str, tenants: &[&str], key: Key) -> Signing {
    let tenants = tenants.iter().map(|name| Arc::from(*name)).collect();
    Signing { domain: domain.into(), selector: selector.into(), tenants, key }
}

fn signer(keys: Vec<Signing>) -> Signer {
    signer_on(Handle::current(), keys)
}

fn signer_on(threads: Handle, keys: Vec<Signing>) -> Signer {
    Signer::new(Arc::new(ArcSwap::from_pointee(Keyring::new(keys, None))), Arc::new(SystemClock), threads)
}

fn entry(id: u128, tags: &[&str]) -> Entry {
    let envelope = Envelope {
        sender: None,
        recipients: Vec::new(),
        body: BodyType::SevenBit,
        smtputf8: false,
        ret: None,
        envid: None,
    };
    Entry {
        id: QueueId(id),
        accepted: UnixMillis(0),
        envelope,
        trace: Box::default(),
        edits: Edits::default(),
        size_bytes: 0,
        head_bytes: 0,
        tenant: None,
        tags: tags.iter().map(|tag| ((*tag).into(), Box::default())).collect(),
        progress: Vec::new(),
        placements: Vec::new(),
    }
}

fn message(head: &str, body: Body) -> Rendered {
    Rendered { head: [Bytes::from_static(b"Received: by us\r\n"), Bytes::from(head.to_owned())].into(), body }
}

async fn fields(signer: &Signer, entry: &Entry, message: &Rendered) -> Option<String> {
    let outgoing = Outgoing { entry, message, is_own_body: true, is_forwarded: false };
    let fields = signer.sign(outgoing).await.expect("it can be signed");
    fields.map(|fields| String::from_utf8(fields.to_vec()).expect("ASCII"))
}

/// The public keys that a verifier finds.
pub(super) struct Zone(HashMap<Box<str>, Txt>);

impl Zone {
    pub(super) fn of(keys: &[(&str, &Key)]) -> Self {
        let entry = |(name, key): &(&str, &Key)| {
            let record = DomainKey::parse(key.record().as_bytes()).expect("a record");
            ((*name).into(), Txt::DomainKey(Arc::new(record)))
        };
        Self(keys.iter().map(entry).collect())
    }

    /// What a chain comes to, and how long it is.
    pub(super) async fn chain(&self, octets: &[u8]) -> (String, usize) {
        let resolver = MessageAuthenticator::new_cloudflare().expect("nobody is asked: all names are known");
        let message = AuthenticatedMessage::parse(octets).expect("a message");
        let output = resolver.verify_arc(Parameters::new(&message).with_txt_cache(self)).await;
        (format!("{:?}", output.result()), output.sets().len())
    }

    async fn verify(&self, octets: &[u8]) -> Vec<bool> {
        let resolver = MessageAuthenticator::new_cloudflare().expect("nobody is asked: all names are known");
        let message = AuthenticatedMessage::parse(octets).expect("a message");
        let outputs = resolver.verify_dkim(Parameters::new(&message).with_txt_cache(self)).await;
        outputs.iter().map(|output| matches!(output.result(), DkimResult::Pass)).collect()
    }
}

impl ResolverCache<Box<str>, Txt> for Zone {
    fn get<Q: Hash + Eq + ?Sized>(&self, name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
    {
        self.0.get(name).cloned()
    }

    fn remove<Q: Hash + Eq + ?Sized>(&self, _name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
    {
        None
    }

    fn insert(&self, _name: Box<str>, _value: Txt, _until: std::time::Instant) {}
}

#[test]
fn a_record_has_the_public_key_of_the_private_one_rfc8463_a_2() {
    let record = ed25519().record();
    assert_eq!(record, "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
    let line = ed25519().zone_line("brisbane", "football.example.com");
    assert_eq!(line, format!("brisbane._domainkey.football.example.com. IN TXT ( \"{record}\" )"));
}

#[test]
fn a_new_rsa_key_is_read_again_and_its_record_is_cut_rfc6376_3_6_2_2() {
    let pem = generate(Kind::Rsa).expect("there is randomness");
    let key = Key::parse(pem.as_bytes()).expect("our own");
    assert_eq!((key.kind(), format!("{key:?}")), (Kind::Rsa, "Rsa key".to_owned()), "nothing of it is shown");
    assert!(pem.lines().all(|line| line.len() <= 64), "RFC 7468 2");
    // RFC 3279 2.3.1: how every SubjectPublicKeyInfo of an RSA key of 2,048 bits with the exponent 65,537 begins and ends.
    let record = key.record();
    let public = record.strip_prefix("v=DKIM1; k=rsa; p=").expect("an RSA record");
    assert!(
        public.starts_with("MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA") && public.ends_with("IDAQAB"),
        "{public}"
    );
    let line = key.zone_line("s", "example.org");
    let strings: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
    assert!(strings.len() == 2 && strings.iter().all(|string| string.len() <= 255), "{line}");
    assert_eq!(strings.concat(), record);
}

#[test]
fn what_can_not_sign_is_told_rfc8301_3_2() {
    let told = |pem: &str| Key::parse(pem.as_bytes()).expect_err("no key");
    assert!(told("").starts_with("expected a private key in PEM"));
    let short = "-----BEGIN RSA PRIVATE KEY-----\nMAA=\n-----END RSA PRIVATE KEY-----\n";
    assert!(told(short).ends_with("expected Ed25519, or RSA of at least 2,048 bits (RFC 8301 3.2)"), "{}", told(short));
}

#[test]
fn fields_are_covered_from_the_bottom_and_none_can_be_added_rfc6376_5_4_2() {
    let head = "X-Other: no\r\nSUBJECT:  two\r\n  lines \r\nSubject : one\r\nFrom: a@example.org\r\n\r\n";
    let covered = covered(&[Bytes::from_static(b"Received: x\r\nList-ID: top\r\n"), Bytes::from(head)]);
    let there: Vec<&str> = covered
        .names
        .iter()
        .copied()
        .filter(|name| head.contains(&format!("{name}:")) || *name == "Subject" || *name == "List-Id")
        .collect();
    assert_eq!(there, ["From", "From", "Subject", "Subject", "Subject", "List-Id"]);
    assert!(covered.names.contains(&"Reply-To"), "named though it is not there");
    // RFC 8058 4.
    assert!(covered.names.contains(&"List-Unsubscribe-Post"));
    let octets = String::from_utf8(covered.octets).expect("ASCII");
    assert_eq!(octets, "from:a@example.org\r\nsubject:one\r\nsubject:two lines\r\nlist-id:top\r\n");
}

#[test]
fn the_author_is_the_first_mailbox_of_from_rfc5322_3_6_2() {
    let of = |from: &str| author_domain(&[Bytes::from(format!("To: x@y.example\r\n{from}\r\n\r\n"))]);
    for (from, wanted) in [
        ("From: joe@Example.ORG", Some("example.org")),
        ("from: \"a@b.example\" <joe@c.example>", Some("c.example")),
        ("From: joe@a.example, ann@b.example", Some("a.example")),
        ("From: joe@b\u{fc}cher.example", Some("xn--bcher-kva.example")),
        ("From: a group: joe@a.example;", Some("a.example")),
        ("From: nobody", None),
        ("From:", None),
        ("Reply-To: joe@a.example", None),
    ] {
        assert_eq!(of(from).as_deref(), wanted, "{from}");
    }
}

#[test]
fn the_closest_domain_signs_with_all_its_keys_rfc6376_3_2() {
    let keys = Keyring::new(
        vec![
            signing("example.org", "a", &[], ed25519()),
            signing("example.org", "b", &[], ed25519()),
            signing("news.example.org", "n", &[], ed25519()),
            signing("acme.example", "t", &["acme"], ed25519()),
        ],
        None,
    );
    let of = |domain, tenant| keys.of(domain, tenant).map(|signing| &*signing.selector).collect::<Vec<_>>();
    assert_eq!(of("example.org", None), ["a", "b"]);
    // RFC 7489 3.1.1: relaxed alignment.
    assert_eq!(of("shop.example.org", Some("x")), ["a", "b"]);
    assert_eq!(of("a.news.example.org", None), ["n"]);
    assert_eq!(of("badexample.org", None), [""; 0]);
    assert_eq!(of("org", None), [""; 0]);
    assert_eq!((of("acme.example", Some("acme")), of("acme.example", Some("x"))), (vec!["t"], vec![]));
}

#[tokio::test]
async fn signatures_of_both_kinds_verify_and_break_with_the_message_rfc8463_3_and_rfc8463_4() {
    let (rsa, pem) = (|pem: &str| Key::parse(pem.as_bytes()).expect("a key"), generate(Kind::Rsa).expect("a key"));
    let zone = Zone::of(&[
        ("test._domainkey.football.example.com.", &rsa(&pem)),
        ("brisbane._domainkey.football.example.com.", &ed25519()),
    ]);
    let signer = signer(vec![
        signing("football.example.com", "test", &[], rsa(&pem)),
        signing("football.example.com", "brisbane", &[], ed25519()),
    ]);
    let message = message(HEAD, Body::Memory(BODY.into()));
    let fields = fields(&signer, &entry(1, &[OURS_TAG]), &message).await.expect("it is signed");
    let unfolded = fields.replace("\r\n\t", "");
    assert!(unfolded.contains("bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8="), "RFC 8463 A.3: {fields}");
    assert!(fields.lines().all(|line| line.len() <= 998), "RFC 5322 2.1.1: {fields}");

    let whole = |head: &str, body: &str| [&*fields, head, body].concat().into_bytes();
    assert_eq!(zone.verify(&whole(HEAD, BODY)).await, [true, true]);
    // Relaxed: relays fold and space anew.
    assert_eq!(zone.verify(&whole(&HEAD.replace("Subject: Is", "SUBJECT:\r\n  Is"), BODY)).await, [true, true]);
    assert_eq!(zone.verify(&whole(HEAD, &BODY.replace("lost", "won"))).await, [false, false]);
    assert_eq!(zone.verify(&whole(&HEAD.replace("dinner", "lunch"), BODY)).await, [false, false]);
    assert_eq!(
        zone.verify(&whole(&format!("Subject: another\r\n{HEAD}"), BODY)).await,
        [false, false],
        "none can be added"
    );
    assert_eq!(zone.verify(&whole(&format!("Cc: another@x.example\r\n{HEAD}"), BODY)).await, [false, false]);
    assert_eq!(zone.verify(&whole(&format!("X-Seen: by a relay\r\n{HEAD}"), BODY)).await, [true, true]);
}

#[tokio::test]
async fn what_is_slow_is_calculated_on_the_threads_for_it_and_what_is_quick_at_once() {
    // Threads that have ended do nothing any more, so that what needs them can't be done.
    let ended = Builder::new_multi_thread().worker_threads(1).build().expect("a thread");
    let threads = ended.handle().clone();
    ended.shutdown_background();
    let rsa = Key::parse(generate(Kind::Rsa).expect("a key").as_bytes()).expect("its own");
    let (ours, letter) = (entry(1, &[OURS_TAG]), message(HEAD, Body::Memory(Bytes::from_static(BODY.as_bytes()))));
    let outgoing = Outgoing { entry: &ours, message: &letter, is_own_body: true, is_forwarded: false };

    let quick = signer_on(threads.clone(), vec![signing("football.example.com", "ed", &[], ed25519())]);
    assert!(quick.sign(outgoing).await.expect("it needs no thread").is_some());
    let slow = signer_on(threads, vec![signing("football.example.com", "rsa", &[], rsa)]);
    let why = slow.sign(outgoing).await.expect_err("nobody calculates");
    assert!(why.contains("cancelled"), "{why}");
}

#[tokio::test]
async fn what_strangers_send_is_not_signed_whoever_it_claims_to_be_from() {
    let signer = signer(vec![signing("football.example.com", "brisbane", &[], ed25519())]);
    let message = message(HEAD, Body::Memory(BODY.into()));
    assert!(signer.has_keys());
    assert_eq!(fields(&signer, &entry(1, &["other"]), &message).await, None);
    assert!(fields(&signer, &entry(1, &["other", OURS_TAG]), &message).await.is_some());
    assert!(fields(&signer, &entry(1, &["mailwright/submitted"]), &message).await.is_some(), "by a plugin of ours");
}

struct Disk(Vec<u8>);

impl ReadAt for Disk {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|from| self.0.get(from..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

#[tokio::test]
async fn a_body_on_the_disk_is_hashed_like_one_in_memory_and_once_rfc6376_3_7() {
    let signer = signer(vec![signing("football.example.com", "brisbane", &[], ed25519())]);
    let hash_of = |fields: Option<String>| {
        let fields = fields.expect("it is signed").replace("\r\n\t", "");
        fields.split("bh=").nth(1).and_then(|rest| rest.split(';').next()).expect("a body hash").to_owned()
    };
    let text = "A line \t of the body  \r\n\r\n".repeat(30_000);
    let stored = |octets: Vec<u8>, bytes: u64| message(HEAD, Body::Stored { source: Arc::new(Disk(octets)), bytes });
    let bytes = text.len() as u64;
    let disk = stored(text.clone().into(), bytes);
    let in_memory = message(HEAD, Body::Memory(text.clone().into()));
    let of_disk = hash_of(fields(&signer, &entry(1, &[OURS_TAG]), &disk).await);
    assert_eq!(of_disk, hash_of(fields(&signer, &entry(2, &[OURS_TAG]), &in_memory).await));

    let (ours, gone) = (entry(1, &[OURS_TAG]), stored(Vec::new(), bytes));
    assert_eq!(hash_of(fields(&signer, &ours, &gone).await), of_disk, "it is not read again");
    let another = Outgoing { entry: &ours, message: &gone, is_own_body: false, is_forwarded: false };
    let why = signer.sign(another).await.expect_err("a body of its own is read");
    assert!(why.starts_with("its body can't be read: "), "{why}");
}

#[tokio::test]
async fn who_will_sign_is_told_by_the_author_and_the_tenant() {
    let keys = vec![signing("a.test", "s1", &["acme"], ed25519()), signing("b.test", "s2", &[], ed25519())];
    let signer = signer(keys);
    let told = |from: &str, tenant| {
        let told = signer.signers(from, tenant);
        told.iter()
            .map(|one| format!("{}._domainkey.{} {}", one.selector, one.domain, one.algorithm))
            .collect::<String>()
    };
    assert_eq!(told("News <news@Mail.A.test>", Some("acme")), "s1._domainkey.a.test ed25519-sha256");
    assert_eq!(told("news@a.test", None), "", "it is the key of a tenant");
    assert_eq!(told("\"a@a.test\" <news@b.test>", None), "s2._domainkey.b.test ed25519-sha256");
    assert_eq!((told("nobody", None), told("", None)), (String::new(), String::new()));
}
