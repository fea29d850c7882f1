//! The configurations that are shipped serve as they are written: a relay that three customers share, and a sender of
//! newsletters. Only addresses and folders are those of the test.

use mailwright_tests::dns::{NameServer, Zones};
use mailwright_tests::keys::{private, signing_key};
use mailwright_tests::peers::tls::Authority;
use mailwright_tests::peers::{lossy, python, swaks};
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::Sink;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

const PASSWORD: &str = "correct horse battery";

/// A server that is not started yet, with a shipped configuration: each text is there, and is replaced; `more` is for tests alone.
fn shipped(name: &str, replaced: &[(&str, &str)], more: &str) -> Mailwright {
    let server = Mailwright::prepare(&Setup::new());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config").join(name);
    let mut text = fs::read_to_string(path).expect("it is shipped");
    let folder = server.dir().display().to_string();
    let places = [("/etc/mailwright/", format!("{folder}/")), ("/var/lib/mailwright", format!("{folder}/data"))];
    let places = places.iter().map(|(from, to)| (*from, to.as_str()));
    for (from, to) in places.chain(replaced.iter().copied()) {
        assert!(text.contains(from), "{from} is not in {name}");
        // Comments say what it is about.
        text = text
            .lines()
            .map(|line| if line.starts_with('#') { line.into() } else { line.replace(from, to) } + "\n")
            .collect();
    }
    fs::write(server.config(), text + more).expect("our own directory");
    server
}

/// What tests need beside it: a name server, its own port for exchangers, and a log that can be read.
fn beside(dns: &NameServer, exchanger: SocketAddr) -> String {
    format!(
        "\n[delivery]\ndns_servers = [\"{}\"]\nmx_port = {}\n[storage]\nfree_bytes_min = \"1MiB\"\n\
         [log]\nformat = \"json\"\nlevel = \"debug\"\n",
        dns.address(),
        exchanger.port(),
    )
}

/// A key for signatures, where the configuration has it.
fn sign(server: &Mailwright, domain: &str, file: &str) {
    let _ = signing_key(server.dir(), domain, "s2026", "ed25519");
    let made = server.dir().join(format!("s2026._domainkey.{domain}.pem"));
    fs::rename(made, server.dir().join(file)).expect("our own directory");
}

fn relay(inside: &Sink, outside: &Sink, dns: &NameServer) -> Mailwright {
    let (next, authority) = (inside.address().to_string(), Authority::new());
    let server = shipped(
        "relay.toml",
        &[
            ("0.0.0.0:25\"", "127.0.0.1:0\""),
            ("0.0.0.0:587", "127.0.0.1:0"),
            ("203.0.113.16/28", "127.0.0.16/28"),
            ("192.0.2.10:25", &next),
            ("192.0.2.20:25", &next),
            ("192.0.2.30:25", &next),
            ("198.51.100.10", "127.0.0.40"),
            ("198.51.100.11", "127.0.0.41"),
            ("198.51.100.20", "127.0.0.42"),
            ("delay = \"1m\"", "delay = \"1s\""),
        ],
        &beside(dns, outside.address()),
    );
    authority.sign("relay", &["relay.example.net"], 2099);
    for file in ["relay.pem", "relay.key"] {
        private(server.dir(), file, &fs::read_to_string(authority.path(file)).expect("it was signed"));
    }
    for customer in ["acme", "globex", "initech"] {
        sign(&server, &format!("{customer}.example"), &format!("{customer}.pem"));
    }
    private(server.dir(), "partners", "partner.example\n");
    private(server.dir(), "users", "");
    let added = server.cli_told(&["user", "add", "ann@acme.example"], &format!("{PASSWORD}\n"));
    assert!(added.status.success(), "{}{}", lossy(&added.stdout), lossy(&added.stderr));
    server.begin(&[])
}

