//! AUTH as transcripts: who is let in, who is not, and what it changes.

use super::*;
use crate::base::flow::Answer;
use crate::base::flow::policy::{Gate, SessionInfo};
use crate::base::sasl::door::{Authenticate, Checked, Claim, Later, Offered, User};
use crate::base::sasl::sender::SenderPattern;
use crate::base::sasl::stored::ScramKeys;
use crate::base::sasl::wire;
use crate::base::smtp::reply::Reply;
use crate::base::smtp::status::EnhancedStatus;
use crate::config::model::Tenant;
use crate::config::model::auth::AuthOffer;
use crate::config::model::listener::Listener;
use proptest::prelude::*;
use std::future::ready;
use std::net::IpAddr;
use std::sync::Mutex;

/// One user, `ann@example.org` with the password `pencil`, of the tenant `acme`.
struct Users {
    offered: Offered,
    later: Option<Later>,
    /// What was asked, in order.
    asked: Mutex<Vec<String>>,
}

impl Users {
    fn checked(&self, name: &str, right: bool) -> Checked {
        let known = name == "ann@example.org";
        if !(known && right) {
            return Checked::IsNot { known };
        }
        let senders = vec![SenderPattern::parse("@example.org").expect("a pattern")];
        Checked::Is(Arc::new(User { name: name.into(), tenant: Some("acme".into()), senders }))
    }

    fn note(&self, what: String) {
        self.asked.lock().expect("no panic").push(what);
    }
}

impl Authenticate for Users {
    fn offered(&self) -> Offered {
        self.offered
    }

    fn check(&self, _: SessionInfo, claim: Claim) -> Answer<'_, Checked> {
        self.note(format!("check {}", claim.name()));
        let later = self.later.map(Checked::Later);
        Box::pin(ready(later.unwrap_or_else(|| match &claim {
            Claim::Password(_, name, password) => self.checked(name, password.reveal() == "pencil"),
            Claim::Token(_, token) if token.reveal() == "good" => self.checked("ann@example.org", true),
            Claim::Token(name, _) => Checked::Unfit { known: name.is_some(), why: "token: expired" },
        })))
    }

    fn keys(&self, _: IpAddr, name: &str) -> Result<ScramKeys, Later> {
        self.note(format!("keys {name}"));
        let keys = ScramKeys::derive(b"pencil", b"saltsalt".to_vec(), 4096);
        self.later.map_or(Ok(keys), Err)
    }

    fn proven(&self, _: IpAddr, name: &str, proven: bool) -> Checked {
        self.note(format!("proven {name} {proven}"));
        self.checked(name, proven)
    }
}

const BOTH: Offered = Offered { passwords: true, keys: true, tokens: false };
const PASSWORDS: Offered = Offered { passwords: true, keys: false, tokens: false };
const TOKENS: Offered = Offered { passwords: false, keys: false, tokens: true };

fn listening(auth: AuthOffer) -> Config {
    let listener = Listener { auth, ..Listener::clone(&mx()) };
    Config { listeners: vec![Arc::new(listener)], ..config() }
}

fn world(auth: AuthOffer, offered: Offered, later: Option<Later>) -> (World, Arc<Users>) {
    let World { config, doors, spool, policy, tls, verify, heard } = World::new(listening(auth));
    let users = Arc::new(Users { offered, later, asked: Mutex::default() });
    let doors = Arc::into_inner(doors).expect("nobody else has it yet");
    let doors = Arc::new(doors.with_users(Arc::<Users>::clone(&users)));
    (World { config, doors, spool, policy, tls, verify, heard }, users)
}

/// A session that said EHLO, from outside.
fn bench() -> Bench {
    let mut bench = Bench::in_world(world(AuthOffer::DangerPlaintext, PASSWORDS, None).0, OUTSIDE);
    bench.say("EHLO c.example\r\n");
    bench
}

fn plain(message: &str) -> String {
    wire::encode(message.replace('|', "\0").as_bytes())
}

