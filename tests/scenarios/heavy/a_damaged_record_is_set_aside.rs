//! The disk has changed some octets of one message: it is set aside and reported, and the rest is served.

use mailwright_tests::mail::{Mark, message};
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::Sink;
use std::path::{Path, PathBuf};

#[test]
fn a_damaged_record_is_set_aside() {
    const COUNT: usize = 20;
    let sink = Sink::start();
    let setup = Setup::new().smarthost("*", sink.address());
    let mut server = Mailwright::prepare(&setup).begin(&["delivery.paused=true"]);
    let marks: Vec<_> = (0..COUNT).map(|_| Mark::new()).collect();
    let mut client = server.client();
    client.hello();
    let mut ids = Vec::new();
    for mark in &marks {
        ids.push(client.mail("a@from.example", &["b@to.example"], &message(mark, "hello\r\n")).queue_id());
    }
    server.kill();
    let damaged = COUNT / 2;
    let files = damage(&server.data_dir(), marks[damaged].to_string().as_bytes());
    assert!(!files.is_empty(), "the content lies on the disk");

    server.restart(&["delivery.paused=false"]);
    let event = server.event("record-damaged", |_| true);
    assert_eq!(event["id"], ids[damaged].as_str(), "its name could still be read: {event}");
    let kept = event["kept_in"].as_str().expect("it is kept somewhere");
    assert!(!kept.is_empty(), "{event}");
    server.events_reach("finished", COUNT - 1);
    for (number, mark) in marks.iter().enumerate() {
        let count = sink.messages().iter().filter(|message| mark.is_in(&message.octets)).count();
        assert_eq!(count, usize::from(number != damaged), "message {number}");
    }
    // New mail is served as before.
    let mut client = server.client();
    client.hello();
    let id = client.mail("a@from.example", &["b@to.example"], &message(&Mark::new(), "hello\r\n")).queue_id();
    let _ = server.finished(&id);
}

/// Changes an octet of every place below `folder` where `wanted` stands; the files that were changed.
fn damage(folder: &Path, wanted: &[u8]) -> Vec<PathBuf> {
    let mut changed = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder of the spool").filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            changed.extend(damage(&path, wanted));
            continue;
        }
        let Ok(mut octets) = std::fs::read(&path) else { continue };
        let places: Vec<_> = octets.windows(wanted.len()).enumerate().filter(|(_, window)| *window == wanted).collect();
        let places: Vec<usize> = places.into_iter().map(|(at, _)| at).collect();
        for at in &places {
            octets[*at] ^= 0x20;
        }
        if !places.is_empty() {
            std::fs::write(&path, &octets).expect("a file of the spool");
            changed.push(path);
        }
    }
    changed
}
