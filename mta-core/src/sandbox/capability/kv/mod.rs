//! Key and value buckets, namespaced by plugin and tenant, bounded, with times to live and rate limits.
//!
//! Pure: the time is an argument. One lock a bucket makes each operation exact under concurrency. Everything is in
//! memory, where hooks find it at once; what changed is noted, for whoever keeps it (`kept`).

pub(crate) mod entries;
pub(crate) mod kept;
#[cfg(test)]
mod tests;

use entries::{ENTRY_OVERHEAD_BYTES, Entries, KvFault, NANOS, Stored, expiry, millis};
use kept::{BucketName, What};
use std::collections::HashMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Keys that one call lists.
pub(crate) const LIST_KEYS_MAX: usize = 1000;

/// Every bucket of every plugin.
#[derive(Debug, Default)]
pub(crate) struct Kv {
    buckets: Mutex<HashMap<BucketName, Arc<Bucket>>>,
    /// Somebody keeps what changes, and is told here that something did.
    keeper: Option<Arc<Notify>>,
    /// Below all versions that are given out from now on, and above those before.
    first_version: u64,
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
    entries: Mutex<Entries>,
}

impl Kv {
    /// Buckets that somebody keeps. Versions begin with the time, so that none is used twice, also when the entry that
    /// had the highest is gone.
    pub(crate) fn kept(now_ms: u64, keeper: Arc<Notify>) -> Self {
        Self { buckets: Mutex::default(), keeper: Some(keeper), first_version: now_ms << 16 }
    }

    /// The bucket, made at its first use.
    pub(crate) fn bucket(&self, name: BucketName) -> Arc<Bucket> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            let (keeper, last_version) = (self.keeper.clone(), self.first_version);
            Arc::new(Bucket { entries: Mutex::new(Entries { keeper, last_version, ..Entries::default() }) })
        };
        buckets.entry(name).or_insert_with(make).clone()
    }

    /// All buckets with their names.
    pub(crate) fn buckets(&self) -> Vec<(BucketName, Arc<Bucket>)> {
        let buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.iter().map(|(name, bucket)| (name.clone(), bucket.clone())).collect()
    }
}

