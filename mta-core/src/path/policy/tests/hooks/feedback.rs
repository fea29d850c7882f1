//! `on-feedback`: told what came back, to whom it belongs, and never lost to a plugin that can't be told now.

use super::super::guests::{ADD, ADD_HEADER, HEADER, LOG, SPIN, TRAP, expect_octet, guest};
use super::super::stage::{Stage, content, entry, plugin};
use crate::base::flow::entry::Entry;
use crate::base::flow::policy::feedback::{Bounce, Heard, Kind, Returned};
use crate::base::flow::policy::{Hook, Policy};
use crate::base::mail::address::Address;
use crate::base::mail::content::Content;
use crate::base::mail::id::QueueId;
use crate::base::mail::tie::Sent;
use crate::base::smtp::status::EnhancedStatus;
use crate::config::model::{EditGrant, Mode, Plugin};
use crate::sandbox::bounds::reports::REPORTS_MAX;

/// What is told lies where the first word says: `kind` at 0 (its case; of a bounce the status at 4, the diagnostic's tag at
/// 12), the queue id at 36, the recipient's local part at 44, the tenant's tag at 60, the campaign's at 72.
fn expect_told(at: u32, value: u32) -> String {
    format!("(if (i32.ne (i32.load8_u offset={at} (local.get 0)) (i32.const {value})) (then unreachable))")
}

/// Traps unless the text at that place begins with that octet.
fn expect_text(at: u32, octet: u8) -> String {
    format!("(if (i32.ne (i32.load8_u (i32.load offset={at} (local.get 0))) (i32.const {octet})) (then unreachable))")
}

const SAY: &str = "(call $write (i32.const 2) (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 0))";

fn says(name: &str) -> Plugin {
    Plugin { allow: vec!["log".into()], ..plugin(name) }
}

fn sent(tenant: Option<&str>) -> Sent {
    let recipient = Address::parse("ann@receiver.example").expect("a mailbox");
    Sent { id: QueueId(1), recipient, tenant: tenant.map(Into::into), campaign: Some("spring".into()) }
}

fn report() -> (Entry, Content) {
    (entry(&["b-1@bounces.example"]), content("X-One: report\r\n\r\n", "text\r\n"))
}

fn bounce() -> Kind {
    let status = EnhancedStatus::new(5, 1, 1);
    Kind::Bounce(Bounce { status, diagnostic: Some("550 no".into()), remote: None })
}

async fn tell(stage: &Stage, sent: &Sent, kind: &Kind) -> Heard {
    let (entry, content) = report();
    stage.host.feedback(Returned { entry: &entry, content: &content, sent, kind }).await
}

#[tokio::test]
async fn on_feedback_is_told_what_came_back_and_may_read_the_report() {
    let stage = Stage::new();
    let told = [
        expect_told(0, 0),
        expect_told(4, 5),
        expect_told(6, 1),
        expect_told(12, 1),
        expect_told(24, 0),
        expect_text(36, b'0'),
        expect_text(44, b'a'),
        expect_told(60, 1),
        expect_told(72, 1),
        expect_text(76, b's'),
    ];
    let body = format!(
        "{} (call $header (i32.const 16) (i32.const 5) (i32.const 2048)) {} {} {ADD} {} {SAY}",
        told.concat(),
        expect_octet(2048, 0),
        expect_octet(2052, 1),
        // Nothing would come of a change, granted or not.
        expect_octet(2048, 1)
    );
    let granted = Plugin { edit: vec![EditGrant::Headers], ..says("p") };
    stage.load(&[(granted, guest(&[HEADER, LOG, ADD_HEADER], &[("on-feedback", &body)]))]).await.expect("it loads");
    assert!(stage.host.has(Hook::Feedback) && !stage.host.has(Hook::Outcome));
    assert_eq!(tell(&stage, &sent(Some("acme")), &bounce()).await, Heard::By(1));
    // It was told when the answer came: nothing is waited for.
    assert_eq!(stage.events.take("plugin-log").len(), 1);
    assert_eq!(stage.events.faults(), []);
    assert_eq!(tell(&stage, &sent(Some("acme")), &Kind::Unsubscribe).await, Heard::By(1));
    assert_eq!(stage.events.faults(), [("trap".to_owned(), "nothing".to_owned())], "another case");
}

#[tokio::test]
async fn only_the_plugins_of_the_messages_tenant_are_told_and_shadows_like_others() {
    let stage = Stage::new();
    let octets = guest(&[LOG], &[("on-feedback", SAY)]);
    let of = |tenant: &str| Plugin { tenants: vec![tenant.into()], ..says(tenant) };
    let listening = Plugin { listeners: vec!["mx".into()], ..says("listening") };
    let shadow = Plugin { mode: Mode::Shadow, ..says("shadow") };
    let all = [of("acme"), of("globex"), listening, says("all"), shadow].map(|plugin| (plugin, octets.clone()));
    stage.load(&all).await.expect("they load");
    let complaint = Kind::Complaint("abuse".into());
    assert_eq!(tell(&stage, &sent(Some("acme")), &complaint).await, Heard::By(3));
    assert_eq!(tell(&stage, &sent(None), &complaint).await, Heard::By(2), "nobody's in particular");
    let mut heard: Vec<String> =
        stage.events.take("plugin-log").iter().map(|event| event["plugin"].to_string()).collect();
    heard.sort();
    assert_eq!(heard, ["\"acme\"", "\"all\"", "\"all\"", "\"shadow\"", "\"shadow\""]);
}

#[tokio::test]
async fn a_plugin_that_traps_was_told_and_one_that_is_left_alone_is_told_later() {
    let stage = Stage::new();
    stage
        .load(&[
            (plugin("bad"), guest(&[], &[("on-feedback", TRAP)])),
            (says("good"), guest(&[LOG], &[("on-feedback", SAY)])),
        ])
        .await
        .expect("they load");
    // Its faults are its own, and the report ends; until the breaker has had enough.
    let mut heard = Vec::new();
    while heard.last() != Some(&Heard::Later("bad".into())) {
        heard.push(tell(&stage, &sent(None), &Kind::Unsubscribe).await);
        assert!(heard.len() < 100, "the breaker never opens");
    }
    let told = heard.len();
    assert!(heard.iter().rev().skip(1).all(|heard| *heard == Heard::By(2)), "{heard:?}");
    assert_eq!(stage.events.take("plugin-log").len(), told, "the other is told each time");
    assert_eq!(stage.events.faults().len(), told - 1);
}

#[tokio::test]
async fn where_a_plugin_has_no_place_nobody_is_told_and_nothing_is_dropped() {
    let stage = Stage::new();
    let hooks = [("on-feedback", SAY), ("on-disconnect", SPIN)];
    stage
        .load(&[(says("first"), guest(&[LOG], &hooks[..1])), (says("slow"), guest(&[LOG], &hooks))])
        .await
        .expect("they load");
    let mut session = stage.session();
    (0..REPORTS_MAX).for_each(|_| session.disconnected());
    assert_eq!(tell(&stage, &sent(None), &Kind::Unsubscribe).await, Heard::Later("slow".into()));
    assert_eq!((stage.events.take("plugin-log").len(), stage.events.take("plugin-untold").len()), (0, 0));
}
