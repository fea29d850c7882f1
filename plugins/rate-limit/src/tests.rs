//! What is charged when, and what is said to whom.

use super::*;
use mailwright_plugin::config::from_json;
use mailwright_plugin::testing::{self, Message, Metric, scene};
use mailwright_plugin::{Reply, log::Level};

fn plugin(json: &str) -> RateLimit {
    RateLimit::configure(from_json(json).expect("it fits")).expect("it is sound")
}

fn refused(json: &str) -> String {
    match from_json::<Config>(json).map_err(Fault::from).and_then(RateLimit::configure) {
        Err(Fault::InvalidConfig(words)) => words,
        other => panic!("{other:?}"),
    }
}

fn peer(ip: &str) {
    scene(|scene| scene.session = Some(testing::session(ip)));
}

fn at(seconds: u64) {
    scene(|scene| scene.now_ms = 1_000_000 + seconds * 1000);
}

fn address(text: &str) -> Address {
    testing::delivery(text).recipient
}

fn mail(plugin: &mut RateLimit, from: Option<&str>, size: Option<u64>) -> Gate {
    let params = size.map(|size| ("SIZE".to_owned(), size.to_string())).into_iter().collect();
    plugin.on_mail(&Mail { sender: from.map(address), params }).expect("the scene grants it")
}

fn rcpt(plugin: &mut RateLimit, to: &str) -> Gate {
    let rcpt = Rcpt { sender: Some(address("a@from.test")), to: address(to), params: Vec::new() };
    plugin.on_rcpt(&rcpt).expect("the scene grants it")
}

fn data(plugin: &mut RateLimit, to: &[&str], octets: usize) -> Disposition {
    scene(|scene| {
        scene.message = Some(Message {
            sender: Some(address("a@from.test")),
            recipients: to.iter().map(|to| address(to)).collect(),
            body: vec![b'x'; octets],
            ..Message::default()
        });
    });
    plugin.on_data().expect("the scene grants it")
}

fn reply(code: u16, text: &str) -> Reply {
    Reply::new(code, text).status(4, 7, 1)
}

#[test]
fn a_message_is_charged_when_it_is_there_and_looked_at_before() {
    let limit =
        || plugin(r#"{"limits": [{"name": "m", "by": ["peer"], "measure": "messages", "limit": 2, "window": "1m"}]}"#);
    peer("192.0.2.1");
    at(0);
    for _ in 0..5 {
        assert_eq!(mail(&mut limit(), None, None), Gate::Next, "a transaction without a message costs nothing");
    }
    for _ in 0..2 {
        assert_eq!(data(&mut limit(), &["b@to.test", "c@to.test"], 1), Disposition::Next);
    }
    let words = reply(450, "too many messages: come back in 30 s");
    assert_eq!(data(&mut limit(), &["b@to.test"], 1), Disposition::Tempfail(words.clone()));
    assert_eq!(mail(&mut limit(), None, None), Gate::Tempfail(words), "it is said before the data");
    peer("192.0.2.2");
    assert_eq!(mail(&mut limit(), None, None), Gate::Next, "another client");
    peer("192.0.2.1");
    at(30);
    assert_eq!(mail(&mut limit(), None, None), Gate::Next);
    let refused = scene(|scene| scene.metrics.len());
    assert_eq!(refused, 2, "{:?}", scene(|scene| scene.metrics.clone()));
}

#[test]
fn recipients_of_one_transaction_are_added_up_before_they_are_charged() {
    let json = r#"{"limits": [
        {"name": "u", "by": ["user"], "measure": "recipients", "limit": 3, "window": "1m"},
        {"name": "d", "by": ["user", "recipient-domain"], "measure": "recipients", "limit": 2, "window": "1m"}]}"#;
    peer("192.0.2.1");
    at(0);
    assert_eq!(rcpt(&mut plugin(json), "a@one.test"), Gate::Next, "nobody's user is under no limit of users");
    scene(|scene| scene.session.as_mut().expect("set").auth_user = Some("ann".to_owned()));
    let mut one = plugin(json);
    assert_eq!((rcpt(&mut one, "a@one.test"), rcpt(&mut one, "b@one.test")), (Gate::Next, Gate::Next));
    let domain = reply(450, "too many recipients: come back in 30 s");
    assert_eq!(rcpt(&mut one, "c@ONE.test"), Gate::Tempfail(domain));
    assert_eq!(rcpt(&mut one, "c@two.test"), Gate::Next);
    let all = reply(452, "too many recipients: come back in 20 s");
    assert_eq!(rcpt(&mut one, "d@two.test"), Gate::Tempfail(all.clone()));
    assert_eq!(rcpt(&mut plugin(json), "a@one.test"), Gate::Next, "nothing was charged yet");
    assert_eq!(data(&mut one, &["a@one.test", "b@one.test", "c@two.test"], 1), Disposition::Next);
    assert_eq!(rcpt(&mut plugin(json), "e@three.test"), Gate::Tempfail(all));
    assert_eq!(scene(|scene| scene.limits.len()), 3);
}

