//! Keeps what is counted in a journal, some seconds behind, and reads it back when the server starts.

use super::super::page::{self, Page};
use super::{Reporter, TICK};
use crate::base::event::Event;
use crate::base::flow::operator::reports::ReportKind;
use crate::base::world::store::{Journal, Position, Record, StoreFault};

/// Reports whose changes are written at once.
const PAGES_MAX: usize = 256;
/// What is read at once when the server starts, in octets.
const REPLAY_BYTES: usize = 1024 * 1024;
/// A journal shorter than this is not written anew, whatever it holds.
const SHORT_BYTES: u64 = 4 * 1024 * 1024;

impl Reporter {
    /// What the journal has.
    pub(super) async fn recall(&self) -> Result<(), StoreFault> {
        let Some(journal) = &self.journal else { return Ok(()) };
        let mut from = journal.extent().0;
        loop {
            let found = journal.replay(from, REPLAY_BYTES).await?;
            let Some(last) = found.last() else { break };
            from = last.end;
            for found in found {
                let position = found.at.0;
                match found.understood(page::read, "it is no page of a report") {
                    Ok(kept) => self.ledger.restore(kept),
                    Err(why) => self.parts.observe.event(Event::ReportsDamaged { position, why: &why }),
                }
            }
        }
        self.ledger.restored(self.seconds());
        Ok(())
    }

    /// Writes what changed, again and again, and tells what there was no room for. Never ends.
    pub(super) async fn keep(&self) {
        loop {
            let next = self.parts.clock.mono() + TICK;
            self.parts.clock.sleep_until(next).await;
            for (kind, results) in ReportKind::ALL.iter().zip(self.ledger.take_dropped()) {
                if results > 0 {
                    self.parts.observe.event(Event::ReportsDropped { kind: kind.name(), results });
                }
            }
            if let Err(fault) = self.save().await {
                self.parts.observe.event(Event::ReportsUnkept { why: &fault.to_string() });
            }
        }
    }

    /// Writes what changed.
    ///
    /// # Errors
    /// The disk fails: it is written with the next.
    pub async fn save(&self) -> Result<(), StoreFault> {
        let Some(journal) = &self.journal else { return Ok(()) };
        let _turn = self.turn.lock().await;
        loop {
            let (pages, gone) = self.ledger.unwritten(PAGES_MAX);
            if pages.is_empty() && gone.is_empty() {
                break;
            }
            let records = pages.iter().flat_map(Page::records).chain(gone.iter().map(|id| page::gone(*id)));
            journal.append(records.collect()).await?;
            self.ledger.written(&pages, &gone);
            if pages.len() < PAGES_MAX {
                break;
            }
        }
        let (Position(begin), end) = journal.extent();
        match end.0 - begin > SHORT_BYTES.max(2 * self.ledger.figures().bytes as u64) {
            true => self.write_anew(&**journal, end).await,
            false => Ok(()),
        }
    }

    /// Writes everything behind `end`, and gives back what is before it. An interruption leaves both. What changes while
    /// it runs is written behind it: there is one turn.
    async fn write_anew(&self, journal: &dyn Journal, end: Position) -> Result<(), StoreFault> {
        for id in self.ledger.ids() {
            let records: Vec<Record> = self.ledger.whole(id).map(|page| page.records()).unwrap_or_default();
            if !records.is_empty() {
                journal.append(records).await?;
            }
        }
        journal.trim(end).await
    }
}
