//! Python's smtplib with all parameters of MAIL and RCPT that we offer, and what the next hop sees of them.

use mailwright_tests::peers::python;
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::Script;

const SEND: &str = r#"
with smtplib.SMTP(HOST, PORT, local_hostname="client.example", timeout=60) as s:
    s.ehlo()
    for word in "pipelining size 8bitmime smtputf8 chunking binarymime enhancedstatuscodes dsn limits".split():
        assert s.has_extn(word), (word, s.esmtp_features)
    assert int(s.esmtp_features["size"]) == 52428800, s.esmtp_features
    # RFC 6531: an address outside ASCII needs SMTPUTF8.
    s.command_encoding = "utf-8"
    code, text = s.docmd("MAIL", "FROM:<j\u00f6rg@from.example>")
    assert code in (550, 553) and text.startswith(b"5.6.7"), (code, text)
    body = "From: <j\u00f6rg@from.example>\r\nSubject: Gr\u00fc\u00dfe\r\n\r\nGr\u00fc\u00dfe\r\n".encode()
    # It adds SIZE by itself.
    refused = s.sendmail("j\u00f6rg@from.example", ["b\u00fc@to.example", "c@to.example"], body,
        mail_options=["SMTPUTF8", "BODY=8BITMIME", "RET=HDRS", "ENVID=QQ314159"],
        rcpt_options=["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;first@to.example"])
    assert refused == {}, refused
    assert s.noop()[0] == 250 and s.rset()[0] == 250
    assert s.vrfy("postmaster")[0] == 252
    assert s.docmd("HELP")[0] == 214
    assert s.docmd("EXPN list")[0] == 502
    assert s.docmd("XYZZY")[0] == 500
"#;

#[test]
fn smtplib_uses_every_option() {
    let sink = Script::new().offer("DSN").offer("SIZE 0").start();
    let server = Mailwright::start(&Setup::new().smarthost("*", sink.address()));
    assert_eq!(python(server.address(), SEND), "");
    let got = sink.message("the message", |message| message.recipients.len() == 2);
    assert_eq!(got.sender(), "jörg@from.example");
    // RFC 6531 3.4, RFC 6152 3, RFC 3461 4: what the client said goes on to a server that offers the same.
    for parameter in ["SMTPUTF8", "BODY=8BITMIME", "RET=HDRS", "ENVID=QQ314159"] {
        assert!(got.mail.contains(parameter), "{parameter} in {}", got.mail);
    }
    for line in &got.rcpt {
        assert!(line.contains("NOTIFY=SUCCESS,FAILURE") && line.contains("ORCPT=rfc822;first@to.example"), "{line}");
    }
    assert!(got.text().ends_with("\r\n\r\nGrüße\r\n"), "{}", got.text());
}

#[test]
fn a_next_hop_without_dsn_makes_us_say_that_we_relayed() {
    let sink = mailwright_tests::sink::Sink::start();
    let server = Mailwright::start(&Setup::new().smarthost("*", sink.address()));
    let mut client = server.client();
    client.hello();
    client.command("MAIL FROM:<a@from.example> ENVID=E1").expect_code(250);
    client.command("RCPT TO:<b@to.example> NOTIFY=SUCCESS ORCPT=rfc822;o@to.example").expect_code(250);
    client.data(b"Subject: x\r\n\r\nhello\r\n").expect_code(250);
    // RFC 3461 5.2.1.3 and RFC 3464 2.3.3: delivery can't be promised any more, so the sender is told that it was relayed.
    let notice = sink.message("the notification", |message| message.sender().is_empty()).text();
    for line in ["Action: relayed", "Original-Envelope-Id: E1", "Original-Recipient: rfc822;o@to.example"] {
        assert!(notice.to_lowercase().replace("; ", ";").contains(&line.to_lowercase()), "{line} in {notice}");
    }
}
