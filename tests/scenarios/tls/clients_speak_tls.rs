//! swaks, smtplib and openssl by STARTTLS and by TLS from the first octet on; names, certificates of clients, LMTP.

use mailwright_tests::mail::Mark;
use mailwright_tests::peers::tls::{Authority, Openssl};
use mailwright_tests::peers::{python, swaks};
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::Sink;

const USERS: &str = "[[listener]]\nname = \"users\"\nbind = \"127.0.0.1:0\"\nkind = \"submissions\"";

fn authority() -> Authority {
    let authority = Authority::new();
    authority.sign("mx", &["mx.example.test"], 2100);
    authority.sign("other", &["*.other.test"], 2100);
    authority
}

fn setup(authority: &Authority, sink: &Sink) -> Setup {
    let setup = Setup::new().smarthost("*", sink.address());
    setup.table(&authority.certificate("tls", "mx")).table(&authority.certificate("tls", "other"))
}

#[test]
fn swaks_sends_by_starttls_and_by_tls_from_the_first_octet_on_rfc3848() {
    let (authority, sink) = (authority(), Sink::start());
    let server = Mailwright::start(&setup(&authority, &sink).table(USERS));
    for (listener, flag) in [("mx", "--tls"), ("users", "--tls-on-connect")] {
        let mark = Mark::new();
        let body = mark.to_string();
        let words =
            [flag, "--tls-sni", "mx.example.test", "--from", "a@from.example", "--to", "b@to.example", "--body"];
        let (status, said) = swaks(server.address_of(listener), &[&words[..], &[&*body]].concat());
        assert!(status.success(), "{said}");
        let got = sink.message("swaks' message", |message| mark.is_in(&message.octets));
        let text = String::from_utf8_lossy(&got.octets).into_owned();
        assert!(text.contains("with ESMTPS id ") && text.contains("(using TLSv1.3 with cipher TLS_"), "{text}");
        let told = server.event("tls-established", |_| true);
        assert_eq!(told["server_name"], "mx.example.test", "{told}");
    }
    let (status, said) = swaks(server.address(), &["--from", "a@from.example", "--to", "b@to.example"]);
    assert!(status.success() && said.contains("250-STARTTLS"), "in clear as before: {said}");
}

const SMTPLIB: &str = r#"
import ssl
context = ssl.create_default_context(cafile=CA)
context.check_hostname = False
with smtplib.SMTP(HOST, PORT, local_hostname="client.example", timeout=60) as s:
    s.ehlo()
    assert s.has_extn("starttls")
    s.starttls(context=context)
    assert s.sock.version() == "TLSv1.3", s.sock.version()
    s.ehlo()
    assert not s.has_extn("starttls")
    assert s.docmd("STARTTLS")[0] == 503
    # Octets of many records, and more than one read of the server's.
    body = b"Subject: large\r\n\r\n" + b"0123456789abcdef\r\n" * 20000
    assert s.sendmail("a@from.example", ["b@to.example"], body) == {}
context.maximum_version = ssl.TLSVersion.TLSv1_2
with smtplib.SMTP_SSL(HOST, USERS, local_hostname="client.example", timeout=60, context=context) as s:
    assert s.sock.version() == "TLSv1.2"
    assert s.sendmail("a@from.example", ["b@to.example"], b"Subject: users\r\n\r\nx\r\n") == {}
context.maximum_version = ssl.TLSVersion.TLSv1_1
context.minimum_version = ssl.TLSVersion.TLSv1
try:
    smtplib.SMTP_SSL(HOST, USERS, timeout=60, context=context)
    raise SystemExit("TLS 1.1 was spoken")
except (ssl.SSLError, OSError):
    pass
"#;

#[test]
fn smtplib_speaks_both_versions_and_large_messages_come_whole() {
    let (authority, sink) = (authority(), Sink::start());
    let server = Mailwright::start(&setup(&authority, &sink).table(USERS));
    let head =
        format!("CA = \"{}\"\nUSERS = {}\n", authority.path("ca.pem").display(), server.address_of("users").port());
    assert_eq!(python(server.address(), &(head + SMTPLIB)), "");
    let large = sink.message("the large one", |message| message.octets.windows(14).any(|w| w == b"Subject: large"));
    assert_eq!(large.octets.windows(18).filter(|w| w == b"0123456789abcdef\r\n").count(), 20_000);
    let _ = server.event("tls-failed", |event| event["listener"] == "users");
}

