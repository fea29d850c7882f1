//! `mailwright queue list | show | retry | cancel` on the running server.

use mailwright_tests::mail::{Mark, message};
use mailwright_tests::peers::lossy;
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::{Script, Sink};

fn send(server: &Mailwright, to: &str) -> String {
    let mut client = server.client();
    client.hello();
    client.mail("a@from.example", &[to], &message(&Mark::new(), "hello\r\n")).queue_id()
}

#[test]
fn what_waits_is_listed_shown_and_cancelled() {
    let sink = Sink::start();
    let setup = Setup::new().smarthost("*", sink.address()).set("delivery", "paused = true");
    let mut server = Mailwright::start(&setup);
    let ids: Vec<_> = (0..3).map(|number| send(&server, &format!("r{number}@to.example"))).collect();
    let rows = server.queue();
    let listed: Vec<_> = rows.iter().map(|row| row["id"].as_str().expect("a row names its message")).collect();
    // An id begins with its millisecond; within one, the order is that of chance.
    let times = |ids: &[&str]| ids.iter().map(|id| id[..10].to_owned()).collect::<Vec<_>>();
    let mut sent: Vec<_> = ids.iter().map(String::as_str).collect();
    assert_eq!(times(&listed), times(&sent), "oldest first");
    sent.sort_unstable();
    assert_eq!(listed, sent);
    let first = rows.iter().find(|row| row["id"] == ids[0].as_str()).expect("it is listed").to_string();
    assert!(first.contains("r0@to.example") && first.contains("a@from.example"), "{first}");
    let plain = server.cli(&["queue", "list"]);
    assert!(plain.status.success());
    assert!(ids.iter().all(|id| lossy(&plain.stdout).contains(id)), "{}", lossy(&plain.stdout));

    let shown = server.cli(&["queue", "show", &ids[1]]);
    assert!(shown.status.success(), "{}", lossy(&shown.stderr));
    assert!(lossy(&shown.stdout).contains("r1@to.example"), "{}", lossy(&shown.stdout));

    let cancelled = server.cli(&["queue", "cancel", "--id", &ids[1]]);
    assert!(cancelled.status.success(), "{}", lossy(&cancelled.stderr));
    let left: Vec<_> = server.queue().iter().map(|row| row["id"].clone()).collect();
    assert_eq!(left, [ids[0].as_str(), ids[2].as_str()]);
    assert!(!server.cli(&["queue", "show", &ids[1]]).status.success());

    // What was cancelled stays so, and the rest goes out once.
    assert!(server.stop().success());
    server.restart(&["delivery.paused=false"]);
    server.events_reach("finished", 2);
    let got: Vec<_> = sink.messages().iter().flat_map(|message| message.recipients.clone()).collect();
    assert_eq!(got.len(), 2);
    assert!(!got.contains(&"r1@to.example".to_owned()), "{got:?}");
}

#[test]
fn what_waits_for_its_time_goes_now_when_asked() {
    let sink = Script::new().rcpt(|_, nth| if nth == 1 { "451 4.2.0 later".into() } else { "250 ok".into() }).start();
    let server = Mailwright::start(&Setup::new().smarthost("*", sink.address()).set("queue", "retry = [\"1h\"]"));
    let id = send(&server, "b@to.example");
    let _ = server.event("deferred", |event| event["id"] == id.as_str());
    let shown = server.cli(&["queue", "show", &id]);
    assert!(lossy(&shown.stdout).contains("451 4.2.0 later"), "the last answer is shown: {}", lossy(&shown.stdout));
    let retried = server.cli(&["queue", "retry", "--id", &id]);
    assert!(retried.status.success(), "{}", lossy(&retried.stderr));
    let _ = server.finished(&id);
    assert_eq!(sink.messages().len(), 1);
}

#[test]
fn without_a_server_the_command_says_so() {
    let server = Mailwright::prepare(&Setup::new());
    let listed = server.cli(&["queue", "list"]);
    assert!(!listed.status.success());
    assert!(!lossy(&listed.stderr).is_empty());
}
