//! The queue id: time-ordered and unique, so that a message has one name from its 250 to its end.

use crate::base::time::UnixMillis;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A ULID: 48 bits of Unix milliseconds, then 80 random bits. Sorts by age; 26 characters of base 32 when shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueId(pub u128);

impl QueueId {
    /// An id for a message that came at `at`; `random` gives its low 80 bits.
    #[must_use]
    pub fn new(at: UnixMillis, random: u128) -> Self {
        Self(ulid::Ulid::from_parts(at.0, random).0)
    }

    /// When the message came.
    #[must_use]
    pub fn at(self) -> UnixMillis {
        UnixMillis(ulid::Ulid(self.0).timestamp_ms())
    }

    /// Big-endian bytes: the key under which ordered stores keep the message.
    #[must_use]
    pub fn to_key(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The inverse of [`to_key`](Self::to_key).
    #[must_use]
    pub fn from_key(key: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(key))
    }
}

impl fmt::Display for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut buffer = [0; ulid::ULID_LEN];
        f.write_str(ulid::Ulid(self.0).array_to_str(&mut buffer))
    }
}

impl Serialize for QueueId {
    /// As text for people (JSON), as a number on disk.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { self.0.serialize(serializer) }
    }
}

impl<'de> Deserialize<'de> for QueueId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return u128::deserialize(deserializer).map(Self);
        }
        let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The text was not 26 characters of Crockford's base 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a queue id is 26 characters of 0-9 and A-Z without I, L, O and U")]
pub struct NotAQueueId;

impl FromStr for QueueId {
    type Err = NotAQueueId;

    fn from_str(text: &str) -> Result<Self, NotAQueueId> {
        ulid::Ulid::from_string(text).map(|u| Self(u.0)).map_err(|_| NotAQueueId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_key_lead_back_to_the_same_id() {
        let id = QueueId::new(UnixMillis(1_700_000_000_123), 7);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(QueueId::from_key(id.to_key()), id);
        assert_eq!(id.at(), UnixMillis(1_700_000_000_123));
        let json = serde_json::to_string(&id).expect("an id is JSON");
        assert_eq!(json, format!("\"{id}\""));
        assert_eq!(serde_json::from_str::<QueueId>(&json).expect("what was written"), id);
        let stored = postcard::to_stdvec(&id).expect("an id is postcard");
        assert_eq!(postcard::from_bytes::<QueueId>(&stored), Ok(id));
    }

    #[test]
    fn a_later_message_has_a_greater_id() {
        assert!(QueueId::new(UnixMillis(2), 0) > QueueId::new(UnixMillis(1), u128::MAX));
    }
}
