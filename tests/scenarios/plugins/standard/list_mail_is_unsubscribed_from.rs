//! A newsletter goes out with links of its own for each recipient, signed; mailbox providers post to them, a person opens
//! them in a browser, writes a mail, or complains; and whoever did is not written to again.

use mailwright_tests::keys::{private, signing_key};
use mailwright_tests::metrics::Metrics;
use mailwright_tests::peers::chromium::browse;
use mailwright_tests::peers::{dkimpy, lossy, program, python, run};
use mailwright_tests::program::{Mailwright, binary};
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::{Received, Script, Sink};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Two tenants with a list each, of which the second has receipts too.
const LISTS: &str = r#"
[[tenant]]
name = "acme"
domains = ["acme.test"]

[[tenant]]
name = "beta"
domains = ["beta.test"]

[[http]]
name = "web"
bind = "127.0.0.1:0"

[[secret]]
name = "links"
file = "KEYS/links"

[[secret]]
name = "links-2025"
file = "KEYS/links-2025"

[[plugin]]
name = "unsubscribe"
source = "builtin:unsubscribe"
allow = [
    "log", "metrics", "tenants", "kv:soft-bounces", "hmac:links", "hmac:links-2025",
    "suppression:everything", "suppression:news",
]
edit = ["headers"]

[plugin.config]
url = "https://news.example.test/p/unsubscribe"
keys = ["links", "links-2025"]

[[plugin.config.lists]]
name = "receipts"
transactional = true
when = { senders = ["billing@beta.test"] }

[[plugin.config.lists]]
name = "news"
title = "The <weekly> news"
list_id = "The news <news.example.test>"
when = { senders = ["news@acme.test", "news@beta.test"] }
"#;

/// A server with such lists, whose mail goes to the sink.
fn serving(sink: &Sink, more: &str) -> Mailwright {
    let setup = Setup::new()
        .smarthost("to.example", sink.address())
        .set("feedback", "domain = \"bounces.example.test\"")
        .set("feedback", "senders = [\"acme.test\", \"beta.test\"]")
        .set("feedback", "reports = [\"fbl\"]");
    let server = Mailwright::prepare(&setup);
    for (name, secret) in [("links", "the key that signs"), ("links-2025", "the key before it")] {
        private(server.dir(), name, secret);
    }
    let lists = LISTS.replace("KEYS", &server.dir().display().to_string());
    server.configure(&setup.table(&lists).table(more));
    server.begin(&[])
}

/// A next hop that answers so to RCPT where the recipient has that in it.
fn refusing(whom: &'static str, reply: &'static str) -> Sink {
    Script::new().rcpt(move |to, _| if to.contains(whom) { reply } else { "250 2.1.5 ok" }.to_owned()).start()
}

fn letter(from: &str) -> String {
    format!("From: <{from}>\r\nTo: <readers@to.example>\r\nSubject: news\r\nMIME-Version: 1.0\r\n\r\nIt is spring.\r\n")
}

fn send(server: &Mailwright, from: &str, to: &[&str]) -> String {
    let mut client = server.client();
    client.hello();
    client.mail(from, to, letter(from).as_bytes()).expect_code(250).queue_id()
}

fn got(sink: &Sink, to: &str) -> Received {
    sink.message("the newsletter", |message| message.recipients == [to])
}

/// The value of a field, unfolded.
fn field(received: &Received, name: &str) -> String {
    let text = received.text().replace("\r\n ", " ").replace("\r\n\t", "\t");
    let head = text.split("\r\n\r\n").next().unwrap_or_default().to_owned();
    let start = format!("{name}: ");
    let found = head.lines().find_map(|line| line.strip_prefix(&start).map(str::to_owned));
    found.unwrap_or_else(|| panic!("{name} in {head}"))
}

