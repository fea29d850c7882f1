//! The system's clocks.

use crate::base::flow::Answer;
use crate::base::time::{Now, UnixMillis};
use crate::base::world::Clock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Reads both system clocks, and sleeps by tokio's timer.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Now {
        Now { mono: Instant::now(), wall: wall() }
    }

    fn mono(&self) -> Instant {
        Instant::now()
    }

    fn sleep_until(&self, when: Instant) -> Answer<'static, ()> {
        Box::pin(tokio::time::sleep_until(when.into()))
    }
}

/// The wall clock; a clock set before 1970 reads as 1970.
pub(in crate::edge) fn wall() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn it_sleeps_until_the_time_and_not_for_what_is_past() {
        let clock = SystemClock;
        let start = clock.now();
        clock.sleep_until(start.mono - Duration::from_millis(1)).await;
        clock.sleep_until(start.mono + Duration::from_millis(15)).await;
        let end = clock.now();
        assert!(end.mono - start.mono >= Duration::from_millis(15));
        assert!(end.wall.0 > 1_600_000_000_000, "it is later than 2020");
    }
}
