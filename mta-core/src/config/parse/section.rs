//! The walker: tables of keys, each with the function that reads its value and says what it expected.

use super::problem::{Gathered, Position, did_you_mean, nearest};
use super::scalar::{self, NAME};
use super::tree::{Data, Entry, Node};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

/// One key of a section `T`: its name, and how its value gets in. What is wrong goes to the value's problems.
pub(super) struct Key<T: 'static> {
    pub(super) name: &'static str,
    pub(super) read: fn(&mut T, &mut Value<'_, '_>),
}

/// A value on its way in: the node, its full path, and where problems go.
pub(super) struct Value<'v, 'g> {
    pub(super) node: &'v Node,
    pub(super) path: String,
    pub(super) gathered: &'v mut Gathered<'g>,
}

/// What a word of a closed list stands for: the words of a key, each with its value.
pub(super) type Words<T> = [(&'static str, T)];

/// Puts a value where it belongs, if there is one.
pub(super) fn put<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}

impl<'v, 'g> Value<'v, 'g> {
    /// Something is wrong with this value.
    pub(super) fn wrong(&mut self, what: impl Into<String>) {
        self.gathered.add(self.node.position, &self.path, what);
    }

    /// It is not what was expected.
    pub(super) fn expected<T>(&mut self, what: &str) -> Option<T> {
        let shown = self.node.shown();
        self.wrong(format!("expected {what}, found {shown}"));
        None
    }

    /// Text, as judged by `read`; an error of it says what was expected and how to mend it.
    pub(super) fn text<T>(&mut self, what: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        match &self.node.data {
            Data::Text(text) => match read(text) {
                Ok(value) => Some(value),
                Err(mend) if mend.is_empty() => self.expected(what),
                Err(mend) => {
                    let shown = self.node.shown();
                    self.wrong(format!("expected {what}, found {shown}; {mend}"));
                    None
                }
            },
            _ => self.expected(what),
        }
    }

    /// Names of other sections; whether those are there is checked when all is read.
    pub(super) fn names(&mut self, what: &str) -> Option<Vec<Arc<str>>> {
        self.list(what, |item| item.text(NAME, |text| scalar::label(text).map(Into::into)))
    }

    /// `true` or `false`.
    pub(super) fn truth(&mut self) -> Option<bool> {
        match &self.node.data {
            Data::Bool(value) => Some(*value),
            _ => self.expected("true or false"),
        }
    }

    /// A whole number within the range.
    pub(super) fn count<T: TryFrom<i128>>(&mut self, range: RangeInclusive<i128>) -> Option<T> {
        let what = format!("an integer from {} to {}", range.start(), range.end());
        match &self.node.data {
            Data::Integer { value, .. } if range.contains(value) => T::try_from(*value).ok(),
            _ => self.expected(&what),
        }
    }

    /// A number of octets within the range: an integer, or text as `64MiB`.
    pub(super) fn size<T: TryFrom<i128>>(&mut self, range: RangeInclusive<i128>) -> Option<T> {
        use super::scalar::{shown_size, size};
        let what = format!(
            "a size from {} to {} (an integer in bytes, or text as \"64MiB\")",
            shown_size(*range.start()),
            shown_size(*range.end()),
        );
        let octets = match &self.node.data {
            Data::Integer { value, .. } => *value,
            _ => self.text(&what, size)?,
        };
        if !range.contains(&octets) {
            return self.expected(&what);
        }
        T::try_from(octets).ok()
    }

    /// A length of time within the range, as text with its unit.
    pub(super) fn duration(&mut self, range: RangeInclusive<Duration>) -> Option<Duration> {
        use super::scalar::{duration, shown_duration};
        let (from, to) = (shown_duration(*range.start()), shown_duration(*range.end()));
        let what = format!("a duration from \"{from}\" to \"{to}\", with its unit (ms, s, m, h, d)");
        if let Data::Integer { shown, .. } = &self.node.data {
            self.wrong(format!("expected {what}, found {shown}; did you mean \"{shown}s\"?"));
            return None;
        }
        let found = self.text(&what, duration)?;
        if range.contains(&found) { Some(found) } else { self.expected(&what) }
    }

    /// One word of a closed list.
    pub(super) fn word<T: Copy>(&mut self, words: &Words<T>) -> Option<T> {
        let what = one_of(words.iter().map(|(word, _)| *word));
        self.text(&what, |text| match words.iter().find(|(word, _)| *word == text) {
            Some((_, value)) => Ok(*value),
            None => Err(did_you_mean(text, words.iter().map(|(word, _)| *word))),
        })
    }

    /// A list, its items read one by one; `what` says what is expected where there is none.
    pub(super) fn list<T>(
        &mut self,
        what: &str,
        mut read: impl FnMut(&mut Value<'_, 'g>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Data::List(items) = &self.node.data else { return self.expected(what) };
        let mut found = Vec::with_capacity(items.len());
        for (index, node) in items.iter().enumerate() {
            let path = format!("{}.{index}", self.path);
            found.extend(read(&mut Value { node, path, gathered: self.gathered }));
        }
        Some(found)
    }

    /// A table, its keys read by `keys`. False where it is none.
    pub(super) fn table<T>(&mut self, into: &mut T, keys: &'static [Key<T>]) -> bool {
        let Data::Table(entries) = &self.node.data else {
            self.expected::<()>("a table");
            return false;
        };
        let path = if self.path.is_empty() { String::new() } else { format!("{}.", self.path) };
        for entry in entries {
            match keys.iter().find(|key| key.name == entry.key) {
                Some(key) => {
                    let path = format!("{path}{}", entry.key);
                    (key.read)(into, &mut Value { node: &entry.node, path, gathered: self.gathered });
                }
                None => unknown(entry, &path, keys.iter().map(|key| key.name), self.gathered),
            }
        }
        true
    }

    /// Reports a key that must be there and is not.
    pub(super) fn require(&mut self, key: &str, what: &str) {
        if self.below(key).is_none() {
            self.missing(key, what);
        }
    }

    /// A key that must be there is not. Its own table is named, for there is no better place.
    pub(super) fn missing(&mut self, key: &str, what: &str) {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        self.gathered.add(self.node.position, &path, format!("missing: expected {what}"));
    }

    /// Something is wrong with the value at `path`, or with the nearest table of it that is written.
    pub(super) fn wrong_below(&mut self, path: &[&str], what: &str) {
        let mut nearest = self.node;
        for key in path {
            let below = match &nearest.data {
                Data::Table(entries) => entries.iter().find(|entry| entry.key == *key).map(|entry| &entry.node),
                Data::List(items) => key.parse().ok().and_then(|index: usize| items.get(index)),
                _ => None,
            };
            let Some(below) = below else { break };
            nearest = below;
        }
        let below = path.join(".");
        let path = if self.path.is_empty() { below } else { format!("{}.{below}", self.path) };
        self.gathered.add(nearest.position, &path, what);
    }

    /// An empty list, and not one whose items were all wrong.
    pub(super) fn is_empty_list(&self) -> bool {
        matches!(&self.node.data, Data::List(items) if items.is_empty())
    }

    /// The value below `key`, where this is a table that has it.
    pub(super) fn below(&self, key: &str) -> Option<&'v Node> {
        let Data::Table(entries) = &self.node.data else { return None };
        entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }
}

/// Reports a key that nobody reads, with the nearest that somebody does.
fn unknown<'k>(entry: &Entry, path: &str, known: impl Iterator<Item = &'k str> + Clone, gathered: &mut Gathered<'_>) {
    let key = format!("{path}{}", entry.key.escape_debug());
    let mend = match nearest(&entry.key, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => match (gathered.homes)(&entry.key).as_slice() {
            [] => format!("expected {}", one_of(known)),
            sections => format!("it belongs in {}", sections.join(" or ")),
        },
    };
    gathered.add(entry.position, &key, format!("unknown key; {mend}"));
}

/// Reports names that are given twice, at their second place.
pub(super) fn duplicates<'n>(
    named: impl Iterator<Item = (&'n str, Position, String)>,
    what: &str,
    gathered: &mut Gathered<'_>,
) {
    let mut seen = BTreeSet::new();
    for (name, position, path) in named {
        if !seen.insert(name) {
            gathered.add(position, &path, format!("expected {what}, but {name:?} is there twice"));
        }
    }
}

/// `"a", "b" or "c"`.
fn one_of<'w>(words: impl Iterator<Item = &'w str>) -> String {
    let quoted: Vec<String> = words.map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} or {last}", before.join(", ")),
        None => "nothing".to_owned(),
    }
}
