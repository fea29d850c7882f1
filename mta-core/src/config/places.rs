//! Where the values of a plugin's own configuration stand in the file: its schema is known only when its component is read.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Places that are kept; of what lies beyond, the nearest table that is kept is told. Finding a line reads the file.
pub(super) const PLACES_MAX: usize = 1000;

/// `FILE:LINE:COLUMN` of each key and value, by the path of keys.
#[derive(Clone, Default)]
pub struct Places {
    /// The path of the configuration itself, as `plugin.0.config`.
    pub(super) root: Box<str>,
    pub(super) at: Arc<BTreeMap<Box<str>, Place>>,
}

/// What does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Keys and numbers with dots, from the configuration on; empty for the configuration itself.
    pub path: String,
    /// It is the key that is wrong, not its value.
    pub is_key: bool,
    /// What was expected, and what was found.
    pub what: String,
}

/// Where an entry stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) key: Box<str>,
    pub(super) value: Box<str>,
}

/// Where a configuration stands is no part of what it says.
impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Places")
    }
}

impl Places {
    /// What does not fit, with its place: `FILE:LINE:COLUMN: KEY: WHAT`. What is not there is told where its table is.
    #[must_use]
    pub fn told(&self, misfit: &Misfit) -> String {
        let root = if self.root.is_empty() { "config" } else { &*self.root };
        let dot = if misfit.path.is_empty() { "" } else { "." };
        let path = format!("{root}{dot}{}", misfit.path);
        let mut around = &*path;
        let place = loop {
            match (self.at.get(around), around.rsplit_once('.')) {
                (Some(place), _) => break Some(if misfit.is_key { &place.key } else { &place.value }),
                (None, Some((parent, _))) => around = parent,
                (None, None) => break None,
            }
        };
        let place = place.map(|place| format!("{place}: ")).unwrap_or_default();
        format!("{place}{path}: {}", misfit.what)
    }
}
