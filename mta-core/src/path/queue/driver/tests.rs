//! The driver against a spool, a deliver and a clock in memory: from the inbox to the ruling, and down again.

use super::fakes::{self, House, config, message};
use super::{Doors, start};
use crate::base::fault::{Scope, SpoolFault};
use crate::base::flow::entry::{Fate, Progress};
use crate::base::flow::operator::Selection;
use crate::base::flow::policy::Outcome as Told;
use crate::base::flow::report::Outcome;
use crate::base::smtp::reply::Reply;
use crate::base::smtp::status::EnhancedStatus;
use crate::config::model::Config;
use std::sync::Arc;
use std::time::Duration;

fn reply(code: u16, text: &'static str) -> Reply {
    Reply::new(code, EnhancedStatus::new(u8::try_from(code / 100).expect("a digit"), 1, 1), text)
}

fn delivered() -> Outcome {
    Outcome::Delivered { reply: reply(250, "ok"), dsn_passed_on: false }
}

fn deferred() -> Outcome {
    Outcome::Deferred(reply(451, "later"))
}

#[tokio::test]
async fn a_fresh_message_is_delivered_at_once_and_gone() {
    let mut house = House::new(config());
    house.accept(message(1, "a@from.example", &["b@to.example"])).await;
    let attempt = house.attempt().await;
    assert_eq!((&attempt.recipients[..], attempt.number), (&[0][..], 1));
    attempt.end(delivered());
    house.event("Finished").await;
    assert_eq!(house.spool.left(), 0);
    house.stop().await;
}

#[tokio::test]
async fn a_deferred_message_comes_again_by_the_schedule_and_its_bounce_is_delivered() {
    let mut house = House::new(config());
    house.accept(message(1, "a@from.example", &["b@to.example"])).await;
    house.attempt().await.end(deferred());
    house.event("Deferred").await;
    house.clock.advance(Duration::from_secs(60));
    let attempt = house.attempt().await;
    assert_eq!(attempt.number, 2);
    attempt.end(Outcome::Failed(reply(550, "no such user")));
    house.event("Bounced").await;
    house.event("Finished").await;
    let bounce = house.attempt().await;
    assert_eq!(bounce.entry.envelope.sender, None);
    assert_eq!(bounce.entry.envelope.recipients[0].address.to_string(), "a@from.example");
    bounce.end(Outcome::Failed(reply(550, "nor that")));
    house.event("Finished").await;
    assert_eq!(house.spool.left(), 0, "there is no bounce of a bounce");
    house.stop().await;
}

#[tokio::test]
async fn policy_is_told_what_became_of_each_recipient_once_it_is_durable() {
    let mut house = House::new(config());
    house.accept(message(1, "a@from.example", &["b@to.example"])).await;
    house.attempt().await.end(deferred());
    assert_eq!(house.told().await, (0, 1, Told::Deferred(reply(451, "later"))));
    house.clock.advance(Duration::from_secs(60));
    house.attempt().await.end(delivered());
    assert_eq!(house.told().await, (0, 2, Told::Delivered(reply(250, "ok"))));

    house.accept(message(2, "a@from.example", &["b@to.example"])).await;
    house.attempt().await.end(Outcome::Discarded(None, "a plugin's own decision".into()));
    house.event("Discarded").await;
    house.accept(message(3, "a@from.example", &["b@to.example"])).await;
    house.attempt().await.end(Outcome::Failed(reply(550, "no such user")));
    assert_eq!(house.told().await, (0, 1, Told::Bounced(reply(550, "no such user"))), "that it discarded is no news");

    house.attempt().await.end(deferred());
    assert_eq!(house.told().await, (0, 1, Told::Deferred(reply(451, "later"))), "the notification's own attempt");
    let cancelled = house.operator.cancel(Selection::default()).await;
    assert_eq!(cancelled, Ok(1));
    assert_eq!(house.told().await, (0, 0, Told::Cancelled));
    house.stop().await;
}

#[tokio::test]
async fn recipients_of_one_next_hop_share_a_transaction_up_to_the_limit_rfc5321_4_5_3_1_10() {
    let mut house = House::new(Config {
        delivery: crate::config::model::Delivery { recipients_per_transaction_max: 2, ..Default::default() },
        ..config()
    });
    house.accept(message(1, "a@from.example", &["1@to.example", "2@to.example", "3@to.example"])).await;
    let first = house.attempt().await;
    assert_eq!(first.recipients[..], [0, 1]);
    first.end(delivered());
    let second = house.attempt().await;
    assert_eq!(second.recipients[..], [2]);
    second.end(delivered());
    house.event("Finished").await;
    house.stop().await;
}

