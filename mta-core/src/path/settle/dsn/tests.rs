//! Notifications as text: the whole of one, and each part's special cases.

use crate::base::flow::entry::REQUIRETLS_TAG;
use crate::base::flow::offer::Offer;
use crate::base::flow::report::Outcome;
use crate::base::flow::ruling::Settle;
use crate::base::mail::content::{Body, Content};
use crate::base::mail::envelope::{BodyType, Notify, Ret};
use crate::base::smtp::reply::Reply;
use crate::path::settle::tests::{address, at, content, entry, mx, refused, report, settler, text};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use std::time::Duration;

fn bounce(entry: &crate::base::flow::entry::Entry, content: &Content, outcome: Outcome) -> Offer {
    let report = report(vec![(0, outcome)]);
    let mut ruling = settler().settle(entry, content, &mx(), &report, at(Duration::from_secs(60)));
    ruling.notifications.remove(0)
}

/// The text with each part decoded, which is ASCII alone before that.
fn decoded(offer: &Offer) -> String {
    let raw = text(offer);
    assert!(raw.is_ascii() && raw.split("\r\n").all(|line| line.len() <= 998), "{raw}");
    assert_eq!(offer.entry.envelope.body, BodyType::SevenBit);
    let mut whole = String::new();
    for piece in raw.split_inclusive("\r\n--report-") {
        match piece.split_once("base64\r\n\r\n") {
            None => whole.push_str(piece),
            Some((head, rest)) => {
                let (lines, boundary) = rest.split_at(rest.rfind("\r\n--report-").expect("a boundary"));
                let octets = BASE64_STANDARD.decode(lines.replace("\r\n", "")).expect("it is base64");
                whole.extend([head, "base64\r\n\r\n", &String::from_utf8_lossy(&octets), boundary]);
            }
        }
    }
    whole
}

fn failed(entry: &crate::base::flow::entry::Entry, content: &Content) -> String {
    text(&bounce(entry, content, refused()))
}

const WHOLE: &str = "Date: Fri, 15 Jan 2027 08:01:00 +0000
From: Mail Delivery System <MAILER-DAEMON@mx.example.test>
To: <sender@from.example>
Subject: Your message could not be delivered
Message-ID: <ID@mx.example.test>
In-Reply-To: <one@from.example>
References: <one@from.example>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
 boundary=\"report-ID\"

--report-ID
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 7bit

This is the mail server at mx.example.test.

I'm sorry: the message that you sent could not be delivered to the
following addresses. I have given up on them; if it matters, check the
address, or reach the person in another way.

  <nobody@to.example>
    mx.to.example said: 550 5.1.1 no such user

The technical details follow, and then what you sent or its header.

--report-ID
Content-Type: message/delivery-status
Content-Transfer-Encoding: 7bit

Original-Envelope-Id: QQ314159
Reporting-MTA: dns; mx.example.test
Arrival-Date: Fri, 15 Jan 2027 08:00:00 +0000

Original-Recipient: rfc822; no.body@to.example
Final-Recipient: rfc822; nobody@to.example
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.to.example
Diagnostic-Code: smtp; 550 5.1.1 no such user
Last-Attempt-Date: Fri, 15 Jan 2027 08:01:00 +0000

--report-ID
Content-Type: text/rfc822-headers
Content-Transfer-Encoding: 7bit

Message-ID: <one@from.example>
Subject: lunch

--report-ID--
";

/// RFC 6522 3, RFC 2046 5.1.1, RFC 3464 2.2 and 2.3, RFC 3461 6.2 and 6.3, RFC 3834 5, RFC 5322 3.3.
#[test]
fn a_bounce_as_a_whole() {
    let mut entry = entry(&["nobody@to.example"]);
    entry.envelope.envid = Some("QQ314159".into());
    entry.envelope.recipients[0].orcpt = Some("rfc822;no.body@to.example".into());
    let offer = bounce(&entry, &content(), refused());
    let shown = text(&offer).replace(&offer.entry.id.to_string(), "ID");
    assert_eq!(shown, WHOLE.replace('\n', "\r\n"));
    let head = shown.find("\r\n\r\n").expect("a header section") + 4;
    let ids = text(&offer).len() - shown.len();
    assert!(offer.entry.size_bytes == text(&offer).len() as u64 && offer.entry.head_bytes as usize >= head && ids > 0);
}

