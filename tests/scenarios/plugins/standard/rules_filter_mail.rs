//! `builtin:filter`: attachments that swaks and smtplib bring are refused or held, a list in the DNS and a table decide early,
//! and what is said names the rule.

use mailwright_tests::dns::{NameServer, Zones};
use mailwright_tests::metrics::Metrics;
use mailwright_tests::peers::{lossy, program, python, run, swaks};
use mailwright_tests::program::{Mailwright, binary};
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::Sink;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

const PLUGIN: &str = r#"
[[table]]
name = "friends"
file = "FRIENDS"

[[plugin]]
name = "filter"
source = "builtin:filter"
allow = ["dns", "log", "metrics", "tables:friends"]
edit = ["headers", "recipients"]

[plugin.config]
standard = true
own_domains = ["example.test"]
report_header = "X-Filter"

[[plugin.config.rule]]
name = "friends"
at = "rcpt"
action = "pass"
when.table = { friends = "sender" }

[[plugin.config.rule]]
name = "listed"
at = "rcpt"
action = "reject"
text = "your address is on a list of senders of spam, see https://list.test/"
when.dnsbl = ["list.test"]
when.recipient = ["guarded@example.test"]

[[plugin.config.rule]]
name = "subject-of-the-day"
action = "reject"
when.header.Subject = ["^you have won"]
"#;

/// 127.0.0.1 is on the list.
fn dns() -> NameServer {
    Zones::new().a("1.0.0.127.list.test", Ipv4Addr::new(127, 0, 0, 2)).start()
}

fn server(dns: &NameServer, sink: &Sink) -> Mailwright {
    let setup = Setup::new().set("relay", "networks = []").dns(dns.address(), 25).smarthost("*", sink.address());
    let server = Mailwright::prepare(&setup);
    let friends = server.dir().join("friends");
    std::fs::write(&friends, "friend@from.test\n").expect("our own file");
    server.configure(&setup.table(&PLUGIN.replace("FRIENDS", &friends.display().to_string())));
    server.begin(&[])
}

fn plugin_says(server: &Mailwright, words: &str) {
    let line = server.event("plugin-log", |event| event["message"].as_str().is_some_and(|text| text.contains(words)));
    assert_eq!(line["plugin"], "filter", "{line}");
}

#[test]
fn attachments_are_refused_or_held_and_ordinary_mail_passes() {
    let (dns, sink) = (dns(), Sink::start());
    let server = server(&dns, &sink);
    let file = server.dir().join("invoice.pdf.exe");
    std::fs::write(&file, b"MZ").expect("our own file");
    let path = file.display().to_string();
    let envelope = ["--from", "a@from.test", "--to", "b@example.test", "--header", "Subject: invoice"];
    let (status, said) = swaks(server.address(), &[&envelope[..], &["--attach", &format!("@{path}")]].concat());
    assert!(
        !status.success()
            && said
                .contains("550 5.7.1 an attachment is a program with the name of a document (rule double-extension)"),
        "{said}"
    );
    plugin_says(&server, "reject; score 20: double-extension 10, program 10");

    // A program in an archive in a forwarded message, and a harmless document.
    let sent = python(
        server.address(),
        r#"
import io, zipfile
from email.message import EmailMessage
def mail(subject):
    m = EmailMessage()
    m["From"], m["To"], m["Subject"] = "a@from.test", "b@example.test", subject
    m.set_content("see the attachment\n")
    return m
octets = io.BytesIO()
with zipfile.ZipFile(octets, "w", zipfile.ZIP_DEFLATED) as archive:
    archive.writestr("notes/read me.txt", "hello")
    archive.writestr("notes/setup.exe", "MZ")
inner = mail("inner")
inner.add_attachment(octets.getvalue(), maintype="image", subtype="png", filename="scan.png")
outer = mail("packed")
outer.add_attachment(inner)
plain = mail("plain")
plain.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="Bericht f\u00fcr M\u00e4rz.pdf")
with smtplib.SMTP(HOST, PORT) as smtp:
    for message in outer, plain:
        print(smtp.send_message(message))
"#,
    );
    assert_eq!(sent, "{}\n{}\n", "both are taken");
    let held = server.event("message-held", |_| true);
    assert_eq!((&held["plugin"], &held["reason"]), (&"filter".into(), &"score 6: packed-program 6".into()), "{held}");
    let got = sink.message("the harmless one", |_| true).text();
    assert!(got.contains("Subject: plain"), "{got}");
    let id = held["id"].as_str().expect("it has an id");
    let shown = server.cli(&["queue", "show", id]);
    assert!(lossy(&shown.stdout).contains("held, score 6: packed-program 6"), "{}", lossy(&shown.stdout));

    // The operator lets it go.
    assert!(server.cli(&["queue", "retry", "--held"]).status.success());
    let _ = server.finished(id);
    assert_eq!(sink.messages().len(), 2);
    let metrics = Metrics::of(&server);
    let matches =
        |rule: &str| format!("mailwright_plugin_filter_rule_matches_total{{plugin=\"filter\",rule=\"{rule}\"}}");
    assert_eq!((metrics.get(&matches("program")), metrics.get(&matches("packed-program"))), (1.0, 1.0));
    assert_eq!(server.events("plugin-fault"), Vec::<serde_json::Value>::new());
}