impl Bucket {
    /// No operation panics half-way through a change, so poisoned entries are whole.
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, now_ms: u64, key: &str) -> Option<Stored> {
        self.entries().live(now_ms, key).cloned()
    }

    pub(crate) fn set(&self, now_ms: u64, key: &str, value: Vec<u8>, ttl_ms: Option<u64>) -> Result<u64, KvFault> {
        self.entries().put(now_ms, key, value, expiry(now_ms, ttl_ms))
    }

    pub(crate) fn delete(&self, now_ms: u64, key: &str) -> bool {
        let mut entries = self.entries();
        let was = entries.live(now_ms, key).is_some();
        entries.remove(key);
        if was {
            entries.note(false, &key.into());
        }
        was
    }

    /// At most so many changes since they were last taken, as they stand now.
    pub(crate) fn take_changes(&self, most: usize) -> Vec<(Arc<str>, What)> {
        let mut entries = self.entries();
        let taken: Vec<_> = entries.changed.iter().take(most).cloned().collect();
        for change in &taken {
            entries.changed.remove(change);
        }
        taken.into_iter().map(|(is_limit, key)| (key.clone(), entries.what(is_limit, &key))).collect()
    }

    /// These changes could not be kept: they are to be taken again.
    pub(crate) fn put_back<'a>(&self, changes: impl Iterator<Item = (&'a str, &'a What)>) {
        let mut entries = self.entries();
        for (key, what) in changes {
            entries.note(what.is_limit(), &key.into());
        }
    }

    /// Up to `most` of what is in it, behind the given place; values come before limits.
    pub(crate) fn page(&self, after: Option<&(bool, Arc<str>)>, most: usize) -> Vec<(Arc<str>, What)> {
        let entries = self.entries();
        let behind = |limits: bool| match after {
            Some((was_limit, key)) if *was_limit == limits => Some((Bound::Excluded(&**key), Bound::Unbounded)),
            Some((true, _)) => None,
            _ => Some((Bound::Unbounded, Bound::Unbounded)),
        };
        let values = behind(false)
            .into_iter()
            .flat_map(|range| entries.values.range::<str, _>(range))
            .map(|(key, _)| (false, key));
        let limits = behind(true)
            .into_iter()
            .flat_map(|range| entries.limits.range::<str, _>(range))
            .map(|(key, _)| (true, key));
        values.chain(limits).take(most).map(|(is_limit, key)| (key.clone(), entries.what(is_limit, key))).collect()
    }

    /// Puts back what was kept.
    pub(crate) fn restore(&self, now_ms: u64, key: &str, what: What) {
        let mut entries = self.entries();
        let keeper = entries.keeper.take();
        // What was kept fitted once; what does not fit any more, because limits were lowered, is left out.
        match what {
            What::Value { expires_ms: Some(at), .. } if at <= now_ms => entries.remove(key),
            What::Value { value, version, expires_ms } => {
                let last_version = entries.last_version;
                if entries.put(now_ms, key, value, expires_ms).is_ok()
                    && let Some(stored) = entries.values.get_mut(key)
                {
                    stored.version = version;
                }
                entries.last_version = last_version.max(version);
            }
            What::Gone => entries.remove(key),
            What::Limit(whole_at) if millis(whole_at) <= now_ms => {}
            What::Limit(whole_at) => drop(entries.put_limit(now_ms, key, whole_at)),
        }
        entries.keeper = keeper;
    }

    /// About how many octets a page of all that is in it takes.
    pub(crate) fn size_bytes(&self) -> usize {
        let entries = self.entries();
        entries.bytes + entries.entries() * ENTRY_OVERHEAD_BYTES
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
        let mut entries = self.entries();
        match entries.live(now_ms, key).map(|stored| stored.version) == expected {
            true => entries.put(now_ms, key, value, expiry(now_ms, ttl_ms)),
            false => Err(KvFault::Conflict),
        }
    }

    /// Adds to a counter (eight octets, little endian); a new one begins at 0 and lives for `ttl_ms` from then on.
    pub(crate) fn incr(&self, now_ms: u64, key: &str, delta: i64, ttl_ms: Option<u64>) -> Result<i64, KvFault> {
        let mut entries = self.entries();
        let (before, expires_ms) = match entries.live(now_ms, key) {
            Some(stored) => {
                let octets = stored.value.as_slice().try_into().map_err(|_| KvFault::Conflict)?;
                (i64::from_le_bytes(octets), stored.expires_ms)
            }
            None => (0, expiry(now_ms, ttl_ms)),
        };
        let sum = before.saturating_add(delta);
        entries.put(now_ms, key, sum.to_le_bytes().to_vec(), expires_ms)?;
        Ok(sum)
    }

    /// Takes from a limit of `limit` in each window (GCRA: the generic cell rate algorithm). What is refused costs
    /// nothing. Not more than `limit` pass in one burst, and no more than the rate in the long run.
    pub(crate) fn take(&self, now_ms: u64, key: &str, cost: u32, limit: u32, window_ms: u64) -> Result<Taken, KvFault> {
        if cost > limit || window_ms == 0 {
            return Ok(Taken::RetryAfterMs(window_ms));
        }
        let mut entries = self.entries();
        let now = u128::from(now_ms) * NANOS;
        let step = (u128::from(window_ms) * NANOS).div_ceil(u128::from(limit.max(1)));
        let burst = step * u128::from(limit);
        let whole_at = entries.limits.get(key).copied().unwrap_or(now).max(now);
        let after = whole_at + step * u128::from(cost);
        if after > now + burst {
            let wait = (after - now - burst).div_ceil(NANOS);
            return Ok(Taken::RetryAfterMs(u64::try_from(wait).unwrap_or(u64::MAX)));
        }
        entries.put_limit(now_ms, key, after)?;
        let left = (now + burst - after).checked_div(step).unwrap_or(0);
        Ok(Taken::Remaining(u32::try_from(left).unwrap_or(u32::MAX)))
    }

    /// Keys of live values with the prefix, in order, behind `after`.
    pub(crate) fn list_keys(&self, now_ms: u64, prefix: &str, after: Option<&str>, limit: usize) -> Vec<String> {
        let entries = self.entries();
        let from = after.map_or(prefix, |after| after.max(prefix));
        let range = entries.values.range::<str, _>((Bound::Included(from), Bound::Unbounded));
        let of_prefix = range.take_while(|(key, _)| key.starts_with(prefix));
        let behind = of_prefix.filter(|(key, stored)| {
            after.is_none_or(|after| &***key > after) && stored.expires_ms.is_none_or(|at| at > now_ms)
        });
        behind.map(|(key, _)| key.to_string()).take(limit.min(LIST_KEYS_MAX)).collect()
    }
}
