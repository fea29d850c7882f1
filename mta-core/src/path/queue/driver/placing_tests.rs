//! The driver and plugins that say where recipients go: asked once, kept, asked anew when an operator wants it.

use super::fakes::{House, config, message, routed};
use crate::base::fixtures::START;
use crate::base::flow::attempt::{Endpoint, NextHop};
use crate::base::flow::entry::{Fate, Progress};
use crate::base::flow::operator::Selection;
use crate::base::flow::placement::{Placement, Priority};
use crate::base::flow::policy::{Outcome as Told, Routing};
use crate::base::flow::report::Outcome;
use crate::base::smtp::reply::Reply;
use crate::base::smtp::status::EnhancedStatus;
use crate::base::time::UnixMillis;
use crate::config::model::{Config, Route};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);
const LATER: Reply = Reply::new(451, EnhancedStatus::new(4, 3, 0), "later");
const NEVER: Reply = Reply::new(550, EnhancedStatus::new(5, 7, 1), "no");

fn delivered() -> Outcome {
    let reply = Reply::new(250, EnhancedStatus::new(2, 0, 0), "ok");
    Outcome::Delivered { reply, dsn_passed_on: false }
}

/// Everything to one smart host, but for what is sent by the name "bulk".
fn two_ways() -> Config {
    let mut config = routed("127.0.0.1:1");
    let via = NextHop::Smarthost(Endpoint::Address("127.0.0.1:2".parse().expect("an address and port")));
    config.routes.push(Route { name: Some("bulk".into()), to: None, via, tls: None, inside: false });
    config
}

fn bulk() -> Placement {
    Placement {
        plugin: Some("placer".into()),
        via: Some("bulk".into()),
        campaign: Some("spring".into()),
        priority: Priority::Bulk,
        ..Placement::default()
    }
}

#[tokio::test]
async fn a_recipient_is_placed_once_before_its_first_attempt_and_the_answer_outlives_a_restart() {
    let foundation = House::stopped(two_ways());
    foundation.placer.say([Routing::Place(bulk(), None)]);
    let mut house = foundation.start();
    house.accept(message(1, "a@from.example", &["b@to.example", "c@to.example"])).await;
    house.event("Routed").await;
    let mut hops = Vec::new();
    for _ in 0..2 {
        let attempt = house.attempt().await;
        hops.push((attempt.hop.to_string(), attempt.recipients.to_vec()));
        attempt.end(Outcome::Deferred(LATER));
        house.event("Deferred").await;
    }
    hops.sort();
    assert_eq!(hops, [("smtp:127.0.0.1:1".to_owned(), vec![1]), ("smtp:127.0.0.1:2".to_owned(), vec![0])]);
    assert_eq!(house.placer.asked(), [("b@to.example".to_owned(), 1), ("c@to.example".to_owned(), 1)]);
    let kept = house.spool.get(1).expect("it is queued");
    assert_eq!((kept.placement(0), kept.placement(1)), (Some(&bulk()), Some(&Placement::default())));
    house.stop().await;

    let again = House::stopped(two_ways());
    again.placer.say([]);
    again.spool.put((*kept).clone());
    let mut house = again.start();
    house.quiet().await;
    house.clock.advance(MINUTE);
    let mut hops = vec![house.attempt().await.hop.to_string(), house.attempt().await.hop.to_string()];
    hops.sort();
    assert_eq!(hops, ["smtp:127.0.0.1:1", "smtp:127.0.0.1:2"]);
    assert_eq!(house.placer.asked(), []);
}

#[tokio::test]
async fn what_is_queued_when_the_server_starts_or_such_a_plugin_comes_is_asked_about() {
    let foundation = House::stopped(two_ways());
    let mut waiting = message(1, "a@from.example", &["b@to.example"]);
    waiting.progress[0] = Progress::fresh(START.plus(MINUTE));
    foundation.spool.put(waiting);
    let mut house = foundation.start();
    assert!(house.no_attempt().await && house.placer.asked().is_empty());
    house.placer.say([Routing::Place(bulk(), None)]);
    house.accept(message(2, "a@from.example", &["c@to.example"])).await;
    assert_eq!(house.attempt().await.hop.to_string(), "smtp:127.0.0.1:2");
    house.quiet().await;
    assert_eq!(house.placer.asked(), [("c@to.example".to_owned(), 1)], "the other is not due");
    house.clock.advance(MINUTE);
    assert_eq!(house.attempt().await.hop.to_string(), "smtp:127.0.0.1:1");
    assert_eq!(house.placer.asked(), [("b@to.example".to_owned(), 1)]);
}

#[tokio::test]
async fn a_way_that_can_not_be_told_is_a_failed_attempt_and_a_refusal_bounces() {
    let foundation = House::stopped(config());
    foundation.placer.say([Routing::Fail(LATER), Routing::Fail(NEVER)]);
    let mut house = foundation.start();
    house.accept(message(1, "a@from.example", &["b@to.example"])).await;
    house.event("Deferred").await;
    assert_eq!(house.told().await, (0, 0, Told::Deferred(LATER)));
    let kept = house.spool.get(1).expect("it is queued");
    assert!(matches!(&kept.progress[0], Progress::Pending { attempts: 1, due, last: Some(last), .. }
        if *due == START.plus(MINUTE) && last.reply == LATER));
    house.clock.advance(MINUTE);
    house.event("Bounced").await;
    assert_eq!(house.told().await, (0, 0, Told::Bounced(NEVER)));
    let asked = ["b@to.example", "b@to.example", "a@from.example"];
    let bounce = house.attempt().await;
    assert_eq!(bounce.entry.envelope.sender, None);
    assert_eq!(house.placer.asked().into_iter().map(|(to, _)| to).collect::<Vec<_>>(), asked);
    house.event("Finished").await;
    bounce.end(delivered());
    house.event("Finished").await;
    assert_eq!(house.spool.left(), 0);
    house.stop().await;
}

