//! Attempts through a world in memory: which connections are made, what goes over them, and what is reported.

mod forward;
mod ways;

use super::fakes::{World, address};
use super::*;
use crate::base::flow::attempt::Endpoint;
use crate::base::mail::content::{Composed, Piece};
use crate::base::time::UnixMillis;
use crate::base::world::dns::{DnsFault, Mx};
use crate::base::world::maildir::MaildirFault;
use crate::base::world::tls::{Outgoing, Trust};
use crate::config::model::{Delivery, Pool};
use crate::path::deliver::scripted::{SILENCE, Script, content, entry, willing};
use bytes::Bytes;
use tokio::sync::watch;

const SINK: &str = "127.0.0.1:2526";

fn deliverer(world: &Arc<World>) -> Deliverer {
    Deliverer::new(world.parts(Delivery::default()))
}

fn attempt(hop: NextHop, recipients: &[&str]) -> Attempt {
    Attempt {
        entry: Arc::new(entry(recipients)),
        content: content(),
        recipients: (0..u32::try_from(recipients.len()).expect("few")).collect(),
        hop: Arc::new(hop),
        number: 1,
    }
}

fn smarthost() -> NextHop {
    NextHop::Smarthost(Endpoint::Address(address(SINK)))
}

fn exchangers(domain: &str) -> NextHop {
    NextHop::Mx(crate::base::mail::domain::Domain::parse(domain).expect("a domain"))
}

fn mx(preference: u16, host: &str) -> Mx {
    Mx { preference, host: host.into() }
}

/// Each recipient's code, or what else became of it, in order.
fn results(report: &Report) -> Vec<String> {
    let mut outcomes = report.outcomes.clone();
    outcomes.sort_by_key(|(recipient, _)| *recipient);
    let shown = |outcome| match outcome {
        Outcome::Delivered { reply, .. } => format!("delivered {}", reply.code),
        Outcome::Deferred(reply) => format!("deferred {}", reply.code),
        Outcome::Failed(reply) => format!("failed {}", reply.code),
        other => format!("{other:?}"),
    };
    outcomes.into_iter().map(|(_, outcome)| shown(outcome)).collect()
}

#[tokio::test]
async fn recipients_of_one_message_get_their_own_results_rfc5321_3_3() {
    let world = World::new();
    world.serve(
        SINK,
        Script { answers: vec![("RCPT TO:<no@", "550 5.1.1 no"), ("RCPT TO:<later@", "450 no")], ..willing() },
    );
    let report = deliverer(&world).attempt(attempt(smarthost(), &["yes@b.test", "no@b.test", "later@b.test"])).await;
    assert_eq!(results(&report), ["delivered 250", "failed 550", "deferred 450"]);
    assert_eq!((report.remote.as_deref(), report.trouble), (Some(SINK), Some(Scope::Recipient)));
    let wanted = [
        "EHLO here.test",
        "MAIL FROM:<s@a.test> SIZE=53",
        "RCPT TO:<yes@b.test>",
        "RCPT TO:<no@b.test>",
        "RCPT TO:<later@b.test>",
        "DATA",
    ];
    assert_eq!(world.commands(), [wanted]);
}

#[tokio::test]
async fn a_connection_is_used_again_until_it_has_carried_enough() {
    let world = World::new();
    world.serve(SINK, willing());
    let deliverer = Deliverer::new(world.parts(Delivery { messages_per_connection_max: 2, ..Delivery::default() }));
    for _ in 0..3 {
        let report = deliverer.attempt(attempt(smarthost(), &["r@b.test"])).await;
        assert_eq!(results(&report), ["delivered 250"]);
    }
    world.hung_up.subscribe().wait_for(|ends| *ends == 1).await.expect("the world lasts");
    let said = world.commands();
    assert_eq!(said.len(), 2);
    let count = |verb: &str| said[0].iter().filter(|line| line.starts_with(verb)).count();
    assert_eq!((count("EHLO"), count("MAIL"), count("QUIT")), (1, 2, 1));
}

