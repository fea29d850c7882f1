//! Hooks with what they are told: real components that trap unless they are told so, and the example plugin on its four.

mod counted;
mod feedback;
mod password;
mod protection;
mod public;
mod route;

use super::guests::{ACCEPT, ADD, ADD_HEADER, GET_NOTE, HEADER, LOG, NEXT, SET_NOTE, SPIN, TRAP, expect_octet, guest};
use super::stage::{Stage, content, ended, entry, envelope, hello, plugin, recipient, submission};
use crate::base::flow::policy::{Asked, Disposition, Gate, Hook, Outcome, Policy, Sending, Sendout};
use crate::base::mail::edits::{Edits, HeaderEdit};
use crate::base::mail::envelope::{BodyType, Ret};
use crate::base::smtp::reply::Reply;
use crate::base::smtp::status::EnhancedStatus;
use crate::config::model::{EditGrant, OnFailure, Plugin};
use crate::sandbox::bounds::reports::REPORTS_MAX;
use std::time::Duration;

/// Traps unless the word with that number has that value.
fn expect_word(local: usize, value: u32) -> String {
    format!("(if (i32.ne (local.get {local}) (i32.const {value})) (then unreachable))")
}

/// Traps unless the text that begins where that word says begins with that octet.
fn expect_first(local: usize, octet: u8) -> String {
    format!("(if (i32.ne (i32.load8_u (local.get {local})) (i32.const {octet})) (then unreachable))")
}

#[tokio::test]
async fn on_helo_is_told_the_name() {
    let stage = Stage::new();
    let body = format!("{} {} {ACCEPT}", expect_word(1, 9), expect_first(0, b'c'));
    stage.load(&[(plugin("p"), guest(&[], &[("on-helo", &body)]))]).await.expect("it loads");
    assert!(stage.host.has(Hook::Helo) && !stage.host.has(Hook::Connect));
    let mut session = stage.session();
    assert_eq!(session.gate(Asked::Helo("c.example")).await, Gate::Accept);
    assert!(matches!(session.gate(Asked::Helo("d.example")).await, Gate::Tempfail(_)));
    assert_eq!(stage.events.faults(), [("trap".to_owned(), "451 4.3.0".to_owned())]);
}

#[tokio::test]
async fn on_mail_is_told_the_sender_and_the_parameters() {
    let stage = Stage::new();
    // Words: the option's tag, local part, domain, parameters. "from" and "example.org", and five parameters.
    let told = [expect_word(0, 1), expect_word(2, 4), expect_first(1, b'f'), expect_word(4, 11), expect_word(6, 5)];
    let body = format!("{} {ACCEPT}", told.concat());
    stage.load(&[(plugin("p"), guest(&[], &[("on-mail", &body)]))]).await.expect("it loads");
    let mut envelope = envelope(&[]);
    (envelope.body, envelope.smtputf8) = (BodyType::EightBitMime, true);
    (envelope.ret, envelope.envid) = (Some(Ret::Hdrs), Some("e1".into()));
    let mut session = stage.session();
    assert_eq!(session.gate(Asked::Mail { envelope: &envelope, size_bytes: Some(77) }).await, Gate::Accept);
    envelope.body = BodyType::SevenBit;
    let four = session.gate(Asked::Mail { envelope: &envelope, size_bytes: Some(77) }).await;
    assert!(matches!(four, Gate::Tempfail(_)), "the default of BODY is not among them");
}

#[tokio::test]
async fn a_transaction_keeps_its_instance_from_on_mail_and_a_name_does_not_see_it() {
    let stage = Stage::new();
    let marked = format!("{} {ACCEPT}", expect_octet(4000, 1));
    let hooks = [
        ("on-mail", format!("{} (i32.store8 (i32.const 4000) (i32.const 1)) {NEXT}", expect_octet(4000, 0))),
        ("on-helo", format!("{} {NEXT}", expect_octet(4000, 0))),
        ("on-rcpt", marked),
    ];
    let hooks: Vec<(&str, &str)> = hooks.iter().map(|(hook, body)| (*hook, &**body)).collect();
    stage.load(&[(plugin("p"), guest(&[], &hooks))]).await.expect("it loads");
    let (envelope, to) = (envelope(&[]), recipient("a@example.net"));
    let mut session = stage.session();
    for _ in 0..3 {
        assert_eq!(session.gate(Asked::Mail { envelope: &envelope, size_bytes: None }).await, Gate::Next);
        assert_eq!(session.gate(Asked::Helo("c.example")).await, Gate::Next);
        assert_eq!(session.gate(Asked::Rcpt { sender: None, to: &to }).await, Gate::Accept);
        session.transaction_ended();
    }
    assert_eq!(stage.events.faults(), []);
}

