//! The stage as a whole: messages that another implementation signed (tests/vectors, by dkimpy) and those of RFC 8463,
//! a DNS of a few lines, and what is told and done.

mod bodies;

use super::driver::Verifier;
use super::zones::Zones;
use crate::base::event::Event;
use crate::base::fixtures::address;
use crate::base::flow::Answer;
use crate::base::flow::policy::dmarc::{Disposition, DmarcResults, Judged, Override, Wish};
use crate::base::flow::policy::verify::{Consequence, Incoming, Method, Outcome, Verified, Verify as _};
use crate::base::mail::canonical::BodyHash;
use crate::base::mail::content::{Body, Content, ReadAt};
use crate::base::mail::envelope::{BodyType, Envelope, Recipient};
use crate::base::mail::header;
use crate::base::mail::id::QueueId;
use crate::base::time::{Now, UnixMillis};
use crate::base::world::{Clock, Observe};
use crate::config::model::report::Reporting;
use crate::config::model::verify::{OnTempError, Use, Verification};
use crate::config::model::{Config, DomainPattern};
use crate::config::parse::parse;
use bytes::Bytes;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::watch;

const ZONE: &str = include_str!("../../../../../tests/vectors/zone.txt");
const SIGNED: &str = include_str!("../../../../../tests/vectors/signed.eml");
const FORWARDED: &str = include_str!("../../../../../tests/vectors/forwarded.eml");
/// From a client that author.test allows, and from one that it does not.
const ALLOWED: &str = "192.0.2.1";
const OTHER: &str = "198.51.100.7";

/// Time passes when nothing else can happen; but where threads are waited for it is real.
struct Jumps {
    now: Arc<Mutex<Instant>>,
    is_real: bool,
}

impl Clock for Jumps {
    fn now(&self) -> Now {
        Now { mono: *self.now.lock().expect("no panic"), wall: UnixMillis(1_800_000_000_000) }
    }

    fn sleep_until(&self, when: Instant) -> Answer<'static, ()> {
        if self.is_real {
            return Box::pin(tokio::time::sleep_until(when.into()));
        }
        let now = Arc::clone(&self.now);
        Box::pin(async move {
            let mut now = now.lock().expect("no panic");
            *now = when.max(*now);
        })
    }
}

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Observe for Heard {
    fn event(&self, event: Event<'_>) {
        let line = serde_json::to_string(&event).expect("events are plain data");
        self.0.lock().expect("no panic").push(line);
    }
}

/// Octets as they lie on a disk, which may fail.
struct Disk(Option<Bytes>);

impl ReadAt for Disk {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let octets = self.0.as_ref().ok_or(io::ErrorKind::Other)?;
        let rest = &octets[usize::try_from(offset).expect("small")..];
        let some = rest.len().min(buffer.len());
        buffer[..some].copy_from_slice(&rest[..some]);
        Ok(some)
    }
}

/// What authors' domains are told.
#[derive(Default)]
struct Reports(Mutex<Vec<Judged>>);

impl DmarcResults for Reports {
    fn judged(&self, judged: Judged) {
        self.0.lock().expect("no panic").push(judged);
    }
}

struct Bench {
    zones: Arc<Zones>,
    heard: Arc<Heard>,
    reports: Arc<Reports>,
    config: Config,
    peer: &'static str,
    helo: &'static str,
    sender: Option<&'static str>,
    recipients: Vec<&'static str>,
}

fn recipient(to: &&'static str) -> Recipient {
    Recipient { address: address(to), notify: None, orcpt: None }
}

impl Bench {
    fn new(zones: &str, change: impl FnOnce(&mut Verification)) -> Self {
        let text =
            "hostname = \"mx.here.test\"\ndata_dir = \"unused\"\n[[listener]]\nname = \"mx\"\nbind = \"[::]:25\"\n";
        let mut config = parse("t", text, &[]).expect("it is sound");
        change(&mut config.verify);
        Self {
            zones: Arc::new(Zones::new(zones)),
            heard: Arc::default(),
            reports: Arc::default(),
            config,
            peer: ALLOWED,
            helo: "client.author.test",
            sender: Some("ann@author.test"),
            recipients: Vec::new(),
        }
    }

