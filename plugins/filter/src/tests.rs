//! Whole messages through whole configurations, natively: the engine of the expressions is the server's.

use crate::Filter;
use crate::facts::archive::samples;
use mailwright_plugin::config::from_json;
use mailwright_plugin::message::Part;
use mailwright_plugin::testing::{self, Message, Metric, auth_result, scene};
use mailwright_plugin::{Address, Disposition, Gate, Rcpt};

fn filter(json: &str) -> Filter {
    Filter::configure(from_json(json).expect("it fits its types")).expect("it is sound")
}

/// A message from ann@a.test with these fields besides, and a text.
fn stage(fields: &[(&str, &str)], text: &str) {
    let from = ("From", "Ann <ann@a.test>");
    let headers = [from].iter().chain(fields).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    scene(|scene| {
        scene.session = Some(testing::session("192.0.2.1"));
        scene.message = Some(Message {
            sender: Some(Address::new("ann", "a.test")),
            recipients: vec![Address::new("bob", "b.test"), Address::new("cid", "c.test")],
            headers,
            body: text.as_bytes().to_vec(),
            ..Message::default()
        });
    });
}

/// Puts a text and an attachment into the message.
fn attach(name: &str, kind: &str, octets: &[u8]) {
    let part = |id: u32, content_type: &str, filename: Option<&str>, size: u64| Part {
        id,
        parent: (id > 0).then_some(0),
        content_type: content_type.to_owned(),
        charset: None,
        filename: filename.map(ToOwned::to_owned),
        size,
        offset: 0,
        len: size,
    };
    scene(|scene| {
        let message = scene.message.as_mut().expect("it was set");
        message.parts = vec![
            (part(0, "multipart/mixed", None, 0), Vec::new()),
            (part(1, "text/plain", None, message.body.len() as u64), message.body.clone()),
            (part(2, kind, Some(name), octets.len() as u64), octets.to_vec()),
        ];
    });
}

fn said(json: &str) -> String {
    match filter(json).on_data().expect("no fault") {
        Disposition::Next => "next".to_owned(),
        Disposition::Accept => "accept".to_owned(),
        Disposition::Tempfail(reply) | Disposition::Reject(reply) => format!("{} {}", reply.code, reply.text),
        Disposition::Quarantine(reason) => format!("quarantine {reason}"),
        Disposition::Discard(reason) => format!("discard {reason}"),
    }
}

