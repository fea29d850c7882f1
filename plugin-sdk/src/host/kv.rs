//! Values that outlive sessions, in buckets; each bucket needs its grant, as `kv:greylist`.

use super::backend;

pub use crate::bindings::mailwright::plugin::kv::{Demand, Entry, Error, Manner, Taken};

/// Longest key that [`shortened`] leaves as it is, in octets: a bucket takes 512.
const KEY_BYTES_MAX: usize = 400;

/// A key that fits into a bucket: one that is too long, as what clients say may be, ends with a hash of all of it (FNV-1a).
#[must_use]
pub fn shortened(mut key: String) -> String {
    if key.len() <= KEY_BYTES_MAX {
        return key;
    }
    let step = |hash: u64, octet: u8| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3);
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325, step);
    let end = (0..=KEY_BYTES_MAX).rev().find(|at| key.is_char_boundary(*at)).unwrap_or(0);
    key.truncate(end);
    key.push('#');
    key.push_str(&hash.to_string());
    key
}

/// A bucket by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket<'a>(pub &'a str);

impl Bucket<'_> {
    /// The value and its version.
    ///
    /// # Errors
    /// `NoSuchBucket` where it is not granted.
    pub fn get(self, key: &str) -> Result<Option<Entry>, Error> {
        backend::kv::get(self.0, key)
    }

    /// Writes a value, for `ttl_ms` or for good.
    ///
    /// # Errors
    /// `TooLarge` and `Quota` beyond the limits.
    pub fn set(self, key: &str, value: &[u8], ttl_ms: Option<u64>) -> Result<(), Error> {
        backend::kv::set(self.0, key, value, ttl_ms)
    }

    /// Removes a value; whether there was one.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn delete(self, key: &str) -> Result<bool, Error> {
        backend::kv::delete(self.0, key)
    }

    /// Writes only if the version is still `expected` (none: there must be no value); the new version.
    ///
    /// # Errors
    /// `Conflict` when another was faster.
    pub fn cas(self, key: &str, expected: Option<u64>, value: &[u8], ttl_ms: Option<u64>) -> Result<u64, Error> {
        backend::kv::cas(self.0, key, expected, value, ttl_ms)
    }

    /// Adds to a counter and returns the sum. The time to live counts from its first use.
    ///
    /// # Errors
    /// `Conflict` when the value is no counter.
    pub fn incr(self, key: &str, delta: i64, ttl_ms: Option<u64>) -> Result<i64, Error> {
        backend::kv::incr(self.0, key, delta, ttl_ms)
    }

    /// Takes `cost` from a limit of `limit` per `window_ms`: what is left, or when to come back.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn take(self, key: &str, cost: u32, limit: u32, window_ms: u64) -> Result<Taken, Error> {
        backend::kv::take(self.0, key, cost, limit, window_ms)
    }

    /// Takes from several limits at once, at most 1,000: from all, or from none where one that `Must` has no room. What each
    /// says, in their order; where nothing is taken, the others say what would have been left.
    ///
    /// ```
    /// use mailwright_plugin::kv::{Bucket, Demand, Manner, Taken};
    ///
    /// let demands = [
    ///     Demand::new("peer 192.0.2.1", 1, 100, 3_600_000),
    ///     // Sixty a minute, but no more than ten at once.
    ///     Demand::new("user ann", 1, 60, 60_000).burst(10),
    ///     // Counted, and in nobody's way.
    ///     Demand::new("all", 1, 10_000, 60_000).manner(Manner::May),
    /// ];
    /// let said = Bucket("rates").take_all(&demands)?;
    /// assert_eq!(said, [Taken::Remaining(99), Taken::Remaining(9), Taken::Remaining(9_999)]);
    /// # Ok::<(), mailwright_plugin::kv::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`get`](Self::get); `Quota` where there is no room for limits that were not there, and then nothing was taken.
    pub fn take_all(self, demands: &[Demand]) -> Result<Vec<Taken>, Error> {
        backend::kv::take_all(self.0, demands)
    }

    /// Keys with the prefix, in order, behind `after`; at most 1,000 a call.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn list_keys(self, prefix: &str, after: Option<&str>, limit: u32) -> Result<Vec<String>, Error> {
        backend::kv::list_keys(self.0, prefix, after, limit)
    }
}

impl Demand {
    /// Takes `cost` from a limit of `limit` per `window_ms`, all of which may pass at once. It must.
    #[must_use]
    pub fn new(key: impl Into<String>, cost: u32, limit: u32, window_ms: u64) -> Self {
        Self { key: key.into(), cost, limit, burst: limit, window_ms, manner: Manner::Must }
    }

    /// At most so much at once; more than the limit lets save up what was not used.
    #[must_use]
    pub fn burst(self, burst: u32) -> Self {
        Self { burst, ..self }
    }

    /// What becomes of the others where it has no room.
    #[must_use]
    pub fn manner(self, manner: Manner) -> Self {
        Self { manner, ..self }
    }
}
