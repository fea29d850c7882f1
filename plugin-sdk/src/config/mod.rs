//! A plugin's configuration as a plain type: read from what the operator wrote, and told as a JSON Schema.
//!
//! `#[derive(mailwright_plugin::Config)]` on a struct makes it one. Field docs become descriptions; the component carries
//! the schema, so that a server checks the operator's `config = { … }` before it compiles anything, and
//! `mailwright plugin inspect` shows what may be set.
//!
//! ```
//! use mailwright_plugin::config::{Size, from_json};
//! use std::collections::BTreeMap;
//! use std::time::Duration;
//!
//! /// When mail has to wait.
//! #[derive(Debug, mailwright_plugin::Config)]
//! struct Config {
//!     /// How long an unknown sender waits.
//!     #[config(default = "5m", range = "1s"..="1d")]
//!     wait: Duration,
//!     /// Larger messages need not wait.
//!     #[config(default = "64KiB")]
//!     small: Size,
//!     /// Waiting counts from so many recipients on.
//!     #[config(default = 1, range = 1..=1000)]
//!     recipients_min: u32,
//!     /// Who never waits.
//!     #[config(default)]
//!     friends: Vec<String>,
//!     /// What is said.
//!     #[config(default = "come back later", length = 1..=200)]
//!     text: String,
//!     /// How sure to be.
//!     mode: Mode,
//!     /// Waits of single domains.
//!     #[config(default)]
//!     domains: BTreeMap<String, Domain>,
//! }
//!
//! #[derive(Debug, PartialEq, mailwright_plugin::Config)]
//! enum Mode {
//!     Strict,
//!     QuiteLax,
//! }
//!
//! #[derive(Debug, mailwright_plugin::Config)]
//! struct Domain {
//!     /// How long its senders wait; as all others if not said.
//!     wait: Option<Duration>,
//! }
//!
//! let config: Config = from_json(r#"{ "mode": "quite-lax", "domains": { "example.org": { "wait": "1h" } } }"#)?;
//! assert_eq!((config.wait, config.mode), (Duration::from_secs(300), Mode::QuiteLax));
//! assert_eq!(config.domains["example.org"].wait, Some(Duration::from_secs(3600)));
//!
//! let misspelt = from_json::<Config>(r#"{ "mode": "strict", "freinds": [] }"#).unwrap_err();
//! assert_eq!(misspelt.to_string(), "freinds: unknown key; did you mean `friends`?");
//! # Ok::<(), mailwright_plugin::config::Misfit>(())
//! ```
//!
//! | `#[config(…)]` on a field | means |
//! |---|---|
//! | nothing | it must be there, unless its type is an `Option` |
//! | `default` | its type's `Default` where it is not |
//! | `default = "5m"`, `= 7`, `= ["a", "b"]` | this, written as the operator would write it; checked by the compiler |
//! | `default = path()` | the expression's value; the schema does not tell it |
//! | `range = 1..=10`, `= "1s"..="1h"`, `= 1..` | bounds of integers, floats, durations and sizes, also in an `Option`, a list or a map |
//! | `length = 1..=64` | how long a text, a list or a map may be |
//! | `name = "type"` | the operator's key; else it is the field's name |
//!
//! Types are `bool`, integers, `f64`, `String`, `Duration`, [`Size`], [`Network`], [`DomainPattern`], `Option`, `Box`, `Vec`, `BTreeMap<String, _>`, and other
//! types with this derive. An enum's variants are words in lower case with hyphens, or as `#[config(name = "…")]` says.
//! `()` is a configuration with nothing to set.

mod json;
mod kinds;
mod manifest;
mod nearest;
mod places;
mod scalar;
mod schema;
mod table;
#[cfg(test)]
mod tests;

pub use json::Json;
pub use kinds::Size;
pub use manifest::Manifest;
pub use places::{DomainPattern, Network};
pub use schema::{Field, Range, Rules, Schema, default_fits};
pub use table::{Table, word};

use std::fmt;

/// What can be set: implemented by the derive, and here for the types that it builds on.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be a plugin's configuration, or a part of one",
    label = "no type that can be configured",
    note = "put `#[derive(mailwright_plugin::Config)]` on a type of your own",
    note = "others are bool, integers, f64, String, Duration, config::Size, Option, Box, Vec and BTreeMap<String, _>"
)]
pub trait Setting: Sized {
    /// What it may be.
    const SCHEMA: Schema;
    /// What its `Default` is, as JSON, where that can be said.
    const EMPTY: Option<&'static str> = None;
    /// It may be left out without a default.
    const OPTIONAL: bool = false;

    /// Reads it.
    ///
    /// # Errors
    /// It does not fit.
    fn read(json: &Json, rules: &Rules) -> Result<Self, Misfit>;

    /// What it is where the operator says nothing.
    fn absent() -> Option<Self> {
        None
    }
}

/// What does not fit, with the path of keys to it.
#[derive(Debug, PartialEq, Eq)]
pub struct Misfit {
    path: String,
    words: String,
}

impl Misfit {
    /// What is wrong, in words.
    #[must_use]
    pub fn new(words: impl Into<String>) -> Self {
        Self { path: String::new(), words: words.into() }
    }

    /// The same below this key.
    #[must_use]
    pub fn under(mut self, key: &str) -> Self {
        if !self.path.is_empty() {
            self.path.insert(0, '.');
        }
        self.path.insert_str(0, key);
        self
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            f.write_str(&self.path)?;
            f.write_str(": ")?;
        }
        f.write_str(&self.words)
    }
}

impl std::error::Error for Misfit {}

impl From<Misfit> for crate::Fault {
    fn from(misfit: Misfit) -> Self {
        Self::InvalidConfig(misfit.to_string())
    }
}

/// One text of several. The library's own way to join is three times as large in a small plugin.
pub(crate) fn joined(parts: &[&str]) -> String {
    let mut text = String::new();
    parts.iter().for_each(|part| text.push_str(part));
    text
}

/// Reads a configuration from JSON, as the server hands it to `configure`: for tests that begin with what an operator
/// writes.
///
/// # Errors
/// What does not fit: where, what was expected, and what was found.
pub fn from_json<C: Setting>(text: &str) -> Result<C, Misfit> {
    C::read(&json::parse(text)?, &Rules::NONE)
}

/// The JSON Schema (draft 2020-12) of a configuration, as the component carries it.
#[must_use]
pub fn schema<C: Setting>() -> String {
    C::SCHEMA.to_json()
}
