//! Hooks with what they are told: real components that trap unless they are told so, and the example plugin on its four.

use super::guests::{
    ACCEPT, ADD, ADD_HEADER, CURRENT, GET_NOTE, HEADER, Import, LOG, NEXT, SET_NOTE, SPIN, TRAP, expect_error,
    expect_octet, guest, reject,
};
use super::stage::{ID, Stage, content, entry, envelope, hello, plugin, recipient};
use crate::base::flow::attempt::{NextHop, Routes};
use crate::base::flow::placement::{Placement, Priority};
use crate::base::flow::policy::{
    Asked, Attempted, Disposition, Gate, Hook, Outcome, Policy, RouteVerdict, Routing, Sending, Sendout, Submission,
    Unplaced,
};
use crate::base::mail::domain::Domain;
use crate::base::mail::edits::{Edits, HeaderEdit};
use crate::base::mail::envelope::{BodyType, Ret};
use crate::base::smtp::reply::Reply;
use crate::base::smtp::status::EnhancedStatus;
use crate::base::time::UnixMillis;
use crate::base::world::metrics::{Measure, Value};
use crate::config::model::{EditGrant, OnFailure, Plugin};
use crate::path::policy::host::reports::REPORTS_MAX;
use std::time::Duration;

/// Traps unless the word with that number has that value.
fn expect_word(local: usize, value: u32) -> String {
    format!("(if (i32.ne (local.get {local}) (i32.const {value})) (then unreachable))")
}

/// Traps unless the text that begins where that word says begins with that octet.
fn expect_first(local: usize, octet: u8) -> String {
    format!("(if (i32.ne (i32.load8_u (local.get {local})) (i32.const {octet})) (then unreachable))")
}

#[tokio::test]
async fn on_helo_is_told_the_name() {
    let stage = Stage::new();
    let body = format!("{} {} {ACCEPT}", expect_word(1, 9), expect_first(0, b'c'));
    stage.load(&[(plugin("p"), guest(&[], &[("on-helo", &body)]))]).await.expect("it loads");
    assert!(stage.host.has(Hook::Helo) && !stage.host.has(Hook::Connect));
    let mut session = stage.session();
    assert_eq!(session.gate(Asked::Helo("c.example")).await, Gate::Accept);
    assert!(matches!(session.gate(Asked::Helo("d.example")).await, Gate::Tempfail(_)));
    assert_eq!(stage.events.faults(), [("trap".to_owned(), "451 4.3.0".to_owned())]);
}

#[tokio::test]
async fn on_mail_is_told_the_sender_and_the_parameters() {
    let stage = Stage::new();
    // Words: the option's tag, local part, domain, parameters. "from" and "example.org", and five parameters.
    let told = [expect_word(0, 1), expect_word(2, 4), expect_first(1, b'f'), expect_word(4, 11), expect_word(6, 5)];
    let body = format!("{} {ACCEPT}", told.concat());
    stage.load(&[(plugin("p"), guest(&[], &[("on-mail", &body)]))]).await.expect("it loads");
    let mut envelope = envelope(&[]);
    (envelope.body, envelope.smtputf8) = (BodyType::EightBitMime, true);
    (envelope.ret, envelope.envid) = (Some(Ret::Hdrs), Some("e1".into()));
    let mut session = stage.session();
    assert_eq!(session.gate(Asked::Mail { envelope: &envelope, size_bytes: Some(77) }).await, Gate::Accept);
    envelope.body = BodyType::SevenBit;
    let four = session.gate(Asked::Mail { envelope: &envelope, size_bytes: Some(77) }).await;
    assert!(matches!(four, Gate::Tempfail(_)), "the default of BODY is not among them");
}

