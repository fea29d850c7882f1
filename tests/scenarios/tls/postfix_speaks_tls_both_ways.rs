//! Postfix between two servers: the first gives it mail by TLS and checks who it is, and Postfix does the same with the second.

use mailwright_tests::mail::{Mark, maildir, message};
use mailwright_tests::peers::postfix::Postfix;
use mailwright_tests::peers::tls::Authority;
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use std::path::Path;

#[test]
fn postfix_speaks_tls_both_ways() {
    let authority = Authority::new();
    authority.sign("mx", &["localhost"], 2100);
    let setup = Setup::new().maildir("*", Path::new("mail")).listener("starttls = \"required\"");
    let last = Mailwright::start(&setup.table(&authority.certificate("tls", "mx")));
    let postfix = Postfix::relay(last.address(), &authority);
    let first = Mailwright::start(&Setup::new().table(&postfix.route(&authority)));
    let mark = Mark::new();
    let mut client = first.client();
    client.hello();
    client.mail("a@from.example", &["b@to.example"], &message(&mark, "hello\r\n")).expect_code(250);
    let given = first.event("delivered", |event| event["recipient"] == "b@to.example");
    assert!(given["tls"].as_str().is_some_and(|tls| tls.starts_with("TLSv1.3 with cipher ")), "{given}");
    // RFC 3848: ESMTPS is what a protected session is called.
    let _ = last.event("tls-established", |event| event["version"] == "TLSv1.3");
    let _ = last.event("delivered", |event| event["recipient"] == "b@to.example");
    let kept = maildir(&last.data_dir().join("mail"));
    assert_eq!(kept.len(), 1);
    assert!(mark.is_in(&kept[0]));
    let text = String::from_utf8_lossy(&kept[0]).into_owned();
    assert_eq!(text.matches("with ESMTPS").count(), 2, "{text}");
    let log = postfix.log();
    assert!(log.contains("Verified TLS connection established to localhost"), "{log}");
    assert!(log.contains("TLS connection established from"), "{log}");
}