fn logged_in(change: impl FnOnce(&mut Config)) -> Bench {
    let mut config = listening(AuthOffer::DangerPlaintext);
    change(&mut config);
    let world = world(AuthOffer::DangerPlaintext, PASSWORDS, None).0;
    world.config.send_replace(Arc::new(config));
    let mut bench = Bench::in_world(world, OUTSIDE);
    bench.say("EHLO c.example\r\n");
    let right = plain("|ann@example.org|pencil");
    assert_eq!(bench.say(format!("AUTH PLAIN {right}\r\n")), "235 2.7.0 authentication succeeded\r\n");
    bench
}

/// RFC 4954 4.3's transcripts, with our words.
#[test]
fn plain_with_and_without_an_initial_response_rfc4954_4() {
    let right = plain("|ann@example.org|pencil");
    let mut bench = bench();
    assert_eq!(bench.say("AUTH PLAIN\r\n"), "334 \r\n");
    assert_eq!(bench.say(format!("{right}\r\n")), "235 2.7.0 authentication succeeded\r\n");
    assert!(bench.world.heard.has("auth-succeeded", "\"mechanism\":\"PLAIN\",\"user\":\"ann@example.org\""));
    assert_eq!(bench.say(format!("AUTH PLAIN {right}\r\n")), "503 5.5.1 already authenticated\r\n");
    assert!(!bench.say("EHLO c.example\r\n").contains("AUTH"), "there is nothing more to offer");
    assert_eq!(bench.session.user(), Some("ann@example.org"), "EHLO changes nothing of it");
    let heard = bench.world.heard.0.lock().expect("no panic").concat();
    assert!(heard.contains("auth-succeeded") && !heard.contains("pencil") && !heard.contains(&right), "{heard}");
    let again = logged_in(|_| {});
    assert_eq!(again.session.user(), Some("ann@example.org"));
}

#[test]
fn login_is_two_questions_and_octets_may_come_in_any_pieces_rfc4954_4() {
    let mut bench = bench();
    assert_eq!(bench.say("auth login\r\n"), "334 VXNlcm5hbWU6\r\n");
    assert_eq!(bench.say(format!("{}\r\n", plain("Ann@Example.org"))), "334 UGFzc3dvcmQ6\r\n");
    for octet in plain("pencil").into_bytes() {
        assert_eq!(bench.say([octet]), "");
    }
    assert_eq!(bench.say("\r\nNOOP\r\n"), "235 2.7.0 authentication succeeded\r\n250 2.0.0 ok\r\n");
    // With the name at once, and more commands behind the password before its answer has come.
    let mut bench = self::bench();
    let name = plain("ann@example.org");
    assert_eq!(bench.say(format!("AUTH LOGIN {name}\r\n")), "334 UGFzc3dvcmQ6\r\n");
    let answer = bench.say(format!("{}\r\nNOOP\r\n", plain("wrong")));
    assert_eq!(answer, "535 5.7.8 authentication credentials invalid\r\n250 2.0.0 ok\r\n");
}

