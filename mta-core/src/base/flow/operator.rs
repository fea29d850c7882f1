//! What an operator asks of the running queue, and what is answered.

use super::Answer;
use crate::base::fault::SpoolFault;
use crate::base::flow::entry::Entry;
use crate::base::mail::id::QueueId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

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

    /// Takes what is selected out of the queue, without a notification. How many messages.
    fn cancel(&self, selection: Selection) -> Answer<'_, Result<u64, SpoolFault>>;
}
