//! What is in a bucket: values and limits, when they expire, how much room they take, and what of it changed.

use super::kept::What;
use super::rate::{Limit, NANOS};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use tokio::sync::Notify;

/// Longest key, in octets.
pub(crate) const KEY_BYTES_MAX: usize = 512;
/// Longest value, in octets.
pub(crate) const VALUE_BYTES_MAX: usize = 64 * 1024;
/// Entries in a bucket.
pub(crate) const ENTRIES_MAX: usize = 100_000;
/// Octets of keys and values in a bucket.
pub(crate) const BUCKET_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Expired entries that one write clears away, so that no write pays for many.
const SWEEP_MAX: usize = 8;

/// Why an operation was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KvFault {
    /// The bucket is full.
    Quota,
    /// Key or value are too long.
    TooLarge,
    /// Another version, or a value of another kind.
    Conflict,
}

/// A value as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) value: Vec<u8>,
    pub(crate) version: u64,
    pub(crate) expires_ms: Option<u64>,
}

#[derive(Debug, Default)]
pub(super) struct Entries {
    pub(super) values: BTreeMap<Arc<str>, Stored>,
    /// Rate limits.
    pub(super) limits: BTreeMap<Arc<str>, Limit>,
    /// What expires when; the flag tells limits from values.
    pub(super) expiries: BTreeSet<(u64, bool, Arc<str>)>,
    /// Never used twice, so that a version names one write even across deletions.
    pub(super) last_version: u64,
    pub(super) bytes: usize,
    /// What changed since it was last kept: the flag tells limits from values.
    pub(super) changed: HashSet<(bool, Arc<str>)>,
    /// Who keeps what changes, and is told that something did.
    pub(super) keeper: Option<Arc<Notify>>,
}

/// What an entry takes besides its key and value, once kept.
pub(super) const ENTRY_OVERHEAD_BYTES: usize = 24;

pub(super) fn expiry(now_ms: u64, ttl_ms: Option<u64>) -> Option<u64> {
    ttl_ms.map(|ttl| now_ms.saturating_add(ttl))
}

impl Entries {
    /// Notes a change, where changes are kept, and tells the keeper.
    pub(super) fn note(&mut self, is_limit: bool, key: &Arc<str>) {
        if let Some(keeper) = &self.keeper {
            self.changed.insert((is_limit, key.clone()));
            keeper.notify_one();
        }
    }

    pub(super) fn what(&self, is_limit: bool, key: &str) -> What {
        if is_limit {
            // A limit that is gone was whole again.
            return self.limits.get(key).map_or(What::Limit(0), |limit| What::Rate(*limit));
        }
        match self.values.get(key) {
            Some(Stored { value, version, expires_ms }) => {
                What::Value { value: value.clone(), version: *version, expires_ms: *expires_ms }
            }
            None => What::Gone,
        }
    }

    pub(super) fn live(&self, now_ms: u64, key: &str) -> Option<&Stored> {
        self.values.get(key).filter(|stored| stored.expires_ms.is_none_or(|at| at > now_ms))
    }

    pub(super) fn put(
        &mut self,
        now_ms: u64,
        key: &str,
        value: Vec<u8>,
        expires_ms: Option<u64>,
    ) -> Result<u64, KvFault> {
        if key.len() > KEY_BYTES_MAX || value.len() > VALUE_BYTES_MAX {
            return Err(KvFault::TooLarge);
        }
        self.sweep(now_ms);
        let before = self.values.get(key).map(|stored| key.len() + stored.value.len());
        let bytes = self.bytes - before.unwrap_or(0) + key.len() + value.len();
        if bytes > BUCKET_BYTES_MAX || (before.is_none() && self.entries() >= ENTRIES_MAX) {
            return Err(KvFault::Quota);
        }
        self.remove(key);
        let key: Arc<str> = key.into();
        self.last_version += 1;
        self.bytes = bytes;
        if let Some(at) = expires_ms {
            self.expiries.insert((at, false, key.clone()));
        }
        self.note(false, &key);
        self.values.insert(key, Stored { value, version: self.last_version, expires_ms });
        Ok(self.last_version)
    }

    pub(super) fn put_limit(&mut self, now_ms: u64, key: &str, limit: Limit) -> Result<(), KvFault> {
        if key.len() > KEY_BYTES_MAX {
            return Err(KvFault::TooLarge);
        }
        self.sweep(now_ms);
        match self.limits.get_key_value(key).map(|(key, at)| (key.clone(), *at)) {
            Some((key, before)) => {
                self.expiries.remove(&(millis(before.whole_at), true, key));
            }
            None if self.entries() >= ENTRIES_MAX => return Err(KvFault::Quota),
            None => {}
        }
        let key: Arc<str> = key.into();
        // A limit that is whole again says no more than one that was never used.
        self.expiries.insert((millis(limit.whole_at), true, key.clone()));
        self.note(true, &key);
        self.limits.insert(key, limit);
        Ok(())
    }

    pub(super) fn remove(&mut self, key: &str) {
        let Some((key, stored)) = self.values.remove_entry(key) else { return };
        self.bytes = self.bytes.saturating_sub(key.len() + stored.value.len());
        if let Some(at) = stored.expires_ms {
            self.expiries.remove(&(at, false, key));
        }
    }

    pub(super) fn entries(&self) -> usize {
        self.values.len() + self.limits.len()
    }

    /// Clears some of what has expired; all of it when the bucket is full.
    pub(super) fn sweep(&mut self, now_ms: u64) {
        let full = self.entries() >= ENTRIES_MAX || self.bytes >= BUCKET_BYTES_MAX;
        let most = if full { usize::MAX } else { SWEEP_MAX };
        for _ in 0..most {
            let Some((at, is_limit, key)) = self.expiries.first().cloned() else { return };
            if at > now_ms {
                return;
            }
            if is_limit {
                self.limits.remove(&key);
                self.expiries.remove(&(at, is_limit, key));
            } else {
                self.remove(&key);
            }
        }
    }
}

pub(super) fn millis(nanos: u128) -> u64 {
    u64::try_from(nanos.div_ceil(NANOS)).unwrap_or(u64::MAX)
}
