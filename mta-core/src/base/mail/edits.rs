//! Changes that policy made to a message, kept beside the content and applied while it streams out.

use super::address::Address;
use serde::{Deserialize, Serialize};

/// Edits in the order in which they were made; the stored content is never rewritten.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edits {
    /// Changes of the header section.
    pub headers: Vec<HeaderEdit>,
}

/// One change of the header section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HeaderEdit {
    /// A new field at the top, below our own Received.
    Add {
        /// The field's name, printable ASCII without a colon (RFC 5322 2.2).
        name: Box<str>,
        /// Its value: no CR, LF or NUL; folded while writing.
        value: Box<str>,
    },
    /// The `nth` field of that name (from 0, as the edits before this one left them) gets another value, or goes.
    Set {
        /// The field's name, compared without case.
        name: Box<str>,
        /// Which one, counted from the top.
        nth: u32,
        /// The new value; none removes the field.
        value: Option<Box<str>>,
    },
}

/// Changes of the envelope that a plugin made at `on-data`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnvelopeEdit {
    /// Another reverse path.
    SetSender(Option<Address>),
    /// One recipient more.
    AddRecipient(Address),
    /// One less.
    RemoveRecipient(Address),
}

impl Edits {
    /// Nothing to apply: the content goes out as it stands.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.headers.is_empty()
    }
}
