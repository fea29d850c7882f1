//! Dovecot as the next hop, by LMTP (RFC 2033): one message, one reply for each recipient, one copy in each mailbox.

use mailwright_tests::dovecot::Dovecot;
use mailwright_tests::mail::{Mark, maildir, message};
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;

#[test]
fn dovecot_takes_mail_by_lmtp() {
    let dovecot = Dovecot::start();
    let server = Mailwright::start(&Setup::new().lmtp("*", dovecot.address()));
    let (first, second) = (Mark::new(), Mark::new());
    let mut client = server.client();
    client.hello();
    let one = client.mail("a@from.example", &["ann@example.test", "bob@example.test"], &message(&first, "hello\r\n"));
    let two = client.mail("a@from.example", &["bob@example.test"], &message(&second, "again\r\n"));
    let _ = (server.finished(&one.queue_id()), server.finished(&two.queue_id()));
    let (ann, bob) = (maildir(&dovecot.maildir("ann")), maildir(&dovecot.maildir("bob")));
    assert_eq!((ann.len(), bob.len()), (1, 2));
    assert!(first.is_in(&ann[0]));
    assert_eq!(bob.iter().filter(|octets| second.is_in(octets)).count(), 1);
    let text = String::from_utf8_lossy(&ann[0]).into_owned();
    assert!(text.contains("Return-Path: <a@from.example>") && text.contains("by mx.example.test"), "{text}");
    assert_eq!(server.events("delivered").len(), 3);
}
