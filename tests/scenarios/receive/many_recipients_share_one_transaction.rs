//! One message for a hundred recipients with the same next hop travels once, and a connection serves many messages.

use mailwright_tests::mail::{Mark, message};
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::{Script, Sink};

/// One message for all of them, through a server that is still there afterwards; each got it, and got it once.
fn relayed_to_each_once(sink: &Sink, mut recipients: Vec<String>) -> Mailwright {
    let server = Mailwright::start(&Setup::new().smarthost("*", sink.address()));
    let to: Vec<&str> = recipients.iter().map(String::as_str).collect();
    let mut client = server.client();
    client.hello();
    let id = client.mail("a@from.example", &to, &message(&Mark::new(), "hello\r\n")).queue_id();
    let _ = server.finished(&id);
    let mut arrived: Vec<_> = sink.messages().iter().flat_map(|message| message.recipients.clone()).collect();
    arrived.sort();
    recipients.sort();
    assert_eq!(arrived, recipients);
    server
}

#[test]
fn many_recipients_share_one_transaction() {
    let sink = Sink::start();
    let recipients: Vec<_> = (0..100).map(|number| format!("r{number}@to{}.example", number % 3)).collect();
    let _server = relayed_to_each_once(&sink, recipients);
    // RFC 5321 4.5.4.1: one copy for all recipients at the same host.
    assert_eq!(sink.messages().len(), 1);
}

#[test]
fn a_next_hop_that_takes_two_at_a_time_gets_two_rfc9422_3() {
    let sink = Script::new().offer("LIMITS RCPTMAX=2").start();
    let server = Mailwright::start(&Setup::new().smarthost("*", sink.address()));
    let mut client = server.client();
    client.hello();
    let to = ["a@to.example", "b@to.example", "c@to.example", "d@to.example", "e@to.example"];
    let id = client.mail("a@from.example", &to, &message(&Mark::new(), "hello\r\n")).queue_id();
    let _ = server.finished(&id);
    let got = sink.messages();
    assert!(got.iter().all(|message| message.rcpt.len() <= 2), "{got:?}");
    assert_eq!(got.iter().map(|message| message.recipients.len()).sum::<usize>(), 5);
}

#[test]
fn a_next_hop_that_says_too_many_gets_the_rest_at_once_rfc5321_4_5_3_1_10() {
    let sink = Script::new().room(40).start();
    let recipients = (0..100).map(|number| format!("r{number}@to.example")).collect();
    let server = relayed_to_each_once(&sink, recipients);
    let sent = (sink.messages().len(), sink.connections());
    assert_eq!(sent, (3, 1), "40, 40 and 20 by one connection");
    assert_eq!(server.events("deferred"), Vec::<serde_json::Value>::new());
}

#[test]
fn a_connection_serves_many_messages() {
    const COUNT: usize = 200;
    let sink = Sink::start();
    let setup = Setup::new().smarthost("*", sink.address()).set("delivery", "attempts_per_destination_max = 2");
    let mut server = Mailwright::prepare(&setup).begin(&["delivery.paused=true"]);
    let mut client = server.client();
    client.hello();
    for _ in 0..COUNT {
        client.mail("a@from.example", &["b@to.example"], &message(&Mark::new(), "hello\r\n")).expect_code(250);
    }
    assert!(server.stop().success());
    server.restart(&["delivery.paused=false"]);
    server.events_reach("finished", COUNT);
    assert_eq!(sink.messages().len(), COUNT);
    assert!(sink.connections() <= 10, "{} connections for {COUNT} messages", sink.connections());
}