#[test]
fn scram_shows_the_server_too_and_ends_with_an_empty_answer_rfc4954_4_rfc5802_5() {
    use hmac::{Hmac, Mac};
    use sha2::{Digest, Sha256};
    let mac = |key: &[u8], text: &[u8]| -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
        mac.update(text);
        mac.finalize().into_bytes().into()
    };
    let (world, users) = world(AuthOffer::DangerPlaintext, BOTH, None);
    let mut bench = Bench::in_world(world, OUTSIDE);
    assert!(bench.say("EHLO c.example\r\n").contains("250-AUTH SCRAM-SHA-256 PLAIN LOGIN\r\n"));
    for password in ["wrong", "pencil"] {
        let bare = "n=ann@example.org,r=abc";
        let first = bench.say(format!("AUTH SCRAM-SHA-256 {}\r\n", plain(&format!("n,,{bare}"))));
        let challenge = first.trim_end().strip_prefix("334 ").expect("a challenge");
        let challenge = String::from_utf8(wire::decode(challenge.as_bytes()).expect("base64")).expect("ASCII");
        let nonce = challenge.split(',').next().expect("a nonce");
        assert!(nonce.starts_with("r=abc") && nonce.len() == 5 + 24, "{challenge}");
        let unproven = format!("c=biws,{nonce}");
        let signed = format!("{bare},{challenge},{unproven}");
        let mut salted = [0; 32];
        pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), b"saltsalt", 4096, &mut salted);
        let client = mac(&salted, b"Client Key");
        let signature = mac(&Sha256::digest(client), signed.as_bytes());
        let proof: Vec<u8> = client.iter().zip(signature).map(|(one, other)| one ^ other).collect();
        let answer = bench.say(format!("{}\r\n", plain(&format!("{unproven},p={}", wire::encode(&proof)))));
        if password == "wrong" {
            assert_eq!(answer, "535 5.7.8 authentication credentials invalid\r\n");
            continue;
        }
        let ours = mac(&mac(&salted, b"Server Key"), signed.as_bytes());
        assert_eq!(answer, format!("334 {}\r\n", plain(&format!("v={}", wire::encode(&ours)))));
        assert_eq!(bench.say("\r\n"), "235 2.7.0 authentication succeeded\r\n");
    }
    let asked = users.asked.lock().expect("no panic").clone();
    let of = |what: &str| format!("{what} ann@example.org");
    assert_eq!(asked[..2], [of("keys"), format!("{} false", of("proven"))]);
    assert_eq!(asked[2..], [of("keys"), format!("{} true", of("proven"))]);
}

#[test]
fn what_goes_wrong_has_its_code_rfc4954_4_and_6() {
    let mut bench = bench();
    for (said, answer) in [
        ("AUTH PLAIN !\r\n", "501 5.5.2 malformed authentication response\r\n"),
        ("AUTH PLAIN AGE\r\n", "501 5.5.2 malformed authentication response\r\n"),
        ("AUTH PLAIN =\r\n", "501 5.5.2 malformed authentication response\r\n"),
        ("AUTH PLAIN\r\n*\r\n", "334 \r\n501 5.7.0 authentication cancelled\r\n"),
        ("AUTH PLAIN\r\n!\r\n", "334 \r\n501 5.5.2 malformed authentication response\r\n"),
        ("AUTH LOGIN\r\nNOOP\nRSET\r\n", "334 VXNlcm5hbWU6\r\n500 5.5.2 only CRLF ends a line\r\n"),
        ("AUTH XYZZY\r\n", "504 5.5.4 unrecognized authentication mechanism\r\n"),
        ("AUTH SCRAM-SHA-256\r\n", "504 5.5.4 unrecognized authentication mechanism\r\n"),
        ("AUTH SCRAM-SHA-256-PLUS\r\n", "504 5.5.4 unrecognized authentication mechanism\r\n"),
        ("AUTH\r\n", "501 5.5.4 usage: AUTH mechanism [initial-response]\r\n"),
        ("NOOP\r\n", "250 2.0.0 ok\r\n"),
    ] {
        assert_eq!(bench.say(said), answer, "{said}");
    }
    let long = format!("AUTH PLAIN\r\n{}\r\nNOOP\r\n", "A".repeat(12_287));
    let answer = "334 \r\n500 5.5.6 authentication exchange line is too long\r\n250 2.0.0 ok\r\n";
    assert_eq!(bench.say(long), answer);
    // Whoever may send that much is still heard out.
    let most = format!("AUTH PLAIN\r\n{}\r\n", "A".repeat(12_284));
    assert_eq!(bench.say(most), "334 \r\n501 5.5.2 malformed authentication response\r\n");
    bench.say("MAIL FROM:<a@b.example>\r\n");
    assert_eq!(bench.say("AUTH PLAIN\r\n"), "503 5.5.1 AUTH is not allowed in a transaction\r\n");
    let mut helo = Bench::in_world(world(AuthOffer::DangerPlaintext, PASSWORDS, None).0, OUTSIDE);
    assert_eq!(helo.say("HELO c.example\r\nAUTH PLAIN\r\n").lines().last(), Some("503 5.5.1 send EHLO or HELO first"));
}

