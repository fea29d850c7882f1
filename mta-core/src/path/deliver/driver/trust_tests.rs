//! Attempts under what domains and zones promise: which hosts get mail, what a refusal says, what is told, and what
//! connections may be shared.

use super::fakes::World;
use super::*;
use crate::base::flow::entry::REQUIRETLS_TAG;
use crate::base::flow::tls_result::{PolicyFound, TlsFailure};
use crate::base::time::UnixMillis;
use crate::base::world::Clock as _;
use crate::base::world::dns::{DnsFault, Mx, SignedFault, Tlsa};
use crate::base::world::http::{HttpAnswer, HttpFault};
use crate::base::world::store::Journal;
use crate::base::world::tls::Trust;
use crate::config::model::{DaneMode, Delivery};
use crate::edge::store;
use crate::path::deliver::scripted::{Script, content, entry, willing};
use crate::path::deliver::trust::driver::Promises;
use bytes::Bytes;

const RECIPIENTS: [&str; 1] = ["r@b.test"];

fn offering() -> Script {
    Script { keywords: &["PIPELINING", "STARTTLS"], answers: vec![("STARTTLS", "220 go")], ..willing() }
}

/// `b.test` with one exchanger, which offers TLS.
fn world() -> Arc<World> {
    let world = World::new();
    exchangers(&world, "b.test", &["mx.b.test"]);
    world.serve("192.0.2.1:25", offering());
    world
}

/// Exchangers in their order, at 192.0.2.1 and so on.
fn exchangers(world: &World, domain: &str, hosts: &[&str]) {
    let mut records = Vec::new();
    for (host, number) in hosts.iter().zip(1..) {
        records.push(Mx { preference: number, host: (*host).into() });
        world.name(host, &[&format!("192.0.2.{number}")]);
    }
    world.exchange(domain, Ok(records));
}

fn answer(status: u16, kind: &str, body: &str) -> Result<HttpAnswer, HttpFault> {
    let fields = vec![("content-type".to_owned(), kind.to_owned())];
    Ok(HttpAnswer { status, fields, body: body.into() })
}

/// The domain publishes a policy.
fn publish(world: &World, domain: &str, id: &str, mode: &str, hosts: &[&str]) {
    let record = format!("v=STSv1; id={id};");
    world.texts.lock().expect("whole").insert(format!("_mta-sts.{domain}"), record);
    let hosts: String = hosts.iter().map(|host| format!("mx: {host}\n")).collect();
    let policy = format!("version: STSv1\nmode: {mode}\n{hosts}max_age: 86400\n");
    let served = answer(200, "Text/Plain; charset=utf-8", &policy);
    world.web.lock().expect("whole").insert(format!("mta-sts.{domain}"), served);
    world.name(&format!("mta-sts.{domain}"), &["192.0.2.80"]);
}

/// The zone of this name is signed, and has these TLSA records.
fn sign(world: &World, name: &str, records: Result<Vec<Tlsa>, SignedFault>) {
    world.zones.lock().expect("whole").insert(name.to_owned(), records);
}

fn none() -> Result<Vec<Tlsa>, SignedFault> {
    Err(DnsFault::NoRecord.into())
}

fn record() -> Tlsa {
    Tlsa { usage: 3, selector: 1, matching: 1, data: [7; 32].into() }
}

async fn send(deliverer: &Deliverer, domain: &str) -> Report {
    let hop = NextHop::Mx(crate::base::mail::domain::Domain::parse(domain).expect("a domain"));
    let attempt = Attempt {
        entry: Arc::new(entry(&RECIPIENTS)),
        content: content(),
        recipients: [0].into_iter().collect(),
        hop: Arc::new(hop),
        number: 1,
    };
    deliverer.attempt(attempt).await
}