    async fn verify(&self, message: &str) -> Verified {
        let octets = Bytes::from(message.replace('\n', "\r\n"));
        let head_bytes = header::section_bytes(&octets).unwrap_or(octets.len());
        let body = Body::Memory(octets.slice(head_bytes..));
        self.verify_content(&Content { head: octets.slice(..head_bytes), body }).await
    }

    async fn verify_content(&self, content: &Content) -> Verified {
        self.verify_hashed(content, None).await
    }

    /// The same, with the body's hash in relaxed form.
    async fn verify_hashed(&self, content: &Content, body_hash: Option<BodyHash>) -> Verified {
        let (_, config) = watch::channel(Arc::new(self.config.clone()));
        let now = Arc::new(Mutex::new(Instant::now()));
        let clock = Arc::new(Jumps { now, is_real: matches!(content.body, Body::Stored { .. }) });
        let verifier =
            Verifier::new(config, self.zones.clone(), clock, self.heard.clone()).expect("the library starts");
        let verifier = verifier.with_reports(Arc::<Reports>::clone(&self.reports));
        let envelope = Envelope {
            sender: self.sender.map(address),
            recipients: self.recipients.iter().map(recipient).collect(),
            body: BodyType::SevenBit,
            smtputf8: false,
            ret: None,
            envid: None,
        };
        let peer = self.peer.parse().expect("an address");
        let (envelope, helo) = (&envelope, self.helo);
        let incoming = Incoming { session: "s", id: QueueId(1), peer, helo, envelope, content, body_hash };
        verifier.verify(incoming).await
    }
}

fn told(verified: &Verified) -> Vec<String> {
    let one = |result: &crate::base::flow::policy::verify::AuthResult| {
        format!("{}={}", result.method.name(), result.outcome.name())
    };
    verified.results.iter().map(one).collect()
}

fn enforcing(rules: &mut Verification) {
    (rules.spf, rules.dmarc) = (Use::Report, Use::Enforce);
}

#[tokio::test]
async fn what_another_implementation_signed_passes_rfc6376_6_1() {
    let bench = Bench::new(ZONE, enforcing);
    let verified = bench.verify(SIGNED).await;
    let all = ["iprev=permerror", "spf=pass", "dkim=pass", "dkim=pass", "arc=none", "dmarc=pass"];
    assert_eq!(told(&verified), all);
    assert_eq!(verified.consequence, Consequence::Go);
    let field = verified.field.replace("\r\n\t ", " ");
    for part in [
        "Authentication-Results: mx.here.test;\r\n\tiprev=permerror policy.iprev=192.0.2.1;\r\n",
        "\tspf=pass smtp.mailfrom=ann@author.test;\r\n",
        "\tdkim=pass header.d=author.test header.s=rsa header.b=ftm4uvni;\r\n",
        "\tdkim=pass header.d=author.test header.s=ed header.b=\"/K0FC9nf\";\r\n",
        "\tdmarc=pass header.from=author.test\r\n",
    ] {
        assert!(field.contains(part), "{part} in {field}");
    }
    let heard = bench.heard.0.lock().expect("no panic");
    assert!(heard[0].contains("\"event\":\"verified\"") && heard[0].contains("dkim=pass(author.test)"), "{heard:?}");
}

/// RFC 8463 A: an Ed25519 and an RSA signature over the message of RFC 6376 A.
#[tokio::test]
async fn the_example_of_rfc8463_a_passes() {
    let zone = "brisbane._domainkey.football.example.com TXT v=DKIM1; k=ed25519; \
                p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
                test._domainkey.football.example.com TXT v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB";
    let message = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\n d=football.example.com; \
        i=@football.example.com;\n q=dns/txt; s=brisbane; t=1528637909; h=from : to :\n subject : date : message-id : \
        from : subject : date;\n bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\n \
        b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\n Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\n\
        DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\n d=football.example.com; i=@football.example.com;\n \
        q=dns/txt; s=test; t=1528637909; h=from : to : subject :\n date : message-id : from : subject : date;\n \
        bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\n \
        b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\n \
        DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\n \
        dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\n\
        From: Joe SixPack <joe@football.example.com>\nTo: Suzie Q <suzie@shopping.example.net>\n\
        Subject: Is dinner ready?\nDate: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\n\
        Message-ID: <20030712040037.46341.5F8J@football.example.com>\n\nHi.\n\nWe lost the game.  Are you hungry yet?\n\n\
        Joe.\n";
    let verified = Bench::new(zone, |_| {}).verify(message).await;
    let dkim: Vec<Outcome> =
        verified.results.iter().filter(|result| result.method == Method::Dkim).map(|result| result.outcome).collect();
    assert_eq!(dkim, [Outcome::Pass; 2]);
}