#[tokio::test]
async fn a_transaction_keeps_its_instance_from_on_mail_and_a_name_does_not_see_it() {
    let stage = Stage::new();
    let marked = format!("{} {ACCEPT}", expect_octet(4000, 1));
    let hooks = [
        ("on-mail", format!("{} (i32.store8 (i32.const 4000) (i32.const 1)) {NEXT}", expect_octet(4000, 0))),
        ("on-helo", format!("{} {NEXT}", expect_octet(4000, 0))),
        ("on-rcpt", marked),
    ];
    let hooks: Vec<(&str, &str)> = hooks.iter().map(|(hook, body)| (*hook, &**body)).collect();
    stage.load(&[(plugin("p"), guest(&[], &hooks))]).await.expect("it loads");
    let (envelope, to) = (envelope(&[]), recipient("a@example.net"));
    let mut session = stage.session();
    for _ in 0..3 {
        assert_eq!(session.gate(Asked::Mail { envelope: &envelope, size_bytes: None }).await, Gate::Next);
        assert_eq!(session.gate(Asked::Helo("c.example")).await, Gate::Next);
        assert_eq!(session.gate(Asked::Rcpt { sender: None, to: &to }).await, Gate::Accept);
        session.transaction_ended();
    }
    assert_eq!(stage.events.faults(), []);
}

#[tokio::test]
async fn on_disconnect_is_told_and_its_fault_means_nothing() {
    let stage = Stage::new();
    // The session's notes are still there: on-connect sets the number 7, on-disconnect logs once it sees it.
    let set = format!(
        "(call $set-note (i32.const 16) (i32.const 5) (i32.const 1) (i64.const 7) (i32.const 0) (i32.const 2048)) {NEXT}"
    );
    let gone = format!(
        "(call $get-note (i32.const 16) (i32.const 5) (i32.const 2048)) {}
         (call $write (i32.const 2) (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 0))",
        expect_octet(2048, 0)
    );
    let granted = Plugin { allow: vec!["log".into()], on_failure: OnFailure::Closed, ..plugin("p") };
    let octets = guest(&[SET_NOTE, GET_NOTE, LOG], &[("on-connect", &set), ("on-disconnect", &gone)]);
    let failing = guest(&[], &[("on-disconnect", TRAP)]);
    stage.load(&[(plugin("q"), failing), (granted, octets)]).await.expect("they load");
    let mut session = stage.session();
    assert_eq!(session.gate(Asked::Connect).await, Gate::Next);
    session.disconnected();
    stage.host.told().await;
    assert_eq!(stage.events.take("plugin-log").len(), 1, "the second is told although the first failed");
    assert_eq!(stage.events.faults(), [("trap".to_owned(), "nothing".to_owned())]);
}

#[tokio::test]
async fn on_outcome_is_told_what_became_of_a_recipient() {
    let stage = Stage::new();
    // Words: the case, the code, whether there is a status, its class, subject and detail, the text.
    let told = [expect_word(0, 2), expect_word(1, 550), expect_word(2, 1), expect_word(3, 5), expect_word(7, 4)];
    let body = format!(
        "{} (call $header (i32.const 16) (i32.const 5) (i32.const 2048)) {} {ADD} {}
         (call $write (i32.const 2) (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 0))",
        told.concat(),
        expect_octet(2048, 0),
        // It is too late for a change, granted or not.
        expect_octet(2048, 1)
    );
    let granted = Plugin { allow: vec!["log".into()], edit: vec![EditGrant::Headers], ..plugin("p") };
    stage.load(&[(granted, guest(&[HEADER, LOG, ADD_HEADER], &[("on-outcome", &body)]))]).await.expect("it loads");
    assert!(stage.host.has(Hook::Outcome) && !stage.host.has(Hook::PreSend));
    let attempted = |outcome| Attempted {
        entry: entry(&["a@example.net"]).into(),
        content: Some(content("Subject: x\r\n\r\n", "text\r\n")),
        recipient: 0,
        attempt: 1,
        site: "mx:example.net".into(),
        outcome,
    };
    stage.host.outcome(&attempted(Outcome::Bounced(Reply::new(550, EnhancedStatus::new(5, 1, 1), "gone"))));
    stage.host.told().await;
    assert_eq!(stage.events.take("plugin-log").len(), 1);
    stage.host.outcome(&attempted(Outcome::Expired));
    stage.host.told().await;
    assert_eq!(stage.events.faults(), [("trap".to_owned(), "nothing".to_owned())], "another case");
}

