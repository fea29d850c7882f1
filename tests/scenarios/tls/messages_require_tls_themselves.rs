//! REQUIRETLS (RFC 8689) from one server to the next: kept while hosts promise the same, refused where they don't, and told to the
//! sender without the message.

use mailwright_tests::peers::python;
use mailwright_tests::peers::tls::Authority;
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::Sink;
use serde_json::Value;
use std::net::SocketAddr;

/// Sends a message with REQUIRETLS over STARTTLS.
const SEND: &str = r#"
import ssl
context = ssl.create_default_context(cafile=CA)
with smtplib.SMTP(HOST, PORT, local_hostname="client.example", timeout=60) as s:
    s.ehlo()
    assert not s.has_extn("requiretls"), "not in clear"
    code, said = s.docmd("MAIL FROM:<a@from.example> REQUIRETLS")
    assert code == 555, (code, said)
    s.starttls(context=context)
    s.ehlo()
    assert s.has_extn("requiretls")
    body = b"Subject: secret\r\n\r\nthe body is for nobody else\r\n"
    s.sendmail("a@from.example", [TO], body, mail_options=["REQUIRETLS", "RET=FULL"])
"#;

fn send(server: &Mailwright, authority: &Authority, to: &str) {
    let head = format!("CA = \"{}\"\nTO = \"{to}\"\n", authority.path("ca.pem").display());
    assert_eq!(python(server.address(), &(head + SEND)), "");
}

/// A server with a certificate for its address, and these routes.
fn server(authority: &Authority, routes: &[(&str, SocketAddr, &str)]) -> Mailwright {
    let setup = routes.iter().fold(Setup::new(), |setup, (to, host, keys)| {
        setup.table(&format!("[[route]]\nto = \"{to}\"\nsmarthost = \"{host}\"\n{keys}"))
    });
    Mailwright::start(&setup.table(&authority.certificate("tls", "mx")))
}

#[test]
fn it_is_kept_from_host_to_host_and_bounces_where_it_can_not_be_rfc8689_4_2_and_5() {
    let authority = Authority::new();
    authority.sign("mx", &["127.0.0.1"], 2100);
    // The far end: it announces REQUIRETLS, and keeps what it gets.
    let setup = Setup::new().set("delivery", "paused = true").table(&authority.certificate("tls", "mx"));
    let far = Mailwright::start(&setup);
    let sink = Sink::start();
    let verified = format!("tls = \"verify\"\nca = \"{}\"", authority.path("ca.pem").display());
    let near = server(
        &authority,
        &[
            ("good.example", far.address(), &verified),
            ("plain.example", sink.address(), ""),
            ("from.example", sink.address(), ""),
        ],
    );
    send(&near, &authority, "b@good.example");
    let delivered = near.event("delivered", |event| event["recipient"] == "b@good.example");
    assert!(delivered["tls"].as_str().is_some_and(|tls| tls.starts_with("TLSv1.3")), "{delivered}");
    let accepted = far.event("accepted", |_| true);
    let shown = far.cli(&["queue", "show", accepted["id"].as_str().expect("an id")]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("mailwright/requiretls"), "{shown}");

    // No TLS there: no second try in clear, and no waiting.
    send(&near, &authority, "b@plain.example");
    let bounced = near.one_of(&["bounced", "deferred", "delivered"], |event| event["recipient"] == "b@plain.example");
    assert_eq!(bounced["event"], "bounced", "{bounced}");
    assert!(bounced["reply"].as_str().is_some_and(|reply| reply.starts_with("550 5.7.10 ")), "{bounced}");
    let report = sink.message("the report", |message| message.sender().is_empty()).text();
    assert!(report.contains("Status: 5.7.10") && report.contains("Subject: secret"), "{report}");
    assert!(!report.contains("nobody else"), "RET=FULL counts for nothing: {report}");
    assert_eq!(sink.messages().len(), 1, "the report alone, which goes also where nothing is promised");
}

#[test]
fn a_host_that_does_not_promise_it_gets_nothing_and_the_field_waives_tls_rfc8689_3_and_4_2() {
    let authority = Authority::new();
    authority.sign("mx", &["127.0.0.1"], 2100);
    let (sink, dns) = (Sink::start(), mailwright_tests::dns::Zones::new());
    let dns = dns.mx("there.test", 10, "mx.there.test").a("mx.there.test", std::net::Ipv4Addr::LOCALHOST).start();
    let setup = Setup::new().dns(dns.address(), sink.address().port()).set("delivery", "tls = \"required\"");
    let server = Mailwright::start(&setup.table(&authority.certificate("tls", "mx")));
    // Exchangers are named by a DNS that nobody signed.
    send(&server, &authority, "b@there.test");
    let ended = |recipient: &'static str| {
        server.one_of(&["bounced", "deferred", "delivered"], move |event: &Value| event["recipient"] == recipient)
    };
    let bounced = ended("b@there.test");
    assert!(
        bounced["event"] == "bounced" && bounced["reply"].as_str().is_some_and(|reply| reply.starts_with("550 5.7.10")),
        "{bounced}"
    );
    let mut client = server.client();
    client.hello();
    client.mail("a@from.example", &["c@there.test"], b"Subject: x\r\n\r\nhello\r\n").expect_code(250);
    assert_eq!(ended("c@there.test")["event"], "deferred", "the operator wants TLS");
    let waived = b"Subject: x\r\nTLS-Required: No\r\n\r\nhello\r\n";
    client.mail("a@from.example", &["d@there.test"], waived).expect_code(250);
    let delivered = ended("d@there.test");
    assert!(delivered["event"] == "delivered" && delivered["tls"].is_null(), "{delivered}");
}
