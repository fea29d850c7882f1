//! Metrics: what was sent is what was counted, over HTTP and on the command line, and plugins count too.

use mailwright_tests::guest;
use mailwright_tests::mail::{Mark, message};
use mailwright_tests::metrics::Metrics;
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::Sink;
use std::net::SocketAddr;

/// Counts recipients under "seen", with their local part as the label "who", and refuses none.
fn counting(server: &Mailwright) -> String {
    // The label's name and value lie behind one another at 4096: "who", and what the hook is told.
    let body = "(i32.store (i32.const 4096) (i32.const 20)) (i32.store (i32.const 4100) (i32.const 3))
        (i32.store (i32.const 4104) (local.get 5)) (i32.store (i32.const 4108) (local.get 6))
        (call $add (i32.const 16) (i32.const 4) (i32.const 4096) (i32.const 1) (i64.const 1))";
    let import = ("metrics", "add", "(param i32 i32 i32 i32 i64)");
    let source = guest::plugin(server.dir(), &[import], "seenwho", &[("on-rcpt", body)]);
    format!("[[plugin]]\nname = \"count\"\nsource = \"{}\"\nallow = [\"metrics\"]\ntrace = true\n", source.display())
}

#[test]
fn what_happens_is_counted_and_read_by_http_and_by_the_command() {
    let sink = Sink::start();
    let setup = Setup::new().smarthost("*", sink.address()).set("metrics", "bind = \"127.0.0.1:0\"").hello("X-Hello");
    let prepared = Mailwright::prepare(&setup);
    let plugin = counting(&prepared);
    prepared.configure(&setup.table(&plugin));
    let server = prepared.begin(&[]);
    let scraped = || {
        let listening = server.event("listening", |event| event["listener"] == "metrics");
        let at: SocketAddr = listening["address"].as_str().and_then(|at| at.parse().ok()).expect("an address");
        Metrics::scrape(at)
    };
    let before = scraped();
    assert_eq!(before.get("mailwright_messages_total{outcome=\"accepted\"}"), 0.0);

    let mut client = server.client();
    client.hello();
    let mut length = 0;
    for _ in 0..3 {
        let message = message(&Mark::new(), "hello\r\n");
        length += message.len();
        let id = client.mail("a@from.example", &["ann@to.example"], &message).queue_id();
        let _ = server.finished(&id);
    }
    client.command("MAIL FROM:<a@from.example>").expect_code(250);
    client.command("RCPT TO:<\"b\\\"c\"@to.example>").expect_code(250);
    client.command("QUIT").expect_code(221);
    let _ = server.event("session-closed", |_| true);

    for metrics in [scraped(), Metrics::of(&server)] {
        let count = |series: &str| metrics.get(series) as u64;
        assert_eq!(count("mailwright_messages_total{outcome=\"accepted\"}"), 3);
        assert_eq!(count("mailwright_recipients_total{outcome=\"delivered\"}"), 3);
        assert_eq!(count("mailwright_events_total{event=\"finished\"}"), 3);
        assert!(count("mailwright_accepted_bytes_total") >= length as u64);
        assert_eq!(count("mailwright_attempt_seconds_count"), 3);
        assert_eq!((count("mailwright_queue_messages"), count("mailwright_sessions_open")), (0, 0));
        let calls = |plugin: &str, hook: &str| {
            count(&format!(
                "mailwright_plugins_calls_total{{plugin=\"{plugin}\",hook=\"{hook}\",tenant=\"\",verdict=\"next\"}}"
            ))
        };
        assert_eq!((calls("hello", "connect"), calls("hello", "rcpt"), calls("hello", "data")), (1, 4, 3));
        assert_eq!(calls("count", "rcpt"), 4);
        assert_eq!(count("mailwright_plugins_call_seconds_count{plugin=\"count\",hook=\"rcpt\"}"), 4);
        assert_eq!(count("mailwright_plugins_generation"), 1);
        assert!(metrics.get("mailwright_plugins_compile_seconds{plugin=\"hello\"}") > 0.0);
        let seen = |who: &str| count(&format!("mailwright_plugin_count_seen_total{{plugin=\"count\",who=\"{who}\"}}"));
        assert_eq!((seen("ann"), seen("b\\\"c")), (3, 1), "what a client writes ends no label");
    }
    let traced = server.events("plugin-called");
    assert_eq!(traced.len(), 4, "of the plugin that is traced alone");
    assert_eq!((&traced[0]["hook"], &traced[0]["verdict"]), (&"rcpt".into(), &"next".into()));
}

#[test]
fn without_a_port_the_command_still_tells() {
    let server = Mailwright::start(&Setup::new());
    assert!(Metrics::of(&server).has("mailwright_build{version=\"0.1.0\"}"));
    assert!(server.events("listening").iter().all(|event| event["listener"] != "metrics"));
}
