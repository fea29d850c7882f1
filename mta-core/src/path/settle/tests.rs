//! Rulings: what each outcome and each age makes of a recipient, and who is told.

use super::*;
use crate::base::fixtures;
pub(super) use crate::base::fixtures::{START, address};
use crate::base::mail::content::Body;
use crate::base::mail::envelope::Notify;
use crate::base::mail::id::QueueId;
use crate::config;
use crate::config::model::{Feedback, Queue};
use bytes::Bytes;
use std::time::Instant;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

struct Loaded(u64);

impl Dice for Loaded {
    fn roll(&self) -> u64 {
        self.0
    }
}

pub(super) fn settler() -> Settler {
    let config = Config {
        queue: Queue { jitter_percent: 0, ..Queue::default() },
        feedback: Some(Feedback {
            domain: address("x@bounces.example").domain().expect("it has one").clone(),
            senders: Vec::new(),
            reports: Vec::new(),
            age_max: DAY,
        }),
        ..config::example()
    };
    Settler::new(watch::channel(Arc::new(config)).1, Arc::new(Loaded(7)))
}

pub(super) fn entry(recipients: &[&str]) -> Entry {
    fixtures::entry(1, "sender@from.example", recipients)
}

pub(super) fn content() -> Content {
    let head = "Message-ID: <one@from.example>\r\nSubject: lunch\r\n\r\n";
    Content { head: Bytes::from(head), body: Body::Memory(Bytes::from("At noon?\r\n")) }
}

pub(super) fn at(age: Duration) -> Now {
    Now { mono: Instant::now(), wall: START.plus(age) }
}

pub(super) fn mx() -> NextHop {
    NextHop::Mx(address("x@to.example").domain().expect("it has one").clone())
}

pub(super) fn report(outcomes: Vec<(u32, Outcome)>) -> Report {
    let said_by = outcomes.iter().map(|(index, _)| (*index, "mx.to.example".into())).collect();
    let remote = Some("mx.to.example".into());
    Report { id: QueueId::new(START, 1), outcomes, remote, said_by, tls: None, took: Duration::ZERO, trouble: None }
}

pub(super) fn refused() -> Outcome {
    Outcome::Failed(Reply::new(550, EnhancedStatus::new(5, 1, 1), "no such user"))
}

pub(super) fn later() -> Outcome {
    Outcome::Deferred(Reply::new(451, EnhancedStatus::new(4, 2, 0), "mailbox busy"))
}

pub(super) fn taken(dsn_passed_on: bool) -> Outcome {
    Outcome::Delivered { reply: Reply::new(250, EnhancedStatus::new(2, 1, 5), "ok"), dsn_passed_on }
}

pub(super) fn text(offer: &Offer) -> String {
    let crate::base::flow::offer::OfferedContent::Memory(octets) = &offer.content else { panic!("in memory") };
    String::from_utf8(octets.to_vec()).expect("these tests send UTF-8")
}

fn kinds(ruling: &Ruling) -> Vec<&str> {
    ruling.notifications.iter().map(|offer| &*offer.entry.tags[0].1).collect()
}

fn settle(entry: &Entry, outcome: Outcome, age: Duration) -> Ruling {
    settler().settle(entry, &content(), &mx(), &report(vec![(0, outcome)]), at(age))
}

#[test]
fn a_delivered_recipient_is_done_and_nobody_is_told() {
    let ruling = settle(&entry(&["b@to.example"]), taken(false), HOUR);
    assert_eq!(ruling.changes, [(0, Progress::Done(Fate::Delivered))]);
    assert!(ruling.notifications.is_empty());
}

#[test]
fn a_sender_in_the_feedback_domain_is_told_nothing_by_mail() {
    let news = fixtures::entry(1, "news@bounces.example", &["b@to.example"]);
    let ruling = settle(&news, refused(), HOUR);
    assert_eq!(ruling.changes, [(0, Progress::Done(Fate::Bounced))]);
    assert!(ruling.notifications.is_empty(), "plugins were told at on-outcome");
    assert_eq!(kinds(&settle(&entry(&["b@to.example"]), refused(), HOUR)), ["failed"]);
}

