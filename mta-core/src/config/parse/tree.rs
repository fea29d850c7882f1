//! TOML as written: a tree of values that know where they stand, with the `--set` overrides laid over it.

use super::problem::{Gathered, Position};
use toml::de::{DeTable, DeValue};

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) position: Position,
    pub(super) data: Data,
}

/// TOML's types.
#[derive(Clone, Debug)]
pub(super) enum Data {
    Text(String),
    /// Saturated where it is beyond every range; `shown` is as written.
    Integer {
        value: i128,
        shown: String,
    },
    Float(String),
    Bool(bool),
    Datetime(String),
    List(Vec<Node>),
    Table(Vec<Entry>),
}

/// A key of a table.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    /// Where the key stands.
    pub(super) position: Position,
    pub(super) node: Node,
}

/// Deeper than any table of ours; what lies deeper is refused, so that walking the tree needs little stack.
const DEPTH_MAX: usize = 32;

/// The file's tree with all overrides; none when the file is not TOML, for then every key would seem to be missing.
pub(super) fn read(text: &str, sets: &[String], gathered: &mut Gathered<'_>) -> Option<Node> {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let offset = error.span().map_or(0, |span| span.start);
        gathered.add(Position::File(offset), "", format!("this is not TOML: {}", one_line(error.message())));
    }
    if !errors.is_empty() {
        return None;
    }
    let at = |span: std::ops::Range<usize>| Position::File(span.start);
    let data = Data::Table(entries(table.into_inner(), &at, 0, gathered));
    let mut root = Node { position: Position::File(0), data };
    for (index, set) in sets.iter().enumerate() {
        overlay(&mut root, index, set, gathered);
    }
    Some(root)
}

fn entries(
    table: DeTable<'_>,
    at: &dyn Fn(std::ops::Range<usize>) -> Position,
    depth: usize,
    gathered: &mut Gathered<'_>,
) -> Vec<Entry> {
    let entry = |(key, value): (toml::Spanned<std::borrow::Cow<'_, str>>, toml::Spanned<DeValue<'_>>)| Entry {
        position: at(key.span()),
        key: key.into_inner().into_owned(),
        node: node(value, at, depth, gathered),
    };
    table.into_iter().map(entry).collect()
}

fn node(
    value: toml::Spanned<DeValue<'_>>,
    at: &dyn Fn(std::ops::Range<usize>) -> Position,
    depth: usize,
    gathered: &mut Gathered<'_>,
) -> Node {
    let position = at(value.span());
    if depth >= DEPTH_MAX {
        gathered.add(position, "", format!("nested more than {DEPTH_MAX} deep"));
        return Node { position, data: Data::List(Vec::new()) };
    }
    let data = match value.into_inner() {
        DeValue::String(text) => Data::Text(text.into_owned()),
        DeValue::Integer(number) => {
            let beyond = if number.as_str().starts_with('-') { i128::MIN } else { i128::MAX };
            let value = i128::from_str_radix(number.as_str(), number.radix()).unwrap_or(beyond);
            Data::Integer { value, shown: number.to_string() }
        }
        DeValue::Float(number) => Data::Float(number.to_string()),
        DeValue::Boolean(value) => Data::Bool(value),
        DeValue::Datetime(time) => Data::Datetime(time.to_string()),
        DeValue::Array(list) => Data::List(list.into_iter().map(|item| node(item, at, depth + 1, gathered)).collect()),
        DeValue::Table(table) => Data::Table(entries(table, at, depth + 1, gathered)),
    };
    Node { position, data }
}

/// Lays one `--set key=value` over the tree.
fn overlay(root: &mut Node, index: usize, set: &str, gathered: &mut Gathered<'_>) {
    let position = Position::Set(index);
    let Some((path, text)) = set.split_once('=') else {
        return gathered.add(position, "", "expected key=value, as delivery.paused=true");
    };
    let path = path.trim();
    let segments: Vec<&str> = path.split('.').collect();
    if segments.len() > DEPTH_MAX || segments.iter().any(|segment| segment.is_empty()) {
        return gathered.add(
            position,
            "",
            "expected a key before `=`: names with dots between them, as delivery.paused",
        );
    }
    let value = set_value(text, position, gathered);
    let mut place = root;
    for (depth, segment) in segments.iter().enumerate() {
        place = match step(place, segment, position) {
            Ok(next) => next,
            Err(what) => return gathered.add(position, &segments[..=depth].join("."), what),
        };
    }
    *place = value;
}

/// The value of a `--set`: TOML if it reads as TOML, else the text as it stands.
fn set_value(text: &str, position: Position, gathered: &mut Gathered<'_>) -> Node {
    match DeValue::parse(text.trim()) {
        Ok(value) => node(value, &|_| position, 0, gathered),
        Err(_) => Node { position, data: Data::Text(text.to_owned()) },
    }
}

/// The place of `segment` below `place`, made if it is not there; in lists by index or by `name`.
fn step<'n>(place: &'n mut Node, segment: &str, position: Position) -> Result<&'n mut Node, String> {
    let kind = place.kind();
    match &mut place.data {
        Data::Table(entries) => {
            let found = entries.iter().position(|entry| entry.key == segment);
            let index = found.unwrap_or_else(|| {
                let node = Node { position, data: Data::Table(Vec::new()) };
                entries.push(Entry { key: segment.to_owned(), position, node });
                entries.len() - 1
            });
            Ok(&mut entries[index].node)
        }
        Data::List(items) => {
            let count = items.len();
            let index = segment.parse().ok().or_else(|| items.iter().position(|item| item.is_named(segment)));
            index.and_then(|index: usize| items.get_mut(index)).ok_or_else(|| {
                format!("no such entry: expected the name or the number (from 0) of one of the {count} in the file")
            })
        }
        _ => Err(format!("{kind} has no keys below it")),
    }
}

impl Node {
    /// Its type, in words, for errors.
    pub(super) fn kind(&self) -> &'static str {
        match &self.data {
            Data::Text(_) => "a string",
            Data::Integer { .. } => "an integer",
            Data::Float(_) => "a number with a fraction",
            Data::Bool(_) => "true or false",
            Data::Datetime(_) => "a date",
            Data::List(_) => "a list",
            Data::Table(_) => "a table",
        }
    }

    /// What was found, for errors: short values are shown as they are.
    pub(super) fn shown(&self) -> String {
        match &self.data {
            Data::Text(text) if text.chars().count() <= 60 => format!("{text:?}"),
            Data::Text(text) => format!("{:?}…", text.chars().take(60).collect::<String>()),
            Data::Integer { shown, .. } => shown.clone(),
            Data::Float(shown) | Data::Datetime(shown) => shown.clone(),
            Data::Bool(value) => value.to_string(),
            Data::List(_) | Data::Table(_) => self.kind().to_owned(),
        }
    }

    fn is_named(&self, name: &str) -> bool {
        let Data::Table(entries) = &self.data else { return false };
        entries.iter().any(|entry| entry.key == "name" && matches!(&entry.node.data, Data::Text(text) if text == name))
    }
}

/// An error's text without its line ends.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
