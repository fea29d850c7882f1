//! Mail from outside is verified: results are told in a header field, to the log and to plugins, forged ones go, and what
//! the author's domain wants refused is refused where that is configured.

use mailwright_tests::client::Reply;
use mailwright_tests::dns::{NameServer, Zones};
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::Sink;

/// Signed by dkimpy, with its keys.
const ZONE: &str = include_str!("../../vectors/zone.txt");
const SIGNED: &str = include_str!("../../vectors/signed.eml");
const FORWARDED: &str = include_str!("../../vectors/forwarded.eml");

fn zones() -> NameServer {
    let elsewhere = "strict.test TXT v=spf1 -all\n_dmarc.strict.test TXT v=DMARC1; p=reject\n\
                     quarantined.test TXT v=spf1 -all\n_dmarc.quarantined.test TXT v=DMARC1; p=quarantine";
    Zones::new().texts(ZONE).texts(elsewhere).failing("broken.test").start()
}

/// Nobody is ours, so that loopback is outside.
fn setup(dns: &NameServer, sink: &Sink) -> Setup {
    Setup::new().set("relay", "networks = []").dns(dns.address(), 25).smarthost("example.test", sink.address())
}

fn send(server: &Mailwright, from: &str, message: &str) -> Reply {
    let mut client = server.client();
    client.hello();
    client.mail(from, &["b@example.test"], message.replace('\n', "\r\n").as_bytes())
}

#[test]
fn results_are_told_and_forged_ones_go_rfc8601_5() {
    let (dns, sink) = (zones(), Sink::start());
    let server = Mailwright::start(&setup(&dns, &sink));
    let forged =
        format!("Authentication-Results: MX.example.test; dmarc=pass\nAuthentication-Results: a.test; x=y\n{SIGNED}");
    send(&server, "ann@author.test", &forged).expect_code(250);
    let message = sink.message("the signed one", |_| true).text();
    let unfolded = message.replace("\r\n\t", " ");
    assert!(unfolded.starts_with("Authentication-Results: mx.example.test; iprev="), "{unfolded}");
    for told in [
        "spf=pass",
        "dkim=pass  header.d=author.test header.s=rsa",
        "header.s=ed",
        "dmarc=pass  header.from=author.test",
    ] {
        assert!(unfolded.replace("  ", " ").contains(&told.replace("  ", " ")), "{told} in {unfolded}");
    }
    assert!(
        !message.contains("MX.example.test") && message.contains("Authentication-Results: a.test; x=y"),
        "{message}"
    );
    let verified = server.event("verified", |_| true);
    assert!(
        verified["results"].as_str().is_some_and(|results| results.contains("dmarc=pass(author.test)")),
        "{verified}"
    );
}

#[test]
fn what_its_domain_wants_refused_is_refused_and_lists_may_vouch_rfc7372_3_and_rfc8617_7_2() {
    let (dns, sink) = (zones(), Sink::start());
    let enforcing = setup(&dns, &sink).set("verify", "dmarc = \"enforce\"");
    let server = Mailwright::start(&enforcing.clone().set("verify", "trusted_sealers = [\"lists.test\"]"));
    let message = |from: &str| format!("From: <{from}>\nSubject: x\n\nx\n");
    send(&server, "x@strict.test", &message("x@strict.test")).expect(550, "5.7.26");
    let held = send(&server, "x@quarantined.test", &message("x@quarantined.test")).queue_id();
    let event = server.event("message-held", |event| event["id"] == held.as_str());
    assert_eq!(event["plugin"], "verify", "{event}");
    // The name servers fail: nothing is known, and the mail goes on.
    send(&server, "x@broken.test", &message("x@broken.test")).expect_code(250);
    let _ = server.event("verified", |event| event["results"].as_str().is_some_and(|r| r.contains("dmarc=temperror")));
    // A list broke the signatures, and its word is taken.
    send(&server, "friends-bounces@lists.test", FORWARDED).expect_code(250);
    let strict = Mailwright::start(&enforcing);
    send(&strict, "friends-bounces@lists.test", FORWARDED).expect(550, "5.7.26");
}

#[test]
fn a_large_message_is_verified_on_the_disk_and_our_own_mail_is_not_verified() {
    let (dns, sink) = (zones(), Sink::start());
    let server = Mailwright::start(&setup(&dns, &sink));
    // Its signatures fail, because the body is another; that it was read is what is seen.
    let large = format!("{SIGNED}{}", "one line of many\n".repeat(40_000));
    send(&server, "ann@author.test", &large).expect_code(250);
    let verified = server.event("verified", |_| true);
    assert!(
        verified["results"].as_str().is_some_and(|results| results.contains("dkim=fail(author.test)")),
        "{verified}"
    );
    let ours = Mailwright::start(&setup(&dns, &sink).set("relay", "networks = [\"127.0.0.0/8\"]"));
    send(&ours, "ann@author.test", SIGNED).expect_code(250);
    let message = sink.message("ours", |message| message.text().starts_with("Received:")).text();
    assert!(!message.contains("Authentication-Results"), "{message}");
}
