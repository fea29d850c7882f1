//! Whole configurations, as operators write them, and where mail goes by them.

use super::*;
use mailwright_plugin::config::from_json;
use mailwright_plugin::testing::{Message, Metric, delivery, scene as stage};
use mailwright_plugin::{Address, Fault, Routing};

/// Monday, 2026-01-05T12:00:00Z.
const NOON: u64 = 1_767_614_400_000;
const HOUR: u64 = 3_600_000;

fn ways(json: &str) -> Result<Ways, Fault> {
    stage(|stage| {
        stage.now_ms = NOON;
        stage.zones.insert("Asia/Tokyo".to_owned(), 9 * 3600);
        stage.tables.insert("vips".to_owned(), [("ann@a.test".to_owned(), String::new())].into());
    });
    Ways::configure(from_json(json).expect("it fits"))
}

/// What is answered about a message of that sender with these header fields.
fn routed(json: &str, to: &str, from: &str, headers: &[(&str, &str)]) -> Routing {
    let mut ways = ways(json).expect("it is sound");
    stage(|stage| {
        stage.delivery = Some(mailwright_plugin::delivery::Info { queued_ms: NOON, ..delivery(to) });
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let sender = from.rsplit_once('@').map(|(local, domain)| Address::new(local, domain));
        stage.message = Some(Message { headers, sender, ..Message::default() });
    });
    ways.on_route().expect("the stage answers")
}

fn placed(json: &str, to: &str) -> Route {
    match routed(json, to, "me@from.test", &[]) {
        Routing::Place(route) => route,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_first_rule_that_fits_says_where_it_goes() {
    let json = r#"{ "streams": { "fast": { "pool": "first", "priority": "transactional" } }, "rules": [
        { "to": ["partner.test"], "via": "partner" },
        { "headers": { "X-Kind": "code*" }, "stream": "fast", "campaign": "codes" },
        { "from": ["<>"], "priority": "bulk" },
        { "to_table": "vips" },
        { "pool": "rest" } ] }"#;
    let to = |to, from, headers: &[(&str, &str)]| routed(json, to, from, headers);
    assert_eq!(to("a@partner.test", "", &[("X-Kind", "code")]), Routing::place(Route::via("partner")));
    let codes = Route::new().pool("first").campaign("codes").priority(Priority::Transactional);
    assert_eq!(to("a@b.test", "", &[("x-kind", "Code 1")]), Routing::place(codes));
    assert_eq!(to("a@b.test", "", &[]), Routing::place(Route::new().priority(Priority::Bulk)));
    assert_eq!(to("Ann@A.test", "b@c.test", &[]), Routing::Next, "it is left to the server");
    assert_eq!(to("bob@a.test", "b@c.test", &[]), Routing::place(Route::new().pool("rest")));
    let counted = stage(|stage| stage.metrics.clone());
    assert_eq!(counted[0], Metric::Added("matched".into(), vec![("rule".into(), "rule-1".into())], 1));
}

#[test]
fn a_rule_that_goes_on_leaves_to_the_next_what_it_does_not_say() {
    let json = r#"{ "rules": [
        { "to": ["slow.test"], "expires_after": "5d", "then": "go-on" },
        { "headers": { "List-Id": "*" }, "campaign_header": "List-Id", "priority": "bulk", "expires_after": "1d" } ] }"#;
    let list = [("List-Id", " <news.from.test> ")];
    let route = Route::new().campaign("<news.from.test>").priority(Priority::Bulk);
    assert_eq!(
        routed(json, "a@slow.test", "b@from.test", &list),
        Routing::place(route.clone().expires_ms(NOON + 120 * HOUR))
    );
    assert_eq!(routed(json, "a@fast.test", "b@from.test", &list), Routing::place(route.expires_ms(NOON + 24 * HOUR)));
    let only = Route::new().expires_ms(NOON + 120 * HOUR);
    assert_eq!(routed(json, "a@slow.test", "b@from.test", &[]), Routing::place(only));
}

#[test]
fn a_window_is_that_of_the_recipients_zone_unless_it_has_its_own() {
    let json = r#"{ "zones": { "domains": { "jp": "Asia/Tokyo" } },
        "windows": { "day": { "open": ["09:00-18:00"] }, "ours": { "open": ["09:00-18:00"], "zone": "UTC" } },
        "rules": [ { "to": ["*.jp"], "window": "day", "expires_after": "1h", "then": "go-on" },
                   { "to": ["*.ours.jp", "ours.jp"], "window": "ours" },
                   { "to": ["here.test"], "window": "day", "pool": "p" } ] }"#;
    let later = Route::new().not_before_ms(NOON + 12 * HOUR).expires_ms(NOON + 13 * HOUR);
    assert_eq!(placed(json, "a@example.jp"), later, "21:00 there, until 09:00");
    assert_eq!(placed(json, "a@here.test"), Route::new().pool("p"));
    let json = json.replace(r#""day", "expires_after""#, r#""ours", "expires_after""#);
    assert_eq!(placed(&json, "a@example.jp"), Route::new().expires_ms(NOON + HOUR));
}