#[test]
fn openssl_sees_the_certificate_of_the_name_that_it_asks_for() {
    let (authority, sink) = (authority(), Sink::start());
    let server = Mailwright::start(&setup(&authority, &sink));
    let ca = authority.path("ca.pem");
    for (name, subject) in [("mx.example.test", "CN = mx"), ("a.other.test", "CN = other"), ("unknown.test", "CN = mx")]
    {
        let client = Openssl::connect(server.address(), &ca, &["-starttls", "smtp", "-servername", name]);
        let shown = client.shows("Verify return code: 0 (ok)");
        assert!(shown.contains(&format!("subject={subject}")), "{name}: {shown}");
    }
    let mut client = Openssl::connect(server.address(), &ca, &["-starttls", "smtp", "-noservername"]);
    client.shows("Verify return code: 0 (ok)");
    client.say("EHLO client.example").shows("250 LIMITS");
    client.say("QUIT").shows("221 2.0.0 bye");
}

#[test]
fn certificates_of_clients_are_told_and_refuse_nobody() {
    let (authority, sink) = (authority(), Sink::start());
    authority.sign("known", &["client.example"], 2100);
    authority.sign("expired", &["client.example"], 2021);
    let ca = authority.path("ca.pem");
    let setup = setup(&authority, &sink).set("tls", &format!("client_ca = \"{}\"", ca.display()));
    let server = Mailwright::start(&setup);
    for (name, verified) in [("known", true), ("expired", false)] {
        let file = |end: &str| authority.path(&format!("{name}.{end}")).display().to_string();
        let words = ["-starttls", "smtp", "-cert", &file("pem"), "-key", &file("key")];
        let mut client = Openssl::connect(server.address(), &ca, &words);
        client.shows("Verify return code: 0 (ok)");
        client.say("NOOP").shows("250 2.0.0 ok");
        let told = server.event("tls-established", |event| event["client"] == format!("CN={name}"));
        assert_eq!(told["verified"], verified, "{told}");
    }
}

#[test]
fn lmtp_answers_for_each_recipient_rfc2033_4_2() {
    let sink = Sink::start();
    let server = Mailwright::start(&Setup::new().smarthost("*", sink.address()).listener("kind = \"lmtp\""));
    let mark = Mark::new().to_string();
    let words =
        ["--protocol", "LMTP", "--from", "a@from.example", "--to", "b@to.example,c@to.example", "--body", &mark];
    let (status, said) = swaks(server.address(), &words);
    assert!(status.success(), "{said}");
    assert_eq!(said.matches("250 2.0.0 queued as ").count(), 2, "{said}");
    let got = sink.message("the message", |message| message.recipients.len() == 2);
    assert!(String::from_utf8_lossy(&got.octets).contains(" with LMTP id "));
}

#[test]
fn what_can_not_be_used_is_told_before_a_port_is_bound() {
    let authority = authority();
    let server = Mailwright::prepare(&Setup::new());
    let check = |setup: &Setup| {
        server.configure(setup);
        let output = server.cli(&["check-config"]);
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (good, said) = check(&Setup::new().listener("kind = \"submission\""));
    assert!(
        !good && said.contains("listener.0.kind: \"submission\" needs a certificate: add a [[tls.certificate]]"),
        "{said}"
    );
    authority.sign("mx", &["mx.example.test"], 2100);
    let crossed = authority.certificate("tls", "mx").replace("mx.key", "other.key");
    let (good, said) = check(&Setup::new().table(&crossed));
    assert!(!good && said.contains("other.key is not the key of the first certificate in"), "{said}");
    assert!(check(&Setup::new().listener("kind = \"submission\"").table(&authority.certificate("tls", "mx"))).0);
}