/// One rule that rejects under these conditions: whether it did.
fn matches(conditions: &str) -> bool {
    let json = format!(r#"{{"rule":[{{"name":"r","action":"reject","when":{conditions}}}]}}"#);
    said(&json) == "550 this message is not taken here (rule r)"
}

#[test]
fn each_condition_looks_at_its_part_of_the_message() {
    stage(&[("Subject", "You have WON"), ("X-A", "1")], "claim your prize\r\n");
    attach("Report.PDF", "application/pdf", &[0; 3000]);
    scene(|scene| {
        let session = scene.session.as_mut().expect("it was set");
        session.helo = Some("dyn-1.isp.test".to_owned());
        session.auth_user = Some("ann".to_owned());
        let message = scene.message.as_mut().expect("it was set");
        message.auth_results = vec![auth_result("dmarc", "fail", "a.test"), auth_result("spf", "pass", "a.test")];
        scene.tables.insert("known".to_owned(), [("a.test".to_owned(), String::new())].into());
    });
    for holds in [
        r#"{"peer":["198.51.100.0/24","192.0.2.0/24"]}"#,
        r#"{"helo":["dyn-*"]}"#,
        r#"{"user":["*"]}"#,
        r#"{"sender":["a.test"]}"#,
        r#"{"recipient":["cid@*"]}"#,
        r#"{"header":{"subject":["you have won"]}}"#,
        r#"{"header":{"*":["^X-A: 1$"]}}"#,
        r#"{"missing":["Date"]}"#,
        r#"{"result":["dmarc=fail"]}"#,
        r#"{"result":["spf=pass A.test"]}"#,
        r#"{"table":{"known":"sender-domain"}}"#,
        r#"{"table":{"known":"from-domain"}}"#,
        r#"{"size_min":10}"#,
        r#"{"attachments_min":1}"#,
        r#"{"attachment":{"name":["*.pdf"],"type":["application/*"],"size_min":"1KiB"}}"#,
        r#"{"body":["nothing","your prize"]}"#,
        r#"{"body":["prize"],"sender":["a.test"],"header":{"Subject":["won"]}}"#,
        "{}",
    ] {
        assert!(matches(holds), "{holds}");
    }
    for fails in [
        r#"{"peer":["198.51.100.0/24"]}"#,
        r#"{"helo":["dyn"]}"#,
        r#"{"user":["bob"]}"#,
        r#"{"sender":["<>"]}"#,
        r#"{"recipient":["bob@c.test"]}"#,
        r#"{"header":{"Subject":["(?-i)won"]}}"#,
        r#"{"missing":["From"]}"#,
        r#"{"result":["spf=pass b.test"]}"#,
        r#"{"table":{"known":"recipient-domain"}}"#,
        r#"{"size_min":"1MiB"}"#,
        r#"{"attachments_min":2}"#,
        r#"{"attachment":{"name":["*.pdf"],"size_min":"1MiB"}}"#,
        r#"{"attachment":{"inside":["*"]}}"#,
        r#"{"body":["prize"],"sender":["b.test"]}"#,
    ] {
        assert!(!matches(fails), "{fails}");
    }
}

#[test]
fn an_exception_keeps_a_rule_from_matching() {
    stage(&[], "prize\r\n");
    let rule = |unless: &str| {
        said(&format!(r#"{{"rule":[{{"name":"r","action":"reject","when":{{"body":["prize"]}},"unless":{unless}}}]}}"#))
    };
    assert_eq!(rule(r#"{"sender":["a.test"]}"#), "next");
    assert_eq!(rule(r#"{"sender":["b.test"]}"#), "550 this message is not taken here (rule r)");
}

#[test]
fn scores_are_added_up_and_thresholds_decide() {
    stage(&[("Subject", "prize")], "prize\r\n");
    let rules = r#""rule":[{"name":"one","score":4,"when":{"body":["prize"]},"text":"no prizes"},
        {"name":"two","score":3,"when":{"header":{"Subject":["prize"]}}},
        {"name":"three","score":9,"when":{"body":["gold"]}}]"#;
    assert_eq!(said(&format!("{{{rules}}}")), "quarantine score 7: one 4, two 3");
    let stricter =
        r#""threshold":[{"score":7,"action":"reject"},{"score":3,"tags":{"spam":"yes"},"headers":{"X-Spam":"yes"}}]"#;
    assert_eq!(said(&format!("{{{rules},{stricter}}}")), "550 no prizes (rule one)");
    let (tag, field) = scene(|scene| {
        let message = scene.message.as_ref().expect("it was set");
        (message.tags.get("spam").cloned(), message.headers[0].clone())
    });
    assert_eq!((tag.as_deref(), &*field.0), (Some("yes"), "X-Spam"), "every threshold that is reached");
    let own_words = r#""threshold":[{"score":7,"action":"tempfail","text":"later"}]"#;
    assert_eq!(said(&format!("{{{rules},{own_words}}}")), "451 later (rule one)");
    let log = scene(|scene| scene.log.last().map(|(_, line)| line.clone()));
    assert_eq!(log.as_deref(), Some("tempfail; score 7: one 4, two 3"));
    let counted = Metric::Added("rule_matches".to_owned(), vec![("rule".to_owned(), "two".to_owned())], 1);
    assert!(scene(|scene| scene.metrics.contains(&counted)));
}

#[test]
fn by_first_match_the_first_decides() {
    stage(&[], "prize\r\n");
    let json = |first: &str| format!(r#"{{"mode":"first-match","rule":[{first},{{"name":"b","action":"reject"}}]}}"#);
    assert_eq!(said(&json(r#"{"name":"a","score":6}"#)), "quarantine score 6: a 6");
    assert_eq!(said(&json(r#"{"name":"a","action":"pass"}"#)), "next");
    assert_eq!(said(&json(r#"{"name":"a","action":"accept"}"#)), "accept");
    assert_eq!(said(&json(r#"{"name":"a","action":"discard"}"#)), "discard a");
    assert_eq!(said(&json(r#"{"name":"a","tags":{"seen":"yes"}}"#)), "550 this message is not taken here (rule b)");
}

#[test]
fn a_redirect_takes_the_place_of_all_recipients() {
    stage(&[], "prize\r\n");
    let json = r#"{"rule":[{"name":"a","redirect":"abuse@b.test"},{"name":"b","action":"reject"}]}"#;
    assert_eq!(said(json), "next");
    let recipients = scene(|scene| scene.message.as_ref().map(|message| message.recipients.clone()));
    assert_eq!(recipients, Some(vec![Address::new("abuse", "b.test")]));
    let many = (0..100).map(|n| Address::new(&format!("u{n}"), "b.test")).collect();
    scene(|scene| scene.message.as_mut().expect("it was set").recipients = many);
    assert_eq!(said(json), "quarantine too many recipients to redirect; a");
}

#[test]
fn a_report_takes_the_place_of_what_was_forged() {
    stage(&[("X-Filter", "score 0"), ("X-Filter", "fine")], "prize\r\n");
    let json = r#"{"report_header":"X-Filter","rule":[{"name":"a","score":2}]}"#;
    assert_eq!(said(json), "next");
    let fields = scene(|scene| scene.message.as_ref().map(|message| message.headers.clone())).expect("it is there");
    let reports: Vec<&str> = fields.iter().filter(|(name, _)| name == "X-Filter").map(|(_, value)| &**value).collect();
    assert_eq!(reports, ["score 2: a 2"]);
}

#[test]
fn early_rules_decide_for_each_recipient() {
    scene(|scene| {
        scene.session = Some(testing::session("192.0.2.1"));
        scene.dns.lists.insert(("bad.test".to_owned(), "192.0.2.1".to_owned()), vec!["127.0.0.4".to_owned()]);
        scene.dns.lists.insert(("odd.test".to_owned(), "192.0.2.1".to_owned()), vec!["127.255.255.254".to_owned()]);
        scene.dns.failing.insert("dead.test".to_owned(), mailwright_plugin::dns::Error::Timeout);
    });
    let asked = |lists: &str, to: &str| {
        let json = format!(
            r#"{{"rule":[{{"name":"ours","at":"rcpt","action":"accept","when":{{"recipient":["postmaster@*"]}}}},
            {{"name":"listed","at":"rcpt","action":"reject","text":"you are listed","when":{{"dnsbl":[{lists}]}}}}]}}"#
        );
        let rcpt = Rcpt { sender: None, to: Address::new(to, "b.test"), params: Vec::new() };
        filter(&json).on_rcpt(&rcpt).expect("no fault")
    };
    assert_eq!(asked(r#""bad.test""#, "postmaster"), Gate::Accept);
    assert!(
        matches!(asked(r#""dead.test", "bad.test""#, "ann"), Gate::Reject(reply) if reply.text == "you are listed (rule listed)")
    );
    assert_eq!(scene(|scene| scene.log[1].1.clone()), "the list dead.test does not answer (dns: timeout)");
    assert!(matches!(asked(r#""bad.test=127.0.0.4""#, "ann"), Gate::Reject(_)));
    assert_eq!(asked(r#""bad.test=127.0.0.2", "odd.test""#, "ann"), Gate::Next);
}

/// The standard rules' words on the message.
fn standard() -> String {
    said(r#"{"standard":true,"own_domains":["b.test"],"threshold":[{"score":1,"action":"quarantine"}]}"#)
}

#[test]
fn standard_rules_know_names() {
    for (name, rules) in [
        ("report.pdf", "next"),
        ("invoice.pdf.exe", "quarantine score 20: double-extension 10, program 10"),
        ("setup.EXE", "quarantine score 10: program 10"),
        ("a.iso", "quarantine score 6: disk-image 6"),
        ("a.xlsm", "quarantine score 3: macros 3"),
        ("a\u{202e}fdp.txt", "quarantine score 6: hidden-name 6"),
    ] {
        stage(&[], "hello\r\n");
        attach(name, "application/octet-stream", b"12345");
        assert_eq!(standard(), rules, "{name:?}");
    }
    stage(&[], "hello\r\n");
    attach("hello.exe", "message/rfc822", b"");
    assert_eq!(standard(), "next", "a message is called what its author likes");
    attach("hello", "message/rfc822", b"aGVsbG8=");
    assert_eq!(standard(), "quarantine score 4: encoded-message 4");
    scene(|scene| scene.message.as_mut().expect("it was set").other_names = vec![(2, "a.scr".to_owned())]);
    attach("a.pdf", "application/pdf", b"12345");
    assert_eq!(standard(), "quarantine score 10: program 10", "by its second name");
}

#[test]
fn standard_rules_look_into_archives() {
    let program: &[(&str, &[u8])] = &[("sub/setup.exe", b"MZ")];
    let script: &[(&str, &[u8])] = &[("src/index.js", b"1")];
    for (name, octets, rules) in [
        ("a.zip", samples::zip(program, true), "quarantine score 6: packed-program 6"),
        ("scan.png", samples::octets(samples::SEVEN_PACKED), "quarantine score 6: packed-program 6"),
        ("a.tgz", samples::gzip(None, &samples::tar(program)), "quarantine score 6: packed-program 6"),
        (
            "a.zip",
            samples::zip(&[("b.zip", &samples::zip(program, true))], true),
            "quarantine score 6: packed-program 6",
        ),
        ("invoice.exe.gz", samples::gzip(None, b"MZ"), "quarantine score 6: packed-program 6"),
        ("a.tar", samples::tar(script), "next"),
        ("a.7z", samples::octets(samples::SEVEN_HIDDEN), "quarantine score 2: locked-archive 2"),
        (
            "a.rar",
            samples::rar(0, &[samples::rar_file(0, 0x33, b"b.zip", b"?")]),
            "quarantine score 2: unseen-archive 2",
        ),
        ("a.tar", samples::tar(program)[..700].to_vec(), "quarantine score 12: packed-program 6, unreadable 6"),
    ] {
        stage(&[], "hello\r\n");
        attach(name, "application/octet-stream", &octets);
        assert_eq!(standard(), rules, "{name}");
    }
    stage(&[], "hello\r\n");
    attach("winmail.dat", "application/ms-tnef", &samples::tnef("SETUP~1.EXE", "setup.pdf.exe", b"MZ"));
    assert_eq!(standard(), "quarantine score 20: double-extension 10, program 10");
    attach("winmail.dat", "application/ms-tnef", &samples::tnef("a.zip", "a.zip", &samples::zip(program, true)));
    assert_eq!(standard(), "quarantine score 6: packed-program 6");
    assert!(matches(r#"{"attachment":{"name":["a.zip"],"inside":["*/setup.exe"],"size_min":100}}"#));
}

#[test]
fn standard_rules_know_authors() {
    let with = |from: &str, results: &[(&str, &str, &str)]| {
        stage(&[], "hello\r\n");
        scene(|scene| {
            let message = scene.message.as_mut().expect("it was set");
            message.headers = vec![("From".to_owned(), from.to_owned())];
            message.auth_results =
                results.iter().map(|(method, outcome, of)| auth_result(method, outcome, of)).collect();
        });
        standard()
    };
    let failed = [("spf", "fail", "evil.test"), ("dkim", "pass", "evil.test"), ("dmarc", "fail", "b.test")];
    assert_eq!(with("Boss <boss@b.test>", &failed), "quarantine score 6: forged-own-domain 6");
    assert_eq!(with("Boss <boss@mail.b.test>", &failed), "quarantine score 6: forged-own-domain 6");
    assert_eq!(with("Boss <boss@b.test>", &[("dkim", "pass", "b.test")]), "next");
    assert_eq!(with("Boss <boss@b.test>", &[]), "next", "it is of our own clients");
    assert_eq!(with("Ann <ann@notb.test>", &failed), "next");
    assert_eq!(
        with("\"boss@b.test\" <x@evil.test>", &failed),
        "quarantine score 6: own-domain-in-name 4, other-address-in-name 2"
    );
    assert_eq!(with("ann@a.test <ann@a.test>", &failed), "next");
    assert_eq!(with("nobody", &failed), "quarantine score 3: no-author 3");
    stage(&[("From", "x@x.test")], "hello\r\n");
    assert_eq!(standard(), "quarantine score 6: several-from 6");
}

#[test]
fn standard_rules_can_be_switched_off_and_weighed() {
    stage(&[], "hello\r\n");
    attach("a.pdf.exe", "application/pdf", b"12345");
    let json = r#"{"standard":true,"standard_scores":{"program":0,"double-extension":5}}"#;
    assert_eq!(said(json), "next", "5 is below what is held");
    assert_eq!(
        scene(|scene| scene.log.last().map(|(_, line)| line.clone())).as_deref(),
        Some("pass; score 5: double-extension 5")
    );
    assert_eq!(said("{}"), "next", "they are off unless the operator says so");
}

#[test]
fn tables_that_are_not_granted_are_told_at_the_load() {
    let json = r#"{"rule":[{"name":"a","score":1,"unless":{"table":{"friends":"sender"}}}]}"#;
    let words = filter(json).self_test().expect_err("the scene has no table");
    assert_eq!(words, "a rule names the table \"friends\": give it allow = [\"tables:friends\"]");
    scene(|scene| scene.tables.insert("friends".to_owned(), Default::default()));
    assert_eq!(filter(json).self_test(), Ok(()));
}

#[test]
fn thousands_of_rules_are_asked_in_one_pass_and_named_within_bounds() {
    let rule = |n: usize| format!(r#"{{"name":"r{n}","score":1,"when":{{"body":["word{n}[a-z]*!"]}}}}"#);
    let rules: Vec<String> = (0..2000).map(rule).collect();
    let json = format!(r#"{{"rule":[{}],"threshold":[{{"score":1,"action":"discard"}}]}}"#, rules.join(","));
    stage(&[], "word17x! and word1999!\r\n");
    assert_eq!(said(&json), "discard score 2: r17 1, r1999 1");
    let all: String = (0..2000).map(|n| format!("word{n}! ")).collect();
    stage(&[], &all);
    let words = said(&json);
    assert!(words.starts_with("discard score 2000: r0 1, ") && words.ends_with("r39 1, ..."), "{words}");
}
