//! SIGHUP: a good file is in force for the next session, a bad one leaves everything as it was.

use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use rustix::process::Signal;

fn accepts(server: &Mailwright, recipient: &str) -> bool {
    let mut client = server.client();
    client.hello();
    client.command("MAIL FROM:<a@from.example>").expect_code(250);
    client.command(&format!("RCPT TO:<{recipient}>")).code == 250
}

#[test]
fn a_reload_changes_all_or_nothing() {
    let setup = Setup::new().set("relay", "networks = []").set("delivery", "paused = true");
    let server = Mailwright::start(&setup);
    assert!(accepts(&server, "b@example.test") && !accepts(&server, "b@second.test"));

    // A session that is open goes on through all of it.
    let mut open = server.client();
    open.hello();
    server.configure(&setup.clone().set("relay", "domains = [\"example.test\", \"second.test\"]"));
    server.signal(Signal::HUP);
    let _ = server.event("reloaded", |_| true);
    assert!(accepts(&server, "b@example.test") && accepts(&server, "b@second.test"));

    server.configure(&setup.clone().set("relay", "domanis = [\"third.test\"]"));
    server.signal(Signal::HUP);
    let refused = server.event("reload-refused", |_| true);
    assert!(refused["why"].as_str().is_some_and(|why| why.contains("domanis")), "{refused}");
    assert!(accepts(&server, "b@second.test") && !accepts(&server, "b@third.test"));
    open.mail("a@from.example", &["b@example.test"], b"Subject: x\r\n\r\nhello\r\n").expect_code(250);
}

#[test]
fn routes_and_pauses_change_for_what_is_queued() {
    let sink = mailwright_tests::sink::Sink::start();
    let setup = Setup::new().set("delivery", "paused = true").smarthost("*", sink.address());
    let server = Mailwright::start(&setup);
    let mut client = server.client();
    client.hello();
    let id = client.mail("a@from.example", &["b@to.example"], b"Subject: x\r\n\r\nhello\r\n").queue_id();
    assert_eq!(server.queue().len(), 1);
    server.configure(&setup.set("delivery", "paused = false"));
    server.signal(Signal::HUP);
    let _ = server.finished(&id);
    assert_eq!(sink.messages().len(), 1);
}

#[test]
fn what_is_read_at_the_start_alone_refuses_the_reload() {
    let setup = Setup::new().set("relay", "networks = []").set("delivery", "paused = true");
    let server = Mailwright::start(&setup);
    let changes = [("threads", "deliver = 3"), ("storage", "direct = false"), ("metrics", "bind = \"127.0.0.1:1\"")];
    for (section, line) in changes {
        server.configure(&setup.clone().set(section, line).set("relay", "domains = [\"second.test\"]"));
        server.signal(Signal::HUP);
        let named = |event: &serde_json::Value| event["why"].as_str().is_some_and(|why| why.contains(section));
        let refused = server.event("reload-refused", named);
        assert!(refused["why"].as_str().is_some_and(|why| why.ends_with("restart the server")), "{refused}");
        assert!(!accepts(&server, "b@second.test"), "nothing else of the file is in force ({section})");
    }
}
