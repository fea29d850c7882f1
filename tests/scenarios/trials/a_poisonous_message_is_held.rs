//! A message at which a plugin fails before each attempt is held for the operator, also over a restart, and goes out once
//! the plugin is mended.

use mailwright_tests::guest;
use mailwright_tests::peers::lossy;
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::Sink;

#[test]
fn a_poisonous_message_is_held() {
    let sink = Sink::start();
    let setup = Setup::new().smarthost("*", sink.address());
    let mut server = Mailwright::prepare(&setup);
    let source = guest::plugin(server.dir(), &[], "", &[("on-pre-send", "unreachable")]);
    let plugin = format!("[[plugin]]\nname = \"filter\"\nsource = \"{}\"", source.display());
    server.configure(&setup.clone().table(&plugin));
    server.restart(&[]);
    let id = {
        let mut client = server.client();
        client.hello();
        client.mail("a@from.example", &["b@to.example"], b"Subject: x\r\n\r\nhello\r\n").queue_id()
    };
    let deferred = server.event("deferred", |event| event["id"] == id.as_str());
    let reply = "451 4.3.0 Policy can't decide now (filter: trap, 1 in a row), try again later";
    assert_eq!(deferred["reply"], reply);
    assert!(server.stop().success());
    server.restart(&[]);
    let held = server.event("held", |event| event["id"] == id.as_str());
    let poison = server.event("plugin-poison", |_| true);
    assert_eq!((&poison["faults"], &poison["hook"], &poison["held"]), (&3.into(), &"pre-send".into(), &true.into()));
    assert_eq!(server.events("plugin-fault").len(), 2, "one before the restart, two after it");
    let reason = held["reason"].as_str().expect("a text");
    assert!(reason.starts_with("plugin filter failed at pre-send 3 times in a row (trap: "), "{reason}");
    assert_eq!(server.queue()[0]["recipients"][0]["held_for"], reason);

    server.configure(&setup);
    assert!(server.cli(&["plugin", "reload"]).status.success());
    let released = server.cli(&["queue", "retry", "--held"]);
    assert_eq!(lossy(&released.stdout).trim_end(), "1 message due now");
    let _ = server.finished(&id);
    assert_eq!(sink.messages().len(), 1);
}
