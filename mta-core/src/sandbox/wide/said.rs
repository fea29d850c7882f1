//! What a guest prints, as lines: standard output and standard error of interpreters, bounded.

use std::collections::VecDeque;

/// Octets of a line that are kept; the rest of it is dropped.
const LINE_BYTES_MAX: usize = 1024;
/// Lines of a guest's last words that a fault quotes: what an interpreter says of an exception is followed by what its own
/// runtime says of the end.
const LAST_LINES_MAX: usize = 5;
/// Octets of each of them.
const LAST_BYTES_MAX: usize = 160;

/// Where it prints to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Out,
    Err,
}

/// What was printed and is not a line yet.
#[derive(Debug, Default)]
pub(crate) struct Said {
    out: Vec<u8>,
    err: Vec<u8>,
    /// The last lines of standard error.
    last: VecDeque<String>,
}

impl Stream {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Out => "stdout",
            Self::Err => "stderr",
        }
    }
}

impl Said {
    /// Takes more in; the lines that are whole with it.
    pub(crate) fn take(&mut self, stream: Stream, octets: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for piece in octets.split_inclusive(|octet| *octet == b'\n') {
            let (text, ends) = match piece.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (piece, false),
            };
            let begun = self.begun(stream);
            let room = LINE_BYTES_MAX.saturating_sub(begun.len());
            begun.extend_from_slice(text.get(..room).unwrap_or(text));
            if ends {
                lines.extend(self.end(stream));
            }
        }
        lines
    }

    /// The line that was begun, if any.
    pub(crate) fn end(&mut self, stream: Stream) -> Option<String> {
        let line = std::mem::take(self.begun(stream));
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        if line.is_empty() {
            return None;
        }
        if stream == Stream::Err {
            if self.last.len() == LAST_LINES_MAX {
                self.last.pop_front();
            }
            self.last.push_back(line.clone());
        }
        Some(line)
    }

    /// The last lines of standard error, in which interpreters say why they end; then they are forgotten.
    pub(crate) fn last_words(&mut self) -> Option<String> {
        let words = std::mem::take(&mut self.last).into_iter().map(|line| {
            let mut line = line.replace(char::is_control, " ");
            line.truncate(line.floor_char_boundary(LAST_BYTES_MAX));
            line
        });
        let words = words.collect::<Vec<_>>().join(" | ");
        (!words.is_empty()).then_some(words)
    }

    fn begun(&mut self, stream: Stream) -> &mut Vec<u8> {
        match stream {
            Stream::Out => &mut self.out,
            Stream::Err => &mut self.err,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_become_lines_and_streams_are_apart() {
        let mut said = Said::default();
        assert_eq!(said.take(Stream::Out, b"one\ntw"), ["one"]);
        assert_eq!(said.take(Stream::Err, b"Trace\nKeyError: 'x'\n\n"), ["Trace", "KeyError: 'x'"]);
        assert_eq!(said.take(Stream::Out, b"o\n"), ["two"]);
        assert_eq!(said.last_words().as_deref(), Some("Trace | KeyError: 'x'"));
        assert_eq!(said.last_words(), None);
        assert_eq!(said.take(Stream::Out, b"three"), [""; 0]);
        assert_eq!(said.end(Stream::Out).as_deref(), Some("three"));
        assert_eq!(said.end(Stream::Out), None);
    }

    #[test]
    fn a_line_without_an_end_takes_no_memory() {
        let mut said = Said::default();
        for _ in 0..100 {
            assert_eq!(said.take(Stream::Err, &[b'x'; 1000]), [""; 0]);
        }
        assert!(said.err.capacity() <= 2 * LINE_BYTES_MAX);
        assert_eq!(
            said.take(Stream::Err, b"\nnext\n").iter().map(String::len).collect::<Vec<_>>(),
            [LINE_BYTES_MAX, 4]
        );
        assert!(said.take(Stream::Err, &[&[b'y'; 400][..], b"\x07\n"].concat())[0].len() > LAST_BYTES_MAX);
        for nth in 0..9 {
            said.take(Stream::Err, format!("{nth}\n").as_bytes());
        }
        assert_eq!(said.last_words().as_deref(), Some("4 | 5 | 6 | 7 | 8"));
        said.take(Stream::Err, &[&[b'y'; 400][..], b"\n"].concat());
        assert_eq!(said.last_words().map(|words| words.len()), Some(LAST_BYTES_MAX));
    }
}
