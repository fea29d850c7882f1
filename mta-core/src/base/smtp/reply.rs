//! A reply: code, enhanced status and text (RFC 5321 4.2, RFC 2034).

use super::status::EnhancedStatus;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::io::Write as _;

/// Longest reply line in octets with its CRLF (RFC 5321 4.5.3.1.5).
pub const REPLY_LINE_BYTES_MAX: usize = 512;

/// Longest text in octets: a line without its code, a long status and CRLF.
pub const TEXT_BYTES_MAX: usize = REPLY_LINE_BYTES_MAX - 16;

/// What a server says. The text is printable and without line ends: it is made so on the way in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Three digits, 200 to 599.
    pub code: u16,
    /// RFC 3463 status; its class fits the code.
    pub status: Option<EnhancedStatus>,
    /// Words for people. Several lines of a remote's reply are joined with spaces.
    pub text: Cow<'static, str>,
}

impl Reply {
    /// A reply of our own.
    #[must_use]
    pub const fn new(code: u16, status: EnhancedStatus, text: &'static str) -> Self {
        Self { code, status: Some(status), text: Cow::Borrowed(text) }
    }

    /// A reply whose text comes from elsewhere: it is made printable and cut at [`TEXT_BYTES_MAX`].
    #[must_use]
    pub fn from_text(code: u16, status: Option<EnhancedStatus>, text: &str) -> Self {
        Self { code, status, text: Cow::Owned(printable(text)) }
    }

    /// Writes the reply as one line with its CRLF.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.encode_line(&self.text, true, out);
    }

    /// Writes the reply with `lines` in place of its text, as many lines with the code before each
    /// (RFC 5321 4.2.1).
    pub fn encode_lines<'a>(&self, lines: impl IntoIterator<Item = &'a str>, out: &mut Vec<u8>) {
        let mut lines = lines.into_iter().peekable();
        while let Some(line) = lines.next() {
            self.encode_line(line, lines.peek().is_none(), out);
        }
    }

    fn encode_line(&self, text: &str, last: bool, out: &mut Vec<u8>) {
        let start = out.len();
        let separator = if last { ' ' } else { '-' };
        let code = self.code.clamp(200, 599);
        // Writing to a Vec can't fail.
        let _ = write!(out, "{code}{separator}");
        if let Some(status) = self.status {
            let _ = write!(out, "{status} ");
        }
        out.extend(text.chars().map(|c| if matches!(c, ' '..='~') { c as u8 } else { b'?' }));
        out.truncate(start + REPLY_LINE_BYTES_MAX - 2);
        out.extend_from_slice(b"\r\n");
    }

    /// 2xx (RFC 5321 4.2.1).
    #[must_use]
    pub fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// 4xx (RFC 5321 4.2.1).
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.code / 100 == 4
    }

    /// 5xx (RFC 5321 4.2.1).
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.code / 100 == 5
    }
}

impl fmt::Display for Reply {
    /// One line without its end, as `550 5.1.1 no such user`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => write!(f, "{} {status} {}", self.code, self.text),
            None => write!(f, "{} {}", self.code, self.text),
        }
    }
}

/// Line ends and other white space become single spaces, what is left of controls and what is not ASCII `?`
/// (RFC 6531 3.7.4.2 allows UTF-8 only to clients that asked for it), and the end is cut.
fn printable(text: &str) -> String {
    let mut clean = String::with_capacity(text.len().min(TEXT_BYTES_MAX));
    for word in text.split([' ', '\t', '\r', '\n']).filter(|word| !word.is_empty()) {
        if !clean.is_empty() {
            clean.push(' ');
        }
        let room = TEXT_BYTES_MAX.saturating_sub(clean.len());
        clean.extend(word.chars().take(room).map(|c| if c.is_ascii_graphic() { c } else { '?' }));
        if word.len() >= room {
            break;
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OK: Reply = Reply::new(250, EnhancedStatus::new(2, 0, 0), "fine");

    #[test]
    fn one_line_and_many_rfc5321_4_2_1() {
        let mut out = Vec::new();
        OK.encode(&mut out);
        OK.encode_lines(["one", "two"], &mut out);
        assert_eq!(out, b"250 2.0.0 fine\r\n250-2.0.0 one\r\n250 2.0.0 two\r\n");
    }

    #[test]
    fn text_from_elsewhere_is_made_printable() {
        let reply = Reply::from_text(550, None, "no\r\n250 ok\0 \u{e4}");
        assert_eq!(reply.to_string(), "550 no 250 ok? ?");
    }

    proptest! {
        #[test]
        fn a_reply_is_one_line_whatever_its_text_rfc5321_4_5_3_1_5(text in "(?s).{0,700}", from_text: bool) {
            let reply = if from_text {
                Reply::from_text(554, Some(EnhancedStatus::new(5, 999, 999)), &text)
            } else {
                Reply { code: 554, status: Some(EnhancedStatus::new(5, 0, 0)), text: text.into() }
            };
            let mut out = Vec::new();
            reply.encode(&mut out);
            prop_assert!(out.len() <= REPLY_LINE_BYTES_MAX);
            let line = out.strip_suffix(b"\r\n").expect("CRLF at the end");
            prop_assert!(line.iter().all(|o| matches!(o, b' '..=b'~')));
        }
    }
}
