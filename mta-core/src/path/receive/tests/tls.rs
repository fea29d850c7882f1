//! STARTTLS, TLS from the beginning, and what listeners of each kind take.

use super::world::{TestTls, mx};
use super::*;
use crate::base::flow::policy::Gate;
use crate::base::world::tls::{PeerCertificate, TlsInfo};
use crate::config::model::listener::{Kind, Listener, StartTls};
use proptest::prelude::*;
use std::sync::atomic::Ordering;

fn world(change: impl FnOnce(&mut Listener)) -> World {
    let mut changed = Listener::clone(&mx());
    changed.starttls = StartTls::Offered;
    change(&mut changed);
    World::new(Config { listeners: vec![Arc::new(changed)], ..config() })
}

fn bench(change: impl FnOnce(&mut Listener)) -> Bench {
    Bench::in_world(world(change), INSIDE)
}

#[test]
fn starttls_is_announced_and_forgets_what_was_before_rfc3207_4_2() {
    let mut bench = bench(|_| {});
    assert!(bench.say("EHLO before.example\r\n").contains("250-STARTTLS\r\n"));
    bench.say("MAIL FROM:<a@b.example>\r\n");
    assert_eq!(bench.say("STARTTLS\r\n"), "220 2.0.0 begin TLS now\r\n");
    assert_eq!(bench.session.helo(), None);
    assert_eq!(bench.say("MAIL FROM:<a@b.example>\r\n"), "503 5.5.1 send EHLO or HELO first\r\n");
    assert!(!bench.say("EHLO c.example\r\n").contains("STARTTLS"), "not inside TLS");
    assert_eq!(bench.say("RCPT TO:<x@here.example>\r\n"), "503 5.5.1 send MAIL first\r\n");
    assert_eq!(bench.say("STARTTLS\r\n"), "503 5.5.1 TLS is under way already\r\n");
    assert!(bench.world.heard.has("tls-established", "TLS_AES_256_GCM_SHA384"));
    let queued = bench.send("A: b\r\n");
    assert!(queued.starts_with("250 "), "{queued}");
    let kept = bench.world.spool.kept.lock().expect("no panic");
    let trace = &kept[0].entry.trace;
    assert!(trace.contains(" with ESMTPS id "), "{trace}");
    assert!(trace.contains("\r\n\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384)\r\n\tfor <"), "{trace}");
}

#[test]
fn requiretls_is_there_inside_tls_alone_and_is_kept_rfc8689_2_and_4_1() {
    let mut bench = bench(|_| {});
    assert!(!bench.say("EHLO c.example\r\n").contains("REQUIRETLS"));
    let said = bench.say("MAIL FROM:<a@b.example> REQUIRETLS\r\n");
    assert_eq!(said, "555 5.5.4 REQUIRETLS is there inside TLS alone\r\n");
    bench.say("STARTTLS\r\n");
    assert!(bench.say("EHLO c.example\r\n").contains("250-REQUIRETLS\r\n"));
    for (parameter, kept) in [(" REQUIRETLS", true), ("", false)] {
        bench.say(format!("MAIL FROM:<a@b.example>{parameter}\r\nRCPT TO:<x@here.example>\r\nDATA\r\n"));
        assert!(bench.say("A: b\r\n.\r\n").starts_with("250 "));
        let taken = bench.world.spool.kept.lock().expect("no panic");
        assert_eq!(taken.last().map(|kept| kept.entry.requires_tls()), Some(kept));
    }
}

#[test]
fn starttls_that_can_not_be_is_refused_and_the_session_goes_on_rfc3207_4() {
    let mut off = Bench::open();
    assert!(!off.say("EHLO c.example\r\n").contains("STARTTLS"));
    assert_eq!(off.say("STARTTLS\r\n"), "502 5.5.1 command not implemented\r\n");
    let mut bench = bench(|_| {});
    assert_eq!(bench.say("STARTTLS now\r\n"), "501 5.5.4 the command takes no argument\r\n");
    bench.world.tls.ready.store(false, Ordering::Relaxed);
    assert!(!bench.say("EHLO c.example\r\n").contains("STARTTLS"));
    assert_eq!(bench.say("STARTTLS\r\n"), "454 4.7.0 TLS is not available now\r\n");
    assert_eq!(bench.say("NOOP\r\n"), "250 2.0.0 ok\r\n");
}