#[tokio::test]
async fn the_hosts_own_limits_of_messages_and_recipients_are_kept_rfc9422_4() {
    let world = World::new();
    world.serve(SINK, Script { keywords: &["PIPELINING", "LIMITS RCPTMAX=2 MAILMAX=2"], ..willing() });
    let report = deliverer(&world)
        .attempt(attempt(smarthost(), &["a@b.test", "b@b.test", "c@b.test", "d@b.test", "e@b.test"]))
        .await;
    assert_eq!(results(&report), vec!["delivered 250"; 5]);
    let rcpts = |said: &Vec<String>| said.iter().filter(|line| line.starts_with("RCPT")).count();
    assert_eq!(world.commands().iter().map(rcpts).collect::<Vec<_>>(), [4, 1]);
}

#[tokio::test]
async fn recipients_beyond_the_hosts_room_follow_on_the_same_connection_rfc5321_4_5_3_1_10() {
    let world = World::new();
    world.serve(SINK, Script { recipients_max: 2, ..willing() });
    let five = ["a@b.test", "b@b.test", "c@b.test", "d@b.test", "e@b.test"];
    let report = deliverer(&world).attempt(attempt(smarthost(), &five)).await;
    assert_eq!((results(&report), report.trouble), (vec!["delivered 250".to_owned(); 5], None));
    let said = world.commands();
    assert_eq!(said.len(), 1, "one connection");
    let transactions = said[0].split(|line| line.starts_with("MAIL")).skip(1);
    let rcpts = transactions.map(|lines| lines.iter().filter(|line| line.starts_with("RCPT")).count());
    // Once the host has shown its room, it is not asked for more.
    assert_eq!(rcpts.collect::<Vec<_>>(), [5, 2, 1]);
}

#[tokio::test]
async fn a_host_without_room_for_anybody_is_asked_once_rfc5321_4_5_3_1_10() {
    let world = World::new();
    world.serve(SINK, Script { recipients_max: 0, ..willing() });
    let delivery = Delivery { recipients_per_transaction_max: 2, ..Delivery::default() };
    let deliverer = Deliverer::new(world.parts(delivery));
    let report = deliverer.attempt(attempt(smarthost(), &["a@b.test", "b@b.test", "c@b.test"])).await;
    assert_eq!((results(&report), report.trouble), (vec!["deferred 452".to_owned(); 3], Some(Scope::Recipient)));
    let count = world.commands()[0].iter().filter(|line| line.starts_with("MAIL")).count();
    assert_eq!(count, 1);
}

#[tokio::test]
async fn an_idle_connection_that_died_is_replaced_and_counts_as_nothing() {
    // Closed while idle, and closed (or 421) when MAIL comes: all the same.
    for stale in
        [Script { closes_at: Some("MAIL"), ..willing() }, Script { answers: vec![("MAIL", "421 idle")], ..willing() }]
    {
        let world = World::new();
        world.serve(SINK, willing());
        let deliverer = deliverer(&world);
        deliverer.attempt(attempt(smarthost(), &["r@b.test"])).await;
        world.talks.lock().expect("whole")[0].server.lock().expect("whole").change(stale);
        let report = deliverer.attempt(attempt(smarthost(), &["r@b.test"])).await;
        assert_eq!((results(&report), report.trouble), (vec!["delivered 250".to_owned()], None));
        assert_eq!(world.commands().len(), 2);
    }
}

#[tokio::test]
async fn a_fresh_connection_that_dies_at_mail_is_a_failure_of_the_session() {
    let world = World::new();
    world.serve(SINK, Script { closes_at: Some("MAIL"), ..willing() });
    let report = deliverer(&world).attempt(attempt(smarthost(), &["r@b.test"])).await;
    assert_eq!((results(&report), report.trouble), (vec!["deferred 451".to_owned()], Some(Scope::Session)));
}

