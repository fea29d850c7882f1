//! A server that never answers keeps its own mail waiting, not that of others.

use mailwright_tests::Watched;
use mailwright_tests::mail::{Mark, message};
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::{Script, Sink};
use std::sync::Arc;

#[test]
fn a_slow_destination_holds_nobody_else() {
    const COUNT: usize = 30;
    let gate: Arc<Watched<bool>> = Arc::default();
    let held = Arc::clone(&gate);
    let slow = Script::new().content(move |_| {
        held.wait(mailwright_tests::PATIENCE, |open| open.then_some(()));
        "250 2.0.0 at last".to_owned()
    });
    let (slow, fast) = (slow.start(), Sink::start());
    let setup = Setup::new().smarthost("slow.example", slow.address()).smarthost("*", fast.address());
    let server = Mailwright::start(&setup.set("delivery", "attempts_per_destination_max = 4"));
    let mut client = server.client();
    client.hello();
    for domain in ["slow.example", "fast.example"] {
        for number in 0..COUNT {
            let to = format!("r{number}@{domain}");
            client.mail("a@from.example", &[&to], &message(&Mark::new(), "hello\r\n")).expect_code(250);
        }
    }
    fast.wait("all of the fast one's mail", |messages| (messages.len() == COUNT).then_some(()));
    assert_eq!(slow.messages().len(), 0);
    // No more connections than the limit allows.
    slow.open_connections(4);
    assert_eq!(slow.connections(), 4);
    gate.change(|open| *open = true);
    slow.wait("all of the slow one's mail", |messages| (messages.len() == COUNT).then_some(()));
    server.events_reach("finished", 2 * COUNT);
}
