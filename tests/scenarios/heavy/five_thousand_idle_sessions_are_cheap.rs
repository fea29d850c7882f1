//! Five thousand clients that say nothing: under 200 MiB in all, and real mail goes through as if they were not there.

use mailwright_tests::client::Client;
use mailwright_tests::mail::{Mark, message};
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::Sink;
use rustix::process::{Resource, getrlimit, setrlimit};
use std::time::{Duration, Instant};

const SESSIONS: usize = 5000;
const KIB_MAX: u64 = 200 * 1024;

#[test]
fn five_thousand_idle_sessions_are_cheap() {
    let wanted = u64::try_from(SESSIONS).expect("a small number") + 1000;
    // The program inherits what we may open.
    let mut limit = getrlimit(Resource::Nofile);
    assert!(limit.maximum.is_none_or(|maximum| maximum >= wanted), "ulimit -Hn must be at least {wanted}: {limit:?}");
    limit.current = limit.current.map(|current| current.max(wanted));
    setrlimit(Resource::Nofile, limit).expect("below the hard limit");

    let sink = Sink::start();
    let setup = Setup::new().smarthost("*", sink.address()).set("limits", "sessions_per_peer_max = 10000");
    let server = Mailwright::start(&setup.set("log", "level = \"info\""));
    let before = kib(server.pid());
    let mut idle: Vec<_> = (0..SESSIONS).map(|_| Client::connect(server.address())).collect();
    for client in &mut idle {
        client.reply().expect_code(220);
        client.hello();
    }
    let with = kib(server.pid());
    let each = (with - before) / u64::try_from(SESSIONS).expect("a small number");
    eprintln!("{SESSIONS} idle sessions: {before} KiB before, {with} KiB with them, {each} KiB each");
    assert!(with < KIB_MAX, "{with} KiB");
    assert!(each < 40, "{each} KiB each");

    let began = Instant::now();
    let mut client = server.client();
    client.hello();
    for _ in 0..200 {
        client.mail("a@from.example", &["b@to.example"], &message(&Mark::new(), "hello\r\n")).expect_code(250);
    }
    server.events_reach("delivered", 200);
    let took = began.elapsed();
    assert!(took < Duration::from_secs(20), "200 messages took {took:?}");
    // They are idle, not gone.
    idle[0].command("NOOP").expect_code(250);
    idle[SESSIONS - 1].command("NOOP").expect_code(250);
}

/// The process's own share of memory, in KiB.
pub(super) fn kib(pid: u32) -> u64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("our own child");
    let line = rollup.lines().find(|line| line.starts_with("Pss:")).expect("the kernel tells the share");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number of KiB")
}