#[tokio::test]
async fn reports_that_a_plugin_can_not_keep_up_with_are_dropped_and_counted() {
    let stage = Stage::new();
    let slow = Plugin { on_failure: OnFailure::Open, ..plugin("slow") };
    stage.load(&[(slow, guest(&[], &[("on-disconnect", SPIN)]))]).await.expect("it loads");
    let mut session = stage.session();
    // On this one thread no report runs before the test waits.
    (0..=REPORTS_MAX).for_each(|_| session.disconnected());
    let dropped = stage.events.take("plugin-untold");
    assert_eq!(dropped.len(), 1);
    assert_eq!((&dropped[0]["hook"], &dropped[0]["reports"]), (&"disconnect".into(), &1.into()));
    stage.host.told().await;
    let faults = stage.events.take("plugin-fault").len();
    assert!((10..REPORTS_MAX).contains(&faults), "the breaker ends what would fail again and again: {faults}");
}

#[tokio::test]
async fn on_tick_comes_in_its_interval_and_not_while_the_last_is_under_way() {
    let stage = Stage::new();
    let tells = "(call $write (i32.const 2) (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 0))";
    let granted = Plugin { allow: vec!["log".into()], tick: Duration::from_millis(5), ..plugin("p") };
    let octets = guest(&[LOG], &[("on-tick", tells)]);
    let host = stage.host.clone();
    let ticking = tokio::spawn(async move { host.tick().await });
    // Loaded while time passes already.
    stage.load(&[(granted, octets)]).await.expect("it loads");
    stage.events.wait_for("plugin-log", 3).await;
    stage.load(&[]).await.expect("nothing to load");
    stage.host.told().await;
    stage.events.take("plugin-log");
    ticking.abort();
    assert_eq!(stage.events.faults(), []);
}

#[tokio::test]
async fn a_failure_of_what_is_told_can_not_be_given_a_meaning() {
    let stage = Stage::new();
    let on_failure_by_hook = [("on-disconnect".into(), OnFailure::Open)].into();
    let plugin = Plugin { on_failure_by_hook, ..plugin("p") };
    let refused = stage.load(&[(plugin, guest(&[], &[("on-connect", NEXT)]))]).await.expect_err("refused").to_string();
    assert!(refused.contains("on_failure names no hook that is asked: \"on-disconnect\""), "{refused}");
}

fn added(value: &str) -> Edits {
    Edits { headers: vec![HeaderEdit::Add { name: "X-Hello".into(), value: value.into() }] }
}

#[tokio::test]
async fn hello_looks_at_four_hooks_and_stamps_the_message() {
    let stage = Stage::new();
    assert!(!stage.host.has(Hook::Connect));
    stage.load(&[hello()]).await.expect("hello loads");
    for hook in [Hook::Connect, Hook::Rcpt, Hook::Data, Hook::PreSend] {
        assert!(stage.host.has(hook), "{hook:?}");
    }

    let mut session = stage.session();
    assert_eq!(session.gate(Asked::Connect).await, Gate::Next);
    assert_eq!(session.gate(Asked::Rcpt { sender: None, to: &recipient("a@example.net") }).await, Gate::Next);
    let envelope = envelope(&["a@example.net"]);
    let content = content("Subject: Hello, world\r\n\r\n", "text\r\n");
    let submission = Submission { id: ID, envelope: &envelope, content: &content, size_bytes_max: 1 << 20 };
    let verdict = session.data(submission).await;
    assert_eq!(verdict.disposition, Disposition::Next);
    assert_eq!(verdict.edits, added("rcpts=1 subject=12"));

    let entry = entry(&["a@example.net"]);
    let sendout = Sendout {
        entry: &entry,
        content: &content,
        recipient: 0,
        attempt: 1,
        site: "mx.example.net",
        size_bytes_max: 1 << 20,
    };
    let verdict = stage.host.pre_send(sendout).await;
    assert_eq!((verdict.sending, verdict.edits), (Sending::Next, Edits::default()));
    assert_eq!(stage.events.faults(), []);
}

