//! The scenarios' workbench: the program under test, and the peers that talk to it.
//!
//! Everything is black box: the command line, the configuration, sockets and log lines. Nothing sleeps: each wait is
//! for an event (a log line, a message at a sink, the end of a process) and has a [`PATIENCE`].

pub mod client;
pub mod dns;
pub mod guest;
pub mod keys;
pub mod mail;
pub mod metrics;
pub mod peers;
pub mod program;
pub mod setup;
pub mod sink;

pub use peers::dovecot;

use std::time::{Duration, Instant};

/// How long any wait may take: generous, since a loaded machine is slow and a hang is a failure either way.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A value that threads change and others wait for.
#[derive(Debug, Default)]
pub struct Watched<T> {
    value: std::sync::Mutex<T>,
    changed: std::sync::Condvar,
}

impl<T> Watched<T> {
    /// Changes the value and wakes those who wait.
    pub fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let mut value = self.value.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let result = change(&mut value);
        self.changed.notify_all();
        result
    }

    /// Looks at the value.
    pub fn look<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.value.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Waits until `wanted` gives something; none if `patience` ends first.
    pub fn wait<R>(&self, patience: Duration, mut wanted: impl FnMut(&mut T) -> Option<R>) -> Option<R> {
        let end = Instant::now() + patience;
        let mut value = self.value.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        loop {
            if let Some(found) = wanted(&mut value) {
                return Some(found);
            }
            let left = end.checked_duration_since(Instant::now())?;
            let waited = self.changed.wait_timeout(value, left);
            value = waited.unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
    }
}
