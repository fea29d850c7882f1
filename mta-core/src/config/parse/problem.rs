//! What is wrong with a configuration: where it stands, what was expected, and how to mend it.

use std::fmt;

/// Everything that is wrong, in the order of the file. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Problem {
    position: Position,
    place: String,
    key: String,
    what: String,
}

/// Where a value stands in what was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Position {
    /// An octet of the file; a missing key is reported where its table begins.
    File(usize),
    /// The `--set` with this index.
    Set(usize),
}

impl fmt::Display for Problems {
    /// One line for each: `FILE:LINE:COLUMN: KEY: WHAT` or `--set KEY=VALUE: KEY: WHAT`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&problem.place)?;
            if !problem.key.is_empty() {
                write!(f, ": {}", problem.key)?;
            }
            write!(f, ": {}", problem.what)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Gathers problems while a configuration is read, so that all of them are told at once.
pub(super) struct Gathered<'a> {
    name: &'a str,
    text: &'a str,
    sets: &'a [String],
    /// The sections that have a key of this name: for keys that stand in the wrong one.
    pub(super) homes: fn(&str) -> Vec<String>,
    found: Vec<Problem>,
}

impl<'a> Gathered<'a> {
    /// Nothing wrong yet. `name` is the file's, as people gave it.
    pub(super) fn new(name: &'a str, text: &'a str, sets: &'a [String], homes: fn(&str) -> Vec<String>) -> Self {
        Self { name, text, sets, homes, found: Vec::new() }
    }

    /// One more thing that is wrong with the value of `key` (empty: with the file as such).
    pub(super) fn add(&mut self, position: Position, key: &str, what: impl Into<String>) {
        let place = self.place(position);
        self.found.push(Problem { position, place, key: key.to_owned(), what: what.into() });
    }

    /// A position in words, as `mx.toml:12:1`.
    pub(super) fn place(&self, position: Position) -> String {
        match position {
            Position::File(offset) => {
                let (line, column) = line_and_column(self.text, offset);
                format!("{}:{line}:{column}", self.name)
            }
            Position::Set(index) => format!("--set {}", self.sets.get(index).map_or("", String::as_str).escape_debug()),
        }
    }

    /// Whether all is well so far.
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The value, if nothing is wrong.
    pub(super) fn unless_any<T>(mut self, value: T) -> Result<T, Problems> {
        if self.found.is_empty() {
            return Ok(value);
        }
        self.found.sort();
        self.found.dedup();
        Err(Problems(self.found))
    }
}

/// Line and column of an octet, both from 1; the column counts characters, as editors do.
fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before: &[u8] = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
    let line = memchr::memchr_iter(b'\n', before).count() + 1;
    let column = String::from_utf8_lossy(&before[line_start..]).chars().count() + 1;
    (line, column)
}

/// The candidate that `word` was probably meant to be: the nearest by edits, if it is near at all.
pub(in crate::config) fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    // Beyond this no key of ours is so long, and the distance's cost grows with the product of both lengths.
    const WORD_CHARS_MAX: usize = 64;
    let word: Vec<char> = word.to_lowercase().chars().take(WORD_CHARS_MAX).collect();
    let near = |candidate: &'c str| {
        let distance = edits_between(&word, candidate);
        (distance <= 1 + candidate.len() / 4).then_some((distance, candidate))
    };
    candidates.into_iter().filter_map(near).min().map(|(_, candidate)| candidate)
}

/// A question that names the nearest word, or nothing.
pub(super) fn did_you_mean<'w>(text: &str, words: impl Iterator<Item = &'w str>) -> String {
    nearest(text, words).map(|near| format!("did you mean {near:?}?")).unwrap_or_default()
}

/// Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment) from one to the other.
fn edits_between(from: &[char], to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let mut cost = (last[j] + usize::from(a != b)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == to[j - 1] && from[i - 1] == *b {
                cost = cost.min(before_last[j - 1] + 1);
            }
            row.push(cost);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_key() {
        let keys = ["networks", "domains"];
        assert_eq!(nearest("netwroks", keys), Some("networks"));
        assert_eq!(nearest("Network", keys), Some("networks"));
        assert_eq!(nearest("domain", keys), Some("domains"));
        assert_eq!(nearest("colour", keys), None);
    }

    #[test]
    fn columns_count_characters() {
        assert_eq!(line_and_column("a\ngrüße = 1", 11), (2, 8));
        assert_eq!(line_and_column("", 5), (1, 1));
    }
}
