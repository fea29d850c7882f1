//! RFC 5321 5.1 and RFC 7505, answer by answer.

use super::*;
use proptest::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts up: every run of a test rolls the same.
#[derive(Default)]
struct Counter(AtomicU64);

impl Dice for Counter {
    fn roll(&self) -> u64 {
        self.0.fetch_add(0x9e37_79b9, Ordering::Relaxed)
    }
}

const NOT_LOCAL: &dyn Fn(IpAddr) -> bool = &|_| false;
const LOOPBACK: &dyn Fn(IpAddr) -> bool = &|ip| ip.is_loopback();

fn stranger(port: u16) -> Ourselves<'static> {
    Ourselves { hostname: "mx.here.test", port, listening: &[], is_local: NOT_LOCAL }
}

fn mx(preference: u16, host: &str) -> Mx {
    Mx { preference, host: host.into() }
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("a literal")
}

fn plan(records: Vec<Mx>) -> Plan {
    Plan::new(groups("a.test", Ok(records), &Counter::default()).expect("has exchangers"))
}

/// Looks the next group up in a table and admits it.
fn step(plan: &mut Plan, table: &[(&str, &[&str])], us: Ourselves<'_>) -> Option<Result<Vec<Target>, Loop>> {
    let group = plan.next_group()?;
    let found = group.hosts.into_iter().map(|host| {
        let answer = table.iter().find(|(name, _)| *name == &*host).map(|(_, ips)| ips.iter().map(|t| ip(t)).collect());
        (host, answer.ok_or(DnsFault::NoRecord))
    });
    Some(plan.admit(found.collect(), us, &Counter::default()))
}

#[test]
fn the_null_mx_takes_no_mail_rfc7505_3_rfc7505_4() {
    let refused = groups("a.test", Ok(vec![mx(0, "")]), &Counter::default()).expect_err("null MX");
    assert_eq!(refused.to_string(), "556 5.1.10 the recipient's domain takes no mail");
    let beside = groups("a.test", Ok(vec![mx(0, ""), mx(5, "m.test")]), &Counter::default()).expect("one is left");
    assert_eq!(beside, [Group { hosts: vec!["m.test".into()] }]);
}

#[test]
fn without_mx_the_domain_is_its_own_exchanger_rfc5321_5_1() {
    for answer in [Ok(Vec::new()), Err(DnsFault::NoRecord)] {
        let groups = groups("a.test", answer, &Counter::default()).expect("implicit");
        assert_eq!(groups, [Group { hosts: vec!["a.test".into()] }]);
    }
}

#[test]
fn a_missing_domain_bounces_and_a_failing_server_defers_rfc5321_5_1() {
    let missing = groups("a.test", Err(DnsFault::NoSuchDomain), &Counter::default()).expect_err("no such domain");
    assert!(missing.is_permanent() && missing.status == Some(EnhancedStatus::new(5, 1, 2)));
    let failed = groups("a.test", Err(DnsFault::Failed), &Counter::default()).expect_err("servers failed");
    assert_eq!((failed.code, failed.status), (451, Some(EnhancedStatus::new(4, 4, 3))));
}

#[test]
fn addresses_are_tried_by_preference_then_hosts_in_turn() {
    let mut plan = plan(vec![mx(20, "late.test"), mx(10, "one.test"), mx(10, "two.test")]);
    let table: &[(&str, &[&str])] = &[
        ("one.test", &["192.0.2.1", "2001:db8::1"]),
        ("two.test", &["192.0.2.2", "2001:db8::2"]),
        ("late.test", &["192.0.2.3", "192.0.2.4"]),
    ];
    let first = step(&mut plan, table, stranger(25)).expect("a group").expect("no loop");
    let hosts: Vec<&str> = first.iter().map(|target| &*target.host).collect();
    assert_eq!(first.len(), 4);
    assert_eq!((hosts[0], hosts[1]), (hosts[2], hosts[3]));
    assert_ne!(hosts[0], hosts[1]);
    assert!(first[0].address.is_ipv6() && first[1].address.is_ipv4());
    let last = step(&mut plan, table, stranger(25)).expect("a group").expect("no loop");
    assert_eq!(last.len(), ADDRESSES_PER_ATTEMPT_MAX - 4);
    assert!(plan.next_group().is_none());
}

