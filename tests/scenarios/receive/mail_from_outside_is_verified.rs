//! Mail from outside is verified: results are told in a header field, to the log and to plugins, forged ones go, and what
//! the author's domain wants refused is refused where that is configured.

use mailwright_tests::client::Reply;
use mailwright_tests::dns::{NameServer, Zones};
use mailwright_tests::guest::{Import, plugin};
use mailwright_tests::program::{Mailwright, binary};
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::Sink;
use std::fs;
use std::process::Command;

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

const AUTH_RESULTS: Import = ("message", "auth-results", "(param i32)");

/// Discards what has results; its reason is the outcome of the last of them, which is DMARC's. A result takes 36 octets, and
/// its outcome lies at 8.
const DISCARD: &str = "(local $last i32)
    (call $auth-results (i32.const 2048))
    (if (i32.load (i32.const 2056)) (then
        (local.set $last (i32.add (i32.load (i32.const 2052))
            (i32.mul (i32.const 36) (i32.sub (i32.load (i32.const 2056)) (i32.const 1)))))
        (i32.store8 (i32.const 1028) (i32.const 5))
        (i32.store (i32.const 1032) (i32.load offset=8 (local.get $last)))
        (i32.store (i32.const 1036) (i32.load offset=12 (local.get $last)))))";

#[test]
fn plugins_see_the_results_and_cases_state_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = plugin(folder.path(), &[AUTH_RESULTS], "", &[("on-data", DISCARD)]);
    let table = format!("[[plugin]]\nname = \"judge\"\nsource = \"{}\"", source.display());
    let (dns, sink) = (zones(), Sink::start());
    let setup = setup(&dns, &sink).table(&table);
    let server = Mailwright::start(&setup);
    send(&server, "ann@author.test", SIGNED).expect_code(250);
    let discarded = server.event("message-discarded", |_| true);
    assert_eq!((&discarded["plugin"], &discarded["reason"]), (&"judge".into(), &"pass".into()), "{discarded}");
    // Our own mail has none.
    let ours = Mailwright::start(&setup.set("relay", "networks = [\"127.0.0.0/8\"]"));
    send(&ours, "ann@author.test", SIGNED).expect_code(250);
    let _ = sink.message("ours", |_| true);

    let put = |name: &str, text: &str| fs::write(folder.path().join("cases").join(name), text).expect("our own folder");
    fs::create_dir(folder.path().join("cases")).expect("our own folder");
    put("plugin.toml", &table);
    put("mail.eml", "Subject: x\r\n\r\nx\r\n");
    let case = "recipients = [\"b@example.test\"]\nmessage = \"mail.eml\"\n";
    put("without.toml", &format!("{case}[expect]\ndata = \"next\"\n"));
    let result = "[[results]]\nmethod = \"dmarc\"\noutcome = \"softfail\"\ndomain = \"a.test\"\n";
    put("with.toml", &format!("{case}{result}[expect]\ndata = \"discard softfail\"\n"));
    let mut tried = Command::new(binary());
    let tried = tried.args(["plugin", "test", "guest.wasm", "--cases", "cases"]).current_dir(folder.path()).output();
    let tried = tried.expect("the program is there");
    assert!(
        tried.status.success(),
        "{}{}",
        String::from_utf8_lossy(&tried.stdout),
        String::from_utf8_lossy(&tried.stderr)
    );
}
