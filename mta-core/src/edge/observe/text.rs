//! Fields as ` name=value` text: a serializer for flat structs, which is all that an event is.

use super::json::USER;
use super::mask::Mask;
use serde::ser::{Error as _, Impossible, Serialize, SerializeSeq, SerializeStruct, SerializeTuple, Serializer};
use std::io::Write;

type Done = Result<(), serde_json::Error>;
type Refused = Impossible<(), serde_json::Error>;

/// Appends to a line; what it does with a value depends on which part of the event the value is.
pub(super) struct Text<'l> {
    line: &'l mut Vec<u8>,
    mask: &'l Mask,
    part: Part,
}

#[derive(Clone, Copy)]
enum Part {
    /// The event itself: its fields are written one after the other.
    Event,
    /// ` name=value`; a field without a value is left out.
    Field(&'static str),
    /// ` list.name`, the first of a pair in a list …
    PairName(&'static str),
    /// … and `=value`, the second.
    PairValue,
}

/// A list of pairs, or one pair of it with the number of its parts so far.
pub(super) struct Pairs<'l> {
    line: &'l mut Vec<u8>,
    mask: &'l Mask,
    name: &'static str,
    parts: usize,
}

impl<'l> Text<'l> {
    /// Writes an event's fields behind what the line has.
    pub(super) fn of(line: &'l mut Vec<u8>, mask: &'l Mask) -> Self {
        Self { line, mask, part: Part::Event }
    }

    fn begin(&mut self) -> Done {
        match self.part {
            Part::Event => return refused(),
            Part::Field(name) => self.name(name, b'='),
            Part::PairName(name) => self.name(name, b'.'),
            Part::PairValue => self.line.push(b'='),
        }
        Ok(())
    }

    fn name(&mut self, name: &str, end: u8) {
        self.line.push(b' ');
        self.line.extend_from_slice(name.as_bytes());
        self.line.push(end);
    }
}

/// Nothing of an event has this shape.
fn refused<T>() -> Result<T, serde_json::Error> {
    Err(serde_json::Error::custom("a log field is text, a number, true or false, or a list of names with texts"))
}

/// Text as it stands where it can't be mistaken; else in quotes, with escapes for quotes and whatever can't be seen.
fn write_text(line: &mut Vec<u8>, value: &str) {
    let plain = |octet: u8| octet.is_ascii_graphic() && !matches!(octet, b'"' | b'=' | b'\\');
    if !value.is_empty() && value.bytes().all(plain) {
        line.extend_from_slice(value.as_bytes());
        return;
    }
    line.push(b'"');
    for letter in value.chars() {
        // What Rust escapes in strings is what steers terminals, reorders text or can't be seen.
        let escaped = letter.escape_debug();
        if letter == '\'' || escaped.len() == 1 {
            line.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
        } else {
            line.extend(escaped.flat_map(u8::try_from));
        }
    }
    line.push(b'"');
}

macro_rules! shown {
    ($($method:ident $type:ty,)*) => {
        $(fn $method(mut self, value: $type) -> Done {
            self.begin()?;
            write!(self.line, "{value}").map_err(serde_json::Error::custom)
        })*
    };
}

macro_rules! not_in_events {
    ($($method:ident($($type:ty),*) -> $result:ty,)*) => {
        $(fn $method(self, $(_: $type),*) -> Result<$result, serde_json::Error> {
            refused()
        })*
    };
}

impl<'l> Serializer for Text<'l> {
    type Ok = ();
    type Error = serde_json::Error;
    type SerializeSeq = Pairs<'l>;
    type SerializeTuple = Pairs<'l>;
    type SerializeTupleStruct = Refused;
    type SerializeTupleVariant = Refused;
    type SerializeMap = Refused;
    type SerializeStruct = Self;
    type SerializeStructVariant = Refused;

    shown! {
        serialize_bool bool, serialize_char char,
        serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64,
        serialize_u8 u8, serialize_u16 u16, serialize_u32 u32, serialize_u64 u64,
        serialize_f32 f32, serialize_f64 f64,
    }

    fn serialize_str(mut self, value: &str) -> Done {
        self.begin()?;
        let shown = match self.part {
            Part::Field(USER) => self.mask.name(value),
            _ => self.mask.text(value),
        };
        write_text(self.line, &shown);
        Ok(())
    }

    fn serialize_none(self) -> Done {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Self::Error> {
        match self.part {
            Part::Event => Ok(self),
            _ => refused(),
        }
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Pairs<'l>, Self::Error> {
        match self.part {
            Part::Field(name) => Ok(Pairs { line: self.line, mask: self.mask, name, parts: 0 }),
            _ => refused(),
        }
    }

    fn serialize_tuple(self, parts: usize) -> Result<Pairs<'l>, Self::Error> {
        match self.part {
            Part::PairName(name) if parts == 2 => Ok(Pairs { line: self.line, mask: self.mask, name, parts: 0 }),
            _ => refused(),
        }
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Done {
        self.serialize_str(variant)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(self, _: &str, _: u32, _: &str, _: &T) -> Done {
        refused()
    }

    not_in_events! {
        serialize_bytes(&[u8]) -> (),
        serialize_unit() -> (),
        serialize_unit_struct(&'static str) -> (),
        serialize_map(Option<usize>) -> Refused,
        serialize_tuple_struct(&'static str, usize) -> Refused,
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Refused,
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Refused,
    }
}

impl SerializeStruct for Text<'_> {
    type Ok = ();
    type Error = serde_json::Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Done {
        // The event's name was said before its fields.
        let part = Part::Field(name);
        if name == "event" { Ok(()) } else { value.serialize(Text { line: &mut *self.line, mask: self.mask, part }) }
    }

    fn end(self) -> Done {
        Ok(())
    }
}

impl SerializeSeq for Pairs<'_> {
    type Ok = ();
    type Error = serde_json::Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, pair: &T) -> Done {
        pair.serialize(Text { line: &mut *self.line, mask: self.mask, part: Part::PairName(self.name) })
    }

    fn end(self) -> Done {
        Ok(())
    }
}

impl SerializeTuple for Pairs<'_> {
    type Ok = ();
    type Error = serde_json::Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        let part = if self.parts == 0 { Part::PairName(self.name) } else { Part::PairValue };
        self.parts += 1;
        value.serialize(Text { line: &mut *self.line, mask: self.mask, part })
    }

    fn end(self) -> Done {
        Ok(())
    }
}