#[test]
fn its_envelope_has_the_null_sender_and_asks_for_nothing_rfc3461_6_1() {
    let offer = bounce(&entry(&["nobody@to.example"]), &content(), refused());
    let envelope = &offer.entry.envelope;
    assert_eq!(envelope.sender, None);
    assert_eq!(envelope.recipients[0].address, address("sender@from.example"));
    assert_eq!(envelope.recipients[0].notify, Some(Notify { success: false, failure: false, delay: false }));
    assert_eq!((envelope.body, envelope.smtputf8, envelope.ret), (BodyType::SevenBit, false, None));
    assert!(offer.entry.is_notification());
}

#[test]
fn the_whole_message_is_returned_when_asked_for_and_small_rfc3461_4_3() {
    let mut entry = entry(&["nobody@to.example"]);
    entry.envelope.ret = Some(Ret::Full);
    let whole = failed(&entry, &content());
    assert!(whole.contains("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\nMessage-ID: <one@"));
    assert!(whole.contains("\r\n\r\nAt noon?\r\n\r\n--report-"));
    let large = Content { body: Body::Memory(Bytes::from(vec![b'x'; 300 * 1024])), ..content() };
    assert!(failed(&entry, &large).contains("Content-Type: text/rfc822-headers\r\n"));
    entry.envelope.body = BodyType::BinaryMime;
    assert!(failed(&entry, &content()).contains("Content-Type: text/rfc822-headers\r\n"), "RFC 3030 3");
    entry.envelope.ret = Some(Ret::Hdrs);
    assert!(!failed(&entry, &content()).contains("At noon?"));
}

#[test]
fn a_long_header_is_returned_to_its_last_whole_field_that_fits() {
    let head = format!("Subject: lunch\r\nX-Long: {}\r\nX-Behind: yes\r\n\r\n", "x".repeat(70_000));
    let notice = failed(&entry(&["nobody@to.example"]), &Content { head: head.into(), ..content() });
    assert!(notice.contains("Subject: lunch\r\n\r\n--report-") && !notice.contains("X-Long"));
}

#[test]
fn an_address_that_needs_utf8_makes_it_global_rfc6533_4() {
    let mut entry = entry(&["jürgen@bücher.example"]);
    entry.envelope.recipients[0].orcpt = Some("utf-8;jürgen@bücher.example".into());
    let utf8 = Content { head: Bytes::from("Subject: Grüße\r\n\r\n"), ..content() };
    let offer = bounce(&entry, &utf8, refused());
    let notice = decoded(&offer);
    assert!(notice.contains("Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: base64\r\n"));
    assert!(notice.contains("Final-Recipient: utf-8; jürgen@bücher.example\r\n"));
    assert!(notice.contains("Original-Recipient: utf-8; jürgen@bücher.example\r\n"));
    // RFC 6532 3.7: so does a header that is returned.
    assert!(notice.contains("Content-Type: message/global-headers\r\n"));
    // Its own header is ASCII, so that any server takes it.
    assert!(!offer.entry.envelope.smtputf8);
}

#[test]
fn a_whole_message_with_utf8_in_its_header_is_global_rfc6532_3_7() {
    let mut entry = entry(&["nobody@to.example"]);
    entry.envelope.ret = Some(Ret::Full);
    let utf8 = Content { head: Bytes::from("Subject: Grüße\r\n\r\n"), ..content() };
    let notice = decoded(&bounce(&entry, &utf8, refused()));
    assert!(
        notice.contains("Content-Type: message/global\r\nContent-Transfer-Encoding: base64\r\n\r\nSubject: Grüße\r\n")
    );
}

#[test]
fn any_host_takes_it_whatever_is_told_and_returned_rfc6152_3() {
    let mut entry = entry(&["nobody@to.example"]);
    entry.envelope.ret = Some(Ret::Full);
    let body = Body::Memory(Bytes::from("Grüße an alle\r\n".repeat(100)));
    let reply = Reply { code: 550, status: None, text: "Empfänger unbekannt".into() };
    let notice = decoded(&bounce(&entry, &Content { body, ..content() }, Outcome::Failed(reply)));
    assert!(
        notice.contains("text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nThis is"),
        "{notice}"
    );
    assert!(notice.contains("550 Empfänger unbekannt") && notice.contains("550 Empf?nger unbekannt"), "{notice}");
    let whole = "message/global\r\nContent-Transfer-Encoding: base64\r\n\r\nMessage-ID: <one@";
    assert!(notice.contains(whole) && notice.contains("Grüße an alle\r\nGrüße"), "{notice}");
}

