//! Authors' domains that want to be told of their mail get a report a day (RFC 9990): it survives a restart, an operator
//! sees it and sends it at once, and it is read by others' programs.

use mailwright_tests::dns::Zones;
use mailwright_tests::keys::signing_key;
use mailwright_tests::peers::{lossy, program, run};
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::Sink;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Signed by dkimpy, with its keys.
const ZONE: &str = include_str!("../../vectors/zone.txt");
const SIGNED: &str = include_str!("../../vectors/signed.eml");

/// Python's own readers of mail, gzip and XML: what they make of a report.
const READ: &str = r#"
import email, gzip, sys
import xml.etree.ElementTree as tree
message = email.message_from_binary_file(open(sys.argv[1], "rb"))
print("subject", " ".join(message["Subject"].split()))
for part in message.walk():
    if part.get_content_type() == "application/gzip":
        print("file", part.get_filename())
        root = tree.fromstring(gzip.decompress(part.get_payload(decode=True)))
        for node in root.iter():
            if len(node) == 0:
                print(node.tag.split("}")[-1], node.text)
"#;

fn read(folder: &Path, message: &[u8]) -> Vec<String> {
    fs::write(folder.join("message"), message).expect("our own folder");
    let mut command = Command::new(program("python3"));
    command.args(["-c", READ]).arg(folder.join("message"));
    let output = run(command);
    assert!(output.status.success(), "{}", lossy(&output.stderr));
    lossy(&output.stdout).lines().map(ToOwned::to_owned).collect()
}

fn send(server: &Mailwright, from: &str, message: &str) {
    let mut client = server.client();
    client.hello();
    client.mail(from, &["b@example.test"], message.replace('\n', "\r\n").as_bytes()).expect_code(250);
}

fn told(server: &Mailwright, words: &[&str]) -> String {
    let output = server.cli(&[&["report"], words].concat());
    assert!(output.status.success(), "{}", lossy(&output.stderr));
    lossy(&output.stdout)
}

#[test]
fn other_domains_are_told_of_their_mail_rfc9990_3() {
    let folder = tempfile::tempdir().expect("a directory");
    let policy = "v=DMARC1; p=reject; rua=mailto:dmarc@author.test,mailto:us@else.test!10m,mailto:victim@sink.test";
    let zone = ZONE.replace("v=DMARC1; p=reject", policy) + "\nauthor.test._report._dmarc.else.test TXT v=DMARC1;";
    let (dns, sink) = (Zones::new().texts(&zone).start(), Sink::start());
    let setup = Setup::new()
        .set("relay", "networks = []")
        .dns(dns.address(), 25)
        .smarthost("*", sink.address())
        .set("report", "address = \"dmarc@example.test\"")
        .set("report", "organization = \"Here & There\"")
        .table(&signing_key(folder.path(), "example.test", "r", "ed25519").0);
    let mut server = Mailwright::start(&setup);
    send(&server, "ann@author.test", SIGNED);
    send(&server, "ann@author.test", SIGNED);
    send(&server, "x@elsewhere.test", "From: ann@sub.author.test\nSubject: forged\n\nx\n");
    send(&server, "x@elsewhere.test", "From: who@wants-nothing.test\n\nx\n");
    assert!(server.stop().success());
    server.restart(&[]);

    let listed = told(&server, &["list"]);
    assert!(listed.contains("dmarc author.test  3 results") && listed.lines().count() == 1, "{listed}");
    let shown = told(&server, &["show", "Author.test"]);
    assert!(shown.contains("<org_name>Here &amp; There</org_name>"), "{shown}");
    let sent = told(&server, &["send", "author.test"]);
    assert!(sent.contains("not to victim@sink.test") && sent.contains("to us@else.test: queued as"), "{sent}");
    let nothing = server.cli(&["report", "send", "author.test"]);
    assert!(lossy(&nothing.stderr).contains("there is nothing to tell author.test"), "{nothing:?}");

    for to in ["dmarc@author.test", "us@else.test"] {
        let report = sink.message("the report", |message| message.recipients == [to]);
        assert_eq!(report.sender(), "", "an answer to it would be one to nobody");
        let text = report.text();
        assert!(text.contains("DKIM-Signature:") && text.contains("d=example.test"), "it is signed: {text}");
        let read = read(folder.path(), &report.octets);
        for line in [
            "domain author.test",
            "email dmarc@example.test",
            "org_name Here & There",
            "count 2",
            "count 1",
            "disposition pass",
            "header_from author.test",
            "header_from sub.author.test",
            "envelope_from elsewhere.test",
            "envelope_to example.test",
            "source_ip 127.0.0.1",
            "selector rsa",
            "type local_policy",
            "discovery_method treewalk",
        ] {
            assert!(read.iter().any(|known| known == line), "{line} in {read:#?}");
        }
        assert!(
            read[0].starts_with("subject Report Domain: author.test Submitter: example.test Report-ID: "),
            "{read:?}"
        );
    }
    let event = server.event("report-queued", |event| event["to"] == "us@else.test");
    assert_eq!((&event["kind"], &event["results"]), (&"dmarc".into(), &3.into()), "{event}");
    assert_eq!(sink.messages().iter().filter(|message| message.recipients == ["victim@sink.test"]).count(), 0);
}
