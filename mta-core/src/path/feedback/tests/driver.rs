//! The stage on what is queued: it reads from memory and from the disk, tells, and says what became of it.

use super::samples::POSTFIX;
use super::{SENT_AT, ann, field, key, path};
use crate::base::event::Event;
use crate::base::fixtures::entry;
use crate::base::flow::Answer;
use crate::base::flow::attempt::{Attempt, Deliver, NextHop};
use crate::base::flow::policy::feedback::{Heard, Kind, Returned};
use crate::base::flow::policy::{
    Attempted, Hook, Policy, RouteVerdict, SendVerdict, Sendout, SessionInfo, SessionPolicy, Unplaced,
};
use crate::base::flow::report::Outcome;
use crate::base::mail::content::{Body, Composed, Content, Piece};
use crate::base::mail::tie::{Purpose, Sent};
use crate::base::time::{Now, UnixMillis};
use crate::base::world::{Clock, Observe};
use crate::config::model::Config;
use crate::config::parse::parse;
use crate::path::feedback::driver::Teller;
use bytes::Bytes;
use std::future::ready;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::sync::watch;

/// Policy that hears so, and what it was told; and the events.
struct House {
    heard: Heard,
    told: Mutex<Vec<(Sent, Kind)>>,
    events: Mutex<Vec<&'static str>>,
}

impl Policy for House {
    fn has(&self, _: Hook) -> bool {
        false
    }

    fn session(&self, _: SessionInfo) -> Box<dyn SessionPolicy> {
        panic!("there is no session")
    }

    fn route<'a>(&'a self, _: Unplaced<'a>) -> Answer<'a, RouteVerdict> {
        panic!("nobody is asked where feedback goes")
    }

    fn pre_send<'a>(&'a self, _: Sendout<'a>) -> Answer<'a, SendVerdict> {
        panic!("nothing is sent")
    }

    fn outcome(&self, _: &Attempted) {
        panic!("it is no outcome")
    }

    fn feedback<'a>(&'a self, returned: Returned<'a>) -> Answer<'a, Heard> {
        self.told.lock().expect("whole").push((returned.sent.clone(), returned.kind.clone()));
        Box::pin(ready(self.heard.clone()))
    }
}

impl Clock for House {
    fn now(&self) -> Now {
        Now { mono: Instant::now(), wall: UnixMillis(SENT_AT.0 + 1000) }
    }

    fn sleep_until(&self, _: Instant) -> Answer<'static, ()> {
        panic!("nothing is slept for")
    }
}

impl Observe for House {
    fn event(&self, event: Event<'_>) {
        self.events.lock().expect("whole").push(event.name());
    }
}

const CONFIG: &str = "hostname = \"mx.example.org\"\ndata_dir = \"var\"\n\
    [[listener]]\nname = \"mx\"\nbind = \"[::1]:25\"\n";

fn config(more: &str) -> Config {
    parse("test", &format!("{CONFIG}{more}"), &[]).expect("it is sound")
}

fn taking() -> Config {
    config("[feedback]\ndomain = \"bounces.example.org\"\n")
}

/// What became of a report at the address of the message to Ann, and the house.
async fn heard(config: Config, heard: Heard, body: impl FnOnce(Bytes) -> Body) -> (Outcome, Arc<House>) {
    let to = path(&ann(), Purpose::Reports).to_string();
    let (head, octets) = POSTFIX.letter("ann@receiver.example", &field(&ann()), &to);
    let house = Arc::new(House { heard, told: Mutex::default(), events: Mutex::default() });
    let teller = Teller {
        config: watch::channel(Arc::new(config)).1,
        key: Arc::new(key()),
        policy: Arc::<House>::clone(&house),
        clock: Arc::<House>::clone(&house),
        observe: Arc::<House>::clone(&house),
    };
    let attempt = Attempt {
        entry: Arc::new(entry(9, "a@from.example", &[&to])),
        content: Content { head: head.into(), body: body(octets.into()) },
        recipients: [0].into_iter().collect(),
        hop: Arc::new(NextHop::Feedback),
        number: 1,
    };
    let report = teller.attempt(attempt).await;
    assert_eq!(report.trouble, None, "the hop is never to blame");
    let [(0, outcome)] = &*report.outcomes else { panic!("one recipient: {report:?}") };
    (outcome.clone(), house)
}

fn said(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Delivered { reply, .. } => format!("delivered {reply}"),
        Outcome::Deferred(reply) => format!("deferred {reply}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_was_told_has_ended_wherever_its_octets_lay() {
    let disk = |octets: Bytes| {
        let bytes = octets.len() as u64;
        Body::Stored { source: Arc::new(Composed::new(vec![Piece::Memory(octets)])), bytes }
    };
    for (outcome, house) in
        [heard(taking(), Heard::By(2), Body::Memory).await, heard(taking(), Heard::By(2), disk).await]
    {
        assert_eq!(said(&outcome), "delivered 250 2.0.0 plugins were told");
        assert!(matches!(&**house.told.lock().expect("whole"), [(sent, Kind::Bounce(_))] if *sent == ann()));
        assert_eq!(*house.events.lock().expect("whole"), ["feedback"]);
    }
    let (nobody, _) = heard(taking(), Heard::By(0), Body::Memory).await;
    assert_eq!(said(&nobody), "delivered 250 2.0.0 no plugin listens");
}

#[tokio::test]
async fn what_can_not_be_told_or_read_now_comes_again() {
    let (busy, house) = heard(taking(), Heard::Later("slow".into()), Body::Memory).await;
    assert_eq!(said(&busy), "deferred 451 4.3.2 plugin slow can't be told now");
    assert!(house.events.lock().expect("whole").is_empty());

    struct Broken;
    impl crate::base::mail::content::ReadAt for Broken {
        fn read_at(&self, _: u64, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::Other.into())
        }
    }
    let broken = |octets: Bytes| Body::Stored { source: Arc::new(Broken), bytes: octets.len() as u64 };
    let (unread, house) = heard(taking(), Heard::By(1), broken).await;
    assert_eq!(said(&unread), "deferred 451 4.3.0 it can't be read now");
    assert!(house.told.lock().expect("whole").is_empty());

    // A reload took the domain away: the queue looks where it goes now.
    let (gone, _) = heard(config(""), Heard::By(1), Body::Memory).await;
    assert!(said(&gone).starts_with("deferred 451 4.3.5"));
}

#[tokio::test]
async fn what_is_tied_to_nothing_ends_and_is_counted() {
    let (outcome, house) = heard(taking(), Heard::By(1), |_| Body::Memory(Bytes::new())).await;
    assert_eq!(said(&outcome), "delivered 250 2.0.0 there is nothing to tell");
    assert_eq!(*house.events.lock().expect("whole"), ["feedback-idle"]);
    let elsewhere = config("[feedback]\ndomain = \"other.example\"\n");
    let (outcome, house) = heard(elsewhere, Heard::By(1), |octets| Body::Memory(octets.slice(..40))).await;
    assert_eq!(said(&outcome), "delivered 250 2.0.0 it is tied to nothing, and counted");
    assert_eq!(*house.events.lock().expect("whole"), ["feedback-untied"]);
    assert!(house.told.lock().expect("whole").is_empty());
}