#[test]
fn where_one_limit_has_no_room_no_other_is_charged() {
    let json = r#"{"limits": [
        {"name": "a", "measure": "messages", "limit": 10, "window": "1m"},
        {"name": "b", "by": ["peer"], "measure": "messages", "limit": 1, "window": "1m"}]}"#;
    peer("192.0.2.1");
    at(0);
    for _ in 0..5 {
        data(&mut plugin(json), &["b@to.test"], 1);
    }
    for nth in 2..11 {
        peer(&format!("192.0.2.{nth}"));
        assert_eq!(data(&mut plugin(json), &["b@to.test"], 1), Disposition::Next, "{nth}");
    }
    peer("192.0.2.11");
    assert!(matches!(data(&mut plugin(json), &["b@to.test"], 1), Disposition::Tempfail(_)));
}

#[test]
fn bytes_are_counted_by_the_kib_and_one_large_message_passes_alone() {
    let json = r#"{"limits": [{"name": "b", "measure": "bytes", "limit": "4KiB", "window": "1m", "text": "slowly"}]}"#;
    peer("192.0.2.1");
    at(0);
    assert_eq!(mail(&mut plugin(json), None, Some(100_000)), Gate::Next, "larger than all of the limit");
    assert_eq!(data(&mut plugin(json), &["b@to.test"], 100_000), Disposition::Next);
    let words = |wait: u64| reply(452, &format!("slowly: come back in {wait} s"));
    assert_eq!(mail(&mut plugin(json), None, None), Gate::Tempfail(words(15)));
    at(30);
    assert_eq!(mail(&mut plugin(json), None, Some(2000)), Gate::Next);
    assert_eq!(mail(&mut plugin(json), None, Some(3000)), Gate::Tempfail(words(15)));
}

#[test]
fn connections_are_ended_and_networks_count_as_one() {
    let json = r#"{"limits": [{"name": "c", "by": ["network"], "measure": "connections", "limit": 60, "burst": 2, "window": "1m"}]}"#;
    at(0);
    let ask = |ip: &str| {
        peer(ip);
        plugin(json).on_connect().expect("the scene grants it")
    };
    assert_eq!((ask("192.0.2.1"), ask("192.0.2.2")), (Gate::Next, Gate::Next));
    let words = reply(421, "too many connections: come back in 1 s");
    assert_eq!(ask("192.0.2.3"), Gate::Disconnect(words));
    assert_eq!(ask("192.0.3.3"), Gate::Next);
    assert_eq!((ask("2001:db8::1"), ask("2001:db8::2")), (Gate::Next, Gate::Next));
    assert!(matches!(ask("2001:db8::3"), Gate::Disconnect(_)));
}

#[test]
fn wrong_recipients_are_charged_at_the_next_hook_and_fill_the_limit() {
    let json =
        r#"{"limits": [{"name": "f", "by": ["peer"], "measure": "failed-recipients", "limit": 5, "window": "1m"}]}"#;
    peer("192.0.2.1");
    at(0);
    let rejected = |count: u32| scene(|scene| scene.rejected_recipients = count);
    assert_eq!(plugin(json).on_connect(), Ok(Gate::Next));
    rejected(3);
    assert_eq!(mail(&mut plugin(json), None, None), Gate::Next);
    assert_eq!(rcpt(&mut plugin(json), "b@to.test"), Gate::Next, "they are charged once");
    rejected(50);
    let words = Gate::Disconnect(reply(421, "too many wrong recipients: come back in 12 s"));
    assert_eq!(rcpt(&mut plugin(json), "b@to.test"), words);
    assert_eq!(plugin(json).on_connect(), Ok(words));
    at(12);
    assert_eq!(plugin(json).on_connect(), Ok(Gate::Next));
    rejected(51);
    plugin(json).on_disconnect();
    scene(|scene| scene.notes.clear());
    rejected(0);
    assert!(matches!(plugin(json).on_connect(), Ok(Gate::Disconnect(_))), "the end of a session charges too");
}

