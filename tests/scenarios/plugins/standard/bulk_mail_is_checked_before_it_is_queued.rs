//! `builtin:compliance` lets a newsletter pass that has all that large providers demand, and says to the sender of another
//! what is missing.

use super::{cases, page_is_sound};
use mailwright_tests::dns::{NameServer, Zones};
use mailwright_tests::keys::signing_key;
use mailwright_tests::metrics::Metrics;
use mailwright_tests::peers;
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::Sink;
use std::net::Ipv4Addr;

const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 25);

const GOOD: &str = "From: News <news@shop.test>\nTo: readers@shop.test\nSubject: Spring\n\
    Date: Mon, 5 Jan 2026 12:00:00 +0000\nMessage-ID: <1@shop.test>\nList-Id: <news.shop.test>\n\
    List-Unsubscribe: <https://shop.test/u/1>\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\n\nIt is here.\n";

/// A world in which the newsletter of shop.test is as it should be, and that of poor.test is not.
fn zones() -> NameServer {
    let texts = "_dmarc.shop.test TXT v=DMARC1; p=none\nshop.test TXT v=spf1 include:esp.test -all\n\
        esp.test TXT v=spf1 ip4:192.0.2.0/24 -all\npoor.test TXT v=spf1 ip4:198.51.100.1 -all";
    Zones::new().texts(texts).a("out.esp.test", ADDRESS).ptr(ADDRESS, "out.esp.test").start()
}

fn plugin(config: &str) -> String {
    format!(
        "[[plugin]]\nname = \"compliance\"\nsource = \"builtin:compliance\"\n\
         allow = [\"dns\", \"kv:compliance\", \"log\", \"metrics\"]\nedit = [\"headers\"]\n\
         [plugin.config]\naddresses = [\"{ADDRESS}\"]\n{config}"
    )
}

fn start(dns: &NameServer, sink: &Sink, config: &str) -> Mailwright {
    let server = Mailwright::prepare(&Setup::new());
    let (table, _) = signing_key(server.dir(), "shop.test", "s1", "ed25519");
    let setup = Setup::new().dns(dns.address(), 25).smarthost("*", sink.address());
    server.configure(&setup.table(&table).table(&plugin(config)));
    server.begin(&[])
}

/// What the server says to a message of that sender, by swaks.
fn swaks(server: &Mailwright, from: &str, message: &str) -> (bool, String) {
    let file = server.dir().join("message.eml");
    std::fs::write(&file, message).expect("our own directory");
    let data = format!("@{}", file.display());
    let arguments = ["--from", from, "--to", "ann@to.test", "--suppress-data", "--data", &data];
    let (status, said) = peers::swaks(server.address(), &arguments);
    (status.success(), said)
}

#[test]
fn a_good_newsletter_goes_out_signed_and_a_poor_one_is_refused_with_the_reason() {
    let (dns, sink) = (zones(), Sink::start());
    let config = "action = \"reject\"\nhelp = \"https://esp.test/bulk\"\n";
    let server = start(&dns, &sink, config);
    let (accepted, said) = swaks(&server, "bounces@shop.test", GOOD);
    assert!(accepted, "{said}");
    let out = sink.message("the newsletter", |message| message.text().contains("Subject: Spring")).text();
    assert!(out.contains("DKIM-Signature: ") && out.contains("d=shop.test"), "{out}");

    let poor = GOOD.replace("shop.test", "poor.test").replace("List-Unsubscribe-Post", "X-Post");
    let (accepted, said) = swaks(&server, "bounces@poor.test", &poor);
    assert!(!accepted && said.contains("550 5.7.1 "), "{said}");
    for words in
        ["unsubscribe: the link does not promise", "dmarc: poor.test has no DMARC policy", "https://esp.test/bulk"]
    {
        assert!(said.contains(words), "{words}: {said}");
    }
    let whole = poor.replace("X-Post", "List-Unsubscribe-Post");
    for words in ["nobody here signs for poor.test", "does not allow 192.0.2.25 (fail)", "neither DKIM nor SPF"] {
        let _ = server.event("plugin-log", |event| event["message"].as_str().is_some_and(|told| told.contains(words)));
    }
    let (accepted, said) = swaks(&server, "bounces@poor.test", &whole);
    assert!(!accepted && !said.contains("unsubscribe:"), "{said}");

    // A letter is no bulk mail, whatever it lacks.
    let (accepted, said) = swaks(&server, "me@poor.test", "From: me@poor.test\nSubject: hello\n\nhello\n");
    assert!(accepted, "{said}");
    let metrics = Metrics::of(&server);
    assert!(metrics.get("mailwright_plugin_compliance_checked_total{plugin=\"compliance\",outcome=\"clean\"}") > 0.5);
    assert!(
        metrics
            .get("mailwright_plugin_compliance_findings_total{plugin=\"compliance\",action=\"reject\",check=\"spf\"}")
            > 1.5
    );
}

#[test]
fn what_is_found_holds_a_message_or_is_told_in_its_header() {
    let (dns, sink) = (zones(), Sink::start());
    let config = "header = \"X-Compliance\"\n[plugin.config.checks]\ndate = \"hold\"\n";
    let server = start(&dns, &sink, config);
    let gmail = GOOD.replace("news@shop.test", "shop@gmail.com");
    let (accepted, said) = swaks(&server, "bounces@shop.test", &gmail);
    assert!(accepted, "{said}");
    let out = sink.message("with a warning", |message| message.text().contains("X-Compliance: ")).text();
    assert!(out.contains("X-Compliance: freemail, dkim"), "{out}");
    let (accepted, said) = swaks(&server, "bounces@shop.test", &GOOD.replace("Date: Mon, 5 Jan", "Date: 2026, 5 Jan"));
    assert!(accepted, "{said}");
    let held = server.event("message-held", |event| event["plugin"] == "compliance");
    assert!(held["reason"].as_str().is_some_and(|reason| reason.contains("date: ")), "{held}");
    let rows = server.queue();
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0]["recipients"][0]["state"], "held", "{rows:?}");
}

#[test]
fn what_strangers_send_is_not_its_business() {
    let (dns, sink) = (zones(), Sink::start());
    let setup = Setup::new().set("relay", "networks = []").set("relay", "domains = [\"to.test\"]");
    let setup = setup.dns(dns.address(), 25).smarthost("*", sink.address());
    let server = Mailwright::start(&setup.table(&plugin("action = \"reject\"\n")));
    let (accepted, said) = swaks(&server, "bounces@poor.test", &GOOD.replace("shop.test", "poor.test"));
    assert!(accepted, "{said}");
}

#[test]
fn what_its_page_shows_is_sound() {
    page_is_sound("compliance.md", &[]);
}

#[test]
fn its_cases_come_out_the_same_in_the_sandbox() {
    assert!(cases("compliance").ends_with("3 of 3 cases are as expected\n"));
}