#[tokio::test]
async fn a_changed_message_fails_and_its_author_s_wish_is_done_rfc9989_5() {
    let changed = SIGNED.replace("at three", "at four");
    let mut bench = Bench::new(ZONE, enforcing);
    bench.peer = OTHER;
    let verified = bench.verify(&changed).await;
    assert_eq!(told(&verified)[1..], ["spf=fail", "dkim=fail", "dkim=fail", "arc=none", "dmarc=fail"]);
    let Consequence::Refuse(reply) = &verified.consequence else { panic!("{:?}", verified.consequence) };
    assert!(reply.to_string().starts_with("550 5.7.26 "), "{reply}");
    let field = verified.field.replace("\r\n\t ", " ");
    assert!(field.contains("dmarc=fail reason=\"p=reject\" header.from=author.test policy.dmarc=reject"), "{field}");
    // SPF of the author's domain is enough.
    bench.peer = ALLOWED;
    assert_eq!(bench.verify(&changed).await.consequence, Consequence::Go);
    // Only told, where it is not enforced.
    let mut bench = Bench::new(ZONE, |_| {});
    bench.peer = OTHER;
    assert_eq!(bench.verify(&changed).await.consequence, Consequence::Go);
}

#[tokio::test]
async fn quarantine_holds_and_none_and_tests_let_go_rfc9989_4_7() {
    let consequence = async |policy: &str| {
        let zone = ZONE.replace("v=DMARC1; p=reject", policy);
        let mut bench = Bench::new(&zone, enforcing);
        bench.peer = OTHER;
        bench.verify("From: ann@author.test\n\nx\n").await.consequence
    };
    let held = Consequence::Hold("DMARC fails, and author.test wants quarantine".into());
    assert_eq!(consequence("v=DMARC1; p=quarantine").await, held);
    assert_eq!(consequence("v=DMARC1; p=none").await, Consequence::Go);
    assert_eq!(consequence("v=DMARC1; p=reject; t=y").await, held);
    assert_eq!(consequence("v=DMARC1; p=quarantine; t=y").await, Consequence::Go);
}

/// What one message has its author's domain told, under this policy.
async fn reported(policy: &str, message: &str, change: impl FnOnce(&mut Bench)) -> Vec<Judged> {
    let mut bench = Bench::new(&ZONE.replace("v=DMARC1; p=reject", policy), enforcing);
    bench.config.report = Some(Reporting::new(address("dmarc@here.test")));
    bench.recipients = vec!["x@here.test", "y@here.test"];
    change(&mut bench);
    bench.verify(message).await;
    std::mem::take(&mut *bench.reports.0.lock().expect("no panic"))
}

