//! JSON whose texts are masked: each is gathered whole before it is written.

use super::mask::Mask;
use serde_json::ser::{CharEscape, Formatter};
use std::io::{self, Write};

/// The field that names a user.
pub(super) const USER: &str = "user";

/// Writes JSON as serde_json does, but for what the mask makes of texts.
pub(super) struct Masked<'m> {
    mask: &'m Mask,
    /// The text that is being written, without quotes and escapes.
    text: String,
    is_key: bool,
    /// The present value is that of a user.
    is_user: bool,
}

impl<'m> Masked<'m> {
    pub(super) fn new(mask: &'m Mask) -> Self {
        Self { mask, text: String::new(), is_key: false, is_user: false }
    }
}

impl Formatter for Masked<'_> {
    fn begin_object_key<W: Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.is_key = true;
        if first { Ok(()) } else { writer.write_all(b",") }
    }

    fn end_object_key<W: Write + ?Sized>(&mut self, _: &mut W) -> io::Result<()> {
        self.is_key = false;
        Ok(())
    }

    fn begin_string<W: Write + ?Sized>(&mut self, _: &mut W) -> io::Result<()> {
        self.text.clear();
        Ok(())
    }

    fn write_string_fragment<W: Write + ?Sized>(&mut self, _: &mut W, fragment: &str) -> io::Result<()> {
        self.text.push_str(fragment);
        Ok(())
    }

    fn write_char_escape<W: Write + ?Sized>(&mut self, _: &mut W, escape: CharEscape) -> io::Result<()> {
        self.text.push(match escape {
            CharEscape::Quote => '"',
            CharEscape::ReverseSolidus => '\\',
            CharEscape::Solidus => '/',
            CharEscape::Backspace => '\x08',
            CharEscape::FormFeed => '\x0c',
            CharEscape::LineFeed => '\n',
            CharEscape::CarriageReturn => '\r',
            CharEscape::Tab => '\t',
            CharEscape::AsciiControl(octet) => char::from(octet),
        });
        Ok(())
    }

    fn end_string<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        let shown = match (self.is_key, self.is_user) {
            (true, _) => {
                self.is_user = self.text == USER;
                self.text.as_str().into()
            }
            (false, true) => self.mask.name(&self.text),
            (false, false) => self.mask.text(&self.text),
        };
        serde_json::to_writer(writer, &*shown).map_err(io::Error::from)
    }
}
