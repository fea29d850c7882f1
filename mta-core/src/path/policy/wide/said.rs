//! What a guest prints, as lines: standard output and standard error of interpreters, bounded.

/// Octets of a line that are kept; the rest of it is dropped.
const LINE_BYTES_MAX: usize = 1024;
/// Octets of a guest's last words that a fault quotes.
const LAST_BYTES_MAX: usize = 256;

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
    last: Option<String>,
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
            self.last = Some(line.clone());
        }
        Some(line)
    }

    /// The last line of standard error, on which interpreters say why they end; then it is forgotten.
    pub(crate) fn last_words(&mut self) -> Option<String> {
        let mut words = self.last.take()?.replace(char::is_control, " ");
        words.truncate(words.floor_char_boundary(LAST_BYTES_MAX));
        Some(words)
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
        assert_eq!(said.last_words().as_deref(), Some("KeyError: 'x'"));
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
        assert_eq!(said.last_words().map(|words| words.len()), Some(LAST_BYTES_MAX));
    }
}