#[test]
fn success_is_told_as_asked_unless_the_next_hop_does_rfc3461_5_2_2() {
    let mut asked = entry(&["b@to.example"]);
    asked.envelope.recipients[0].notify = Some(Notify { success: true, failure: false, delay: false });
    assert_eq!(kinds(&settle(&asked, taken(false), HOUR)), ["relayed"]);
    assert!(settle(&asked, taken(true), HOUR).notifications.is_empty());
}

#[test]
fn success_is_told_as_delivered_by_the_last_hop_rfc3461_5_2_3() {
    let mut asked = entry(&["b@to.example"]);
    asked.envelope.recipients[0].notify = Some(Notify { success: true, failure: false, delay: false });
    let last = NextHop::Maildir("mail".into());
    let ruling = settler().settle(&asked, &content(), &last, &report(vec![(0, taken(false))]), at(HOUR));
    assert_eq!(kinds(&ruling), ["delivered"]);
    assert!(text(&ruling.notifications[0]).contains("\r\nAction: delivered\r\nStatus: 2.1.5\r\n"));
}

#[test]
fn a_deferral_comes_again_by_the_schedule_rfc5321_4_5_4_1() {
    let ruling = settle(&entry(&["b@to.example"]), later(), HOUR);
    let [(0, Progress::Pending { attempts: 1, due, last: Some(last), delay_told: false })] = &ruling.changes[..] else {
        panic!("{:?}", ruling.changes)
    };
    assert_eq!(*due, START.plus(HOUR + Duration::from_secs(60)));
    assert_eq!((last.at, last.remote.as_deref()), (START.plus(HOUR), Some("mx.to.example")));
    assert!(ruling.notifications.is_empty());
}

#[test]
fn a_deferral_never_reaches_beyond_the_maximum_age() {
    let late = 5 * DAY - Duration::from_secs(1);
    let ruling = settle(&entry(&["b@to.example"]), later(), late);
    assert!(matches!(&ruling.changes[..], [(0, Progress::Pending { due, .. })] if *due == START.plus(5 * DAY)));
    let ruling = settle(&entry(&["b@to.example"]), later(), 5 * DAY);
    assert_eq!(ruling.changes, [(0, Progress::Done(Fate::Expired))]);
    let notice = text(&ruling.notifications[0]);
    assert!(notice.contains("Status: 4.4.7\r\n") && notice.contains("451 4.2.0 mailbox busy"), "{notice}");
}

#[test]
fn a_plugins_postponement_counts_as_no_attempt_and_never_outlives_the_age() {
    let until = START.plus(3 * HOUR);
    let ruling = settle(&entry(&["b@to.example"]), Outcome::Postponed(until), HOUR);
    assert!(matches!(&ruling.changes[..], [(0, Progress::Pending { attempts: 0, due, .. })] if *due == until));
    let ruling = settle(&entry(&["b@to.example"]), Outcome::Postponed(START), HOUR);
    let soon = START.plus(HOUR + POSTPONED_MIN);
    assert!(matches!(&ruling.changes[..], [(0, Progress::Pending { due, .. })] if *due == soon));
    let ruling = settle(&entry(&["b@to.example"]), Outcome::Postponed(START.plus(9 * DAY)), 6 * DAY);
    assert_eq!(ruling.changes, [(0, Progress::Done(Fate::Expired))]);
}

#[test]
fn policys_holds_and_discards_tell_nobody() {
    let ruling = settle(&entry(&["b@to.example"]), Outcome::Held(None, "odd".into()), HOUR);
    assert_eq!(ruling.changes, [(0, Progress::Held("odd".into()))]);
    let ruling = settle(&entry(&["b@to.example"]), Outcome::Discarded(None, "spam".into()), HOUR);
    assert_eq!(ruling.changes, [(0, Progress::Done(Fate::Discarded))]);
    assert!(ruling.notifications.is_empty());
}

