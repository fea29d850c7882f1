//! The example plugin on all four hooks.

use super::stage::{ID, Stage, content, entry, envelope, hello, recipient};
use crate::base::flow::policy::{Disposition, Gate, Hook, Policy, Sending, Sendout, Submission};
use crate::base::mail::edits::{Edits, HeaderEdit};

fn added(value: &str) -> Edits {
    Edits { headers: vec![HeaderEdit::Add { name: "X-Hello".into(), value: value.into() }] }
}

#[tokio::test]
async fn it_looks_at_four_hooks_and_stamps_the_message() {
    let stage = Stage::new();
    assert!(!stage.host.has(Hook::Connect));
    stage.load(&[hello()]).await.expect("hello loads");
    for hook in [Hook::Connect, Hook::Rcpt, Hook::Data, Hook::PreSend] {
        assert!(stage.host.has(hook), "{hook:?}");
    }

    let mut session = stage.session();
    assert_eq!(session.connect().await, Gate::Next);
    assert_eq!(session.rcpt(None, &recipient("a@example.net")).await, Gate::Next);
    let envelope = envelope(&["a@example.net"]);
    let content = content("Subject: Hello, world\r\n\r\n", "text\r\n");
    let submission = Submission { id: ID, envelope: &envelope, content: &content };
    let verdict = session.data(submission).await;
    assert_eq!(verdict.disposition, Disposition::Next);
    assert_eq!(verdict.edits, added("rcpts=1 subject=12"));

    let entry = entry(&["a@example.net"]);
    let sendout = Sendout { entry: &entry, content: &content, recipient: 0, attempt: 1, site: "mx.example.net" };
    let verdict = stage.host.pre_send(sendout).await;
    assert_eq!((verdict.sending, verdict.edits), (Sending::Next, Edits::default()));
    assert_eq!(stage.events.faults(), []);
}

#[tokio::test]
async fn an_instance_ends_with_its_transaction() {
    let stage = Stage::new();
    stage.load(&[hello()]).await.expect("hello loads");
    let mut session = stage.session();
    let envelope = envelope(&["a@example.net", "b@example.net"]);
    let content = content("Subject: x\r\n\r\n", "");
    for _ in 0..3 {
        for recipient in &envelope.recipients {
            assert_eq!(session.rcpt(envelope.sender.as_ref(), recipient).await, Gate::Next);
        }
        let verdict = session.data(Submission { id: ID, envelope: &envelope, content: &content }).await;
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
    assert!(error.contains("unknown field `haeder`, expected `header`"), "{error}");
    assert!(!stage.host.has(Hook::Data), "a failed load changes nothing");
}