#[test]
fn three_customers_share_a_relay() {
    let (inside, outside) = (Sink::start(), Sink::start());
    let exchanger = Ipv4Addr::LOCALHOST;
    let dns = Zones::new().mx("elsewhere.test", 10, "mx.elsewhere.test").a("mx.elsewhere.test", exchanger).start();
    let server = relay(&inside, &outside, &dns);
    let (mx, submission) = (server.address_of("mx"), server.address_of("submission"));

    // A user of the first sends, signed by its own domain, and as itself alone.
    let user = ["--tls", "--auth", "PLAIN", "--auth-user", "ann@acme.example", "--auth-password", PASSWORD];
    let send = |from: &str| {
        let message = ["--from", from, "--to", "bob@elsewhere.test", "--header", "Subject: of a user"];
        swaks(submission, &user.iter().copied().chain(message).collect::<Vec<_>>())
    };
    let (status, said) = send("ann@acme.example");
    assert!(status.success(), "{said}");
    let sent = outside.message("mail of a user", |message| message.text().contains("of a user")).text();
    assert!(sent.contains("d=acme.example"), "{sent}");
    let (status, said) = send("eve@globex.example");
    assert!(!status.success() && said.contains(" 5.7.1 "), "{said}");

    // The third sends from its own network, and out by its own address.
    let more = ["--local-interface", "127.0.0.17", "--from", "app@initech.example", "--to", "bob@elsewhere.test"];
    let (status, said) = swaks(mx, &[&more[..], &["--header", "Subject: of an application"]].concat());
    assert!(status.success(), "{said}");
    let sent = outside.message("mail of an application", |message| message.text().contains("of an application")).text();
    assert!(sent.contains("d=initech.example"), "{sent}");
    for (sender, pool) in [("ann@acme.example", "shared"), ("app@initech.example", "initech")] {
        let id = server.event("accepted", |event| event["sender"] == sender)["id"].clone();
        let _ = server.event("routed", |event| event["id"] == id && event["pool"] == pool);
    }

    // A stranger waits as long as it is told to, comes back, and is looked at.
    let script = |attachment: &str| {
        format!(
            "import re, time\nfrom email.message import EmailMessage\nm = EmailMessage()\n\
             m['From'], m['To'], m['Subject'] = 'carl@stranger.test', 'ann@acme.example', 'of a stranger'\n\
             m['Date'], m['Message-ID'] = 'Mon, 5 Jan 2026 12:00:00 +0000', '<1@stranger.test>'\n\
             m.set_content('hello')\n\
             m.add_attachment(b'x', maintype='application', subtype='octet-stream', filename='{attachment}')\n\
             while True:\n s = smtplib.SMTP(HOST, PORT)\n try:\n  s.send_message(m); print('taken'); break\n\
             \x20except smtplib.SMTPRecipientsRefused as e:\n  code, text = e.recipients['ann@acme.example']\n\
             \x20 assert code == 451, (code, text)\n  time.sleep(int(re.search(rb'come back in (\\d+) s', text)[1]))\n\
             \x20except smtplib.SMTPDataError as e:\n  print(e.smtp_code, e.smtp_error.decode()); break\n"
        )
    };
    let said = python(mx, &script("invoice.pdf"));
    assert_eq!(said, "taken\n");
    let taken = inside.message("mail of a stranger", |message| message.text().contains("of a stranger")).text();
    assert!(taken.contains("Authentication-Results: relay.example.net"), "{taken}");
    let said = python(mx, &script("invoice.pdf.exe"));
    assert!(said.starts_with("550 5.7.1 ") && said.contains("(rule double-extension)"), "{said}");

    // Who guesses addresses is sent away.
    let mut guesser = server.client();
    guesser.hello();
    guesser.command("MAIL FROM:<carl@stranger.test>").expect_code(250);
    let slowed = (0..40)
        .map(|guess| guesser.command(&format!("RCPT TO:<u{guess}@nowhere.test>")).text())
        .find(|said| said.starts_with('4'));
    assert!(slowed.is_some(), "nobody slowed it down");
}

/// A newsletter as its application injects it.
fn newsletter(to: &str) -> String {
    format!(
        "From: News <news@shop.example>\r\nTo: <{to}>\r\nSubject: Spring\r\nPrecedence: bulk\r\nX-Campaign: spring\r\n\
         Date: Mon, 5 Jan 2026 12:00:00 +0000\r\nMessage-ID: <{to}>\r\nMIME-Version: 1.0\r\n\r\nIt is here.\r\n"
    )
}