#[tokio::test]
async fn what_is_held_is_released_by_the_configuration_or_placed_anew() {
    let foundation = House::stopped(two_ways());
    foundation.placer.say([Routing::Hold("odd".into()), Routing::Hold("odd".into()), Routing::Place(bulk(), None)]);
    let mut house = foundation.start();
    house.accept(message(1, "a@from.example", &["b@to.example"])).await;
    house.event("Held").await;
    house.accept(message(2, "a@from.example", &["b@to.example"])).await;
    house.event("Held").await;
    assert!(house.no_attempt().await);
    let id = |number| Some(house.spool.get(number).expect("it is queued").id);
    let (first, second) = (id(1), id(2));
    assert_eq!(house.operator.retry(Selection { id: first, ..Selection::default() }).await, Ok(1));
    assert_eq!(house.attempt().await.hop.to_string(), "smtp:127.0.0.1:1");
    assert_eq!(house.placer.asked().len(), 2, "a release asks nobody");
    assert_eq!(house.operator.rebind(Selection { id: second, ..Selection::default() }).await, Ok(1));
    assert_eq!(house.attempt().await.hop.to_string(), "smtp:127.0.0.1:2");
    assert_eq!(house.placer.asked().len(), 1);
}

#[tokio::test]
async fn rebinding_waits_for_what_is_under_way_and_the_operator_does_not() {
    let foundation = House::stopped(two_ways());
    foundation.placer.say([]);
    let mut house = foundation.start();
    house.accept(message(1, "a@from.example", &["b@to.example"])).await;
    let attempt = house.attempt().await;
    assert_eq!(attempt.hop.to_string(), "smtp:127.0.0.1:1");
    house.placer.say([Routing::Place(bulk(), None)]);
    assert_eq!(house.operator.rebind(Selection::default()).await, Ok(1));
    assert!(house.no_attempt().await);
    attempt.end(Outcome::Deferred(LATER));
    let attempt = house.attempt().await;
    assert_eq!((attempt.hop.to_string().as_str(), attempt.number), ("smtp:127.0.0.1:2", 2));
    let asked: Vec<u32> = house.placer.asked().iter().map(|(_, attempt)| *attempt).collect();
    assert_eq!(asked, [1, 2]);
}

#[tokio::test]
async fn a_first_attempt_waits_for_its_time_and_a_life_ends_at_its_time() {
    let foundation = House::stopped(two_ways());
    let until = |expires| Placement { expires: Some(expires), ..bulk() };
    foundation.placer.say([
        Routing::Place(bulk(), Some(START.plus(DAY))),
        Routing::Place(until(START.plus(2 * MINUTE)), None),
        Routing::Place(until(UnixMillis(1)), None),
    ]);
    let mut house = foundation.start();
    house.accept(message(1, "a@from.example", &["b@to.example"])).await;
    house.event("Routed").await;
    assert!(house.no_attempt().await);
    // From the null sender: nobody is told of its end.
    let mut short = message(2, "a@from.example", &["c@to.example"]);
    short.envelope.sender = None;
    house.accept(short.clone()).await;
    house.attempt().await.end(Outcome::Deferred(LATER));
    house.event("Deferred").await;
    house.clock.advance(MINUTE);
    house.attempt().await.end(Outcome::Deferred(LATER));
    house.event("Deferred").await;
    house.clock.advance(MINUTE);
    house.event("Expired").await;
    short.id = message(3, "a@from.example", &["d@to.example"]).id;
    house.accept(short).await;
    house.event("Expired").await;
    assert!(house.no_attempt().await, "what is too old already gets no attempt");
    house.clock.advance(DAY - 2 * MINUTE);
    let attempt = house.attempt().await;
    assert_eq!((attempt.hop.to_string().as_str(), attempt.number), ("smtp:127.0.0.1:2", 1));
    attempt.end(delivered());
    house.event("Delivered").await;
    house.event("Finished").await;
    assert!(house.spool.get(1).is_none());
}

#[tokio::test]
async fn an_operator_cancels_what_is_held_and_who_ended_stays_so() {
    let foundation = House::stopped(two_ways());
    foundation.placer.say([Routing::Hold("odd".into())]);
    let mut house = foundation.start();
    house.accept(message(1, "a@from.example", &["b@to.example", "c@to.example"])).await;
    house.event("Held").await;
    let attempt = house.attempt().await;
    assert_eq!(attempt.recipients.to_vec(), [1]);
    attempt.end(delivered());
    house.event("Delivered").await;
    assert_eq!(
        house.operator.rebind(Selection { domain: Some("other.example".into()), ..Selection::default() }).await,
        Ok(0)
    );
    let kept = house.spool.get(1).expect("it is queued");
    assert!(matches!(kept.progress[..], [Progress::Held(_), Progress::Done(Fate::Delivered)]));
    assert_eq!(house.operator.cancel(Selection::default()).await, Ok(1));
    house.event("Finished").await;
}
