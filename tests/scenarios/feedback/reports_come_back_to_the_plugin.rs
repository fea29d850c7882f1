//! A message goes out, and what comes back about it is told to the plugin with the right queue id and recipient: a bounce
//! from another server, a complaint, a request for no more. What is forged does nothing and is counted.

use mailwright_tests::guest::{self, Import};
use mailwright_tests::mail::{Mark, message};
use mailwright_tests::metrics::Metrics;
use mailwright_tests::peers::{lossy, run};
use mailwright_tests::program::{Mailwright, binary};
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::{Received, Script, Sink};
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const ADD: Import = ("suppression", "add", "(param i32 i32 i32 i32 i32 i32 i32 i32)");
const LOG: Import = ("log", "write", "(param i32 i32 i32 i32 i32)");
const URI: Import = ("delivery", "unsubscribe-uri", "(param i32)");
const ADD_HEADER: Import = ("message", "add-header", "(param i32 i32 i32 i32 i32)");

/// Logs the queue id (at 36 of what it is told) and puts the recipient (at 44) on the list "news": a bounce (case 0) as hard
/// bounce (1), a complaint as such (2), a request as such (0).
const HEARS: &str = "
    (call $write (i32.const 2) (i32.load offset=36 (local.get 0)) (i32.load offset=40 (local.get 0)) (i32.const 0) (i32.const 0))
    (call $add (i32.const 16) (i32.const 4)
        (i32.load offset=44 (local.get 0)) (i32.load offset=48 (local.get 0))
        (i32.load offset=52 (local.get 0)) (i32.load offset=56 (local.get 0))
        (i32.rem_u (i32.add (i32.load8_u (local.get 0)) (i32.const 1)) (i32.const 3)) (i32.const 2048))
    (if (i32.load8_u (i32.const 2048)) (then unreachable))";

/// Adds the field X-Uri with the address for requests: ok(some(text)) lies at 2048.
const OFFERS: &str = "
    (call $unsubscribe-uri (i32.const 2048))
    (if (i32.load8_u (i32.const 2048)) (then unreachable))
    (if (i32.eqz (i32.load8_u (i32.const 2052))) (then unreachable))
    (call $add-header (i32.const 20) (i32.const 5)
        (i32.load (i32.const 2056)) (i32.load (i32.const 2060)) (i32.const 3072))";

fn listener(folder: &Path) -> PathBuf {
    let hooks = [("on-feedback", HEARS), ("on-pre-send", OFFERS)];
    guest::plugin(folder, &[ADD, LOG, URI, ADD_HEADER], "newsX-Uri", &hooks)
}

fn setup(next: &Setup) -> Setup {
    next.clone().set("feedback", "domain = \"bounces.example.test\"").set("feedback", "reports = [\"fbl\"]")
}

/// A server that takes feedback, and whose plugin hears of it.
fn near(routes: &Setup) -> Mailwright {
    let server = Mailwright::prepare(routes);
    let source = listener(server.dir());
    let plugin = format!(
        "[[plugin]]\nname = \"returns\"\nsource = \"{}\"\nallow = [\"suppression:news\", \"log\"]\nedit = [\"headers\"]",
        source.display()
    );
    server.configure(&setup(routes).table(&plugin));
    server.begin(&[])
}

/// Sends the newsletter; its queue id.
fn send(server: &Mailwright, to: &str) -> String {
    let mut client = server.client();
    client.hello();
    client.mail("news@bounces.example.test", &[to], &message(&Mark::new(), "hello\r\n")).expect_code(250).queue_id()
}

/// Hands over what comes back; its queue id.
fn come_back(server: &Mailwright, from: &str, to: &str, octets: &str) -> String {
    let mut client = server.client();
    client.hello();
    client.mail(from, &[to], octets.as_bytes()).expect_code(250).queue_id()
}

fn suppressed(server: &Mailwright) -> String {
    lossy(&server.cli(&["suppression", "list", "--scope", "news"]).stdout)
}

/// What the log says of the feedback about that message.
fn feedback(server: &Mailwright, about: &str) -> Value {
    server.event("feedback", |event| event["about"] == about)
}

