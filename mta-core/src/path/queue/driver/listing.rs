//! Reading the whole spool in batches: at the start, and again after the routes changed.

use super::doors::Doors;
use crate::base::flow::entry::Entry;
use crate::base::flow::operator::Selection;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Entries asked for at once: one batch is being admitted while the next is read.
const BATCH_ENTRIES_MAX: usize = 10_000;
/// Between two tries when the spool fails.
const AGAIN: Duration = Duration::from_secs(1);

/// A listing under way, or none.
pub(super) struct Listing {
    doors: Doors,
    batches: Option<mpsc::Receiver<Vec<Arc<Entry>>>>,
    task: Option<JoinHandle<()>>,
}

impl Listing {
    pub(super) fn new(doors: Doors) -> Self {
        Self { doors, batches: None, task: None }
    }

    /// Begins from the first entry, also if a listing is under way: what it has not shown yet, the new one will.
    pub(super) fn begin(&mut self) {
        self.end();
        let (sender, batches) = mpsc::channel(1);
        self.batches = Some(batches);
        self.task = Some(tokio::spawn(read(self.doors.clone(), sender)));
    }

    /// Stops reading.
    pub(super) fn end(&mut self) {
        self.batches = None;
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }

    /// The next batch; none when there is no listing (any more).
    pub(super) async fn next(&mut self) -> Option<Vec<Arc<Entry>>> {
        let batch = self.batches.as_mut()?.recv().await;
        if batch.is_none() {
            self.batches = None;
        }
        batch
    }
}

async fn read(doors: Doors, sender: mpsc::Sender<Vec<Arc<Entry>>>) {
    let mut after = None;
    loop {
        match doors.spool.list(Selection::default(), after, BATCH_ENTRIES_MAX).await {
            Ok(batch) => {
                let Some(last) = batch.last() else { return };
                after = Some(last.id);
                if sender.send(batch).await.is_err() {
                    return;
                }
            }
            // The spool says itself what is wrong. Nothing that it holds may be forgotten, so it is asked again.
            Err(_) => doors.clock.sleep_until(doors.clock.now().mono + AGAIN).await,
        }
    }
}