#[test]
fn a_rule_may_hold_only_at_some_hours() {
    let json = r#"{ "windows": { "night": { "open": ["22:00-06:00"], "zone": "Asia/Tokyo" },
                                 "now": { "days": ["monday"], "open": ["11:00-13:00"], "zone": "UTC" } },
        "rules": [ { "during": "night", "pool": "night" }, { "during": "now", "pool": "now" } ] }"#;
    assert_eq!(placed(json, "a@b.test"), Route::new().pool("now"));
}

#[test]
fn a_cap_waits_holds_or_refuses() {
    let json = r#"{ "caps": { "one": { "messages_max": 1, "window": "1d", "over": "OVER" } },
        "rules": [ { "cap": "one", "priority": "bulk" } ] }"#;
    let second = |over: &str| {
        stage(|stage| stage.kv.clear());
        let json = json.replace("OVER", over);
        let first = placed(&json, "a@b.test");
        assert_eq!(first, Route::new().priority(Priority::Bulk));
        let mut ways = ways(&json).expect("it is sound");
        stage(|stage| {
            if let Some(delivery) = &mut stage.delivery {
                delivery.queue_id = "another".to_owned();
            }
        });
        ways.on_route().expect("the stage answers")
    };
    let waits = Route::new().priority(Priority::Bulk).not_before_ms(NOON + 24 * HOUR);
    assert_eq!(second("wait"), Routing::place(waits));
    assert_eq!(second("hold"), Routing::hold("the cap \"one\" allows 1 message in 1 day"));
    assert!(matches!(second("refuse"), Routing::Fail(reply) if reply.code == 550));
}

#[test]
fn a_split_is_shared_out_and_stays() {
    let json = r#"{ "rules": [
        { "split": "ab", "percent": 25, "split_by": "recipient", "pool": "a" },
        { "split": "ab", "percent": 75, "split_by": "recipient", "pool": "b" } ] }"#;
    let pool = |number: u32| placed(json, &format!("user{number}@b.test")).pool.expect("all of them are shared out");
    let pools: Vec<String> = (0..400).map(pool).collect();
    let in_a = pools.iter().filter(|pool| *pool == "a").count();
    assert!((70..130).contains(&in_a), "{in_a}");
    assert_eq!((0..50).map(pool).collect::<Vec<_>>(), pools[..50], "the same again");
}

#[test]
fn size_and_tags_and_tenants_are_looked_at() {
    let json = r#"{ "rules": [ { "tenants": ["acme"], "pool": "acme" }, { "size_min": 100, "pool": "large" },
        { "tags": { "kind": "promo*" }, "pool": "promo" }, { "size_max": "99B", "refuse": "too small" } ] }"#;
    let mut ways = ways(json).expect("it is sound");
    let mut asked = |tenant: Option<&str>, body: usize, tag: &str| {
        stage(|stage| {
            let tenant = tenant.map(str::to_owned);
            stage.delivery = Some(mailwright_plugin::delivery::Info { tenant, ..delivery("a@b.test") });
            let tags = [("kind".to_owned(), tag.to_owned())].into();
            stage.message = Some(Message { body: vec![b'x'; body], tags, ..Message::default() });
        });
        ways.on_route().expect("the stage answers")
    };
    let pool = |name: &str| Routing::place(Route::new().pool(name));
    assert_eq!(asked(Some("acme"), 500, ""), pool("acme"));
    assert_eq!(asked(Some("other"), 500, ""), pool("large"));
    assert_eq!(asked(None, 5, "Promo-1"), pool("promo"));
    assert_eq!(asked(None, 5, "x"), Routing::reject("too small"));
}

#[test]
fn what_a_rule_names_must_be_there() {
    for (json, words) in [
        (r#"{ "rules": [ {}, { "window": "day" } ] }"#, "rules.1.window: there is no window \"day\""),
        (r#"{ "rules": [ { "cap": "one" } ] }"#, "rules.0.cap: there is no cap \"one\""),
        (r#"{ "streams": { "a": {} }, "rules": [ { "stream": "b" } ] }"#, "expected one of those below `streams`: `a`"),
        (r#"{ "rules": [ { "to": ["a b"] } ] }"#, "rules.0.to: \"a b\" is no pattern"),
        (r#"{ "rules": [ { "to_table": "x" } ] }"#, "add \"tables:x\""),
        (r#"{ "rules": [ { "hold": "x", "refuse": "y" } ] }"#, "it can't be refused and held"),
        (
            r#"{ "rules": [ { "split": "s", "percent": 60 }, { "split": "s", "percent": 60 } ] }"#,
            "rules.1.percent: the rules of the split \"s\" want more than 100 percent",
        ),
        (r#"{ "windows": { "w": { "open": ["9"] } } }"#, "windows.w: \"9\" are no hours"),
    ] {
        let Err(Fault::InvalidConfig(told)) = ways(json) else { panic!("{json}") };
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn without_rules_nothing_is_asked() {
    stage(|stage| stage.delivery = None);
    assert_eq!(ways("{}").expect("it is sound").on_route(), Ok(Routing::Next));
}