/// What became of a message of its own making, and by what it was protected.
async fn made(world: &Arc<World>, requires_tls: bool, head: &'static [u8]) -> String {
    let mut entry = entry(&RECIPIENTS);
    if requires_tls {
        entry.tags.push((REQUIRETLS_TAG.into(), Box::default()));
    }
    let attempt = Attempt {
        content: Content { head: Bytes::from_static(head), ..content() },
        recipients: entry.pending(),
        entry: Arc::new(entry),
        hop: Arc::new(NextHop::Mx(crate::base::mail::domain::Domain::parse("b.test").expect("a domain"))),
        number: 1,
    };
    let report = Deliverer::new(world.parts(Delivery::default())).attempt(attempt).await;
    match &report.outcomes[..] {
        [(0, Outcome::Delivered { .. })] => format!("delivered by {}", report.tls.as_deref().unwrap_or("nothing")),
        [(0, Outcome::Failed(reply) | Outcome::Deferred(reply))] => reply.to_string(),
        other => panic!("{other:?}"),
    }
}

/// What became of the one recipient, and by what the mail was protected.
async fn sent(world: &Arc<World>, delivery: Delivery) -> String {
    let report = send(&Deliverer::new(world.parts(delivery)), "b.test").await;
    match &report.outcomes[..] {
        [(0, Outcome::Delivered { .. })] => format!("delivered by {}", report.tls.as_deref().unwrap_or("nothing")),
        [(0, Outcome::Deferred(reply))] => format!("deferred: {reply}"),
        other => panic!("{other:?}"),
    }
}

/// What the domain is told, one word each.
fn told(world: &World) -> Vec<(PolicyFound, Result<(), TlsFailure>)> {
    let results = world.results.lock().expect("whole").clone();
    let told = results.into_iter().map(|result| (result.policy, result.outcome.map_err(|(failure, _)| failure)));
    told.collect()
}

fn outcomes(world: &World) -> Vec<Result<(), TlsFailure>> {
    told(world).into_iter().map(|(_, outcome)| outcome).collect()
}

const PROTECTED: &str = "delivered by TLSv1.3 with cipher TLS_AES_256_GCM_SHA384";

#[tokio::test]
async fn a_domain_without_a_promise_gets_mail_as_configured_and_is_told_rfc8460_4() {
    let world = world();
    assert_eq!(sent(&world, Delivery::default()).await, PROTECTED);
    assert_eq!(told(&world), [(PolicyFound::None, Ok(()))]);
    assert_eq!(*world.fetched.borrow(), 0);
}

#[tokio::test]
async fn a_policy_has_hosts_verified_and_says_so_rfc8461_5() {
    let world = world();
    publish(&world, "b.test", "1", "enforce", &["*.b.test"]);
    assert_eq!(sent(&world, Delivery::default()).await, format!("{PROTECTED}, MTA-STS"));
    let handshakes = world.handshakes.lock().expect("whole").clone();
    assert_eq!(handshakes, [("mx.b.test".to_owned(), Trust::System)]);
    assert!(matches!(&told(&world)[..], [(PolicyFound::Sts { lines, .. }, Ok(()))] if lines.len() == 4));
    let off = Delivery { mta_sts: false, ..Delivery::default() };
    assert_eq!(sent(&world, off).await, PROTECTED);
}

