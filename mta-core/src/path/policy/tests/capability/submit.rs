//! Mail of plugins' own, with a spool that keeps what it is given: what is queued, and what is not.

use super::super::guests::{ADD_HEADER, Import, NEXT, SET_TAG, expect_error, expect_octet, guest_saying};
use super::super::stage::{Stage, content, ended, entry, envelope, plugin, submission};
use crate::base::fault::SpoolFault;
use crate::base::flow::Answer;
use crate::base::flow::entry::Entry;
use crate::base::flow::offer::{Offer, OfferedContent};
use crate::base::flow::operator::Selection;
use crate::base::flow::policy::public::{PublicAnswer, PublicRequest};
use crate::base::flow::policy::{Asked, Disposition, Gate, Outcome, Policy};
use crate::base::flow::ruling::Ruling;
use crate::base::flow::spool::{Blob, Room, Spool};
use crate::base::mail::content::Content;
use crate::base::mail::id::QueueId;
use crate::config::model::{EditGrant, Mode, Plugin, SubmitLimits};
use crate::config::parse::parse;
use bytes::Bytes;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

const SEND: Import = ("submit", "send", "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)");

/// What is at 64: a local part, a domain, a message, and the name of a tag.
const TEXT: &str = "annexample.orgFrom: a@b\n\nhimailwright/submitted";

/// Sends the message from and to ann@example.org; the host answers at 2048.
const SEND_IT: &str = "
    (i32.store (i32.const 3200) (i32.const 64)) (i32.store (i32.const 3204) (i32.const 3))
    (i32.store (i32.const 3208) (i32.const 67)) (i32.store (i32.const 3212) (i32.const 11))
    (call $send (i32.const 1) (i32.const 64) (i32.const 3) (i32.const 67) (i32.const 11)
        (i32.const 3200) (i32.const 1) (i32.const 78) (i32.const 13) (i32.const 2048))";

/// What the host answers.
const SENT: Option<u8> = None;
const NOT_PERMITTED: Option<u8> = Some(0);
const QUOTA: Option<u8> = Some(1);
const INVALID: Option<u8> = Some(2);
const UNAVAILABLE: Option<u8> = Some(3);

/// Sends the message and traps unless the host answers so; then answers a verdict, or a request with 200.
fn sends(answer: Option<u8>) -> String {
    let expected = match answer {
        None => expect_octet(2048, 0),
        Some(case) => format!("{} {}", expect_octet(2048, 1), expect_octet(2052, case)),
    };
    format!("{SEND_IT} {expected}")
}

fn answered(answer: Option<u8>) -> String {
    format!("{} (i32.store16 (i32.const 1028) (i32.const 200)) (i32.const 1024)", sends(answer))
}

/// A spool that keeps all that it is offered; what was taken out of it has ended.
#[derive(Default)]
struct Kept {
    offers: Mutex<Vec<(Entry, Bytes)>>,
    full: bool,
}

impl Spool for Kept {
    fn room(&self) -> Room {
        if self.full { Room::DiskLow } else { Room::Open }
    }

    fn blob(&self, _: QueueId) -> Answer<'_, Result<Box<dyn Blob>, SpoolFault>> {
        unreachable!("nobody streams here")
    }

    fn accept(&self, offer: Offer) -> Answer<'_, Result<(), SpoolFault>> {
        let OfferedContent::Memory(octets) = offer.content else { unreachable!("it is in memory") };
        self.offers.lock().expect("whole").push((offer.entry, octets));
        Box::pin(async { Ok(()) })
    }

    fn entry(&self, id: QueueId) -> Answer<'_, Result<Option<Arc<Entry>>, SpoolFault>> {
        let offers = self.offers.lock().expect("whole");
        let found = offers.iter().find(|(entry, _)| entry.id == id).map(|(entry, _)| Arc::new(entry.clone()));
        Box::pin(async { Ok(found) })
    }

    fn content(&self, _: QueueId) -> Answer<'_, Result<Content, SpoolFault>> {
        unreachable!("nobody reads here")
    }

    fn rule(&self, _: Ruling) -> Answer<'_, Result<Option<Arc<Entry>>, SpoolFault>> {
        unreachable!("nobody rules here")
    }

    fn list(&self, _: Selection, _: Option<QueueId>, _: usize) -> Answer<'_, Result<Vec<Arc<Entry>>, SpoolFault>> {
        unreachable!("nobody lists here")
    }
}

fn sender() -> Plugin {
    Plugin { allow: vec!["submit".into()], ..plugin("signup") }
}

/// A stage on which one guest serves, and the spool behind it.
async fn serving(plugin: Plugin, spool: Kept, imports: &[Import], hooks: &[(&str, &str)]) -> (Stage, Arc<Kept>) {
    let (stage, spool) = (Stage::new(), Arc::new(spool));
    stage.load(&[(plugin, guest_saying(imports, TEXT, hooks))]).await.expect("it loads");
    let least = "hostname = \"mx.example\"\ndata_dir = \"var\"\n[[listener]]\nname = \"mx\"\nbind = \"127.0.0.1:0\"";
    let config = parse("least", least, &[]).expect("a configuration");
    stage.host.posts_to(spool.clone(), watch::channel(Arc::new(config)).1);
    (stage, spool)
}

