//! Enhanced status codes (RFC 3463).

use serde::{Deserialize, Serialize};
use std::fmt;

/// `class.subject.detail`, as `5.1.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EnhancedStatus {
    /// 2 success, 4 transient, 5 permanent.
    pub class: u8,
    /// What it is about, at most 999.
    pub subject: u16,
    /// Which of them, at most 999.
    pub detail: u16,
}

impl EnhancedStatus {
    /// A status from its three numbers.
    #[must_use]
    pub const fn new(class: u8, subject: u16, detail: u16) -> Self {
        Self { class, subject, detail }
    }
}

impl fmt::Display for EnhancedStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}
