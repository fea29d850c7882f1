//! The standard rate-limit: exact under many clients at once and over restarts, seen by the operator, and on the way out.

use super::{cases, page_is_sound};
use mailwright_tests::client::{Client, Reply};
use mailwright_tests::mail::{Mark, message};
use mailwright_tests::metrics::Metrics;
use mailwright_tests::peers::lossy;
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::Sink;
use serde_json::Value;
use std::time::{Duration, Instant};

/// A plugin with these limits, as TOML.
fn limits(limits: &str) -> String {
    format!(
        "[[plugin]]\nname = \"rate-limit\"\nsource = \"builtin:rate-limit\"\n\
         allow = [\"kv:rate-limit\", \"clock\", \"log\", \"metrics\", \"tables\"]\n{limits}"
    )
}

fn setup(text: &str) -> Setup {
    Setup::new().set("delivery", "paused = true").table(&limits(text))
}

/// One message: the reply that ends it, be it of MAIL or of the data.
fn send(client: &mut Client) -> Reply {
    let mail = client.command("MAIL FROM:<a@from.example>");
    if mail.code != 250 {
        return mail;
    }
    client.command("RCPT TO:<b@example.test>").expect_code(250);
    client.data(&message(&Mark::new(), "hello\r\n"))
}

/// Messages of so many clients at once, each trying so many: how many were accepted; the others were told to come back.
fn accepted(server: &Mailwright, clients: usize, each: usize) -> usize {
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..clients)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = server.client();
                    client.hello();
                    let replies = (0..each).map(|_| send(&mut client));
                    replies
                        .filter(|reply| match reply.code {
                            250 => true,
                            _ => {
                                reply.expect(450, "4.7.1 too many messages: come back in ");
                                says_when(reply);
                                false
                            }
                        })
                        .count()
                })
            })
            .collect();
        running.into_iter().map(|client| client.join().expect("no client panics")).sum()
    })
}

/// The wait that a refusal names is a number of seconds within the window.
fn says_when(reply: &Reply) {
    let text = reply.text();
    let seconds = text.rsplit_once("come back in ").and_then(|(_, rest)| rest.strip_suffix(" s"));
    let seconds: u64 = seconds.and_then(|seconds| seconds.parse().ok()).expect("it says when");
    assert!((1..=3600).contains(&seconds), "{text}");
}

/// `plugin bucket`, one JSON object a line.
fn bucket(server: &Mailwright) -> Vec<Value> {
    let listed = server.cli(&["plugin", "bucket", "rate-limit", "--json"]);
    assert!(listed.status.success(), "{}", lossy(&listed.stderr));
    lossy(&listed.stdout).lines().map(|line| serde_json::from_str(line).expect("a JSON object")).collect()
}

#[test]
fn many_clients_at_once_share_a_limit_exactly_over_restarts_and_a_crash() {
    let setup = setup(
        "[[plugin.config.limits]]\nname = \"per-peer\"\nby = [\"peer\"]\nmeasure = \"messages\"\nlimit = 40\nwindow = \"1d\"\n",
    );
    let mut server = Mailwright::start(&setup);
    assert_eq!(accepted(&server, 8, 3), 24, "all have room");
    assert_eq!(server.stop().code(), Some(0));
    server.restart(&[]);
    let rows = bucket(&server);
    assert_eq!((&rows[0]["key"], &rows[0]["limit"]["left"]), (&"per-peer|127.0.0.1".into(), &16.into()), "{rows:?}");
    assert_eq!(accepted(&server, 4, 1), 4);
    server.kill();
    server.restart(&[]);
    // What was taken in the last moments before a crash may be forgotten; what was kept before is not.
    let again = accepted(&server, 16, 4);
    assert!((12..=16).contains(&again), "{again}");
    assert_eq!(accepted(&server, 2, 2), 0);
    let metrics = Metrics::of(&server);
    let refused =
        "mailwright_plugin_rate_limit_refused_total{plugin=\"rate-limit\",limit=\"per-peer\",mode=\"enforce\"}";
    assert_eq!(metrics.get(refused) as usize, 64 - again + 4);
    assert_eq!(
        metrics.get("mailwright_plugins_bucket_entries{plugin=\"rate-limit\",bucket=\"rate-limit\",tenant=\"\"}"),
        1.0
    );
    let shown = lossy(&server.cli(&["plugin", "bucket", "rate-limit", "--prefix", "per-peer"]).stdout);
    assert!(shown.starts_with("rate-limit  per-peer|127.0.0.1  0 left of 40 in 1d, whole in "), "{shown}");
    let none = server.cli(&["plugin", "bucket", "other"]);
    assert!(!none.status.success() && lossy(&none.stderr).contains("no plugin of the name other serves"));
}

