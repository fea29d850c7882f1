//! XCLIENT by swaks: the client is whom a trusted sender names, and nobody else may name one.

use mailwright_tests::mail::Mark;
use mailwright_tests::peers::swaks;
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::Sink;

#[test]
fn the_client_is_whom_a_trusted_sender_names() {
    let sink = Sink::start();
    let setup = Setup::new().smarthost("*", sink.address()).listener("xclient_from = [\"127.0.0.1\"]");
    let server = Mailwright::prepare(&setup.set("auth", "users = \"users\"").table("[verify]\nenabled = false"));
    let add = server.cli_told(&["user", "add", "ann@example.org"], "battery staple\n");
    assert!(add.status.success());
    let server = server.begin(&[]);
    let mark = Mark::new();
    let body = mark.to_string();
    let words = [
        "--xclient-addr",
        "203.0.113.9",
        "--xclient-name",
        "client.example",
        "--xclient-port",
        "4000",
        "--xclient-helo",
        "named.example",
        "--xclient-proto",
        "ESMTP",
        "--from",
        "a@from.example",
        "--body",
        &body,
    ];
    let (status, said) = swaks(server.address(), &[&words[..], &["--to", "b@example.test"]].concat());
    assert!(status.success() && said.contains("250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN"), "{said}");
    let got = sink.message("swaks' message", |message| mark.is_in(&message.octets)).text();
    assert!(got.contains("Received: from client.example ([203.0.113.9])"), "{got}");
    let told = server.event("xclient", |event| event["peer"] == "203.0.113.9:4000");
    assert_eq!((&told["helo"], &told["user"]), (&"named.example".into(), &serde_json::Value::Null), "{told}");
    // Loopback may relay; the client is not there.
    let (status, said) = swaks(server.address(), &[&words[..], &["--to", "b@elsewhere.example"]].concat());
    assert!(!status.success() && said.contains("550 5.7.1"), "{said}");

    let setup = Setup::new().smarthost("*", sink.address()).listener("xclient_from = [\"192.0.2.1\"]");
    let closed = Mailwright::start(&setup);
    let (status, said) = swaks(closed.address(), &[&words[..], &["--to", "b@example.test"]].concat());
    assert!(!status.success() && !said.contains("XCLIENT NAME"), "{said}");
    let mut client = closed.client();
    client.hello();
    client.command("XCLIENT ADDR=203.0.113.9").expect(550, "5.7.0");
}
