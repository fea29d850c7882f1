//! SIGTERM: no new mail, running transactions end, and what is queued is there at the next start.

use mailwright_tests::Watched;
use mailwright_tests::client::Client;
use mailwright_tests::mail::{Mark, message};
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::{Script, Sink};
use rustix::process::Signal;
use std::sync::Arc;

#[test]
fn a_message_on_its_way_in_is_taken_before_the_end() {
    let sink = Sink::start();
    let setup = Setup::new().smarthost("*", sink.address());
    let mut server = Mailwright::prepare(&setup).begin(&["delivery.paused=true"]);
    let mark = Mark::new();
    let mut sending = server.client();
    sending.hello();
    sending.envelope("a@from.example", &["b@to.example"]).command("DATA").expect_code(354);
    let octets = message(&mark, "first half\r\n");
    sending.send(&octets);
    let mut idle = server.client();
    idle.hello();

    server.signal(Signal::TERM);
    let _ = server.event("draining", |_| true);
    // An idle session is told (RFC 5321 3.8), and nobody new is let in.
    idle.reply().expect_code(421);
    let refused = std::net::TcpStream::connect(server.address()).map(|_| Client::connect(server.address()).reply());
    assert!(refused.is_err() || refused.is_ok_and(|reply| matches!(reply.code, 0 | 421)));
    let reply = sending.send(b"second half\r\n.\r\n").reply();
    reply.expect_code(250);
    assert!(server.end().success());

    server.restart(&["delivery.paused=false"]);
    let got = sink.message("what was taken last", |message| mark.is_in(&message.octets));
    assert!(got.text().contains("second half"));
    let _ = server.finished(&reply.queue_id());
    assert_eq!(sink.messages().len(), 1);
}

#[test]
fn an_attempt_on_its_way_out_ends_before_the_end() {
    let gate: Arc<Watched<bool>> = Arc::default();
    let reached: Arc<Watched<usize>> = Arc::default();
    let (held, told) = (Arc::clone(&gate), Arc::clone(&reached));
    let sink = Script::new().content(move |_| {
        told.change(|count| *count += 1);
        held.wait(mailwright_tests::PATIENCE, |open| open.then_some(()));
        "250 2.0.0 kept".to_owned()
    });
    let sink = sink.start();
    let mut server = Mailwright::start(&Setup::new().smarthost("*", sink.address()));
    let mut client = server.client();
    client.hello();
    client.mail("a@from.example", &["b@to.example"], &message(&Mark::new(), "hello\r\n")).expect_code(250);
    client.command("QUIT").expect_code(221);
    let arrived = reached.wait(mailwright_tests::PATIENCE, |count| (*count == 1).then_some(()));
    assert!(arrived.is_some(), "the attempt reaches the sink");
    server.signal(Signal::TERM);
    let _ = server.event("draining", |_| true);
    gate.change(|open| *open = true);
    assert!(server.end().success());
    server.restart(&[]);
    assert!(server.queue().is_empty(), "the remote's 250 was recorded before the end");
    assert_eq!(sink.messages().len(), 1);
}