/// The plugin was told of that message.
fn is_told(server: &Mailwright, about: &str) {
    let _ = server.event("plugin-log", |event| event["message"] == about);
}

fn head(received: &Received) -> String {
    received.text().split("\r\n\r\n").next().unwrap_or_default().to_owned()
}

/// A report of a feedback loop that returns this header section.
fn complaint(returned: &str) -> String {
    format!(
        "From: <staff@fbl.example>\r\nTo: <fbl@bounces.example.test>\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nsomebody complained\r\n\
         --b\r\nContent-Type: message/feedback-report\r\n\r\n\
         Feedback-Type: abuse\r\nUser-Agent: test/1\r\nVersion: 1\r\n\
         --b\r\nContent-Type: message/rfc822\r\n\r\n{returned}\r\n\r\nhello\r\n--b--\r\n"
    )
}

#[test]
fn a_bounce_of_another_server_suppresses_the_address_rfc3464_2() {
    let sink = Script::new().rcpt(|_, _| "550 5.1.1 no such user here".to_owned()).start();
    // The other server takes the message, finds that nobody wants it, and says so to the reverse path.
    let far_setup = Setup::new().smarthost("to.example", sink.address());
    let far = Mailwright::start(&far_setup);
    let near = near(&Setup::new().smarthost("to.example", far.address()));
    far.configure(&far_setup.smarthost("bounces.example.test", near.address()));
    far.signal(Signal::HUP);
    let _ = far.event("reloaded", |_| true);

    let id = send(&near, "Nobody@to.example");
    let told = feedback(&near, &id);
    assert_eq!((&told["kind"], &told["says"]), (&"bounce".into(), &"5.1.1".into()));
    assert_eq!((&told["recipient"], &told["plugins"]), (&"Nobody@to.example".into(), &1.into()));
    is_told(&near, &id);
    assert!(suppressed(&near).starts_with("nobody@to.example  hard-bounce"), "{}", suppressed(&near));
    // The report has ended, and went nowhere else.
    let _ = near.finished(told["id"].as_str().expect("an id"));
    let ended = near.event("delivered", |event| event["id"] == told["id"]);
    assert_eq!(ended["hop"], "feedback");
    let sender = far.event("accepted", |_| true)["sender"].as_str().expect("a text").to_owned();
    assert!(sender.starts_with("b-") && sender.ends_with("@bounces.example.test"), "{sender}");
    let metrics = Metrics::of(&near);
    assert_eq!(metrics.get("mailwright_feedback_total{outcome=\"told\"}") as u64, 1);
}

#[test]
fn complaints_and_requests_are_told_and_the_key_outlives_the_server_rfc5965_3() {
    let sink = Sink::start();
    let mut server = near(&Setup::new().smarthost("to.example", sink.address()));
    let (ann, bob) = (send(&server, "ann@to.example"), send(&server, "bob@to.example"));
    let got = |to: &str| sink.message("the newsletter", |message| message.recipients == [to]);
    let (to_ann, to_bob) = (got("ann@to.example"), got("bob@to.example"));
    assert_ne!(to_ann.sender(), to_bob.sender(), "each has a reverse path of its own");
    server.kill();
    server.restart(&[]);

    let returned = head(&to_ann).replace("b@to.example", "redacted");
    let _ = come_back(&server, "staff@fbl.example", "fbl@bounces.example.test", &complaint(&returned));
    let told = feedback(&server, &ann);
    assert_eq!((&told["kind"], &told["says"]), (&"complaint".into(), &"abuse".into()));
    is_told(&server, &ann);
    assert!(suppressed(&server).starts_with("ann@to.example  complaint"), "{}", suppressed(&server));

    // RFC 6068: the mail program writes to the address with the subject, from whichever address its owner has.
    let text = to_bob.text().replace("\r\n ", " ");
    let uri = text.lines().find_map(|line| line.strip_prefix("X-Uri: mailto:")).expect("the plugin added it");
    let (address, subject) = uri.split_once("?subject=").expect("both");
    let letter = format!("From: <robert@home.example>\r\nSubject: {}\r\n\r\nplease\r\n", subject.replace("%20", " "));
    let _ = come_back(&server, "robert@home.example", address, &letter);
    assert_eq!(feedback(&server, &bob)["kind"], "unsubscribe");
    is_told(&server, &bob);
    assert!(suppressed(&server).contains("bob@to.example  unsubscribe"), "{}", suppressed(&server));
}

