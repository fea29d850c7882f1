//! What a plugin is told beside the mail: how much of it may wait, and how much is dropped.

use super::super::host::call::LogGate;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Reports to one plugin that wait or run; beyond, they are dropped: mail never waits for a report.
pub(crate) const REPORTS_MAX: usize = 1_024;
/// Reports to one plugin that run at once.
const RUNNING_MAX: usize = 4;
/// Lines a second that tell of dropped reports.
const LINES_PER_SECOND_MAX: u32 = 1;

/// The reports to one plugin.
pub(crate) struct Reports {
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
    /// One tick at a time: a plugin slower than its interval misses some.
    tick: Arc<Semaphore>,
    lines: LogGate,
}

/// A report's right to be told.
pub(crate) struct Place(#[expect(dead_code, reason = "held until the report was told")] OwnedSemaphorePermit);

/// A report's right to be told now.
pub(crate) struct Turn(#[expect(dead_code, reason = "held while the report is told")] OwnedSemaphorePermit);

impl Default for Reports {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(REPORTS_MAX)),
            turns: Arc::new(Semaphore::new(RUNNING_MAX)),
            tick: Arc::new(Semaphore::new(1)),
            lines: LogGate::default(),
        }
    }
}

impl Reports {
    /// A place for one more report, if there is one.
    pub(crate) fn place(&self) -> Option<Place> {
        self.places.clone().try_acquire_owned().ok().map(Place)
    }

    /// The place for a tick, if none is under way.
    pub(crate) fn tick_place(&self) -> Option<Place> {
        self.tick.clone().try_acquire_owned().ok().map(Place)
    }

    /// Waits for its turn. Nobody closes the turns.
    pub(crate) async fn turn(&self) -> Option<Turn> {
        self.turns.clone().acquire_owned().await.ok().map(Turn)
    }

    /// Its turn, if it is there now.
    pub(crate) fn turn_at_once(&self) -> Option<Turn> {
        self.turns.clone().try_acquire_owned().ok().map(Turn)
    }

    /// A report was dropped: how many were since the last line, if one is to be written now.
    pub(crate) fn dropped(&self, second: u64) -> Option<u64> {
        self.lines.pass(second, LINES_PER_SECOND_MAX).map(|before| before + 1)
    }
}