#[test]
fn a_domain_alone_is_written_in_a_labels_rfc5890_2_3_2_1() {
    let mut entry = entry(&["nobody@bücher.example"]);
    entry.envelope.sender = Some(address("sender@bücher.example"));
    let offer = bounce(&entry, &content(), refused());
    let notice = text(&offer);
    assert!(notice.is_ascii() && !offer.entry.envelope.smtputf8);
    assert!(notice.contains("To: <sender@xn--bcher-kva.example>\r\n"));
    assert!(notice.contains("Final-Recipient: rfc822; nobody@xn--bcher-kva.example\r\n"));
}

#[test]
fn a_sender_that_needs_utf8_makes_it_an_smtputf8_message() {
    let mut entry = entry(&["nobody@to.example"]);
    entry.envelope.sender = Some(address("jürgen@from.example"));
    let offer = bounce(&entry, &content(), refused());
    assert!(offer.entry.envelope.smtputf8);
    assert!(text(&offer).contains("To: <jürgen@from.example>\r\n"));
}

#[test]
fn a_remotes_long_and_foreign_words_are_folded_cut_and_kept_readable() {
    let words = format!("größer {}", "no thanks ".repeat(500));
    let reply = Reply { code: 554, status: None, text: words.into() };
    let offer = bounce(&entry(&["nobody@to.example"]), &content(), Outcome::Failed(reply));
    let notice = decoded(&offer);
    assert!(notice.contains("Content-Type: message/delivery-status\r\n"), "words alone don't make it global");
    assert!(notice.contains("Diagnostic-Code: smtp; 554 gr??er no thanks"));
    assert!(notice.contains("mx.to.example said: 554 größer no thanks"));
    assert!(notice.contains("Status: 5.0.0\r\n"), "RFC 3464 2.3.4: the reply gave none");
    assert!(notice.split("\r\n").all(|line| line.len() <= 100), "RFC 5322 2.1.1");
    assert!(notice.len() < 6000, "{}", notice.len());
}

#[test]
fn a_local_reason_is_not_passed_off_as_a_remotes_rfc3464_2_3_6() {
    let mut report = report(vec![(0, refused())]);
    report.said_by.clear();
    let entry = entry(&["nobody@to.example"]);
    let ruling = settler().settle(&entry, &content(), &mx(), &report, at(Duration::ZERO));
    let notice = text(&ruling.notifications[0]);
    assert!(notice.contains("Diagnostic-Code: x-mailwright; 550 5.1.1 no such user\r\n"));
    assert!(!notice.contains("Remote-MTA"));
}

#[test]
fn a_remote_is_told_by_its_name_rfc3464_2_1_2() {
    for (remote, name) in [
        ("mx.to.example[192.0.2.1]:25", "dns; mx.to.example"),
        ("192.0.2.1:25", "dns; [192.0.2.1]"),
        ("[2001:db8::1]:25", "dns; [IPv6:2001:db8::1]"),
        ("mx.to.example", "dns; mx.to.example"),
    ] {
        let mut report = report(vec![(0, refused())]);
        report.said_by.insert(0, remote.into());
        let ruling = settler().settle(&entry(&["b@to.example"]), &content(), &mx(), &report, at(Duration::ZERO));
        let notice = text(&ruling.notifications[0]);
        assert!(notice.contains(&format!("Remote-MTA: {name}\r\n")), "{notice}");
    }
}

#[test]
fn a_message_id_that_is_none_is_not_quoted_rfc5322_3_6_4() {
    for id in ["no brackets", "<has space@x>", "<\u{fc}@x>"] {
        let head = format!("Message-ID: {id}\r\n\r\n");
        let notice = failed(&entry(&["nobody@to.example"]), &Content { head: head.into(), ..content() });
        assert!(!notice.contains("In-Reply-To"), "{id}");
    }
}

#[test]
fn of_a_message_that_requires_tls_the_header_alone_goes_back_and_so_does_the_wish_rfc8689_5() {
    let mut entry = entry(&["nobody@to.example"]);
    entry.envelope.ret = Some(Ret::Full);
    let whole = bounce(&entry, &content(), refused());
    assert!(
        !whole.entry.requires_tls() && text(&whole).contains("Content-Type: message/rfc822\r\n"),
        "{}",
        text(&whole)
    );
    entry.tags.push((REQUIRETLS_TAG.into(), Box::default()));
    let header = bounce(&entry, &content(), refused());
    assert!(header.entry.requires_tls() && header.entry.envelope.sender.is_none());
    assert!(text(&header).contains("Content-Type: text/rfc822-headers\r\n"), "{}", text(&header));
}
