//! Mail goes to hosts that their domain stands for: by its signed zone (DANE, RFC 7672) or by its policy (MTA-STS, RFC 8461).
//! Whoever stands between gets nothing, and the mail waits.

use mailwright_tests::peers::knot::{Knot, SignedZones};
use mailwright_tests::peers::policies::PolicyServer;
use mailwright_tests::peers::tls::Authority;
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::Sink;
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

const RECEIVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const STRIPPED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
const WEB: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 4);

/// A server that shows each host's own certificate, and one in whose name somebody hides STARTTLS.
struct Hosts {
    authority: Authority,
    receiver: Mailwright,
    stripped: Sink,
}

impl Hosts {
    /// `mx.stranger.test` has a certificate of an authority that nobody knows.
    fn start(names: &[&str]) -> (Self, Authority) {
        let (authority, stranger) = (Authority::new(), Authority::new());
        let mut tables = stranger_of(&stranger);
        for name in names {
            authority.sign(name, &[name], 2100);
            tables += &format!("\n{}", authority.certificate("tls", name));
        }
        let setup = Setup::new().maildir("*", Path::new("mail")).table(&tables);
        let receiver = Mailwright::prepare(&setup).begin(&[&format!("listener.mx.bind={RECEIVER}:0")]);
        let port = receiver.address().port();
        let stripped = mailwright_tests::sink::Script::new().start_at(SocketAddr::from((STRIPPED, port)));
        (Self { authority, receiver, stripped }, stranger)
    }

    fn port(&self) -> u16 {
        self.receiver.address().port()
    }

    /// A server that sends, knows the name server and its key, and trusts the authority.
    fn sender(&self, knot: &Knot, web: Option<&PolicyServer>) -> Mailwright {
        let setup = Setup::new().dns(knot.address(), self.port());
        let setup = setup.set("delivery", &format!("dns_trust_anchor = \"{}\"", knot.anchor().display()));
        let setup = match web {
            Some(web) => setup.set("delivery", &format!("mta_sts_port = {}", web.address().port())),
            None => setup,
        };
        let roots = format!("SSL_CERT_FILE={}", self.authority.path("ca.pem").display());
        Mailwright::prepare(&setup).wrapped(&["env", &roots])
    }
}

fn stranger_of(stranger: &Authority) -> String {
    stranger.sign("mx.stranger.test", &["mx.stranger.test"], 2100);
    stranger.certificate("tls", "mx.stranger.test")
}

/// A domain with one exchanger at this address.
fn domain(name: &str, at: Ipv4Addr) -> String {
    format!("{name}. MX 10 mx.{name}.\nmx.{name}. A {at}\n")
}

/// The same, with a policy of MTA-STS that is announced.
fn announcing(name: &str, at: Ipv4Addr) -> String {
    domain(name, at) + &format!("_mta-sts.{name}. TXT \"v=STSv1; id=1;\"\nmta-sts.{name}. A {WEB}\n")
}

/// What becomes of a message to this domain.
fn sent(server: &Mailwright, domain: &str) -> Value {
    let mut client = server.client();
    client.hello();
    let to = format!("b@{domain}");
    let id = client.mail("a@from.example", &[&to], b"Subject: x\r\n\r\nhello\r\n").queue_id();
    server.one_of(&["delivered", "deferred", "bounced"], |event| event["id"] == id.as_str())
}

fn assert_delivered(server: &Mailwright, domain: &str, protected: &str) {
    let ended = sent(server, domain);
    let tls = ended["tls"].as_str().unwrap_or("clear");
    assert!(ended["event"] == "delivered" && tls.ends_with(protected), "{domain}: {ended}");
}

fn assert_waits(server: &Mailwright, domain: &str, reply: &str) {
    let ended = sent(server, domain);
    let said = ended["reply"].as_str().unwrap_or_default();
    assert!(ended["event"] == "deferred" && said.starts_with(reply), "{domain}: {ended}");
    // RFC 3463 3.8: it may pass, so nothing is lost.
    let recipients: Vec<String> = server.queue().iter().map(ToString::to_string).collect();
    assert!(recipients.iter().any(|queued| queued.contains(&format!("b@{domain}"))), "{domain}: {recipients:?}");
}

