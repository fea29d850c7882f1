//! Cases of our own for the client's judges; the public suite is run by an example (docs/testing.md).

use super::iprev;
use super::spf::{Client, judge};
use crate::base::flow::policy::verify::Outcome;
use crate::base::world::dns::DnsFault;
use crate::path::verify::answers::{Answers, Question, Unknown};
use crate::path::verify::zones::Zones;
use std::net::IpAddr;

const CLIENT: &str = "192.0.2.3";

fn zones() -> Zones {
    Zones::new(
        "example.org TXT v=spf1 -all
         two.example TXT v=spf1 -all
         two.example TXT v=spf1 +all
         upper.example TXT V=SPF1 ip4:192.0.2.0/24 -all
         later.example TXT v=spf10 -all
         a.example TXT v=spf1 a:host.example/24 ~all
         host.example A 192.0.2.77
         mx.example TXT v=spf1 mx -all
         mx.example MX one.example
         mx.example MX two.example
         two.example A 192.0.2.3
         ptr.example TXT v=spf1 ptr -all
         3.2.0.192.in-addr.arpa PTR forged.example
         3.2.0.192.in-addr.arpa PTR mail.ptr.example
         mail.ptr.example A 192.0.2.3
         forged.example A 192.0.2.9
         in.example TXT v=spf1 include:upper.example -all
         notin.example TXT v=spf1 include:example.org ?all
         nothing.example TXT v=spf1 include:absent.example -all
         re.example TXT v=spf1 redirect=upper.example
         renone.example TXT v=spf1 redirect=absent.example
         macro.example TXT v=spf1 exists:%{ir}.%{v}.%{l}.%{d2}.sub.example -all
         3.2.0.192.in-addr.ann.macro.example.sub.example A 127.0.0.2
         broken.example TXT v=spf1 a:failing.example -all
         failing.example FAILS
         void.example TXT v=spf1 a:v1.example a:v2.example a:v3.example ip4:192.0.2.3 -all
         twovoid.example TXT v=spf1 a:v1.example a:v2.example ip4:192.0.2.3 -all
         eleven.example TXT v=spf1 a:h.example a:h.example a:h.example a:h.example a:h.example a:h.example \
         a:h.example a:h.example a:h.example a:h.example a:h.example +all
         h.example A 198.51.100.1
         loop.example TXT v=spf1 include:loop.example -all
         wrong.example TXT v=spf1 ip4:192.0.2.3/33 -all
         p.example TXT v=spf1 exists:%{p}.p.example -all
         mail.ptr.example.p.example A 127.0.0.1
         six.example TXT v=spf1 ip6:2001:db8::/32 -all",
    )
}

fn spf(zones: &Zones, domain: &str) -> Outcome {
    let client = Client { ip: CLIENT.parse().expect("an address"), helo: "client.example" };
    zones.settle(|answers| judge(client, "ann", domain, answers))
}

#[test]
fn records_are_judged_as_in_rfc7208_4() {
    let zones = zones();
    for (domain, outcome) in [
        ("example.org", Outcome::Fail),
        ("absent.example", Outcome::None),
        ("later.example", Outcome::None),
        ("upper.example", Outcome::Pass),
        // 4.5: several records are none that counts.
        ("two.example", Outcome::PermError),
        ("wrong.example", Outcome::PermError),
        ("failing.example", Outcome::TempError),
        ("six.example", Outcome::Fail),
        // 4.3.
        ("localhost", Outcome::None),
        ("[192.0.2.3]", Outcome::None),
        ("a..example", Outcome::None),
    ] {
        assert_eq!(spf(&zones, domain), outcome, "{domain}");
    }
}

#[test]
fn mechanisms_match_as_in_rfc7208_5() {
    let zones = zones();
    for (domain, outcome) in [
        ("a.example", Outcome::Pass),
        ("mx.example", Outcome::Pass),
        ("ptr.example", Outcome::Pass),
        ("in.example", Outcome::Pass),
        ("notin.example", Outcome::Neutral),
        ("nothing.example", Outcome::PermError),
        ("broken.example", Outcome::TempError),
        ("macro.example", Outcome::Pass),
        ("p.example", Outcome::Pass),
        // 6.1.
        ("re.example", Outcome::Pass),
        ("renone.example", Outcome::PermError),
    ] {
        assert_eq!(spf(&zones, domain), outcome, "{domain}");
    }
}

#[test]
fn look_ups_are_limited_as_in_rfc7208_4_6_4() {
    let zones = zones();
    for (domain, outcome) in [
        ("twovoid.example", Outcome::Pass),
        ("void.example", Outcome::PermError),
        ("eleven.example", Outcome::PermError),
        ("loop.example", Outcome::PermError),
    ] {
        assert_eq!(spf(&zones, domain), outcome, "{domain}");
    }
}

#[test]
fn exchangers_are_asked_for_at_once() {
    let mut answers = Answers::default();
    zones().answer(&mut answers, Question::texts("mx.example"));
    let client = Client { ip: CLIENT.parse().expect("an address"), helo: "client.example" };
    assert_eq!(judge(client, "ann", "mx.example", &answers), Err(Unknown));
    for question in answers.missing() {
        zones().answer(&mut answers, question);
    }
    assert_eq!(judge(client, "ann", "mx.example", &answers), Err(Unknown));
    let names: Vec<Box<str>> = answers.missing().into_iter().map(|question| question.name).collect();
    assert_eq!(names, ["one.example".into(), "two.example".into()]);
}

#[test]
fn a_name_must_have_the_address_back_rfc8601_3() {
    let judged = |zones: &Zones, ip: &str| {
        let ip: IpAddr = ip.parse().expect("an address");
        zones.settle(|answers| iprev::judge(ip, answers))
    };
    let zones = zones();
    assert_eq!(judged(&zones, CLIENT), (Outcome::Pass, Some("mail.ptr.example".into())));
    assert_eq!(judged(&zones, "192.0.2.4"), (Outcome::PermError, None));
    let forged = Zones::new("4.2.0.192.in-addr.arpa PTR forged.example\nforged.example A 192.0.2.9");
    assert_eq!(judged(&forged, "192.0.2.4"), (Outcome::Fail, None));
    for failing in ["4.2.0.192.in-addr.arpa FAILS", "4.2.0.192.in-addr.arpa PTR h.example\nh.example FAILS"] {
        assert_eq!(judged(&Zones::new(failing), "192.0.2.4"), (Outcome::TempError, None));
    }
    assert_eq!(Zones::new("").look_up(&Question::texts("x.example")), Err(DnsFault::NoSuchDomain));
}