#[test]
fn our_own_preference_and_those_above_it_are_cut_rfc5321_5_1() {
    let us = Ourselves { is_local: LOOPBACK, ..stranger(25) };
    let records = || vec![mx(10, "better.test"), mx(20, "us.test"), mx(20, "peer.test"), mx(30, "worse.test")];
    let table: &[(&str, &[&str])] =
        &[("better.test", &["192.0.2.1"]), ("us.test", &["127.0.0.1"]), ("peer.test", &["192.0.2.2"])];
    let mut behind = plan(records());
    assert_eq!(step(&mut behind, table, us).expect("a group").expect("no loop").len(), 1);
    assert_eq!(step(&mut behind, table, us).expect("a group"), Ok(vec![]));
    assert!(behind.next_group().is_none());
    // We are among the best: nowhere to go.
    let mut best = plan(records().split_off(1));
    assert_eq!(step(&mut best, table, us).expect("a group"), Err(Loop { address: Some(ip("127.0.0.1")) }));
    assert_eq!((LOOP.code, LOOP.status), (550, Some(EnhancedStatus::new(5, 4, 6))));
    let mut named = plan(vec![mx(5, "MX.here.test")]);
    assert_eq!(step(&mut named, &[], us).expect("a group"), Err(Loop { address: None }));
}

#[test]
fn on_another_port_only_our_own_sockets_are_ourselves() {
    let listening = [SocketAddr::from(([127, 0, 0, 1], 2525)), SocketAddr::from(([0, 0, 0, 0], 2526))];
    let us = |port| Ourselves { listening: &listening, is_local: LOOPBACK, ..stranger(port) };
    assert!(us(2525).is_at(ip("127.0.0.1")) && us(2526).is_at(ip("127.0.0.9")));
    assert!(!us(2525).is_at(ip("127.0.0.2")) && !us(2527).is_at(ip("127.0.0.1")));
    assert!(!us(2527).is_named("mx.here.test") && us(2525).is_named("mx.here.test"));
}

#[test]
fn exchangers_without_addresses_give_nobody_to_try_rfc3463_3_5() {
    for fault in [DnsFault::NoRecord, DnsFault::NoSuchDomain, DnsFault::Failed] {
        let mut nowhere = plan(vec![mx(10, "gone.test")]);
        nowhere.next_group().expect("a group");
        let answer = vec![("gone.test".into(), Err(fault))];
        assert_eq!(nowhere.admit(answer, stranger(25), &Counter::default()), Ok(vec![]));
        assert_eq!(nowhere.next_group(), None);
    }
}

proptest! {
    /// RFC 5321 5.1: lower preference first; no exchanger is lost or invented, whatever the dice.
    #[test]
    fn grouping_keeps_every_exchanger_in_the_order_of_preference(preferences in prop::collection::vec(0u16..5, 1..15)) {
        let records: Vec<Mx> = preferences.iter().enumerate().map(|(n, p)| mx(*p, &format!("h{n}.p{p}.test"))).collect();
        let grouped = groups("a.test", Ok(records.clone()), &Counter::default()).expect("has exchangers");
        let mut flat: Vec<Box<str>> = grouped.iter().flat_map(|group| group.hosts.clone()).collect();
        let ranks: Vec<&str> = flat.iter().map(|host| host.split('.').nth(1).expect("made above")).collect();
        prop_assert!(ranks.is_sorted());
        let mut wanted: Vec<Box<str>> = records.into_iter().map(|record| record.host).collect();
        flat.sort();
        wanted.sort();
        prop_assert_eq!(flat, wanted);
    }
}
