//! A reply: code, enhanced status and text (RFC 5321 4.2, RFC 2034).

use super::status::EnhancedStatus;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// What a server says. The text is printable and without line ends: it is made so on the way in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Three digits, 200 to 599.
    pub code: u16,
    /// RFC 3463 status; its class fits the code.
    pub status: Option<EnhancedStatus>,
    /// Words for people. Several lines of a remote's reply are joined with spaces.
    pub text: Cow<'static, str>,
}

impl Reply {
    /// A reply of our own.
    #[must_use]
    pub const fn new(code: u16, status: EnhancedStatus, text: &'static str) -> Self {
        Self { code, status: Some(status), text: Cow::Borrowed(text) }
    }

    /// 2xx (RFC 5321 4.2.1).
    #[must_use]
    pub fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// 5xx (RFC 5321 4.2.1).
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.code / 100 == 5
    }
}

impl fmt::Display for Reply {
    /// One line without its end, as `550 5.1.1 no such user`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => write!(f, "{} {status} {}", self.code, self.text),
            None => write!(f, "{} {}", self.code, self.text),
        }
    }
}