async fn ask(stage: &Stage) -> Option<u16> {
    let request = PublicRequest {
        plugin: "signup".into(),
        method: "GET".into(),
        path: "/".into(),
        query: "".into(),
        fields: Vec::new(),
        body: Bytes::new(),
        peer: "192.0.2.7".parse().expect("a literal"),
    };
    match stage.host.http(request).await {
        PublicAnswer::Answered(response) => Some(response.status),
        _ => None,
    }
}

#[tokio::test]
async fn a_message_is_in_the_spool_before_the_guest_goes_on() {
    let (stage, spool) = serving(
        Plugin { tenants: vec!["acme".into()], ..sender() },
        Kept::default(),
        &[SEND],
        &[("on-http", &answered(SENT))],
    )
    .await;
    assert_eq!(ask(&stage).await, Some(200));
    let offers = spool.offers.lock().expect("whole");
    let [(entry, octets)] = &offers[..] else { panic!("one message: {offers:?}") };
    assert!(octets.ends_with(b"From: a@b\r\n\r\nhi\r\n"), "{octets:?}");
    assert_eq!(entry.envelope.sender.as_ref().map(ToString::to_string).as_deref(), Some("ann@example.org"));
    assert!(entry.trace.starts_with("Received: by mx.example (plugin signup, tenant acme) id "), "{}", entry.trace);
    assert_eq!(entry.tenant.as_deref(), Some("acme"));
    let told = stage.events.take("submitted");
    assert_eq!((&told[0]["plugin"], &told[0]["id"]), (&"signup".into(), &entry.id.to_string().into()));
}

#[tokio::test]
async fn nobody_sends_mail_without_the_grant_or_without_a_queue_or_before_there_is_a_message() {
    let stage = Stage::new();
    let octets = guest_saying(&[SEND], TEXT, &[("on-http", &answered(UNAVAILABLE))]);
    let refused = stage.load(&[(plugin("signup"), octets.clone())]).await.expect_err("not granted").to_string();
    assert!(refused.contains("add \"submit\" to its `allow`"), "{refused}");
    stage.load(&[(sender(), octets)]).await.expect("it loads");
    assert_eq!(ask(&stage).await, Some(200), "there is no queue, and it is told so");
    let early = format!("{} {NEXT}", sends(NOT_PERMITTED));
    let configure = format!("{} {NEXT}", sends(NOT_PERMITTED));
    let hooks = [("lifecycle", &*configure), ("on-connect", &early), ("on-disconnect", &sends(NOT_PERMITTED))];
    let stage = Stage::new();
    // At the load there may be no queue yet; here there is one.
    let spool = Arc::new(Kept::default());
    let least = "hostname = \"mx.example\"\ndata_dir = \"var\"\n[[listener]]\nname = \"mx\"\nbind = \"127.0.0.1:0\"";
    let config = parse("least", least, &[]).expect("a configuration");
    stage.host.posts_to(spool.clone(), watch::channel(Arc::new(config)).1);
    stage.load(&[(sender(), guest_saying(&[SEND], TEXT, &hooks))]).await.expect("it loads");
    let mut session = stage.session();
    assert_eq!(session.gate(Asked::Connect).await, Gate::Next);
    session.disconnected();
    stage.host.told().await;
    assert_eq!(stage.events.faults(), []);
    assert!(spool.offers.lock().expect("whole").is_empty());
}

#[tokio::test]
async fn a_chain_of_mail_of_plugins_ends_and_a_bounce_is_answered_without_a_sender_rfc5321_4_5_5() {
    for (head, has_sender, wanted) in [
        ("Subject: x\r\n\r\n", true, SENT),
        ("Mailwright-Submitted: 2\r\n\r\n", true, SENT),
        ("Mailwright-Submitted: 3\r\n\r\n", true, NOT_PERMITTED),
        ("mailwright-submitted: lots\r\n\r\n", true, NOT_PERMITTED),
        ("Subject: x\r\n\r\n", false, INVALID),
    ] {
        let body = format!("{} {NEXT}", sends(wanted));
        let (stage, spool) = serving(sender(), Kept::default(), &[SEND], &[("on-data", &body)]).await;
        let mut envelope = envelope(&["b@example.org"]);
        envelope.sender = envelope.sender.filter(|_| has_sender);
        let content = content(head, "text\r\n");
        let submission = submission(&envelope, &content);
        assert_eq!(stage.session().data(submission).await.disposition, Disposition::Next, "{head}");
        assert_eq!(stage.events.faults(), [], "{head}");
        assert_eq!(spool.offers.lock().expect("whole").len(), usize::from(wanted == SENT));
    }
    // What is in the queue is known by its tag.
    for (depth, wanted) in [("2", SENT), ("3", NOT_PERMITTED)] {
        let (stage, spool) = serving(sender(), Kept::default(), &[SEND], &[("on-outcome", &sends(wanted))]).await;
        let mut sent = entry(&["a@example.net"]);
        sent.tags.push(("mailwright/submitted".into(), depth.into()));
        stage.host.outcome(&ended(sent, Outcome::Expired));
        stage.host.told().await;
        assert_eq!(stage.events.faults(), []);
        let tags: Vec<_> =
            spool.offers.lock().expect("whole").iter().map(|(entry, _)| entry.tags[0].1.clone()).collect();
        assert_eq!(tags, if wanted == SENT { vec!["3".into()] } else { Vec::new() });
    }
}