#[tokio::test]
async fn an_instance_of_hello_ends_with_its_transaction() {
    let stage = Stage::new();
    stage.load(&[hello()]).await.expect("hello loads");
    let mut session = stage.session();
    let envelope = envelope(&["a@example.net", "b@example.net"]);
    let content = content("Subject: x\r\n\r\n", "");
    for _ in 0..3 {
        for recipient in &envelope.recipients {
            assert_eq!(session.gate(Asked::Rcpt { sender: envelope.sender.as_ref(), to: recipient }).await, Gate::Next);
        }
        let verdict =
            session.data(Submission { id: ID, envelope: &envelope, content: &content, size_bytes_max: 1 << 20 }).await;
        // A count that went on would say 4, then 6.
        assert_eq!(verdict.edits, added("rcpts=2 subject=1"));
        session.transaction_ended();
    }
}

#[tokio::test]
async fn its_configuration_is_checked_at_load() {
    let stage = Stage::new();
    let (mut plugin, octets) = hello();
    plugin.config_json = r#"{"header":"X Hello"}"#.to_owned();
    let error = stage.load(&[(plugin.clone(), octets.clone())]).await.expect_err("a space is in it").to_string();
    assert!(error.contains("plugin \"hello\": configure failed: invalid-config: header: \"X Hello\""), "{error}");
    plugin.config_json = r#"{"haeder":"X-Hello"}"#.to_owned();
    let error = stage.load(&[(plugin, octets)]).await.expect_err("misspelt").to_string();
    assert!(error.contains("unknown field `haeder`, expected `header`"), "{error}");
    assert!(!stage.host.has(Hook::Data), "a failed load changes nothing");
}

/// A configuration with the route "X-One" and the pool "1".
struct Configured;

impl Routes for Configured {
    fn next_hop(&self, _: Option<&Domain>) -> NextHop {
        NextHop::Nowhere
    }

    fn named(&self, route: &str) -> Option<NextHop> {
        (route == "X-One").then_some(NextHop::Nowhere)
    }

    fn has_pool(&self, pool: &str) -> bool {
        pool == "1"
    }
}

async fn route(stage: &Stage) -> RouteVerdict {
    let (entry, content) = (entry(&["a@example.net"]), content("X-One: x\r\n\r\n", "text\r\n"));
    let unplaced = Unplaced { entry: &entry, content: &content, recipient: 0, attempt: 1, routes: &Configured };
    stage.host.route(unplaced).await
}

/// Answers `place`, with the text at `from` as the name that lies at that place of the answer.
fn place(names: &[(u32, u32, u32)], more: &str) -> String {
    let name = |(at, from, len): &(u32, u32, u32)| {
        let (text, length) = (at + 4, at + 8);
        format!(
            "(i32.store8 (i32.const {at}) (i32.const 1)) (i32.store (i32.const {text}) (i32.const {from}))
             (i32.store (i32.const {length}) (i32.const {len}))"
        )
    };
    let names: String = names.iter().map(name).collect();
    format!("(i32.store8 (i32.const 1032) (i32.const 1)) {names} {more} {NEXT}")
}

const VIA: u32 = 1040;
const POOL: u32 = 1052;
const CAMPAIGN: u32 = 1064;

#[tokio::test]
async fn on_route_says_where_when_and_how() {
    let stage = Stage::new();
    let times = "(i32.store8 (i32.const 1076) (i32.const 1)) (i32.store8 (i32.const 1077) (i32.const 0))
        (i32.store8 (i32.const 1080) (i32.const 1)) (i64.store (i32.const 1088) (i64.const 77))
        (i32.store8 (i32.const 1096) (i32.const 1)) (i64.store (i32.const 1104) (i64.const 99))";
    let says = place(&[(VIA, 16, 5), (POOL, 32, 1), (CAMPAIGN, 16, 4)], times);
    let (silent, says) = (guest(&[], &[("on-route", NEXT)]), guest(&[], &[("on-route", &says)]));
    stage.load(&[(plugin("silent"), silent), (plugin("says"), says)]).await.expect("they load");
    assert!(stage.host.has(Hook::Route) && !stage.host.has(Hook::PreSend));
    let placement = Placement {
        plugin: Some("says".into()),
        via: Some("X-One".into()),
        pool: Some("1".into()),
        campaign: Some("X-On".into()),
        priority: Priority::Bulk,
        expires: Some(UnixMillis(99)),
    };
    let expected = Routing::Place(placement, Some(UnixMillis(77)));
    assert_eq!(route(&stage).await, RouteVerdict { routing: expected, plugin: Some("says".into()) });
    // Nothing said is nothing chosen.
    stage.load(&[(plugin("p"), guest(&[], &[("on-route", &place(&[], ""))]))]).await.expect("it loads");
    let bare = Placement { plugin: Some("p".into()), ..Placement::default() };
    assert_eq!(route(&stage).await.routing, Routing::Place(bare, None));
    assert_eq!(stage.events.faults(), []);
}

