//! A plugin says where each recipient goes, and when; the answer outlives a restart, and is asked for anew by `queue rebind`.

use mailwright_tests::guest::{self, Import};
use mailwright_tests::mail::{Mark, message};
use mailwright_tests::peers::{lossy, run};
use mailwright_tests::program::{Mailwright, binary};
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::{Script, Sink};
use rustix::process::Signal;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Tells what the call is about at 2048: the recipient's local part lies where 2064 says, its time in the queue at 2112.
const CURRENT: Import = ("delivery", "current", "(param i32)");
/// At 16: a route's name, a campaign, and a reason.
const TEXT: &str = "bulkspringodd";
/// `place` by the route "bulk", for the campaign "spring", as bulk.
const BULK: &str = "(i32.store8 (i32.const 1032) (i32.const 1))
    (i32.store8 (i32.const 1040) (i32.const 1)) (i32.store (i32.const 1044) (i32.const 16)) (i32.store (i32.const 1048) (i32.const 4))
    (i32.store8 (i32.const 1064) (i32.const 1)) (i32.store (i32.const 1068) (i32.const 20)) (i32.store (i32.const 1072) (i32.const 6))
    (i32.store8 (i32.const 1076) (i32.const 1))";
/// `hold` for the reason "odd".
const HOLD: &str = "(i32.store8 (i32.const 1032) (i32.const 2))
    (i32.store (i32.const 1040) (i32.const 26)) (i32.store (i32.const 1044) (i32.const 3))";

/// `place`, and not before so long after it was queued.
fn delay(by_ms: u64) -> String {
    format!(
        "(i32.store8 (i32.const 1032) (i32.const 1)) (i32.store8 (i32.const 1080) (i32.const 1))
         (i64.store (i32.const 1088) (i64.add (i64.load (i32.const 2112)) (i64.const {by_ms})))"
    )
}

/// Asks by the first letter of the recipient: b goes by the route "bulk", d an hour later, h is held, s soon.
fn ways(folder: &Path) -> PathBuf {
    let answers = [('b', BULK.to_owned()), ('d', delay(3_600_000)), ('h', HOLD.to_owned()), ('s', delay(1500))];
    let answers = answers.map(|(letter, answer)| {
        let letter = u32::from(letter);
        format!("(if (i32.eq (i32.load8_u (i32.load (i32.const 2064))) (i32.const {letter})) (then {answer}))")
    });
    let ask = "(call $current (i32.const 2048)) (if (i32.load8_u (i32.const 2048)) (then unreachable))";
    guest::plugin(folder, &[CURRENT], TEXT, &[("on-route", &format!("{ask} {}", answers.concat()))])
}

/// Everything to one sink, the route "bulk" to the other.
fn setup(normal: &Sink, bulk: Option<&Sink>, source: &Path) -> Setup {
    let setup = Setup::new().smarthost("*", normal.address());
    let setup = setup.table(&format!("[[plugin]]\nname = \"ways\"\nsource = \"{}\"", source.display()));
    match bulk {
        Some(bulk) => setup.table(&format!("[[route]]\nname = \"bulk\"\nsmarthost = \"{}\"", bulk.address())),
        None => setup,
    }
}

fn start(normal: &Sink, bulk: &Sink) -> Mailwright {
    let server = Mailwright::prepare(&Setup::new());
    let source = ways(server.dir());
    server.configure(&setup(normal, Some(bulk), &source));
    server.begin(&[])
}

fn send(server: &Mailwright, to: &[&str]) -> String {
    let mut client = server.client();
    client.hello();
    client.mail("a@from.example", to, &message(&Mark::new(), "hello\r\n")).queue_id()
}

fn is_about(event: &Value, to: &str) -> bool {
    event["recipient"] == to
}

fn got(sink: &Sink) -> Vec<String> {
    let mut got: Vec<_> = sink.messages().iter().flat_map(|message| message.recipients.clone()).collect();
    got.sort();
    got
}

/// The row of that recipient in the queue's list.
fn row(server: &Mailwright, to: &str) -> Value {
    let rows = server.queue();
    let recipients = rows.iter().filter_map(|row| row["recipients"].as_array()).flatten();
    recipients.into_iter().find(|recipient| recipient["address"] == to).expect("it is listed").clone()
}

fn cli(server: &Mailwright, words: &[&str]) -> String {
    let ran = server.cli(words);
    assert!(ran.status.success(), "{words:?}: {}", lossy(&ran.stderr));
    lossy(&ran.stdout)
}