#[tokio::test]
async fn the_next_exchanger_is_tried_when_one_fails_rfc5321_5_1() {
    let world = World::new();
    let hosts = [(10, "down"), (20, "closed"), (30, "ends"), (40, "good"), (50, "worse")];
    world.exchange("b.test", Ok(hosts.iter().map(|(preference, host)| mx(*preference, host)).collect()));
    for (at, (_, host)) in hosts.iter().enumerate() {
        world.name(host, &[&format!("192.0.2.{at}")]);
    }
    world.serve("192.0.2.1:25", Script { greeting: "554 5.3.2 go away", ..willing() });
    world.serve("192.0.2.2:25", Script { answers: vec![("DATA", "421 4.3.2 closing")], ..willing() });
    world.serve("192.0.2.3:25", willing());
    let report = deliverer(&world).attempt(attempt(exchangers("b.test"), &["r@b.test"])).await;
    assert_eq!(results(&report), ["delivered 250"]);
    assert_eq!(report.remote.as_deref(), Some("good[192.0.2.3]:25"));
    let events = world.events.lock().expect("whole").join("\n");
    assert!(
        events.contains("ConnectFailed") && events.contains("192.0.2.0:25") && events.contains("go away"),
        "{events}"
    );
}

#[tokio::test]
async fn dns_answers_decide_without_a_connection_rfc5321_5_1_rfc7505() {
    let world = World::new();
    world.exchange("null.test", Ok(vec![mx(0, "")]));
    world.exchange("gone.test", Err(DnsFault::NoSuchDomain));
    world.exchange("broken.test", Err(DnsFault::Failed));
    world.exchange("us.test", Ok(vec![mx(10, "here.test")]));
    world.exchange("loop.test", Ok(vec![mx(10, "self.test")]));
    world.name("self.test", &["127.0.0.1"]);
    let deliverer = deliverer(&world);
    for (domain, wanted) in [
        ("null.test", "failed 556"),
        ("gone.test", "failed 550"),
        ("broken.test", "deferred 451"),
        ("us.test", "failed 550"),
        ("loop.test", "failed 550"),
        ("[127.0.0.1]", "failed 550"),
        ("nothing.test", "failed 550"),
    ] {
        let report = deliverer.attempt(attempt(exchangers(domain), &["r@b.test"])).await;
        assert_eq!((results(&report), report.trouble), (vec![wanted.to_owned()], Some(Scope::Site)), "{domain}");
    }
    assert_eq!(*world.dialled.borrow(), 0);
    assert!(world.events.lock().expect("whole").iter().any(|event| event.starts_with("LoopFound")));
}

#[tokio::test]
async fn an_address_literal_needs_no_dns_rfc5321_4_1_3() {
    let world = World::new();
    world.serve("192.0.2.8:25", willing());
    let report = deliverer(&world).attempt(attempt(exchangers("[192.0.2.8]"), &["r@[192.0.2.8]"])).await;
    assert_eq!((results(&report), report.remote.as_deref()), (vec!["delivered 250".to_owned()], Some("192.0.2.8:25")));
}

#[tokio::test]
async fn a_silent_host_is_given_up_when_its_time_is_over_rfc5321_4_5_3_2() {
    let world = World::new();
    world.serve(SINK, Script { keywords: &[], answers: vec![("MAIL", SILENCE)], ..willing() });
    let deliverer = Arc::new(deliverer(&world));
    let running = tokio::spawn({
        let deliverer = Arc::clone(&deliverer);
        async move { deliverer.attempt(attempt(smarthost(), &["r@b.test"])).await }
    });
    world.dialled.subscribe().wait_for(|dialled| *dialled == 1).await.expect("the world lasts");
    while !world.commands().iter().flatten().any(|line| line.starts_with("MAIL")) {
        tokio::task::yield_now().await;
    }
    assert!(!running.is_finished());
    world.pass(Delivery::default().timeouts.command);
    let report = running.await.expect("no panic");
    assert_eq!((results(&report), report.trouble), (vec!["deferred 451".to_owned()], Some(Scope::Session)));
    assert_eq!(report.took, Delivery::default().timeouts.command);
}

