//! A certificate is renewed under open sessions: they go on, the next see the new one; a bad one changes nothing.

use mailwright_tests::peers::tls::{Authority, Openssl};
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use rustix::process::Signal;

#[test]
fn certificates_are_renewed_while_mail_flows() {
    let authority = Authority::new();
    authority.sign("mx", &["mx.example.test"], 2021);
    let setup = Setup::new().set("delivery", "paused = true").table(&authority.certificate("tls", "mx"));
    let server = Mailwright::start(&setup);
    let told = server.event("certificate-expiring", |_| true);
    assert!(told["why"].as_str().is_some_and(|why| why.contains("mx.pem has expired")), "{told}");
    let ca = authority.path("ca.pem");
    let mut open = Openssl::connect(server.address(), &ca, &["-starttls", "smtp"]);
    open.shows("Verify return code: 10 (certificate has expired)");

    authority.sign("mx", &["mx.example.test", "new.example.test"], 2100);
    let _ = server.event("certificates-reloaded", |_| true);
    let _ = server.event("certificate-loaded", |event| event["names"] == "mx.example.test new.example.test");
    Openssl::connect(server.address(), &ca, &["-starttls", "smtp"]).shows("Verify return code: 0 (ok)");
    open.say("EHLO client.example").shows("250 LIMITS");
    open.say("MAIL FROM:<a@from.example>").shows("250 2.1.0");

    authority.put("mx.key", "half");
    let refused = server.event("certificates-refused", |_| true);
    assert!(refused["why"].as_str().is_some_and(|why| why.contains("mx.key has no private key")), "{refused}");
    Openssl::connect(server.address(), &ca, &["-starttls", "smtp"]).shows("Verify return code: 0 (ok)");

    server.signal(Signal::HUP);
    let refused = server.event("reload-refused", |_| true);
    assert!(refused["why"].as_str().is_some_and(|why| why.contains("mx.key has no private key")), "{refused}");

    // A reload may change what a port is for, and its certificates.
    authority.sign("other", &["other.example.test"], 2100);
    let setup = Setup::new().set("delivery", "paused = true").table(&authority.certificate("tls", "other"));
    server.configure(&setup.listener("starttls = \"required\""));
    server.signal(Signal::HUP);
    let _ = server.event("reloaded", |_| true);
    let mut client = server.client();
    client.hello();
    client.command("MAIL FROM:<a@from.example>").expect(530, "5.7.0");
    let shown = Openssl::connect(server.address(), &ca, &["-starttls", "smtp"]).shows("Verify return code: 0 (ok)");
    assert!(shown.contains("subject=CN = other"), "{shown}");
    open.say("RCPT TO:<b@example.test>").shows("250 2.1.5");
}
