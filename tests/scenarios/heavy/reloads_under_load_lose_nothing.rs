//! Plugins are reloaded twenty times while mail passes: no session is dropped, no message lost or repeated, and each is
//! decided by one generation alone.

use mailwright_tests::peers::{SmtpSink, lossy, smtp_source, wait_until};
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use std::collections::{BTreeMap, BTreeSet};
use std::thread;

const COUNT: usize = 10_000;
const RELOADS: usize = 20;

/// Stamps with the generation's own field.
fn stamping(setup: &Setup, generation: usize) -> Setup {
    setup.clone().hello(&format!("X-Generation-{generation}"))
}

#[test]
fn reloads_under_load_lose_nothing() {
    let sink = SmtpSink::start();
    let setup = Setup::new().smarthost("*", sink.address());
    let server = Mailwright::start(&stamping(&setup, 0));
    thread::scope(|scope| {
        // It fails when a session is dropped or a message refused.
        scope.spawn(|| smtp_source(server.address(), 10, COUNT, 1024));
        for reload in 1..=RELOADS {
            server.events_reach("accepted", reload * COUNT / (RELOADS + 1));
            server.configure(&stamping(&setup, reload));
            let done = server.cli(&["plugin", "reload"]);
            assert!(done.status.success(), "{}", lossy(&done.stderr));
        }
    });
    server.events_reach("finished", COUNT);
    wait_until("every message in a file of its own", || sink.messages().len() >= COUNT);
    let messages: Vec<String> = sink.messages().iter().map(|octets| lossy(octets)).collect();
    let mut ids = BTreeSet::new();
    let mut by_generation: BTreeMap<&str, usize> = BTreeMap::new();
    for message in &messages {
        let fields = |start: &'static str| message.lines().filter(move |line| line.starts_with(start));
        ids.extend(fields("Message-ID:").chain(fields("Message-Id:")).take(1));
        let stamps: Vec<&str> = fields("X-Generation-").collect();
        let [stamp] = stamps[..] else { panic!("not one generation: {stamps:?}") };
        *by_generation.entry(stamp.split(':').next().unwrap_or_default()).or_default() += 1;
    }
    assert_eq!((messages.len(), ids.len()), (COUNT, COUNT));
    assert_eq!(server.events("plugins-reloaded").len(), RELOADS);
    assert_eq!(server.events("plugin-fault").len(), 0);
    assert!(by_generation.len() > RELOADS / 2, "the reloads fell into the load: {by_generation:?}");
    assert!(server.queue().is_empty());
}
