//! Keeps the lists: reads them when the server starts, and writes each change before it is answered.
//!
//! Who changes a list waits for the disk, once for all that wait at the time: whoever has the turn writes everything that
//! is not written, and those behind find theirs done.

#[cfg(test)]
mod tests;

use super::lists::Lists;
use super::page::Page;
use crate::base::event::Event;
use crate::base::flow::Answer;
use crate::base::flow::operator::suppression::{Found, Held, ListName, Reason, Search, Suppress, SuppressFault, key};
use crate::base::mail::address::Address;
use crate::base::world::metrics::{Family, Kind, Measure, Value};
use crate::base::world::store::{Journal, Position, Record, StoreFault};
use crate::base::world::{Clock, Observe};
use std::sync::Arc;
use tokio::sync::Mutex;

/// Entries in a page.
const PAGE_ENTRIES_MAX: usize = 256;
/// Changes that are written at once.
const CHANGES_MAX: usize = 16_384;
/// What is read at once when the server starts, in octets.
const REPLAY_BYTES: usize = 1024 * 1024;
/// A journal shorter than this is not written anew, whatever it holds.
const SHORT_BYTES: u64 = 4 * 1024 * 1024;

/// The suppression stage.
pub struct Suppressor {
    lists: Lists,
    /// None: the lists live as long as the server.
    journal: Option<Arc<dyn Journal>>,
    clock: Arc<dyn Clock>,
    observe: Arc<dyn Observe>,
    /// One at a time writes.
    turn: Mutex<()>,
}

impl Suppressor {
    /// With the lists that the journal has. What is damaged was set aside by the journal, and is told.
    ///
    /// # Errors
    /// The disk fails.
    pub async fn open(
        journal: Option<Arc<dyn Journal>>,
        clock: Arc<dyn Clock>,
        observe: Arc<dyn Observe>,
    ) -> Result<Self, StoreFault> {
        let suppressor = Self { lists: Lists::default(), journal, clock, observe, turn: Mutex::new(()) };
        suppressor.recall().await?;
        Ok(suppressor)
    }

    async fn recall(&self) -> Result<(), StoreFault> {
        let Some(journal) = &self.journal else { return Ok(()) };
        let mut from = journal.extent().0;
        loop {
            let found = journal.replay(from, REPLAY_BYTES).await?;
            let Some(last) = found.last() else { return Ok(()) };
            from = last.end;
            for found in found {
                let position = found.at.0;
                match found.understood(Page::read, "it is no page of a list") {
                    Ok(page) => self.lists.restore(page),
                    Err(why) => self.observe.event(Event::SuppressionDamaged { position, why: &why }),
                }
            }
        }
    }

    /// Waits until that change is on the disk.
    async fn kept(&self, change: u64) -> Result<(), SuppressFault> {
        let Some(journal) = &self.journal else { return Ok(()) };
        if self.lists.is_written(change) {
            return Ok(());
        }
        let _turn = self.turn.lock().await;
        while !self.lists.is_written(change) {
            if let Err(fault) = self.write(&**journal).await {
                let why = fault.to_string();
                self.observe.event(Event::SuppressionUnkept { why: &why });
                return Err(SuppressFault::Unkept(why));
            }
        }
        Ok(())
    }

    async fn write(&self, journal: &dyn Journal) -> Result<(), StoreFault> {
        let (pages, changes) = self.lists.unwritten(CHANGES_MAX);
        journal.append(records(pages)).await?;
        self.lists.written(changes);
        let (Position(begin), end) = journal.extent();
        match end.0 - begin > SHORT_BYTES.max(2 * self.lists.size_bytes() as u64) {
            true => self.write_anew(journal, end).await,
            false => Ok(()),
        }
    }

    /// Writes everything behind `end`, and gives back what is before it. An interruption leaves both. What is written
    /// while it runs comes behind it: there is one turn.
    async fn write_anew(&self, journal: &dyn Journal, end: Position) -> Result<(), StoreFault> {
        for (list, _) in self.lists.counts() {
            let mut after = None;
            loop {
                let entries = self.lists.page(&list, after.as_deref(), PAGE_ENTRIES_MAX);
                let Some((last, _)) = entries.last() else { break };
                after = Some(last.clone());
                let entries = entries.into_iter().map(|(who, held)| (who, Some(held))).collect();
                journal.append(vec![Page { list: list.clone(), entries }.record()]).await?;
            }
        }
        journal.trim(end).await
    }
}

/// Pages as records, none of them too long.
fn records(pages: Vec<Page>) -> Vec<Record> {
    let mut records = Vec::with_capacity(pages.len());
    for Page { list, mut entries } in pages {
        while !entries.is_empty() {
            let rest = entries.split_off(entries.len().min(PAGE_ENTRIES_MAX));
            records.push(Page { list: list.clone(), entries }.record());
            entries = rest;
        }
    }
    records
}

impl Suppress for Suppressor {
    fn contains(&self, list: &ListName, who: &Address) -> Option<Reason> {
        self.lists.get(list, &key(who)).map(|held| held.reason)
    }

    fn add(&self, list: ListName, who: Vec<(Address, Reason)>, by: Arc<str>) -> Answer<'_, Result<u64, SuppressFault>> {
        Box::pin(async move {
            let since = self.clock.now().wall;
            let held = |reason| Held { reason, since, by: by.clone() };
            let entries = who.iter().map(|(who, reason)| (key(who), held(*reason))).collect();
            let (count, change) = self.lists.add(&list, entries)?;
            self.kept(change).await?;
            Ok(count)
        })
    }

    fn remove(&self, list: ListName, who: Address) -> Answer<'_, Result<bool, SuppressFault>> {
        Box::pin(async move {
            let (was, change) = self.lists.remove(list, key(&who));
            self.kept(change).await?;
            Ok(was)
        })
    }

    fn find(&self, list: &ListName, who: &Address) -> Option<(Box<str>, Held)> {
        let key = key(who);
        self.lists.get(list, &key).map(|held| (key, held))
    }

    fn search(&self, list: &ListName, wanted: Search<'_>) -> Found {
        self.lists.search(list, wanted)
    }

    fn page(&self, list: &ListName, after: Option<&str>, limit: usize) -> Vec<(Box<str>, Held)> {
        self.lists.page(list, after, limit)
    }
}

impl Measure for Suppressor {
    fn measure(&self, into: &mut Vec<Family>) {
        let help = "Addresses on suppression lists; the tenant is empty for the lists of nobody.";
        let mut family = Family::new("mailwright_suppressed_addresses", Kind::Gauge, help);
        for (ListName { scope, tenant }, count) in self.lists.counts() {
            let labels = [("scope", &*scope), ("tenant", tenant.as_deref().unwrap_or_default())];
            family.push(&labels, Value::Whole(count as u64));
        }
        into.push(family);
    }
}