#[tokio::test]
async fn what_the_spool_holds_at_the_start_is_delivered() {
    let house = House::stopped(config());
    for n in 0..20 {
        house.spool.put(message(n, "a@from.example", &["b@to.example"]));
    }
    let mut house = house.start();
    for _ in 0..20 {
        house.attempt().await.end(delivered());
    }
    for _ in 0..20 {
        house.event("Finished").await;
    }
    house.stop().await;
}

#[tokio::test]
async fn a_ruling_is_repeated_until_it_is_durable_and_the_slot_is_taken_until_then() {
    let mut house = House::new(Config {
        delivery: crate::config::model::Delivery { attempts_max: 1, ..Default::default() },
        ..config()
    });
    house.spool.fail_rules(2, SpoolFault::Store("i/o error".to_owned()));
    house.accept(message(1, "a@from.example", &["b@to.example"])).await;
    house.accept(message(2, "a@from.example", &["b@elsewhere.example"])).await;
    let first = house.attempt().await;
    first.end(delivered());
    house.spool.rules_failed(1).await;
    house.clock.sleeper(Duration::from_millis(100)).await;
    assert!(house.no_attempt().await, "the only slot is taken until the ruling is durable");
    house.clock.advance(Duration::from_millis(100));
    house.spool.rules_failed(2).await;
    house.clock.sleeper(Duration::from_millis(200)).await;
    house.clock.advance(Duration::from_millis(200));
    house.event("Delivered").await;
    house.attempt().await.end(delivered());
    house.event("Delivered").await;
    house.stop().await;
}

#[tokio::test]
async fn a_message_without_readable_content_is_set_aside_and_the_rest_goes_on() {
    let mut house = House::new(config());
    house.spool.damage(1);
    house.accept(message(1, "a@from.example", &["b@to.example"])).await;
    house.event("MessageUnreadable").await;
    house.accept(message(2, "a@from.example", &["b@to.example"])).await;
    house.attempt().await.end(delivered());
    house.event("Finished").await;
    assert_eq!(house.spool.left(), 1);
    house.stop().await;
}

#[tokio::test]
async fn a_panic_in_an_attempt_is_told_and_the_message_is_tried_again() {
    let mut house = House::new(config());
    house.accept(message(1, "a@from.example", &["b@to.example"])).await;
    house.attempt().await.panic();
    house.event("Bug").await;
    house.clock.sleeper(Duration::from_secs(1)).await;
    house.clock.advance(Duration::from_secs(1));
    house.quiet().await;
    house.clock.advance(Duration::from_secs(30));
    house.attempt().await.end(delivered());
    house.event("Finished").await;
    house.stop().await;
}

#[tokio::test]
async fn an_operator_cancels_what_waits_at_once_and_what_is_under_way_when_it_ends() {
    let mut house = House::new(config());
    house.accept(message(1, "a@from.example", &["b@to.example", "c@other.example"])).await;
    let one = house.attempt().await;
    let other = house.attempt().await;
    let (stays, ends) = if one.recipients[0] == 0 { (one, other) } else { (other, one) };
    ends.end(deferred());
    house.event("Deferred").await;
    assert_eq!(house.operator.cancel(Selection::default()).await, Ok(1));
    let entry = house.spool.get(1).expect("one recipient is under way");
    assert!(matches!(entry.progress[0], Progress::Pending { .. }));
    assert_eq!(entry.progress[1], Progress::Done(Fate::Cancelled));
    stays.end(deferred());
    house.event("Finished").await;
    assert_eq!(house.spool.left(), 0);
    assert!(house.no_attempt().await);
    house.stop().await;
}

#[tokio::test]
async fn an_operator_retries_what_waits_and_releases_what_is_held() {
    let mut house = House::new(config());
    house.accept(message(1, "a@from.example", &["b@to.example"])).await;
    house.attempt().await.end(Outcome::Held(None, "looks odd".into()));
    house.event("Held").await;
    house.accept(message(2, "a@from.example", &["b@to.example"])).await;
    house.attempt().await.end(deferred());
    house.event("Deferred").await;
    assert!(house.no_attempt().await);
    let of_other_domain = Selection { domain: Some("other.example".to_owned()), ..Selection::default() };
    assert_eq!(house.operator.retry(of_other_domain).await, Ok(0));
    let held = Selection { held: true, ..Selection::default() };
    assert_eq!(house.operator.retry(held).await, Ok(1));
    house.attempt().await.end(delivered());
    house.event("Finished").await;
    assert_eq!(house.operator.retry(Selection::default()).await, Ok(1));
    house.attempt().await.end(delivered());
    house.event("Finished").await;
    house.stop().await;
}

