//! Content between DATA and CRLF.CRLF: dots taken off on the way in and put on on the way out (RFC 5321 4.5.2).

use memchr::{memchr2, memmem};

/// Reads content up to its end. Only CRLF.CRLF ends it; a bare CR or LF is noted and ends nothing, so that no server
/// behind us can be made to see an end where we saw none (RFC 5321 2.3.8, 4.1.1.4).
#[derive(Debug)]
pub struct DotDecoder {
    state: State,
    bare: bool,
}

/// Where in a line the next octet falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Behind CRLF, or at the very start.
    LineStart,
    /// Behind a dot at the start of a line; the dot is content only if it was doubled.
    Dot,
    /// Behind such a dot and a CR.
    DotCr,
    /// Somewhere in a line.
    Text,
    /// Behind a CR in a line.
    Cr,
}

impl Default for DotDecoder {
    fn default() -> Self {
        Self { state: State::LineStart, bare: false }
    }
}

impl DotDecoder {
    /// Decodes `input` into `sink`, in as few pieces as the dots allow. Returns how many octets belonged to the
    /// content and its end: less than all of them only when the end was found.
    pub fn decode(&mut self, input: &[u8], mut sink: impl FnMut(&[u8])) -> Decoded {
        // Octets from `run` on are content that was not yet given to the sink.
        let mut run = 0;
        let mut at = 0;
        while at < input.len() {
            let octet = input[at];
            match self.state {
                State::LineStart if octet == b'.' => {
                    sink(&input[run..at]);
                    run = at + 1;
                    at += 1;
                    self.state = State::Dot;
                }
                State::Dot if octet == b'\r' => {
                    at += 1;
                    self.state = State::DotCr;
                }
                State::DotCr if octet == b'\n' => return Decoded { taken: at + 1, ended: true },
                State::DotCr => {
                    // The CR was held back until now; the content is refused anyway, so it need not be made up.
                    self.bare = true;
                    run = at;
                    self.state = State::Text;
                }
                State::LineStart | State::Dot | State::Text => at = self.text(input, at),
                State::Cr => {
                    self.state = match octet {
                        b'\n' => State::LineStart,
                        b'\r' => State::Cr,
                        _ => State::Text,
                    };
                    self.bare |= self.state != State::LineStart;
                    at += 1;
                }
            }
        }
        if self.state != State::DotCr {
            sink(&input[run..]);
        }
        Decoded { taken: input.len(), ended: false }
    }

    /// Runs to the next CR or LF and over it; the common CRLF is taken in one step.
    fn text(&mut self, input: &[u8], from: usize) -> usize {
        let Some(end) = memchr2(b'\r', b'\n', &input[from..]).map(|at| at + from) else {
            self.state = State::Text;
            return input.len();
        };
        if input[end] == b'\n' {
            self.bare = true;
            self.state = State::Text;
            return end + 1;
        }
        if input.get(end + 1) == Some(&b'\n') {
            self.state = State::LineStart;
            return end + 2;
        }
        self.state = State::Cr;
        end + 1
    }

    /// A CR or an LF stood alone somewhere: the message is to be refused once its end has come.
    #[must_use]
    pub fn found_bare(&self) -> bool {
        self.bare
    }
}

/// How far a piece of input went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Octets taken, with those of the end.
    pub taken: usize,
    /// CRLF.CRLF was found.
    pub ended: bool,
}

/// Finds bare CR and LF in content that has no dots to decode (BDAT, RFC 3030 2).
#[derive(Clone, Debug, Default)]
pub struct LineEndCheck {
    after_cr: bool,
    bare: bool,
}

impl LineEndCheck {
    /// Looks at the next piece.
    pub fn feed(&mut self, piece: &[u8]) {
        let mut from = 0;
        if self.after_cr && !piece.is_empty() {
            self.after_cr = false;
            if piece[0] == b'\n' {
                from = 1;
            } else {
                self.bare = true;
            }
        }
        while let Some(at) = memchr2(b'\r', b'\n', &piece[from..]).map(|at| at + from) {
            match (piece[at], piece.get(at + 1)) {
                (b'\r', Some(b'\n')) => from = at + 2,
                (b'\r', None) => {
                    self.after_cr = true;
                    return;
                }
                _ => {
                    self.bare = true;
                    return;
                }
            }
        }
    }

    /// A CR or an LF stood alone in what came so far; a CR at its end may yet be part of CRLF.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.bare
    }

    /// The content is over: a CR or an LF stood alone; a CR at the very end counts.
    #[must_use]
    pub fn found_bare(&self) -> bool {
        self.bare || self.after_cr
    }
}

/// Writes content as DATA wants it: dots doubled at line starts, and the end. Works on slices; nothing is copied.
#[derive(Debug, Default)]
pub struct DotEncoder {
    /// How much of CRLF stands at the end of what was encoded; at the start all of it, as far as dots go.
    tail: Tail,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Tail {
    /// Nothing was encoded yet: a line starts here.
    #[default]
    Nothing,
    Text,
    Cr,
    CrLf,
}

impl DotEncoder {
    /// Gives the piece to `sink`, cut where a dot must be doubled.
    pub fn encode<'a>(&mut self, piece: &'a [u8], mut sink: impl FnMut(&'a [u8])) {
        if piece.is_empty() {
            return;
        }
        let mut run = 0;
        let starts_line = matches!(self.tail, Tail::Nothing | Tail::CrLf) && piece[0] == b'.';
        let ends_line = self.tail == Tail::Cr && piece.starts_with(b"\n.");
        if starts_line {
            sink(b".");
        } else if ends_line {
            sink(&piece[..1]);
            sink(b".");
            run = 1;
        }
        for at in memmem::find_iter(piece, b"\r\n.") {
            sink(&piece[run..at + 2]);
            sink(b".");
            run = at + 2;
        }
        sink(&piece[run..]);
        self.tail = match piece {
            [.., b'\r', b'\n'] => Tail::CrLf,
            [b'\n'] if self.tail == Tail::Cr => Tail::CrLf,
            [.., b'\r'] => Tail::Cr,
            _ => Tail::Text,
        };
    }

    /// What ends the content: a CRLF more where its last line had none (RFC 5321 4.1.1.4).
    #[must_use]
    pub fn end(&self) -> &'static [u8] {
        match self.tail {
            Tail::Nothing | Tail::CrLf => b".\r\n",
            Tail::Text | Tail::Cr => b"\r\n.\r\n",
        }
    }
}

#[cfg(test)]
mod tests;
