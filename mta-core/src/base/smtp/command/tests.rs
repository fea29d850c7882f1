//! Commands, well formed and not, with the section that says so.

use super::*;
use crate::base::mail::envelope::Notify;
use crate::base::mail::envelope::{BodyType, Ret};
use proptest::prelude::*;

fn parse(line: &str) -> Result<Command, CommandError> {
    Command::parse(line.as_bytes(), false)
}

fn mail(line: &str) -> Mail {
    match parse(line) {
        Ok(Command::Mail(mail)) => mail,
        other => panic!("{line}: {other:?}"),
    }
}

fn rcpt(line: &str, smtputf8: bool) -> Recipient {
    match Command::parse(line.as_bytes(), smtputf8) {
        Ok(Command::Rcpt(recipient)) => recipient,
        other => panic!("{line}: {other:?}"),
    }
}

fn code(line: &str) -> (u16, String) {
    let reply = parse(line).expect_err(line).reply();
    (reply.code, reply.status.map(|s| s.to_string()).unwrap_or_default())
}

/// RFC 3207 4 and RFC 4954 4 name two more verbs.
#[test]
fn verbs_have_no_case_rfc5321_2_4() {
    assert_eq!(parse("qUiT"), Ok(Command::Quit));
    assert_eq!(parse("data"), Ok(Command::Data));
    assert_eq!(parse("starttls"), Ok(Command::StartTls));
    assert_eq!(parse("auth plain"), Ok(auth(Some(Mechanism::Plain), None)));
    assert_eq!(parse("NOOP anything at all"), Ok(Command::Noop));
    assert_eq!(parse("rset  "), Ok(Command::Rset));
}

#[test]
fn other_lines_are_not_recognized_rfc5321_4_2_4() {
    for line in ["", "FOO", "MAILFROM:<a@b>", "DATAX", " NOOP", "TURN"] {
        assert_eq!(parse(line), Err(CommandError::Unknown), "{line}");
    }
    assert_eq!(code("FOO"), (500, "5.5.1".into()));
    assert_eq!(parse("NOOP \u{0}"), Err(CommandError::NotText));
    assert_eq!(Command::parse(b"NOOP \xff", true), Err(CommandError::NotText));
}

#[test]
fn arguments_are_there_where_they_must_be_rfc5321_4_3_2() {
    assert_eq!(code("DATA now"), (501, "5.5.4".into()));
    assert_eq!(code("QUIT now"), (501, "5.5.4".into()));
    assert_eq!(code("VRFY"), (501, "5.5.4".into()));
    assert_eq!(parse("VRFY someone"), Ok(Command::Vrfy));
}

fn auth(mechanism: Option<Mechanism>, initial: Option<&str>) -> Command {
    Command::Auth { mechanism, initial: initial.map(Hidden::new) }
}

#[test]
fn auth_names_a_mechanism_rfc4954_4_and_8() {
    assert_eq!(parse("AUTH PLAIN AGE="), Ok(auth(Some(Mechanism::Plain), Some("AGE="))));
    assert_eq!(parse("AUTH XYZZY ="), Ok(auth(None, Some("="))));
    assert!(!format!("{:?}", parse("AUTH PLAIN AGE=")).contains("AGE"));
    for wrong in ["AUTH ", "AUTH  PLAIN", "AUTH PLAIN  x", "AUTH PLAIN x y", "AUTH A+B", "AUTH ABCDEFGHIJKLMNOPQRSTU"] {
        assert_eq!(parse(wrong), Err(CommandError::Auth), "{wrong}");
    }
}

#[test]
fn a_clients_name_is_safe_to_write_down_rfc5321_4_1_4() {
    assert_eq!(parse("EHLO [IPv6:::1]"), Ok(Command::Ehlo("[IPv6:::1]".into())));
    assert_eq!(parse("HELO my_pc"), Ok(Command::Helo("my_pc".into())));
    for line in ["EHLO", "EHLO (x)", "EHLO a b", "EHLO a\tb", "HELO <script>", "EHLO \u{e4}"] {
        assert!(parse(line).is_err(), "{line}");
    }
    assert_eq!(code("EHLO"), (501, "5.5.4".into()));
}

/// `BODY` after RFC 6152 2.
#[test]
fn mail_has_a_path_and_parameters_rfc5321_4_1_1_2() {
    let all = mail("MAIL FROM:<a@b.c> SIZE=1000 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=x+2By requiretls");
    let wanted = Mail {
        sender: "a@b.c".parse().ok(),
        size: Some(1000),
        body: Some(BodyType::EightBitMime),
        smtputf8: true,
        ret: Some(Ret::Hdrs),
        envid: Some("x+y".into()),
        auth: false,
        requiretls: true,
    };
    assert_eq!(all, wanted);
    // RFC 8689 2.
    assert_eq!(code("MAIL FROM:<a@b.c> REQUIRETLS=yes"), (501, "5.5.4".into()));
    // RFC 4954 5.
    for value in ["<>", "e+3Dmc2@example.com"] {
        assert!(mail(&format!("MAIL FROM:<a@b.c> AUTH={value}")).auth, "{value}");
    }
    for wrong in ["AUTH", "AUTH=", "AUTH=e=mc2@example.com", "AUTH=ann"] {
        assert_eq!(code(&format!("MAIL FROM:<a@b.c> {wrong}")), (501, "5.5.4".into()), "{wrong}");
    }
    assert_eq!(mail("mail from:<>"), Mail::default());
    assert_eq!(mail("MAIL FROM: <a@b.c>").sender, "a@b.c".parse().ok());
    for line in ["MAIL", "MAIL FROM", "MAIL FROM:", "MAIL FROM:a@b.c", "MAIL FROM:<a@b.c", "MAIL FROM:<a@b>X=1"] {
        assert_eq!(code(line), (501, "5.5.2".into()), "{line}");
    }
    for line in ["MAIL FROM:<a>", "MAIL FROM:<postmaster>", "MAIL FROM:<a@-b>", "MAIL FROM:< >", "MAIL FROM:<a@b@c>"] {
        assert_eq!(code(line), (501, "5.1.7".into()), "{line}");
    }
}