#[tokio::test]
async fn the_author_s_domain_is_told_where_it_wants_to_be_rfc9990_3_1() {
    let wanting = "v=DMARC1; p=reject; sp=quarantine; aspf=s; fo=1; rua=mailto:d@author.test";
    let [passed] = &reported(wanting, SIGNED, |_| {}).await[..] else { panic!("one message") };
    assert_eq!(
        (&*passed.policy.domain, passed.policy.policy, passed.policy.subdomains),
        ("author.test", Wish::Reject, Wish::Quarantine)
    );
    assert!(passed.policy.strict_spf && !passed.policy.strict_dkim && &*passed.policy.failure_options == "1");
    let row = &passed.row;
    assert_eq!((row.disposition, row.dkim, row.spf, &row.reason), (Disposition::Pass, true, true, &None));
    assert_eq!((row.source, &*row.author, &*row.sender), ([192, 0, 2, 1].into(), "author.test", "author.test"));
    assert_eq!(
        (row.to.as_deref(), row.checked.clone()),
        (Some("here.test"), Some(("author.test".into(), Outcome::Pass)))
    );
    let signatures: Vec<_> = row.signatures.iter().map(|one| (&*one.domain, &*one.selector, one.outcome)).collect();
    assert_eq!(signatures, [("author.test", "rsa", Outcome::Pass), ("author.test", "ed", Outcome::Pass)]);

    // A subdomain without a policy of its own is told of in the report to the one above.
    let forged = "From: x@sub.author.test\n\nx\n";
    let other = |bench: &mut Bench| (bench.peer, bench.sender) = (OTHER, None);
    let [failed] = &reported(wanting, forged, other).await[..] else { panic!("one message") };
    assert_eq!(
        (&*failed.policy.domain, &*failed.row.author, &*failed.row.sender),
        ("author.test", "sub.author.test", "")
    );
    assert_eq!((failed.row.disposition, failed.row.dkim, failed.row.spf), (Disposition::Quarantine, false, false));
    let lenient = |bench: &mut Bench| {
        bench.peer = OTHER;
        bench.config.verify.dmarc = Use::Report;
        bench.recipients.push("z@elsewhere.test");
    };
    let [let_go] = &reported(wanting, forged, lenient).await[..] else { panic!("one message") };
    assert_eq!((let_go.row.disposition, &let_go.row.to), (Disposition::None, &None));
    assert_eq!(let_go.row.reason.as_ref().map(|(kind, _)| *kind), Some(Override::LocalPolicy));

    // Whoever does not want it, or where nothing is to be told, is not told; nor of what comes again.
    assert_eq!(reported("v=DMARC1; p=reject", SIGNED, |_| {}).await, []);
    assert_eq!(reported(wanting, SIGNED, |bench| bench.config.report = None).await, []);
    let later = |bench: &mut Bench| {
        (bench.peer, bench.config.verify.spf) = (OTHER, Use::Enforce);
        bench.config.verify.on_temperror = OnTempError::Tempfail;
        bench.sender = Some("ann@fails.test");
        bench.zones = Arc::new(Zones::new(&format!(
            "{}\nfails.test FAILS",
            ZONE.replace("p=reject", "p=reject; rua=mailto:d@author.test")
        )));
    };
    assert_eq!(reported(wanting, forged, later).await, []);
}

#[tokio::test]
async fn whose_word_was_taken_is_told_rfc8617_7_2_2() {
    let wanting = "v=DMARC1; p=reject; rua=mailto:d@author.test";
    let trusting = |bench: &mut Bench| {
        (bench.peer, bench.sender) = (OTHER, Some("friends-bounces@lists.test"));
        bench.config.verify.trusted_sealers = vec![DomainPattern::new("lists.test")];
    };
    let [vouched] = &reported(wanting, FORWARDED, trusting).await[..] else { panic!("one message") };
    assert_eq!(vouched.row.disposition, Disposition::None);
    assert_eq!(vouched.row.reason, Some((Override::LocalPolicy, "arc=pass as[1].d=lists.test".into())));
}

#[tokio::test]
async fn a_domain_that_does_not_exist_has_a_policy_of_its_own_rfc9989_4_7() {
    let zone = "_dmarc.author.test TXT v=DMARC1; p=none; sp=none; np=reject\nthere.author.test A 192.0.2.9";
    let mut bench = Bench::new(zone, enforcing);
    bench.peer = OTHER;
    let absent = bench.verify("From: ann@gone.author.test\n\nx\n").await.consequence;
    assert!(matches!(absent, Consequence::Refuse(_)), "{absent:?}");
    assert_eq!(bench.verify("From: ann@there.author.test\n\nx\n").await.consequence, Consequence::Go);
}