#[test]
fn each_recipient_of_one_message_has_a_transaction_and_a_reverse_path_of_its_own() {
    let sink = Sink::start();
    // Without a plugin, whose edits would have copies of their own made.
    let server = Mailwright::start(&setup(&Setup::new().smarthost("to.example", sink.address())));
    let mut client = server.client();
    client.hello();
    let to = ["ann@to.example", "bob@to.example"];
    client.mail("news@bounces.example.test", &to, &message(&Mark::new(), "hello\r\n")).expect_code(250);
    let got = to.map(|to| sink.message("a copy", |message| message.recipients == [to]));
    let paths = got.each_ref().map(Received::sender);
    assert!(paths.iter().all(|path| path.starts_with("b-") && path.ends_with("@bounces.example.test")), "{paths:?}");
    for received in &got {
        assert_eq!(head(received).lines().filter(|line| line.starts_with("Mailwright-Feedback: ")).count(), 1);
    }
    assert_ne!(paths[0], paths[1]);
    // Of others nothing is changed.
    client.mail("ann@from.example", &to, &message(&Mark::new(), "hello\r\n")).expect_code(250);
    let shared = sink.message("a shared copy", |message| message.recipients == to);
    assert_eq!(shared.sender(), "ann@from.example");
    assert!(!shared.text().contains("Mailwright-Feedback"), "{}", shared.text());
}

#[test]
fn what_is_forged_does_nothing_and_is_counted() {
    let sink = Sink::start();
    let server = near(&Setup::new().smarthost("to.example", sink.address()));
    let id = send(&server, "ann@to.example");
    let got = sink.message("the newsletter", |_| true);
    // One letter of the address is another; it is not taken to any place, whoever sends.
    let (first, rest) = got.sender().split_at(2);
    let other = if rest.starts_with('a') { 'b' } else { 'a' };
    let forged = format!("{first}{other}{}", &rest[1..]);
    let mut client = server.client();
    client.hello();
    client.command("MAIL FROM:<>").expect_code(250);
    client.command(&format!("RCPT TO:<{forged}>")).expect(550, "5.1.1");
    client.command("RCPT TO:<somebody@bounces.example.test>").expect(550, "5.1.1");
    let untied = server.event("feedback-untied", |event| event["session"].is_string());
    assert_eq!(untied["id"], Value::Null);

    // A ticket that somebody made up, at an address that takes reports from anybody.
    let ticket =
        head(&got).lines().find_map(|line| line.strip_prefix("Mailwright-Feedback: ")).expect("it has one").to_owned();
    let report = complaint(&head(&got).replace(&ticket[..8], "AAAAAAAA"));
    let came = come_back(&server, "", "fbl@bounces.example.test", &report);
    let _ = server.event("feedback-untied", |event| event["id"] == came.as_str());
    let _ = server.finished(&came);
    let metrics = Metrics::of(&server);
    let count = |outcome: &str| metrics.get(&format!("mailwright_feedback_total{{outcome=\"{outcome}\"}}")) as u64;
    assert_eq!((count("untied"), count("told")), (2, 0));
    assert_eq!((suppressed(&server), server.events("plugin-log").len()), (String::new(), 0));
    assert!(server.events("feedback").is_empty() && !id.is_empty());
}

#[test]
fn a_report_that_was_acknowledged_is_told_also_after_kill_nine() {
    let sink = Sink::start();
    let mut server = near(&Setup::new().smarthost("to.example", sink.address()));
    let id = send(&server, "ann@to.example");
    let got = sink.message("the newsletter", |_| true);
    server.kill();
    server.restart(&["delivery.paused=true"]);
    let came = come_back(&server, "", "fbl@bounces.example.test", &complaint(&head(&got)));
    server.kill();
    assert!(server.events("feedback").is_empty(), "it waits while delivery is paused");
    server.restart(&[]);
    assert_eq!(feedback(&server, &id)["id"], came.as_str());
    is_told(&server, &id);
    assert!(suppressed(&server).starts_with("ann@to.example  complaint"));
}