#[test]
fn each_measure_has_its_answer_and_a_warning_has_none() {
    let setup = setup(
        "config.limits = [\n\
         { name = \"sessions\", by = [\"peer\"], measure = \"connections\", limit = 3, window = \"1d\" },\n\
         { name = \"rcpts\", by = [\"sender\"], measure = \"recipients\", limit = 2, window = \"1h\" },\n\
         { name = \"domain\", by = [\"recipient-domain\"], measure = \"recipients\", limit = 1, window = \"1h\",\n\
           match = { recipient_domains = [\"slow.test\"] } },\n\
         { name = \"bytes\", measure = \"bytes\", limit = \"8KiB\", window = \"1h\", match = { sender_domains = [\"big.test\"] } },\n\
         { name = \"watched\", measure = \"messages\", limit = 1, window = \"1h\", mode = \"warn\" },\n]\n",
    );
    let server = Mailwright::start(&setup);
    let mut client = server.client();
    client.hello();
    client.envelope("a@from.example", &["a@example.test", "b@slow.test"]);
    client.command("RCPT TO:<c@example.test>").expect(452, "4.7.1 too many recipients: come back in 1800 s");
    client.data(&message(&Mark::new(), "hello\r\n")).expect_code(250);
    client.command("MAIL FROM:<b@from.example>").expect_code(250);
    client.command("RCPT TO:<d@slow.test>").expect(450, "4.7.1 too many recipients: come back in 3600 s");
    client.command("RSET").expect_code(250);
    client.command("MAIL FROM:<a@big.test> SIZE=9000").expect_code(250);
    client.command("RSET").expect_code(250);
    let large = message(&Mark::new(), &"x\r\n".repeat(1500));
    client.mail("a@big.test", &["e@example.test"], &large).expect_code(250);
    client.command("MAIL FROM:<b@big.test> SIZE=6000").expect(452, "4.7.1 too much mail: come back in ");
    let warned = server.event("plugin-log", |event| event["fields"][0][1] == "watched");
    assert!(warned["message"].as_str().is_some_and(|words| words.starts_with("it would refuse, for ")), "{warned}");
    let (second, third) = (server.client(), server.client());
    let mut fourth = Client::connect(server.address());
    fourth.reply().expect(421, "4.7.1 too many connections: come back in 28800 s");
    assert!(fourth.reply().is_end());
    drop((second, third));
    // Only what has work is called.
    let loaded = server.event("plugin-loaded", |_| true);
    assert_eq!(loaded["hooks"], "connect,mail,rcpt,data");
    assert_eq!(loaded["instances"], "restored");
}

#[test]
fn wrong_recipients_end_the_session_and_the_next() {
    let text = "[[plugin.config.limits]]\nname = \"wrong\"\nby = [\"network\"]\nmeasure = \"failed-recipients\"\nlimit = 3\nwindow = \"1d\"\n";
    let server = Mailwright::start(&setup(text).set("relay", "networks = []"));
    let mut client = server.client();
    client.hello();
    client.command("MAIL FROM:<a@from.example>").expect_code(250);
    for nth in 0..2 {
        client.command(&format!("RCPT TO:<{nth}@elsewhere.test>")).expect(550, "5.7.1");
    }
    client.command("RCPT TO:<b@example.test>").expect_code(250);
    client.command("RCPT TO:<c@elsewhere.test>").expect(550, "5.7.1");
    client.command("RCPT TO:<d@example.test>").expect(421, "4.7.1 too many wrong recipients: come back in 28800 s");
    assert!(client.reply().is_end());
    let mut next = Client::connect(server.address());
    next.reply().expect(421, "4.7.1 too many wrong recipients");
    assert_eq!(bucket(&server)[0]["limit"]["left"], 0);
}

#[test]
fn mail_goes_out_at_the_pace_of_its_next_hop() {
    let sink = Sink::start();
    let text = "[[plugin.config.limits]]\nname = \"pace\"\nat = \"out\"\nby = [\"site\"]\nmeasure = \"recipients\"\nlimit = 1\nwindow = \"1s\"\n";
    let server = Mailwright::start(&Setup::new().smarthost("*", sink.address()).table(&limits(text)));
    let began = Instant::now();
    let mut client = server.client();
    client.hello();
    let send = |_| client.mail("a@from.example", &["b@to.example"], &message(&Mark::new(), "hello\r\n")).queue_id();
    let ids: Vec<String> = (0..4).map(send).collect();
    for id in &ids {
        let _ = server.finished(id);
    }
    assert!(began.elapsed() >= Duration::from_secs(3), "{:?}", began.elapsed());
    let attempts = |event: &Value| event["attempt"].as_u64();
    assert!(server.events("deferred").len() >= 3, "all but the first waited for their turn");
    assert!(server.events("delivered").iter().all(|event| attempts(event) == Some(1)), "which is no failed attempt");
    assert_eq!(server.events("delivered").len(), 4);
}

#[test]
fn its_cases_and_its_page_are_sound() {
    assert!(cases("rate-limit").contains("4 of 4 cases"));
    page_is_sound("rate-limit.md", &[("/etc/mailwright/partners", "192.0.2.1\n")]);
}
