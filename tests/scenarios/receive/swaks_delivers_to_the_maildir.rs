//! A newcomer's first message: swaks sends it, and it lies in the Maildir with its trace.

use mailwright_tests::mail::{Mark, maildir};
use mailwright_tests::peers::swaks;
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use std::path::Path;

#[test]
fn swaks_delivers_to_the_maildir() {
    let server = Mailwright::start(&Setup::new().maildir("*", Path::new("mail")));
    let mark = Mark::new().to_string();
    let to = ["--from", "you@example.org", "--to", "me@example.test", "--header", "Subject: hello", "--body", &mark];
    let (status, said) = swaks(server.address(), &to);
    assert!(status.success(), "{said}");

    let delivered = server.event("delivered", |_| true);
    assert_eq!(delivered["recipient"], "me@example.test", "{delivered}");
    let id = delivered["id"].as_str().expect("an event names its message");
    assert!(said.contains(id), "the 250 carries the queue id {id}: {said}");

    let found = maildir(&server.data_dir().join("mail"));
    assert_eq!(found.len(), 1);
    let text = String::from_utf8_lossy(&found[0]).into_owned();
    assert!(text.contains(&mark) && text.contains("Subject: hello"), "{text}");
    // RFC 5321 4.4: Return-Path stands first where mail is delivered for good, then what each server added.
    assert!(text.starts_with("Return-Path: <you@example.org>"), "{text}");
    let received = text.find("Received: from client.example").expect("our trace names the client");
    assert!(text[received..].contains("by mx.example.test") && text[received..].contains(id), "{text}");
    // RFC 3848: EHLO was used; RFC 5322 3.3: the date, in UTC.
    assert!(text[received..].contains(&format!("with ESMTP id {id}")), "{text}");
    let date = text[received..].split(';').nth(1).and_then(|rest| rest.lines().nth(1)).unwrap_or_default().trim();
    assert!(date.ends_with(" +0000") && date.split_whitespace().count() == 6, "{date}");
    let _ = server.finished(id);
    assert_eq!(server.queue(), Vec::<serde_json::Value>::new());
}
