//! Commands in and out of order, content by DATA and BDAT, trace headers.

use super::*;
use crate::base::mail::envelope::BodyType;

#[test]
fn a_message_goes_from_greeting_to_queue_rfc5321_appendix_d_1() {
    let mut bench = Bench::open();
    assert_eq!(bench.writes, ["220 mx.example ESMTP Mailwright\r\n"]);
    let ehlo = bench.say("EHLO c.example\r\n");
    assert!(ehlo.starts_with("250-mx.example\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n"), "{ehlo}");
    assert!(ehlo.ends_with("250 LIMITS MAILMAX=10000 RCPTMAX=1000\r\n"), "{ehlo}");
    assert_eq!(bench.say("MAIL FROM:<a@b.example> BODY=8BITMIME\r\n"), "250 2.1.0 sender ok\r\n");
    assert_eq!(bench.say("RCPT TO:<x@there.example>\r\n"), "250 2.1.5 recipient ok\r\n");
    assert_eq!(bench.say("DATA\r\n"), "354 end with CRLF.CRLF\r\n");
    assert_eq!(bench.say("Subject: s\r\n\r\n..dot\r\n"), "");
    let queued = bench.say(".\r\n");
    let kept = bench.world.spool.kept.lock().expect("no panic").pop().expect("a message");
    assert_eq!(queued, format!("250 2.0.0 queued as {}\r\n", kept.entry.id));
    assert_eq!(kept.content, b"Subject: s\r\n\r\n.dot\r\n");
    assert_eq!((kept.entry.size_bytes, kept.entry.head_bytes), (20, 14));
    assert_eq!(kept.entry.envelope.body, BodyType::EightBitMime);
    assert!(kept.entry.trace.starts_with("Received: from c.example ([192.0.2.7])\r\n\tby mx.example with ESMTP id "));
    assert!(bench.world.heard.has("accepted", "a@b.example"));
    assert_eq!(bench.say("QUIT\r\n"), "221 2.0.0 bye\r\n");
    assert!(bench.closed && bench.world.heard.has("session-closed", "quit"));
}

#[test]
fn a_pipelined_group_is_answered_in_one_write_rfc2920_3_2() {
    let mut bench = Bench::open();
    bench.say("EHLO c.example\r\n");
    bench.writes.clear();
    bench.say("MAIL FROM:<>\r\nRCPT TO:<x@here.example>\r\nRCPT TO:<>\r\nDATA\r\n");
    assert_eq!(bench.writes.len(), 1);
    assert_eq!(bench.writes[0].matches("\r\n").count(), 4);
    bench.writes.clear();
    let queued = bench.say("A: b\r\n\r\n.\r\nMAIL FROM:<>\r\nRSET\r\nNOOP\r\n");
    assert_eq!(bench.writes.len(), 1, "what came behind the dot waited for the commit");
    assert!(queued.starts_with("250 2.0.0 queued as "));
    assert_eq!(queued.lines().skip(1).collect::<Vec<_>>(), ["250 2.1.0 sender ok", "250 2.0.0 ok", "250 2.0.0 ok"]);
}

#[test]
fn commands_out_of_order_are_told_what_comes_first_rfc5321_4_1_4() {
    let mut bench = Bench::open();
    for line in ["MAIL FROM:<>", "RCPT TO:<a@b>", "DATA"] {
        assert!(bench.say(format!("{line}\r\n")).starts_with("503 5.5.1 "), "{line}");
    }
    bench.say("EHLO c.example\r\nMAIL FROM:<>\r\n");
    assert_eq!(bench.say("DATA\r\n"), "503 5.5.1 send RCPT first\r\n");
    assert_eq!(bench.say("MAIL FROM:<>\r\n"), "503 5.5.1 a transaction is under way\r\n");
    assert_eq!(
        bench.say("RCPT TO:<@>\r\nEHLO c.example\r\nDATA\r\n").lines().last(),
        Some("503 5.5.1 send MAIL first")
    );
}

