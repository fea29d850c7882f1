//! Command lines out of a stream of octets: only CRLF ends one (RFC 5321 2.3.8), and memory is bounded.

use memchr::memchr;

/// Cuts a stream into lines. Keeps only what came of an unfinished line.
#[derive(Debug, Default)]
pub struct LineFramer {
    partial: Vec<u8>,
    /// The line grew too long: everything up to its end is thrown away.
    discarding: bool,
    /// The last octet seen was a CR; needed while discarding, when it is not kept.
    ends_in_cr: bool,
}

/// One line of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// Without its CRLF.
    Complete(&'a [u8]),
    /// It was longer than allowed; all of it is gone (RFC 5321 4.5.3.1.4).
    TooLong,
    /// A CR or an LF stood alone in it (RFC 5321 2.3.8); all of it is gone.
    BareLineEnd,
}

impl LineFramer {
    /// The next line of what was left before and `input`, which moves on behind it. None: all of `input` was taken
    /// and the line goes on. A line has at most `bytes_max` octets with its CRLF.
    pub fn next<'a, 'i: 'a>(&'a mut self, input: &mut &'i [u8], bytes_max: usize) -> Option<Line<'a>> {
        let Some(end) = self.line_end(input) else {
            self.keep(input, bytes_max);
            *input = &[];
            return None;
        };
        let (line, rest) = input.split_at(end);
        *input = rest;
        self.ends_in_cr = false;
        if std::mem::take(&mut self.discarding) || self.partial.len() + line.len() > bytes_max {
            self.partial = Vec::new();
            return Some(Line::TooLong);
        }
        if self.partial.is_empty() {
            return Some(without_end(line));
        }
        self.partial.extend_from_slice(line);
        Some(without_end(&self.partial))
    }

    /// Gives back the memory of a finished line. To be called when no [`Line`] is in use and before the next one.
    pub fn release(&mut self) {
        if !self.is_partial() {
            self.partial = Vec::new();
        }
    }

    /// A line has begun and not ended.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.discarding || (!self.partial.is_empty() && !self.partial.ends_with(b"\r\n"))
    }

    /// Index behind the first CRLF, whose CR may have come before.
    fn line_end(&mut self, input: &[u8]) -> Option<usize> {
        self.release();
        let mut from = 0;
        while let Some(at) = memchr(b'\n', &input[from..]).map(|at| at + from) {
            let after_cr = if at == 0 { self.ends_in_cr } else { input[at - 1] == b'\r' };
            if after_cr {
                return Some(at + 1);
            }
            from = at + 1;
        }
        None
    }

    fn keep(&mut self, input: &[u8], bytes_max: usize) {
        if let Some(last) = input.last() {
            self.ends_in_cr = *last == b'\r';
        }
        if self.partial.len() + input.len() > bytes_max {
            self.discarding = true;
            self.partial = Vec::new();
        }
        if !self.discarding {
            self.partial.extend_from_slice(input);
        }
    }
}

fn without_end(line: &[u8]) -> Line<'_> {
    let line = line.strip_suffix(b"\r\n").unwrap_or(line);
    if memchr::memchr2(b'\r', b'\n', line).is_some() { Line::BareLineEnd } else { Line::Complete(line) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, PartialEq)]
    enum Seen {
        Line(Vec<u8>),
        TooLong,
        Bare,
    }

    fn lines(pieces: &[&[u8]], bytes_max: usize) -> Vec<Seen> {
        let mut framer = LineFramer::default();
        let mut seen = Vec::new();
        for mut piece in pieces.iter().copied() {
            while let Some(line) = framer.next(&mut piece, bytes_max) {
                seen.push(match line {
                    Line::Complete(line) => Seen::Line(line.to_vec()),
                    Line::TooLong => Seen::TooLong,
                    Line::BareLineEnd => Seen::Bare,
                });
            }
            assert!(framer.partial.len() <= bytes_max);
        }
        seen
    }

    #[test]
    fn only_crlf_ends_a_line_rfc5321_2_3_8() {
        let seen = lines(&[b"NOOP\r\nRSET\nQUIT\r\nA\rB\r\n\r\r\n\r\nHE", b"LP\r", b"\nrest"], 512);
        let line = |text: &[u8]| Seen::Line(text.to_vec());
        assert_eq!(seen, [line(b"NOOP"), Seen::Bare, Seen::Bare, Seen::Bare, line(b""), line(b"HELP")]);
    }

    #[test]
    fn a_line_too_long_is_told_once_and_thrown_away_rfc5321_4_5_3_1_4() {
        let seen = lines(&[b"12345678\r\n", b"123456789\r\n123456789", b"12345\n6789\r", b"\nok\r\n"], 10);
        assert_eq!(seen, [Seen::Line(b"12345678".to_vec()), Seen::TooLong, Seen::TooLong, Seen::Line(b"ok".to_vec())]);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_lines(
            input in proptest::collection::vec(proptest::sample::select(b"ab\r\r\n\n".to_vec()), 0..80),
            cuts in proptest::collection::vec(0_usize..80, 0..6),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(input.len())).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts {
                pieces.push(&input[from..cut]);
                from = cut;
            }
            pieces.push(&input[from..]);
            prop_assert_eq!(lines(&pieces, 12), lines(&[&input], 12));
        }
    }
}
