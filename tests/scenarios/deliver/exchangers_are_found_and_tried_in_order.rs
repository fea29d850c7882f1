//! Mail finds its way by MX records: preference, fall-back, implicit and null MX, failures of the DNS, and loops.

use mailwright_tests::client::Reply;
use mailwright_tests::dns::Zones;
use mailwright_tests::mail::{Mark, message};
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::{Script, Sink};
use std::net::{Ipv4Addr, SocketAddr};

const FIRST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const SECOND: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
const NOBODY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 4);

/// Exchangers at two addresses with the same port.
fn exchangers(first: Script, second: Script) -> (Sink, Sink) {
    let first = first.start_at(SocketAddr::from((FIRST, 0)));
    let second = second.start_at(SocketAddr::from((SECOND, first.address().port())));
    (first, second)
}

fn zones() -> Zones {
    Zones::new()
        .a("mx1.test", FIRST)
        .a("mx2.test", SECOND)
        .a("dead.test", NOBODY)
        .a("mx.example.test", Ipv4Addr::LOCALHOST)
}

fn send(server: &Mailwright, to: &str) -> Reply {
    let mut client = server.client();
    client.hello();
    client.mail("a@from.example", &[to], &message(&Mark::new(), "hello\r\n"))
}

#[test]
fn the_best_exchanger_is_taken_and_the_next_when_it_fails_rfc5321_5_1() {
    let (first, second) = exchangers(Script::new(), Script::new());
    let dns = zones()
        .mx("best.test", 10, "mx1.test")
        .mx("best.test", 20, "mx2.test")
        .mx("fallback.test", 10, "dead.test")
        .mx("fallback.test", 20, "mx2.test")
        .a("implicit.test", FIRST)
        .cname("alias.test", "best.test")
        .mx("odd.test", 0, ".")
        .mx("odd.test", 10, "mx1.test")
        .start();
    let server = Mailwright::start(&Setup::new().dns(dns.address(), first.address().port()));
    send(&server, "b@best.test").expect_code(250);
    let _ = first.message("to the best", |message| message.recipients == ["b@best.test"]);
    send(&server, "b@fallback.test").expect_code(250);
    let _ = second.message("to the next", |message| message.recipients == ["b@fallback.test"]);
    send(&server, "b@implicit.test").expect_code(250);
    let _ = first.message("to the domain itself", |message| message.recipients == ["b@implicit.test"]);
    send(&server, "b@alias.test").expect_code(250);
    let _ = first.message("by another name", |message| message.recipients == ["b@alias.test"]);
    // RFC 7505 3: a null MX beside others is a mistake; the others are meant.
    send(&server, "b@odd.test").expect_code(250);
    let _ = first.message("past the null MX", |message| message.recipients == ["b@odd.test"]);
    assert_eq!(second.messages().len(), 1);
}

#[test]
fn an_exchanger_that_sends_us_away_is_followed_by_the_next() {
    let away = Script::new().greeting("421 4.3.2 not now");
    let (first, second) = exchangers(away, Script::new());
    let dns = zones().mx("busy.test", 10, "mx1.test").mx("busy.test", 20, "mx2.test").start();
    let server = Mailwright::start(&Setup::new().dns(dns.address(), first.address().port()));
    send(&server, "b@busy.test").expect_code(250);
    let _ = second.message("to the next", |_| true);
    assert!(first.connections() > 0);
}

#[test]
fn domains_without_a_way_are_told_apart() {
    let bounces = Sink::start();
    let dns = zones().mx("null.test", 0, ".").failing("broken.test").mx("loop.test", 10, "mx.example.test");
    let dns = dns.a("here.test", Ipv4Addr::LOCALHOST).mx("us.test", 10, "here.test").start();
    // We are the exchangers' port ourselves, or nothing would be a loop.
    let own = mailwright_tests::peers::free_address();
    let setup = Setup::new().dns(dns.address(), own.port()).smarthost("from.example", bounces.address());
    let server = Mailwright::prepare(&setup).begin(&[&format!("listener.mx.bind={own}")]);
    // RFC 7505 4.2: null MX; RFC 3463 3.2: no such domain; RFC 5321 5.1: we are its best exchanger ourselves, by name or address.
    for (domain, status) in
        [("null.test", "5.1.10"), ("gone.test", "5.1.2"), ("loop.test", "5.4.6"), ("us.test", "5.4.6")]
    {
        send(&server, &format!("b@{domain}")).expect_code(250);
        let notice = bounces.message(domain, |message| message.text().contains(&format!("b@{domain}")));
        assert_eq!(notice.sender(), "");
        assert!(notice.text().contains(&format!("Status: {status}")), "{domain}: {}", notice.text());
    }
    let _ = server.event("loop-found", |_| true);
    // The servers failed: nothing is known about the domain, so it waits.
    let id = send(&server, "b@broken.test").queue_id();
    let deferred = server.event("deferred", |event| event["id"] == id.as_str());
    assert!(deferred["reply"].as_str().is_some_and(|reply| reply.starts_with('4')), "{deferred}");
    assert_eq!(server.queue().len(), 1);
}
