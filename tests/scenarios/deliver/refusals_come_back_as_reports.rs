//! 4xx is tried again, 5xx comes back as a report to the sender, and never a report about a report.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailwright_tests::mail::{Mark, message};
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::{Script, Sink};

/// `slow…` is taken at the third try, `nobody…` never, others at once.
fn sink() -> Sink {
    let answer = |recipient: &str, nth: usize| match recipient {
        slow if slow.starts_with("slow") && nth < 3 => "451 4.2.0 later".to_owned(),
        nobody if nobody.starts_with("nobody") => "550 5.1.1 no such user here".to_owned(),
        _ => "250 2.1.5 ok".to_owned(),
    };
    Script::new().rcpt(answer).start()
}

#[test]
fn each_recipient_has_a_fate_of_its_own() {
    let sink = sink();
    let server = Mailwright::start(&Setup::new().smarthost("*", sink.address()));
    let mark = Mark::new();
    let mut client = server.client();
    client.hello();
    client.command("MAIL FROM:<a@from.example> ENVID=the+2Benvelope RET=HDRS").expect_code(250);
    client.command("RCPT TO:<fine@to.example>").expect_code(250);
    client.command("RCPT TO:<slow@to.example>").expect_code(250);
    client.command("RCPT TO:<nobody@to.example> ORCPT=rfc822;alias@to.example").expect_code(250);
    let id = client.data(&message(&mark, "the body\r\n")).expect_code(250).queue_id();
    let _ = server.finished(&id);

    let got = |recipient: &str| sink.messages().iter().filter(|m| m.recipients.contains(&recipient.to_owned())).count();
    assert_eq!((got("fine@to.example"), got("slow@to.example"), got("nobody@to.example")), (1, 1, 0));
    assert_eq!(server.events("deferred").len(), 2);

    let report = sink.message("the report", |message| message.sender().is_empty());
    assert_eq!(report.recipients, ["a@from.example"]);
    let text = report.text().replace("\r\n ", " ").replace("\r\n\t", " ");
    // RFC 3464 2 and 2.3, RFC 3461 6.2, RFC 6522 3, RFC 3834 5: what a report says.
    for line in [
        "multipart/report",
        "report-type=delivery-status",
        "Auto-Submitted: auto-replied",
        "Content-Type: message/delivery-status",
        "Reporting-MTA: dns; mx.example.test",
        "Original-Envelope-Id: the+envelope",
        "Original-Recipient: rfc822; alias@to.example",
        "Final-Recipient: rfc822; nobody@to.example",
        "Action: failed",
        "Status: 5.1.1",
        "Diagnostic-Code: smtp; 550 5.1.1 no such user here",
        "Content-Type: text/rfc822-headers",
        &mark.to_string(),
    ] {
        let plain = |text: &str| text.to_lowercase().replace("; ", ";").replace('"', "");
        assert!(plain(&text).contains(&plain(line)), "{line} in\n{text}");
    }
    assert!(!text.contains("the body"), "RET=HDRS asks for the header alone: {text}");
    assert!(!text.contains("fine@to.example") && !text.contains("slow@to.example"), "{text}");
}

/// A text with its parts decoded.
fn decoded(text: &str) -> String {
    let part = |part: &str| match part.split_once("Content-Transfer-Encoding: base64\r\n\r\n") {
        None => part.to_owned(),
        Some((head, lines)) => {
            let lines = lines.split_whitespace().take_while(|line| !line.starts_with("--")).collect::<String>();
            head.to_owned() + &String::from_utf8(STANDARD.decode(lines).expect("base64")).expect("UTF-8")
        }
    };
    text.split("\r\n--report-").map(part).collect::<Vec<_>>().join("\r\n--report-")
}

#[test]
fn addresses_beyond_ascii_are_reported_as_they_are_rfc6533_4() {
    let sink = sink();
    let server = Mailwright::start(&Setup::new().smarthost("*", sink.address()));
    let mut client = server.client();
    client.hello();
    client.command("MAIL FROM:<a@bücher.example> SMTPUTF8 BODY=8BITMIME").expect_code(250);
    client.command("RCPT TO:<nobodyü@to.example>").expect_code(250);
    // RFC 6532 3: the header has UTF-8 in it, too.
    client.data("Subject: Grüße\r\n\r\nhello\r\n".as_bytes()).expect_code(250);
    let report = sink.message("the report", |message| message.sender().is_empty());
    // Any host takes it (RFC 6152 3): what is not ASCII is encoded.
    assert!(report.octets.is_ascii());
    let text = decoded(&report.text());
    for line in ["message/global-delivery-status", "Final-Recipient: utf-8; nobodyü@to.example", "Subject: Grüße"] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
    // RFC 5890 2.3.2.1: with A-labels the sender's address is ASCII.
    assert!(text.contains("To: <a@xn--bcher-kva.example>"), "{text}");
    assert!(report.mail.contains("SMTPUTF8"), "{}", report.mail);
}

#[test]
fn nobody_is_told_who_did_not_want_to_be_rfc3461_4_1() {
    let sink = sink();
    let server = Mailwright::start(&Setup::new().smarthost("*", sink.address()));
    let mut client = server.client();
    client.hello();
    client.command("MAIL FROM:<a@from.example>").expect_code(250);
    client.command("RCPT TO:<nobody1@to.example> NOTIFY=NEVER").expect_code(250);
    let never = client.data(b"Subject: x\r\n\r\nhello\r\n").queue_id();
    // RFC 5321 6.1: no report about what came from the null sender, for it may be a report.
    let null = client.mail("", &["nobody2@to.example"], b"Subject: y\r\n\r\nhello\r\n").queue_id();
    for id in [never, null] {
        let _ = server.finished(&id);
        let _ = server.event("bounced", |event| event["id"] == id.as_str());
    }
    assert!(server.events("notification-queued").is_empty());
    assert!(sink.messages().is_empty() && server.queue().is_empty());
}

#[test]
fn what_is_too_old_comes_back() {
    let sink =
        Script::new().rcpt(|to, _| if to == "a@from.example" { "250 ok".into() } else { "451 4.2.0 later".into() });
    let sink = sink.start();
    let setup = Setup::new().smarthost("*", sink.address()).set("queue", "age_max = \"2s\"");
    let server = Mailwright::start(
        &setup.set("queue", "delay_notice = \"never\"").set("queue", "notification_age_max = \"1m\""),
    );
    let mut client = server.client();
    client.hello();
    let id = client.mail("a@from.example", &["b@to.example"], &message(&Mark::new(), "hello\r\n")).queue_id();
    let expired = server.event("expired", |event| event["id"] == id.as_str());
    assert!(expired["attempts"].as_u64().is_some_and(|attempts| attempts >= 1), "{expired}");
    // RFC 3463 3.5: 4.4.7 and 5.4.7 are "delivery time expired".
    let text = sink.message("the report", |message| message.sender().is_empty()).text();
    assert!(text.contains("4.4.7") || text.contains("5.4.7"), "{text}");
    let _ = server.finished(&id);
}
