//! The log of a whole life: one JSON object a line, and the session's and the message's names on each of its events.

use mailwright_tests::mail::{Mark, message};
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::Sink;
use serde_json::Value;

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
