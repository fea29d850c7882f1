//! Key and value buckets, namespaced by plugin and tenant, bounded, with times to live and rate limits.
//!
//! Pure: the time is an argument. One lock a bucket makes each operation exact under concurrency. Everything is in
//! memory, where hooks find it at once; what changed is noted, for whoever keeps it (`kept`).

pub(crate) mod entries;
pub(crate) mod kept;
pub(crate) mod rate;
#[cfg(test)]
mod rate_tests;
pub(crate) mod shown;
#[cfg(test)]
mod tests;

use entries::{ENTRIES_MAX, ENTRY_OVERHEAD_BYTES, Entries, KEY_BYTES_MAX, KvFault, Stored, expiry, millis};
use kept::{BucketName, What};
use rate::{Demand, Limit, Manner, Rate, Taken, nanos};
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
            What::Limit(whole_at) | What::Rate(Limit { whole_at, .. }) if millis(whole_at) <= now_ms => {}
            What::Limit(whole_at) => drop(entries.put_limit(now_ms, key, Limit::unknown(whole_at))),
            What::Rate(limit) => drop(entries.put_limit(now_ms, key, limit)),
        }
        entries.keeper = keeper;
    }

    /// How many entries are in it, with those that have expired and were not cleared away yet.
    pub(crate) fn len(&self) -> usize {
        self.entries().entries()
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

    /// Takes from a limit of `limit` in each window. What is refused costs nothing. Not more than `limit` pass in one burst,
    /// and no more than the rate in the long run.
    pub(crate) fn take(&self, now_ms: u64, key: &str, cost: u32, limit: u32, window_ms: u64) -> Result<Taken, KvFault> {
        let rate = Rate { limit, burst: limit, window_ms };
        let now = nanos(now_ms);
        let mut entries = self.entries();
        let whole_at = entries.limits.get(key).map_or(now, |limit| limit.whole_at);
        match rate.taken(now, whole_at, cost) {
            Err(wait) => Ok(Taken::RetryAfterMs(wait)),
            Ok(after) => {
                entries.put_limit(now_ms, key, Limit { whole_at: after, rate })?;
                Ok(Taken::Remaining(rate.left(now, after)))
            }
        }
    }

    /// Takes from all of these limits under one lock, or from none where one that must has no room. What each says, in their
    /// order; where nothing is taken, the others say what would have been.
    pub(crate) fn take_all(&self, now_ms: u64, demands: &[Demand]) -> Result<Vec<Taken>, KvFault> {
        let now = nanos(now_ms);
        let mut entries = self.entries();
        // As they would stand: two demands may name one limit.
        let mut drawn: HashMap<&str, Limit> = HashMap::new();
        let mut refused = false;
        let mut answers = Vec::with_capacity(demands.len());
        for Demand { key, cost, rate, manner } in demands {
            if key.len() > KEY_BYTES_MAX {
                return Err(KvFault::TooLarge);
            }
            let stands = drawn.get(&**key).or_else(|| entries.limits.get(&**key));
            let whole_at = stands.map_or(now, |limit| limit.whole_at);
            let cost = if *manner == Manner::Fill { rate.left(now, whole_at).min(*cost) } else { *cost };
            answers.push(match rate.taken(now, whole_at, cost) {
                Ok(after) => {
                    if *manner != Manner::Look && cost > 0 {
                        drawn.insert(key, Limit { whole_at: after, rate: *rate });
                    }
                    Taken::Remaining(rate.left(now, after))
                }
                Err(wait) => {
                    refused |= *manner == Manner::Must;
                    Taken::RetryAfterMs(wait)
                }
            });
        }
        if refused {
            return Ok(answers);
        }
        entries.sweep(now_ms);
        let fresh = drawn.keys().filter(|key| !entries.limits.contains_key(**key)).count();
        if entries.entries() + fresh > ENTRIES_MAX {
            return Err(KvFault::Quota);
        }
        for (key, limit) in drawn {
            entries.put_limit(now_ms, key, limit)?;
        }
        Ok(answers)
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
