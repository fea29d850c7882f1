//! XCLIENT: who may speak for others, what becomes of the session, and what policy sees of it.

use super::world::mx;
use super::*;
use crate::base::flow::policy::Gate;
use crate::config::model::Network;
use crate::config::model::listener::Listener;

fn world(trusted: &str) -> World {
    let network: Network = crate::config::parse::network(trusted).expect("a network");
    let changed = Listener { xclient_from: vec![network], ..Listener::clone(&mx()) };
    World::new(Config { listeners: vec![Arc::new(changed)], ..config() })
}

fn bench(trusted: &str) -> Bench {
    Bench::in_world(world(trusted), INSIDE)
}

/// All but the client's own: INSIDE may relay.
const EVERYBODY: &str = "0.0.0.0/0";

#[test]
fn it_is_for_those_who_are_trusted_alone() {
    let mut stranger = bench("192.0.2.255/32");
    assert!(!stranger.say("EHLO proxy.example\r\n").contains("XCLIENT"));
    assert_eq!(stranger.say("XCLIENT ADDR=203.0.113.9\r\n"), "550 5.7.0 you may not speak for others\r\n");
    let mut proxy = bench(EVERYBODY);
    let said = proxy.say("EHLO proxy.example\r\n");
    assert!(said.contains("250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT\r\n"), "{said}");
    assert_eq!(proxy.say("XCLIENT SHOE=42\r\n"), "501 5.5.4 usage: XCLIENT attribute=value ...\r\n");
    assert_eq!(proxy.say("XCLIENT LOGIN=ann\r\n"), "550 5.7.0 LOGIN names no user of this server\r\n");
    proxy.say("MAIL FROM:<a@b.example>\r\n");
    assert_eq!(proxy.say("XCLIENT ADDR=203.0.113.9\r\n"), "503 5.5.1 a transaction is under way\r\n");
}

#[test]
fn the_session_begins_anew_with_the_client_rfc5321_3_1() {
    let mut bench = bench(EVERYBODY);
    bench.say("EHLO proxy.example\r\n");
    let greeting = bench.say("XCLIENT NAME=c.example ADDR=203.0.113.9 PORT=4000\r\n");
    assert_eq!(greeting, "220 mx.example ESMTP Mailwright\r\n");
    assert_eq!(bench.say("MAIL FROM:<a@b.example>\r\n"), "503 5.5.1 send EHLO or HELO first\r\n");
    bench.say("EHLO c.example\r\nMAIL FROM:<a@b.example>\r\n");
    let refused = bench.say("RCPT TO:<x@elsewhere.example>\r\n");
    assert!(refused.starts_with("550 5.7.1"), "the proxy might relay, its client may not: {refused}");
    bench.say("RSET\r\n");
    assert!(bench.send("A: b\r\n").starts_with("250 "));
    {
        let kept = bench.world.spool.kept.lock().expect("no panic");
        assert!(kept[0].entry.trace.contains("from c.example ([203.0.113.9])"), "{}", kept[0].entry.trace);
    }
    assert!(bench.world.heard.has("xclient", "\"peer\":\"203.0.113.9:4000\""));

    // The next client: nothing of the one before is left, and its name counts as if it had said it by HELO.
    bench.say("XCLIENT ADDR=IPV6:2001:db8::7 HELO=d.example PROTO=SMTP\r\n");
    assert_eq!(bench.session.helo(), Some("d.example"));
    let said = bench.say("MAIL FROM:<a@b.example> SIZE=10\r\n");
    assert_eq!(said, "555 5.5.4 parameters need EHLO\r\n");
    assert!(bench.session.info().peer == "[2001:db8::7]:0".parse().expect("an address"));
    // One whose address nobody knows is nowhere, and not where the proxy is.
    bench.say("XCLIENT ADDR=[UNAVAILABLE] HELO=[UNAVAILABLE]\r\n");
    assert_eq!(bench.session.info().peer, "0.0.0.0:0".parse().expect("an address"));
}

#[test]
fn policy_sees_a_new_session() {
    let world = world(EVERYBODY);
    *world.policy.connect.lock().expect("no panic") = Some(Gate::Next);
    let mut bench = Bench::in_world(world, INSIDE);
    bench.say("EHLO proxy.example\r\n");
    bench.say("XCLIENT ADDR=203.0.113.9 HELO=c.example\r\n");
    let asked = bench.world.policy.asked.lock().expect("no panic").clone();
    let expected =
        ["session mx None", "connect", "helo proxy.example", "gone", "session mx Some(\"c.example\")", "connect"];
    assert_eq!(asked, expected);
}
