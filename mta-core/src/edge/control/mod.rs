//! The control socket: operators ask the running server about its queue, its plugins, its suppression lists, its reports and its figures, through a Unix socket in its data directory.
//!
//! Requests and answers are JSON, one object a line. An answer is any number of `row` lines and one line that ends it.

pub mod client;
pub mod row;
pub mod server;
mod suppression;
#[cfg(test)]
mod tests;

use crate::base::flow::operator::buckets::{BucketPage, BucketQuery};
use crate::base::flow::operator::reports::ReportRow;
use crate::base::flow::operator::suppression::Reason;
use crate::base::flow::operator::trial::{Differences, Recorded};
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
    /// A page of a suppression list.
    SuppressionList {
        /// Which list.
        list: List,
        /// The address behind which the page begins; none: at the first.
        #[serde(default)]
        after: Option<String>,
        /// What the addresses have in them; none: anything.
        #[serde(default)]
        containing: Option<String>,
    },
    /// Puts addresses on a suppression list; all, or none.
    SuppressionAdd {
        /// Which list.
        list: List,
        /// The addresses, each with its reason.
        addresses: Vec<(String, Reason)>,
    },
    /// Takes an address off a suppression list.
    SuppressionRemove {
        /// Which list.
        list: List,
        /// The address.
        address: String,
    },
    /// The reports to other domains in the making and on their way.
    ReportList,
    /// What those for a domain would say.
    ReportShow {
        /// The domain.
        domain: String,
    },
    /// Ends the period of a domain's reports and sends them.
    ReportSend {
        /// The domain.
        domain: String,
    },
    /// Which plugins serve.
    PluginList,
    /// Loads the plugins of the configuration anew.
    PluginReload,
    /// Lets the plugins before serve again.
    PluginRollback,
    /// Where shadows and canaries differ.
    PluginDifferences {
        /// One of them; none: all.
        #[serde(default)]
        plugin: Option<String>,
    },
    /// A page of what a plugin keeps in its buckets.
    PluginBucket {
        /// What of it.
        query: BucketQuery,
    },
    /// Records the next calls of a plugin, as they come. Ends with the connection, or when there were so many.
    PluginRecord {
        /// Its name.
        plugin: String,
        /// So many.
        calls: u64,
    },
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
    /// A page of a suppression list. Ends the answer.
    Suppressed {
        /// In the order of the addresses.
        addresses: Vec<SuppressedRow>,
        /// There are more behind the last.
        more: bool,
    },
    /// A suppression list was changed. Ends the answer.
    Changed {
        /// How many addresses were put on it, or taken off.
        addresses: u64,
    },
    /// Reports to other domains. Ends the answer.
    Reports(Vec<ReportRow>),
    /// Texts for people: what reports say, or what came of them. Ends the answer.
    Told(Vec<String>),
    /// Where shadows and canaries differ. Ends the answer.
    Differences(Vec<Differences>),
    /// A page of buckets. Ends the answer.
    Bucket(BucketPage),
    /// Calls that were recorded; more lines follow.
    Recorded(Box<Recorded>),
    /// It was done. Ends the answer.
    Done {
        /// How many messages it was done to, or listed; of a record, how many transactions.
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

/// A suppression list's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Its scope.
    pub scope: String,
    /// Whose it is; none: of mail of nobody in particular.
    #[serde(default)]
    pub tenant: Option<String>,
}

/// One address of a suppression list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuppressedRow {
    /// In lower case, its domain in A-labels.
    pub address: String,
    /// Why it is there.
    pub reason: Reason,
    /// Since when, RFC 3339 in UTC.
    pub since: String,
    /// Who put it there: `operator`, or `plugin:NAME`.
    pub by: String,
}

/// Where the socket of a data directory is.
#[must_use]
pub fn socket_path(data_dir: &Path) -> PathBuf {
    data_dir.join("control.sock")
}