#[tokio::test]
async fn what_on_route_names_must_be_there_and_its_failures_are_answered() {
    let stage = Stage::new();
    let undecided =
        Routing::Fail(Reply::new(451, EnhancedStatus::new(4, 3, 0), "Policy can't decide now, try again later"));
    let closed = Routing::Fail(Reply::new(550, EnhancedStatus::new(5, 3, 0), "Policy can't decide, refused"));
    let wrong = [
        (place(&[(VIA, 16, 3)], ""), "no [[route]] has name = \"X-O\""),
        (place(&[(POOL, 16, 5)], ""), "no [[pool]] has name = \"X-One\""),
        (place(&[(CAMPAIGN, 16, 0)], ""), "expected 1 to 128 octets"),
        (place(&[(CAMPAIGN, 4000, 200)], ""), "expected 1 to 128 octets"),
        // `fail` with a code that is no failure.
        (
            format!(
                "(i32.store8 (i32.const 1032) (i32.const 3)) (i32.store16 (i32.const 1040) (i32.const 250)) {NEXT}"
            ),
            "code 250",
        ),
    ];
    let meanings = [
        (OnFailure::Tempfail, undecided, "451 4.3.0"),
        (OnFailure::Open, Routing::Next, "next"),
        (OnFailure::Closed, closed, "550 5.3.0"),
    ];
    for (body, words) in wrong {
        for (on_failure, expected, answered) in &meanings {
            let failing = Plugin { on_failure: *on_failure, ..plugin("p") };
            stage.load(&[(failing, guest(&[], &[("on-route", &body)]))]).await.expect("it loads");
            assert_eq!(&route(&stage).await.routing, expected);
            let faults = stage.events.take("plugin-fault");
            let [fault] = &faults[..] else { panic!("one fault: {faults:?}") };
            assert_eq!(
                (&fault["hook"], &fault["kind"], &fault["answered"]),
                (&"route".into(), &"answer".into(), &(*answered).into())
            );
            assert!(fault["why"].as_str().is_some_and(|why| why.contains(words)), "{fault}");
        }
    }
}

#[tokio::test]
async fn on_route_holds_and_fails() {
    let stage = Stage::new();
    let hold = format!(
        "(i32.store8 (i32.const 1032) (i32.const 2)) (i32.store (i32.const 1040) (i32.const 16))
         (i32.store (i32.const 1044) (i32.const 5)) {NEXT}"
    );
    stage.load(&[(plugin("p"), guest(&[], &[("on-route", &hold)]))]).await.expect("it loads");
    assert_eq!(route(&stage).await.routing, Routing::Hold("X-One".into()));
    let fail = format!(
        "(i32.store8 (i32.const 1032) (i32.const 3)) (i32.store16 (i32.const 1040) (i32.const 450))
         (i32.store (i32.const 1052) (i32.const 16)) (i32.store (i32.const 1056) (i32.const 5)) {NEXT}"
    );
    stage.load(&[(plugin("p"), guest(&[], &[("on-route", &fail)]))]).await.expect("it loads");
    assert_eq!(route(&stage).await.routing, Routing::Fail(Reply::new(450, EnhancedStatus::new(4, 7, 1), "X-One")));
}

