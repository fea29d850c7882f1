//! The reply to EHLO: ours, and what a remote's says it can (RFC 5321 4.1.1.1).

use super::command::ATTRIBUTES;
use super::remote::RemoteReply;
use crate::base::sasl::Mechanism;
use std::io::Write as _;

/// What our own EHLO reply announces beyond the fixed keywords.
#[derive(Clone, Copy, Debug)]
pub struct Announced<'a> {
    /// Our name.
    pub hostname: &'a str,
    /// `SIZE` (RFC 1870), in octets.
    pub message_bytes_max: u64,
    /// `AUTH` (RFC 4954 3), where there are any.
    pub mechanisms: &'a [Mechanism],
    /// `LIMITS MAILMAX=` (RFC 9422 4.1).
    pub messages_max: u32,
    /// `LIMITS RCPTMAX=` (RFC 9422 4.2).
    pub recipients_max: usize,
    /// `STARTTLS` (RFC 3207).
    pub starttls: bool,
    /// `REQUIRETLS` (RFC 8689 2): inside TLS alone.
    pub requiretls: bool,
    /// `XCLIENT`, with its attributes: the client may say for whom it speaks.
    pub xclient: bool,
}

impl Announced<'_> {
    /// Writes the whole reply.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let starttls = if self.starttls { "250-STARTTLS\r\n" } else { "" };
        // RFC 2920, RFC 6152, RFC 6531, RFC 3030, RFC 2034, RFC 3461. Writing to a Vec can't fail.
        let _ = write!(
            out,
            "250-{}\r\n250-PIPELINING\r\n250-SIZE {}\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n\
             250-BINARYMIME\r\n250-ENHANCEDSTATUSCODES\r\n250-DSN\r\n{starttls}",
            self.hostname, self.message_bytes_max
        );
        if !self.mechanisms.is_empty() {
            let names: Vec<&str> = self.mechanisms.iter().map(|mechanism| mechanism.name()).collect();
            let _ = write!(out, "250-AUTH {}\r\n", names.join(" "));
        }
        if self.requiretls {
            out.extend_from_slice(b"250-REQUIRETLS\r\n");
        }
        if self.xclient {
            let _ = write!(out, "250-XCLIENT {ATTRIBUTES}\r\n");
        }
        let _ = write!(out, "250 LIMITS MAILMAX={} RCPTMAX={}\r\n", self.messages_max, self.recipients_max);
    }
}

/// What a remote server can.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a keyword that the remote said or did not say")]
pub struct Capabilities {
    /// RFC 2920.
    pub pipelining: bool,
    /// `SIZE` was said (RFC 1870); its limit in octets, none when it has none.
    pub size: bool,
    /// The limit in octets that came with `SIZE`.
    pub size_bytes_max: Option<u64>,
    /// RFC 6152.
    pub eight_bit_mime: bool,
    /// RFC 6531.
    pub smtputf8: bool,
    /// RFC 3030.
    pub chunking: bool,
    /// RFC 3030.
    pub binary_mime: bool,
    /// RFC 2034.
    pub enhanced_status: bool,
    /// RFC 3461.
    pub dsn: bool,
    /// RFC 3207.
    pub starttls: bool,
    /// RFC 8689 2.
    pub requiretls: bool,
    /// RFC 4954: the mechanisms, in upper case.
    pub auth: Vec<Box<str>>,
    /// RFC 9422 4.1: messages over one connection.
    pub messages_max: Option<u32>,
    /// RFC 9422 4.2: recipients of one message.
    pub recipients_max: Option<u32>,
}

impl Capabilities {
    /// Reads the reply to EHLO. What is unknown or malformed is as if it had not been said.
    #[must_use]
    pub fn parse(reply: &RemoteReply) -> Self {
        let mut can = Self::default();
        // The first line is the server's name and greeting.
        for line in reply.lines().skip(1) {
            let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
            let keyword = words.next().unwrap_or_default().to_ascii_uppercase();
            can.note(&keyword, words);
        }
        can
    }

    fn note<'a>(&mut self, keyword: &str, mut words: impl Iterator<Item = &'a str>) {
        match keyword {
            "PIPELINING" => self.pipelining = true,
            "SIZE" => {
                self.size = true;
                // Zero means no limit (RFC 1870 4).
                self.size_bytes_max = words.next().and_then(|n| n.parse().ok()).filter(|n| *n > 0);
            }
            "8BITMIME" => self.eight_bit_mime = true,
            "SMTPUTF8" => self.smtputf8 = true,
            "CHUNKING" => self.chunking = true,
            "BINARYMIME" => self.binary_mime = true,
            "ENHANCEDSTATUSCODES" => self.enhanced_status = true,
            "DSN" => self.dsn = true,
            "STARTTLS" => self.starttls = true,
            "REQUIRETLS" => self.requiretls = true,
            "AUTH" => self.auth = words.take(32).map(|word| word.to_ascii_uppercase().into()).collect(),
            "LIMITS" => words.for_each(|limit| self.limit(limit)),
            _ => {}
        }
    }

    /// `NAME=VALUE` (RFC 9422 3).
    fn limit(&mut self, limit: &str) {
        let Some((name, value)) = limit.split_once('=') else { return };
        let value = value.parse().ok().filter(|n| *n > 0);
        match name.to_ascii_uppercase().as_str() {
            "MAILMAX" => self.messages_max = value,
            "RCPTMAX" => self.recipients_max = value,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::smtp::remote::ReplyReader;

    fn parse(wire: &[u8]) -> Capabilities {
        let mut rest = wire;
        let reply = ReplyReader::default().next(&mut rest).expect("well formed").expect("whole");
        Capabilities::parse(&reply)
    }

    /// The keywords of RFC 6152, RFC 6531, RFC 3030, RFC 3461, RFC 8689 2 and their like.
    #[test]
    fn what_we_announce_is_what_a_client_reads_rfc5321_4_1_1_1() {
        let mechanisms = &[Mechanism::ScramSha256, Mechanism::Plain];
        let ours = Announced {
            hostname: "mx.example",
            message_bytes_max: 1000,
            mechanisms,
            messages_max: 7,
            recipients_max: 100,
            starttls: true,
            requiretls: true,
            xclient: true,
        };
        let mut wire = Vec::new();
        ours.encode(&mut wire);
        let wanted = Capabilities {
            pipelining: true,
            size: true,
            size_bytes_max: Some(1000),
            eight_bit_mime: true,
            smtputf8: true,
            chunking: true,
            binary_mime: true,
            enhanced_status: true,
            dsn: true,
            starttls: true,
            requiretls: true,
            // RFC 4954 3.
            auth: vec!["SCRAM-SHA-256".into(), "PLAIN".into()],
            messages_max: Some(7),
            recipients_max: Some(100),
        };
        assert_eq!(parse(&wire), wanted);
    }

    /// RFC 3207, RFC 4954, RFC 9422 3.
    #[test]
    fn keywords_have_no_case_and_odd_ones_are_passed_over_rfc5321_4_1_1_1() {
        let can = parse(b"250-DSN\r\n250-size 0\r\n250-StartTLS\r\n250-XODD 1\r\n250-\r\n250-auth plain LOGIN\r\n250 LIMITS rcptmax=x MAILMAX\r\n");
        assert!(can.size && can.size_bytes_max.is_none(), "zero is no limit (RFC 1870 4)");
        assert!(can.starttls && !can.dsn, "the first line is a name");
        assert_eq!(can.auth, ["PLAIN".into(), "LOGIN".into()]);
        assert_eq!((can.messages_max, can.recipients_max), (None, None));
    }
}
