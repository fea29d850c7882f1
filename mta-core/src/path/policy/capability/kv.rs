//! Key and value buckets in memory, namespaced by plugin, bounded, with times to live and rate limits.
//!
//! Pure: the time is an argument. One lock a bucket makes each operation exact under concurrency.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Longest key, in octets.
pub(crate) const KEY_BYTES_MAX: usize = 512;
/// Longest value, in octets.
pub(crate) const VALUE_BYTES_MAX: usize = 64 * 1024;
/// Entries in a bucket.
pub(crate) const ENTRIES_MAX: usize = 100_000;
/// Octets of keys and values in a bucket.
pub(crate) const BUCKET_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Keys that one call lists.
pub(crate) const LIST_KEYS_MAX: usize = 1000;
/// Expired entries that one write clears away, so that no write pays for many.
const SWEEP_MAX: usize = 8;

/// Every bucket of every plugin. Survives reloads of plugins, not of the process.
#[derive(Debug, Default)]
pub(crate) struct Kv {
    buckets: Mutex<HashMap<BucketName, Arc<Bucket>>>,
}

/// The plugin's name, and its own name for the bucket.
type BucketName = (Arc<str>, Box<str>);

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

/// What came of taking from a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Remaining(u32),
    RetryAfterMs(u64),
}

/// One bucket of one plugin.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    values: BTreeMap<Arc<str>, Stored>,
    /// Rate limits: the time in nanoseconds at which each is whole again (GCRA's theoretical arrival time).
    limits: BTreeMap<Arc<str>, u128>,
    /// What expires when; the flag tells limits from values.
    expiries: BTreeSet<(u64, bool, Arc<str>)>,
    /// Never used twice, so that a version names one write even across deletions.
    last_version: u64,
    bytes: usize,
}

impl Kv {
    /// The bucket, made at its first use.
    pub(crate) fn bucket(&self, plugin: &Arc<str>, name: &str) -> Arc<Bucket> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.entry((plugin.clone(), name.into())).or_default().clone()
    }
}

impl Bucket {
    /// No operation panics half-way through a change, so a poisoned table is whole.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, now_ms: u64, key: &str) -> Option<Stored> {
        self.table().live(now_ms, key).cloned()
    }

    pub(crate) fn set(&self, now_ms: u64, key: &str, value: Vec<u8>, ttl_ms: Option<u64>) -> Result<u64, KvFault> {
        self.table().put(now_ms, key, value, expiry(now_ms, ttl_ms))
    }

    pub(crate) fn delete(&self, now_ms: u64, key: &str) -> bool {
        let mut table = self.table();
        let was = table.live(now_ms, key).is_some();
        table.remove(key);
        was
    }

    /// Writes only if the version is the expected one; none expects that there is no value.
    pub(crate) fn cas(
        &self,
        now_ms: u64,
        key: &str,
        expected: Option<u64>,
        value: Vec<u8>,
        ttl_ms: Option<u64>,
    ) -> Result<u64, KvFault> {
        let mut table = self.table();
        match table.live(now_ms, key).map(|stored| stored.version) == expected {
            true => table.put(now_ms, key, value, expiry(now_ms, ttl_ms)),
            false => Err(KvFault::Conflict),
        }
    }

    /// Adds to a counter (eight octets, little endian); a new one begins at 0 and lives for `ttl_ms` from then on.
    pub(crate) fn incr(&self, now_ms: u64, key: &str, delta: i64, ttl_ms: Option<u64>) -> Result<i64, KvFault> {
        let mut table = self.table();
        let (before, expires_ms) = match table.live(now_ms, key) {
            Some(stored) => {
                let octets = stored.value.as_slice().try_into().map_err(|_| KvFault::Conflict)?;
                (i64::from_le_bytes(octets), stored.expires_ms)
            }
            None => (0, expiry(now_ms, ttl_ms)),
        };
        let sum = before.saturating_add(delta);
        table.put(now_ms, key, sum.to_le_bytes().to_vec(), expires_ms)?;
        Ok(sum)
    }

    /// Takes from a limit of `limit` in each window (GCRA: the generic cell rate algorithm). What is refused costs
    /// nothing. Not more than `limit` pass in one burst, and no more than the rate in the long run.
    pub(crate) fn take(&self, now_ms: u64, key: &str, cost: u32, limit: u32, window_ms: u64) -> Result<Taken, KvFault> {
        if cost > limit || window_ms == 0 {
            return Ok(Taken::RetryAfterMs(window_ms));
        }
        let mut table = self.table();
        let now = u128::from(now_ms) * NANOS;
        let step = (u128::from(window_ms) * NANOS).div_ceil(u128::from(limit.max(1)));
        let burst = step * u128::from(limit);
        let whole_at = table.limits.get(key).copied().unwrap_or(now).max(now);
        let after = whole_at + step * u128::from(cost);
        if after > now + burst {
            let wait = (after - now - burst).div_ceil(NANOS);
            return Ok(Taken::RetryAfterMs(u64::try_from(wait).unwrap_or(u64::MAX)));
        }
        table.put_limit(now_ms, key, after)?;
        let left = (now + burst - after).checked_div(step).unwrap_or(0);
        Ok(Taken::Remaining(u32::try_from(left).unwrap_or(u32::MAX)))
    }

    /// Keys of live values with the prefix, in order, behind `after`.
    pub(crate) fn list_keys(&self, now_ms: u64, prefix: &str, after: Option<&str>, limit: usize) -> Vec<String> {
        let table = self.table();
        let from = after.map_or(prefix, |after| after.max(prefix));
        let range = table.values.range::<str, _>((Bound::Included(from), Bound::Unbounded));
        let of_prefix = range.take_while(|(key, _)| key.starts_with(prefix));
        let behind = of_prefix.filter(|(key, stored)| {
            after.is_none_or(|after| &***key > after) && stored.expires_ms.is_none_or(|at| at > now_ms)
        });
        behind.map(|(key, _)| key.to_string()).take(limit.min(LIST_KEYS_MAX)).collect()
    }
}

