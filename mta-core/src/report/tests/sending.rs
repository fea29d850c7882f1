//! Who gets a report, what happens to one that nobody takes, and what a restart makes of it.

use super::world::{DAY, World, connection, judged};
use crate::base::flow::operator::reports::OperateReports as _;
use crate::base::flow::policy::dmarc::DmarcResults as _;
use crate::base::flow::tls_result::TlsResults as _;
use crate::base::world::store::Journal;
use crate::config::model::Config;
use crate::config::model::Network;
use crate::edge::store;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

const ZONE: &str = "\
_dmarc.author.test TXT v=DMARC1; p=reject; rua=mailto:own@author.test
_dmarc.sub.author.test TXT v=DMARC1; p=reject; rua=mailto:above@author.test
_dmarc.far.test TXT v=DMARC1; p=none; rua=mailto:a@yes.test,mailto:b@no.test,mailto:c@other.test,mailto:d@moved.test
far.test._report._dmarc.yes.test TXT v=DMARC1
far.test._report._dmarc.other.test TXT v=DMARC1; rua=mailto:x@victim.test
far.test._report._dmarc.moved.test TXT v=DMARC1; rua=mailto:there@moved.test
_dmarc.gov TXT v=DMARC1; p=none; psd=y; rua=mailto:all@agency.gov
_dmarc.agency.gov TXT v=DMARC1; p=none
_dmarc.broken.far.test TXT v=DMARC1; p=none; rua=mailto:a@yes.test,mailto:own@broken.far.test
_dmarc.small.test TXT v=DMARC1; p=none; rua=mailto:a@small.test!100,mailto:b@small.test!1m
_dmarc.silent.test TXT v=DMARC1; p=none
_smtp._tls.b.test TXT v=TLSRPTv1; rua=mailto:tls@c.test,https://tls.test/report?of=b
_smtp._tls.inside TXT v=TLSRPTv1; rua=https://inside.test/report";

async fn sent(world: &mut World, domain: &str) -> (Vec<String>, Vec<String>) {
    world.reporter.judged(judged(domain, domain, 1));
    let lines = world.reporter.send(domain).await.expect("there is something to tell");
    let mut to = Vec::new();
    while let Ok((entry, _)) = world.offers.try_recv() {
        to.extend(entry.envelope.recipients.iter().map(|recipient| recipient.address.to_string()));
    }
    (to, lines)
}

#[tokio::test]
async fn others_must_say_that_they_take_reports_rfc9990_4() {
    let mut world = World::new(ZONE, None).await;
    for (domain, expected) in [
        ("author.test", &["own@author.test"][..]),
        // Of one organization.
        ("sub.author.test", &["above@author.test"]),
        ("far.test", &["a@yes.test", "there@moved.test"]),
        // A registry's policy: who is below it is another organization.
        ("gov", &[]),
        ("silent.test", &[]),
        ("nothing.test", &[]),
    ] {
        let (to, lines) = sent(&mut world, domain).await;
        assert_eq!(to, expected, "{domain}: {lines:?}");
        assert!(!lines.is_empty(), "an operator is told in any case");
    }
    let refused: Vec<_> = world.events("report-unsent").iter().map(|event| event["to"].clone()).collect();
    assert_eq!(refused, ["b@no.test", "c@other.test", "all@agency.gov"]);
    assert!(world.reporter.list().is_empty(), "all of them are done with");
}

#[tokio::test]
async fn what_can_not_be_found_out_now_is_tried_again_and_nobody_gets_it_twice_rfc8460_5_5() {
    let mut world = World::new(ZONE, None).await;
    let (to, lines) = sent(&mut world, "broken.far.test").await;
    assert_eq!(to, ["own@broken.far.test"]);
    assert!(lines.iter().any(|line| line.contains("it is tried again")), "{lines:?}");
    let id = world.reporter.list()[0].id.clone();
    let reporter = Arc::clone(&world.reporter);
    let running = tokio::spawn(async move { reporter.run().await });
    let mut hours = 0;
    while !world.reporter.list().is_empty() {
        assert!(hours < 27, "it is given up within a day or so");
        hours += 1;
        world.pass(3600);
        settle().await;
    }
    running.abort();
    assert!(world.offers.try_recv().is_err(), "who has it does not get it again");
    let unsent = world.events("report-unsent");
    let last = unsent.last().expect("it was told");
    assert_eq!((&last["report"], &last["again_in_ms"]), (&id.into(), &serde_json::Value::Null));
    assert!(hours > 12 && unsent.len() > 4, "{hours} hours, {} tries", unsent.len());
}

/// Until all tasks wait for the clock; of what is done in other threads only files are written, which is waited for.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_is_too_large_for_a_destination_does_not_go_there_rfc9990_3_5() {
    let mut world = World::new(ZONE, None).await;
    let (to, _) = sent(&mut world, "small.test").await;
    assert_eq!(to, ["b@small.test"]);
    let [unsent] = &world.events("report-unsent")[..] else { panic!("one is told of") };
    assert_eq!(unsent["to"], "a@small.test");
    assert!(unsent["why"].as_str().is_some_and(|why| why.contains("at most 100 are wanted")), "{unsent}");
}