#[tokio::test]
async fn on_disconnect_is_told_and_its_fault_means_nothing() {
    let stage = Stage::new();
    // The session's notes are still there: on-connect sets the number 7, on-disconnect logs once it sees it.
    let set = format!(
        "(call $set-note (i32.const 16) (i32.const 5) (i32.const 1) (i64.const 7) (i32.const 0) (i32.const 2048)) {NEXT}"
    );
    let gone = format!(
        "(call $get-note (i32.const 16) (i32.const 5) (i32.const 2048)) {}
         (call $write (i32.const 2) (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 0))",
        expect_octet(2048, 0)
    );
    let granted = Plugin { allow: vec!["log".into()], on_failure: OnFailure::Closed, ..plugin("p") };
    let octets = guest(&[SET_NOTE, GET_NOTE, LOG], &[("on-connect", &set), ("on-disconnect", &gone)]);
    let failing = guest(&[], &[("on-disconnect", TRAP)]);
    stage.load(&[(plugin("q"), failing), (granted, octets)]).await.expect("they load");
    let mut session = stage.session();
    assert_eq!(session.gate(Asked::Connect).await, Gate::Next);
    session.disconnected();
    stage.host.told().await;
    assert_eq!(stage.events.take("plugin-log").len(), 1, "the second is told although the first failed");
    assert_eq!(stage.events.faults(), [("trap".to_owned(), "nothing".to_owned())]);
}

#[tokio::test]
async fn on_outcome_is_told_what_became_of_a_recipient() {
    let stage = Stage::new();
    // Words: the case, the code, whether there is a status, its class, subject and detail, the text.
    let told = [expect_word(0, 2), expect_word(1, 550), expect_word(2, 1), expect_word(3, 5), expect_word(7, 4)];
    let body = format!(
        "{} (call $header (i32.const 16) (i32.const 5) (i32.const 2048)) {} {ADD} {}
         (call $write (i32.const 2) (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 0))",
        told.concat(),
        expect_octet(2048, 0),
        // It is too late for a change, granted or not.
        expect_octet(2048, 1)
    );
    let granted = Plugin { allow: vec!["log".into()], edit: vec![EditGrant::Headers], ..plugin("p") };
    stage.load(&[(granted, guest(&[HEADER, LOG, ADD_HEADER], &[("on-outcome", &body)]))]).await.expect("it loads");
    assert!(stage.host.has(Hook::Outcome) && !stage.host.has(Hook::PreSend));
    stage.host.outcome(&ended(
        entry(&["a@example.net"]),
        Outcome::Bounced(Reply::new(550, EnhancedStatus::new(5, 1, 1), "gone")),
    ));
    stage.host.told().await;
    assert_eq!(stage.events.take("plugin-log").len(), 1);
    stage.host.outcome(&ended(entry(&["a@example.net"]), Outcome::Expired));
    stage.host.told().await;
    assert_eq!(stage.events.faults(), [("trap".to_owned(), "nothing".to_owned())], "another case");
}

#[tokio::test]
async fn an_outcome_that_configure_skips_is_not_told() {
    let stage = Stage::new();
    // Delivered and cancelled.
    let skip = "(i32.store16 (i32.const 4000) (i32.const 0x0400)) (call $skip-outcomes (i32.const 4000) (i32.const 2))";
    let told = "(call $write (i32.const 2) (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 0))";
    let hooks = [("lifecycle", &*format!("{skip} (i32.const 1024)")), ("on-outcome", told)];
    let octets = guest(&[("setup", "skip-outcomes", "(param i32 i32)"), LOG], &hooks);
    stage.load(&[(Plugin { allow: vec!["log".into()], ..plugin("p") }, octets)]).await.expect("it loads");
    assert!(stage.host.has(Hook::Outcome));
    let reply = || Reply::new(250, EnhancedStatus::new(2, 0, 0), "taken");
    for (outcome, lines) in [
        (Outcome::Delivered(reply()), 0),
        (Outcome::Deferred(reply()), 1),
        (Outcome::Bounced(reply()), 1),
        (Outcome::Expired, 1),
        (Outcome::Cancelled, 0),
    ] {
        stage.host.outcome(&ended(entry(&["a@example.net"]), outcome.clone()));
        stage.host.told().await;
        assert_eq!(stage.events.take("plugin-log").len(), lines, "{outcome:?}");
    }
    assert_eq!(stage.events.faults(), []);
}

#[tokio::test]
async fn reports_that_a_plugin_can_not_keep_up_with_are_dropped_and_counted() {
    let stage = Stage::new();
    let slow = Plugin { on_failure: OnFailure::Open, ..plugin("slow") };
    stage.load(&[(slow, guest(&[], &[("on-disconnect", SPIN)]))]).await.expect("it loads");
    let mut session = stage.session();
    // On this one thread no report runs before the test waits.
    (0..=REPORTS_MAX).for_each(|_| session.disconnected());
    let dropped = stage.events.take("plugin-untold");
    assert_eq!(dropped.len(), 1);
    assert_eq!((&dropped[0]["hook"], &dropped[0]["reports"]), (&"disconnect".into(), &1.into()));
    stage.host.told().await;
    let faults = stage.events.take("plugin-fault").len();
    assert!((10..REPORTS_MAX).contains(&faults), "the breaker ends what would fail again and again: {faults}");
}

