//! Tables that the operator keeps in files; each needs its grant, as `tables:vips`.

use super::super::backend;

pub use crate::bindings::mailwright::plugin::tables::Error;

/// A table by its name. The server reads its file anew when that changes, so two look-ups may see two versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table<'a>(pub &'a str);

impl Table<'_> {
    /// The value of a key, in whatever case it is written; empty where the line has a key alone.
    ///
    /// # Errors
    /// `NoSuchTable` where it is not granted.
    pub fn lookup(self, key: &str) -> Result<Option<String>, Error> {
        backend::tables::lookup(self.0, key)
    }

    /// Whether the key is there.
    ///
    /// # Errors
    /// As [`lookup`](Self::lookup).
    pub fn has(self, key: &str) -> Result<bool, Error> {
        self.lookup(key).map(|value| value.is_some())
    }
}
