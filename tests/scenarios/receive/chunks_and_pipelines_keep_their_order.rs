//! Commands in one packet, content in chunks, octets one at a time: the replies are the same and in order.

use mailwright_tests::mail::body;
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::Sink;

fn relay() -> (Sink, Mailwright) {
    let sink = Sink::start();
    let server = Mailwright::start(&Setup::new().smarthost("*", sink.address()));
    (sink, server)
}

#[test]
fn a_whole_session_in_one_packet_rfc2920_3() {
    let (sink, server) = relay();
    let mut client = server.client();
    client.send(
        b"EHLO client.example\r\nMAIL FROM:<a@from.example>\r\nRCPT TO:<b@to.example>\r\nRCPT TO:<bad\r\n\
          RCPT TO:<c@to.example>\r\nDATA\r\n",
    );
    let codes: Vec<_> = (0..6).map(|_| client.reply().code).collect();
    assert_eq!(codes, [250, 250, 250, 501, 250, 354]);
    client.send(b"Subject: x\r\n\r\nhello\r\n.\r\nNOOP\r\nQUIT\r\n");
    let codes: Vec<_> = (0..3).map(|_| client.reply().code).collect();
    assert_eq!(codes, [250, 250, 221]);
    assert!(client.reply().is_end());
    let got = sink.message("the message", |_| true);
    assert_eq!(got.recipients, ["b@to.example", "c@to.example"]);
}

#[test]
fn octets_one_at_a_time_make_the_same_session() {
    let (sink, server) = relay();
    let mut client = server.client();
    let session = b"EHLO client.example\r\nMAIL FROM:<a@from.example>\r\nRCPT TO:<b@to.example>\r\nDATA\r\n";
    for octet in session {
        client.send(&[*octet]);
    }
    let codes: Vec<_> = (0..4).map(|_| client.reply().code).collect();
    assert_eq!(codes, [250, 250, 250, 354]);
    for octet in b"Subject: x\r\n\r\n..dot\r\n.\r\n" {
        client.send(&[*octet]);
    }
    client.reply().expect_code(250);
    assert_eq!(body(&sink.message("the message", |_| true).octets), b".dot\r\n");
}

#[test]
fn chunks_make_one_message_rfc3030_2() {
    let (sink, server) = relay();
    let mut client = server.client();
    client.hello();
    client.envelope("a@from.example", &["b@to.example"]);
    // A chunk may end anywhere, also between CR and LF, and dots mean nothing in it.
    client.send(b"BDAT 13\r\nSubject: x\r\n\r").reply().expect_code(250);
    client.send(b"BDAT 6\r\n\n.\r\nab").reply().expect_code(250);
    client.send(b"BDAT 3 LAST\r\nc\r\n").reply().expect(250, "2.");
    let got = sink.message("the message", |_| true);
    assert_eq!(body(&got.octets), b".\r\nabc\r\n");

    client.envelope("a@from.example", &["second@to.example"]);
    client.send(b"BDAT 20\r\nSubject: y\r\n\r\nbody\r\nBDAT 0 LAST\r\n");
    client.reply().expect_code(250);
    client.reply().expect(250, "2.");
    let second = sink.message("the second", |message| message.recipients == ["second@to.example"]);
    assert_eq!(body(&second.octets), b"body\r\n");
}

#[test]
fn a_refused_chunk_is_consumed_and_not_run_rfc3030_2() {
    let (_, server) = relay();
    let mut client = server.client();
    client.hello();
    // No MAIL was given: the octets are no commands all the same.
    client.send(b"BDAT 31 LAST\r\nMAIL FROM:<evil@from.example>\r\nNOOP\r\n");
    client.reply().expect_code(503);
    client.reply().expect_code(250);
    client.command("RCPT TO:<b@to.example>").expect_code(503);
    // And DATA can't follow BDAT in one transaction.
    client.envelope("a@from.example", &["b@to.example"]);
    client.send(b"BDAT 3\r\nA: ").reply().expect_code(250);
    client.command("DATA").expect_code(503);
    client.command("RSET").expect_code(250);
    // Binary content needs BDAT (RFC 3030 3).
    client.command("MAIL FROM:<a@from.example> BODY=BINARYMIME").expect_code(250);
    client.command("RCPT TO:<b@to.example>").expect_code(250);
    client.command("DATA").expect_code(503);
}

#[test]
fn each_reply_has_a_status_of_its_class_rfc3463_2() {
    let (_, server) = relay();
    let mut client = server.client();
    client.hello();
    // STARTTLS (RFC 3207 4) and AUTH (RFC 4954 4) are known and not offered.
    for (line, code) in [
        ("NOOP", 250),
        ("RCPT TO:<b@to.example>", 503),
        ("MAIL FROM:<a@from.example> BODY=9BIT", 501),
        ("MAIL FROM:<a@from.example> COLOUR=red", 555),
        ("MAIL FROM:<a@from.example> SIZE=99999999999", 552),
        ("MAIL FROM:a@from.example>", 501),
        ("STARTTLS", 502),
        ("AUTH PLAIN AGEAYg==", 502),
        ("VRFY b", 252),
        ("MAIL FROM:<a@from.example>", 250),
        ("RCPT TO:<b@to.example>", 250),
        ("RSET", 250),
        ("QUIT", 221),
    ] {
        let reply = client.command(line);
        reply.expect_code(code);
        let numbers: Vec<_> = reply.lines[0].split(' ').next().unwrap_or_default().split('.').collect();
        let class = (code / 100).to_string();
        assert!(numbers.len() == 3 && numbers[0] == class, "{line}: {reply:?}");
        assert!(numbers[1..].iter().all(|number| (1..=3).contains(&number.len())), "{line}: {reply:?}");
    }
}
