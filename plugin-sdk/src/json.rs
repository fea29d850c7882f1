//! Reads the operator's configuration: JSON (RFC 8259) into any type of serde's.
//!
//! Small rather than general: what a plugin's type does not use, floats above all, the linker leaves out. The text
//! comes from the host, which made it of TOML, so positions in it would mean nothing; errors name the key instead.

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};
use std::borrow::Cow;
use std::fmt;

/// Lists and maps within one another, at most.
const DEPTH_MAX: u32 = 64;

/// What does not fit, with the path of keys to it.
#[derive(Debug, PartialEq)]
pub(crate) struct Misfit(String);

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Misfit {}

impl de::Error for Misfit {
    fn custom<T: fmt::Display>(words: T) -> Self {
        Self(words.to_string())
    }

    /// Without the value: showing floats takes a third of a small plugin.
    fn invalid_type(found: Unexpected<'_>, wanted: &dyn de::Expected) -> Self {
        let found = match found {
            Unexpected::Bool(_) => "a boolean",
            Unexpected::Unsigned(_) | Unexpected::Signed(_) => "an integer",
            Unexpected::Float(_) => "a number with a fraction",
            Unexpected::Str(_) | Unexpected::Char(_) => "text",
            Unexpected::Unit | Unexpected::Option => "null",
            Unexpected::Seq => "a list",
            Unexpected::Map => "a table",
            _ => "another type",
        };
        Self(format!("expected {wanted}, found {found}"))
    }

    fn invalid_value(_found: Unexpected<'_>, wanted: &dyn de::Expected) -> Self {
        Self(format!("expected {wanted}, found a value out of range"))
    }
}

/// Reads the whole text as one value.
pub(crate) fn read<'de, T: de::Deserialize<'de>>(text: &'de str) -> Result<T, Misfit> {
    let mut json = Json { text, depth: 0 };
    let value = T::deserialize(&mut json)?;
    match json.peek() {
        None => Ok(value),
        Some(_) => Err(json.broken()),
    }
}

struct Json<'de> {
    /// What is left.
    text: &'de str,
    depth: u32,
}

impl<'de> Json<'de> {
    fn broken(&self) -> Misfit {
        Misfit("the configuration is not JSON".to_owned())
    }

    /// The next octet behind white space.
    fn peek(&mut self) -> Option<u8> {
        self.text = self.text.trim_start_matches([' ', '\t', '\r', '\n']);
        self.text.bytes().next()
    }

    fn eat(&mut self, token: &str) -> Result<(), Misfit> {
        self.peek();
        match self.text.strip_prefix(token) {
            Some(rest) => {
                self.text = rest;
                Ok(())
            }
            None => Err(self.broken()),
        }
    }

