//! `builtin:hello`: at data it adds the configured header, and it sees every hook that it exports.

use mailwright_tests::mail::{Mark, message};
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::Sink;

#[test]
fn the_example_plugin_adds_its_header() {
    let sink = Sink::start();
    let server = Mailwright::start(&Setup::new().smarthost("*", sink.address()).hello("X-Greeted"));
    let loaded = server.event("plugin-loaded", |_| true);
    for hook in ["connect", "rcpt", "data", "pre-send"] {
        assert!(loaded["hooks"].to_string().contains(hook), "{hook} in {loaded}");
    }
    let mut client = server.client();
    client.hello();
    // Two messages in one session: what the first left behind is not in the second.
    for _ in 0..2 {
        let mark = Mark::new();
        let octets = message(&mark, "hello\r\n");
        client.mail("a@from.example", &["b@to.example", "c@to.example"], &octets).expect_code(250);
        let got = sink.message("the message", |message| mark.is_in(&message.octets));
        let head = got.text().split("\r\n\r\n").next().map(str::to_owned).unwrap_or_default();
        assert_eq!(head.matches("X-Greeted:").count(), 1, "{head}");
        assert_eq!(mailwright_tests::mail::body(&got.octets), b"hello\r\n");
    }
    assert_eq!(server.events("plugin-fault"), Vec::<serde_json::Value>::new());
}

#[test]
fn without_its_grant_the_header_is_not_there_and_the_mail_goes() {
    let sink = Sink::start();
    let plugin = "[[plugin]]\nname = \"hello\"\nsource = \"builtin:hello\"\nallow = [\"log\"]\non_failure = \"open\"\n\
                  config = { header = \"X-Greeted\" }";
    let server = Mailwright::start(&Setup::new().smarthost("*", sink.address()).table(plugin));
    let mut client = server.client();
    client.hello();
    client.mail("a@from.example", &["b@to.example"], b"Subject: x\r\n\r\nhello\r\n").expect_code(250);
    let got = sink.message("the message", |_| true);
    assert!(!got.text().contains("X-Greeted"), "{}", got.text());
}
