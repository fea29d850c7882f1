//! What the derive's code reads structs and words with.

use super::nearest::did_you_mean;
use super::{Field, Json, Misfit, Rules, Setting, joined, json};

/// A table whose keys are known to be of these fields.
pub struct Table<'a> {
    entries: &'a [(String, Json)],
    fields: &'static [Field],
}

impl<'a> Table<'a> {
    /// Checks the keys.
    ///
    /// # Errors
    /// It is none, or has another key.
    pub fn of(json: &'a Json, fields: &'static [Field]) -> Result<Self, Misfit> {
        let Json::Table(entries) = json else { return Err(json.misfit("a table")) };
        let known = || fields.iter().map(|field| field.name);
        match entries.iter().find(|(key, _)| !known().any(|name| name == key)) {
            None => Ok(Self { entries, fields }),
            Some((key, _)) => {
                let words = match did_you_mean(key, known()) {
                    none if none.is_empty() => joined(&["; expected ", &one_of(known())]),
                    near => near,
                };
                Err(Misfit::new(joined(&["unknown key", &words])).under(key))
            }
        }
    }

    fn value(&self, field: &Field) -> Option<&'a Json> {
        self.entries.iter().find(|(key, _)| key == field.name).map(|(_, value)| value)
    }

    /// The value of the field with that index, or what its default is.
    ///
    /// # Errors
    /// It does not fit, or is missing.
    pub fn field<T: Setting>(&self, index: usize) -> Result<T, Misfit> {
        let field = &self.fields[index];
        let read = match (self.value(field), field.default) {
            (Some(value), _) => T::read(value, &field.rules),
            (None, Some(default)) => json::parse(default).and_then(|value| T::read(&value, &field.rules)),
            (None, None) => T::absent().ok_or_else(|| Misfit::new("missing")),
        };
        read.map_err(|misfit| misfit.under(field.name))
    }

    /// The value of the field with that index, or what the plugin makes for it.
    ///
    /// # Errors
    /// It does not fit.
    pub fn field_or<T: Setting>(&self, index: usize, default: impl FnOnce() -> T) -> Result<T, Misfit> {
        let field = &self.fields[index];
        match self.value(field) {
            Some(value) => T::read(value, &field.rules).map_err(|misfit| misfit.under(field.name)),
            None => Ok(default()),
        }
    }
}

/// The place of a word among the known ones.
///
/// # Errors
/// It is none of them.
pub fn word(json: &Json, known: &'static [&'static str], _rules: &Rules) -> Result<usize, Misfit> {
    let found = match json {
        Json::Text(text) => known.iter().position(|word| word == text).ok_or(&**text),
        _ => Err(""),
    };
    found.map_err(|text| {
        let mut misfit = json.misfit(&one_of(known.iter().copied()));
        misfit.words.push_str(&did_you_mean(text, known.iter().copied()));
        misfit
    })
}

/// `` `a`, `b` ``, or that there is nothing.
fn one_of<'w>(words: impl Iterator<Item = &'w str>) -> String {
    let mut text = String::new();
    for word in words {
        text.push_str(if text.is_empty() { "`" } else { ", `" });
        text.push_str(word);
        text.push('`');
    }
    if text.is_empty() { "none: there is nothing to set".to_owned() } else { text }
}
