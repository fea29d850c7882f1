//! A plugin puts a footer below each message: what was acknowledged is on the disk with it, and so it is delivered.

use mailwright_tests::guest::{Import, plugin};
use mailwright_tests::mail::{Mark, body, message};
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::Sink;

const CURRENT: Import = ("message", "current", "(param i32)");
const WRITE_BODY: Import = ("message", "write-body", "(param i32 i32 i32)");
const COPY_BODY: Import = ("message", "copy-body", "(param i64 i64 i32)");

/// All of the old body, then the ten octets at 16. Where the body begins stands at 56 of what `current` answers.
const FOOTER: &str = "
    (call $current (i32.const 2048))
    (call $copy-body (i64.load (i32.const 2104)) (i64.const -1) (i32.const 2048))
    (call $write-body (i32.const 16) (i32.const 10) (i32.const 2048))";

fn setup(sink: &Sink, hook: &str, edit: &str) -> (tempfile::TempDir, Setup) {
    let folder = tempfile::tempdir().expect("a folder");
    let source = plugin(folder.path(), &[CURRENT, WRITE_BODY, COPY_BODY], "--\\0d\\0afoot\\0d\\0a", &[(hook, FOOTER)]);
    let table = format!("[[plugin]]\nname = \"footer\"\nsource = \"{}\"\nedit = [{edit}]", source.display());
    (folder, Setup::new().smarthost("*", sink.address()).table(&table))
}

#[test]
fn a_new_body_is_what_is_kept_and_delivered() {
    let sink = Sink::start();
    let (_folder, setup) = setup(&sink, "on-data", "\"body\"");
    let mut server = Mailwright::prepare(&setup).begin(&["delivery.paused=true"]);
    let mut client = server.client();
    client.hello();
    // The second goes to the disk while it arrives.
    let bodies = ["short\r\n".to_owned(), "0123456789abcdef\r\n".repeat(100_000)];
    let sent: Vec<_> = bodies.iter().map(|body| (Mark::new(), body)).collect();
    for (mark, body) in &sent {
        client.mail("a@from.example", &["b@to.example"], &message(mark, body)).expect_code(250);
    }
    server.kill();
    server.restart(&["delivery.paused=false"]);
    for (mark, text) in &sent {
        let got = sink.message("the message", |message| mark.is_in(&message.octets));
        assert!(body(&got.octets) == format!("{text}--\r\nfoot\r\n").as_bytes(), "{} octets", got.octets.len());
    }
    assert_eq!(server.events("plugin-fault"), Vec::<serde_json::Value>::new());
}

#[test]
fn a_new_body_before_an_attempt_is_sent_and_not_kept() {
    let sink = Sink::start();
    let (_folder, setup) = setup(&sink, "on-pre-send", "\"body\"");
    let server = Mailwright::start(&setup);
    let mut client = server.client();
    client.hello();
    let text = "0123456789abcdef\r\n".repeat(100_000);
    let mark = Mark::new();
    client.mail("a@from.example", &["b@to.example", "c@to.example"], &message(&mark, &text)).expect_code(250);
    let got = sink.message("the message", |message| mark.is_in(&message.octets));
    assert!(body(&got.octets) == format!("{text}--\r\nfoot\r\n").as_bytes(), "{} octets", got.octets.len());
    let accepted = server.event("accepted", |_| true);
    let bytes = accepted["bytes"].as_u64().expect("a number");
    assert_eq!(bytes, message(&mark, &text).len() as u64, "without the footer");
    server.events_reach("delivered", 2);
    assert_eq!(sink.messages().len(), 1, "alike copies travel together");
}

#[test]
fn without_its_grant_the_body_stays_as_it_came() {
    let sink = Sink::start();
    let (_folder, setup) = setup(&sink, "on-data", "\"headers\"");
    let server = Mailwright::start(&setup);
    let mut client = server.client();
    client.hello();
    client.mail("a@from.example", &["b@to.example"], b"Subject: x\r\n\r\nhello\r\n").expect_code(250);
    let got = sink.message("the message", |_| true);
    assert_eq!(body(&got.octets), b"hello\r\n");
}
