//! Commands as a client writes them (RFC 5321 4.1.1), each with its CRLF.

use super::command::{Mail, ORCPT_BYTES_MAX};
use super::xtext;
use crate::base::mail::envelope::{BodyType, Notify, Recipient, Ret};
use std::io::Write as _;

/// `EHLO name` (RFC 5321 4.1.1.1).
pub fn ehlo(name: &str, out: &mut Vec<u8>) {
    word("EHLO", name, out);
}

/// `HELO name` (RFC 5321 4.1.1.1).
pub fn helo(name: &str, out: &mut Vec<u8>) {
    word("HELO", name, out);
}

/// `LHLO name` (RFC 2033 4.1).
pub fn lhlo(name: &str, out: &mut Vec<u8>) {
    word("LHLO", name, out);
}

/// `MAIL FROM:<…>` with the parameters that are set; what the remote can't is left out by the caller.
pub fn mail(mail: &Mail, out: &mut Vec<u8>) {
    // Writing to a Vec can't fail, here and below.
    let _ = match &mail.sender {
        Some(sender) => write!(out, "MAIL FROM:<{sender}>"),
        None => write!(out, "MAIL FROM:<>"),
    };
    if let Some(size) = mail.size {
        let _ = write!(out, " SIZE={size}");
    }
    if let Some(body) = mail.body {
        let value = match body {
            BodyType::SevenBit => "7BIT",
            BodyType::EightBitMime => "8BITMIME",
            BodyType::BinaryMime => "BINARYMIME",
        };
        let _ = write!(out, " BODY={value}");
    }
    if mail.smtputf8 {
        out.extend_from_slice(b" SMTPUTF8");
    }
    match mail.ret {
        Some(Ret::Full) => out.extend_from_slice(b" RET=FULL"),
        Some(Ret::Hdrs) => out.extend_from_slice(b" RET=HDRS"),
        None => {}
    }
    if let Some(envid) = &mail.envid {
        out.extend_from_slice(b" ENVID=");
        xtext::encode(envid, out);
    }
    // RFC 4954 5: nobody vouches for who wrote it.
    if mail.auth {
        out.extend_from_slice(b" AUTH=<>");
    }
    if mail.requiretls {
        out.extend_from_slice(b" REQUIRETLS");
    }
    out.extend_from_slice(b"\r\n");
}

/// `RCPT TO:<…>`; a caller whose remote has no DSN leaves `notify` and `orcpt` out.
pub fn rcpt(recipient: &Recipient, out: &mut Vec<u8>) {
    let _ = write!(out, "RCPT TO:<{}>", recipient.address);
    if let Some(notify) = recipient.notify {
        out.extend_from_slice(b" NOTIFY=");
        words(notify, out);
    }
    if let Some((kind, address)) = recipient.orcpt.as_deref().and_then(|orcpt| orcpt.split_once(';')) {
        orcpt(kind, address, !recipient.address.is_ascii(), out);
    }
    out.extend_from_slice(b"\r\n");
}

/// ` ORCPT=…`, in the form that every server with DSN takes if it is short enough so (RFC 6533 3); a recipient that is
/// not ASCII says that the other form is understood too. What has no form short enough is left out: a server would
/// refuse the recipient for it.
fn orcpt(kind: &str, address: &str, utf8: bool, out: &mut Vec<u8>) {
    let before = out.len();
    let forms: &[fn(&str, &mut Vec<u8>)] = match (kind.eq_ignore_ascii_case("utf-8"), utf8) {
        (false, _) => &[xtext::encode],
        (true, false) => &[xtext::encode_utf8],
        (true, true) => &[xtext::encode_utf8, xtext::encode_unitext],
    };
    for form in forms {
        out.extend_from_slice(b" ORCPT=");
        let value = out.len();
        let _ = write!(out, "{kind};");
        form(address, out);
        if out.len() - value <= ORCPT_BYTES_MAX {
            return;
        }
        out.truncate(before);
    }
}

/// `BDAT octets [LAST]` (RFC 3030 2).
pub fn bdat(octets: u64, last: bool, out: &mut Vec<u8>) {
    let _ = write!(out, "BDAT {octets}{}\r\n", if last { " LAST" } else { "" });
}

/// `DATA` (RFC 5321 4.1.1.4).
pub const DATA: &[u8] = b"DATA\r\n";