#[test]
fn its_author_tries_it_on_cases() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let answers = "(i32.store16 (i32.const 1028) (i32.const 200))
        (i32.store (i32.const 1040) (local.get 2)) (i32.store (i32.const 1044) (local.get 3))";
    let becomes = "(call $write (i32.const 2) (local.get 6) (local.get 7) (i32.const 0) (i32.const 0))";
    let hooks = [("on-feedback", HEARS), ("on-http", answers), ("on-outcome", becomes)];
    let _ = guest::plugin(folder.path(), &[ADD, LOG], "news", &hooks);
    let cases = folder.path().join("cases");
    fs::create_dir(&cases).expect("our own directory");
    let put = |name: &str, text: &str| fs::write(cases.join(name), text).expect("it can be written");
    put(
        "plugin.toml",
        "[[plugin]]\nname = \"returns\"\nsource = \"guest.wasm\"\nallow = [\"suppression:news\", \"log\"]\n",
    );
    let case = "[[outcome]]\nrecipient = \"ann@to.example\"\nbecame = \"delivered 250 2.0.0 ok\"\n\
        [[feedback]]\nrecipient = \"ann@to.example\"\nkind = \"bounce 5.1.1 no such user\"\n\
        [[feedback]]\nrecipient = \"bob@to.example\"\nkind = \"unsubscribe\"\n\
        [[request]]\npath = \"/hello\"\n[expect]\nrequest = [\"200 /hello\"]\n\
        log = [\"info: ok\", \"info: 00000000000000000000000001\", \"info: 00000000000000000000000001\"]\n\
        suppressed = [\"news: ann@to.example hard-bounce\", \"news: bob@to.example unsubscribe\"]\n";
    put("one.toml", case);
    put("two.toml", &case.replace("hard-bounce", "complaint"));
    let mut command = Command::new(binary());
    command.args(["plugin", "test", "guest.wasm", "--cases", "cases"]).current_dir(folder.path());
    let told = run(command);
    let (out, err) = (lossy(&told.stdout), lossy(&told.stderr));
    let diff = "FAILED  cases/two.toml\n  suppressed\n    - news: ann@to.example complaint\n    + news: ann@to.example hard-bounce\n";
    assert!(out.contains("ok      cases/one.toml\n") && out.contains(diff), "{out}{err}");
    assert_eq!(told.status.code(), Some(1));
}

#[test]
fn a_plugin_that_traps_in_it_holds_no_mail_up() {
    let sink = Sink::start();
    let routes = Setup::new().smarthost("to.example", sink.address());
    let server = Mailwright::prepare(&routes);
    let folder = server.dir().join("bad");
    fs::create_dir_all(&folder).expect("our own directory");
    let (bad, good) = (guest::plugin(&folder, &[], "", &[("on-feedback", "unreachable")]), listener(server.dir()));
    let tables = format!(
        "[[plugin]]\nname = \"bad\"\nsource = \"{}\"\n\n[[plugin]]\nname = \"returns\"\nsource = \"{}\"\n\
         allow = [\"suppression:news\", \"log\"]\nedit = [\"headers\"]",
        bad.display(),
        good.display()
    );
    server.configure(&setup(&routes).table(&tables));
    let server = server.begin(&[]);
    let id = send(&server, "ann@to.example");
    let got = sink.message("the newsletter", |_| true);
    let came = come_back(&server, "", "fbl@bounces.example.test", &complaint(&head(&got)));
    let fault = server.event("plugin-fault", |event| event["id"] == came.as_str());
    assert_eq!((&fault["hook"], &fault["answered"]), (&"feedback".into(), &"nothing".into()));
    is_told(&server, &id);
    let _ = server.finished(&came);
    let _ = send(&server, "bob@to.example");
    let _ = sink.message("the next newsletter", |message| message.recipients == ["bob@to.example"]);
}