#[tokio::test]
async fn what_does_not_fit_the_policy_gets_nothing_of_the_mail_rfc8461_5() {
    let no_tls = "deferred: 451 4.7.4 MTA-STS of mx.b.test: TLS is required, and the host does not offer STARTTLS";
    let stranger = "deferred: 451 4.7.5 MTA-STS of mx.b.test: TLS could not be established: not the host";
    let unnamed = "deferred: 451 4.7.5 MTA-STS of mx.b.test: the domain's policy does not name this host";
    for (script, verified, host, expected, failure) in [
        (willing(), Ok(()), "mx.b.test", no_tls, TlsFailure::StarttlsNotSupported),
        (offering(), Err(TlsFailure::CertificateExpired), "mx.b.test", stranger, TlsFailure::CertificateExpired),
        (offering(), Ok(()), "other.test", unnamed, TlsFailure::ValidationFailure),
    ] {
        let world = world();
        world.serve("192.0.2.1:25", script);
        *world.verified.lock().expect("whole") = verified;
        publish(&world, "b.test", "1", "enforce", &[host]);
        assert_eq!(sent(&world, Delivery::default()).await, expected);
        assert_eq!(outcomes(&world), [Err(failure)]);
        assert!(!world.commands().concat().iter().any(|command| command.starts_with("MAIL")), "{expected}");
        let events = world.events.lock().expect("whole").join("\n");
        assert!(events.contains("TlsPolicyFailed { domain: \"b.test\", policy: \"MTA-STS\""), "{events}");
    }
}

#[tokio::test]
async fn a_policy_under_test_stops_no_mail_and_tells_rfc8461_5() {
    for (script, verified, host, expected, outcome) in [
        (offering(), Ok(()), "mx.b.test", format!("{PROTECTED}, MTA-STS (testing)"), Ok(())),
        (
            offering(),
            Err(TlsFailure::CertificateHostMismatch),
            "mx.b.test",
            PROTECTED.to_owned(),
            Err(TlsFailure::CertificateHostMismatch),
        ),
        (willing(), Ok(()), "mx.b.test", "delivered by nothing".to_owned(), Err(TlsFailure::StarttlsNotSupported)),
        (offering(), Ok(()), "other.test", PROTECTED.to_owned(), Err(TlsFailure::ValidationFailure)),
    ] {
        let world = world();
        world.serve("192.0.2.1:25", script);
        *world.verified.lock().expect("whole") = verified;
        publish(&world, "b.test", "1", "testing", &[host]);
        assert_eq!(sent(&world, Delivery::default()).await, expected);
        assert_eq!(outcomes(&world), [outcome]);
    }
}

#[tokio::test]
async fn the_next_host_is_tried_where_the_policy_does_not_name_the_first() {
    let world = world();
    exchangers(&world, "b.test", &["old.b.test", "mx.b.test"]);
    world.serve("192.0.2.2:25", offering());
    publish(&world, "b.test", "1", "enforce", &["mx.b.test"]);
    assert_eq!(sent(&world, Delivery::default()).await, format!("{PROTECTED}, MTA-STS"));
    assert_eq!(outcomes(&world), [Err(TlsFailure::ValidationFailure), Ok(())]);
    // The one that is named refuses for good; the other may be named tomorrow.
    world.serve(
        "192.0.2.2:25",
        Script { answers: vec![("EHLO", "550 5.7.1 no"), ("HELO", "550 5.7.1 no")], ..willing() },
    );
    let said = sent(&world, Delivery::default()).await;
    assert!(said.starts_with("deferred: 451 4.7.5 MTA-STS of old.b.test"), "{said}");
}

#[tokio::test]
async fn a_policy_that_can_not_be_had_stops_no_mail_and_is_told_once_rfc8461_3_3() {
    let policy = "version: STSv1\nmode: enforce\nmx: mx.b.test\nmax_age: 60\n";
    for (served, failure, why) in [
        (answer(404, "text/plain", policy), TlsFailure::StsPolicyFetchError, "its server answered 404"),
        (answer(301, "text/plain", policy), TlsFailure::StsPolicyFetchError, "its server answered 301"),
        (answer(200, "text/html", policy), TlsFailure::StsPolicyInvalid, "it is not served as text/plain"),
        (answer(200, "text/plain", "no"), TlsFailure::StsPolicyInvalid, "a line has no colon"),
        (Err(HttpFault::TooLarge), TlsFailure::StsPolicyFetchError, "the answer is too large"),
        (Err(HttpFault::Untrusted("TLS: no".to_owned())), TlsFailure::StsWebpkiInvalid, "TLS: no"),
    ] {
        let world = world();
        publish(&world, "b.test", "1", "enforce", &["other.test"]);
        world.web.lock().expect("whole").insert("mta-sts.b.test".to_owned(), served);
        let deliverer = Deliverer::new(world.parts(Delivery::default()));
        for _ in 0..2 {
            let report = send(&deliverer, "b.test").await;
            assert!(matches!(report.outcomes[..], [(0, Outcome::Delivered { .. })]), "{why}");
        }
        assert_eq!(outcomes(&world)[0], Err(failure), "{why}");
        assert_eq!(*world.fetched.borrow(), 1, "{why}");
        let events = world.events.lock().expect("whole").join("\n");
        assert!(events.contains(&format!("the policy could not be fetched: {why}")), "{events}");
    }
}

