//! `[log]`: what is logged, how, and what of people's addresses.

use crate::base::event::Level;

/// `[log]`.
#[derive(Clone, Copy, Debug)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// What is written: this loud and louder.
    pub level: Level,
    /// Where lines go.
    pub output: LogOutput,
    /// What they show of mail addresses.
    pub addresses: Addresses,
}

/// Where log lines go: whoever runs the program keeps and rotates them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogOutput {
    /// Standard error.
    Stderr,
    /// Standard output.
    Stdout,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// `2026-01-01T00:00:00.000Z info accepted id=… sender=…`
    Text,
    /// One JSON object a line.
    Json,
}

/// What lines show of mail addresses and of users' names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Addresses {
    /// All of them.
    #[default]
    Plain,
    /// The domain, and a keyed hash in the local part's place: the same for the same address.
    Hashed,
    /// The domain alone.
    Domain,
}
