//! Only CRLF.CRLF ends a message (RFC 5321 2.3.8, 4.1.1.4): whatever else looks like an end makes it refused whole.

use mailwright_tests::client::Client;
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::Sink;

/// Ends that some server somewhere takes for one, or that hide one.
const FALSE_ENDS: &[&str] =
    &["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n", "\n.\r", "\r\n.\r\r\n", "\r\n.\0\r\n", "\0\r.\r\n"];

const SECOND: &str =
    "MAIL FROM:<evil@from.example>\r\nRCPT TO:<b@to.example>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n";

#[test]
fn smuggled_messages_are_refused() {
    let sink = Sink::start();
    let server = Mailwright::start(&Setup::new().smarthost("*", sink.address()));
    for end in FALSE_ENDS {
        let mut client = server.client();
        client.hello();
        client.envelope("a@from.example", &["b@to.example"]).command("DATA").expect_code(354);
        client.send(format!("Subject: first\r\n\r\nhello{end}{SECOND}").as_bytes());
        let reply = client.reply();
        // A NUL is no line end: such a message may pass, as one.
        if end.contains('\0') && reply.code == 250 {
            let got = sink.message("one message", |message| message.text().contains("smuggled"));
            assert!(got.text().contains("Subject: first"), "{end:?}: {}", got.text());
            continue;
        }
        assert!(reply.code / 100 == 5, "{end:?}: {reply:?}");
        assert_one_reply(&mut client, end);
    }
    let smuggled = |message: &mailwright_tests::sink::Received| message.sender() == "evil@from.example";
    assert!(!sink.messages().iter().any(smuggled));
    let accepted = server.events("accepted");
    assert!(accepted.iter().all(|event| event["sender"] != "evil@from.example"), "{accepted:?}");
}

/// The session goes on with the next command, or is closed: the hidden commands were not run.
fn assert_one_reply(client: &mut Client, end: &str) {
    client.send(b"NOOP\r\nQUIT\r\n");
    let next = client.reply();
    match next.code {
        0 | 421 => {}
        250 => {
            client.reply().expect_code(221);
        }
        _ => panic!("{end:?}: {next:?}"),
    }
}

#[test]
fn a_bare_line_end_in_a_command_is_refused_with_what_it_hides() {
    let server = Mailwright::start(&Setup::new().set("delivery", "paused = true"));
    for line in ["NOOP\nMAIL FROM:<evil@from.example>\r\n", "NOOP\rMAIL FROM:<evil@from.example>\r\n"] {
        let mut client = server.client();
        client.hello();
        let reply = client.send(line.as_bytes()).reply();
        assert!(reply.code / 100 == 5, "{line:?}: {reply:?}");
        // No MAIL was run: RCPT is out of order.
        client.command("RCPT TO:<b@to.example>").expect_code(503);
    }
}

#[test]
fn dots_come_out_as_they_went_in() {
    let sink = Sink::start();
    let server = Mailwright::start(&Setup::new().smarthost("*", sink.address()));
    let mut client = server.client();
    client.hello();
    let body = "..\r\n.\r\n.leading\r\n...\r\nlast.\r\n";
    let message = format!("Subject: dots\r\n\r\n{body}");
    client.mail("a@from.example", &["b@to.example"], message.as_bytes()).expect(250, "2.");
    let got = sink.message("the message", |_| true);
    assert_eq!(String::from_utf8_lossy(mailwright_tests::mail::body(&got.octets)), body);
}