#[test]
fn a_limit_that_warns_refuses_nobody_and_says_so() {
    let json = r#"{"limits": [
        {"name": "w", "by": ["sender"], "measure": "messages", "limit": 1, "window": "1m", "mode": "warn"},
        {"name": "e", "measure": "messages", "limit": 100, "window": "1m"}], "count": true}"#;
    peer("192.0.2.1");
    at(0);
    for _ in 0..3 {
        let mut plugin = plugin(json);
        assert_eq!(mail(&mut plugin, Some("a@from.test"), None), Gate::Next);
        assert_eq!(data(&mut plugin, &["b@to.test"], 1), Disposition::Next);
    }
    let (log, metrics) = scene(|scene| (scene.log.clone(), scene.metrics.clone()));
    assert_eq!(
        log,
        [(Level::Warn, "it would refuse, for 60 s".to_owned()), (Level::Warn, "it would refuse, for 60 s".to_owned())]
    );
    let count = |name: &str, limit: &str| {
        let is =
            |metric: &&Metric| matches!(metric, Metric::Added(of, labels, _) if of == name && labels[0].1 == limit);
        metrics.iter().filter(is).count()
    };
    assert_eq!((count("refused", "w"), count("taken", "w"), count("taken", "e")), (2, 1, 3));
}

#[test]
fn who_is_exempt_or_not_meant_is_under_no_limit() {
    let json = r#"{"limits": [{"name": "m", "measure": "messages", "limit": 1, "window": "1m",
            "match": {"networks": ["192.0.2.0/24"], "listeners": ["mx"]}, "exempt": {"users": ["*"]}}],
        "exempt": {"sender_domains": ["*.friend.test"], "tables": ["vips"], "recipient_domains": ["own.test"]}}"#;
    scene(|scene| {
        scene.tables.insert("vips".to_owned(), [("192.0.2.9".to_owned(), String::new())].into());
    });
    at(0);
    let passes = |ip: &str, user: Option<&str>, from: &str| {
        peer(ip);
        scene(|scene| scene.session.as_mut().expect("set").auth_user = user.map(str::to_owned));
        mail(&mut plugin(json), Some(from), None) == Gate::Next
    };
    peer("192.0.2.1");
    assert_eq!(data(&mut plugin(json), &["b@own.test"], 1), Disposition::Next, "charged nothing");
    assert_eq!(data(&mut plugin(json), &["b@own.test", "b@to.test"], 1), Disposition::Next);
    assert!(!passes("192.0.2.1", None, "a@from.test"));
    assert!(passes("198.51.100.1", None, "a@from.test") && passes("192.0.2.1", Some("ann"), "a@from.test"));
    assert!(passes("192.0.2.1", None, "a@x.friend.test") && passes("192.0.2.9", None, "a@from.test"));
    scene(|scene| scene.session.as_mut().expect("set").listener = "other".to_owned());
    assert_eq!(mail(&mut plugin(json), None, None), Gate::Next);
}

#[test]
fn mail_on_its_way_out_stands_in_line() {
    let json = r#"{"limits": [{"name": "s", "at": "out", "by": ["site"], "measure": "recipients", "limit": 2, "window": "1m"}]}"#;
    at(0);
    let ask = |site: &str| {
        scene(|scene| {
            scene.message = Some(Message::default());
            scene.delivery = Some(testing::delivery("b@to.test"));
            scene.delivery.as_mut().expect("set").site = Some(site.to_owned());
        });
        plugin(json).on_pre_send().expect("the scene grants it")
    };
    assert_eq!((ask("mx.to.test"), ask("mx.to.test")), (Sending::Next, Sending::Next));
    let waits = |from: u64, seconds: u64| Sending::NotBefore(1_000_000 + from * 1000 + seconds * 1000 * 17 / 16);
    assert_eq!((ask("mx.to.test"), ask("mx.to.test"), ask("mx.to.test")), (waits(0, 30), waits(0, 60), waits(0, 90)));
    assert_eq!(ask("mx.other.test"), Sending::Next);
    at(30);
    assert_eq!((ask("mx.to.test"), ask("mx.to.test")), (Sending::Next, waits(30, 90)), "the line moved by one");
    for _ in 0..200 {
        let _ = ask("mx.to.test");
    }
    assert_eq!(ask("mx.to.test"), Sending::NotBefore(1_000_000 + 30_000 + 3_600_000), "nothing waits longer");
}

