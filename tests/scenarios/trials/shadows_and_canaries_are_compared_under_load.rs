//! A shadow and a canary of another version run while mail passes and plugins are reloaded: each message is decided by one
//! version, none is lost or waits, and the report has what the other version says.

use mailwright_tests::peers::{SmtpSink, lossy, smtp_source, wait_until};
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use serde_json::Value;
use std::thread;

const COUNT: usize = 1_000;
const RELOADS: usize = 5;

/// The example plugin with one header, and a second one of it with another, on trial.
fn with_trial(setup: &Setup, mode: &str) -> Setup {
    setup.clone().hello("X-Old").table(&format!(
        "[[plugin]]\nname = \"next\"\nsource = \"builtin:hello\"\nallow = [\"log\"]\nedit = [\"headers\"]\n\
         config = {{ header = \"X-New\" }}\nmode = {mode}\nof = \"hello\""
    ))
}

/// The one report there is.
fn report(server: &Mailwright) -> Value {
    let told = server.cli(&["plugin", "differences", "next", "--json"]);
    assert!(told.status.success(), "{}", lossy(&told.stderr));
    serde_json::from_slice::<Value>(&told.stdout).expect("a JSON list")[0].clone()
}

fn number(report: &Value, key: &str) -> u64 {
    report[key].as_u64().expect("a number")
}

/// Waits until all calls are compared or counted as not compared: three hooks of a message, and its attempt.
fn compared(server: &Mailwright, wanted: impl Fn(&Value) -> bool) -> Value {
    wait_until("every call compared", || wanted(&report(server)));
    report(server)
}

#[test]
fn a_shadow_is_compared_and_changes_nothing() {
    let sink = SmtpSink::start();
    let setup = Setup::new().smarthost("*", sink.address());
    let server = Mailwright::start(&with_trial(&setup, "\"shadow\""));
    smtp_source(server.address(), 10, COUNT, 1024);
    server.events_reach("finished", COUNT);
    // RCPT, the message, the attempt; and the sessions.
    let all = 3 * COUNT as u64;
    let report = compared(&server, |report| number(report, "calls") + number(report, "dropped") >= all);
    assert_eq!((&report["mode"], &report["of"], &report["faults"]), (&"shadow".into(), &"hello".into(), &0.into()));
    let differing = number(&report, "differing");
    assert!(differing > 0 && differing <= COUNT as u64, "{report}");
    let last = report["last"].as_array().and_then(|last| last.last()).expect("one is kept");
    let edit = |said: &str| last[said]["edits"][0].as_str().expect("one edit").to_owned();
    assert_eq!((&last["hook"], &last["said"]["verdict"]), (&"data".into(), &"next".into()));
    // The same count of recipients: it was asked about the whole transaction, in its order.
    assert!(edit("said").starts_with("add X-Old: rcpts=1 "), "{last}");
    assert_eq!(edit("other"), edit("said").replace("X-Old", "X-New"));
    let told = server.event("plugin-differs", |_| true);
    assert_eq!((&told["plugin"], &told["hook"]), (&"next".into(), &"data".into()));
    wait_until("every message in a file of its own", || sink.messages().len() >= COUNT);
    let messages = sink.messages();
    let stamped = |field: &str| messages.iter().filter(|octets| lossy(octets).contains(field)).count();
    assert_eq!((messages.len(), stamped("X-Old: "), stamped("X-New: ")), (COUNT, COUNT, 0));
    assert_eq!(server.events("plugin-fault").len(), 0);
}

#[test]
fn a_canary_decides_its_share_through_reloads() {
    let sink = SmtpSink::start();
    let setup = Setup::new().smarthost("*", sink.address());
    let server = Mailwright::start(&with_trial(&setup, "{ canary = 50 }"));
    let listed = lossy(&server.cli(&["plugin", "list"]).stdout);
    assert!(listed.contains("\n    canary 50 %, against hello"), "{listed}");
    thread::scope(|scope| {
        // A session for each message. It fails when one is dropped or a message refused.
        scope.spawn(|| {
            for _ in 0..COUNT / 100 {
                smtp_source(server.address(), 10, 100, 1024);
            }
        });
        for reload in 1..=RELOADS {
            server.events_reach("accepted", reload * COUNT / (RELOADS + 1));
            server.configure(&with_trial(&setup, &format!("{{ canary = {} }}", 50 + reload)));
            let done = server.cli(&["plugin", "reload"]);
            assert!(done.status.success(), "{}", lossy(&done.stderr));
        }
    });
    server.events_reach("finished", COUNT);
    wait_until("every message in a file of its own", || sink.messages().len() >= COUNT);
    let (mut old, mut new) = (0, 0);
    for message in sink.messages() {
        let message = lossy(&message);
        let has = |field: &str| message.lines().filter(|line| line.starts_with(field)).count();
        assert_eq!(has("X-Old:") + has("X-New:"), 1, "one side decides: {message}");
        old += has("X-Old:");
        new += has("X-New:");
    }
    assert_eq!(old + new, COUNT);
    assert!(old > 0 && new > 0, "{old} by the old one, {new} by the new one");
    let report = compared(&server, |report| number(report, "calls") + number(report, "dropped") > 0);
    assert_eq!((&report["mode"], &report["faults"]), (&"canary 55 %".into(), &0.into()));
    assert_eq!(server.events("plugin-fault").len(), 0);
    assert!(server.queue().is_empty());
}