/// The path of the link, at the proxy that has the certificate.
fn link(received: &Received) -> String {
    let value = field(received, "List-Unsubscribe");
    let link = value.strip_prefix("<https://news.example.test").and_then(|rest| rest.split_once('>'));
    link.expect("the link comes first").0.to_owned()
}

fn suppressed(server: &Mailwright, scope: &str, tenant: &str) -> String {
    let listed = server.cli(&["suppression", "list", "--scope", scope, "--tenant", tenant]);
    lossy(&listed.stdout) + &lossy(&listed.stderr)
}

fn rcpt(server: &Mailwright, from: &str, to: &str) -> mailwright_tests::client::Reply {
    let mut client = server.client();
    client.hello();
    client.command(&format!("MAIL FROM:<{from}>")).expect_code(250);
    client.command(&format!("RCPT TO:<{to}>"))
}

/// What large mailbox providers and scanners send, octet by octet; prints each status, and what must not be there.
const PROVIDERS: &str = r#"
import http.client
def ask(method, path, body=None, **fields):
    c = http.client.HTTPConnection(HOST, PORT, timeout=60)
    c.request(method, path, body, {name.replace("_", "-"): value for name, value in fields.items()})
    r = c.getresponse()
    for name in ("Set-Cookie", "Location", "WWW-Authenticate", "Refresh"):
        assert r.getheader(name) is None, (name, r.getheaders())
    print(r.status, end=" ")
    return r.read().decode()
ONE = "List-Unsubscribe=One-Click"
FORM = "application/x-www-form-urlencoded"
PARTS = ('--00000000000007b9\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\n'
         'One-Click\r\n--00000000000007b9--\r\n')
MULTIPART = 'multipart/form-data; boundary="00000000000007b9"'
"#;

fn providers(server: &Mailwright, script: &str) -> String {
    python(server.address_of("web"), &format!("{PROVIDERS}\n{script}"))
}

/// Prints whether the signature holds, and what its `h=` has of our fields.
const VERIFY: &str = r#"
signature = re.sub(rb"\s", b"", re.search(rb"(?mi)^DKIM-Signature:([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)", message).group(1))
covered = re.search(rb";h=([^;]*)", signature).group(1).lower().split(b":")
counts = [covered.count(field) for field in (b"list-unsubscribe", b"list-unsubscribe-post", b"list-id")]
print(dkim.verify(message, dnsfunc=txt), *counts)
"#;

#[test]
fn each_copy_has_its_own_link_and_the_signature_covers_it_rfc8058_3_1() {
    let folder = tempfile::tempdir().expect("a directory");
    let _ = program("dkimverify");
    let (key, zone) = signing_key(folder.path(), "acme.test", "k1", "ed25519");
    let sink = Sink::start();
    let server = serving(&sink, &key);
    send(&server, "news@acme.test", &["ann@to.example", "bob@to.example"]);
    let (ann, bob) = (got(&sink, "ann@to.example"), got(&sink, "bob@to.example"));
    assert_ne!(link(&ann), link(&bob));
    for copy in [&ann, &bob] {
        assert_eq!(field(copy, "List-Unsubscribe-Post"), "List-Unsubscribe=One-Click");
        assert_eq!(field(copy, "List-Id"), "The news <news.example.test>");
        let uris = field(copy, "List-Unsubscribe");
        assert!(uris.contains(">, <mailto:u-") && uris.ends_with("%20news>"), "{uris}");
        // Two names of each that must not grow: the one that is there, and one that must never be (RFC 6376 5.4.2).
        assert_eq!(dkimpy(VERIFY, &zone, &copy.octets), "True 2 2 1");
        for forged in [
            copy.text().replacen("List-Unsubscribe: <https://news", "List-Unsubscribe: <https://evil", 1),
            format!("List-Unsubscribe: <https://evil.test>\r\n{}", copy.text()),
            format!("List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n{}", copy.text()),
        ] {
            assert!(dkimpy(VERIFY, &zone, forged.as_bytes()).starts_with("False "), "{forged}");
        }
    }
    // What is no list mail has none of it, and neither have receipts.
    for from in ["ann@acme.test", "billing@beta.test"] {
        send(&server, from, &["cy@to.example"]);
        let plain = sink.message("plain mail", |message| message.text().contains(&format!("From: <{from}>")));
        // The signature names the fields, so that nobody adds them.
        assert!(!plain.text().contains("\nList-Unsubscribe"), "{}", plain.text());
    }
}