#[tokio::test]
async fn on_route_reads_the_message_and_changes_nothing() {
    let stage = Stage::new();
    let body = format!(
        "(call $header (i32.const 16) (i32.const 5) (i32.const 2048)) {} {} {ADD} {} {}",
        expect_octet(2048, 0),
        expect_octet(2052, 1),
        expect_error(0),
        place(&[], "")
    );
    let granted = Plugin { edit: vec![EditGrant::Headers], ..plugin("p") };
    stage.load(&[(granted, guest(&[HEADER, ADD_HEADER], &[("on-route", &body)]))]).await.expect("it loads");
    let routing = route(&stage).await.routing;
    assert!(matches!(routing, Routing::Place(..)), "{routing:?} {:?}", stage.events.take("plugin-fault"));
}

#[tokio::test]
async fn what_on_route_said_is_told_to_the_hooks_after_it() {
    let stage = Stage::new();
    // Campaign (a tag), priority, and site (a tag), as `delivery.current` tells them.
    let told = |campaign: u8, priority: u8, site: u8| {
        let told = [expect_octet(2092, campaign), expect_octet(2104, priority), expect_octet(2132, site)].concat();
        format!("(call $current (i32.const 2048)) {} {told}", expect_octet(2048, 0))
    };
    let (asked, sent) = (format!("{} {}", told(0, 1, 0), place(&[], "")), format!("{} {NEXT}", told(1, 2, 1)));
    let octets = guest(&[CURRENT], &[("on-route", &asked), ("on-pre-send", &sent)]);
    stage.load(&[(plugin("p"), octets)]).await.expect("it loads");
    assert!(matches!(route(&stage).await.routing, Routing::Place(..)));
    let mut entry = entry(&["a@example.net"]);
    let campaign = Some("spring".into());
    entry.place(0, Some(Placement { campaign, priority: Priority::Transactional, ..Placement::default() }));
    let content = content("A: b\r\n\r\n", "text\r\n");
    let sendout =
        Sendout { entry: &entry, content: &content, recipient: 0, attempt: 1, site: "x", size_bytes_max: 100 };
    assert_eq!(stage.host.pre_send(sendout).await.sending, Sending::Next);
    assert_eq!(stage.events.faults(), []);
}

/// What was counted under a name: the values of the labels, and the count.
fn counted(stage: &Stage, name: &str) -> Vec<(Vec<String>, u64)> {
    let mut families = Vec::new();
    stage.host.measure(&mut families);
    let family = families.into_iter().find(|family| family.name == name).expect("there is such a family");
    let count = |value| match value {
        Value::Whole(count) => count,
        Value::Spread(spread) => spread.below.iter().map(|(_, count)| count).sum::<u64>() + spread.above,
        Value::Real(_) => 0,
    };
    let values = |labels: Vec<(_, String)>| labels.into_iter().map(|(_, value)| value).collect();
    family.samples.into_iter().map(|sample| (values(sample.labels), count(sample.value))).collect()
}

#[tokio::test]
async fn calls_are_counted_by_hook_tenant_and_verdict() {
    let stage = Stage::new();
    // One recipient's local part is "trap".
    let body = format!("(if (i32.eq (i32.load8_u (local.get 5)) (i32.const 0x74)) (then unreachable)) {}", reject(550));
    let hooks = [("on-rcpt", &*body), ("on-tick", ""), ("on-disconnect", TRAP)];
    stage.load(&[(plugin("p"), guest(&[], &hooks))]).await.expect("it loads");
    let mut session = stage.session();
    for (tenant, to) in [(None, "a@b.test"), (Some("t1"), "a@b.test"), (Some("t1"), "trap@b.test")] {
        session.belongs_to(tenant.map(Into::into).as_ref());
        session.gate(Asked::Rcpt { sender: None, to: &recipient(to) }).await;
    }
    session.disconnected();
    stage.host.told().await;
    let of = |labels: [&str; 4], count| (labels.map(str::to_owned).to_vec(), count);
    let wanted = [
        of(["p", "rcpt", "", "reject"], 1),
        of(["p", "rcpt", "t1", "reject"], 1),
        of(["p", "rcpt", "t1", "fault"], 1),
        of(["p", "disconnect", "t1", "fault"], 1),
    ];
    let mut found = counted(&stage, "mailwright_plugins_calls");
    found.sort_unstable();
    let mut wanted = wanted.to_vec();
    wanted.sort_unstable();
    assert_eq!(found, wanted);
    let times = counted(&stage, "mailwright_plugins_call_seconds");
    assert_eq!(
        times.iter().map(|(labels, count)| (&*labels[1], *count)).collect::<Vec<_>>(),
        [("rcpt", 3), ("disconnect", 1)]
    );
    let faults: Vec<_> =
        counted(&stage, "mailwright_plugins_faults").into_iter().map(|(labels, _)| labels[2].clone()).collect();
    assert_eq!(faults, ["trap", "trap"]);
    assert_eq!(counted(&stage, "mailwright_plugins_instances_in_use")[0].1, 0);
    assert_eq!(counted(&stage, "mailwright_plugins_memory_high_bytes")[0].1, 65_536);
    assert_eq!(counted(&stage, "mailwright_plugins_generation")[0].1, 1);
}

