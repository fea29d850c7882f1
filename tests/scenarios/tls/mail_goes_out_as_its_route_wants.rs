//! One server sends to another: by TLS where that is offered, in clear where it is not, and not at all where TLS is required
//! and not to be had.

use mailwright_tests::peers::tls::Authority;
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::Sink;
use serde_json::Value;
use std::path::Path;

/// A server with a certificate for its address, signed by this authority.
fn receiver(authority: &Authority) -> Mailwright {
    authority.sign("mx", &["127.0.0.1"], 2100);
    let setup = Setup::new().maildir("*", Path::new("mail")).listener("starttls = \"required\"");
    Mailwright::start(&setup.table(&authority.certificate("tls", "mx")))
}

/// What becomes of a message on a route with these keys.
fn sends(to: &str, keys: &str) -> (Mailwright, Value) {
    let route = format!("[[route]]\nto = \"*\"\nsmarthost = \"{to}\"\n{keys}");
    let server = Mailwright::start(&Setup::new().table(&route));
    let mut client = server.client();
    client.hello();
    client.mail("a@from.example", &["b@to.example"], b"Subject: x\r\n\r\nhello\r\n").expect_code(250);
    let came = |event: &Value| event["recipient"] == "b@to.example";
    let ended = server.one_of(&["delivered", "deferred", "bounced"], came);
    (server, ended)
}

#[test]
fn mail_goes_out_as_its_route_wants() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let receiver = receiver(&authority);
    let to = receiver.address().to_string();
    let ca = |of: &Authority| format!("tls = \"verify\"\nca = \"{}\"", of.path("ca.pem").display());
    for keys in ["", "tls = \"required\"", &ca(&authority)] {
        let (_server, ended) = sends(&to, keys);
        assert_eq!(ended["event"], "delivered", "{keys}: {ended}");
        assert!(ended["tls"].as_str().is_some_and(|tls| tls.starts_with("TLSv1.3 with cipher ")), "{ended}");
    }
    let _ = receiver.event("tls-established", |event| event["version"] == "TLSv1.3");
    for (keys, expected) in [
        (ca(&stranger), "451 4.7.5 TLS could not be established: invalid peer certificate: "),
        // The roots of the system know nothing of it either.
        ("tls = \"verify\"".to_owned(), "451 4.7.5 TLS could not be established: "),
    ] {
        let (_server, ended) = sends(&to, &keys);
        assert_eq!(ended["event"], "deferred", "{keys}: {ended}");
        assert!(ended["reply"].as_str().is_some_and(|reply| reply.starts_with(expected)), "{ended}");
    }
    // The receiver wants TLS, and the route none.
    let (_server, ended) = sends(&to, "tls = \"off\"");
    assert!(ended["event"] == "bounced" && ended["reply"].as_str().is_some_and(|reply| reply.starts_with("530 5.7.0")));
}

#[test]
fn a_host_without_tls_gets_mail_in_clear_or_none() {
    let sink = Sink::start();
    let to = sink.address().to_string();
    let (_server, ended) = sends(&to, "");
    assert!(ended["event"] == "delivered" && ended["tls"].is_null(), "{ended}");
    let before = sink.messages().len();
    let (_server, ended) = sends(&to, "tls = \"required\"");
    assert_eq!(ended["event"], "deferred", "{ended}");
    let expected = "451 4.7.4 TLS is required, and the host does not offer STARTTLS";
    assert_eq!(ended["reply"], expected, "{ended}");
    assert_eq!(sink.messages().len(), before);
}