#[test]
fn recipients_go_where_the_plugin_says_over_a_restart_and_anew_when_rebound() {
    let (normal, bulk) = (Sink::start(), Sink::start());
    let mut server = start(&normal, &bulk);
    let to = ["ann", "bob", "dora", "hal", "sue"].map(|name| format!("{name}@to.example"));
    let id = send(&server, &to.each_ref().map(String::as_str));
    let routed = server.event("routed", |event| is_about(event, "bob@to.example"));
    assert_eq!(
        (&routed["plugin"], &routed["via"], &routed["campaign"]),
        (&"ways".into(), &"bulk".into(), &"spring".into())
    );
    assert_eq!((&routed["priority"], &routed["begins_in_ms"]), (&"bulk".into(), &0.into()));
    let held = server.event("held", |event| is_about(event, "hal@to.example"));
    assert_eq!((&held["plugin"], &held["reason"]), (&"ways".into(), &"odd".into()));
    let delivered = |to: &str| server.event("delivered", |event| is_about(event, to));
    let _ = (delivered("ann@to.example"), delivered("bob@to.example"));
    let soon = delivered("sue@to.example");
    assert!(soon["age_ms"].as_u64().is_some_and(|age_ms| age_ms >= 1500), "{soon}");
    assert_eq!(got(&bulk), ["bob@to.example"]);
    assert_eq!(got(&normal), ["ann@to.example", "sue@to.example"]);

    assert!(server.stop().success());
    server.restart(&[]);
    let dora = row(&server, "dora@to.example");
    assert_eq!(
        (&dora["state"], &dora["placed_by"], &dora["priority"]),
        (&"pending".into(), &"ways".into(), &"normal".into())
    );
    assert_eq!((&dora["attempts"], &row(&server, "hal@to.example")["held_for"]), (&0.into(), &"odd".into()));
    let shown = cli(&server, &["queue", "show", &id]);
    assert!(shown.contains("<dora@to.example>") && shown.contains("placed by ways"), "{shown}");

    // Another version sends all of them by the route for bulk.
    let _ = guest::plugin(server.dir(), &[], TEXT, &[("on-route", BULK)]);
    cli(&server, &["plugin", "reload"]);
    assert!(server.events("routed").is_empty(), "nobody was asked again by a restart or a reload");
    assert_eq!(cli(&server, &["queue", "rebind", "--id", &id]).trim(), "1 message rebound");
    let _ = server.finished(&id);
    assert_eq!(server.events("routed").len(), 2);
    assert_eq!(got(&bulk), ["bob@to.example", "dora@to.example", "hal@to.example"]);
    assert_eq!(got(&normal).len(), 2);
}

#[test]
fn mail_whose_route_is_gone_is_held_and_goes_on_when_it_is_back() {
    let normal = Sink::start();
    let bulk = Script::new().rcpt(|_, nth| if nth == 1 { "451 4.2.0 later".into() } else { "250 ok".into() }).start();
    let server = start(&normal, &bulk);
    let source = server.dir().join("guest.wasm");
    let id = send(&server, &["bob@to.example"]);
    let _ = server.event("deferred", |event| is_about(event, "bob@to.example"));
    server.configure(&setup(&normal, None, &source));
    server.signal(Signal::HUP);
    let held = server.event("held", |event| is_about(event, "bob@to.example"));
    assert!(held["reason"].as_str().is_some_and(|reason| reason.contains("no route \"bulk\"")), "{held}");
    let row = row(&server, "bob@to.example");
    assert_eq!((&row["state"], &row["via"]), (&"held".into(), &"bulk".into()));

    server.configure(&setup(&normal, Some(&bulk), &source));
    server.signal(Signal::HUP);
    server.events_reach("reloaded", 2);
    assert_eq!(cli(&server, &["queue", "retry", "--held"]).trim(), "1 message due now");
    let _ = server.finished(&id);
    assert_eq!((got(&bulk), got(&normal).len()), (vec!["bob@to.example".to_owned()], 0));
}

#[test]
fn its_author_tries_it_on_cases() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let (_, cases) = (ways(folder.path()), folder.path().join("cases"));
    std::fs::create_dir(&cases).expect("our own directory");
    let put = |name: &str, text: &str| std::fs::write(cases.join(name), text).expect("it can be written");
    put(
        "plugin.toml",
        "[[plugin]]\nname = \"ways\"\nsource = \"guest.wasm\"\n[[route]]\nname = \"bulk\"\nsmarthost = \"127.0.0.1:25\"\n",
    );
    put("hello.eml", "Subject: hello\n\nIt works.\n");
    let case = "sender = \"a@from.example\"\nmessage = \"hello.eml\"\n\
        recipients = [\"ann@to.example\", \"bob@to.example\", \"hal@to.example\", \"sue@to.example\"]\n[expect]\n\
        route = [\"next\", \"place via bulk, campaign spring, priority bulk\", \"hold odd\", \
        \"place priority normal, not before 1500\"]\n";
    put("one.toml", case);
    put("two.toml", &case.replace("hold odd", "hold even"));
    let mut command = Command::new(binary());
    command.args(["plugin", "test", "guest.wasm", "--cases", "cases"]).current_dir(folder.path());
    let told = run(command);
    let (out, err) = (lossy(&told.stdout), lossy(&told.stderr));
    let diff = "FAILED  cases/two.toml\n  route\n    - hold even\n    + hold odd\n";
    assert!(out.contains("ok      cases/one.toml\n") && out.contains(diff), "{out}{err}");
    assert_eq!(told.status.code(), Some(1));
}