#[test]
fn quotes_and_routes_are_understood_rfc5321_4_1_2_appendix_c() {
    assert_eq!(mail(r#"MAIL FROM:<"a>\"b"@c.d>"#).sender, r#""a>\"b"@c.d"#.parse().ok());
    let route = mail("MAIL FROM:<@one.example,@[IPv6:::1]:a@b.c>");
    assert_eq!(route.sender, "a@b.c".parse().ok());
    for line in ["MAIL FROM:<@one>", "MAIL FROM:<@one,a@b>", "MAIL FROM:<@o ne:a@b>", "MAIL FROM:<@[::a@b>"] {
        assert_eq!(code(line), (501, "5.5.2".into()), "{line}");
    }
}

#[test]
fn parameters_are_known_once_and_well_formed_rfc5321_4_1_1_11() {
    assert_eq!(code("MAIL FROM:<> XODD=1"), (555, "5.5.4".into()));
    assert_eq!(code("RCPT TO:<a@b> SIZE=1"), (555, "5.5.4".into()));
    assert_eq!(code("MAIL FROM:<> SIZE=1 size=2"), (501, "5.5.4".into()));
    for value in ["SIZE", "SIZE=", "SIZE=-1", "SIZE=1x", "BODY=9BIT", "SMTPUTF8=yes", "RET=ALL", "ENVID=", "ENVID=+"] {
        assert_eq!(code(&format!("MAIL FROM:<> {value}")), (501, "5.5.4".into()), "{value}");
    }
    let long = format!("MAIL FROM:<> ENVID={}", "x".repeat(101));
    assert_eq!(code(&long), (501, "5.5.4".into()), "RFC 3461 4.4");
    assert_eq!(mail("MAIL FROM:<> SIZE=99999999999999999999").size, Some(u64::MAX), "RFC 1870 6: 20 digits");
}

#[test]
fn rcpt_has_a_path_and_dsn_parameters_rfc5321_4_1_1_3_rfc3461_4() {
    let all = rcpt("RCPT TO:<a@b.c> NOTIFY=SUCCESS,delay ORCPT=rfc822;x+2By@z", false);
    assert_eq!(all.notify, Some(Notify { success: true, failure: false, delay: true }));
    assert_eq!(all.orcpt.as_deref(), Some("rfc822;x+y@z"));
    let never = rcpt("RCPT TO:<PostMaster> NOTIFY=NEVER", false);
    assert_eq!(never.notify, Some(Notify { success: false, failure: false, delay: false }));
    assert_eq!(never.address.domain(), None);
    for value in ["NOTIFY=", "NOTIFY=NEVER,DELAY", "NOTIFY=NOW", "ORCPT=x", "ORCPT=;x", "ORCPT=rfc822;", "ORCPT=a;+0A"]
    {
        assert_eq!(code(&format!("RCPT TO:<a@b> {value}")), (501, "5.5.4".into()), "{value}");
    }
    assert_eq!(code("RCPT TO:<>"), (501, "5.1.3".into()));
    assert_eq!(code("RCPT FROM:<a@b>"), (501, "5.5.2".into()));
}

#[test]
fn beyond_ascii_needs_smtputf8_rfc6531_3_5() {
    assert_eq!(code("MAIL FROM:<jörg@a.b>"), (550, "5.6.7".into()));
    assert_eq!(code("RCPT TO:<a@bücher.example>"), (553, "5.6.7".into()));
    assert!(mail("MAIL FROM:<jörg@a.b> SMTPUTF8").smtputf8);
    assert_eq!(rcpt("RCPT TO:<a@bücher.example>", true).address.to_string(), "a@bücher.example");
    // RFC 6533 3: one form needs it, the other does not.
    assert_eq!(code("RCPT TO:<a@b> ORCPT=utf-8;jörg@b"), (501, "5.5.4".into()));
    assert_eq!(rcpt("RCPT TO:<a@b> ORCPT=utf-8;j\\x{F6}rg@b", false).orcpt.as_deref(), Some("utf-8;jörg@b"));
}

#[test]
fn chunks_have_a_size_rfc3030_2() {
    assert_eq!(parse("BDAT 10"), Ok(Command::Bdat { octets: 10, last: false }));
    assert_eq!(parse("bdat 0 last"), Ok(Command::Bdat { octets: 0, last: true }));
    for line in ["BDAT", "BDAT x", "BDAT -1", "BDAT +1", "BDAT 1 FIRST", "BDAT 99999999999999999999", "BDAT 1 LAST x"] {
        assert_eq!(parse(line), Err(CommandError::Bdat), "{line}");
    }
}

proptest! {
    #[test]
    fn no_line_makes_the_parser_fail(line: Vec<u8>, smtputf8: bool) {
        let _ = Command::parse(&line, smtputf8);
    }

    #[test]
    fn no_reply_repeats_the_line(rest in "[!-~ ]{0,40}") {
        let line = format!("MAIL FROM:<marker{rest}");
        if let Err(error) = parse(&line) {
            prop_assert!(!error.reply().text.contains("marker"));
        }
    }
}
