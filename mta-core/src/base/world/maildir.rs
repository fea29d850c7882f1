//! The file side of Maildirs: one message becomes one file, whole or not at all.

use crate::base::flow::Answer;
use crate::base::mail::render::Rendered;
use std::path::Path;

/// Why a message could not be put down. All of these pass: the message is tried again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MaildirFault {
    /// The disk is full.
    #[error("the disk is full")]
    DiskFull,
    /// The owner's quota is used up.
    #[error("the mailbox is over its quota")]
    OverQuota,
    /// The system does not let us.
    #[error("not permitted: {0}")]
    Denied(String),
    /// Anything else of the disk.
    #[error("{0}")]
    Io(String),
}

/// How line ends are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnds {
    /// LF, as files on this system have them, and as Maildir readers expect.
    Local,
    /// Octet for octet as sent: content without line structure (RFC 3030 3, BINARYMIME).
    AsSent,
}

/// Writes into Maildirs.
pub trait Maildirs: Send + Sync {
    /// Writes `message` to `tmp/name`, makes it durable, moves it to `new/name` and makes that durable. Missing
    /// directories are made. A name that is there already is replaced: the same message, delivered again.
    fn put<'a>(
        &'a self,
        maildir: &'a Path,
        name: String,
        message: Rendered,
        lines: LineEnds,
    ) -> Answer<'a, Result<(), MaildirFault>>;
}
