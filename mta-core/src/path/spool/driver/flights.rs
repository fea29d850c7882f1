//! Groups on their way to the disk: several at once, which land in the order in which they left.

use crate::base::flow::Answer;
use crate::base::mail::id::QueueId;
use crate::base::world::store::{Position, Record, Store, StoreFault};
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use std::collections::HashSet;
use std::sync::Arc;

/// Groups on their way: one that is being written, and what the journal then takes at once. Well below what it lets wait.
const FLIGHTS_MAX: usize = 8;

/// What is on its way, each with what it is about.
pub(super) struct Flights<T> {
    under_way: FuturesOrdered<Answer<'static, Landed<T>>>,
    /// How many jobs are in them.
    jobs: usize,
    /// Messages that are being changed. What they will be is known when the change has landed.
    changing: HashSet<QueueId>,
}

/// What came of one.
pub(super) struct Landed<T> {
    pub(super) appended: Result<Vec<Position>, StoreFault>,
    pub(super) of: T,
    jobs: usize,
}

impl<T> Default for Flights<T> {
    fn default() -> Self {
        Self { under_way: FuturesOrdered::new(), jobs: 0, changing: HashSet::new() }
    }
}

impl<T: Send + 'static> Flights<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Whether a group of so many jobs may be begun: there is room for one more, and it is larger than all that are on
    /// their way, by a quarter of them. Smaller ones would make ever smaller ones, and a sync for each.
    pub(super) fn may_follow(&self, jobs: usize) -> bool {
        4 * jobs >= 5 * self.jobs && self.under_way.len() < FLIGHTS_MAX
    }

    /// Whether this message is being changed.
    pub(super) fn are_changing(&self, id: Option<QueueId>) -> bool {
        id.is_some_and(|id| self.changing.contains(&id))
    }

    /// What is begun next changes these messages.
    pub(super) fn hold(&mut self, ids: impl Iterator<Item = QueueId>) {
        self.changing.extend(ids);
    }

    /// What changed these messages has landed.
    pub(super) fn release(&mut self, ids: impl Iterator<Item = QueueId>) {
        for id in ids {
            self.changing.remove(&id);
        }
    }

    /// Sends records on their way.
    pub(super) fn begin(&mut self, store: &Arc<dyn Store>, records: Vec<Record>, jobs: usize, of: T) {
        let store = Arc::clone(store);
        self.jobs += jobs;
        self.under_way.push_back(Box::pin(async move { Landed { appended: store.append(records).await, jobs, of } }));
    }

    /// The next that lands, in the order in which they left. None where none is on its way.
    pub(super) async fn next(&mut self) -> Option<Landed<T>> {
        let landed = self.under_way.next().await?;
        self.jobs -= landed.jobs;
        Some(landed)
    }
}