#[tokio::test]
async fn idle_connections_are_closed_with_quit_when_their_time_is_over_and_for_a_drain() {
    let world = World::new();
    world.serve(SINK, willing());
    let deliverer = Arc::new(deliverer(&world));
    let sweeping = tokio::spawn({
        let deliverer = Arc::clone(&deliverer);
        async move { deliverer.sweep().await }
    });
    deliverer.attempt(attempt(smarthost(), &["r@b.test"])).await;
    tokio::task::yield_now().await;
    let idle = Delivery::default().connection_idle;
    let mut ends = world.hung_up.subscribe();
    while *ends.borrow_and_update() == 0 {
        world.pass(idle);
        tokio::task::yield_now().await;
    }
    assert_eq!(world.commands()[0].last().map(String::as_str), Some("QUIT"));
    deliverer.attempt(attempt(smarthost(), &["r@b.test"])).await;
    deliverer.close_idle().await;
    assert_eq!(world.commands()[1].last().map(String::as_str), Some("QUIT"));
    // Nothing is kept from here on.
    deliverer.attempt(attempt(smarthost(), &["r@b.test"])).await;
    ends.wait_for(|ends| *ends == 3).await.expect("the world lasts");
    sweeping.abort();
}

/// One body is short and in memory, one is long and read where blocking is allowed; the third recipient gets the old one.
#[tokio::test]
async fn a_new_body_of_pre_send_reaches_its_recipients_alone() {
    let world = World::new();
    world.serve(SINK, willing());
    let line = "new, and long\r\n".repeat(30_000);
    let (short, long) = (Bytes::from("new\r\n"), Bytes::from(line.clone()));
    let body = |octets: &Bytes| Composed::new(vec![Piece::Memory(octets.clone()), Piece::Memory("end\r\n".into())]);
    world.verdicts.lock().expect("whole").insert(9, (Sending::Next, Edits::default()));
    world.bodies.lock().expect("whole").extend([(0, body(&short)), (2, body(&long)), (3, body(&short))]);
    let recipients = ["a@b.test", "b@b.test", "c@b.test", "d@b.test"];
    let report = deliverer(&world).attempt(attempt(smarthost(), &recipients)).await;
    assert_eq!(results(&report), ["delivered 250"; 4]);
    let talks = world.talks.lock().expect("whole");
    let server = talks[0].server.lock().expect("whole");
    let bodies: Vec<String> = server.messages.iter().map(|message| text_behind_head(message)).collect();
    assert_eq!(bodies.len(), 3, "equal copies travel together");
    assert_eq!((&*bodies[0], bodies[2] == format!("{line}end\r\n")), ("new\r\nend\r\n", true));
    assert!(!bodies[1].contains("new"), "{}", bodies[1]);
}

fn text_behind_head(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message);
    text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).expect("an empty line")
}

#[tokio::test]
async fn pre_send_splits_copies_and_takes_recipients_out() {
    let world = World::new();
    world.serve(SINK, willing());
    let edit = |value: &str| Edits { headers: vec![HeaderEdit::Add { name: "X-To".into(), value: value.into() }] };
    world.verdicts.lock().expect("whole").extend([
        (0, (Sending::Next, edit("one"))),
        (2, (Sending::Hold("wait".into()), Edits::default())),
        (3, (Sending::NotBefore(UnixMillis(9)), Edits::default())),
        (4, (Sending::Fail(NOWHERE), Edits::default())),
        (5, (Sending::Discard("no".into()), Edits::default())),
        (6, (Sending::Next, edit("one"))),
    ]);
    let recipients = ["a@b.test", "b@b.test", "c@b.test", "d@b.test", "e@b.test", "f@b.test", "g@b.test"];
    let report = deliverer(&world).attempt(attempt(smarthost(), &recipients)).await;
    let wanted = [
        "delivered 250",
        "delivered 250",
        "Held(Some(\"plugin\"), \"wait\")",
        "Postponed(UnixMillis(9))",
        "failed 550",
        "Discarded(Some(\"plugin\"), \"no\")",
        "delivered 250",
    ];
    assert_eq!(results(&report), wanted);
    let talks = world.talks.lock().expect("whole");
    let server = talks[0].server.lock().expect("whole");
    assert_eq!((talks.len(), server.messages.len(), talks[0].at), (1, 2, address(SINK)));
    assert!(String::from_utf8_lossy(&server.messages[0]).contains("X-To: one\r\nSubject"));
    assert!(!String::from_utf8_lossy(&server.messages[1]).contains("X-To"));
}

