//! A failure: its scope, whether it lasts, and what may be said of it in public.

use serde::{Deserialize, Serialize};

/// The narrowest thing that a failure says something about (after Postfix's `smtp_trouble.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// This recipient alone.
    Recipient,
    /// This message: other messages may pass.
    Message,
    /// This connection: another may do.
    Session,
    /// Every host of the next hop.
    Site,
}

/// Why the spool could not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpoolFault {
    /// Not enough free space: 452 4.3.1.
    #[error("the disk is nearly full")]
    DiskFull,
    /// The store failed; the message was not acknowledged and may be sent again: 451 4.3.0.
    #[error("the store failed: {0}")]
    Store(String),
    /// What was read back is not what was written: the message is set aside.
    #[error("the stored message is damaged: {0}")]
    Damaged(String),
    /// The server is going down: 421 4.3.2.
    #[error("the server is going down")]
    Closing,
}