#[test]
fn passwords_are_not_asked_for_where_others_may_listen_rfc4954_4() {
    for (offer, offered, answer) in [
        (AuthOffer::Private, PASSWORDS, "538 5.7.11 encryption required for authentication\r\n"),
        (AuthOffer::Off, PASSWORDS, "502 5.5.1 command not implemented\r\n"),
        (AuthOffer::DangerPlaintext, Offered::default(), "502 5.5.1 command not implemented\r\n"),
    ] {
        let mut bench = Bench::in_world(world(offer, offered, None).0, OUTSIDE);
        assert!(!bench.say("EHLO c.example\r\n").contains("AUTH"));
        assert_eq!(bench.say("AUTH PLAIN\r\n"), answer);
        // RFC 4954 5: without the extension there is no such parameter.
        assert_eq!(bench.say("MAIL FROM:<a@b.example> AUTH=<>\r\n"), "555 5.5.4 AUTH is not offered\r\n");
    }
}

#[test]
fn nobody_learns_who_is_a_user_and_three_failures_end_the_session_rfc4954_4() {
    let mut bench = bench();
    let attempts = ["|eve@example.org|pencil", "|ann@example.org|pen", "bob@example.org|ann@example.org|pencil"];
    let refused = "535 5.7.8 authentication credentials invalid\r\n";
    for (attempt, answer) in
        attempts.into_iter().zip([refused, refused, "421 4.7.0 too many authentication failures\r\n"])
    {
        assert_eq!(bench.say(format!("AUTH PLAIN {}\r\n", plain(attempt))), answer);
    }
    assert!(bench.closed);
    let heard = &bench.world.heard;
    assert!(heard.has("auth-failed", "\"user\":null,\"why\":\"wrong credentials\""));
    assert!(heard.has("auth-failed", "\"user\":\"ann@example.org\",\"why\":\"wrong credentials\""));
    assert!(heard.has("auth-failed", "\"why\":\"foreign authorization identity\""));
    assert!(!heard.has("auth-failed", "eve@"), "what stands in a name's place may be a password");
}

#[test]
fn who_is_held_or_finds_no_turn_may_come_again_rfc4954_6() {
    for (later, why) in [(Later::Held, "too many failures"), (Later::Busy, "too many checks at once")] {
        let mut bench = Bench::in_world(world(AuthOffer::DangerPlaintext, BOTH, Some(later)).0, OUTSIDE);
        bench.say("EHLO c.example\r\n");
        let answer = "454 4.7.0 temporary authentication failure, try again later\r\n";
        for _ in 0..4 {
            assert_eq!(bench.say(format!("AUTH PLAIN {}\r\n", plain("|ann@example.org|pencil"))), answer);
            assert_eq!(bench.say(format!("AUTH SCRAM-SHA-256 {}\r\n", plain("n,,n=ann@example.org,r=x"))), answer);
        }
        assert!(bench.world.heard.has("auth-failed", why));
    }
}

