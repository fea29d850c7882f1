//! The log of a whole life: one JSON object a line, and the session's and the message's names on each of its events.

use mailwright_tests::mail::{Mark, message};
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::Sink;
use serde_json::Value;

#[test]
fn the_start_is_told_when_every_port_is_open() {
    let more = |name: &str| format!("[[listener]]\nname = \"{name}\"\nbind = \"127.0.0.1:0\"");
    let server = Mailwright::start(&Setup::new().table(&more("second")).table(&more("third")));
    let lines: Vec<Value> =
        server.lines().iter().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect();
    let (before, after): (Vec<_>, Vec<_>) = {
        let started = lines.iter().position(|event| event["event"] == "started").expect("it started");
        lines.iter().enumerate().filter(|(_, event)| event["event"] == "listening").partition(|(at, _)| *at < started)
    };
    let names: Vec<_> = before.iter().map(|(_, event)| event["listener"].as_str().unwrap_or_default()).collect();
    assert_eq!((names, after.len()), (vec!["mx", "second", "third"], 0));
}

#[test]
fn the_log_is_one_event_a_line() {
    let sink = Sink::start();
    let mut server = Mailwright::start(&Setup::new().smarthost("*", sink.address()));
    let mut client = server.client();
    client.hello();
    client.command("XYZZY \u{1b}[31m").expect_code(500);
    let id = client.mail("a@from.example", &["b@to.example"], &message(&Mark::new(), "hello\r\n")).queue_id();
    client.command("QUIT").expect_code(221);
    let _ = server.finished(&id);
    assert!(server.stop().success());

    let lines = server.lines();
    let mut before = String::new();
    for line in &lines {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(event["event"].is_string() && event["level"].is_string(), "{line}");
        let time = event["time"].as_str().unwrap_or_else(|| panic!("a time in {line}")).to_owned();
        assert!(time >= before && time.ends_with('Z'), "{line}");
        before = time;
    }
    let names: Vec<_> = ["started", "session-opened", "accepted", "delivered", "finished", "session-closed", "stopped"]
        .iter()
        .map(|name| server.events(name).len())
        .collect();
    assert_eq!(names, [1, 1, 1, 1, 1, 1, 1], "{}", lines.join("\n"));
    let session = server.events("session-opened")[0]["session"].clone();
    let accepted = &server.events("accepted")[0];
    assert_eq!((&accepted["session"], &accepted["id"]), (&session, &Value::from(id.as_str())));
    assert_eq!(server.events("delivered")[0]["id"], id.as_str());
}