#[test]
fn octets_in_clear_behind_starttls_end_the_session_and_are_no_commands() {
    let mut bench = bench(|_| {});
    bench.say("EHLO c.example\r\n");
    let answer = bench.say("NOOP\r\nSTARTTLS\r\nMAIL FROM:<evil@b.example>\r\n");
    assert_eq!(answer, "250 2.0.0 ok\r\n503 5.5.1 nothing may follow STARTTLS before the handshake\r\n");
    assert!(bench.closed && bench.world.heard.has("tls-failed", "octets in clear behind STARTTLS"));

    let mut bench = self::bench(|_| {});
    *bench.world.tls.answer.lock().expect("no panic") = None;
    bench.say("EHLO c.example\r\nSTARTTLS\r\n");
    assert_eq!(bench.say("MAIL FROM:<evil@b.example>\r\n"), "", "nothing is answered during the handshake");
    let Some(Ok(info)) = TestTls::default().answer.into_inner().expect("no panic") else { panic!() };
    bench.session.handle_secured(info, bench.now);
    bench.run();
    assert!(bench.closed && bench.world.heard.has("tls-failed", "octets in clear during the handshake"));
}

#[test]
fn a_handshake_that_fails_or_takes_too_long_ends_the_session() {
    let mut bench = bench(|_| {});
    *bench.world.tls.answer.lock().expect("no panic") = Some(Err("no common version".to_owned()));
    assert_eq!(bench.say("STARTTLS\r\n"), "220 2.0.0 begin TLS now\r\n", "and nothing in clear behind it");
    assert!(bench.closed && bench.world.heard.has("tls-failed", "no common version"));

    let mut bench = self::bench(|_| {});
    *bench.world.tls.answer.lock().expect("no panic") = None;
    bench.say("STARTTLS\r\n");
    let limit = config().limits.tls_handshake;
    assert_eq!(bench.wait(limit - Duration::from_secs(1)), "");
    assert!(!bench.closed);
    bench.wait(Duration::from_secs(1));
    assert!(bench.closed && bench.world.heard.has("tls-failed", "took too long"));
}

#[test]
fn where_tls_is_required_little_passes_before_it_rfc3207_4() {
    let mut bench = bench(|listener| listener.starttls = StartTls::Required);
    for (line, code) in [
        ("EHLO c.example", "250"),
        ("NOOP", "250 2.0.0"),
        ("MAIL FROM:<a@b.example>", "530 5.7.0 send STARTTLS first"),
        ("RSET", "530"),
        ("HELP", "530"),
        ("DATA", "530"),
        ("AUTH PLAIN", "530"),
        ("BDAT 4 LAST\r\nHELP", "503"),
    ] {
        assert!(bench.say(format!("{line}\r\n")).starts_with(code), "{line}");
    }
    bench.say("STARTTLS\r\n");
    assert!(bench.send("A: b\r\n").starts_with("250 "));
}