#[test]
fn who_is_let_in_may_send_anywhere_as_itself_rfc6409_6_1() {
    let mut bench = logged_in(|_| {});
    let refused = "550 5.7.1 you may not send as this address\r\n";
    assert_eq!(bench.say("MAIL FROM:<bob@there.example>\r\n"), refused);
    assert_eq!(bench.say("MAIL FROM:<>\r\nRSET\r\n"), "250 2.1.0 sender ok\r\n250 2.0.0 ok\r\n");
    let answer = bench.say("MAIL FROM:<Ann@example.org> AUTH=<>\r\nRCPT TO:<x@there.example>\r\n");
    assert_eq!(answer, "250 2.1.0 sender ok\r\n250 2.1.5 recipient ok\r\n");
    bench.say("DATA\r\n");
    let content = "From: ann@example.org\r\nBcc: hidden@there.example\r\n\r\nhello\r\n.\r\n";
    assert!(bench.say(content).starts_with("250 2.0.0 queued as "));
    let kept = bench.world.spool.kept.lock().expect("no panic");
    let entry = &kept[0].entry;
    // RFC 4954 7, RFC 3848 and RFC 6409 8.
    assert!(entry.trace.contains(" with ESMTPA id ") && entry.trace.contains("[198.51.100.7]"), "{}", entry.trace);
    assert_eq!(entry.edits.headers.len(), 3, "Bcc goes, Message-ID and Date come");
    assert_eq!(entry.tenant.as_deref(), Some("acme"));
    drop(kept);
    assert!(bench.world.heard.has("accepted", "\"user\":\"ann@example.org\""));
    bench.say("MAIL FROM:<ann@example.org>\r\nRCPT TO:<x@there.example>\r\nDATA\r\n");
    let refused = "550 5.7.1 the From field names an address that is not yours\r\n";
    assert_eq!(bench.say("From: Boss <boss@there.example>\r\n\r\nhello\r\n.\r\n"), refused);
    let mut stranger = self::bench();
    stranger.say("MAIL FROM:<ann@example.org>\r\n");
    assert_eq!(stranger.say("RCPT TO:<x@there.example>\r\n"), "550 5.7.1 relaying denied\r\n");
}

#[test]
fn where_a_user_is_can_be_kept_to_ourselves_rfc5321_4_4() {
    let mut bench = logged_in(|config| config.auth.hide_client = true);
    bench.say("MAIL FROM:<ann@example.org>\r\nRCPT TO:<x@there.example>\r\nDATA\r\n");
    bench.say("Subject: x\r\n\r\nhello\r\n.\r\n");
    let trace = bench.world.spool.kept.lock().expect("no panic")[0].entry.trace.clone();
    assert!(
        trace.starts_with("Received: from mx.example (authenticated)\r\n\tby mx.example with ESMTPA id "),
        "{trace}"
    );
    assert!(!trace.contains("198.51") && !trace.contains("c.example"), "{trace}");
}

fn bearer(token: &str) -> String {
    wire::encode(format!("n,,\u{1}auth=Bearer {token}\u{1}\u{1}").as_bytes())
}

#[test]
fn a_token_lets_in_and_its_refusal_is_told_in_the_exchange_rfc7628_3_2_3() {
    let mut bench = Bench::in_world(world(AuthOffer::DangerPlaintext, TOKENS, None).0, OUTSIDE);
    assert!(bench.say("EHLO c.example\r\n").contains("AUTH OAUTHBEARER XOAUTH2\r\n"));
    assert_eq!(bench.say("AUTH PLAIN\r\n"), "504 5.5.4 unrecognized authentication mechanism\r\n");
    let told = format!("334 {}\r\n", wire::encode(b"{\"status\":\"invalid_token\"}"));
    let refused = "535 5.7.8 authentication credentials invalid\r\n";
    assert_eq!(bench.say(format!("AUTH OAUTHBEARER {}\r\n", bearer("old"))), told);
    assert_eq!(bench.say("AQ==\r\n"), refused);
    assert!(bench.world.heard.has("auth-failed", "token: expired"));
    // The client's side may be empty, as XOAUTH2 has it, and come in its own line.
    assert_eq!(bench.say("AUTH XOAUTH2\r\n"), "334 \r\n");
    let old = wire::encode("user=ann@example.org\u{1}auth=Bearer old\u{1}\u{1}".as_bytes());
    assert!(bench.say(format!("{old}\r\n")).starts_with("334 eyJ"));
    assert_eq!(bench.say("\r\n"), refused);
    let good = bearer("good");
    assert_eq!(bench.say(format!("AUTH OAUTHBEARER {good}\r\n")), "235 2.7.0 authentication succeeded\r\n");
    assert_eq!(bench.session.user(), Some("ann@example.org"), "the token says who it is");
    assert!(bench.world.heard.has("auth-succeeded", "OAUTHBEARER"));
    let heard = bench.world.heard.0.lock().expect("no panic").concat();
    assert!(!heard.contains("good") && !heard.contains(&good), "{heard}");
}

