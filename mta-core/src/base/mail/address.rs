//! A mailbox as the envelope carries it (RFC 5321 4.1.2, RFC 6531 3.3).

use super::domain::Domain;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A mailbox. Made only by parsing, so that what exists is well formed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    /// The local part without quoting, at most 64 octets; its case is kept (RFC 5321 2.4).
    pub(super) local: Box<str>,
    /// Absent only in `<postmaster>` (RFC 5321 4.1.1.3).
    pub(super) domain: Option<Domain>,
}

impl Address {
    /// The local part, unquoted.
    #[must_use]
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The domain; none for `postmaster` alone.
    #[must_use]
    pub fn domain(&self) -> Option<&Domain> {
        self.domain.as_ref()
    }
}

impl fmt::Display for Address {
    /// As it is written between `<` and `>`: the local part quoted where it must be.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.local)?;
        match &self.domain {
            Some(domain) => write!(f, "@{domain}"),
            None => Ok(()),
        }
    }
}