#[test]
fn signed_zones_say_who_their_hosts_are_rfc7672_2_and_3() {
    let names = ["mx.good.test", "mx.ta.test", "mx.wrong.test", "mx.plain.test", "mx.unusable.test", "host.alias.test"];
    let (hosts, stranger) = Hosts::start(&names);
    let tlsa = |host: &str, record: &str| format!("_{}._tcp.{host}. TLSA {record}\n", hosts.port());
    let nobodys = format!("3 1 1 {}", "00".repeat(32));
    let key_of = |authority: &Authority, name: &str| format!("3 1 1 {}", authority.key_digest(name));
    let stranger_key = key_of(&stranger, "mx.stranger.test");
    let root = [
        domain("good.test", RECEIVER) + &tlsa("mx.good.test", &key_of(&hosts.authority, "mx.good.test")),
        // Its zone knows it, whoever signed its certificate.
        domain("stranger.test", RECEIVER)
            + &tlsa("mx.stranger.test", &nobodys)
            + &tlsa("mx.stranger.test", &stranger_key),
        domain("ta.test", RECEIVER) + &tlsa("mx.ta.test", &format!("2 1 1 {}", hosts.authority.key_digest("ca"))),
        domain("wrong.test", RECEIVER) + &tlsa("mx.wrong.test", &nobodys),
        domain("strip.test", STRIPPED) + &tlsa("mx.strip.test", &nobodys),
        domain("unusable.test", RECEIVER) + &tlsa("mx.unusable.test", &format!("1 1 1 {}", "00".repeat(32))),
        domain("none.test", STRIPPED),
        "alias.test. MX 10 mx.alias.test.\nmx.alias.test. CNAME host.alias.test.\n".to_owned(),
        format!("host.alias.test. A {RECEIVER}\n"),
        tlsa("host.alias.test", &key_of(&hosts.authority, "host.alias.test")),
    ];
    let plain = domain("plain.test", RECEIVER) + &tlsa("mx.plain.test", &nobodys);
    let knot = SignedZones::new(&root.concat())
        .unsigned("plain.test.", &plain)
        .forged("forged.test.", &domain("forged.test", RECEIVER))
        .start();
    let server = hosts.sender(&knot, None).begin(&[]);
    for good in ["good.test", "stranger.test", "ta.test", "alias.test"] {
        assert_delivered(&server, good, ", DANE");
    }
    // Records that can't be used ask for TLS; a zone that is not signed asks for nothing.
    assert_delivered(&server, "unusable.test", "SHA384");
    assert_delivered(&server, "plain.test", "SHA384");
    assert_delivered(&server, "none.test", "clear");
    assert_waits(&server, "wrong.test", "451 4.7.5 DANE of mx.wrong.test: TLS could not be established: ");
    assert_waits(
        &server,
        "strip.test",
        "451 4.7.4 DANE of mx.strip.test: TLS is required, and the host does not offer",
    );
    assert_waits(
        &server,
        "forged.test",
        "451 4.7.5 DANE: the signatures of the recipient's domain do not hold (DNSSEC)",
    );
    let told = server.event("tls-policy-failed", |event| event["host"] == "mx.wrong.test");
    assert!(told["why"].as_str().is_some_and(|why| why.contains("no TLSA record of its zone fits it")), "{told}");
    assert_eq!(hosts.stripped.messages().len(), 1, "to none.test alone");
}

#[test]
fn policies_say_who_their_hosts_are_and_are_nobody_elses_rfc8461_4_and_5() {
    let (hosts, _stranger) = Hosts::start(&["mx.sts.test", "mx.unnamed.test"]);
    let domains = ["sts.test", "unnamed.test", "stranger.test", "strip.test", "trial.test", "gone.test"];
    let web_names: Vec<String> = domains.iter().map(|domain| format!("mta-sts.{domain}")).collect();
    hosts.authority.sign("web", &web_names.iter().map(String::as_str).collect::<Vec<_>>(), 2100);
    let web = PolicyServer::start(WEB.into(), &hosts.authority, "web");
    for domain in ["sts.test", "stranger.test", "strip.test"] {
        web.publish(domain, "enforce", &[&format!("*.{domain}")]);
    }
    web.publish("unnamed.test", "enforce", &["mx.other.test"]);
    web.publish("trial.test", "testing", &["mx.trial.test"]);
    let root = [
        announcing("sts.test", RECEIVER),
        announcing("unnamed.test", RECEIVER),
        announcing("stranger.test", RECEIVER),
        announcing("strip.test", STRIPPED),
        announcing("trial.test", STRIPPED),
        announcing("gone.test", STRIPPED),
        // Behind the same provider, and it promises nothing.
        "shared.test. MX 10 mx.sts.test.\n".to_owned(),
    ];
    let knot = SignedZones::new(&root.concat()).start();
    let mut server = hosts.sender(&knot, Some(&web)).begin(&[]);
    assert_delivered(&server, "sts.test", ", MTA-STS");
    assert_delivered(&server, "shared.test", "SHA384");
    let unnamed = "451 4.7.5 MTA-STS of mx.unnamed.test: the domain's policy does not name this host";
    assert_waits(&server, "unnamed.test", unnamed);
    assert_waits(&server, "stranger.test", "451 4.7.5 MTA-STS of mx.stranger.test: TLS could not be established: ");
    assert_waits(&server, "strip.test", "451 4.7.4 MTA-STS of mx.strip.test: TLS is required, and the host does not");
    assert_delivered(&server, "trial.test", "clear");
    let _ = server.event("tls-policy-failed", |event| event["host"] == "mx.trial.test");
    assert_delivered(&server, "gone.test", "clear");
    let told = server.event("tls-policy-failed", |event| event["domain"] == "gone.test");
    assert!(told["why"].as_str().is_some_and(|why| why.ends_with("its server answered 404")), "{told}");

    // Whoever keeps us from fetching, and cuts off what we knew, gains nothing.
    drop(web);
    assert!(server.stop().success());
    server.restart(&[]);
    assert_delivered(&server, "sts.test", ", MTA-STS");
    assert_waits(&server, "strip.test", "451 4.7.4 MTA-STS of mx.strip.test: ");
    assert!(server.events("sts-policy").is_empty());
}

#[test]
fn name_servers_without_signatures_stop_no_mail_unless_the_operator_says_so() {
    let sink = Sink::start();
    let dns = mailwright_tests::dns::Zones::new().mx("a.test", 10, "mx.a.test").a("mx.a.test", Ipv4Addr::LOCALHOST);
    let dns = dns.start();
    let setup = Setup::new().dns(dns.address(), sink.address().port());
    let server = Mailwright::start(&setup);
    assert_delivered(&server, "a.test", "clear");
    let _ = server.event("dnssec-unavailable", |_| true);
    let server = Mailwright::start(&setup.set("delivery", "dane = \"on\""));
    assert_waits(&server, "a.test", "451 4.7.5 DANE: the signatures of the recipient's domain do not hold");
}