#[test]
fn who_breaks_off_behind_a_refused_token_has_failed_all_the_same() {
    let mut bench = Bench::in_world(world(AuthOffer::DangerPlaintext, TOKENS, None).0, OUTSIDE);
    bench.say("EHLO c.example\r\n");
    for answer in ["501 5.7.0 authentication cancelled\r\n"; 2] {
        assert!(bench.say(format!("AUTH OAUTHBEARER {}\r\n", bearer("old"))).starts_with("334 "));
        assert_eq!(bench.say("*\r\n"), answer, "RFC 4954 4");
    }
    assert!(bench.say(format!("AUTH OAUTHBEARER {}\r\n", bearer("old"))).starts_with("334 "));
    assert!(bench.say("*\r\n").starts_with("421 4.7.0 too many authentication failures"));
    let heard = bench.world.heard.0.lock().expect("no panic").concat();
    assert_eq!(heard.matches("auth-failed").count(), 3, "{heard}");
}

#[test]
fn a_token_that_can_not_be_looked_at_is_no_failure() {
    let later = Some(Later::Unanswered);
    let mut bench = Bench::in_world(world(AuthOffer::DangerPlaintext, TOKENS, later).0, OUTSIDE);
    bench.say("EHLO c.example\r\n");
    for _ in 0..4 {
        let said = bench.say(format!("AUTH OAUTHBEARER {}\r\n", bearer("good")));
        assert_eq!(said, "454 4.7.0 temporary authentication failure, try again later\r\n");
    }
    assert!(bench.world.heard.has("auth-failed", "does not answer"));
}

/// RFC 4954 4: what comes behind AUTH may be longer than any command.
#[test]
fn a_long_token_may_stand_in_the_command_and_nothing_else_is_longer_for_it() {
    let mut bench = Bench::in_world(world(AuthOffer::DangerPlaintext, TOKENS, None).0, OUTSIDE);
    bench.say("EHLO c.example\r\n");
    assert_eq!(bench.say(format!("NOOP {}\r\n", "x".repeat(5000))), "500 5.5.2 line too long\r\n");
    let long = bearer(&"x".repeat(5000));
    assert!(bench.say(format!("AUTH OAUTHBEARER {long}\r\n")).starts_with("334 eyJ"));
    bench.say("\r\n");
    let longer = bearer(&"x".repeat(12_000));
    assert_eq!(bench.say(format!("AUTH OAUTHBEARER {longer}\r\n")), "500 5.5.2 line too long\r\n");
    bench.say(format!("AUTH OAUTHBEARER {}\r\n", bearer("good")));
    assert_eq!(bench.say(format!("AUTH PLAIN {}\r\n", "x".repeat(5000))), "500 5.5.2 line too long\r\n");
}

/// A user's tenant counts before that of its listener.
#[test]
fn a_users_mail_is_its_tenants() {
    let bench = logged_in(|config| {
        config.tenants = vec![Tenant { name: "other".into(), listeners: vec!["mx".into()], ..Tenant::default() }];
    });
    assert_eq!(bench.session.tenant().map(|tenant| &**tenant), Some("acme"));
}

/// One thing that a client may write in and around an exchange.
fn piece() -> impl Strategy<Value = String> {
    let fixed = [
        "AUTH PLAIN\r\n".to_owned(),
        "AUTH LOGIN\r\n".to_owned(),
        "AUTH SCRAM-SHA-256 biwsbj1hbm4scj14\r\n".to_owned(),
        format!("AUTH PLAIN {}\r\n", plain("|ann@example.org|pencil")),
        format!("{}\r\n", plain("|ann@example.org|pencil")),
        format!("{}\r\n", plain("ann@example.org")),
        format!("{}\r\n", plain("pencil")),
        "*\r\n".to_owned(),
        "\r\n".to_owned(),
        "MAIL FROM:<ann@example.org>\r\n".to_owned(),
        "RSET\r\n".to_owned(),
        "A\nB\r\n".to_owned(),
    ];
    prop_oneof![8 => proptest::sample::select(fixed.to_vec()), 1 => "[A-Z=*\r\n]{0,9}"]
}