#[test]
fn one_notification_names_all_that_failed_and_none_that_did_not_rfc3461_5_2_6() {
    let all = entry(&["nobody@to.example", "fine@to.example", "gone@to.example", "slow@to.example"]);
    let outcomes = vec![(0, refused()), (1, taken(false)), (2, refused()), (3, later())];
    let ruling = settler().settle(&all, &content(), &mx(), &report(outcomes), at(HOUR));
    assert_eq!(kinds(&ruling), ["failed"]);
    let notice = text(&ruling.notifications[0]);
    assert!(notice.contains("nobody@to.example") && notice.contains("gone@to.example"));
    assert!(!notice.contains("fine@") && !notice.contains("slow@"), "{notice}");
}

#[test]
fn notify_decides_who_is_told_of_failure_rfc3461_4_1() {
    let mut never = entry(&["b@to.example"]);
    never.envelope.recipients[0].notify = Some(Notify { success: false, failure: false, delay: false });
    let ruling = settle(&never, refused(), HOUR);
    assert_eq!(ruling.changes, [(0, Progress::Done(Fate::Bounced))]);
    assert!(ruling.notifications.is_empty());
}

#[test]
fn there_is_no_bounce_of_a_bounce_rfc5321_4_5_5() {
    let mut bounce = entry(&["b@to.example"]);
    bounce.envelope.sender = None;
    let ruling = settle(&bounce, refused(), HOUR);
    assert_eq!(ruling.changes, [(0, Progress::Done(Fate::Bounced))]);
    assert!(ruling.notifications.is_empty());
    // Its own age limit is shorter, and nobody is told of its delay.
    assert!(settler().age(&bounce, &[0], None, at(DAY - HOUR)).is_none());
    let ruling = settler().age(&bounce, &[0], None, at(DAY)).expect("it is too old");
    assert_eq!(ruling.changes, [(0, Progress::Done(Fate::Expired))]);
    assert!(ruling.notifications.is_empty());
}

#[test]
fn a_delay_is_told_once_rfc3461_5_2_5() {
    let mut late = entry(&["b@to.example", "c@to.example"]);
    late.envelope.recipients[1].notify = Some(Notify { success: false, failure: true, delay: false });
    assert!(settler().age(&late, &[0, 1], Some(&content()), at(3 * HOUR)).is_none());
    let ruling = settler().age(&late, &[0, 1], Some(&content()), at(4 * HOUR)).expect("it is late");
    assert_eq!(kinds(&ruling), ["delayed"]);
    let notice = text(&ruling.notifications[0]);
    assert!(notice.contains("b@to.example") && !notice.contains("c@to.example"));
    // RFC 3464 2.3.9.
    assert!(
        notice.contains("Action: delayed\r\nStatus: 4.0.0\r\nWill-Retry-Until: Wed, 20 Jan 2027 08:00:00 +0000\r\n")
    );
    for (index, progress) in ruling.changes {
        assert!(matches!(progress, Progress::Pending { attempts: 0, due: START, delay_told: true, .. }));
        late.progress[index as usize] = progress;
    }
    assert!(settler().age(&late, &[0, 1], Some(&content()), at(5 * HOUR)).is_none());
}

#[test]
fn age_ends_what_was_never_tried_even_without_its_content_rfc3463_3_5() {
    let old = entry(&["b@to.example", "c@to.example"]);
    let ruling = settler().age(&old, &[1], None, at(5 * DAY)).expect("it is too old");
    assert_eq!(ruling.changes, [(1, Progress::Done(Fate::Expired))]);
    let notice = text(&ruling.notifications[0]);
    assert!(
        notice.contains("Final-Recipient: rfc822; c@to.example\r\nAction: failed\r\nStatus: 4.4.7\r\n"),
        "{notice}"
    );
    assert!(!notice.contains("b@to.example") && !notice.contains("Diagnostic-Code"));
}

#[test]
fn what_has_ended_or_is_held_is_left_alone() {
    let mut ended = entry(&["b@to.example", "c@to.example"]);
    ended.progress = vec![Progress::Done(Fate::Cancelled), Progress::Held("odd".into())];
    let report = report(vec![(0, refused()), (1, taken(false)), (9, taken(false))]);
    let ruling = settler().settle(&ended, &content(), &mx(), &report, at(HOUR));
    assert!(ruling.changes.is_empty() && ruling.notifications.is_empty());
    assert!(settler().age(&ended, &[0, 1, 9], None, at(9 * DAY)).is_none());
}
