//! Who waits for how long, and who does not.

use super::*;
use mailwright_plugin::config::from_json;
use mailwright_plugin::testing::{self, Message, scene};

fn plugin(json: &str) -> Greylist {
    Greylist::configure(from_json(json).expect("it fits")).expect("it is sound")
}

fn address(text: &str) -> Address {
    testing::delivery(text).recipient
}

/// Asks at that second: the reply, or nothing.
fn ask(json: &str, at: u64, peer: &str, from: &str, to: &str) -> Option<String> {
    scene(|scene| {
        scene.session = Some(testing::session(peer));
        scene.now_ms = 1_000_000_000 + at * 1000;
    });
    let sender = (!from.is_empty()).then(|| address(from));
    match plugin(json).on_rcpt(&Rcpt { sender, to: address(to), params: Vec::new() }).expect("the scene grants it") {
        Gate::Next => None,
        Gate::Tempfail(reply) => {
            assert_eq!((reply.code, reply.enhanced.map(|status| status.detail)), (451, Some(1)));
            Some(reply.text)
        }
        other => panic!("{other:?}"),
    }
}

const DAY: u64 = 86_400;

#[test]
fn who_is_new_waits_and_comes_back_from_its_network() {
    let ask = |at, peer, from, to| ask("{}", at, peer, from, to);
    let new = |seconds: u64| Some(format!("you are new here: come back in {seconds} s"));
    assert_eq!(ask(0, "192.0.2.1", "a@from.test", "b@to.test"), new(300));
    assert_eq!(ask(100, "192.0.2.1", "A@From.test", "B@to.test"), new(200), "to come early begins nothing anew");
    assert_eq!(ask(299, "192.0.2.200", "a@from.test", "b@to.test"), new(1));
    assert_eq!(ask(300, "192.0.2.201", "a@from.test", "b@to.test"), None);
    assert_eq!(ask(301, "192.0.2.1", "a@from.test", "b@to.test"), None);
    assert_eq!(ask(302, "192.0.2.1", "", "b@to.test"), new(300));
    assert_eq!(ask(302, "192.0.2.1", "a@from.test", "c@to.test"), new(300));
    assert_eq!(ask(302, "192.0.3.1", "a@from.test", "b@to.test"), new(300));
    assert_eq!(ask(302, "2001:db8::1", "a@from.test", "b@to.test"), new(300));
    assert_eq!(ask(602, "2001:db8::2", "a@from.test", "b@to.test"), None);
    assert_eq!(ask(302 + 3 * DAY, "192.0.3.1", "a@from.test", "b@to.test"), new(300), "too late");
    assert_eq!(ask(30 * DAY, "192.0.2.1", "a@from.test", "b@to.test"), None);
    assert_eq!(ask(60 * DAY, "192.0.2.1", "a@from.test", "b@to.test"), None, "its mail keeps it known");
    assert_eq!(ask(96 * DAY, "192.0.2.1", "a@from.test", "b@to.test"), new(300), "it is forgotten");
}

#[test]
fn a_network_from_which_many_came_back_waits_no_more() {
    let json = r#"{"allow_after": 2, "lifetime": "10d"}"#;
    for nth in 0..2 {
        let from = format!("{nth}@from.test");
        assert!(ask(json, nth, "192.0.2.1", &from, "b@to.test").is_some());
        assert_eq!(ask(json, 400 + nth, "192.0.2.9", &from, "b@to.test"), None);
    }
    assert_eq!(ask(json, 500, "192.0.2.77", "new@from.test", "b@to.test"), None);
    assert_eq!(ask(json, 9 * DAY, "192.0.2.77", "new@from.test", "b@to.test"), None);
    assert_eq!(ask(json, 18 * DAY, "192.0.2.77", "new@from.test", "b@to.test"), None, "its mail keeps it known");
    assert!(ask(json, 29 * DAY, "192.0.2.77", "new@from.test", "b@to.test").is_some());
    let never = r#"{"allow_after": 0}"#;
    for nth in 0..10 {
        let from = format!("{nth}@from.test");
        assert!(ask(never, 50 * DAY, "198.51.100.1", &from, "b@to.test").is_some());
        assert_eq!(ask(never, 50 * DAY + 300, "198.51.100.1", &from, "b@to.test"), None);
    }
}

#[test]
fn the_triple_may_be_of_domains_or_less() {
    let json = r#"{"sender": "domain", "recipient": "none", "allow_after": 0, "prefix_v4": 32}"#;
    assert!(ask(json, 0, "192.0.2.1", "a@from.test", "b@to.test").is_some());
    assert_eq!(ask(json, 300, "192.0.2.1", "x+1@from.test", "c@to.test"), None);
    assert!(ask(json, 300, "192.0.2.2", "a@from.test", "b@to.test").is_some());
    assert!(ask(json, 300, "192.0.2.1", "a@other.test", "b@to.test").is_some());
}