#[test]
fn without_a_valid_recipient_there_is_no_data_rfc5321_3_3() {
    let mut bench = Bench::with(config(), OUTSIDE);
    bench.say("EHLO c.example\r\nMAIL FROM:<>\r\n");
    assert_eq!(bench.say("RCPT TO:<x@there.example>\r\n"), "550 5.7.1 relaying denied\r\n");
    assert_eq!(bench.say("DATA\r\n"), "554 5.5.1 no valid recipients\r\n");
}

#[test]
fn nobody_relays_but_who_may_and_postmaster_is_always_there_rfc5321_4_5_1_7_9() {
    let mut bench = Bench::with(config(), OUTSIDE);
    bench.say("EHLO c.example\r\nMAIL FROM:<>\r\n");
    for (to, code) in [
        ("x@here.example", "250"),
        ("x@HERE.EXAMPLE", "250"),
        ("Postmaster", "250"),
        ("postmaster@mx.example", "250"),
        ("x@mx.example", "550"),
        ("x@sub.here.example", "550"),
        ("x@[198.51.100.7]", "550"),
        ("@here.example:x@there.example", "550"),
        ("x%there.example@here.example", "250"),
        ("\"x@here.example\"@there.example", "550"),
    ] {
        assert!(bench.say(format!("RCPT TO:<{to}>\r\n")).starts_with(code), "{to}");
    }
}

#[test]
fn helo_clients_have_no_extensions_rfc5321_2_2_1() {
    let mut bench = Bench::open();
    assert_eq!(bench.say("HELO c.example\r\n"), "250 mx.example\r\n");
    assert_eq!(bench.say("MAIL FROM:<> SIZE=1\r\n"), "555 5.5.4 parameters need EHLO\r\n");
    assert_eq!(bench.say("BDAT 6\r\nNOOP\r\n"), "503 5.5.1 send EHLO or HELO first\r\n");
    bench.say("MAIL FROM:<>\r\n");
    assert_eq!(bench.say("RCPT TO:<x@here.example> NOTIFY=NEVER\r\n"), "555 5.5.4 parameters need EHLO\r\n");
    bench.say("RCPT TO:<x@here.example>\r\nDATA\r\nA: b\r\n.\r\n");
    let kept = bench.world.spool.kept.lock().expect("no panic");
    assert!(kept[0].entry.trace.contains(" with SMTP id "));
}

#[test]
fn the_other_commands_answer_rfc5321_3_5_4_1_1() {
    let mut bench = Bench::open();
    for (line, reply) in [
        ("VRFY x", "252 2.0.0 "),
        ("EXPN x", "502 5.5.1 "),
        ("HELP", "214 2.0.0 "),
        ("NOOP x", "250 2.0.0 "),
        ("RSET", "250 2.0.0 "),
        ("STARTTLS", "502 5.5.1 "),
        ("AUTH PLAIN", "502 5.5.1 "),
        ("XODD", "500 5.5.1 "),
    ] {
        assert!(bench.say(format!("{line}\r\n")).starts_with(reply), "{line}");
    }
}

#[test]
fn bare_line_ends_in_content_are_refused_and_nothing_is_smuggled_rfc5321_2_3_8() {
    for inner in ["a\n.\nMAIL FROM:<evil@x>\r\n", "a\r\n.\nMAIL FROM:<evil@x>\r\n", "a\r.\rb\r\n", "a\n.\r\nNOOP\r\n"] {
        let mut bench = Bench::open();
        let reply = bench.send(inner);
        assert_eq!(reply, "554 5.6.0 content has a CR or LF that is not part of CRLF\r\n", "{inner:?}");
        assert!(bench.world.spool.kept.lock().expect("no panic").is_empty());
        assert!(bench.world.heard.has("message-refused", "554 5.6.0"));
        assert_eq!(bench.say("NOOP\r\n"), "250 2.0.0 ok\r\n", "the session goes on");
    }
}

#[test]
fn bare_line_ends_in_commands_are_refused_rfc5321_2_3_8() {
    let mut bench = Bench::open();
    assert_eq!(bench.say("NOOP\nQUIT\r\n"), "500 5.5.2 only CRLF ends a line\r\n");
    assert!(!bench.closed);
}