#[tokio::test]
async fn on_tick_comes_in_its_interval_and_not_while_the_last_is_under_way() {
    let stage = Stage::new();
    let tells = "(call $write (i32.const 2) (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 0))";
    let granted = Plugin { allow: vec!["log".into()], tick: Duration::from_millis(5), ..plugin("p") };
    let octets = guest(&[LOG], &[("on-tick", tells)]);
    let host = stage.host.clone();
    let ticking = tokio::spawn(async move { host.tick().await });
    // Loaded while time passes already.
    stage.load(&[(granted, octets)]).await.expect("it loads");
    stage.events.wait_for("plugin-log", 3).await;
    stage.load(&[]).await.expect("nothing to load");
    stage.host.told().await;
    stage.events.take("plugin-log");
    ticking.abort();
    assert_eq!(stage.events.faults(), []);
}

#[tokio::test]
async fn a_failure_of_what_is_told_can_not_be_given_a_meaning() {
    let stage = Stage::new();
    let on_failure_by_hook = [("on-disconnect".into(), OnFailure::Open)].into();
    let plugin = Plugin { on_failure_by_hook, ..plugin("p") };
    let refused = stage.load(&[(plugin, guest(&[], &[("on-connect", NEXT)]))]).await.expect_err("refused").to_string();
    assert!(refused.contains("on_failure names no hook that is asked: \"on-disconnect\""), "{refused}");
}

fn added(value: &str) -> Edits {
    Edits { headers: vec![HeaderEdit::Add { name: "X-Hello".into(), value: value.into() }] }
}

#[tokio::test]
async fn hello_looks_at_four_hooks_and_stamps_the_message() {
    let stage = Stage::new();
    assert!(!stage.host.has(Hook::Connect));
    stage.load(&[hello()]).await.expect("hello loads");
    for hook in [Hook::Connect, Hook::Rcpt, Hook::Data, Hook::PreSend] {
        assert!(stage.host.has(hook), "{hook:?}");
    }

    let mut session = stage.session();
    assert_eq!(session.gate(Asked::Connect).await, Gate::Next);
    assert_eq!(session.gate(Asked::Rcpt { sender: None, to: &recipient("a@example.net") }).await, Gate::Next);
    let envelope = envelope(&["a@example.net"]);
    let content = content("Subject: Hello, world\r\n\r\n", "text\r\n");
    let submission = submission(&envelope, &content);
    let verdict = session.data(submission).await;
    assert_eq!(verdict.disposition, Disposition::Next);
    assert_eq!(verdict.edits, added("rcpts=1 subject=12"));

    let entry = entry(&["a@example.net"]);
    let sendout = Sendout {
        entry: &entry,
        content: &content,
        recipient: 0,
        attempt: 1,
        site: "mx.example.net",
        size_bytes_max: 1 << 20,
    };
    let verdict = stage.host.pre_send(sendout).await;
    assert_eq!((verdict.sending, verdict.edits), (Sending::Next, Edits::default()));
    assert_eq!(stage.events.faults(), []);
}

#[tokio::test]
async fn an_instance_of_hello_ends_with_its_transaction() {
    let stage = Stage::new();
    stage.load(&[hello()]).await.expect("hello loads");
    let mut session = stage.session();
    let envelope = envelope(&["a@example.net", "b@example.net"]);
    let content = content("Subject: x\r\n\r\n", "");
    for _ in 0..3 {
        for recipient in &envelope.recipients {
            assert_eq!(session.gate(Asked::Rcpt { sender: envelope.sender.as_ref(), to: recipient }).await, Gate::Next);
        }
        let verdict = session.data(submission(&envelope, &content)).await;
        // A count that went on would say 4, then 6.
        assert_eq!(verdict.edits, added("rcpts=2 subject=1"));
        session.transaction_ended();
    }
}

#[tokio::test]
async fn its_configuration_is_checked_at_load() {
    let stage = Stage::new();
    let (mut plugin, octets) = hello();
    plugin.config_json = r#"{"header":"X Hello"}"#.to_owned();
    let error = stage.load(&[(plugin.clone(), octets.clone())]).await.expect_err("a space is in it").to_string();
    assert!(error.contains("plugin \"hello\": configure failed: invalid-config: header: \"X Hello\""), "{error}");
    plugin.config_json = r#"{"haeder":"X-Hello"}"#.to_owned();
    let error = stage.load(&[(plugin, octets)]).await.expect_err("misspelt").to_string();
    let told = "its configuration does not fit:\nconfig.haeder: unknown key; did you mean `header`?";
    assert!(error.contains(told) && error.contains("`mailwright plugin inspect builtin:hello`"), "{error}");
    assert!(!stage.host.has(Hook::Data), "a failed load changes nothing");
}