#[test]
fn some_never_wait() {
    let json = r#"{"exempt": {"networks": ["10.0.0.0/8"], "listeners": ["lan"], "sender_domains": ["*.friend.test"],
        "recipient_domains": ["abuse.test"], "tables": ["calm"]}}"#;
    scene(|scene| {
        let keys = ["192.0.2.5", "vip@from.test", "known.test", "all@to.test"];
        scene.tables.insert("calm".to_owned(), keys.map(|key| (key.to_owned(), String::new())).into());
    });
    let passes = |peer, from, to| ask(json, 0, peer, from, to).is_none();
    assert!(passes("10.1.2.3", "a@from.test", "b@to.test") && passes("192.0.2.5", "a@from.test", "b@to.test"));
    assert!(passes("192.0.2.1", "a@x.friend.test", "b@to.test") && passes("192.0.2.1", "a@known.test", "b@to.test"));
    assert!(passes("192.0.2.1", "vip@from.test", "b@to.test") && passes("192.0.2.1", "a@from.test", "b@abuse.test"));
    assert!(passes("192.0.2.1", "a@from.test", "all@to.test") && passes("192.0.2.1", "", "all@to.test"));
    assert!(!passes("192.0.2.1", "a@from.test", "b@to.test"));
    scene(|scene| scene.session.as_mut().expect("set").auth_user = Some("ann".to_owned()));
    let rcpt = Rcpt { sender: None, to: address("new@to.test"), params: Vec::new() };
    assert_eq!(plugin("{}").on_rcpt(&rcpt), Ok(Gate::Next), "users never wait");
    let refused = from_json::<Config>(r#"{"exempt": {"tables": ["other"]}}"#).map(Greylist::configure);
    let words = "exempt.tables: add \"tables:other\" to `allow`".to_owned();
    assert_eq!(refused.expect("it fits").expect_err("it is not granted"), Fault::InvalidConfig(words));
}

#[test]
fn mail_that_shows_whose_it_is_need_not_wait() {
    let json = r#"{"verified": ["big.test"]}"#;
    let data = |results: &[(&str, &str, &str)]| {
        scene(|scene| {
            scene.message = Some(Message {
                sender: Some(address("a@big.test")),
                recipients: vec![address("b@to.test"), address("c@to.test")],
                auth_results: results.iter().map(|(m, o, d)| testing::auth_result(m, o, d)).collect(),
                ..Message::default()
            });
        });
        plugin(json).on_data().expect("the scene grants it")
    };
    assert_eq!(ask(json, 0, "192.0.2.1", "a@big.test", "b@to.test"), None, "it is decided later");
    assert_eq!(data(&[("spf", "pass", "Big.test")]), Disposition::Next);
    assert_eq!(data(&[("spf", "fail", "big.test"), ("dkim", "pass", "big.test")]), Disposition::Next);
    let waits =
        |seconds: u64| Disposition::Tempfail(Reply::tempfail(&format!("you are new here: come back in {seconds} s")));
    assert_eq!(
        data(&[("spf", "fail", "big.test"), ("dkim", "pass", "other.test"), ("dmarc", "pass", "big.test")]),
        waits(300)
    );
    scene(|scene| scene.now_ms += 300_000);
    assert_eq!(data(&[]), Disposition::Next, "both waited");
    assert!(ask(json, 0, "192.0.2.1", "a@small.test", "b@to.test").is_some());
    assert_eq!(scene(|scene| scene.skipped.clone()), []);
    let _ = plugin("{}");
    assert_eq!(scene(|scene| scene.skipped.clone()), [Hook::Data]);
}

#[test]
fn a_warning_refuses_nobody() {
    let json = r#"{"mode": "warn"}"#;
    assert_eq!(ask(json, 0, "192.0.2.1", "a@from.test", "b@to.test"), None);
    let log = scene(|scene| scene.log.clone());
    assert_eq!(log, [(Level::Warn, "it would have somebody new wait, for 300 s".to_owned())]);
    assert_eq!(ask(json, 300, "192.0.2.1", "a@from.test", "b@to.test"), None);
    assert_eq!(scene(|scene| scene.metrics.len()), 2, "deferred and returned");
}

#[test]
fn long_addresses_keep_apart() {
    let to = |end: char| format!("{}{end}@to.test", "x".repeat(600));
    assert!(ask("{}", 0, "192.0.2.1", "a@from.test", &to('a')).is_some());
    assert_eq!(ask("{}", 300, "192.0.2.1", "a@from.test", &to('a')), None);
    assert!(ask("{}", 300, "192.0.2.1", "a@from.test", &to('b')).is_some());
}