#[tokio::test]
async fn lmtp_goes_to_its_own_end_point_by_name_rfc2033_4_2() {
    let world = World::new();
    world.name("store", &["192.0.2.5"]);
    world.serve("192.0.2.5:24", Script { finals: vec!["250 2.0.0 yes", "452 4.2.2 full"], ..willing() });
    let hop = NextHop::Lmtp(Endpoint::Host("store".into(), 24));
    let report = deliverer(&world).attempt(attempt(hop, &["a@b.test", "b@b.test"])).await;
    assert_eq!(results(&report), ["delivered 250", "deferred 452"]);
    let unknown = NextHop::Smarthost(Endpoint::Host("unknown".into(), 25));
    assert_eq!(results(&deliverer(&world).attempt(attempt(unknown, &["a@b.test"])).await), ["deferred 451"]);
    assert_eq!(results(&deliverer(&world).attempt(attempt(NextHop::Nowhere, &["a@b.test"])).await), ["failed 550"]);
}

#[tokio::test]
async fn a_maildir_gets_one_file_for_each_recipient_rfc5321_4_4() {
    let world = World::new();
    let hop = NextHop::Maildir("/mail".into());
    let report = deliverer(&world).attempt(attempt(hop.clone(), &["a@b.test", "b@b.test"])).await;
    assert_eq!(results(&report), ["delivered 250", "delivered 250"]);
    {
        let files = world.files.lock().expect("whole");
        assert_ne!(files[0].1, files[1].1);
        let wanted = "Return-Path: <s@a.test>\r\nDelivered-To: b@b.test\r\nReceived: from a by b\r\nSubject: x\r\n";
        assert!(String::from_utf8_lossy(&files[1].2).starts_with(wanted));
    }
    *world.disk.lock().expect("whole") = Err(MaildirFault::DiskFull);
    let report = deliverer(&world).attempt(attempt(hop, &["a@b.test"])).await;
    assert_eq!((results(&report), report.trouble), (vec!["deferred 452".to_owned()], Some(Scope::Site)));
}

#[tokio::test]
async fn what_was_sent_by_a_route_that_is_gone_is_held_and_nobody_is_asked() {
    let world = World::new();
    let verdict = (Sending::Discard("asked".into()), Edits::default());
    world.verdicts.lock().expect("whole").insert(0, verdict);
    let hop = NextHop::Missing("route \"bulk\"".into());
    let report = deliverer(&world).attempt(attempt(hop, &["a@b.test"])).await;
    let reason = "the configuration has no route \"bulk\", by which policy sent it";
    assert_eq!(report.outcomes, [(0, Outcome::Held(None, reason.into()))]);
}

/// Offers TLS.
fn protected() -> Script {
    Script { keywords: &["PIPELINING", "STARTTLS"], answers: vec![("STARTTLS", "220 go")], ..willing() }
}

fn wanting(world: &Arc<World>, tls: Outgoing) -> Deliverer {
    Deliverer::new(world.parts(Delivery { tls, ..Delivery::default() }))
}

fn words(report: &Report) -> String {
    format!("{:?}", report.outcomes)
}