#[test]
fn providers_post_one_click_and_scanners_change_nothing_rfc8058_3_2() {
    let sink = Sink::start();
    let mut server = serving(&sink, "");
    send(&server, "news@acme.test", &["ann@to.example", "bob@to.example"]);
    let (ann, bob) = (link(&got(&sink, "ann@to.example")), link(&got(&sink, "bob@to.example")));
    // A scanner follows the link in all the ways that it knows.
    let scanner = format!(
        "for method in ('GET', 'HEAD'):\n    ask(method, {ann:?}, User_Agent='Scanner/1.0')\n\
         ask('GET', {ann:?} + '?utm=1')\nask('OPTIONS', {ann:?})\nask('POST', {ann:?}, '', Content_Type=FORM)"
    );
    assert_eq!(providers(&server, &scanner).trim(), "200 200 200 405 400");
    assert_eq!((suppressed(&server, "news", "acme"), suppressed(&server, "everything", "acme")), Default::default());
    rcpt(&server, "news@acme.test", "ann@to.example").expect_code(250);

    // Both forms that RFC 8058 has, and each again: the same, and no second change.
    let posts = format!(
        "for again in range(2):\n    assert ask('POST', {ann:?}, ONE, Content_Type=FORM) == 'unsubscribed\\n'\n    \
         assert ask('POST', {bob:?}, PARTS, Content_Type=MULTIPART) == 'unsubscribed\\n'"
    );
    assert_eq!(providers(&server, &posts).trim(), "200 200 200 200");
    // On the disk before it was answered.
    server.kill();
    server.restart(&[]);
    let lists = suppressed(&server, "news", "acme");
    let lines: Vec<&str> = lists.lines().collect();
    assert_eq!(lines.len(), 2, "{lists}");
    assert!(
        lines[0].starts_with("ann@to.example  unsubscribe  since ") && lines[0].ends_with(" by plugin:unsubscribe")
    );
    rcpt(&server, "news@acme.test", "Ann@to.example").expect(550, "5.7.1 the recipient has unsubscribed (list news)");
    rcpt(&server, "news@acme.test", "cy@to.example").expect_code(250);
    rcpt(&server, "news@beta.test", "ann@to.example").expect_code(250);

    // What somebody made up, or has cut off, does nothing and is counted.
    let (start, end) = ann.split_at(ann.len() - 30);
    let forged = format!("{start}{}{}", if end.starts_with('A') { "B" } else { "A" }, &end[1..]);
    let forgeries = format!(
        "for path in ({forged:?}, {start:?}, '/p/unsubscribe/u/'):\n    ask('POST', path, ONE, Content_Type=FORM)\n\
         ask('POST', {ann:?}, ONE, Content_Type=FORM)"
    );
    assert_eq!(providers(&server, &forgeries).trim(), "404 404 404 200");
    let metrics = Metrics::of(&server);
    let count = |sample: &str| metrics.get(&format!("mailwright_plugin_unsubscribe_{sample}")) as u64;
    assert_eq!(count("links_refused_total{plugin=\"unsubscribe\",why=\"signature\"}"), 1);
    assert_eq!(count("links_refused_total{plugin=\"unsubscribe\",why=\"form\"}"), 2);
    let again =
        "unsubscribes_total{plugin=\"unsubscribe\",by=\"one-click\",from=\"list\",list=\"news\",outcome=\"again\"}";
    assert_eq!(count(again), 1);
    assert_eq!(count("withheld_total{plugin=\"unsubscribe\",at=\"rcpt\",list=\"news\",why=\"unsubscribe\"}"), 1);
    assert_eq!(suppressed(&server, "news", "acme").lines().count(), 2);
    assert!(server.events("plugin-fault").is_empty());
}