#[tokio::test]
async fn a_new_policy_ends_connections_of_before_and_one_domains_policy_is_no_others_rfc8461_5() {
    let world = world();
    exchangers(&world, "c.test", &["mx.b.test"]);
    let deliverer = Deliverer::new(world.parts(Delivery::default()));
    for _ in 0..2 {
        send(&deliverer, "b.test").await;
        send(&deliverer, "c.test").await;
    }
    assert_eq!(*world.dialled.borrow(), 2, "one for each domain, though the host is the same");
    publish(&world, "b.test", "1", "enforce", &["mx.b.test"]);
    let trusts = |world: &World| -> Vec<Trust> {
        world.handshakes.lock().expect("whole").iter().map(|(_, trust)| trust.clone()).collect()
    };
    assert_eq!(send(&deliverer, "b.test").await.tls.as_deref().map(|tls| tls.ends_with(", MTA-STS")), Some(true));
    assert_eq!(send(&deliverer, "c.test").await.tls.as_deref().map(|tls| tls.ends_with(", MTA-STS")), Some(false));
    assert_eq!(trusts(&world), [Trust::Anyone, Trust::Anyone, Trust::System]);
    // What was seen once is not believed for ever.
    world.pass(Duration::from_secs(299));
    send(&deliverer, "b.test").await;
    assert_eq!(*world.dialled.borrow(), 3);
    world.pass(Duration::from_secs(1));
    send(&deliverer, "b.test").await;
    assert_eq!(*world.dialled.borrow(), 4);
}

#[tokio::test]
async fn a_signed_zone_says_who_the_host_is_rfc7672_2_2() {
    let world = world();
    sign(&world, "b.test", none());
    sign(&world, "mx.b.test", Ok(vec![record()]));
    // RFC 8461 2: the domain's policy would refuse the host.
    publish(&world, "b.test", "1", "enforce", &["other.test"]);
    assert_eq!(sent(&world, Delivery::default()).await, format!("{PROTECTED}, DANE"));
    let handshakes = world.handshakes.lock().expect("whole").clone();
    let [(_, Trust::Dane(dane))] = &handshakes[..] else { panic!("{handshakes:?}") };
    assert_eq!(dane.records, [record()]);
    assert_eq!(dane.names, ["mx.b.test".into(), "mx.b.test".into(), "b.test".into()]);
    let shown = PolicyFound::Tlsa { records: Arc::new([record().to_string().into()]) };
    assert_eq!(told(&world), [(shown, Ok(()))]);
    let off = Delivery { dane: DaneMode::Off, mta_sts: false, ..Delivery::default() };
    assert_eq!(sent(&world, off).await, PROTECTED);
}

