//! JSON (RFC 8259) as a tree: small rather than fast, for it is read once a load.
//!
//! The text comes from the host, which made it of TOML, so positions in it would mean nothing; errors name keys instead.

use super::{Misfit, joined};

/// Lists and tables within one another, at most.
const DEPTH_MAX: u32 = 64;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// Nothing.
    Null,
    /// Yes or no.
    Bool(bool),
    /// As it stands in the text: reading floats takes more code than a small plugin has.
    Number(String),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// Keys and values, in their order.
    Table(Vec<(String, Json)>),
}

impl Json {
    /// What it is, for errors; short scalars as they were written.
    pub(crate) fn shown(&self) -> String {
        let word = match self {
            Self::Null => "null",
            Self::Bool(true) => "true",
            Self::Bool(false) => "false",
            Self::Number(number) => number,
            Self::Text(text) if text.len() <= 60 => return joined(&["\"", text, "\""]),
            Self::Text(_) => "a long text",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        };
        word.to_owned()
    }

    /// It is not what was expected.
    pub(crate) fn misfit(&self, expected: &str) -> Misfit {
        Misfit::new(joined(&["expected ", expected, ", found ", &self.shown()]))
    }
}

/// Reads the whole text as one value.
pub(crate) fn parse(text: &str) -> Result<Json, Misfit> {
    let mut reader = Reader { text, at: 0, depth: 0 };
    let value = reader.value();
    match value {
        Some(value) if reader.peek() == END => Ok(value),
        _ if reader.depth > DEPTH_MAX => Err(Misfit::new("the configuration is nested too deep")),
        _ => Err(Misfit::new("the configuration is not JSON")),
    }
}

/// What is read behind the end: no JSON has it.
const END: u8 = 0;

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: u32,
}

impl Reader<'_> {
    fn octet(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(END)
    }

    /// The next octet behind white space.
    fn peek(&mut self) -> u8 {
        while matches!(self.octet(), b' ' | b'\t' | b'\r' | b'\n') {
            self.at += 1;
        }
        self.octet()
    }

    fn eat(&mut self, wanted: u8) -> Option<()> {
        let found = self.peek() == wanted;
        self.at += usize::from(found);
        found.then_some(())
    }

    fn word(&mut self, word: &str, value: Json) -> Option<Json> {
        let found = self.text.as_bytes().get(self.at..)?.starts_with(word.as_bytes());
        self.at += word.len();
        found.then_some(value)
    }

    fn value(&mut self) -> Option<Json> {
        match self.peek() {
            b'n' => self.word("null", Json::Null),
            b't' => self.word("true", Json::Bool(true)),
            b'f' => self.word("false", Json::Bool(false)),
            b'"' => self.string().map(Json::Text),
            open @ (b'[' | b'{') => self.within(open == b'{'),
            b'-' | b'0'..=b'9' => {
                let begin = self.at;
                while matches!(self.octet(), b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E') {
                    self.at += 1;
                }
                Some(Json::Number(self.text.get(begin..self.at)?.to_owned()))
            }
            _ => None,
        }
    }

    /// Reads a list or a table.
    fn within(&mut self, is_table: bool) -> Option<Json> {
        self.at += 1;
        self.depth += 1;
        // Its depth stays beyond the limit and tells why.
        if self.depth > DEPTH_MAX {
            return None;
        }
        let close = if is_table { b'}' } else { b']' };
        let (mut items, mut entries) = (Vec::new(), Vec::new());
        if self.peek() != close {
            loop {
                if is_table {
                    self.peek();
                    let key = self.string()?;
                    self.eat(b':')?;
                    entries.push((key, self.value()?));
                } else {
                    items.push(self.value()?);
                }
                if self.eat(b',').is_none() {
                    break;
                }
            }
        }
        self.depth -= 1;
        self.eat(close)?;
        Some(if is_table { Json::Table(entries) } else { Json::List(items) })
    }

    fn string(&mut self) -> Option<String> {
        self.eat(b'"')?;
        let mut text = String::new();
        loop {
            let begin = self.at;
            while !matches!(self.octet(), b'"' | b'\\' | END) {
                self.at += 1;
            }
            text.push_str(self.text.get(begin..self.at)?);
            let end = self.octet();
            self.at += 1;
            match end {
                b'"' => return Some(text),
                b'\\' => text.push(self.escaped()?),
                // A NUL within a text, which JSON writes as an escape (RFC 8259 7), or the end of all.
                _ => return None,
            }
        }
    }

    fn escaped(&mut self) -> Option<char> {
        let letter = self.octet();
        self.at += 1;
        Some(match letter {
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'"' | b'\\' | b'/' => char::from(letter),
            b'u' => {
                // Four digits, or a pair of surrogates (RFC 8259 7).
                let high = self.four_digits()?;
                let mut code = high;
                if high & 0xfc00 == 0xd800 {
                    self.word("\\u", Json::Null)?;
                    let low = self.four_digits()?;
                    if low & 0xfc00 != 0xdc00 {
                        return None;
                    }
                    code = 0x10000 + ((high & 0x3ff) << 10) + (low & 0x3ff);
                }
                return char::from_u32(code);
            }
            _ => return None,
        })
    }

    fn four_digits(&mut self) -> Option<u32> {
        let mut number = 0;
        for _ in 0..4 {
            number = number << 4 | char::from(self.octet()).to_digit(16)?;
            self.at += 1;
        }
        Some(number)
    }
}
