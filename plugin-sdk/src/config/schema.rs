//! What a configuration may be, as data that the compiler writes out: a subset of JSON Schema, draft 2020-12.

use super::manifest::Sink;
use super::{joined, scalar};

/// The kinds of values.
#[derive(Clone, Copy, Debug)]
pub enum Schema {
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Integer {
        /// At least.
        least: i128,
        /// At most.
        most: i128,
    },
    /// Any number.
    Float,
    /// Text.
    Text,
    /// Text with a unit of time.
    Duration,
    /// Octets: an integer, or text with its unit.
    Size,
    /// One of these words.
    Words(&'static [&'static str]),
    /// Any number of values.
    List(&'static Schema),
    /// Values by keys that the operator chooses.
    Map(&'static Schema),
    /// Values by known keys.
    Table {
        /// What it is.
        doc: &'static str,
        /// The keys.
        fields: &'static [Field],
    },
}

/// One key of a table.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The operator's key.
    pub name: &'static str,
    /// What it is.
    pub doc: &'static str,
    /// What it may be.
    pub schema: &'static Schema,
    /// And its bounds.
    pub rules: Rules,
    /// What it is where it is not there, as JSON.
    pub default: Option<&'static str>,
    /// It must be there.
    pub required: bool,
}

/// A field's bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Of the number, in milliseconds and octets where it is a duration or a size.
    pub range: Option<Range>,
    /// Of the text, the list or the map.
    pub length: Option<(usize, usize)>,
}

/// From the least to the most, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// At least.
    pub least: i128,
    /// At most.
    pub most: i128,
    /// Both as they were written.
    pub shown: (&'static str, &'static str),
}

impl Range {
    /// From the texts of a range: integers, durations, sizes or numbers with a fraction.
    ///
    /// # Panics
    /// While a plugin is compiled: they are none of these.
    #[must_use]
    pub const fn of(least: &'static str, most: &'static str) -> Self {
        let bounds = match (Self::bound(least, i128::MIN), Self::bound(most, i128::MAX)) {
            (Some(from), Some(to)) if from <= to => (from, to),
            _ => panic!("expected a range as 1..=10, \"1s\"..=\"1h\" or \"1KiB\"..=\"1MiB\", its least value first"),
        };
        Self { least: bounds.0, most: bounds.1, shown: (least, most) }
    }

    /// A bound's value; of numbers with a fraction, the whole part, which bounds nothing by itself.
    const fn bound(text: &str, open: i128) -> Option<i128> {
        if text.is_empty() {
            return Some(open);
        }
        if let Some(number) = scalar::integer(text) {
            return Some(number);
        }
        match (scalar::millis(text), scalar::octets(text)) {
            (Some(number), _) | (None, Some(number)) => Some(number as i128),
            (None, None) if is_fraction(text) => Some(0),
            (None, None) => None,
        }
    }
}

const fn is_fraction(text: &str) -> bool {
    let (octets, mut at) = (text.as_bytes(), 0);
    while at < octets.len() {
        if !octets[at].is_ascii_digit() && octets[at] != b'.' && !(at == 0 && octets[at] == b'-') {
            return false;
        }
        at += 1;
    }
    true
}

impl Rules {
    /// No bounds.
    pub const NONE: Self = Self { range: None, length: None };

    /// The rules of what lies within a list or a map.
    pub(crate) const fn inner(&self) -> Self {
        Self { range: self.range, length: None }
    }

    /// The narrower of these bounds and its own.
    pub(crate) const fn between(&self, least: i128, most: i128) -> (i128, i128) {
        match self.range {
            None => (least, most),
            Some(range) => (
                if range.least > least { range.least } else { least },
                if range.most < most { range.most } else { most },
            ),
        }
    }

    pub(crate) const fn has(&self, number: u64) -> bool {
        let (least, most) = self.between(0, u64::MAX as i128);
        least <= number as i128 && number as i128 <= most
    }

    pub(crate) const fn allow(&self, length: usize) -> bool {
        match self.length {
            None => true,
            Some((least, most)) => least <= length && length <= most,
        }
    }

    /// `text of 1 to 64 characters`.
    pub(crate) fn sized(&self, what: &str, unit: &str) -> String {
        let Some((least, most)) = self.length else { return what.to_owned() };
        let (least, most) = (least.to_string(), most.to_string());
        joined(&[what, " of ", &least, " to ", &most, " ", unit])
    }

    /// `a duration from "1s" to "1h" with its unit`.
    pub(crate) fn ranged(&self, what: &str, how: &str) -> String {
        match self.range {
            None => joined(&[what, " ", how]),
            Some(Range { shown: (least, ""), .. }) => joined(&[what, " from \"", least, "\", ", how]),
            Some(Range { shown: (least, most), .. }) => {
                joined(&[what, " from \"", least, "\" to \"", most, "\", ", how])
            }
        }
    }
}

/// Whether a default that was written for a field is of its kind and within its bounds: the derive has the compiler ask.
#[must_use]
pub const fn default_fits(schema: &Schema, rules: &Rules, json: &str) -> bool {
    let octets = json.as_bytes();
    let first = if octets.is_empty() { 0 } else { octets[0] };
    let inside = unquoted(json);
    match schema {
        Schema::Bool => first == b't' || first == b'f',
        Schema::Integer { least, most } => match scalar::integer(json) {
            Some(number) => {
                let (least, most) = rules.between(*least, *most);
                least <= number && number <= most
            }
            None => false,
        },
        Schema::Float => first == b'-' || first.is_ascii_digit(),
        Schema::Text => first == b'"',
        Schema::Duration => match scalar::millis(inside) {
            Some(number) => first == b'"' && rules.has(number),
            None => false,
        },
        Schema::Size => match scalar::octets(inside) {
            Some(number) => rules.has(number),
            None => false,
        },
        Schema::Words(words) => is_among(words, inside),
        Schema::List(_) => first == b'[',
        Schema::Map(_) | Schema::Table { .. } => first == b'{',
    }
}

/// A text without its quotation marks; what a unit or a word is made of needs no escapes.
const fn unquoted(json: &str) -> &str {
    match json.as_bytes() {
        [b'"', inside @ .., b'"'] => match std::str::from_utf8(inside) {
            Ok(inside) => inside,
            Err(_) => json,
        },
        _ => json,
    }
}

const fn is_among(words: &[&str], word: &str) -> bool {
    let mut at = 0;
    while at < words.len() {
        if is_same(words[at].as_bytes(), word.as_bytes()) {
            return true;
        }
        at += 1;
    }
    false
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

impl Schema {
    /// The JSON Schema as text.
    pub(crate) fn to_json(self) -> String {
        let mut octets = vec![0; Sink::measured(&self)];
        let mut sink = Sink::new(&mut octets);
        sink.schema(&self, &Rules::NONE);
        String::from_utf8_lossy(&octets).into_owned()
    }
}