#[tokio::test]
async fn where_there_are_tlsa_records_mail_never_goes_in_clear_or_to_a_stranger_rfc7672_2_2() {
    let unusable = Tlsa { usage: 1, ..record() };
    let (clear, protected) = ("451 4.7.4 DANE of mx.b.test: TLS is required, and", "451 4.7.5 DANE of mx.b.test: ");
    let forged = "the signatures of its zone do not hold (DNSSEC)";
    for (script, verified, records, expected) in [
        (willing(), Ok(()), Ok(vec![record()]), clear.to_owned()),
        (willing(), Ok(()), Ok(vec![unusable]), clear.to_owned()),
        (
            offering(),
            Err(TlsFailure::TlsaInvalid),
            Ok(vec![record()]),
            format!("{protected}TLS could not be established: not the host"),
        ),
        (
            offering(),
            Ok(()),
            Err(SignedFault::Bogus),
            format!("{protected}what its certificate is (TLSA) is not known: {forged}"),
        ),
        (
            offering(),
            Ok(()),
            Err(DnsFault::Failed.into()),
            format!("{protected}the name servers do not say what its certificate is"),
        ),
    ] {
        let world = world();
        world.serve("192.0.2.1:25", script);
        *world.verified.lock().expect("whole") = verified;
        sign(&world, "b.test", none());
        sign(&world, "mx.b.test", records);
        let said = sent(&world, Delivery::default()).await;
        assert!(said.starts_with(&format!("deferred: {expected}")), "{said}\nwithout\n{expected}");
        assert!(!world.commands().concat().iter().any(|command| command.starts_with("MAIL")), "{said}");
        assert!(matches!(outcomes(&world)[..], [Err(_)]));
    }
}

#[tokio::test]
async fn records_that_can_not_be_used_ask_for_tls_with_anybody_rfc7672_2_2() {
    let world = world();
    sign(&world, "b.test", none());
    sign(&world, "mx.b.test", Ok(vec![Tlsa { usage: 0, ..record() }]));
    assert_eq!(sent(&world, Delivery::default()).await, PROTECTED);
    assert_eq!(world.handshakes.lock().expect("whole")[0].1, Trust::Anyone);
    assert_eq!(outcomes(&world), [Err(TlsFailure::TlsaInvalid)]);
}

#[tokio::test]
async fn exchangers_that_may_be_forged_are_not_asked_and_unsigned_ones_need_no_records_rfc7672_2_1() {
    let forged = world();
    sign(&forged, "b.test", Err(SignedFault::Bogus));
    let said = sent(&forged, Delivery::default()).await;
    assert!(
        said.starts_with("deferred: 451 4.7.5 DANE: the signatures of the recipient's domain do not hold"),
        "{said}"
    );
    assert_eq!(*forged.dialled.borrow(), 0);
    // RFC 7672 2.2.1: the zone that names the host is not signed, so that its records say nothing of it.
    let unsigned = world();
    sign(&unsigned, "mx.b.test", Ok(vec![record()]));
    assert_eq!(sent(&unsigned, Delivery::default()).await, PROTECTED);
    assert_eq!(unsigned.handshakes.lock().expect("whole")[0].1, Trust::Anyone);
}

#[tokio::test]
async fn policies_are_fetched_anew_and_one_fetch_serves_all_who_wait_rfc8461_10_2() {
    let world = world();
    publish(&world, "b.test", "1", "enforce", &["mx.b.test"]);
    let deliverer = Arc::new(Deliverer::new(world.parts(Delivery::default())));
    let sent = futures_util::future::join_all((0..5).map(|_| send(&deliverer, "b.test"))).await;
    assert!(sent.iter().all(|report| matches!(report.outcomes[..], [(0, Outcome::Delivered { .. })])));
    assert_eq!(*world.fetched.borrow(), 1);
    let sweeper = Arc::clone(&deliverer);
    let sweeping = tokio::spawn(async move { sweeper.sweep().await });
    let (mut fetched, step) = (world.fetched.subscribe(), Duration::from_secs(601));
    // Half of its age is half a day: the clock goes on till it is fetched, and not for longer than it lasts.
    for _ in 0..143 {
        world.pass(step);
        // Lets the sweeper run: it waits for nothing but this clock.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        if *fetched.borrow_and_update() == 2 {
            break;
        }
    }
    assert_eq!(*world.fetched.borrow(), 2);
    assert!(world.now().wall >= UnixMillis(43_200_000), "{:?}", world.now().wall);
    sweeping.abort();
}

