//! What an operator asks of the running queue and of the plugins, and what is answered.

pub mod buckets;
pub mod reports;
pub mod suppression;
pub mod trial;

use super::Answer;
use crate::base::fault::SpoolFault;
use crate::base::flow::entry::Entry;
use crate::base::mail::id::QueueId;
use buckets::{BucketPage, BucketQuery};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use trial::{Differences, Recorded};

/// Which messages: all conditions that are given must hold.
///
/// A condition that is not known is refused: to overlook one would select more than was meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Selection {
    /// Only this one.
    pub id: Option<QueueId>,
    /// A recipient in this domain.
    pub domain: Option<String>,
    /// This sender; the empty string is the null sender.
    pub sender: Option<String>,
    /// Held ones only.
    pub held: bool,
}

/// The queue, as an operator sees it.
pub trait Operate: Send + Sync {
    /// Up to `limit` entries above `after`.
    fn list(
        &self,
        selection: Selection,
        after: Option<QueueId>,
        limit: usize,
    ) -> Answer<'_, Result<Vec<Arc<Entry>>, SpoolFault>>;

    /// Makes what is selected due now; held recipients are released. How many messages.
    fn retry(&self, selection: Selection) -> Answer<'_, Result<u64, SpoolFault>>;

    /// Has policy asked anew where what is selected goes, and makes it due now; held recipients are released. How many
    /// messages.
    fn rebind(&self, selection: Selection) -> Answer<'_, Result<u64, SpoolFault>>;

    /// Takes what is selected out of the queue, without a notification. How many messages.
    fn cancel(&self, selection: Selection) -> Answer<'_, Result<u64, SpoolFault>>;
}

/// The plugins that serve.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Serving {
    /// How often plugins were loaded until these came.
    pub generation: u64,
    /// What a rollback would bring back.
    pub previous: Option<u64>,
    /// In the order in which they are asked.
    pub plugins: Vec<ServingPlugin>,
}

/// One of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServingPlugin {
    /// Its configured name.
    pub name: String,
    /// Where its component came from.
    pub source: String,
    /// The component's sum, in hexadecimal.
    pub sha256: String,
    /// `full`, `shadow` or `canary N %`.
    #[serde(default)]
    pub mode: String,
    /// What it is measured by.
    #[serde(default)]
    pub of: Option<String>,
    /// The listeners that it is for; none: all.
    #[serde(default)]
    pub listeners: Vec<String>,
    /// The tenants that it is for; none: all.
    #[serde(default)]
    pub tenants: Vec<String>,
    /// It failed again and again, and is left alone for a while: `on_failure` answers.
    #[serde(default)]
    pub alone: bool,
    /// It may be shown the passwords of users.
    #[serde(default)]
    pub passwords: bool,
    /// The load that it came with.
    #[serde(default)]
    pub generation: u64,
    /// Its hooks.
    pub hooks: Vec<ServingHook>,
}

/// A plugin's place in a hook's chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServingHook {
    /// The hook.
    pub hook: String,
    /// From 1, the one that is asked first; 0 for a shadow, which is asked beside the chain.
    pub place: u64,
}

/// The plugins, as an operator sees them.
pub trait OperatePlugins: Send + Sync {
    /// What serves.
    fn serving(&self) -> Serving;

    /// Reads the plugins of the configuration and their components again, and lets them serve; the new generation. On an
    /// error, in words for people, nothing is changed.
    fn reload(&self) -> Answer<'_, Result<Serving, String>>;

    /// Lets the generation before serve again, which is kept ready; an error, in words for people, if there is none.
    fn roll_back(&self) -> Answer<'_, Result<Serving, String>>;

    /// Where shadows and canaries differ from what they are measured by: all of them, or the one of that name; an error,
    /// in words for people, if there is none of that name.
    fn differences(&self, plugin: Option<&str>) -> Result<Vec<Differences>, String>;

    /// A page of a plugin's buckets; an error, in words for people, if it has none.
    fn buckets(&self, query: &BucketQuery) -> Result<BucketPage, String>;

    /// Records the next calls of a plugin; an error, in words for people, if none of that name serves.
    fn record(&self, plugin: &str, calls: u64) -> Result<Box<dyn Recording>, String>;
}

/// Hook calls that are being recorded; the recording ends with this value.
pub trait Recording: Send {
    /// The next transaction's; none when all are recorded.
    fn next(&mut self) -> Answer<'_, Option<Recorded>>;
}
