//! The lists in memory, and what of them changed since it was last written.

use super::page::Page;
use crate::base::flow::operator::suppression::{Found, Held, ListName, Search, SuppressFault};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Addresses on one list.
pub(super) const LIST_ADDRESSES_MAX: usize = 1_000_000;
/// Addresses on all lists; each takes about 150 octets of memory.
pub(super) const ADDRESSES_MAX: usize = 4_000_000;
/// Lists.
pub(super) const LISTS_MAX: usize = 4_096;
/// Addresses that one search looks at: nobody waits longer than for these.
pub(super) const LOOKED_AT_MAX: usize = 10_000;
/// About what an entry takes besides its address, once written.
const ENTRY_OVERHEAD_BYTES: usize = 32;

#[derive(Debug, Default)]
pub(super) struct Lists {
    inner: RwLock<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    lists: BTreeMap<ListName, BTreeMap<Box<str>, Held>>,
    addresses: usize,
    bytes: usize,
    /// Changes in their order, from the first that is not known to be written.
    changes: VecDeque<(ListName, Box<str>, Option<Held>)>,
    /// How many changes there were before the first of them.
    written: u64,
}

impl Lists {
    pub(super) fn get(&self, list: &ListName, who: &str) -> Option<Held> {
        self.read().lists.get(list)?.get(who).cloned()
    }

    /// Puts addresses on a list, all that are not there or none; how many, and the change to wait for.
    pub(super) fn add(&self, list: &ListName, who: Vec<(Box<str>, Held)>) -> Result<(u64, u64), SuppressFault> {
        let mut inner = self.write();
        let there = inner.lists.get(list);
        let mut new: BTreeMap<Box<str>, Held> = BTreeMap::new();
        for (who, held) in who {
            if there.is_none_or(|there| !there.contains_key(&who)) {
                new.entry(who).or_insert(held);
            }
        }
        let of_list = there.map_or(0, BTreeMap::len) + new.len();
        if of_list > LIST_ADDRESSES_MAX
            || inner.addresses + new.len() > ADDRESSES_MAX
            || (there.is_none() && inner.lists.len() >= LISTS_MAX)
        {
            return Err(SuppressFault::Full);
        }
        let count = new.len() as u64;
        for (who, held) in new {
            inner.put(list, &who, Some(held.clone()));
            inner.changes.push_back((list.clone(), who, Some(held)));
        }
        // One that was there may still be on its way to the disk: whoever asks for it waits with it.
        Ok((count, inner.last()))
    }

    /// Takes an address off; whether it was there, and the change to wait for.
    pub(super) fn remove(&self, list: ListName, who: Box<str>) -> (bool, u64) {
        let mut inner = self.write();
        let was = inner.lists.get(&list).is_some_and(|there| there.contains_key(&who));
        if was {
            inner.put(&list, &who, None);
            inner.changes.push_back((list, who, None));
        }
        (was, inner.last())
    }

    /// Puts back what was kept.
    pub(super) fn restore(&self, page: Page) {
        let mut inner = self.write();
        for (who, held) in page.entries {
            inner.put(&page.list, &who, held);
        }
    }

    /// Whether that change is written.
    pub(super) fn is_written(&self, change: u64) -> bool {
        self.read().written >= change
    }

    /// Up to so many changes that are not written, as pages; with how many they are. They stay until [`written`] says
    /// that they are on the disk: who writes them may be interrupted.
    ///
    /// [`written`]: Self::written
    pub(super) fn unwritten(&self, most: usize) -> (Vec<Page>, usize) {
        let inner = self.read();
        let mut pages: Vec<Page> = Vec::new();
        let mut count = 0;
        for (list, who, held) in inner.changes.iter().take(most) {
            count += 1;
            let entry = (who.clone(), held.clone());
            match pages.last_mut().filter(|page| page.list == *list) {
                Some(page) => page.entries.push(entry),
                None => pages.push(Page { list: list.clone(), entries: vec![entry] }),
            }
        }
        (pages, count)
    }

    /// So many changes are on the disk now.
    pub(super) fn written(&self, count: usize) {
        let mut inner = self.write();
        let count = count.min(inner.changes.len());
        inner.changes.drain(..count);
        inner.written += count as u64;
    }

    /// Up to `most` entries of a list, behind that one.
    pub(super) fn page(&self, list: &ListName, after: Option<&str>, most: usize) -> Vec<(Box<str>, Held)> {
        let inner = self.read();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let entries = inner.lists.get(list).into_iter().flat_map(|list| list.range::<str, _>((from, Bound::Unbounded)));
        entries.take(most).map(|(who, held)| (who.clone(), held.clone())).collect()
    }

    /// What has that text in it, of the next [`LOOKED_AT_MAX`] entries.
    pub(super) fn search(&self, list: &ListName, wanted: Search<'_>) -> Found {
        let inner = self.read();
        let Some(list) = inner.lists.get(list) else { return Found::default() };
        let from = wanted.after.map_or(Bound::Unbounded, Bound::Excluded);
        let (mut found, containing) = (Found::default(), wanted.containing.to_lowercase());
        let mut rest = list.range::<str, _>((from, Bound::Unbounded)).enumerate().peekable();
        while let Some((place, (who, held))) = rest.next() {
            found.looked_at_bytes += who.len() as u64;
            if who.contains(&*containing) && found.entries.len() < wanted.limit {
                found.entries.push((who.clone(), held.clone()));
            }
            if (found.entries.len() >= wanted.limit || place + 1 >= LOOKED_AT_MAX) && rest.peek().is_some() {
                found.after = Some(who.clone());
                break;
            }
        }
        found
    }

    /// Each list with how many are on it.
    pub(super) fn counts(&self) -> Vec<(ListName, usize)> {
        self.read().lists.iter().map(|(name, list)| (name.clone(), list.len())).collect()
    }

    /// About how many octets pages of everything take.
    pub(super) fn size_bytes(&self) -> usize {
        let inner = self.read();
        inner.bytes + inner.addresses * ENTRY_OVERHEAD_BYTES
    }

    /// No change panics half-way, so what a poisoned lock guards is whole.
    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// How many changes there were.
    fn last(&self) -> u64 {
        self.written + self.changes.len() as u64
    }

    fn put(&mut self, list: &ListName, who: &str, held: Option<Held>) {
        let before = match held {
            Some(held) => self.lists.entry(list.clone()).or_default().insert(who.into(), held).map(|_| true),
            None => self.take(list, who).then_some(false),
        };
        match before {
            // It was there, and is.
            Some(true) => {}
            Some(false) => {
                self.addresses = self.addresses.saturating_sub(1);
                self.bytes = self.bytes.saturating_sub(who.len());
            }
            None if self.lists.get(list).is_some_and(|there| there.contains_key(who)) => {
                self.addresses += 1;
                self.bytes += who.len();
            }
            // It was not there, and is not.
            None => {}
        }
    }

    /// Whether it was there; a list that is empty goes.
    fn take(&mut self, list: &ListName, who: &str) -> bool {
        let Some(there) = self.lists.get_mut(list) else { return false };
        let was = there.remove(who).is_some();
        if there.is_empty() {
            self.lists.remove(list);
        }
        was
    }
}