proptest! {
    #[test]
    fn any_split_of_an_exchange_gives_the_same_transcript(
        script in proptest::collection::vec(piece(), 1..10),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..12),
    ) {
        let script = format!("EHLO c.example\r\n{}", script.concat());
        let octets = script.as_bytes();
        let transcript = |cuts: &[usize]| {
            let mut bench = Bench::in_world(world(AuthOffer::DangerPlaintext, PASSWORDS, None).0, OUTSIDE);
            let mut from = 0;
            for cut in cuts {
                bench.say(&octets[std::mem::replace(&mut from, *cut)..*cut]);
            }
            (bench.writes.concat(), bench.closed, bench.session.user().map(str::to_owned))
        };
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(octets.len())).collect();
        cuts.sort_unstable();
        cuts.push(octets.len());
        prop_assert_eq!(transcript(&cuts), transcript(&[octets.len()]));
    }
}

fn asked(gate: Gate) -> (Bench, Arc<Mutex<Vec<String>>>) {
    let world = world(AuthOffer::DangerPlaintext, PASSWORDS, None).0;
    *world.policy.auth.lock().expect("no panic") = Some(gate);
    let asked = Arc::clone(&world.policy.asked);
    let mut bench = Bench::in_world(world, OUTSIDE);
    bench.say("EHLO c.example\r\n");
    (bench, asked)
}

#[test]
fn on_auth_may_refuse_and_can_not_let_in() {
    let reply = |code: u16| Reply::from_text(code, Some(EnhancedStatus::new(5, 7, 1)), "no");
    let right = format!("AUTH PLAIN {}\r\n", plain("|ann@example.org|pencil"));
    let wrong = format!("AUTH PLAIN {}\r\n", plain("|ann@example.org|pen"));
    let (mut bench, heard) = asked(Gate::Accept);
    assert_eq!(bench.say(&wrong), "535 5.7.8 authentication credentials invalid\r\n");
    assert_eq!(bench.say(&right), "235 2.7.0 authentication succeeded\r\n");
    let heard = heard.lock().expect("no panic").clone();
    let wanted = ["auth PLAIN ann@example.org false", "auth PLAIN ann@example.org true", "user ann@example.org"];
    assert_eq!(heard[heard.len() - 3..], wanted);

    let (mut bench, _) = asked(Gate::Reject(reply(550)));
    assert_eq!(bench.say(&right), "550 5.7.1 no\r\n");
    assert_eq!(bench.say(&wrong), "535 5.7.8 authentication credentials invalid\r\n", "a refusal stands");
    assert_eq!(bench.session.user(), None);
    assert!(bench.world.heard.has("auth-failed", "\"why\":\"policy\""));
    let (mut bench, _) = asked(Gate::Disconnect(reply(550)));
    assert_eq!(bench.say(&wrong), "550 5.7.1 no\r\n");
    assert!(bench.closed);
}

#[test]
fn a_silent_client_in_an_exchange_is_left_rfc5321_4_5_3_2_7() {
    let mut bench = bench();
    bench.say("AUTH LOGIN\r\n");
    assert_eq!(bench.wait(config().limits.command_idle), "421 4.4.2 timeout\r\n");
    assert!(bench.closed);
    let mut bench = self::bench();
    bench.say("AUTH LOGIN\r\n");
    bench.session.handle_drain(bench.now);
    bench.run();
    assert_eq!(bench.say("*\r\n"), "501 5.7.0 authentication cancelled\r\n421 4.3.2 service is shutting down\r\n");
}