#[tokio::test]
async fn calls_are_logged_of_plugins_that_the_operator_names_alone() {
    let stage = Stage::new();
    let traced = Plugin { trace: true, ..plugin("traced") };
    let octets = || guest(&[], &[("on-connect", NEXT), ("on-data", ACCEPT)]);
    stage.load(&[(traced, octets()), (plugin("other"), octets())]).await.expect("they load");
    let mut session = stage.session();
    session.gate(Asked::Connect).await;
    let (envelope, content) = (envelope(&["a@b.test"]), content("", ""));
    session.data(Submission { id: ID, envelope: &envelope, content: &content, size_bytes_max: 1000 }).await;
    let called = stage.events.take("plugin-called");
    let words = |name: &str| called.iter().map(|event| event[name].to_string()).collect::<Vec<_>>();
    assert_eq!(words("plugin"), [r#""traced""#; 2]);
    assert_eq!(words("hook"), [r#""connect""#, r#""data""#]);
    assert_eq!(words("verdict"), [r#""next""#, r#""accept""#]);
    assert_eq!(words("session"), [r#""s1""#; 2]);
    assert_eq!(
        (called[0]["id"].is_null(), called[1]["id"].is_null(), words("generation")),
        (true, false, vec!["1".to_owned(); 2])
    );
    assert!(called.iter().all(|event| event["micros"].is_u64()));
}

const COUNT: Import = ("metrics", "add", "(param i32 i32 i32 i32 i64)");
const OBSERVE: Import = ("metrics", "observe", "(param i32 i32 i32 i32 f64)");

#[tokio::test]
async fn a_plugin_counts_things_of_its_own_over_a_reload() {
    let stage = Stage::new();
    // "X" is a name; "-One", behind it, is none.
    let body = format!(
        "(call $add (i32.const 16) (i32.const 1) (i32.const 0) (i32.const 0) (i64.const 3))
         (call $add (i32.const 17) (i32.const 4) (i32.const 0) (i32.const 0) (i64.const 3))
         (call $observe (i32.const 18) (i32.const 3) (i32.const 0) (i32.const 0) (f64.const 0.5)) {NEXT}"
    );
    let granted = || Plugin { allow: vec!["metrics".into()], ..plugin("my-p") };
    let octets = || guest(&[COUNT, OBSERVE], &[("on-connect", &body)]);
    for _ in 0..2 {
        stage.load(&[(granted(), octets())]).await.expect("it loads");
        stage.session().gate(Asked::Connect).await;
        stage.session().gate(Asked::Connect).await;
    }
    assert_eq!(counted(&stage, "mailwright_plugin_my_p_X"), [(vec!["my-p".to_owned()], 12)]);
    assert_eq!(counted(&stage, "mailwright_plugin_my_p_One"), [(vec!["my-p".to_owned()], 4)]);
    let dropped = counted(&stage, "mailwright_plugins_own_samples_dropped");
    assert_eq!(dropped, [(vec!["my-p".to_owned(), "name".to_owned()], 4)]);
    let said = stage.events.take("plugin-metric-dropped");
    assert_eq!(said.iter().map(|event| event["metric"].clone()).collect::<Vec<_>>(), ["-One"; 2], "once a load");
    let refused = stage.load(&[(plugin("my-p"), octets())]).await.expect_err("it is not granted");
    assert!(refused.to_string().contains("add \"metrics\" to its `allow`"), "{refused}");
}
