//! The log of a whole life: one JSON object a line, and the session's and the message's names on each of its events; and,
//! where the operator wants it, nobody's address.

use mailwright_tests::mail::{Mark, message};
use mailwright_tests::peers::lossy;
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::{Script, Sink};
use rustix::process::Signal;
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

#[test]
fn addresses_are_hidden_and_the_operator_finds_somebodys_lines() {
    // The next hop names them in its replies, as most do.
    let next = Script::new().rcpt(|to, _| match to.starts_with("gone") {
        true => format!("550 5.1.1 <{to}>: no such user"),
        false => "250 2.1.5 ok".to_owned(),
    });
    let next = next.start();
    let setup = Setup::new().smarthost("*", next.address());
    let mut server = Mailwright::start(&setup.clone().set("log", "addresses = \"hashed\""));
    let mut client = server.client();
    client.hello();
    let octets = message(&Mark::new(), "x\r\n");
    let id = client.mail("Ann.Secret@from.example", &["bob.secret@to.example"], &octets).queue_id();
    let _ = server.finished(&id);
    let _ = client.mail("ann.secret@from.example", &["gone.secret@to.example"], &octets).queue_id();
    let bounced = server.event("bounced", |_| true);
    client.command("RCPT TO:<x.secret@to.example>").expect_code(503);
    client.command("MAIL FROM:<y.secret@to.example").expect_code(501);
    let lines = server.lines().join("\n");
    assert!(!lines.to_lowercase().contains("secret"), "{lines}");

    let hashes = server.cli(&["log", "hash", "ANN.SECRET@from.example", "gone.secret@to.example"]);
    let hashes = lossy(&hashes.stdout);
    let hashes: Vec<&str> = hashes.lines().collect();
    assert!(hashes[0].starts_with('~') && hashes[0].ends_with("@from.example"), "{hashes:?}");
    let senders = server.events("accepted");
    assert_eq!(senders.iter().filter(|event| event["sender"] == hashes[0]).count(), 2, "{senders:?}");
    assert_eq!(bounced["recipient"], hashes[1]);
    assert!(bounced["reply"].as_str().is_some_and(|reply| reply.contains(hashes[1])), "{bounced}");

    // The key outlives the server. What operators ask for is shown as it is.
    assert!(server.stop().success());
    server.restart(&["delivery.paused=true"]);
    let mut client = server.client();
    client.hello();
    client.mail("ann.secret@from.example", &["bob.secret@to.example"], &octets).expect_code(250);
    let again = server.event("accepted", |_| true);
    assert_eq!(again["sender"], hashes[0]);
    let listed = server.cli(&["queue", "list"]);
    assert!(lossy(&listed.stdout).contains("ann.secret@from.example"), "{}", lossy(&listed.stdout));

    server.configure(&setup.set("log", "addresses = \"domain\""));
    server.signal(Signal::HUP);
    let _ = server.event("reloaded", |_| true);
    client.mail("ann.secret@from.example", &["bob.secret@to.example"], &octets).expect_code(250);
    let _ = server.event("accepted", |event| event["sender"] == "*@from.example");
}