#[test]
fn links_outlive_the_key_that_signed_them() {
    let sink = Sink::start();
    let mut server = serving(&sink, "");
    send(&server, "news@acme.test", &["ann@to.example"]);
    let old = link(&got(&sink, "ann@to.example"));
    let _ = server.stop();
    // The key was rotated: what signed is now the one before.
    let text = fs::read_to_string(server.config()).expect("our own file");
    fs::write(
        server.config(),
        text.replace("keys = [\"links\", \"links-2025\"]", "keys = [\"links-2025\", \"links\"]"),
    )
    .expect("our own file");
    server.restart(&[]);
    send(&server, "news@acme.test", &["bob@to.example"]);
    let new = link(&got(&sink, "bob@to.example"));
    let posts = format!("for path in ({old:?}, {new:?}):\n    ask('POST', path, ONE, Content_Type=FORM)");
    assert_eq!(providers(&server, &posts).trim(), "200 200");
    // Without the old one its links are nobody's.
    let text = fs::read_to_string(server.config()).expect("our own file");
    fs::write(server.config(), text.replace("keys = [\"links-2025\", \"links\"]", "keys = [\"links-2025\"]"))
        .expect("our own file");
    let _ = server.stop();
    server.restart(&[]);
    assert_eq!(providers(&server, &posts).trim(), "404 200");
}

/// By keyboard alone, in a browser whose scripts don't run, with the names that a screen reader reads.
const PERSON: &str = r#"
page = Browser(PROGRAM, "fr;q=0.1, de-AT;q=0.9, en;q=0.3", script=False)
page.open(LINK)
assert page.named("RootWebArea") == ["Abmelden"], page.tree()
assert page.named("heading") == ["Abmelden"], page.tree()
assert page.named("group") == ["Was soll ann@to.example nicht mehr bekommen?"], page.tree()
this, everything = "Diese Liste: The <weekly> news", "Alle Mailinglisten dieses Absenders"
assert page.named("radio") == [this, everything], page.tree()
assert page.named("button") == ["Abmelden"], page.tree()
assert page.chosen() == [this], page.tree()
assert "main" in [role for role, _, _ in page.tree()], page.tree()
page.tab()
assert page.focused() == ("radio", this), page.focused()
page.down()
assert page.focused() == ("radio", everything) and page.chosen() == [everything], page.tree()
page.tab()
assert page.focused() == ("button", "Abmelden"), page.focused()
print("asked")
sys.stdout.flush()
page.submit()
said = [name for role, name, _ in page.tree() if role == "StaticText"]
assert "ann@to.example bekommt von keiner Liste dieses Absenders mehr Nachrichten." in said, said
assert "status" in [role for role, _, _ in page.tree()], page.tree()
page.close()

page = Browser(PROGRAM, "en")
page.open(LINK)
assert page.chosen() == ["All mailing lists of this sender"], page.tree()
assert any("already" in name for role, name, _ in page.tree() if role == "StaticText"), page.tree()
page.open(LINK[:-4])
assert page.named("heading") == ["This link does not work"], page.tree()
page.close()
"#;

#[test]
fn a_person_unsubscribes_by_keyboard_without_scripts() {
    let sink = Sink::start();
    let server = serving(&sink, "");
    send(&server, "news@acme.test", &["ann@to.example"]);
    let url = format!("http://{}{}", server.address_of("web"), link(&got(&sink, "ann@to.example")));
    assert_eq!(browse(&format!("LINK = {url:?}\n{PERSON}")).trim(), "asked");
    let lists = suppressed(&server, "everything", "acme");
    assert!(lists.starts_with("ann@to.example  unsubscribe"), "{lists}");
    rcpt(&server, "news@acme.test", "ann@to.example").expect(550, "5.7.1");
    let posted = server.events("http-answered").iter().filter(|event| event["method"] == "POST").count();
    assert_eq!(posted, 1, "the page itself posts nothing");
}

