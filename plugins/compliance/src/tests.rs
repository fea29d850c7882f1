//! Newsletters as senders write them, and what is made of them.

use super::*;
use mailwright_plugin::config::from_json;
use mailwright_plugin::message::OutgoingTls;
use mailwright_plugin::testing::{self, Message, scene};
use mailwright_plugin::{Address, dns};

const GOOD: [(&str, &str); 7] = [
    ("From", "News <news@shop.example>"),
    ("Subject", "Spring"),
    ("Date", "Mon, 5 Jan 2026 12:00:00 +0000"),
    ("Message-ID", "<1@shop.example>"),
    ("List-Id", "<news.shop.example>"),
    ("List-Unsubscribe", "<https://shop.example/u/1>"),
    ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
];

/// A world in which the good newsletter is good.
fn stage(headers: &[(&str, &str)]) {
    scene(|scene| {
        scene.session = Some(testing::session("127.0.0.1"));
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let signer = message::Signer {
            domain: "shop.example".to_owned(),
            selector: "s1".to_owned(),
            algorithm: "ed25519-sha256".to_owned(),
        };
        scene.message = Some(Message {
            headers,
            sender: Some(Address::new("bounces", "mail.shop.example")),
            recipients: vec![Address::new("ann", "a.test")],
            signers: Some(vec![signer]),
            ..Message::default()
        });
        let text = |text: &str| vec![text.as_bytes().to_vec()];
        scene.dns.txt.insert("_dmarc.shop.example".to_owned(), text("v=DMARC1; p=none"));
        scene.dns.ptr.insert("192.0.2.25".to_owned(), vec!["mx.shop.example".to_owned()]);
        scene.dns.a.insert("mx.shop.example".to_owned(), vec!["192.0.2.25".to_owned()]);
        scene.dns.spf.insert(("192.0.2.25".to_owned(), "mail.shop.example".to_owned()), "pass".to_owned());
    });
}

fn plugin(json: &str) -> Compliance {
    Compliance::configure(from_json(json).expect("it fits")).expect("it is sound")
}

const ALL: &str = r#"{ "action": "reject", "addresses": ["192.0.2.25"] }"#;

/// The names of what was found.
fn found(json: &str) -> Vec<String> {
    let answer = plugin(json).on_data().expect("the stage answers");
    let tag = scene(|scene| scene.message.as_ref().and_then(|message| message.tags.get("compliance").cloned()));
    assert_eq!(answer == Disposition::Next, tag.is_none(), "{answer:?} {tag:?}");
    tag.map(|tag| tag.split(", ").map(str::to_owned).collect()).unwrap_or_default()
}

/// The good newsletter with one field changed, or taken away.
fn without(name: &str, value: Option<&str>) -> Vec<String> {
    let changed: Vec<(&str, &str)> = GOOD
        .iter()
        .filter_map(|(known, old)| if *known == name { value.map(|value| (name, value)) } else { Some((*known, *old)) })
        .collect();
    stage(&changed);
    found(ALL)
}

#[test]
fn a_good_newsletter_passes_and_each_fault_is_found() {
    stage(&GOOD);
    assert_eq!(found(ALL), Vec::<String>::new());
    assert_eq!(without("Date", None), ["date"]);
    assert_eq!(without("Message-ID", Some("1")), ["message_id"]);
    assert_eq!(without("List-Unsubscribe-Post", None), ["unsubscribe"]);
    assert_eq!(without("From", Some("a@shop.example, b@shop.example")), ["from"]);
}

#[test]
fn what_others_see_is_checked() {
    let with = |change: &dyn Fn(&mut testing::Scene)| {
        stage(&GOOD);
        scene(|scene| {
            scene.kv.clear();
            change(scene);
        });
        found(ALL)
    };
    fn signers(scene: &mut testing::Scene) -> &mut Vec<message::Signer> {
        scene.message.as_mut().and_then(|message| message.signers.as_mut()).expect("it was set")
    }
    let spf = |outcome: &str| {
        with(&|scene| {
            let key = ("192.0.2.25".to_owned(), "mail.shop.example".to_owned());
            scene.dns.spf.insert(key, outcome.to_owned());
        })
    };
    assert_eq!((spf("pass"), spf("softfail"), spf("none")), (vec![], vec!["spf".to_owned()], vec!["spf".to_owned()]));
    assert_eq!(spf("temperror"), Vec::<String>::new(), "nobody can help it");
    assert_eq!(with(&|scene| scene.dns.ptr.clear()), ["rdns"]);
    assert_eq!(with(&|scene| scene.dns.txt.clear()), ["dmarc"]);
    assert_eq!(with(&|scene| signers(scene).clear()), ["dkim"], "SPF is aligned");
    let both = with(&|scene| {
        signers(scene).clear();
        if let Some(message) = &mut scene.message {
            message.sender = Some(Address::new("bounces", "esp.example"));
        }
        scene.dns.spf.insert(("192.0.2.25".to_owned(), "esp.example".to_owned()), "pass".to_owned());
    });
    assert_eq!(both, ["dkim", "alignment"]);
    let strict = with(&|scene| {
        let record = vec![b"v=DMARC1; p=none; adkim=s; aspf=s".to_vec()];
        scene.dns.txt.insert("_dmarc.shop.example".to_owned(), record);
        signers(scene)[0].domain = "mail.shop.example".to_owned();
    });
    assert_eq!(strict, ["dkim", "alignment"]);
    assert_eq!(with(&|scene| scene.message.as_mut().expect("it was set").tls_to = Some(OutgoingTls::Off)), ["tls"]);
}

