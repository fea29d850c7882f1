//! The control socket: operators ask the running server about its queue, its plugins and its figures, through a Unix socket in its data directory.
//!
//! Requests and answers are JSON, one object a line. An answer is any number of `row` lines and one line that ends it.

pub mod client;
pub mod row;
pub mod server;
#[cfg(test)]
mod tests;

use crate::base::flow::operator::{Selection, Serving};
use crate::base::mail::id::QueueId;
use row::{Message, Row};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A request's line, in octets: filters are short.
const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// What an operator asks, as `{"op":"list","selection":{"domain":"example.org"}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// How the server is.
    Status,
    /// Everything that is counted.
    Metrics,
    /// What is queued.
    List {
        /// Which messages.
        selection: Selection,
    },
    /// Everything of one message.
    Show {
        /// Which.
        id: QueueId,
    },
    /// Makes messages due now; held ones are released.
    Retry {
        /// Which messages.
        selection: Selection,
    },
    /// Has plugins say anew where messages go; held ones are released.
    Rebind {
        /// Which messages.
        selection: Selection,
    },
    /// Takes messages out of the queue.
    Cancel {
        /// Which messages.
        selection: Selection,
    },
    /// Which plugins serve.
    PluginList,
    /// Loads the plugins of the configuration anew.
    PluginReload,
    /// Lets the plugins before serve again.
    PluginRollback,
}

/// One line of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Response {
    /// A queued message; more lines follow.
    Row(Row),
    /// A message, whole. Ends the answer.
    Message(Box<Message>),
    /// How the server is. Ends the answer.
    Status(Status),
    /// Everything that is counted, as OpenMetrics. Ends the answer.
    Metrics(String),
    /// The plugins that serve now. Ends the answer.
    Serving(Serving),
    /// It was done. Ends the answer.
    Done {
        /// How many messages it was done to, or listed.
        messages: u64,
    },
    /// It was not done, in words. Ends the answer.
    Error(String),
}

/// How the server is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// Its name in SMTP.
    pub hostname: String,
    /// Its process.
    pub pid: u32,
    /// For how long it has run.
    pub uptime_seconds: u64,
    /// How often each event happened since the start, by its name in the log; those that did not are left out.
    pub events: BTreeMap<String, u64>,
}

/// Where the socket of a data directory is.
#[must_use]
pub fn socket_path(data_dir: &Path) -> PathBuf {
    data_dir.join("control.sock")
}