#[tokio::test]
async fn tls_is_used_where_it_is_offered_and_told_rfc3207_4() {
    let world = World::new();
    world.serve(SINK, protected());
    let report = deliverer(&world).attempt(attempt(smarthost(), &["a@b.test"])).await;
    assert_eq!(results(&report), ["delivered 250"]);
    assert_eq!(report.tls.as_deref(), Some("TLSv1.3 with cipher TLS_AES_256_GCM_SHA384"));
    assert_eq!(world.commands()[0][..3], ["EHLO here.test", "STARTTLS", "EHLO here.test"]);
    assert_eq!(*world.handshakes.lock().expect("whole"), [("127.0.0.1".to_owned(), Trust::Anyone)]);
    let world = World::new();
    world.serve(SINK, protected());
    let report = wanting(&world, Outgoing::Off).attempt(attempt(smarthost(), &["a@b.test"])).await;
    assert_eq!((results(&report), report.tls), (vec!["delivered 250".to_owned()], None));
    assert!(world.handshakes.lock().expect("whole").is_empty());
}

#[tokio::test]
async fn mail_goes_in_clear_where_tls_fails_and_nobody_requires_it() {
    let world = World::new();
    world.serve(SINK, protected());
    *world.shaken.lock().expect("whole") = Err("no common version".to_owned());
    let report = deliverer(&world).attempt(attempt(smarthost(), &["a@b.test"])).await;
    assert_eq!((results(&report), report.tls), (vec!["delivered 250".to_owned()], None));
    assert_eq!(world.commands().len(), 2, "by another connection");
    assert!(!world.commands()[1].contains(&"STARTTLS".to_owned()));
    let told = world.events.lock().expect("whole").join(" ");
    assert!(told.contains("no common version; once more in clear"), "{told}");
}

#[tokio::test]
async fn where_tls_is_required_nothing_of_the_mail_is_said_without_it_rfc3463_3_8() {
    for (script, shaken, expected) in [
        (willing(), Ok(()), "451 4.7.4 TLS is required, and the host does not offer STARTTLS"),
        (
            Script { answers: vec![("STARTTLS", "454 4.7.0 not now")], ..protected() },
            Ok(()),
            "the host says: 454 4.7.0",
        ),
        (protected(), Err("bad".to_owned()), "451 4.7.5 TLS could not be established: bad"),
    ] {
        for tls in [Outgoing::Required, Outgoing::Verify(Trust::System)] {
            let world = World::new();
            world.serve(SINK, script.clone());
            *world.shaken.lock().expect("whole") = shaken.clone();
            let report = wanting(&world, tls).attempt(attempt(smarthost(), &["a@b.test"])).await;
            assert_eq!(results(&report), ["deferred 451"], "it is tried again");
            let told = world.events.lock().expect("whole").join(" ");
            assert!(told.contains(expected), "{told} {}", words(&report));
            assert_eq!(world.commands().len(), 1);
            assert!(!world.commands().concat().iter().any(|command| command.starts_with("MAIL")));
        }
    }
}

#[tokio::test]
async fn a_connection_serves_no_mail_that_wants_another_protection() {
    let world = World::new();
    world.serve(SINK, protected());
    let mut parts = world.parts(Delivery::default());
    let mut config = Config::clone(&parts.config.borrow());
    let configs = watch::Sender::new(Arc::new(config.clone()));
    parts.config = configs.subscribe();
    let deliverer = Deliverer::new(parts);
    for _ in 0..2 {
        deliverer.attempt(attempt(smarthost(), &["a@b.test"])).await;
    }
    assert_eq!(*world.dialled.borrow(), 1, "the second mail uses it again");
    config.delivery.tls = Outgoing::Verify(Trust::System);
    configs.send_replace(Arc::new(config));
    let report = deliverer.attempt(attempt(smarthost(), &["a@b.test"])).await;
    assert_eq!(results(&report), ["delivered 250"]);
    assert_eq!(*world.dialled.borrow(), 2);
    let handshakes = world.handshakes.lock().expect("whole").clone();
    assert_eq!(handshakes.last(), Some(&("127.0.0.1".to_owned(), Trust::System)));
}
