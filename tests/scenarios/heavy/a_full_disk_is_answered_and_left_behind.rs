//! The disk fills up: 452 4.3.1, nothing acknowledged is lost, and service resumes when there is room again.
//!
//! The disk is a small tmpfs in a mount namespace of the program's own, which root may make, and others where the
//! kernel lets them have user namespaces. Where neither is possible the story is told with the threshold alone.

use mailwright_tests::client::Client;
use mailwright_tests::mail::{Mark, message};
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::Sink;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

const DISK_MIB: usize = 96;

/// The words before the program that give it a disk of its own; none where that is not permitted.
fn small_disk(folder: &Path) -> Option<Vec<String>> {
    let mount = format!("mount -t tmpfs -o size={DISK_MIB}m tmpfs '{}'", folder.display());
    let ways: [&[&str]; 2] = [&["unshare", "-m"], &["unshare", "-rm"]];
    let works = |way: &&&[&str]| {
        let mut command = Command::new(way[0]);
        command.args(&way[1..]).args(["sh", "-c", &mount]);
        mailwright_tests::peers::run(command).status.success()
    };
    let way = ways.iter().find(works)?;
    let script = format!("{mount} && exec \"$@\"");
    Some(way.iter().copied().chain(["sh", "-c", &script, "sh"]).map(str::to_owned).collect())
}

#[test]
fn a_full_disk_is_answered_and_left_behind() {
    let sink = Sink::start();
    let setup = Setup::new()
        .smarthost("*", sink.address())
        .set("delivery", "paused = true")
        .set("storage", "segment_bytes = \"4MiB\"")
        .set("storage", "free_bytes_min = \"16MiB\"")
        .set("storage", "cache_bytes = \"8MiB\"");
    let server = Mailwright::prepare(&setup);
    let data = mailwright_tests::peers::folder(server.dir(), "data");
    let Some(disk) = small_disk(&data) else {
        eprintln!("SKIPPED: neither `unshare -m` nor `unshare -rm` may mount a tmpfs here");
        return;
    };
    let words: Vec<&str> = disk.iter().map(String::as_str).collect();
    let server = server.wrapped(&words).begin(&[]);
    // The program's own view of the disk.
    let seen = PathBuf::from(format!("/proc/{}/root{}", server.pid(), data.display()));

    let mut marks = fill(&server);
    assert!(!marks.is_empty());
    let mut client = server.client();
    client.hello();
    // Room is made by whoever filled the disk: here it is a file beside the spool.
    let ballast = seen.join("ballast");
    let answers = (0..1000).find_map(|_| refused(&mut client, &mut marks));
    assert!(answers.is_some(), "a full disk takes no more");
    std::fs::remove_file(&ballast).expect("it was written by fill");
    let _ = server.event("disk-recovered", |_| true);
    let mark = Mark::new();
    client.mail("a@from.example", &["b@to.example"], &message(&mark, "after\r\n")).expect_code(250);
    marks.push(mark);

    server.configure(&setup.set("delivery", "paused = false"));
    server.signal(rustix::process::Signal::HUP);
    sink.wait("every acknowledged message", |messages| {
        let came = |mark: &&Mark| messages.iter().any(|message| mark.is_in(&message.octets));
        (marks.iter().filter(came).count() == marks.len()).then_some(())
    });
    assert_eq!(sink.messages().len(), marks.len(), "each came once");
}

/// Sends some mail, then leaves less room than a message needs; what was acknowledged.
fn fill(server: &Mailwright) -> Vec<Mark> {
    let mut marks = Vec::new();
    let mut client = server.client();
    client.hello();
    for _ in 0..20 {
        assert_eq!(refused(&mut client, &mut marks), None, "there is room");
    }
    let disk = PathBuf::from(format!("/proc/{}/root{}", server.pid(), server.data_dir().display()));
    let mut ballast = std::fs::File::create(disk.join("ballast")).expect("there is room");
    // Until the disk takes no more.
    while ballast.write_all(&[0; 64 * 1024]).is_ok() {}
    let _ = server.event("disk-low", |_| true);
    marks
}

/// Sends a message of 64 KiB. The reply if it was refused, which must be 452 4.3.1.
fn refused(client: &mut Client, marks: &mut Vec<Mark>) -> Option<String> {
    let mark = Mark::new();
    let early = client.command("MAIL FROM:<a@from.example>");
    if early.code != 250 {
        return Some(early.expect(452, "4.3.1").text());
    }
    client.command("RCPT TO:<b@to.example>").expect_code(250);
    let line = "0123456789abcdef".repeat(62) + "\r\n";
    let reply = client.data(&message(&mark, &line.repeat(64)));
    if reply.code == 250 {
        marks.push(mark);
        return None;
    }
    Some(reply.expect(452, "4.3.1").text())
}

#[test]
fn below_the_threshold_mail_goes_out_and_none_comes_in() {
    let sink = Sink::start();
    let setup = Setup::new().smarthost("*", sink.address());
    let mut server = Mailwright::prepare(&setup).begin(&["delivery.paused=true"]);
    let mut marks = Vec::new();
    let mut client = server.client();
    client.hello();
    assert_eq!(refused(&mut client, &mut marks), None);
    assert!(server.stop().success());
    // No disk has so much room.
    server.restart(&["storage.free_bytes_min=\"1024GiB\""]);
    let _ = server.event("disk-low", |_| true);
    let mut client = server.client();
    client.hello();
    assert!(refused(&mut client, &mut marks).is_some());
    let _ = sink.message("what was queued before", |message| marks[0].is_in(&message.octets));
    server.events_reach("finished", 1);
}