#[tokio::test]
async fn who_is_trusted_vouches_for_what_it_changed_rfc8617_7_2() {
    let trusting = |sealer: &'static str| {
        let mut bench = Bench::new(ZONE, |rules| {
            enforcing(rules);
            rules.trusted_sealers = vec![DomainPattern::new(sealer)];
        });
        bench.peer = OTHER;
        bench.sender = Some("friends-bounces@lists.test");
        bench
    };
    let bench = trusting("lists.test");
    let verified = bench.verify(FORWARDED).await;
    assert_eq!(told(&verified)[1..], ["spf=fail", "dkim=fail", "dkim=fail", "arc=pass", "dmarc=fail"]);
    assert_eq!(verified.consequence, Consequence::Go);
    assert!(verified.field.contains("arc=pass reason=\"sealed by lists.test\""), "{}", verified.field);
    // Nobody's word is taken who is not trusted, or whose seal is broken.
    let others = trusting("other.test").verify(FORWARDED).await.consequence;
    assert!(matches!(others, Consequence::Refuse(_)));
    let broken = bench.verify(&FORWARDED.replace("This list", "That list")).await;
    assert!(told(&broken).contains(&"arc=fail".to_owned()), "{:?}", told(&broken));
    assert!(matches!(broken.consequence, Consequence::Refuse(_)));
}

#[tokio::test]
async fn what_can_t_be_known_in_time_is_a_temporary_error_and_nothing_worse() {
    for failure in ["HANGS", "FAILS"] {
        let zone: String =
            ["author.test", "_dmarc.author.test", "rsa._domainkey.author.test", "ed._domainkey.author.test"]
                .map(|name| format!("{name} {failure}\n"))
                .concat();
        let bench = Bench::new(&zone, enforcing);
        let verified = bench.verify(SIGNED).await;
        let all = ["spf=temperror", "dkim=temperror", "dkim=temperror", "arc=none", "dmarc=temperror"];
        assert_eq!(told(&verified)[1..], all, "{failure}");
        assert_eq!(verified.consequence, Consequence::Go);
        for (spf, status) in [(Use::Report, "451 4.7.26"), (Use::Enforce, "451 4.7.24")] {
            let mut bench = Bench::new(&zone, enforcing);
            (bench.config.verify.on_temperror, bench.config.verify.spf) = (OnTempError::Tempfail, spf);
            let Consequence::Refuse(reply) = bench.verify(SIGNED).await.consequence else { panic!("{failure}") };
            assert!(reply.to_string().starts_with(status), "{reply}");
        }
    }
}

#[tokio::test]
async fn a_message_has_so_many_look_ups_and_so_much_time() {
    let mut bench = Bench::new(ZONE, |rules| rules.lookups_max = 3);
    assert!(told(&bench.verify(SIGNED).await).contains(&"dmarc=temperror".to_owned()));
    assert_eq!(bench.zones.asked.lock().expect("no panic").len(), 3);
    // A sender whose own names hang, or who brings many of them, does not keep us from knowing what the author wants.
    let seals: String =
        (1..=50).map(|i| format!("ARC-Seal: i={i}; a=rsa-sha256; cv=pass; d=s{i}.test; s=x; b=YWJj\n")).collect();
    let message = format!("{seals}From: ann@author.test\n\nx\n");
    bench = Bench::new(&format!("{ZONE}slow.test HANGS"), |rules| (rules.dmarc, rules.lookups_max) = (Use::Enforce, 4));
    (bench.peer, bench.sender, bench.helo) = (OTHER, Some("x@slow.test"), "slow.test");
    let refused = bench.verify(&message).await.consequence;
    assert!(matches!(refused, Consequence::Refuse(_)), "{refused:?}");
    // Every look-up hangs: after the first round there is no time left, and nothing more is asked.
    bench = Bench::new("author.test HANGS\n_dmarc.author.test HANGS", |rules| {
        (rules.total, rules.lookup) = (Duration::from_secs(2), Duration::from_secs(2));
    });
    bench.verify("From: ann@author.test\n\nx\n").await;
    let asked = bench.zones.asked.lock().expect("no panic").len();
    assert!(asked <= 4, "{asked}");
}

