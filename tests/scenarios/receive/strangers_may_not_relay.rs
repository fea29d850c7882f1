//! Nobody relays but those whom the configuration names (RFC 5321 7.1): every disguise of a foreign address is refused.

use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::Sink;

#[test]
fn strangers_may_not_relay() {
    let setup = Setup::new().set("relay", "networks = []").set("delivery", "paused = true");
    let server = Mailwright::start(&setup);
    let mut client = server.client();
    client.hello();
    client.command("MAIL FROM:<a@from.example>").expect_code(250);
    let foreign = [
        "<b@elsewhere.example>",
        "<b@EXAMPLE.TEST.elsewhere.example>",
        "<b@notexample.test>",
        "<b@sub.example.test>",
        // Source routes are ignored (RFC 5321 3.3, Appendix C): what counts is behind the colon.
        "<@example.test:b@elsewhere.example>",
        "<b@[127.0.0.1]>",
        "<b@[IPv6:::1]>",
    ];
    for path in foreign {
        let reply = client.command(&format!("RCPT TO:{path}"));
        assert!(matches!(reply.code, 550 | 554) && reply.text().starts_with("5.7.1"), "{path}: {reply:?}");
    }
    for path in
        ["<b@example.test>", "<\"b@elsewhere.example\"@Example.TEST>", "<postmaster>", "<Postmaster@example.test>"]
    {
        client.command(&format!("RCPT TO:{path}")).expect_code(250);
    }
    client.data(b"Subject: x\r\n\r\nhello\r\n").expect_code(250);
    assert_eq!(server.event("accepted", |_| true)["recipients"], 4);
}

#[test]
fn without_relay_rules_nobody_relays() {
    let sink = Sink::start();
    let setup = Setup::new().set("relay", "networks = []").set("relay", "domains = []");
    let server = Mailwright::start(&setup.smarthost("*", sink.address()));
    let mut client = server.client();
    client.hello();
    client.command("MAIL FROM:<a@from.example>").expect_code(250);
    client.command("RCPT TO:<b@example.test>").expect(550, "5.7.1");
}
