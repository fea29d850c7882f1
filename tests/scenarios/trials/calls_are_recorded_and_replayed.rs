//! What a plugin of the running server is asked is recorded, and replayed against the same and against another version.

use mailwright_tests::peers::lossy;
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::Sink;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::thread;

/// A message in a session of its own, with two recipients.
fn send(server: &Mailwright) {
    let mut client = server.client();
    client.hello();
    let message = b"Subject: hello\r\n\r\nhello\r\n";
    client.mail("a@from.example", &["b@to.example", "c@to.example"], message).expect_code(250);
    client.command("QUIT").expect_code(221);
}

#[test]
fn calls_are_recorded_and_replayed() {
    let sink = Sink::start();
    let setup = Setup::new().smarthost("*", sink.address());
    let server = Mailwright::start(&setup.clone().hello("X-One"));
    let file = server.dir().join("calls.jsonl");
    let path = file.to_str().expect("a plain name");
    let unknown = server.cli(&["plugin", "record", "other", "--calls", "1", "--out", &format!("{path}.not")]);
    assert!(lossy(&unknown.stderr).contains("no plugin of the name other serves"), "{}", lossy(&unknown.stderr));
    thread::scope(|scope| {
        let record = scope.spawn(|| server.cli(&["plugin", "record", "hello", "--calls", "24", "--out", path]));
        while !record.is_finished() {
            send(&server);
        }
        let done = record.join().expect("it ran");
        assert!(done.status.success(), "{}", lossy(&done.stderr));
        assert!(lossy(&done.stdout).contains("24 calls in "), "{}", lossy(&done.stdout));
    });
    assert_eq!(file.metadata().expect("it is there").permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&file).expect("it is text");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((&lines[0]["format"], &lines[0]["version"]), (&"mailwright-record".into(), &1.into()));
    let calls: Vec<&Value> = lines[1..].iter().flat_map(|line| line["calls"].as_array().expect("a list")).collect();
    let hooks = |hook: &str| calls.iter().filter(|call| call["asked"]["hook"] == hook).count();
    assert_eq!(calls.len(), 24);
    assert!(["connect", "rcpt", "data", "pre-send"].iter().all(|hook| hooks(hook) > 0), "{text}");

    let replay = ["plugin", "replay", path, "--component", "builtin:hello"];
    let same = server.cli(&replay);
    assert!(same.status.success(), "{}", lossy(&same.stderr));
    assert_eq!(lossy(&same.stdout).trim_end(), "24 calls were answered as recorded");

    server.configure(&setup.hello("X-Two"));
    let other = server.cli(&replay);
    let (said, told) = (lossy(&other.stdout), lossy(&other.stderr));
    assert_eq!(other.status.code(), Some(1), "{told}");
    assert!(told.contains(&format!("{} of 24 calls were answered otherwise", hooks("data"))), "{told}");
    let wanted = ["    - next\n", "    -   add X-One: rcpts=2 subject=5\n", "    +   add X-Two: rcpts=2 subject=5\n"];
    assert!(wanted.iter().all(|line| said.contains(line)), "{said}");
}

#[test]
fn a_component_is_measured_hook_by_hook() {
    let server = Mailwright::prepare(&Setup::new().hello("X-One"));
    let done = server.cli(&["plugin", "bench", "builtin:hello", "--json"]);
    assert!(done.status.success(), "{}", lossy(&done.stderr));
    let measured: Value = serde_json::from_slice(&done.stdout).expect("one JSON object");
    let hooks: Vec<&str> =
        measured["hooks"].as_array().expect("a list").iter().filter_map(|hook| hook["hook"].as_str()).collect();
    assert_eq!(hooks, ["connect", "rcpt", "data", "pre-send"]);
    let figures = |of: &Value| ["lowest_ns", "median_ns", "highest_ns"].map(|key| of[key].as_u64().expect("a number"));
    for of in measured["hooks"].as_array().expect("a list").iter().chain([&measured["fresh_instance"]]) {
        let [lowest, median, highest] = figures(of);
        assert!(0 < lowest && lowest <= median && median <= highest, "{of}");
    }
    assert_eq!(measured["instances"], "restored");
    assert!(measured["memory_bytes"].as_u64().is_some_and(|bytes| (16_384..32_768).contains(&bytes)), "{measured}");
    assert!(measured["component_bytes"].as_u64().is_some_and(|bytes| bytes > 10_000), "{measured}");
}