#[test]
fn only_hooks_with_work_are_called() {
    let skipped = |limit: &str| {
        scene(|scene| scene.skipped.clear());
        plugin(&format!(r#"{{"limits": [{{"name": "x", "limit": 1, {limit}}}]}}"#));
        scene(|scene| scene.skipped.clone())
    };
    use Hook::{Connect, Data, Disconnect, Mail, PreSend, Rcpt};
    assert_eq!(skipped(r#""measure": "connections""#), [Mail, Rcpt, Data, PreSend, Disconnect]);
    assert_eq!(skipped(r#""measure": "messages""#), [Connect, Rcpt, PreSend, Disconnect]);
    assert_eq!(skipped(r#""measure": "messages", "mode": "warn""#), [Connect, Mail, Rcpt, PreSend, Disconnect]);
    assert_eq!(skipped(r#""measure": "messages", "by": ["recipient"]"#), [Connect, Mail, PreSend, Disconnect]);
    assert_eq!(skipped(r#""measure": "recipients""#), [Connect, Mail, PreSend, Disconnect]);
    assert_eq!(skipped(r#""measure": "failed-recipients""#), [Data, PreSend]);
    assert_eq!(skipped(r#""measure": "bytes", "at": "out""#), [Connect, Mail, Rcpt, Data, Disconnect]);
}

#[test]
fn what_makes_no_sense_is_told_with_its_place() {
    let one = |limit: &str| refused(&format!(r#"{{"limits": [{{"name": "x", "limit": 1, {limit}}}]}}"#));
    assert_eq!(
        one(r#""measure": "mesages""#),
        "limits.0.measure: expected `connections`, `messages`, `recipients`, `bytes`, `failed-recipients`, found \"mesages\"; did you mean `messages`?"
    );
    assert_eq!(
        one(r#""measure": "connections", "by": ["sender"]"#),
        "limits.0.by: connections go by `peer`, `network`, `listener`, `tenant`"
    );
    assert_eq!(
        one(r#""measure": "messages", "by": ["site"]"#),
        "limits.0.by: where mail goes is known on its way out: add at = \"out\""
    );
    assert!(
        one(r#""measure": "messages", "at": "out", "by": ["peer"]"#)
            .starts_with("limits.0.by: with at = \"out\" it goes by")
    );
    assert!(one(r#""measure": "connections", "at": "out""#).starts_with("limits.0.measure: at = \"out\" goes with"));
    assert!(
        one(r#""measure": "failed-recipients", "by": ["recipient"]"#)
            .starts_with("limits.0.by: failed recipients go by")
    );
    assert_eq!(
        one(r#""measure": "connections", "match": {"users": ["ann"]}"#),
        "limits.0.match.users: it is not known where this limit counts"
    );
    assert_eq!(
        one(r#""measure": "messages", "exempt": {"sites": ["a"]}"#),
        "limits.0.exempt.sites: it is not known where this limit counts"
    );
    assert_eq!(
        one(r#""measure": "messages", "exempt": {"tables": ["a"]}"#),
        "limits.0.exempt.tables: add \"tables:a\" to `allow`"
    );
    assert_eq!(
        one(r#""measure": "messages", "match": {"networks": ["lan"]}"#),
        "limits.0.match.networks.0: expected a network, as \"192.0.2.0/24\" or \"2001:db8::1\", found \"lan\""
    );
    assert_eq!(
        refused(r#"{"limits": [{"name": "x", "measure": "messages", "limit": 5000000000}]}"#),
        "limits.0.limit: expected at most 4294967295 (of bytes, 4 TiB)"
    );
    assert_eq!(
        refused(r#"{"limits": [{"name": "X", "measure": "messages", "limit": 1}]}"#),
        "limits.0.name: a name has a to z, 0 to 9 and hyphens"
    );
    let twice = r#"{"name": "x", "measure": "messages", "limit": 1}"#;
    assert_eq!(refused(&format!(r#"{{"limits": [{twice}, {twice}]}}"#)), "limits.1.name: another limit has this name");
    assert_eq!(refused(r#"{"limits": []}"#), "limits: expected a list of 1 to 64 items, found a list");
    assert_eq!(
        refused(&format!(r#"{{"limits": [{twice}], "exempt": {{"tables": ["t"]}}}}"#)),
        "exempt.tables: add \"tables:t\" to `allow`"
    );
}
