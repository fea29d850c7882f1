//! Beyond each limit the answer is the one that the RFC has for it, and the next command is served as before.

use mailwright_tests::client::Client;
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;

fn server(limit: &str) -> Mailwright {
    Mailwright::start(&Setup::new().set("delivery", "paused = true").set("limits", limit))
}

#[test]
fn one_session_too_many_is_told_to_come_back() {
    for limit in ["sessions_max = 3", "sessions_per_peer_max = 3"] {
        let server = server(limit);
        let mut sessions: Vec<_> = (0..3).map(|_| server.client()).collect();
        let mut fourth = Client::connect(server.address());
        fourth.reply().expect(421, "4.");
        assert!(fourth.reply().is_end(), "{limit}");
        // Those that are in stay, and room that is made is used.
        sessions[0].command("NOOP").expect_code(250);
        sessions[0].command("QUIT").expect_code(221);
        let _ = server.event("session-closed", |_| true);
        let _ = server.client();
    }
}

#[test]
fn a_session_of_errors_ends_rfc5321_3_8() {
    let server = server("errors_per_session_max = 5");
    let mut client = server.client();
    let codes: Vec<_> = (0..10).map(|_| client.command("XYZZY").code).take_while(|code| *code != 0).collect();
    let (last, before) = codes.split_last().expect("there were replies");
    assert!(before.iter().all(|code| *code == 500) && before.len() <= 5, "{codes:?}");
    assert_eq!(*last, 421, "{codes:?}");
    assert!(client.reply().is_end());
}

#[test]
fn recipients_beyond_the_limit_wait_for_the_next_message_rfc5321_4_5_3() {
    let server = server("recipients_per_message_max = 100");
    let mut client = server.client();
    client.hello();
    client.command("MAIL FROM:<a@from.example>").expect_code(250);
    for number in 0..100 {
        client.command(&format!("RCPT TO:<r{number}@to.example>")).expect_code(250);
    }
    client.command("RCPT TO:<r100@to.example>").expect(452, "4.5.3");
    client.data(b"Subject: x\r\n\r\nhello\r\n").expect_code(250);
    assert_eq!(server.event("accepted", |_| true)["recipients"], 100);
}

#[test]
fn size_is_refused_when_announced_and_while_it_arrives_rfc1870_6() {
    let setup = Setup::new().set("limits", "message_bytes_max = \"64KiB\"").set("delivery", "paused = true");
    let server = Mailwright::start(&setup.set("limits", "header_bytes_max = \"16KiB\""));
    let mut client = server.client();
    assert!(client.hello().lines.contains(&"SIZE 65536".to_owned()));
    client.command("MAIL FROM:<a@from.example> SIZE=65537").expect(552, "5.3.4");
    let line = format!("{}\r\n", "x".repeat(998));
    let large = format!("Subject: x\r\n\r\n{}", line.repeat(100));
    client.mail("a@from.example", &["b@to.example"], large.as_bytes()).expect(552, "5.3.4");
    client.envelope("a@from.example", &["b@to.example"]);
    client.send(b"BDAT 65537 LAST\r\n").send(&vec![b'x'; 65537]).reply().expect(552, "5.3.4");
    client.command("RSET").expect_code(250);
    client.mail("a@from.example", &["b@to.example"], b"Subject: x\r\n\r\nsmall\r\n").expect_code(250);
}

#[test]
fn a_line_too_long_is_answered_once_rfc5321_4_5_3() {
    let server = server("command_line_bytes_max = 1024");
    let mut client = server.client();
    client.hello();
    let long = format!("NOOP {}", "x".repeat(100_000));
    client.command(&long).expect(500, "5.5.");
    // The very next reply is to the next command.
    client.command("NOOP").expect_code(250);
    client.command("VRFY x").expect_code(252);
}

#[test]
fn a_message_that_has_been_round_too_often_is_a_loop_rfc5321_6_3() {
    let server = server("received_hops_max = 20");
    let mut client = server.client();
    client.hello();
    let hops = |count: usize| {
        let trace = "Received: from a.example by b.example; Mon, 1 Jan 2024 00:00:00 +0000\r\n".repeat(count);
        format!("{trace}Subject: x\r\n\r\nhello\r\n").into_bytes()
    };
    client.mail("a@from.example", &["b@to.example"], &hops(20)).expect_code(250);
    client.mail("a@from.example", &["b@to.example"], &hops(21)).expect(554, "5.4.6");
}

#[test]
fn a_header_section_without_an_end_is_refused() {
    let server = server("header_bytes_max = \"64KiB\"");
    let mut client = server.client();
    client.hello();
    let header = format!("X-Long: {}\r\n", "x".repeat(900));
    let message = format!("{}\r\nhello\r\n", header.repeat(200));
    let reply = client.mail("a@from.example", &["b@to.example"], message.as_bytes());
    assert!(reply.code == 552 || reply.code == 554, "{reply:?}");
    client.mail("a@from.example", &["b@to.example"], b"Subject: x\r\n\r\nsmall\r\n").expect_code(250);
}

#[test]
fn a_silent_client_is_let_go_rfc5321_4_5_3() {
    let server = server("command_idle = \"1s\"");
    let mut client = server.client();
    client.reply().expect(421, "4.4.2");
    assert!(client.reply().is_end());
}

#[test]
fn replies_never_echo_what_a_client_sent() {
    let server = server("errors_per_session_max = 100");
    let mut client = server.client();
    client.hello();
    for line in ["\u{1b}[2Jmark\u{7}", "MAIL FROM:<mark\u{1}>", "RCPT mark\u{1b}", "VRFY mark\u{1b}[31m"] {
        let reply = client.command(line);
        assert!(!reply.text().contains(|c: char| c.is_control() && c != '\n'), "{reply:?}");
    }
}
