//! What is remembered: triples that wait, triples that came back, and networks from which many did.
//!
//! A triple's value is the time at which it first came, in milliseconds since 1970, or `known`. A network's is a counter.

use mailwright_plugin::Fault;
use mailwright_plugin::kv::{Bucket, Error, shortened};

/// What a triple is that came back.
const KNOWN: &[u8] = b"known";
/// What is kept for longer is written again when this part of its time has passed: not at each mail.
const REFRESHED_AFTER: u64 = 10;

/// The bucket, the time, and for how long it remembers what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory<'a> {
    pub(crate) bucket: Bucket<'a>,
    pub(crate) now_ms: u64,
    pub(crate) delay_ms: u64,
    pub(crate) window_ms: u64,
    pub(crate) lifetime_ms: u64,
}

/// What is known of a triple.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// It came back before.
    Yes,
    /// It came back now for the first time.
    Now,
    /// It is to wait for so long.
    NotYet(u64),
    /// There is no room to remember it.
    Full,
}

impl Memory<'_> {
    /// What is known of a triple; it is remembered that it came.
    pub(crate) fn triple(&self, key: &str) -> Result<Known, Fault> {
        let key = shortened(key.to_owned());
        let first = match self.bucket.get(&key)? {
            Some(entry) if entry.value == KNOWN => {
                self.refresh(&key, &entry.value, entry.expires_ms)?;
                return Ok(Known::Yes);
            }
            Some(entry) => String::from_utf8(entry.value).ok().and_then(|text| text.parse::<u64>().ok()),
            None => None,
        };
        if let Some(first) = first {
            let waited = self.now_ms.saturating_sub(first);
            if waited < self.delay_ms {
                return Ok(Known::NotYet(self.delay_ms - waited));
            }
            self.bucket.set(&key, KNOWN, Some(self.lifetime_ms))?;
            return Ok(Known::Now);
        }
        let kept = self.delay_ms.saturating_add(self.window_ms);
        match self.bucket.set(&key, self.now_ms.to_string().as_bytes(), Some(kept)) {
            Ok(()) => Ok(Known::NotYet(self.delay_ms)),
            Err(Error::Quota) => Ok(Known::Full),
            Err(error) => Err(error.into()),
        }
    }

    /// How often new senders came back from a network.
    pub(crate) fn returns(&self, network: &str) -> Result<i64, Fault> {
        let Some(entry) = self.bucket.get(network)? else { return Ok(0) };
        let count = entry.value.as_slice().try_into().map_or(0, i64::from_le_bytes);
        self.refresh(network, &entry.value, entry.expires_ms)?;
        Ok(count)
    }

    /// One more did.
    pub(crate) fn returned(&self, network: &str) -> Result<(), Fault> {
        match self.bucket.incr(network, 1, Some(self.lifetime_ms)) {
            Ok(_) | Err(Error::Quota) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// What is used lives on.
    fn refresh(&self, key: &str, value: &[u8], expires_ms: Option<u64>) -> Result<(), Fault> {
        let until = self.now_ms.saturating_add(self.lifetime_ms);
        let passed = until.saturating_sub(expires_ms.unwrap_or(until));
        if passed > self.lifetime_ms / REFRESHED_AFTER {
            self.bucket.set(key, value, Some(self.lifetime_ms))?;
        }
        Ok(())
    }
}
