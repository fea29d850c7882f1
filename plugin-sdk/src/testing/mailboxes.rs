//! Mailboxes of native tests, read as the server reads them (RFC 5322 3.4).

use crate::message::Mailbox;
use std::mem::take;

/// The mailboxes of a field's value, those of groups among them. Encoded words stay as they are.
pub(super) fn read(value: &str) -> Vec<Mailbox> {
    let mut reader = Reader::default();
    value.chars().for_each(|letter| reader.take(letter));
    reader.end();
    reader.found
}

#[derive(Default)]
struct Reader {
    found: Vec<Mailbox>,
    /// Outside angle brackets: a name, or an address alone.
    plain: String,
    /// The address in angle brackets, once they were met.
    angled: Option<String>,
    /// Comments in comments.
    depth: usize,
    /// Quoted words are names, whatever is in them.
    is_name: bool,
    is_quoted: bool,
    is_in_angle: bool,
    is_escaped: bool,
}

impl Reader {
    fn take(&mut self, letter: char) {
        if self.depth > 0 || self.is_quoted {
            match letter {
                _ if take(&mut self.is_escaped) => self.push(letter),
                '\\' => self.is_escaped = true,
                '"' if self.depth == 0 => self.is_quoted = false,
                '(' if !self.is_quoted => self.depth += 1,
                ')' if !self.is_quoted => self.depth -= 1,
                letter => self.push(letter),
            }
            return;
        }
        match letter {
            '(' => self.depth = 1,
            '"' => (self.is_quoted, self.is_name) = (true, true),
            '<' => (self.is_in_angle, self.angled) = (true, Some(String::new())),
            '>' => self.is_in_angle = false,
            ',' | ';' => self.end(),
            // What was before it is the name of a group.
            ':' if !self.is_in_angle => self.plain.clear(),
            letter => self.push(letter),
        }
    }

    fn push(&mut self, letter: char) {
        match &mut self.angled {
            _ if self.depth > 0 => {}
            Some(address) if self.is_in_angle => address.push(letter),
            _ => self.plain.push(letter),
        }
    }

    /// A mailbox is whole.
    fn end(&mut self) {
        let plain = take(&mut self.plain).trim().to_owned();
        let (name, address) = match self.angled.take() {
            Some(address) => (plain, address.trim().to_owned()),
            None if take(&mut self.is_name) || !plain.contains('@') => (plain, String::new()),
            None => (String::new(), plain),
        };
        *self = Self { found: take(&mut self.found), ..Self::default() };
        if !name.is_empty() || !address.is_empty() {
            self.found.push(Mailbox { name, address });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn mailboxes_are_read_as_the_server_reads_them_rfc5322_3_4() {
        for (value, wanted) in [
            ("Ann <ann@a.test>, bob@a.test", &[("Ann", "ann@a.test"), ("", "bob@a.test")][..]),
            ("\"a, \\\" <b@c.test>\" <ann@a.test>", &[("a, \" <b@c.test>", "ann@a.test")]),
            ("Ann (the <first>, of (many)) <ann@a.test> (x)", &[("Ann", "ann@a.test")]),
            ("ann@a.test (Ann, Inc.)", &[("", "ann@a.test")]),
            ("friends: a@b.test, c@d.test;", &[("", "a@b.test"), ("", "c@d.test")]),
            ("undisclosed:;", &[]),
            ("Ann", &[("Ann", "")]),
            ("<>", &[]),
            ("x <a@b.test", &[("x", "a@b.test")]),
        ] {
            let read = read(value);
            let told: Vec<_> = read.iter().map(|one| (&*one.name, &*one.address)).collect();
            assert_eq!(told, wanted, "{value}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(value in "[ab@<>()\",;:\\\\ ]{0,40}|.*") {
            let _ = read(&value);
        }
    }
}