#[test]
fn requests_by_mail_complaints_and_bounces_are_heard_of_the_tenants_list_mail_alone() {
    let sink = refusing("gone@", "550 5.1.1 no such user here");
    let server = serving(&sink, "");
    send(&server, "news@acme.test", &["ann@to.example"]);
    send(&server, "news@beta.test", &["bob@to.example"]);
    let (to_ann, to_bob) = (got(&sink, "ann@to.example"), got(&sink, "bob@to.example"));

    // RFC 6068: the mail program writes what the URI says, from whichever address its owner has.
    let uris = field(&to_ann, "List-Unsubscribe");
    let mailto = uris.split_once("<mailto:").and_then(|(_, rest)| rest.split_once('>')).expect("it has one").0;
    let (address, subject) = mailto.split_once("?subject=").expect("both");
    let words = format!("From: <ann@home.example>\r\nSubject: {}\r\n\r\nplease\r\n", subject.replace("%20", " "));
    let mut client = server.client();
    client.hello();
    client.mail("ann@home.example", &[address], words.as_bytes()).expect_code(250);
    let told = server.event("feedback", |event| event["kind"] == "unsubscribe");
    let _ = server.finished(told["id"].as_str().expect("an id"));
    let lists = suppressed(&server, "news", "acme");
    assert!(lists.starts_with("ann@to.example  unsubscribe"), "{lists}");

    // RFC 5965: a feedback loop returns the header.
    let head = to_bob.text().split("\r\n\r\n").next().unwrap_or_default().to_owned();
    let report = format!(
        "From: <staff@fbl.example>\r\nTo: <fbl@bounces.example.test>\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n\
         --b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nUser-Agent: t/1\r\nVersion: 1\r\n\
         --b\r\nContent-Type: message/rfc822\r\n\r\n{head}\r\n\r\nhello\r\n--b--\r\n"
    );
    client.mail("staff@fbl.example", &["fbl@bounces.example.test"], report.as_bytes()).expect_code(250);
    let told = server.event("feedback", |event| event["kind"] == "complaint");
    let _ = server.finished(told["id"].as_str().expect("an id"));
    assert!(suppressed(&server, "everything", "beta").starts_with("bob@to.example  complaint"));
    assert_eq!(suppressed(&server, "everything", "acme"), "");

    // The next hop says it at once; of what is no list mail it says nothing to us.
    let id = send(&server, "ann@acme.test", &["other-gone@to.example"]);
    let _ = server.finished(&id);
    let id = send(&server, "billing@beta.test", &["gone@to.example"]);
    let _ = server.finished(&id);
    mailwright_tests::peers::wait_until("the bounce is heard", || {
        suppressed(&server, "everything", "beta").contains("gone@to.example  hard-bounce")
    });
    assert!(!suppressed(&server, "everything", "acme").contains("gone@"));
    // An address that is no more gets no receipts either; who complained does.
    rcpt(&server, "billing@beta.test", "gone@to.example").expect(550, "5.7.1 mail to this address came back");
    rcpt(&server, "billing@beta.test", "bob@to.example").expect_code(250);
    rcpt(&server, "news@beta.test", "bob@to.example").expect(550, "5.7.1 the recipient has complained");
}

/// What the plugin counts of an address.
fn soft_bounces(server: &Mailwright) -> String {
    lossy(&server.cli(&["plugin", "bucket", "unsubscribe", "--bucket", "soft-bounces"]).stdout)
}