#[tokio::test]
async fn a_new_route_takes_waiting_mail_with_it() {
    let mut house = House::new(config());
    house.accept(message(1, "a@from.example", &["b@to.example"])).await;
    house.attempt().await.end_with(deferred(), Some(Scope::Site));
    house.event("Deferred").await;
    house.reload(fakes::routed("127.0.0.1:2526"));
    house.quiet().await;
    house.clock.advance(Duration::from_secs(60));
    let attempt = house.attempt().await;
    assert_eq!(attempt.hop.to_string(), "smtp:127.0.0.1:2526");
    attempt.end(delivered());
    house.event("Finished").await;
    house.stop().await;
}

#[tokio::test]
async fn a_new_route_takes_mail_with_it_that_was_never_tried() {
    let mut paused = config();
    paused.delivery.paused = true;
    let mut house = House::new(paused);
    house.accept(message(1, "a@from.example", &["b@to.example"])).await;
    house.quiet().await;
    house.reload(fakes::routed("127.0.0.1:2526"));
    let attempt = house.attempt().await;
    assert_eq!(attempt.hop.to_string(), "smtp:127.0.0.1:2526");
    attempt.end(delivered());
    house.event("Finished").await;
    house.stop().await;
}

#[tokio::test]
async fn paused_mail_expires_with_a_notification_rfc3463_3_5() {
    let mut paused = config();
    paused.delivery.paused = true;
    paused.queue.delay_notice = None;
    let mut house = House::new(paused.clone());
    house.accept(message(1, "a@from.example", &["b@to.example"])).await;
    house.quiet().await;
    house.clock.advance(paused.queue.age_max);
    house.event("Expired").await;
    house.event("NotificationQueued").await;
    assert_eq!(house.told().await, (0, 0, Told::Expired));
    assert_eq!(house.spool.left(), 1, "the notification itself waits");
    paused.delivery.paused = false;
    house.reload(paused);
    let notification = house.attempt().await;
    assert_eq!(notification.entry.envelope.sender, None);
    assert!(notification.content_text().contains("Status: 4.4.7"));
    notification.end(delivered());
    house.stop().await;
}

#[tokio::test]
async fn a_drain_lets_attempts_end_and_begins_none() {
    let mut house = House::new(config());
    house.accept(message(1, "a@from.example", &["b@to.example"])).await;
    let attempt = house.attempt().await;
    let stopping = house.begin_stop();
    house.clock.sleeper(config().limits.drain).await;
    house.accept(message(2, "a@from.example", &["b@to.example"])).await;
    attempt.end(delivered());
    assert_eq!(stopping.await.expect("the driver ends"), 0);
    assert!(house.no_attempt().await);
    assert_eq!(house.spool.left(), 1, "the second is for the next start");
}

#[tokio::test]
async fn a_drain_cuts_attempts_off_at_its_limit() {
    let mut house = House::new(config());
    house.accept(message(1, "a@from.example", &["b@to.example"])).await;
    let _never_ends = house.attempt().await;
    let stopping = house.begin_stop();
    house.clock.sleeper(config().limits.drain).await;
    house.clock.advance(config().limits.drain);
    assert_eq!(stopping.await.expect("the driver ends"), 1);
    assert_eq!(house.spool.left(), 1);
}

#[tokio::test]
async fn the_handle_says_when_the_server_is_going_down() {
    let house = House::new(config());
    house.spool.put(message(1, "a@from.example", &["b@to.example"]));
    let operator = Arc::clone(&house.operator);
    house.stop().await;
    assert_eq!(operator.retry(Selection::default()).await, Err(SpoolFault::Closing));
    assert_eq!(operator.list(Selection::default(), None, 10).await.map(|all| all.len()), Ok(1));
}

/// Doors are what app hands out: they can be cloned into every task.
#[test]
fn doors_are_shared() {
    fn shared<T: Clone + Send + Sync>() {}
    shared::<Doors>();
    let _start = start;
}
