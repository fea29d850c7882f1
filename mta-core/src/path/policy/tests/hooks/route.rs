//! `on-route`: where, when and how a recipient goes, and what is wrong with an answer.

use super::super::guests::{
    ACCEPT, ADD, ADD_HEADER, ATTEMPT, CURRENT, HEADER, NEXT, PEER_IP, RECIPIENT, TRAP, expect_error, expect_octet,
    guest,
};
use super::super::stage::{Stage, content, entry, plugin};
use crate::base::flow::attempt::{NextHop, Routes};
use crate::base::flow::entry::{LastFailure, Progress};
use crate::base::flow::placement::{Placement, Priority};
use crate::base::flow::policy::{Asked, Gate, Hook, Policy, RouteVerdict, Routing, Sending, Sendout, Unplaced};
use crate::base::mail::domain::Domain;
use crate::base::smtp::reply::Reply;
use crate::base::smtp::status::EnhancedStatus;
use crate::base::time::UnixMillis;
use crate::config::model::{EditGrant, OnFailure, Plugin};

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
        (TRAP.to_owned(), "trap", "unreachable"),
        (place(&[(VIA, 16, 3)], ""), "answer", "no [[route]] has name = \"X-O\""),
        (place(&[(POOL, 16, 5)], ""), "answer", "no [[pool]] has name = \"X-One\""),
        (place(&[(CAMPAIGN, 16, 0)], ""), "answer", "expected 1 to 128 octets"),
        (place(&[(CAMPAIGN, 4000, 200)], ""), "answer", "expected 1 to 128 octets"),
        // `fail` with a code that is no failure.
        (
            format!(
                "(i32.store8 (i32.const 1032) (i32.const 3)) (i32.store16 (i32.const 1040) (i32.const 250)) {NEXT}"
            ),
            "answer",
            "code 250",
        ),
    ];
    let meanings = [
        (OnFailure::Tempfail, undecided, "451 4.3.0"),
        (OnFailure::Open, Routing::Next, "next"),
        (OnFailure::Closed, closed, "550 5.3.0"),
    ];
    for (body, kind, words) in wrong {
        for (on_failure, expected, answered) in &meanings {
            let failing = Plugin { on_failure: *on_failure, ..plugin("p") };
            stage.load(&[(failing, guest(&[], &[("on-route", &body)]))]).await.expect("it loads");
            let mut said = route(&stage).await.routing;
            if let (Routing::Fail(reply), OnFailure::Tempfail) = (&mut said, on_failure) {
                // What the next attempt has to know is told in the reply.
                reply.text = reply.text.replace(&format!(" (p: {kind}, 1 in a row)"), "").into();
            }
            assert_eq!(&said, expected);
            let faults = stage.events.take("plugin-fault");
            let [fault] = &faults[..] else { panic!("one fault: {faults:?}") };
            assert_eq!(
                (&fault["hook"], &fault["kind"], &fault["answered"]),
                (&"route".into(), &kind.into(), &(*answered).into())
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

#[tokio::test]
async fn one_fact_alone_is_told_where_the_whole_is() {
    let stage = Stage::new();
    let asked = |function: &str, answer: &[(u32, u8)]| {
        let answer: String = answer.iter().map(|(at, octet)| expect_octet(*at, *octet)).collect();
        format!("(call {function} (i32.const 2048)) {answer}")
    };
    let [not_here, third] = [[(2048, 1)].as_slice(), &[(2048, 0), (2052, 3)]];
    // How long the local part and the domain are.
    let recipient = asked("$recipient", &[(2048, 0), (2056, 1), (2064, 11)]);
    let sent = [asked("$attempt", third), recipient, asked("$peer-ip", not_here), NEXT.to_owned()].concat();
    let peer = asked("$peer-ip", &[(2048, 0), (2056, 9)]);
    let connected = [asked("$attempt", not_here), asked("$recipient", not_here), peer, ACCEPT.to_owned()].concat();
    let octets = guest(&[PEER_IP, RECIPIENT, ATTEMPT], &[("on-connect", &connected), ("on-pre-send", &sent)]);
    stage.load(&[(plugin("p"), octets)]).await.expect("it loads");
    assert_eq!(stage.session().gate(Asked::Connect).await, Gate::Accept, "{:?}", stage.events.faults());
    let (entry, content) = (entry(&["a@example.net"]), content("A: b\r\n\r\n", "text\r\n"));
    let sendout =
        Sendout { entry: &entry, content: &content, recipient: 0, attempt: 3, site: "x", size_bytes_max: 100 };
    assert_eq!(stage.host.pre_send(sendout).await.sending, Sending::Next);
    assert_eq!(stage.events.faults(), []);
}

#[tokio::test]
async fn a_recipient_whose_way_faults_the_plugin_each_time_is_held() {
    let stage = Stage::new();
    stage.load(&[(plugin("trap"), guest(&[], &[("on-route", TRAP)]))]).await.expect("it loads");
    let RouteVerdict { routing: Routing::Fail(first), .. } = route(&stage).await else { panic!("it is asked again") };
    assert!(first.text.contains("trap: trap, 1 in a row"), "{first}");
    let mut entry = entry(&["a@example.net"]);
    let reply = Reply { text: first.text.replace("1 in", "2 in").into(), ..first };
    let last = Some(Box::new(LastFailure { at: entry.accepted, reply, remote: None }));
    entry.progress = vec![Progress::Pending { attempts: 2, due: entry.accepted, last, delay_told: false }];
    let content = content("X-One: x\r\n\r\n", "text\r\n");
    let unplaced = Unplaced { entry: &entry, content: &content, recipient: 0, attempt: 3, routes: &Configured };
    let RouteVerdict { routing: Routing::Hold(reason), .. } = stage.host.route(unplaced).await else { panic!("held") };
    assert!(reason.starts_with("plugin trap failed at route 3 times in a row (trap: "), "{reason}");
    assert_eq!(stage.events.take("plugin-poison").len(), 1);
}
