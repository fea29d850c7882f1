//! How loud an event is.

use serde::{Deserialize, Serialize};

/// How loud an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Somebody must act.
    Error,
    /// Somebody may have to act.
    Warn,
    /// The life of messages.
    Info,
    /// The life of sessions and connections.
    Debug,
}

impl Level {
    /// As in the log and in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}
