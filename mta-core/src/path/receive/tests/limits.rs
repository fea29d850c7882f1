//! Every limit has its own answer, and time runs out.

use super::*;
use crate::base::fault::SpoolFault;
use crate::base::flow::spool::Room;
use crate::config::model::Limits;

fn limited(change: impl FnOnce(&mut Limits)) -> Bench {
    let mut config = config();
    change(&mut config.limits);
    Bench::with(config, INSIDE)
}

#[test]
fn a_line_too_long_is_answered_once_rfc5321_4_5_3_1_9() {
    let mut bench = limited(|limits| limits.command_line_bytes_max = 20);
    assert_eq!(bench.say(format!("NOOP {}", "x".repeat(5000))), "");
    assert_eq!(bench.say("QUIT\r\nNOOP\r\n"), "500 5.5.2 line too long\r\n250 2.0.0 ok\r\n");
}

#[test]
fn a_size_announced_too_large_is_refused_at_once_rfc1870_6_1() {
    let mut bench = limited(|limits| limits.message_bytes_max = 100);
    bench.say("EHLO c.example\r\n");
    assert_eq!(bench.say("MAIL FROM:<> SIZE=101\r\n"), "552 5.3.4 message too large\r\n");
    assert_eq!(bench.say("MAIL FROM:<> SIZE=100\r\n"), "250 2.1.0 sender ok\r\n");
}

#[test]
fn a_message_that_grows_too_large_is_heard_out_and_refused_rfc1870_6_3() {
    let mut bench = limited(|limits| limits.message_bytes_max = 100);
    let content = format!("A: b\r\n\r\n{}\r\nQUIT\r\n", "x".repeat(200));
    assert_eq!(bench.send(&content), "552 5.3.4 message too large\r\n");
    bench.begin();
    let answer = bench.say(format!("BDAT {}\r\n{content}BDAT 4 LAST\r\nQUIT", content.len()));
    assert_eq!(answer, "552 5.3.4 message too large\r\n503 5.5.1 send MAIL first\r\n", "RFC 3030 2");
    assert!(!bench.closed);
}

#[test]
fn a_header_section_too_large_and_a_loop_are_refused_rfc5321_6_3() {
    let mut bench = limited(|limits| {
        limits.header_bytes_max = 200;
        limits.received_hops_max = 3;
    });
    assert_eq!(bench.send(format!("A: {}\r\n", "x".repeat(300))), "552 5.3.4 header section too large\r\n");
    assert_eq!(
        bench.send("Received: x\r\n".repeat(4) + "\r\n"),
        "554 5.4.6 too many hops, this message is looping\r\n"
    );
    assert!(bench.send("Received: x\r\n".repeat(3) + "\r\n").starts_with("250 "));
}

#[test]
fn recipients_beyond_the_limit_may_come_later_rfc5321_4_5_3_1_10() {
    let mut bench = limited(|limits| limits.recipients_per_message_max = 1);
    bench.begin();
    assert_eq!(bench.say("RCPT TO:<y@here.example>\r\n"), "452 4.5.3 too many recipients\r\n");
    assert!(bench.say("DATA\r\nA: b\r\n.\r\n").contains("250 2.0.0 queued as "));
    assert_eq!(bench.world.spool.kept.lock().expect("no panic")[0].entry.progress.len(), 1);
}

#[test]
fn a_full_disk_is_told_before_the_content_comes_rfc3463_3_4() {
    let mut bench = Bench::open();
    bench.say("EHLO c.example\r\n");
    *bench.world.spool.room.lock().expect("no panic") = Some(Room::DiskLow);
    assert_eq!(bench.say("MAIL FROM:<>\r\n"), "452 4.3.1 not enough storage, try again later\r\n");
    *bench.world.spool.room.lock().expect("no panic") = Some(Room::Failing);
    assert_eq!(bench.say("MAIL FROM:<>\r\n"), "451 4.3.0 storage failure, try again later\r\n");
}

#[test]
fn what_is_not_durable_is_not_acknowledged_rfc5321_6_1() {
    for (fault, answer) in [
        (SpoolFault::DiskFull, "452 4.3.1 not enough storage, try again later\r\n"),
        (SpoolFault::Store("x".into()), "451 4.3.0 storage failure, try again later\r\n"),
        (SpoolFault::Closing, "421 4.3.2 service is shutting down\r\n"),
    ] {
        let mut bench = Bench::open();
        *bench.world.spool.fault.lock().expect("no panic") = Some(fault);
        assert_eq!(bench.send("A: b\r\n"), answer);
        assert_eq!(bench.closed, answer.starts_with("421"));
        assert!(bench.world.heard.has("message-refused", &answer[..9]) && !bench.world.heard.has("accepted", ""));
    }
}

#[test]
fn large_content_is_a_blob_and_a_failing_disk_is_told_at_the_end() {
    let content = format!("A: b\r\n\r\n{}\r\n", "x".repeat(300_000));
    let mut bench = Bench::open();
    assert!(bench.send(&content).starts_with("250 2.0.0 queued as "));
    {
        let kept = bench.world.spool.kept.lock().expect("no panic");
        assert!(kept[0].was_blob && kept[0].content == content.as_bytes());
        assert_eq!(kept[0].entry.size_bytes, content.len() as u64);
    }
    assert_eq!(bench.world.doors.content_memory.bytes(), 0);
    *bench.world.spool.blob_fault.lock().expect("no panic") = Some(SpoolFault::DiskFull);
    assert_eq!(bench.send(&content), "452 4.3.1 not enough storage, try again later\r\n");
    assert_eq!(bench.say("NOOP\r\n"), "250 2.0.0 ok\r\n");
}

