//! Many large messages at once: they go to the disk as they arrive, and memory stays what it is allowed to be.

use mailwright_tests::mail::{Mark, body, message};
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::Sink;

const SESSIONS: usize = 20;
const LINES: usize = 20_000;
/// What all sessions may keep in memory, and what the program needs besides.
const KIB_MAX: u64 = (32 + 160) * 1024;

#[test]
fn large_messages_lie_on_the_disk() {
    let sink = Sink::start();
    let setup = Setup::new().smarthost("*", sink.address()).set("limits", "content_memory_bytes_max = \"32MiB\"");
    let server = Mailwright::start(&setup.set("delivery", "attempts_max = 2"));
    let line = "0123456789abcdef".repeat(62) + "\r\n";
    let half = line.repeat(LINES / 2);
    let marks: Vec<_> = (0..SESSIONS).map(|_| Mark::new()).collect();
    let mut clients = Vec::new();
    for mark in &marks {
        let mut client = server.client();
        client.hello();
        client.envelope("a@from.example", &["b@to.example"]).command("DATA").expect_code(354);
        client.send(&message(mark, &half));
        clients.push(client);
    }
    // Each has sent ten megabytes, and none has ended.
    let kib = super::five_thousand_idle_sessions_are_cheap::kib(server.pid());
    eprintln!("{SESSIONS} messages of {} KiB under way: {kib} KiB", half.len() / 1024);
    assert!(kib < KIB_MAX, "{kib} KiB");
    let mut ids = Vec::new();
    for mut client in clients {
        ids.push(client.send(half.as_bytes()).send(b".\r\n").reply().expect_code(250).queue_id());
    }
    for id in &ids {
        let _ = server.finished(id);
    }
    for mark in &marks {
        let got =
            sink.message("a large message", |message| mark.is_in(&message.octets[..4096.min(message.octets.len())]));
        assert_eq!(body(&got.octets).len(), 2 * half.len());
    }
}