#[test]
fn chunks_make_a_message_and_each_is_answered_rfc3030_2() {
    let mut bench = Bench::open();
    bench.begin();
    assert_eq!(bench.say("BDAT 6\r\nA: b\r\n"), "250 2.0.0 6 octets received\r\n");
    assert_eq!(bench.say("BDAT 9\r\n\r\n.\r\nx"), "");
    assert_eq!(bench.say("yz.NOOP\r\n"), "250 2.0.0 9 octets received\r\n250 2.0.0 ok\r\n");
    assert_eq!(bench.say("DATA\r\n"), "503 5.5.1 content has begun with BDAT\r\n");
    assert_eq!(bench.say("RCPT TO:<y@here.example>\r\n"), "503 5.5.1 content has begun with BDAT\r\n");
    assert!(bench.say("BDAT 0 LAST\r\n").starts_with("250 2.0.0 queued as "));
    assert_eq!(bench.world.spool.kept.lock().expect("no panic")[0].content, b"A: b\r\n\r\n.\r\nxyz.");
}

#[test]
fn the_octets_of_a_refused_chunk_are_no_commands_rfc3030_2() {
    let mut bench = Bench::open();
    bench.say("EHLO c.example\r\n");
    assert_eq!(bench.say("BDAT 12 LAST\r\nRSET\r\nQUIT\r\nNOOP\r\n"), "503 5.5.1 send MAIL first\r\n250 2.0.0 ok\r\n");
    assert!(!bench.closed);
    let answer = bench.say("BDAT x\r\nQUIT\r\n");
    assert_eq!(answer, "501 5.5.4 usage: BDAT octets [LAST]\r\n", "how many octets follow is unknown");
    assert!(bench.closed);
}

#[test]
fn only_binarymime_may_have_bare_line_ends_in_chunks_rfc3030_3() {
    let mut bench = Bench::open();
    bench.begin();
    assert!(bench.say("BDAT 4 LAST\r\na\nb\r").starts_with("554 5.6.0 "));
    bench.say("MAIL FROM:<> BODY=BINARYMIME\r\nRCPT TO:<x@here.example>\r\n");
    assert_eq!(bench.say("DATA\r\n"), "503 5.5.1 BODY=BINARYMIME needs BDAT\r\n");
    assert!(bench.say("BDAT 4 LAST\r\na\n\0\r").starts_with("250 2.0.0 queued as "));
    assert_eq!(bench.world.spool.kept.lock().expect("no panic")[0].content, b"a\n\0\r");
}

#[test]
fn international_mail_needs_smtputf8_rfc6531_3_5() {
    let mut bench = Bench::open();
    bench.say("EHLO c.example\r\n");
    assert!(bench.say("MAIL FROM:<jörg@b.example>\r\n").starts_with("550 5.6.7 "));
    bench.say("MAIL FROM:<a@b.example>\r\n");
    assert!(bench.say("RCPT TO:<jörg@here.example>\r\n").starts_with("553 5.6.7 "));
    bench.say("RSET\r\nMAIL FROM:<jörg@b.example> SMTPUTF8\r\n");
    assert!(bench.say("RCPT TO:<jörg@here.example>\r\n").starts_with("250 "));
    bench.say("DATA\r\nA: b\r\n.\r\n");
    let kept = bench.world.spool.kept.lock().expect("no panic");
    assert!(kept[0].entry.envelope.smtputf8 && kept[0].entry.trace.contains("with UTF8SMTP id"));
}

#[test]
fn no_reply_repeats_what_the_client_wrote() {
    let mut bench = Bench::open();
    let answers = bench.say(
        "EHLO <marker>\r\nmarker\r\nHELO c.example\r\nMAIL FROM:<marker@>\r\nMAIL FROM:<a@b> marker=1\r\n\
         MAIL FROM:<marker@b>\r\nRCPT TO:<marker@there.example\r\nRCPT TO:<marker@x>\r\nVRFY marker\r\nNOOP marker\r\n",
    );
    assert!(!answers.contains("marker"), "{answers}");
}