/// Nanoseconds in a millisecond.
const NANOS: u128 = 1_000_000;

fn expiry(now_ms: u64, ttl_ms: Option<u64>) -> Option<u64> {
    ttl_ms.map(|ttl| now_ms.saturating_add(ttl))
}

impl Table {
    fn live(&self, now_ms: u64, key: &str) -> Option<&Stored> {
        self.values.get(key).filter(|stored| stored.expires_ms.is_none_or(|at| at > now_ms))
    }

    fn put(&mut self, now_ms: u64, key: &str, value: Vec<u8>, expires_ms: Option<u64>) -> Result<u64, KvFault> {
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
        self.values.insert(key, Stored { value, version: self.last_version, expires_ms });
        Ok(self.last_version)
    }

    fn put_limit(&mut self, now_ms: u64, key: &str, whole_at: u128) -> Result<(), KvFault> {
        if key.len() > KEY_BYTES_MAX {
            return Err(KvFault::TooLarge);
        }
        self.sweep(now_ms);
        match self.limits.get_key_value(key).map(|(key, at)| (key.clone(), *at)) {
            Some((key, before)) => {
                self.expiries.remove(&(millis(before), true, key));
            }
            None if self.entries() >= ENTRIES_MAX => return Err(KvFault::Quota),
            None => {}
        }
        let key: Arc<str> = key.into();
        // A limit that is whole again says no more than one that was never used.
        self.expiries.insert((millis(whole_at), true, key.clone()));
        self.limits.insert(key, whole_at);
        Ok(())
    }

    fn remove(&mut self, key: &str) {
        let Some((key, stored)) = self.values.remove_entry(key) else { return };
        self.bytes = self.bytes.saturating_sub(key.len() + stored.value.len());
        if let Some(at) = stored.expires_ms {
            self.expiries.remove(&(at, false, key));
        }
    }

    fn entries(&self) -> usize {
        self.values.len() + self.limits.len()
    }

    /// Clears some of what has expired; all of it when the bucket is full.
    fn sweep(&mut self, now_ms: u64) {
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

fn millis(nanos: u128) -> u64 {
    u64::try_from(nanos.div_ceil(NANOS)).unwrap_or(u64::MAX)
}