#[tokio::test]
async fn reports_of_tls_go_by_mail_and_by_https_rfc8460_5_4() {
    let mut world = World::new(ZONE, None).await;
    world.reporter.tell(connection("b.test", None));
    world.server.status.store(500, Ordering::Relaxed);
    let lines = world.reporter.send("b.test").await.expect("there is something to tell");
    assert!(lines.iter().any(|line| line.contains("it answered 500; it is tried again")), "{lines:?}");
    let (entry, _) = world.offers.try_recv().expect("by mail it went");
    assert_eq!(entry.envelope.recipients[0].address.to_string(), "tls@c.test");
    world.server.status.store(201, Ordering::Relaxed);
    let lines = world.reporter.send("b.test").await.expect("it is still there");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(world.offers.try_recv().is_err(), "not again by mail");
    let requests = world.server.requests.lock().expect("no panic");
    let [_, posted] = &requests[..] else { panic!("two tries") };
    assert_eq!((&*posted.method, &*posted.target, posted.origin.secure), ("POST", "/report?of=b", true));
    assert_eq!(posted.fields, [("Content-Type".to_owned(), "application/tlsrpt+gzip".to_owned())]);
    assert_eq!(posted.addresses, ["203.0.114.1:443".parse().expect("an address")]);
}

#[tokio::test]
async fn a_stranger_can_not_have_us_post_to_our_own_machines() {
    let world = World::new(ZONE, None).await;
    world.reporter.tell(connection("inside", None));
    let lines = world.reporter.send("inside").await.expect("there is something to tell");
    assert!(lines[0].contains("it has no public address"), "{lines:?}");
    assert!(world.server.requests.lock().expect("no panic").is_empty());
    let network = Network { base: [10, 0, 0, 0].into(), prefix: 8 };
    world.set(|report| report.https_networks = vec![network]);
    world.reporter.send("inside").await.expect("it is still there");
    assert_eq!(world.server.requests.lock().expect("no panic").len(), 1);
}

#[tokio::test]
async fn a_report_goes_by_itself_when_its_day_has_ended_and_only_where_it_is_configured() {
    let mut world = World::new(ZONE, None).await;
    world.set(|report| report.spread = Duration::from_secs(3600));
    world.reporter.judged(judged("author.test", "author.test", 1));
    let reporter = Arc::clone(&world.reporter);
    let running = tokio::spawn(async move { reporter.run().await });
    settle().await;
    world.pass(DAY - 20);
    settle().await;
    assert!(world.offers.try_recv().is_err(), "the day goes on");
    world.pass(3640);
    let (entry, mail) = world.offers.recv().await.expect("it goes");
    assert!(mail.contains("Report Domain: author.test") && entry.is_ours(), "it will be signed");
    // What is not wanted any more is neither counted nor kept.
    world.reporter.judged(judged("author.test", "author.test", 1));
    world.config.send_modify(|config| {
        let mut next = Config::clone(config);
        next.report = None;
        *config = Arc::new(next);
    });
    world.reporter.judged(judged("author.test", "author.test", 1));
    world.pass(20);
    settle().await;
    world.config.send_modify(|config| {
        let mut next = Config::clone(config);
        next.report = Some(super::world::reporting());
        *config = Arc::new(next);
    });
    assert_eq!(world.reporter.list(), []);
    running.abort();
}

#[tokio::test]
async fn a_full_disk_is_waited_for() {
    let mut world = World::new(ZONE, None).await;
    world.refuses.send_replace(true);
    let (to, lines) = sent(&mut world, "author.test").await;
    assert!(to.is_empty() && lines[0].contains("the disk is nearly full; it is tried again"), "{lines:?}");
    world.refuses.send_replace(false);
    assert_eq!(sent(&mut world, "author.test").await.0.len(), 2, "the old one, and what came since");
}

fn journal(dir: &Path) -> Arc<dyn Journal> {
    store::journal::open(dir, 64 * 1024).expect("a journal")
}

#[tokio::test]
async fn a_restart_goes_on_with_what_was_counted_and_what_was_sent() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = {
        let world = World::new(ZONE, Some(journal(dir.path()))).await;
        for client in [1, 1, 2] {
            world.reporter.judged(judged("author.test", "author.test", client));
        }
        world.reporter.tell(connection("b.test", None));
        world.reporter.save().await.expect("the disk works");
        world.reporter.list()
    };
    let mut world = World::new(ZONE, Some(journal(dir.path()))).await;
    assert_eq!(world.reporter.list(), first);
    assert_eq!(first.iter().map(|report| report.results).collect::<Vec<_>>(), [3, 1]);
    assert_eq!(sent(&mut world, "author.test").await.0, ["own@author.test"]);
    world.reporter.save().await.expect("the disk works");
    drop(world);
    let world = World::new(ZONE, Some(journal(dir.path()))).await;
    let left: Vec<_> = world.reporter.list().into_iter().map(|report| report.domain).collect();
    assert_eq!(left, ["b.test"], "what was sent is gone");
    assert!(world.events("reports-damaged").is_empty());
}

#[tokio::test]
async fn a_journal_that_grew_is_written_anew() {
    let dir = tempfile::tempdir().expect("a directory");
    let journal = journal(dir.path());
    let length = |journal: &Arc<dyn Journal>| journal.extent().1.0 - journal.extent().0.0;
    let world = World::new(ZONE, Some(Arc::clone(&journal))).await;
    let mut longest = 0;
    for _ in 0..120 {
        for client in 0..200 {
            world.reporter.judged(judged("author.test", "author.test", client));
        }
        world.reporter.save().await.expect("the disk works");
        longest = longest.max(length(&journal));
    }
    assert!(longest > 2 * 1024 * 1024 && length(&journal) < 5 * 1024 * 1024, "{longest}, then {}", length(&journal));
    drop(world);
    let world = World::new(ZONE, Some(journal)).await;
    assert_eq!(world.reporter.list()[0].results, 120 * 200);
}
