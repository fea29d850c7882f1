//! Messages with a mark to find them again, and Maildirs.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// A name that no other message has.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mark(String);

impl Mark {
    /// The next one.
    #[must_use]
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(format!("mark-{}-{number}-end", std::process::id()))
    }

    /// Whether these octets hold it.
    #[must_use]
    pub fn is_in(&self, octets: &[u8]) -> bool {
        octets.windows(self.0.len()).any(|window| window == self.0.as_bytes())
    }

    /// The mark of a message made by [`message`], if there is one in its head.
    #[must_use]
    pub fn of(octets: &[u8]) -> Option<Self> {
        let head = String::from_utf8_lossy(&octets[..octets.len().min(16 * 1024)]).into_owned();
        let start = head.find("mark-")?;
        let end = start + head[start..].find("-end")? + "-end".len();
        Some(Self(head[start..end].to_owned()))
    }
}

impl Default for Mark {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A small message with this mark and body; the body's lines end in CRLF.
#[must_use]
pub fn message(mark: &Mark, body: &str) -> Vec<u8> {
    format!(
        "From: a@from.example\r\nTo: b@to.example\r\nSubject: test\r\nMessage-ID: <{mark}@from.example>\r\n\r\n{body}"
    )
    .into_bytes()
}

/// The content behind the header section.
#[must_use]
pub fn body(octets: &[u8]) -> &[u8] {
    let end = octets.windows(4).position(|window| window == b"\r\n\r\n");
    end.map_or(&[], |at| &octets[at + 4..])
}

/// The messages in a Maildir's `new`, in no order.
#[must_use]
pub fn maildir(folder: &Path) -> Vec<Vec<u8>> {
    let Ok(files) = std::fs::read_dir(folder.join("new")) else { return Vec::new() };
    files.filter_map(|file| std::fs::read(file.ok()?.path()).ok()).collect()
}
