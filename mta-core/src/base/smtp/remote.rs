//! Replies of a remote server, read as a client: one line or many, bounded, checked (RFC 5321 4.2).

use super::reply::Reply;
use super::status::EnhancedStatus;
use memchr::memchr;

/// Longest line in octets. RFC 5321 4.5.3.1.5 says 512; servers that say more exist, and are heard out.
const LINE_BYTES_MAX: usize = 2048;

/// Most lines of one reply; an EHLO reply of all registered keywords has about 50.
const LINES_MAX: usize = 128;

/// Reads replies out of a stream of octets, one after the other.
#[derive(Debug, Default)]
pub struct ReplyReader {
    line: Vec<u8>,
    code: Option<u16>,
    text: String,
    lines: usize,
}

/// One reply as the remote wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteReply {
    /// Three digits, 200 to 599.
    pub code: u16,
    /// Its lines without codes, joined with LF; made printable.
    text: String,
}

/// The remote does not speak SMTP: the connection is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// No code at the start of a line, or another one than in the line before (RFC 5321 4.2.1).
    #[error("the remote's reply is malformed")]
    Malformed,
    /// A line, or all of it, is too long.
    #[error("the remote's reply is too long")]
    TooLong,
}

impl ReplyReader {
    /// The next whole reply of what was left before and `input`, which moves on behind it. None: all of `input` was
    /// taken and the reply goes on. LF alone ends a line too: there is nothing to smuggle in what we only read.
    ///
    /// # Errors
    /// What the remote did wrong; the reader is of no more use then.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<RemoteReply>, ReplyError> {
        while let Some(end) = memchr(b'\n', input) {
            let (line, rest) = input.split_at(end + 1);
            *input = rest;
            self.keep(line)?;
            let line = std::mem::take(&mut self.line);
            if let Some(reply) = self.line(&line)? {
                return Ok(Some(reply));
            }
        }
        self.keep(input)?;
        *input = &[];
        Ok(None)
    }

    /// A reply has begun and not ended.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        !self.line.is_empty() || self.code.is_some()
    }

    fn keep(&mut self, octets: &[u8]) -> Result<(), ReplyError> {
        if self.line.len() + octets.len() > LINE_BYTES_MAX {
            return Err(ReplyError::TooLong);
        }
        self.line.extend_from_slice(octets);
        Ok(())
    }

    /// `code SP text`, `code-text` when more lines follow, or the code alone (RFC 5321 4.2).
    fn line(&mut self, line: &[u8]) -> Result<Option<RemoteReply>, ReplyError> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let (digits, rest) = line.split_at_checked(3).ok_or(ReplyError::Malformed)?;
        let code = code(digits).ok_or(ReplyError::Malformed)?;
        if self.code.is_some_and(|before| before != code) {
            return Err(ReplyError::Malformed);
        }
        let (more, text) = match rest.split_first() {
            None => (false, rest),
            Some((b' ', text)) => (false, text),
            Some((b'-', text)) => (true, text),
            Some(_) => return Err(ReplyError::Malformed),
        };
        self.lines += 1;
        if self.lines > LINES_MAX {
            return Err(ReplyError::TooLong);
        }
        if self.lines > 1 {
            self.text.push('\n');
        }
        let text = String::from_utf8_lossy(text);
        self.text.extend(text.chars().map(|c| if c.is_control() { '?' } else { c }));
        self.code = Some(code);
        if more {
            return Ok(None);
        }
        let text = std::mem::take(self).text;
        Ok(Some(RemoteReply { code, text }))
    }
}

impl RemoteReply {
    /// The lines without their codes, statuses still in them.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.text.split('\n')
    }

    /// As one reply: the status apart, taken out of each line, and the lines joined with spaces.
    #[must_use]
    pub fn into_reply(self) -> Reply {
        let status = EnhancedStatus::split(&self.text, self.code).map(|(status, _)| status);
        let status = status.or_else(|| self.lines().find_map(|l| EnhancedStatus::split(l, self.code)).map(|(s, _)| s));
        if status.is_none() && !self.text.contains('\n') {
            return Reply { code: self.code, status, text: self.text.into() };
        }
        let mut joined = String::with_capacity(self.text.len());
        for line in self.lines() {
            let text = EnhancedStatus::split(line, self.code).map_or(line, |(_, text)| text);
            if !joined.is_empty() && !text.is_empty() {
                joined.push(' ');
            }
            joined.push_str(text);
        }
        Reply { code: self.code, status, text: joined.into() }
    }
}

/// `%x32-35 %x30-35 %x30-39` (RFC 5321 4.2), second digits up to 9 let pass.
fn code(digits: &[u8]) -> Option<u16> {
    match digits {
        [a @ b'2'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9'] => {
            Some(u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0'))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(pieces: &[&[u8]]) -> Result<Vec<RemoteReply>, ReplyError> {
        let mut reader = ReplyReader::default();
        let mut replies = Vec::new();
        for mut piece in pieces.iter().copied() {
            while let Some(reply) = reader.next(&mut piece)? {
                replies.push(reply);
            }
        }
        Ok(replies)
    }

    fn one(wire: &str) -> Reply {
        read(&[wire.as_bytes()]).expect("a reply").remove(0).into_reply()
    }

    #[test]
    fn lines_are_joined_and_statuses_set_apart_rfc5321_4_2_1_rfc2034_4() {
        let reply = one("550-5.1.1 no such\r\n550-5.1.1 user\r\n550 5.1.1 here\r\n");
        assert_eq!(reply, Reply::from_text(550, Some(EnhancedStatus::new(5, 1, 1)), "no such user here"));
        assert_eq!(one("250\r\n"), Reply::from_text(250, None, ""));
        assert_eq!(one("354 go\n"), Reply::from_text(354, None, "go"));
        assert_eq!(one("250 a\u{7}b\r\n").text, "a?b");
    }

    #[test]
    fn what_is_no_reply_is_told_rfc5321_4_2() {
        for wire in ["\r\n", "25\r\n", "hello\r\n", "650 x\r\n", "250+x\r\n", "250-a\r\n251 b\r\n", "199 x\r\n"] {
            assert_eq!(read(&[wire.as_bytes()]), Err(ReplyError::Malformed), "{wire}");
        }
        assert_eq!(read(&[&[b'2'; 3000]]), Err(ReplyError::TooLong));
        assert_eq!(read(&["250-x\r\n".repeat(200).as_bytes()]), Err(ReplyError::TooLong));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_replies(
            input in "(2[0-9][0-9][ -][a-c]{0,3}\r?\n|354 \r\n){0,8}", cuts in proptest::collection::vec(0_usize..60, 0..5),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(input.len())).collect();
            cuts.sort_unstable();
            cuts.push(input.len());
            let mut from = 0;
            let octets = input.as_bytes();
            let pieces: Vec<&[u8]> =
                cuts.into_iter().map(|cut| &octets[std::mem::replace(&mut from, cut)..cut]).collect();
            prop_assert_eq!(read(&pieces), read(&[octets]));
        }
    }
}