#[tokio::test]
async fn what_was_kept_counts_after_a_restart_and_what_was_replaced_is_given_back() {
    let world = world();
    let config = world.parts(Delivery::default()).config;
    let journal: Arc<dyn Journal> = store::memory::open();
    let hop = NextHop::Mx(crate::base::mail::domain::Domain::parse("b.test").expect("a domain"));
    let promises = |world: &Arc<World>| Promises::new(world.doors(config.clone(), Some(Arc::clone(&journal))));
    let before = promises(&world);
    for id in ["1", "2", "3"] {
        publish(&world, "b.test", id, "enforce", &["mx.b.test"]);
        let promise = before.of(&hop, &config.borrow()).await;
        assert!(promise.sts.is_some());
    }
    // Nobody can be asked any more.
    world.texts.lock().expect("whole").clear();
    world.web.lock().expect("whole").clear();
    let after = promises(&world);
    after.recall().await.expect("memory can be read");
    assert!(after.of(&hop, &config.borrow()).await.sts.is_some());
    assert_eq!(*world.fetched.borrow(), 3);
    let kept = journal.replay(journal.extent().0, 4096).await.expect("memory can be read");
    assert_eq!(kept.len(), 1, "two were replaced");
}

#[tokio::test]
async fn mail_that_requires_tls_goes_to_exchangers_that_somebody_stands_for_rfc8689_4_2_1() {
    type Prepare = fn(&World);
    let prepared: [(Prepare, &str); 7] = [
        (|_| {}, "550 5.7.10 the message requires TLS, and nothing shows"),
        (|world| publish(world, "b.test", "1", "enforce", &["mx.b.test"]), "delivered by TLSv1.3"),
        (|world| publish(world, "b.test", "1", "testing", &["mx.b.test"]), "delivered by TLSv1.3"),
        (|world| publish(world, "b.test", "1", "testing", &["other.test"]), "550 5.7.10 the message requires TLS"),
        (|world| publish(world, "b.test", "1", "enforce", &["other.test"]), "550 5.7.10 MTA-STS of mx.b.test: "),
        (|world| sign(world, "b.test", Err(SignedFault::Bogus)), "451 4.7.5 "),
        (
            |world| {
                sign(world, "b.test", none());
                sign(world, "mx.b.test", Ok(vec![record()]));
            },
            "delivered by TLSv1.3",
        ),
    ];
    for (number, (prepare, expected)) in prepared.into_iter().enumerate() {
        let world = world();
        world.serve("192.0.2.1:25", Script { keywords: &["STARTTLS", "REQUIRETLS"], ..offering() });
        prepare(&world);
        let said = made(&world, true, b"A: b\r\n\r\n").await;
        assert!(said.starts_with(expected), "{number}: {said}");
    }
    // Who stands for the host, but the host promises nothing.
    let world = world();
    publish(&world, "b.test", "1", "enforce", &["mx.b.test"]);
    let said = made(&world, true, b"A: b\r\n\r\n").await;
    assert!(said.starts_with("550 5.7.30 "), "{said}");
    assert!(!world.commands().concat().iter().any(|command| command.starts_with("MAIL")));
}

#[tokio::test]
async fn a_message_may_waive_what_its_domain_publishes_rfc8689_4_2_2() {
    for (head, expected) in [
        (&b"A: b\r\n\r\n"[..], "451 4.7.5 MTA-STS of mx.b.test"),
        (b"TLS-Required: No\r\n\r\n", "delivered by nothing"),
    ] {
        let world = world();
        world.serve("192.0.2.1:25", willing());
        publish(&world, "b.test", "1", "enforce", &["other.test"]);
        let said = made(&world, false, head).await;
        assert!(said.starts_with(expected), "{said}");
    }
}