#[test]
fn submissions_begin_with_the_handshake_and_plugins_see_it_rfc8314_3_3() {
    let world = world(|listener| {
        listener.kind = Kind::Submissions;
        listener.starttls = StartTls::Off;
    });
    *world.policy.connect.lock().expect("no panic") = Some(Gate::Next);
    let client = PeerCertificate { subject: "CN=c".into(), sha256: "00".into(), verified: false };
    if let Some(Ok(info)) = &mut *world.tls.answer.lock().expect("no panic") {
        *info = TlsInfo { client: Some(client), ..info.clone() };
    }
    let mut bench = Bench::in_world(world, INSIDE);
    assert_eq!(bench.writes, ["220 mx.example ESMTP Mailwright\r\n"]);
    assert!(bench.session.info().tls.is_some_and(|tls| tls.client.is_some()));
    assert!(bench.world.heard.has("tls-established", r#""client":"CN=c","verified":false"#));
    assert!(!bench.say("EHLO c.example\r\n").contains("STARTTLS"));
    assert_eq!(bench.say("STARTTLS\r\n"), "503 5.5.1 TLS is under way already\r\n");
    assert!(bench.send("A: b\r\n").starts_with("250 "));
}

#[test]
fn strangers_submit_nothing_not_even_to_us_rfc6409_4_3_and_rfc4954_6() {
    let submission = |listener: &mut Listener| {
        listener.kind = Kind::Submission;
        listener.starttls = StartTls::Required;
    };
    let mut bench = Bench::in_world(world(submission), OUTSIDE);
    bench.say("EHLO c.example\r\nSTARTTLS\r\n");
    bench.say("EHLO c.example\r\n");
    assert_eq!(bench.say("MAIL FROM:<a@here.example>\r\n"), "530 5.7.0 authentication required\r\n");
    let mut bench = Bench::in_world(world(submission), INSIDE);
    bench.say("EHLO c.example\r\nSTARTTLS\r\n");
    assert!(bench.send("A: b\r\n").starts_with("250 "), "networks that may relay are known");
}

#[test]
fn lmtp_has_its_own_hello_and_an_answer_for_each_recipient_rfc2033_4() {
    let mut bench = bench(|listener| listener.kind = Kind::Lmtp);
    assert_eq!(bench.writes, ["220 mx.example LMTP Mailwright\r\n"]);
    assert_eq!(bench.say("EHLO c.example\r\n"), "500 5.5.1 this is LMTP: send LHLO\r\n");
    assert_eq!(bench.say("HELO c.example\r\n"), "500 5.5.1 this is LMTP: send LHLO\r\n");
    assert_eq!(bench.say("MAIL FROM:<>\r\n"), "503 5.5.1 send LHLO first\r\n");
    assert!(bench.say("LHLO c.example\r\n").contains("250-STARTTLS\r\n"));
    bench.say("MAIL FROM:<a@b.example>\r\n");
    assert_eq!(bench.say("DATA\r\n"), "503 5.5.1 send RCPT first\r\n");
    bench.say("RCPT TO:<x@here.example>\r\nRCPT TO:<@>\r\nRCPT TO:<y@here.example>\r\n");
    bench.say("DATA\r\n");
    let answers = bench.say("A: b\r\n\r\n.\r\n");
    assert_eq!(answers.matches("250 2.0.0 queued as ").count(), 2, "one for each that was taken: {answers}");
    {
        let kept = bench.world.spool.kept.lock().expect("no panic");
        assert!(kept[0].entry.trace.contains(" with LMTP id "), "RFC 3848: {}", kept[0].entry.trace);
        assert_eq!(kept[0].entry.progress.len(), 2);
    }
    bench.say("MAIL FROM:<>\r\nRCPT TO:<x@here.example>\r\nRCPT TO:<y@here.example>\r\n");
    let answers = bench.say("BDAT 4\r\nA\n\r\nBDAT 0 LAST\r\n");
    assert_eq!(answers.matches("554 5.6.0 ").count(), 1, "a chunk that is not the last has one: {answers}");
    bench.say("MAIL FROM:<>\r\nRCPT TO:<x@here.example>\r\nRCPT TO:<y@here.example>\r\n");
    let answers = bench.say("DATA\r\na\nb\r\n.\r\n");
    assert_eq!(answers.matches("554 5.6.0 ").count(), 2, "{answers}");
    assert_eq!(Bench::open().say("LHLO c.example\r\n"), "500 5.5.1 command not recognized\r\n");
}

#[test]
fn a_reload_between_sessions_is_seen_by_the_next() {
    let mut bench = bench(|_| {});
    let none = World::new(config());
    bench.world.config.send_replace(Arc::clone(&none.doors.config.borrow()));
    assert!(bench.say("EHLO c.example\r\n").contains("STARTTLS"), "the session keeps the listener that it came by");
}

proptest! {
    /// Whatever the split, what comes in the same read behind STARTTLS is never a command; what comes later is inside
    /// TLS.
    #[test]
    fn any_split_keeps_clear_and_protected_apart(
        before in proptest::sample::select(vec!["", "NOOP\r\n", "EHLO a\r\nMAIL FROM:<a@b.example>\r\n"]),
        behind in "[A-Z \r\n]{0,12}",
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..8),
    ) {
        let clear = format!("EHLO c.example\r\n{before}STARTTLS\r\n");
        let script = format!("{clear}{behind}");
        let octets = script.as_bytes();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(octets.len())).collect();
        cuts.extend([octets.len()]);
        cuts.sort_unstable();
        let mut bench = bench(|_| {});
        let mut from = 0;
        let mut smuggled = false;
        for cut in cuts {
            smuggled |= from < clear.len() && cut > clear.len();
            bench.say(&octets[from..cut]);
            from = cut;
        }
        let heard = bench.heard();
        prop_assert_eq!(heard.contains("220 2.0.0 begin TLS now\r\n"), !smuggled);
        prop_assert_eq!(heard.ends_with("503 5.5.1 nothing may follow STARTTLS before the handshake\r\n"), smuggled);
        prop_assert_eq!(bench.world.heard.has("tls-established", ""), !smuggled);
        prop_assert!(!smuggled || bench.closed);
        prop_assert!(smuggled || bench.session.helo() != Some("c.example"));
    }
}