#[tokio::test]
async fn spf_is_refused_where_it_is_enforced_and_the_null_sender_is_its_client_rfc7208_2_4() {
    let zone = format!("{ZONE}client.author.test TXT v=spf1 ip4:192.0.2.1 -all");
    let mut bench = Bench::new(&zone, |rules| rules.spf = Use::Enforce);
    bench.peer = OTHER;
    for sender in [Some("ann@author.test"), None] {
        bench.sender = sender;
        let verified = bench.verify("From: x@y.test\n\nx\n").await;
        let Consequence::Refuse(reply) = &verified.consequence else { panic!("{sender:?}") };
        assert!(reply.to_string().starts_with("550 5.7.23 "), "{reply}");
        assert!(verified.field.contains("smtp.helo=client.author.test"));
    }
    bench.peer = ALLOWED;
    assert_eq!(bench.verify("From: x@y.test\n\nx\n").await.consequence, Consequence::Go);
}

#[tokio::test]
async fn signatures_that_nobody_should_make_count_for_nothing_rfc8301_3_and_rfc6376_6_1_1() {
    let signature = |tags: &str| {
        format!("DKIM-Signature: v=1; c=relaxed/relaxed; d=author.test; s=rsa; bh=YWJj; b=YWJjZGVm; {tags}\n")
    };
    let outcome = async |tags: &str| {
        let message = format!("{}From: ann@author.test\n\nx\n", signature(tags));
        let verified = Bench::new(ZONE, |_| {}).verify(&message).await;
        let dkim = verified.results.iter().find(|result| result.method == Method::Dkim).expect("it is told").clone();
        (dkim.outcome, dkim.detail)
    };
    assert_eq!(outcome("a=rsa-sha1; h=from").await, (Outcome::Policy, "rsa-sha1 is no longer taken".into()));
    assert_eq!(outcome("a=rsa-sha256; h=to").await, (Outcome::PermError, "From is not signed".into()));
    // RFC 6376 8.2: what is behind the signed part could be anything.
    assert_eq!(outcome("a=rsa-sha256; h=from; l=1").await.0, Outcome::Neutral);
    let many: String = (0..50).map(|_| signature("a=rsa-sha256; h=from")).collect();
    let verified =
        Bench::new(ZONE, |rules| rules.signatures_max = 2).verify(&format!("{many}From: a@b.test\n\nx\n")).await;
    let dkim = verified.results.iter().filter(|result| result.method == Method::Dkim).count();
    assert_eq!(dkim, 3);
}

#[tokio::test]
async fn messages_without_or_with_several_authors_are_told_rfc5322_3_6() {
    for (message, detail) in [
        ("Subject: x\n\nx\n", "no author's domain in From"),
        ("From: a@one.test, b@two.test\n\nx\n", "several authors' domains in From"),
    ] {
        let verified = Bench::new(ZONE, enforcing).verify(message).await;
        let dmarc = verified.results.last().expect("told");
        assert_eq!((dmarc.outcome, &*dmarc.detail), (Outcome::PermError, detail));
        assert_eq!(verified.consequence, Consequence::Go);
    }
    // Of several fields a reader is shown one or another.
    let several = "From: a@one.test\nFrom: b@two.test\n\nx\n";
    let refused = Bench::new(ZONE, enforcing).verify(several).await.consequence;
    assert!(matches!(refused, Consequence::Refuse(_)), "{refused:?}");
    assert_eq!(Bench::new(ZONE, |_| {}).verify(several).await.consequence, Consequence::Go);
    // Not even a header section.
    assert_eq!(Bench::new(ZONE, enforcing).verify("").await.consequence, Consequence::Go);
}

#[tokio::test]
async fn methods_that_are_off_are_not_judged_and_nothing_is_asked_for_them() {
    let bench = Bench::new(ZONE, |rules| {
        (rules.iprev, rules.spf, rules.dkim) = (Use::Off, Use::Off, Use::Off);
        (rules.arc, rules.dmarc) = (Use::Off, Use::Off);
    });
    let verified = bench.verify(SIGNED).await;
    assert_eq!(&*verified.field, "Authentication-Results: mx.here.test; none\r\n");
    assert_eq!(bench.zones.asked.lock().expect("no panic").len(), 0);
}
