//! When to try again (RFC 5321 4.5.4.1).

use crate::config::model::Queue;
use std::time::Duration;

/// How long to wait after the given number of attempts (from 1): the configured schedule, whose last step repeats,
/// spread to either side by up to `jitter_percent` so that what failed together does not come back together.
pub(super) fn wait(queue: &Queue, attempts: u16, roll: u64) -> Duration {
    let step = usize::from(attempts.saturating_sub(1)).min(queue.retry.len().saturating_sub(1));
    let base = queue.retry.get(step).copied().unwrap_or(Duration::from_secs(60));
    let spread = base.mul_f64(f64::from(queue.jitter_percent.min(100)) / 100.0);
    // The upper 53 bits as a fraction of one: every number that a double can tell apart there.
    let fraction = (roll >> 11) as f64 / (1u64 << 53) as f64;
    (base - spread) + (spread * 2).mul_f64(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn queue(jitter_percent: u8) -> Queue {
        let retry = vec![Duration::from_secs(60), Duration::from_secs(300), Duration::from_secs(3600)];
        Queue { retry, jitter_percent, ..Queue::default() }
    }

    #[test]
    fn the_schedule_is_followed_and_its_last_step_repeats_rfc5321_4_5_4_1() {
        let waits: Vec<_> = (1..=5).map(|attempts| wait(&queue(0), attempts, 7).as_secs()).collect();
        assert_eq!(waits, [60, 300, 3600, 3600, 3600]);
    }

    #[test]
    fn jitter_reaches_both_ends() {
        assert_eq!(wait(&queue(10), 1, 0), Duration::from_secs(54));
        assert!(wait(&queue(10), 1, u64::MAX) > Duration::from_millis(65_999));
    }

    proptest! {
        #[test]
        fn jitter_stays_within_its_bounds(attempts in 0u16.., percent in 0u8.., roll in any::<u64>()) {
            let (exact, jittered) = (wait(&queue(0), attempts, roll), wait(&queue(percent), attempts, roll));
            let spread = exact.mul_f64(f64::from(percent.min(100)) / 100.0) + Duration::from_nanos(10);
            prop_assert!(jittered + spread >= exact && jittered <= exact + spread, "{jittered:?}");
        }
    }
}
