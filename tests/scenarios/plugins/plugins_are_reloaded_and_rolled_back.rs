//! `mailwright plugin list | reload | rollback` on the running server.

use mailwright_tests::guest;
use mailwright_tests::peers::lossy;
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::Sink;
use serde_json::Value;
use std::process::Output;

fn serving(server: &Mailwright) -> Value {
    let listed = server.cli(&["plugin", "list", "--json"]);
    assert!(listed.status.success(), "{}", lossy(&listed.stderr));
    serde_json::from_slice(&listed.stdout).expect("one JSON object")
}

fn said(done: &Output) -> String {
    assert!(done.status.success(), "{}", lossy(&done.stderr));
    lossy(&done.stdout)
}

/// The header that the next message gets.
fn header(server: &Mailwright, sink: &Sink, nth: usize) -> String {
    let mut client = server.client();
    client.hello();
    client.mail("a@from.example", &["b@to.example"], b"Subject: x\r\n\r\nhello\r\n").expect_code(250);
    server.events_reach("finished", nth);
    let text = sink.messages().last().expect("it came").text();
    text.lines()
        .find(|line| line.starts_with("X-"))
        .unwrap_or_default()
        .split(':')
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn plugins_are_reloaded_and_rolled_back() {
    let sink = Sink::start();
    let setup = Setup::new().smarthost("*", sink.address());
    let server = Mailwright::start(&setup.clone().hello("X-One"));
    let first = serving(&server);
    assert_eq!((&first["generation"], &first["previous"]), (&1.into(), &Value::Null));
    let plugin = &first["plugins"][0];
    assert_eq!((&plugin["name"], &plugin["source"]), (&"hello".into(), &"builtin:hello".into()));
    assert_eq!(plugin["sha256"], server.events("plugin-loaded")[0]["sha256"]);
    assert!(
        plugin["hooks"].as_array().is_some_and(|hooks| hooks.iter().any(|hook| hook["hook"] == "data")),
        "{plugin}"
    );
    assert_eq!(header(&server, &sink, 1), "X-One");
    let alone = server.cli(&["plugin", "rollback"]);
    assert_eq!(alone.status.code(), Some(1));
    assert!(lossy(&alone.stderr).contains("there is no generation before this one"), "{}", lossy(&alone.stderr));

    // Only the plugins are taken from the file.
    server.configure(&setup.clone().set("relay", "networks = []").hello("X-Two"));
    let text = said(&server.cli(&["plugin", "reload"]));
    assert!(text.starts_with("generation 2, and 1 kept for a rollback\nhello  builtin:hello\n"), "{text}");
    assert_eq!(server.event("plugins-reloaded", |_| true)["plugins"], 1);
    assert_eq!(header(&server, &sink, 2), "X-Two");

    server.configure(&setup.clone().hello("X Three"));
    let refused = server.cli(&["plugin", "reload"]);
    let words = lossy(&refused.stderr);
    assert_eq!((refused.status.code(), words.contains("\"X Three\" is no field name")), (Some(1), true), "{words}");
    let _ = server.event("plugins-reload-refused", |event| event["why"] == words.trim_end());
    assert_eq!((header(&server, &sink, 3), &serving(&server)["generation"]), ("X-Two".to_owned(), &2.into()));

    assert!(said(&server.cli(&["plugin", "rollback"])).starts_with("generation 1, and 2 kept"));
    let _ = server.event("plugins-rolled-back", |event| event["generation"] == 1 && event["from"] == 2);
    assert_eq!(header(&server, &sink, 4), "X-One");
}

#[test]
fn without_a_server_the_command_says_so() {
    let listed = Mailwright::prepare(&Setup::new()).cli(&["plugin", "list"]);
    assert_eq!(listed.status.code(), Some(1));
    assert!(lossy(&listed.stderr).contains("is `mailwright serve` running"), "{}", lossy(&listed.stderr));
}

#[test]
fn a_watched_file_is_reloaded_when_it_changes() {
    let server = Mailwright::prepare(&Setup::new());
    let refuses = |code: u16| {
        format!("(i32.store8 (i32.const 1028) (i32.const 3)) (i32.store16 (i32.const 1032) (i32.const {code}))")
    };
    let source = guest::plugin(server.dir(), &[], "", &[("on-rcpt", &refuses(550))]);
    let plugin = format!("[[plugin]]\nname = \"p\"\nsource = \"{}\"\nwatch = true", source.display());
    server.configure(&Setup::new().table(&plugin));
    let server = server.begin(&[]);
    let rcpt = || {
        let mut client = server.client();
        client.hello();
        client.command("MAIL FROM:<a@from.example>").expect_code(250);
        client.command("RCPT TO:<b@to.example>")
    };
    rcpt().expect_code(550);
    let _ = guest::plugin(server.dir(), &[], "", &[("on-rcpt", &refuses(553))]);
    let _ = server.event("plugins-reloaded", |_| true);
    rcpt().expect_code(553);
    // What can't be loaded is told, and the one before serves on.
    std::fs::write(&source, "no component").expect("our own file");
    let _ = server.event("plugins-reload-refused", |_| true);
    rcpt().expect_code(553);
}
