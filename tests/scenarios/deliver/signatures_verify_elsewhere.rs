//! What goes out is signed (RFC 6376, RFC 8463), and dkimpy, which is not ours, verifies it.

use mailwright_tests::keys::signing_key;
use mailwright_tests::mail::{Mark, message};
use mailwright_tests::peers::{dkimpy, lossy, program};
use mailwright_tests::program::{Mailwright, binary};
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::{Received, Sink};
use std::path::Path;
use std::process::Command;

/// Prints `True` or `False` for each signature.
const VERIFY: &str = r#"
count = message.lower().count(b"dkim-signature:")
print(*[dkim.DKIM(message).verify(idx=i, dnsfunc=txt) for i in range(count)])
"#;

/// A key of the author's domain; its table for the configuration, and its line for the zone.
fn key(folder: &Path, selector: &str, kind: &str) -> (String, String) {
    signing_key(folder, "from.example", selector, kind)
}

fn sent(server: &Mailwright, sink: &Sink, mark: &Mark, octets: &[u8]) -> Received {
    let mut client = server.client();
    client.hello();
    client.command("MAIL FROM:<a@from.example> BODY=8BITMIME").expect_code(250);
    client.command("RCPT TO:<b@example.test>").expect_code(250);
    client.data(octets).expect_code(250);
    sink.message("the message", |message| mark.is_in(&message.octets))
}

#[test]
fn signatures_verify_elsewhere() {
    let folder = tempfile::tempdir().expect("a directory");
    let _ = program("dkimverify");
    let ((rsa, rsa_zone), (ed, ed_zone)) = (key(folder.path(), "r1", "rsa"), key(folder.path(), "e1", "ed25519"));
    let zone = format!("{rsa_zone}\n{ed_zone}\n");
    let sink = Sink::start();
    let server =
        Mailwright::start(&Setup::new().smarthost("*", sink.address()).hello("X-Hello").table(&rsa).table(&ed));

    // Small and in memory, with an edit of a plugin; large and on the disk; 8-bit, with what relaxed forms change.
    let large = "0123456789 abcdefghijklmnopqrstuvwxyz \t \r\n".repeat(60_000);
    for body in [
        "hello\r\n",
        "",
        "white space alone at the end\r\n \t \r\n\r\n \r\n",
        "Grüße \t aus  \r\n\r\n.\r\n..dots\r\n\r\n\r\n",
        &*large,
    ] {
        let mark = Mark::new();
        let got = sent(&server, &sink, &mark, &message(&mark, body));
        assert!(got.text().contains("X-Hello:"), "{}", &got.text()[..1000]);
        let lengths = got.text().len();
        assert_eq!(dkimpy(VERIFY, &zone, &got.octets), "True True", "a body of {lengths} octets");
        let forged = got.text().replacen("Subject: test", "Subject: best", 1);
        assert_eq!(dkimpy(VERIFY, &zone, forged.as_bytes()), "False False", "dkimpy looks at what it is given");
    }

    let records = server.cli(&["dkim", "records"]);
    assert_eq!(lossy(&records.stdout), zone);
    let again = Command::new(binary())
        .args(["dkim", "generate", "--domain", "from.example", "--selector", "r1"])
        .current_dir(folder.path())
        .output()
        .expect("it runs");
    assert!(!again.status.success() && lossy(&again.stderr).contains("File exists"), "{}", lossy(&again.stderr));
}

#[test]
fn strangers_mail_is_not_signed_in_our_name() {
    let folder = tempfile::tempdir().expect("a directory");
    let (table, _) = key(folder.path(), "e1", "ed25519");
    let sink = Sink::start();
    // The client may send to our own domain alone: it is nobody's whom we know.
    let setup = Setup::new().set("relay", "networks = []").smarthost("*", sink.address()).table(&table);
    let server = Mailwright::start(&setup);
    let mark = Mark::new();
    let got = sent(&server, &sink, &mark, &message(&mark, "From us, it says.\r\n"));
    assert!(!got.text().contains("DKIM-Signature"), "{}", got.text());
}
