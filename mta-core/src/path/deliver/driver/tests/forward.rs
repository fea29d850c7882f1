//! In whose name forwarded mail goes: its reverse path leads back here, and from here to who sent it (RFC 5321 3.9).

use super::super::fakes::{World, address};
use super::super::*;
use crate::base::flow::attempt::{Endpoint, NextHop};
use crate::base::flow::entry::{Entry, OUTSIDE_TAG};
use crate::base::mail::domain::Domain;
use crate::config::model::{Delivery, DomainPattern, Feedback, Srs};
use crate::path::deliver::scripted::{content, entry, willing};
use std::time::Duration;
use tokio::sync::watch;

const SINK: &str = "127.0.0.1:2526";

fn domain(text: &str) -> Domain {
    Domain::parse(text).expect("a domain")
}

/// The MAIL command that a message goes out with.
async fn mail(entry: Entry, hop: NextHop, feedback: Option<Feedback>) -> String {
    let world = World::new();
    world.serve(SINK, willing());
    let mut parts = world.parts(Delivery::default());
    let config = Config::clone(&parts.config.borrow());
    let srs = Some(Srs { domain: domain("srs.test"), age_max: Duration::from_secs(86_400) });
    parts.config = watch::channel(Arc::new(Config { srs, feedback, ..config })).1;
    let attempt = Attempt {
        entry: Arc::new(entry),
        content: content(),
        recipients: [0].into_iter().collect(),
        hop: Arc::new(hop),
        number: 1,
    };
    let report = Deliverer::new(parts).attempt(attempt).await;
    assert!(matches!(report.outcomes[0].1, Outcome::Delivered { .. }), "{report:?}");
    let commands = world.commands();
    let mail = commands[0].iter().find_map(|command| command.strip_prefix("MAIL FROM:<")).expect("there is one");
    mail.split('>').next().unwrap_or_default().to_owned()
}

fn outside() -> Entry {
    let mut entry = entry(&["bob@b.test"]);
    entry.tags.push((OUTSIDE_TAG.into(), Box::default()));
    entry
}

#[tokio::test]
async fn forwarded_mail_goes_with_a_reverse_path_of_ours_rfc5321_3_9() {
    let endpoint = || Endpoint::Address(address(SINK));
    let path = mail(outside(), NextHop::Smarthost(endpoint()), None).await;
    assert!(path.starts_with("SRS0=") && path.ends_with("=a.test=s@srs.test"), "{path}");
    assert_eq!(mail(entry(&["bob@b.test"]), NextHop::Smarthost(endpoint()), None).await, "s@a.test", "it is ours");
    assert_eq!(mail(outside(), NextHop::Lmtp(endpoint()), None).await, "s@a.test", "it stays here");
    let mut notification = outside();
    notification.envelope.sender = None;
    assert_eq!(mail(notification, NextHop::Smarthost(endpoint()), None).await, "", "nobody is told (RFC 5321 4.5.5)");
}

#[tokio::test]
async fn who_is_followed_is_followed() {
    let feedback = Feedback {
        domain: domain("bounces.test"),
        senders: vec![DomainPattern::new("a.test")],
        reports: Vec::new(),
        age_max: Duration::from_secs(86_400),
    };
    let hop = NextHop::Smarthost(Endpoint::Address(address(SINK)));
    let path = mail(outside(), hop, Some(feedback)).await;
    assert!(path.starts_with("b-") && path.ends_with("@bounces.test"), "{path}");
}