fn bulk(outside: &Sink, dns: &NameServer) -> Mailwright {
    let server = shipped(
        "bulk.toml",
        &[
            ("127.0.0.1:2525", "127.0.0.1:0"),
            ("0.0.0.0:25\"", "127.0.0.1:0\""),
            ("127.0.0.1:8080", "127.0.0.1:0"),
            // What others see stays as it is: loopback has names that nobody looks up.
            ("= [\"198.51.100.10\"]", "= [\"127.0.0.40\"]"),
            ("= [\"198.51.100.20\", \"198.51.100.21\"]", "= [\"127.0.0.41\", \"127.0.0.42\"]"),
            ("08:00-20:00", "00:00-24:00"),
        ],
        &beside(dns, outside.address()),
    );
    sign(&server, "shop.example", "s2026.pem");
    private(server.dir(), "unsubscribe.key", "the key that signs links, of some length");
    private(server.dir(), "shop.key", "the key that the application shows");
    private(server.dir(), "zones", "reader.test Europe/Paris\n");
    server.begin(&[])
}

#[test]
fn newsletters_can_be_left_and_are_as_large_providers_want_them() {
    let outside = Sink::start();
    let texts = "_dmarc.shop.example TXT v=DMARC1; p=none\nshop.example TXT v=spf1 ip4:198.51.100.0/24 -all";
    let mut zones =
        Zones::new().texts(texts).mx("reader.test", 10, "mx.reader.test").a("mx.reader.test", Ipv4Addr::LOCALHOST);
    for last in [10, 20, 21] {
        let (address, name) = (Ipv4Addr::new(198, 51, 100, last), format!("out{last}.shop.example"));
        zones = zones.a(&name, address).ptr(address, &name);
    }
    let dns = zones.start();
    let server = bulk(&outside, &dns);
    let inject = || {
        let mut client = mailwright_tests::client::Client::connect(server.address_of("inject"));
        client.reply().expect_code(220);
        client.hello();
        client
    };

    inject().mail("news@shop.example", &["ann@reader.test"], newsletter("ann@reader.test").as_bytes()).expect_code(250);
    let sent = outside.message("the newsletter", |message| message.recipients == ["ann@reader.test"]).text();
    for words in
        ["List-Unsubscribe: <https://news.shop.example/p/unsubscribe", "One-Click", "List-Id: ", "d=shop.example"]
    {
        assert!(sent.contains(words), "{words}: {sent}");
    }
    let routed = server.event("routed", |event| event["recipient"] == "ann@reader.test");
    let (pool, campaign, priority) = (&routed["pool"], &routed["campaign"], &routed["priority"]);
    assert_eq!((pool.as_str(), campaign.as_str(), priority.as_str()), (Some("news"), Some("spring"), Some("bulk")));

    // A receipt has no link, and another way.
    let receipt = "From: <receipts@shop.example>\r\nSubject: Receipt\r\n\r\nThank you.\r\n";
    inject().mail("receipts@shop.example", &["ann@reader.test"], receipt.as_bytes()).expect_code(250);
    let sent = outside.message("the receipt", |message| message.text().contains("Subject: Receipt")).text();
    assert!(!sent.contains("\nList-Unsubscribe"), "{sent}");
    let _ = server.event("routed", |event| event["pool"] == "receipts" && event["priority"] == "transactional");

    // What providers would not take is refused, in words.
    let poor = newsletter("bob@reader.test").replace("news@shop.example", "news@elsewhere.test");
    let said = inject().mail("news@elsewhere.test", &["bob@reader.test"], poor.as_bytes());
    said.expect_code(550);
    assert!(said.text().contains("elsewhere.test has no DMARC policy"), "{}", said.text());

    // A third newsletter in a week waits.
    for _ in 0..2 {
        inject()
            .mail("news@shop.example", &["ann@reader.test"], newsletter("ann@reader.test").as_bytes())
            .expect_code(250);
    }
    let _ = server.event("routed", |event| event["pool"] == "news" && event["begins_in_ms"].as_u64() > Some(60_000));
}
