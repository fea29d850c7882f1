//! SIGKILL at random moments under load, fifty times: what was acknowledged arrives; what arrives twice was in flight.

use mailwright_tests::Watched;
use mailwright_tests::client::Client;
use mailwright_tests::mail::{Mark, message};
use mailwright_tests::peers::wait_until;
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::Sink;
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const ROUNDS: usize = 50;
const SENDERS: usize = 8;
/// Deliveries under way at once: the most that can arrive again after one kill.
const ATTEMPTS: usize = 8;
/// Which moments are taken: the same in every run.
const SEED: u64 = 0x6d61_696c;

/// What the senders know: where to send, and what was acknowledged.
#[derive(Default)]
struct Load {
    server: Option<SocketAddr>,
    acknowledged: Vec<Mark>,
    over: bool,
}

#[test]
fn kill_nine_loses_nothing() {
    let sink = Sink::start();
    let setup = Setup::new()
        .smarthost("*", sink.address())
        .set("delivery", &format!("attempts_max = {ATTEMPTS}"))
        .set("log", "level = \"info\"");
    let mut server = Mailwright::start(&setup);
    let load: Arc<Watched<Load>> = Arc::default();
    let senders: Vec<_> = (0..SENDERS)
        .map(|_| {
            std::thread::spawn({
                let load = Arc::clone(&load);
                move || send(&load)
            })
        })
        .collect();
    let (mut dice, mut recorded) = (SEED, Vec::new());
    for round in 0..ROUNDS {
        let before = load.change(|load| {
            load.server = Some(server.address());
            load.acknowledged.len()
        });
        // The moment: so many acknowledged messages, so that each round has some, and some microseconds after them.
        let (more, after) = (1 + roll(&mut dice) % 60, Duration::from_micros(roll(&mut dice) as u64 % 3000));
        let reached = |load: &mut Load| (load.acknowledged.len() >= before + more).then_some(());
        assert!(load.wait(mailwright_tests::PATIENCE, reached).is_some(), "round {round}: no progress");
        let _ = load.wait(after, |_| None::<()>);
        load.change(|load| load.server = None);
        server.kill();
        recorded.extend(delivered(&server));
        server.restart(&[]);
        let opened = server.events("spool-opened").pop().expect("the spool tells that it is open");
        assert_eq!(opened["damaged"], 0, "round {round}: {opened}");
    }
    load.change(|load| load.over = true);
    senders.into_iter().for_each(|sender| sender.join().expect("a sender ends well"));
    let acknowledged = load.change(|load| std::mem::take(&mut load.acknowledged));

    let counts = arrived(&sink, &acknowledged);
    let twice: usize = counts.values().map(|count| count - 1).sum();
    eprintln!("{} acknowledged, {} arrived, {twice} again, in {ROUNDS} rounds", acknowledged.len(), counts.len());
    assert!(twice <= ROUNDS * ATTEMPTS, "{twice} arrived again");
    wait_until("an empty queue", || server.queue().is_empty());
    // What arrived again was not yet recorded: no message is recorded twice.
    recorded.extend(delivered(&server));
    let once: HashSet<_> = recorded.iter().collect();
    assert_eq!(once.len(), recorded.len(), "a message was delivered after its delivery had been recorded");
    assert!(server.stop().success());
    // Everything has ended: what is left is less than the journal that held it.
    let kept = bytes_below(&server.data_dir());
    assert!(kept < 256 << 20, "{kept} bytes are kept for an empty queue");
}

/// The ids of messages whose delivery the log of this start tells.
fn delivered(server: &Mailwright) -> Vec<String> {
    let events = server.events("delivered");
    events.iter().map(|event| event["id"].as_str().expect("an event names its message").to_owned()).collect()
}

/// How many times each message came; every acknowledged one did.
fn arrived(sink: &Sink, acknowledged: &[Mark]) -> HashMap<Mark, usize> {
    let mut counts: HashMap<Mark, usize> = HashMap::new();
    let mut seen = 0;
    sink.wait("every acknowledged message", |messages| {
        for message in &messages[seen..] {
            *counts.entry(Mark::of(&message.octets).expect("all are marked")).or_default() += 1;
        }
        seen = messages.len();
        acknowledged.iter().all(|mark| counts.contains_key(mark)).then_some(())
    });
    counts
}

/// Sends one message after the other, to whichever server is up, until it is over.
fn send(load: &Watched<Load>) {
    loop {
        let next = load.wait(mailwright_tests::PATIENCE, |load| match load.server {
            _ if load.over => Some(None),
            Some(server) => Some(Some(server)),
            None => None,
        });
        let Some(Some(server)) = next else { return };
        // A refused connection is a server that was just killed.
        let Ok(mut client) = Client::try_connect(server) else { continue };
        if client.reply().code != 220 || client.command("EHLO client.example").code != 250 {
            continue;
        }
        while load.look(|load| load.server == Some(server) && !load.over) {
            let mark = Mark::new();
            client.send(b"MAIL FROM:<a@from.example>\r\nRCPT TO:<b@to.example>\r\nDATA\r\n");
            let codes = [client.reply().code, client.reply().code, client.reply().code];
            if codes != [250, 250, 354] {
                break;
            }
            client.send(&message(&mark, "hello\r\n.\r\n"));
            if client.reply().code != 250 {
                break;
            }
            load.change(|load| load.acknowledged.push(mark));
        }
    }
}

/// SplitMix64.
fn roll(state: &mut u64) -> usize {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((mixed ^ (mixed >> 31)) >> 1).unwrap_or(usize::MAX)
}

fn bytes_below(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let sizes = entries.filter_map(Result::ok).map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => bytes_below(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    });
    sizes.sum()
}
