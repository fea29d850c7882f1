//! A plugin does the worst it can, in one way after the other: each time the recipient gets the configured answer, the log
//! names the fault, and right after it mail is relayed as before.

use mailwright_tests::client::Reply;
use mailwright_tests::guest::{self, Import};
use mailwright_tests::peers::smtp_source;
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::Sink;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

/// Messages that are relayed after each fault, over five sessions.
const COUNT: usize = 200;
/// They take a fraction of a second; a server that a guest holds up takes longer than this on any machine.
const RELAY_LIMIT: Duration = Duration::from_secs(20);

const IMPORTS: [Import; 3] = [
    ("clock", "now-ms", "(result i64)"),
    ("log", "write", "(param i32 i32 i32 i32 i32)"),
    ("dns", "a", "(param i32 i32 i32)"),
];

/// The name behind which nobody answers, at 16.
const NAME: &str = "silent.example";

/// The first letter of the recipient says what the guest does, and the log will say this kind of fault.
const EVIL: [(char, &str, &str); 10] = [
    // An endless loop.
    ('l', "cpu", "(loop $again (br $again))"),
    // All the memory there is.
    ('m', "memory", "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable"),
    // Recursion without an end.
    ('d', "trap", "(drop (call $deep (i64.const 0)))"),
    // A trap.
    ('t', "trap", "unreachable"),
    // An answer whose text is as long as all the memory there can be.
    (
        'r',
        "trap",
        "(i32.store8 (i32.const 1028) (i32.const 3)) (i32.store16 (i32.const 1032) (i32.const 550))
         (i32.store (i32.const 1044) (i32.const 16)) (i32.store (i32.const 1048) (i32.const -1))
         (i32.const 1024) return",
    ),
    // A text for the log as long, and as many fields.
    ('s', "trap", "(call $write (i32.const 2) (i32.const 16) (i32.const -1) (i32.const 0) (i32.const 0))"),
    ('p', "trap", "(call $write (i32.const 2) (i32.const 16) (i32.const 5) (i32.const 0) (i32.const -1))"),
    // Calls without an end, and lines.
    ('f', "cpu", "(loop $again (drop (call $now-ms)) (br $again))"),
    (
        'g',
        "cpu",
        "(loop $again (call $write (i32.const 0) (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 0)) (br $again))",
    ),
    // Names that nobody answers for, again and again.
    ('w', "wall", "(loop $again (call $a (i32.const 16) (i32.const 14) (i32.const 2048)) (br $again))"),
];

fn server(setup: &Setup) -> Mailwright {
    let server = Mailwright::prepare(setup);
    let branches = EVIL.map(|(letter, _, body)| {
        format!("(if (i32.eq (i32.load8_u (local.get 5)) (i32.const {})) (then {body}))", u32::from(letter))
    });
    let source = guest::plugin(server.dir(), &IMPORTS, NAME, &[("on-rcpt", &branches.concat())]);
    let plugin = format!(
        "[[plugin]]\nname = \"evil\"\nsource = \"{}\"\nallow = [\"clock\", \"log\", \"dns\"]\n\
         budget = {{ wall = \"500ms\", log_lines_per_second_max = 10 }}",
        source.display()
    );
    server.configure(&setup.clone().table(&plugin));
    server.begin(&[])
}

fn rcpt(server: &Mailwright, letter: char) -> Reply {
    let mut client = server.client();
    client.hello();
    client.command("MAIL FROM:<a@from.example>").expect_code(250);
    client.command(&format!("RCPT TO:<{letter}@example.test>"))
}

#[test]
fn hostile_guests_leave_the_server_whole() {
    let sink = Sink::start();
    // It takes questions and never answers.
    let silent = UdpSocket::bind("127.0.0.1:0").expect("loopback has ports");
    let setup = Setup::new().smarthost("*", sink.address());
    let server = server(&setup.dns(silent.local_addr().expect("it is bound"), 25));
    for (nth, (letter, kind, _)) in EVIL.into_iter().enumerate() {
        let reply = rcpt(&server, letter);
        assert!(reply.code == 451 && reply.text().contains("4.3.0"), "{letter}: {reply:?}");
        server.events_reach("plugin-fault", nth + 1);
        let fault = &server.events("plugin-fault")[nth];
        assert_eq!((&fault["plugin"], &fault["hook"], &fault["kind"]), (&"evil".into(), &"rcpt".into(), &kind.into()));
        // It is asked about each of these recipients too, and says nothing against them.
        let began = Instant::now();
        smtp_source(server.address(), 5, COUNT, 1024);
        server.events_reach("delivered", (nth + 1) * COUNT);
        let took = began.elapsed();
        eprintln!("after {letter} ({kind}): {COUNT} messages in {took:?}");
        assert!(took < RELAY_LIMIT, "{letter}: {COUNT} messages took {took:?}");
    }
    let lines = server.events("plugin-log").len();
    assert!((1..=20).contains(&lines), "{lines} lines of a flood");
    assert!(server.queue().is_empty());
}