/// `RSET` (RFC 5321 4.1.1.5).
pub const RSET: &[u8] = b"RSET\r\n";

/// `QUIT` (RFC 5321 4.1.1.10).
pub const STARTTLS: &[u8] = b"STARTTLS\r\n";

/// `QUIT` (RFC 5321 4.1.1.10).
pub const QUIT: &[u8] = b"QUIT\r\n";

fn word(verb: &str, name: &str, out: &mut Vec<u8>) {
    let _ = write!(out, "{verb} {name}\r\n");
}

/// RFC 3461 4.1.
fn words(notify: Notify, out: &mut Vec<u8>) {
    let asked = [(notify.success, "SUCCESS"), (notify.failure, "FAILURE"), (notify.delay, "DELAY")];
    let mut first = true;
    for (_, name) in asked.into_iter().filter(|(asked, _)| *asked) {
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        out.extend_from_slice(name.as_bytes());
    }
    if first {
        out.extend_from_slice(b"NEVER");
    }
}

#[cfg(test)]
mod tests {
    use super::super::command::Command;
    use super::*;
    use proptest::prelude::*;

    fn read(wire: &[u8]) -> Command {
        let line = wire.strip_suffix(b"\r\n").expect("CRLF at the end");
        Command::parse(line, true).expect("well formed")
    }

    fn notify() -> impl Strategy<Value = Option<Notify>> {
        any::<Option<(bool, bool, bool)>>()
            .prop_map(|asked| asked.map(|(success, failure, delay)| Notify { success, failure, delay }))
    }

    #[test]
    fn commands_are_written_as_rfc5321_4_1_1_says() {
        let mut wire = Vec::new();
        ehlo("a.example", &mut wire);
        // RFC 2033 4.1.
        lhlo("a.example", &mut wire);
        mail(&Mail::default(), &mut wire);
        bdat(7, true, &mut wire);
        assert_eq!(wire, b"EHLO a.example\r\nLHLO a.example\r\nMAIL FROM:<>\r\nBDAT 7 LAST\r\n");
    }

    /// 100 characters that the ASCII form writes in 800 octets and the other in 200.
    #[test]
    fn an_original_recipient_that_is_too_long_escaped_is_written_short_or_left_out_rfc6533_3() {
        let orcpt = format!("utf-8;{}@example.org", "\u{4a5}".repeat(100));
        for (address, kept) in [("j\u{f6}rg@example.org", true), ("joerg@example.org", false)] {
            let address = address.parse().expect("a mailbox");
            let meant = Recipient { address, notify: None, orcpt: Some(orcpt.as_str().into()) };
            let mut wire = Vec::new();
            rcpt(&meant, &mut wire);
            let orcpt = meant.orcpt.clone().filter(|_| kept);
            assert_eq!(read(&wire), Command::Rcpt(Recipient { orcpt, ..meant }));
            assert_eq!(wire.is_ascii(), !kept);
        }
    }

    proptest! {
        #[test]
        fn mail_is_read_as_it_was_meant(
            size: Option<u64>, body in 0_u8..4, smtputf8: bool, ret: Option<bool>, auth: bool, requiretls: bool, envid in proptest::option::of("[ -~]{1,30}"),
        ) {
            let body = [None, Some(BodyType::SevenBit), Some(BodyType::EightBitMime), Some(BodyType::BinaryMime)]
                [usize::from(body)];
            let ret = ret.map(|full| if full { Ret::Full } else { Ret::Hdrs });
            let sender = "\"a b>\"@example.org".parse().ok();
            let meant = Mail { sender, size, body, smtputf8, ret, envid: envid.map(Into::into), auth, requiretls };
            let mut wire = Vec::new();
            mail(&meant, &mut wire);
            prop_assert_eq!(read(&wire), Command::Mail(meant));
        }

        #[test]
        fn rcpt_is_read_as_it_was_meant(notify in notify(), orcpt in proptest::option::of("(rfc822;[ -~]|utf-8;\\PC){1}[ -~]{0,30}")) {
            let address = "jörg@bücher.example".parse().expect("a mailbox");
            let meant = Recipient { address, notify, orcpt: orcpt.map(Into::into) };
            let mut wire = Vec::new();
            rcpt(&meant, &mut wire);
            prop_assert_eq!(read(&wire), Command::Rcpt(meant));
        }
    }
}
