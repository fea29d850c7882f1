//! What strangers sent and we forward says what we found out about it (ARC, RFC 8617): the next server believes it, and so
//! does dkimpy, which is not ours.

use mailwright_tests::dns::{NameServer, Zones};
use mailwright_tests::keys::signing_key;
use mailwright_tests::mail::{Mark, message};
use mailwright_tests::peers::dkimpy;
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::Sink;
use std::path::Path;

/// Prints what the chain comes to.
const VERIFY: &str = r#"
cv, results, comment = dkim.ARC(message).verify(dnsfunc=txt)
print(cv.decode(), len(results), comment)
"#;

/// A key of the program's own making: the table for what seals, and the line for the zone.
fn sealer(folder: &Path, domain: &str, kind: &str) -> (String, String) {
    let (table, zone) = signing_key(folder, domain, "arc", kind);
    (table.replace("[[dkim]]", "[arc]"), zone)
}

/// The lines of the zones for our own name server.
fn served(lines: &[&str]) -> NameServer {
    lines
        .iter()
        .fold(Zones::new(), |zones, line| {
            let (name, text) = line.split_once(" IN TXT ").expect("a line for the zone");
            let text: String = text.split('"').skip(1).step_by(2).collect();
            zones.txt(name.trim_end_matches('.'), &text)
        })
        .start()
}

/// Nobody is ours, so that loopback is outside.
fn forwarder(dns: &NameServer, next: std::net::SocketAddr, table: &str) -> Mailwright {
    let setup = Setup::new().set("relay", "networks = []").dns(dns.address(), 25).smarthost("example.test", next);
    Mailwright::start(&setup.table(table))
}

#[test]
fn what_is_forwarded_is_sealed_at_each_hop_and_verified_by_others_rfc8617_5() {
    let folder = tempfile::tempdir().expect("a directory");
    let (first, first_zone) = sealer(folder.path(), "one.test", "rsa");
    let (second, second_zone) = sealer(folder.path(), "two.test", "rsa");
    let zone = format!("{first_zone}\n{second_zone}\n");
    let dns = served(&[&first_zone, &second_zone]);
    let sink = Sink::start();
    let two = forwarder(&dns, sink.address(), &second);
    let one = forwarder(&dns, two.address(), &first);

    let large = "0123456789 abcdefghijklmnopqrstuvwxyz \t \r\n".repeat(20_000);
    for body in ["hello\r\n", "", &*large] {
        let mark = Mark::new();
        let mut client = one.client();
        client.hello();
        client.mail("a@from.example", &["b@example.test"], &message(&mark, body)).expect_code(250);
        let got = sink.message("the message", |message| mark.is_in(&message.octets));
        let text = got.text();
        assert!(
            text.starts_with("ARC-Seal: i=2; a=rsa-sha256; d=two.test; s=arc;"),
            "{}",
            &text[..500.min(text.len())]
        );
        assert!(text.contains("ARC-Authentication-Results: i=2; mx.example.test;") && text.contains("\tarc=pass"));
        assert!(text.contains("\r\nARC-Seal: i=1; a=rsa-sha256; d=one.test; s=arc;"));
        assert_eq!(dkimpy(VERIFY, &zone, &got.octets), "pass 2 success", "a body of {} octets", body.len());
        let forged = text.replacen("Subject: test", "Subject: best", 1);
        let told = dkimpy(VERIFY, &zone, forged.as_bytes());
        assert!(told.starts_with("fail "), "dkimpy looks at what it is given: {told}");
    }
    let seen = two
        .event("verified", |event| event["results"].as_str().is_some_and(|text| text.contains("arc=pass(one.test)")));
    assert!(seen["id"].is_string(), "{seen}");
}

#[test]
fn our_own_mail_is_not_sealed() {
    let folder = tempfile::tempdir().expect("a directory");
    let (table, _) = sealer(folder.path(), "one.test", "ed25519");
    let sink = Sink::start();
    let server = Mailwright::start(&Setup::new().smarthost("*", sink.address()).table(&table));
    let mark = Mark::new();
    let mut client = server.client();
    client.hello();
    client.mail("a@from.example", &["b@far.test"], &message(&mark, "x\r\n")).expect_code(250);
    let got = sink.message("the message", |message| mark.is_in(&message.octets));
    assert!(!got.text().contains("ARC-"), "{}", got.text());
}
