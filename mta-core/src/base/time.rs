//! Points in time as machines see them: monotonic for timers, Unix milliseconds for what is written down.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::{Duration, Instant};

/// Wall-clock time in milliseconds since 1970-01-01T00:00:00Z, as stored on disk and shown to people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// This time and `by` more; saturates at the end of time.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)))
    }

    /// As mail writes it (RFC 5322 3.3), in UTC.
    #[must_use]
    pub fn rfc5322(self) -> String {
        let timestamp = i64::try_from(self.0).ok().and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
        let zoned = timestamp.unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_zoned_datetime(jiff::tz::TimeZone::UTC);
        zoned.strftime("%a, %-d %b %Y %H:%M:%S %z").to_string()
    }

    /// How long ago `earlier` was; zero when it lies ahead (clocks are stepped back at times).
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for UnixMillis {
    /// RFC 3339 in UTC with milliseconds, as in the logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = i64::try_from(self.0).unwrap_or(i64::MAX);
        match jiff::Timestamp::from_millisecond(millis) {
            Ok(t) => write!(f, "{t:.3}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

/// One reading of both clocks, so that a machine's step sees a single moment.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// For timers and durations; never goes back.
    pub mono: Instant,
    /// For what is stored and shown.
    pub wall: UnixMillis,
}