#[test]
fn a_mailbox_that_is_full_again_and_again_gets_no_more() {
    // RFC 3463 3.3: full for good, as one server says it, is not gone.
    let sink = refusing("full@", "552 5.2.2 the mailbox is full");
    let mut server = serving(&sink, "");
    for count in 1..=2 {
        let id = send(&server, "news@acme.test", &["full@to.example", "ann@to.example"]);
        let _ = server.finished(&id);
        mailwright_tests::peers::wait_until("the bounce is counted", || {
            soft_bounces(&server).starts_with(&format!("soft-bounces of acme  full@to.example  {count}"))
        });
    }
    assert_eq!(suppressed(&server, "everything", "acme"), "");
    // What was counted outlives a restart, and is counted for list mail alone.
    let _ = server.stop();
    server.restart(&[]);
    let id = send(&server, "staff@acme.test", &["full@to.example"]);
    let _ = server.finished(&id);
    let id = send(&server, "news@acme.test", &["full@to.example"]);
    let _ = server.finished(&id);
    mailwright_tests::peers::wait_until("it is suppressed", || {
        suppressed(&server, "everything", "acme").starts_with("full@to.example  hard-bounce")
    });
    rcpt(&server, "news@acme.test", "full@to.example").expect(550, "5.7.1 mail to this address came back");
    // Who is taken off the list begins anew.
    assert_eq!(soft_bounces(&server), "");
}

#[test]
fn who_unsubscribes_while_mail_waits_does_not_get_it() {
    let sink = Sink::start();
    let mut server = serving(&sink, "");
    send(&server, "news@acme.test", &["ann@to.example"]);
    let link = link(&got(&sink, "ann@to.example"));
    let _ = server.stop();
    server.restart(&["delivery.paused=true"]);
    let waits = send(&server, "news@acme.test", &["ann@to.example"]);
    let post = format!("ask('POST', {link:?}, ONE, Content_Type=FORM)");
    assert_eq!(providers(&server, &post).trim(), "200");
    let _ = server.stop();
    server.restart(&[]);
    let bounced = server.event("bounced", |event| event["id"] == waits.as_str());
    assert!(bounced["reply"].as_str().is_some_and(|reply| reply.contains("5.7.1")), "{bounced}");
    assert_eq!(sink.messages().len(), 1);
}

#[test]
fn the_component_says_the_same_as_its_source() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/unsubscribe");
    let mut command = Command::new(binary());
    command.args(["plugin", "test", "builtin:unsubscribe", "--cases", "cases"]).current_dir(folder);
    command.env("UNSUBSCRIBE_LINKS", "a key for tests").env("UNSUBSCRIBE_ACME", "a secret of twenty octets");
    let told = run(command);
    assert!(told.status.success(), "{}{}", lossy(&told.stdout), lossy(&told.stderr));
}

#[test]
fn the_page_shows_a_configuration_that_works() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/plugins/unsubscribe.md");
    let text = fs::read_to_string(page).expect("there is such a page");
    let shown = text.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("it has one");
    let folder = tempfile::tempdir().expect("a directory");
    let own = |name: &str| folder.path().join(name).display().to_string();
    let (table, _) = signing_key(folder.path(), "example.org", "s2026", "ed25519");
    let key = table.lines().find_map(|line| line.strip_prefix("key = \"")).expect("it names its file");
    for name in ["unsubscribe.key", "shop.key"] {
        private(folder.path(), name, "a secret of twenty octets");
    }
    let config = shown
        .replace("/etc/mailwright/s2026.pem", key.trim_end_matches('"'))
        .replace("/etc/mailwright", &folder.path().display().to_string())
        .replace("/var/lib/mailwright", &own("data"));
    fs::write(own("config.toml"), config).expect("our own directory");
    let mut command = Command::new(binary());
    command.args(["check-config", "--config", &own("config.toml")]);
    let checked = run(command);
    assert!(checked.status.success(), "{}{}", lossy(&checked.stdout), lossy(&checked.stderr));
}