#[test]
fn nobody_writes_as_a_mailbox_provider() {
    stage(&GOOD);
    scene(|scene| {
        let message = scene.message.as_mut().expect("it was set");
        message.headers[0].1 = "shop@gmail.com".to_owned();
        message.signers = Some(Vec::new());
        scene.dns.txt.insert("_dmarc.gmail.com".to_owned(), vec![b"v=DMARC1; p=none; sp=quarantine".to_vec()]);
    });
    assert_eq!(found(ALL), ["freemail", "dkim", "alignment"]);
}

#[test]
fn only_our_own_bulk_mail_is_looked_at() {
    stage(&GOOD[..1]);
    assert_eq!(found(ALL), Vec::<String>::new(), "a letter");
    stage(&[GOOD[0], ("Precedence", "bulk")]);
    assert_eq!(found(ALL), ["date", "message_id", "unsubscribe"]);
    stage(&GOOD[..1]);
    assert_eq!(found(r#"{ "action": "hold", "bulk": { "recipients_min": 2 } }"#), Vec::<String>::new());
    scene(|scene| scene.message.as_mut().expect("it was set").recipients.push(Address::new("bob", "a.test")));
    assert_eq!(found(r#"{ "action": "hold", "bulk": { "recipients_min": 2 } }"#).len(), 3);
    stage(&GOOD[4..5]);
    scene(|scene| scene.message.as_mut().expect("it was set").signers = None);
    assert_eq!(found(ALL), Vec::<String>::new(), "a stranger's");
}

#[test]
fn the_worst_finding_says_what_follows_and_the_reply_why() {
    let bad = [GOOD[0], GOOD[4]];
    let json = r#"{ "action": "hold", "checks": { "date": "warn", "message_id": "off", "unsubscribe": "ACTION" },
        "help": "https://esp.example/bulk", "header": "X-Compliance" }"#;
    let answer = |action: &str| {
        stage(&bad);
        plugin(&json.replace("ACTION", action)).on_data().expect("the stage answers")
    };
    let Disposition::Reject(reply) = answer("reject") else { panic!("it is refused") };
    let status = reply.enhanced.expect("it has one");
    assert_eq!((reply.code, status.class, status.subject, status.detail), (550, 5, 7, 1));
    assert!(
        reply.text.contains("unsubscribe: there is no https link") && reply.text.contains("; date: "),
        "{}",
        reply.text
    );
    assert!(reply.text.ends_with("(https://esp.example/bulk)") && reply.text.len() <= 512, "{}", reply.text);
    assert!(matches!(answer("hold"), Disposition::Quarantine(reason) if reason.contains("https link")));
    assert_eq!(answer("warn"), Disposition::Next);
    let header = scene(|scene| scene.message.as_ref().and_then(|message| message.headers.first().cloned()));
    assert_eq!(header, Some(("X-Compliance".to_owned(), "date, unsubscribe".to_owned())));
}

#[test]
fn submission_and_the_plugin_behind_add_what_is_missing() {
    stage(&[GOOD[0], GOOD[4]]);
    scene(|scene| scene.session.as_mut().expect("it was set").auth_user = Some("shop".to_owned()));
    assert_eq!(found(r#"{ "unsubscribe_added": true }"#), Vec::<String>::new());
}

#[test]
fn answers_are_kept_for_a_while_and_failures_are_not() {
    stage(&GOOD);
    assert_eq!(found(ALL), Vec::<String>::new());
    scene(|scene| {
        scene.dns.txt.clear();
        scene.dns.ptr.clear();
        scene.dns.spf.clear();
    });
    assert_eq!(found(ALL), Vec::<String>::new(), "it is remembered");
    scene(|scene| scene.now_ms += 600_000);
    assert_eq!(found(ALL), ["dmarc", "spf", "rdns"]);
    stage(&GOOD);
    scene(|scene| {
        scene.kv.clear();
        scene.dns.failing.insert("_dmarc.shop.example".to_owned(), dns::Error::Servfail);
    });
    assert_eq!(found(ALL), Vec::<String>::new());
    scene(|scene| {
        scene.dns.failing.clear();
        scene.dns.txt.clear();
    });
    assert_eq!(found(ALL), ["dmarc"], "it is asked again");
}

#[test]
fn what_can_not_be_checked_is_told_at_once() {
    for (json, words) in [
        (r#"{ "checks": { "spf": "reject" } }"#, "checks.spf: it is about the addresses"),
        (r#"{ "addresses": ["mx.example"] }"#, "addresses: \"mx.example\" is no IP address"),
        (r#"{ "header": "X A" }"#, "header: \"X A\" is no field name"),
    ] {
        let Err(Fault::InvalidConfig(told)) = Compliance::configure(from_json(json).expect("it fits")) else {
            panic!("{json}")
        };
        assert!(told.contains(words), "{told}");
    }
}