#[test]
fn errors_commands_and_messages_have_an_end_rfc5321_7_8() {
    let mut bench = limited(|limits| limits.errors_per_session_max = 3);
    let answer = bench.say("A\r\nB\r\nC\r\nD\r\n");
    assert_eq!(answer.lines().last(), Some("421 4.7.0 too many errors"));
    assert!(bench.closed && answer.lines().count() == 4);

    let mut bench = limited(|limits| limits.commands_per_session_max = 2);
    assert_eq!(bench.say("NOOP\r\nNOOP\r\nNOOP\r\n").lines().last(), Some("421 4.7.0 too many commands"));

    let mut bench = limited(|limits| limits.messages_per_session_max = 1);
    bench.send("A: b\r\n");
    let answer = bench.say("MAIL FROM:<>\r\n");
    assert_eq!(answer, "421 4.7.0 too many messages in this session\r\n", "RFC 9422 4.1");
}

#[test]
fn an_accepted_message_clears_the_errors_in_a_row() {
    let mut bench = limited(|limits| limits.errors_per_session_max = 3);
    for _ in 0..3 {
        assert!(bench.say("A\r\nB\r\n").ends_with("500 5.5.1 command not recognized\r\n"));
        assert!(bench.send("A: b\r\n").starts_with("250 "));
    }
}

#[test]
fn a_silent_client_is_told_and_left_rfc5321_4_5_3_2_7() {
    let mut bench = Bench::open();
    let idle = config().limits.command_idle;
    assert_eq!(bench.wait(idle - Duration::from_secs(1)), "");
    bench.say("NOOP\r\n");
    assert_eq!(bench.wait(idle - Duration::from_secs(1)), "", "each command begins the wait again");
    assert_eq!(bench.wait(Duration::from_secs(1)), "421 4.4.2 timeout\r\n");
    assert!(bench.closed && bench.world.heard.has("session-closed", "idle"));
}

#[test]
fn content_has_limits_of_its_own() {
    let mut bench = limited(|limits| {
        limits.data_idle = Duration::from_secs(10);
        limits.data_total = Duration::from_secs(25);
    });
    bench.begin();
    bench.say("DATA\r\n");
    for _ in 0..2 {
        assert_eq!(bench.wait(Duration::from_secs(9)), "");
        bench.say("x\r\n");
    }
    assert_eq!(bench.wait(Duration::from_secs(7)), "421 4.4.2 timeout\r\n");
    assert!(bench.world.heard.has("session-closed", "content time limit"));
}

#[test]
fn a_session_has_a_total() {
    let mut bench = limited(|limits| limits.session_total = Duration::from_secs(30));
    bench.wait(Duration::from_secs(29));
    bench.say("NOOP\r\n");
    assert_eq!(bench.wait(Duration::from_secs(1)), "421 4.4.2 session took too long\r\n");
}

#[test]
fn when_the_server_goes_down_transactions_end_first_rfc5321_3_8() {
    let mut idle = Bench::open();
    idle.session.handle_drain(idle.now);
    idle.run();
    assert_eq!(idle.writes.last().map(String::as_str), Some("421 4.3.2 service is shutting down\r\n"));
    assert!(idle.closed);

    let mut busy = Bench::open();
    busy.begin();
    busy.session.handle_drain(busy.now);
    busy.run();
    assert!(!busy.closed);
    assert_eq!(busy.say("DATA\r\n"), "354 end with CRLF.CRLF\r\n");
    let answer = busy.say("A: b\r\n.\r\n");
    assert!(answer.starts_with("250 2.0.0 queued as ") && answer.ends_with("421 4.3.2 service is shutting down\r\n"));
    assert!(busy.closed);
}

#[test]
fn a_new_configuration_holds_from_the_next_transaction_on() {
    let mut bench = Bench::open();
    bench.begin();
    let mut next = config();
    next.limits.recipients_per_message_max = 1;
    bench.world.config.send_replace(Arc::new(next));
    assert!(bench.say("RCPT TO:<y@here.example>\r\n").starts_with("250"));
    bench.say("RSET\r\nMAIL FROM:<>\r\nRCPT TO:<x@here.example>\r\n");
    assert!(bench.say("RCPT TO:<y@here.example>\r\n").starts_with("452"));
}

#[test]
fn a_message_cut_off_is_dropped_rfc5321_4_1_1_10() {
    let mut bench = Bench::open();
    bench.begin();
    bench.say("DATA\r\nA: b\r\n");
    bench.session.handle_gone("closed by the client", bench.now);
    bench.run();
    assert!(bench.closed && bench.world.spool.kept.lock().expect("no panic").is_empty());
    assert_eq!(bench.world.doors.content_memory.bytes(), 0);
}

#[test]
fn replies_that_nobody_reads_do_not_pile_up_rfc2920_3_2() {
    let mut bench = limited(|limits| limits.commands_per_session_max = u32::MAX);
    bench.session.handle_input("EHLO c\r\n".repeat(8000).as_bytes(), bench.now);
    let mut writes = 0;
    while let Some(effect) = bench.session.poll() {
        if let Effect::Send(octets) = effect {
            assert!(octets.len() < 40_000, "{}", octets.len());
            writes += octets.split(|octet| *octet == b'\n').filter(|line| line.starts_with(b"250 ")).count();
        }
    }
    assert_eq!(writes, 8000, "all of them are answered in the end");
}