/// Runs a program in a folder.
fn pack(folder: &Path, name: &str, arguments: &[&str]) {
    let mut command = Command::new(program(name));
    command.current_dir(folder).args(arguments);
    let packed = run(command);
    assert!(packed.status.success(), "{name} {arguments:?}: {}{}", lossy(&packed.stdout), lossy(&packed.stderr));
}

#[test]
fn archives_of_other_programs_are_looked_into() {
    let (dns, sink) = (dns(), Sink::start());
    let server = server(&dns, &sink);
    let folder = server.dir();
    std::fs::write(folder.join("read me.txt"), "hello\n").expect("our own file");
    std::fs::write(folder.join("setup.exe"), b"MZ").expect("our own file");
    let files = ["read me.txt", "setup.exe"];
    let archive = |switches: &[&str], name: &str, files: &[&str]| {
        pack(folder, "7zz", &[&["a", "-bd"], switches, &[name], files].concat());
    };
    // With a header that is not packed, and one that is; tar and gzip of two programs; and archives in each other.
    archive(&["-mhc=off"], "plain.7z", &files);
    archive(&["-m0=lzma2"], "packed.7z", &[&files[..], &["--", "plain.7z"]].concat());
    archive(&[], "files.zip", &files);
    archive(&[], "files.tar", &files);
    pack(folder, "tar", &["--format=pax", "-czf", "files.tgz", "read me.txt", "setup.exe"]);
    archive(&["-tgzip"], "files.tar.gz", &["files.tar"]);
    archive(&["-tzip"], "within.zip", &["files.tgz", "read me.txt"]);
    archive(&["-ttar"], "deep.tar", &["within.zip"]);
    archive(&["-p123", "-mhe=on"], "locked.7z", &["read me.txt"]);
    archive(&["-txz"], "files.tar.xz", &["files.tar"]);
    archive(&[], "harmless.7z", &["read me.txt"]);

    let said = |name: &str| {
        let file = format!("@{}", folder.join(name).display());
        let envelope = ["--from", "a@from.test", "--to", "b@example.test", "--attach-type", "application/octet-stream"];
        let (status, said) = swaks(server.address(), &[&envelope[..], &["--attach", &file]].concat());
        assert!(status.success(), "{said}");
    };
    let held =
        ["plain.7z", "packed.7z", "files.zip", "files.tar", "files.tgz", "files.tar.gz", "within.zip", "deep.tar"];
    for (before, name) in held.iter().enumerate() {
        said(name);
        server.events_reach("message-held", before + 1);
    }
    for event in server.events("message-held") {
        let reason = event["reason"].as_str().expect("it has a reason");
        assert!(reason.contains("packed-program 6"), "{event}");
    }
    for (name, report) in [
        ("locked.7z", Some("score 2: locked-archive 2")),
        ("files.tar.xz", Some("score 2: unseen-archive 2")),
        ("harmless.7z", None),
    ] {
        said(name);
        let got = sink.message(name, |message| message.text().contains(name)).text();
        let line = got.lines().find_map(|line| line.strip_prefix("X-Filter: "));
        assert_eq!(line, report, "{got}");
    }
    assert_eq!(server.events("message-held").len(), held.len());
    assert_eq!(server.events("plugin-fault"), Vec::<serde_json::Value>::new());
}

#[test]
fn lists_and_tables_decide_for_each_recipient() {
    let (dns, sink) = (dns(), Sink::start());
    let server = server(&dns, &sink);
    let mut client = server.client();
    client.hello();
    client.command("MAIL FROM:<a@from.test>").expect_code(250);
    let refused = client.command("RCPT TO:<guarded@example.test>");
    refused.expect(550, "5.7.1");
    let text = "your address is on a list of senders of spam, see https://list.test/ (rule listed)";
    assert!(refused.text().contains(text), "{}", refused.text());
    client.command("RCPT TO:<b@example.test>").expect_code(250);
    client.command("RSET").expect_code(250);
    plugin_says(&server, "reject at rcpt; listed");
    client.command("MAIL FROM:<friend@from.test>").expect_code(250);
    client.command("RCPT TO:<guarded@example.test>").expect_code(250);
    client.command("RSET").expect_code(250);
    let won = b"From: a@from.test\r\nSubject: =?utf-8?Q?You_h=61ve_won?=\r\n\r\nhello\r\n";
    let refused = client.mail("friend@from.test", &["b@example.test"], won);
    assert!(refused.text().contains("this message is not taken here (rule subject-of-the-day)"), "{}", refused.text());
}

#[test]
fn the_cases_of_the_plugin_are_as_expected() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/filter/cases");
    let mut command = Command::new(binary());
    command.args(["plugin", "test", "builtin:filter", "--cases"]).arg(cases);
    let played = run(command);
    let said = lossy(&played.stdout);
    assert!(
        played.status.success() && said.contains("15 of 15 cases are as expected"),
        "{said}{}",
        lossy(&played.stderr)
    );
}