    /// A number's text as it stands.
    fn number(&mut self) -> Result<&'de str, Misfit> {
        self.peek();
        let end = self.text.find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E'));
        let end = end.unwrap_or(self.text.len());
        let (number, rest) = self.text.split_at_checked(end).ok_or_else(|| self.broken())?;
        self.text = rest;
        if number.is_empty() { Err(self.broken()) } else { Ok(number) }
    }

    fn integer<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Misfit> {
        if !matches!(self.peek(), Some(b'-' | b'0'..=b'9')) {
            return self.mismatch(&visitor);
        }
        let number = self.number()?;
        match (number.parse::<u64>(), number.parse::<i64>()) {
            (Ok(number), _) => visitor.visit_u64(number),
            (_, Ok(number)) => visitor.visit_i64(number),
            _ => Err(de::Error::invalid_type(Unexpected::Float(0.0), &visitor)),
        }
    }

    fn float<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Misfit> {
        if !matches!(self.peek(), Some(b'-' | b'0'..=b'9')) {
            return self.mismatch(&visitor);
        }
        let number = self.number()?;
        number.parse().map_err(|_| self.broken()).and_then(|number| visitor.visit_f64(number))
    }

    /// A string, borrowed where nothing in it is escaped.
    fn string(&mut self) -> Result<Cow<'de, str>, Misfit> {
        self.eat("\"")?;
        let mut owned = String::new();
        loop {
            let end = self.text.find(['"', '\\']).ok_or_else(|| self.broken())?;
            let (plain, rest) = self.text.split_at_checked(end).ok_or_else(|| self.broken())?;
            if let Some(rest) = rest.strip_prefix('"') {
                self.text = rest;
                return Ok(match owned.is_empty() {
                    true => Cow::Borrowed(plain),
                    false => Cow::Owned(owned + plain),
                });
            }
            owned.push_str(plain);
            let mut behind = rest.chars();
            let escaped = behind.by_ref().nth(1);
            self.text = behind.as_str();
            owned.push(match escaped {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some('b') => '\u{8}',
                Some('f') => '\u{c}',
                Some('u') => self.unicode()?,
                Some(c @ ('"' | '\\' | '/')) => c,
                _ => return Err(self.broken()),
            });
        }
    }

    /// What follows `\u`: four digits, or a pair of surrogates (RFC 8259 7).
    fn unicode(&mut self) -> Result<char, Misfit> {
        let high = self.four_digits()?;
        if !(0xd800..0xdc00).contains(&high) {
            return char::from_u32(high).ok_or_else(|| self.broken());
        }
        self.text = self.text.strip_prefix("\\u").ok_or_else(|| self.broken())?;
        let low = self.four_digits()?.checked_sub(0xdc00).filter(|low| *low < 0x400);
        low.and_then(|low| char::from_u32(0x10000 + ((high - 0xd800) << 10) + low)).ok_or_else(|| self.broken())
    }

    fn four_digits(&mut self) -> Result<u32, Misfit> {
        let (digits, rest) = self.text.split_at_checked(4).ok_or_else(|| self.broken())?;
        self.text = rest;
        u32::from_str_radix(digits, 16).map_err(|_| self.broken())
    }

    /// Reads what is there to say what was found instead.
    fn mismatch<T>(&mut self, wanted: &dyn de::Expected) -> Result<T, Misfit> {
        let found = match self.peek() {
            Some(b'"') => Unexpected::Str(""),
            Some(b'{') => Unexpected::Map,
            Some(b'[') => Unexpected::Seq,
            Some(b't' | b'f') => Unexpected::Bool(true),
            Some(b'n') => Unexpected::Unit,
            Some(b'-' | b'0'..=b'9') => Unexpected::Signed(0),
            _ => return Err(self.broken()),
        };
        Err(de::Error::invalid_type(found, wanted))
    }

    /// Reads between an opening and a closing octet, not too deep.
    fn within<T>(
        &mut self,
        open: &str,
        close: &str,
        read: impl FnOnce(&mut Self) -> Result<T, Misfit>,
    ) -> Result<T, Misfit> {
        self.eat(open)?;
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Misfit(format!("more than {DEPTH_MAX} levels")));
        }
        let value = read(self)?;
        self.depth -= 1;
        self.eat(close)?;
        Ok(value)
    }

    fn sequence<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Misfit> {
        match self.peek() {
            Some(b'[') => self.within("[", "]", |json| visitor.visit_seq(Items { json, first: true })),
            _ => self.mismatch(&visitor),
        }
    }

    fn table<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Misfit> {
        match self.peek() {
            Some(b'{') => {
                self.within("{", "}", |json| visitor.visit_map(Entries { json, first: true, key: Cow::Borrowed("") }))
            }
            _ => self.mismatch(&visitor),
        }
    }

    fn text<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Misfit> {
        if self.peek() != Some(b'"') {
            return self.mismatch(&visitor);
        }
        match self.string()? {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    fn boolean<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Misfit> {
        match self.peek() {
            Some(b't') => self.eat("true").and_then(|()| visitor.visit_bool(true)),
            Some(b'f') => self.eat("false").and_then(|()| visitor.visit_bool(false)),
            _ => self.mismatch(&visitor),
        }
    }

    fn null<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Misfit> {
        match self.peek() {
            Some(b'n') => self.eat("null").and_then(|()| visitor.visit_unit()),
            _ => self.mismatch(&visitor),
        }
    }
}

macro_rules! read_as {
    ($($method:ident)* => $read:ident) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
            self.$read(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut Json<'de> {
    type Error = Misfit;

    read_as!(deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 => integer);
    read_as!(deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 => integer);
    read_as!(deserialize_f32 deserialize_f64 => float);
    read_as!(deserialize_str deserialize_string deserialize_char deserialize_identifier => text);
    read_as!(deserialize_seq deserialize_bytes deserialize_byte_buf => sequence);
    read_as!(deserialize_map => table);
    read_as!(deserialize_bool => boolean);
    read_as!(deserialize_unit => null);

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.peek() {
            Some(b'"') => self.text(visitor),
            Some(b'{') => self.table(visitor),
            Some(b'[') => self.sequence(visitor),
            Some(b't' | b'f') => self.boolean(visitor),
            Some(b'n') => self.null(visitor),
            _ => {
                let end = self.text.find([',', '}', ']', ' ', '\n']).unwrap_or(self.text.len());
                let number = self.text.get(..end).unwrap_or_default();
                match number.contains(['.', 'e', 'E']) {
                    true => self.float(visitor),
                    false => self.integer(visitor),
                }
            }
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.peek() {
            Some(b'"') => drop(self.string()?),
            Some(b'{') => drop(self.table(de::IgnoredAny)?),
            Some(b'[') => drop(self.sequence(de::IgnoredAny)?),
            Some(b't' | b'f') => drop(self.boolean(de::IgnoredAny)?),
            Some(b'n') => drop(self.null(de::IgnoredAny)?),
            _ => drop(self.number()?),
        }
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.peek() {
            Some(b'n') => self.eat("null").and_then(|()| visitor.visit_none()),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, Misfit> {
        self.null(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _length: usize, visitor: V) -> Result<V::Value, Misfit> {
        self.sequence(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.sequence(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.table(visitor)
    }

    /// A variant by its name, or a table of one entry: its name and its value.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match self.peek() {
            Some(b'"') => {
                let name = self.string()?;
                visitor.visit_enum(StrDeserializer::new(&name))
            }
            Some(b'{') => self.within("{", "}", |json| visitor.visit_enum(Variant { json })),
            _ => self.mismatch(&visitor),
        }
    }
}

struct Items<'a, 'de> {
    json: &'a mut Json<'de>,
    first: bool,
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Misfit> {
        if self.json.peek() == Some(b']') {
            return Ok(None);
        }
        if !std::mem::take(&mut self.first) {
            self.json.eat(",")?;
        }
        seed.deserialize(&mut *self.json).map(Some)
    }
}

struct Entries<'a, 'de> {
    json: &'a mut Json<'de>,
    first: bool,
    key: Cow<'de, str>,
}

impl<'de> MapAccess<'de> for Entries<'_, 'de> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        if self.json.peek() == Some(b'}') {
            return Ok(None);
        }
        if !std::mem::take(&mut self.first) {
            self.json.eat(",")?;
        }
        self.json.peek();
        self.key = self.json.string()?;
        seed.deserialize(StrDeserializer::new(&self.key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        self.json.eat(":")?;
        seed.deserialize(&mut *self.json).map_err(|Misfit(words)| Misfit(format!("{}: {words}", self.key)))
    }
}

struct Variant<'a, 'de> {
    json: &'a mut Json<'de>,
}

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Misfit;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Misfit> {
        let name = self.json.string()?;
        let variant = seed.deserialize(StrDeserializer::new(&name))?;
        self.json.eat(":")?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Misfit;

    fn unit_variant(self) -> Result<(), Misfit> {
        self.json.eat("null")
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Misfit> {
        seed.deserialize(self.json)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _length: usize, visitor: V) -> Result<V::Value, Misfit> {
        self.json.sequence(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _fields: &'static [&'static str], visitor: V) -> Result<V::Value, Misfit> {
        self.json.table(visitor)
    }
}

#[cfg(test)]
mod tests;