#[tokio::test]
async fn guests_write_neither_the_tag_nor_the_field_of_the_chain() {
    // The field's name lies at 4096; the tag's at 91.
    let field = "(call $add-header (i32.const 4096) (i32.const 20) (i32.const 32) (i32.const 1) (i32.const 2048))";
    let tag = "(call $set-tag (i32.const 91) (i32.const 20) (i32.const 32) (i32.const 1) (i32.const 2048))";
    let name: String = "mailwright-Submitted"
        .bytes()
        .enumerate()
        .map(|(at, octet)| format!("(i32.store8 (i32.const {}) (i32.const {octet}))", 4096 + at))
        .collect();
    // `invalid` is the third of the message's errors.
    let body = format!("{name} {field} {} {tag} {} {NEXT}", expect_error(2), expect_error(2));
    let granted = Plugin { edit: vec![EditGrant::Headers], ..sender() };
    let (stage, _) = serving(granted, Kept::default(), &[ADD_HEADER, SET_TAG], &[("on-data", &body)]).await;
    let (envelope, content) = (envelope(&["b@example.org"]), content("Subject: x\r\n\r\n", "text\r\n"));
    let submission = submission(&envelope, &content);
    let verdict = stage.session().data(submission).await;
    assert_eq!((verdict.disposition, verdict.edits.headers.len(), verdict.tags.len()), (Disposition::Next, 0, 0));
    assert_eq!(stage.events.faults(), []);
}

#[tokio::test]
async fn a_flood_ends_at_the_limits_and_a_reload_forgets_none_of_them() {
    let limited = |limits| Plugin { submit: limits, ..sender() };
    let few = SubmitLimits { messages_per_minute_max: 2, ..SubmitLimits::default() };
    // Sends as long as it may: 200 means that it was told `quota` at last.
    let until = format!(
        "(loop $again {SEND_IT} (br_if $again (i32.eqz (i32.load8_u (i32.const 2048))))) {}
         (i32.store16 (i32.const 1028) (i32.const 200)) (i32.const 1024)",
        expect_octet(2052, 1)
    );
    let (stage, spool) = serving(limited(few), Kept::default(), &[SEND], &[("on-http", &until)]).await;
    assert_eq!((ask(&stage).await, spool.offers.lock().expect("whole").len()), (Some(200), 2));
    let octets = guest_saying(&[SEND], TEXT, &[("on-http", &until)]);
    stage.load(&[(limited(few), octets)]).await.expect("it loads again");
    assert_eq!((ask(&stage).await, spool.offers.lock().expect("whole").len()), (Some(200), 2));

    let one = SubmitLimits { outstanding_max: 1, ..SubmitLimits::default() };
    let (stage, spool) = serving(limited(one), Kept::default(), &[SEND], &[("on-http", &until)]).await;
    assert_eq!((ask(&stage).await, spool.offers.lock().expect("whole").len()), (Some(200), 1));
    spool.offers.lock().expect("whole").clear();
    assert_eq!((ask(&stage).await, spool.offers.lock().expect("whole").len()), (Some(200), 1), "the first has ended");

    for (limits, full, wanted) in [
        (SubmitLimits { message_bytes_max: 12, ..SubmitLimits::default() }, false, INVALID),
        (SubmitLimits { recipients_per_message_max: 0, ..SubmitLimits::default() }, false, INVALID),
        (SubmitLimits::default(), true, UNAVAILABLE),
        (SubmitLimits { messages_per_minute_max: 0, ..SubmitLimits::default() }, false, QUOTA),
    ] {
        let kept = Kept { full, ..Kept::default() };
        let (stage, spool) = serving(limited(limits), kept, &[SEND], &[("on-http", &answered(wanted))]).await;
        assert_eq!((ask(&stage).await, spool.offers.lock().expect("whole").len()), (Some(200), 0), "{limits:?}");
    }
}

#[tokio::test]
async fn a_shadow_sends_no_mail() {
    let shadow = Plugin { mode: Mode::Shadow, ..sender() };
    let body = format!("{} {NEXT}", sends(NOT_PERMITTED));
    let (stage, spool) = serving(shadow, Kept::default(), &[SEND], &[("on-data", &body)]).await;
    let (envelope, content) = (envelope(&["a@example.net"]), content("A: b\r\n\r\n", ""));
    let submission = submission(&envelope, &content);
    assert_eq!(stage.session().data(submission).await.disposition, Disposition::Next);
    stage.host.told().await;
    let report = stage.host.differences(Some("signup")).expect("it is on trial").remove(0);
    assert_eq!((report.calls, report.faults), (1, 0), "it was answered as expected");
    assert_eq!(spool.offers.lock().expect("whole").len(), 0);
}
