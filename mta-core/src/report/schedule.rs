//! When a period begins and ends, when its report goes, and when that is tried again (RFC 8460 4.1, 5.5).

use crate::base::mail::id::QueueId;
use std::time::Duration;

/// Waits between tries; the last repeats.
const AGAIN: [Duration; 4] =
    [Duration::from_secs(300), Duration::from_secs(900), Duration::from_secs(3600), Duration::from_secs(4 * 3600)];
/// How long a report is tried after it was first due (RFC 8460 5.5).
const TRIED: Duration = Duration::from_secs(24 * 3600);

/// The period that a moment is in, in seconds since 1970: its begin, and that of the next. Periods divide a day, so that a
/// day of UTC ends with one.
pub(super) fn period(now: u64, every: Duration) -> (u64, u64) {
    let every = every.as_secs().max(1);
    let begin = now - now % every;
    (begin, begin + every)
}

/// When a report whose period ends then is first due: spread by its own name, so that not all go at once and that a
/// restart changes nothing.
pub(super) fn due(id: QueueId, end: u64, spread: Duration) -> u64 {
    let Ok(random) = u64::try_from(id.0 & u128::from(u64::MAX)) else { return end };
    end + random % (spread.as_secs() + 1)
}

/// When it is tried again after so many tries; none: it is given up.
pub(super) fn again(first_due: u64, now: u64, tries: u32) -> Option<u64> {
    let last = AGAIN.len() - 1;
    let wait = AGAIN[usize::try_from(tries).map_or(last, |tries| tries.min(last))];
    let next = now + wait.as_secs();
    (next <= first_due + TRIED.as_secs()).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: u64 = 3600;

    #[test]
    fn a_day_is_one_of_utc_rfc8460_4_1() {
        let day = Duration::from_secs(24 * HOUR);
        // 2026-11-30T06:44:39Z.
        let (begin, end) = period(1_796_021_079, day);
        assert_eq!((begin % (24 * HOUR), end - begin), (0, 24 * HOUR));
        assert!((begin..end).contains(&1_796_021_079));
        assert_eq!(period(end, day).0, end);
    }

    #[test]
    fn a_report_is_tried_for_a_day_rfc8460_5_5() {
        let (first, mut now, mut tries) = (1_000_000, 1_000_000, 0);
        while let Some(next) = again(first, now, tries) {
            assert!(next > now);
            (now, tries) = (next, tries + 1);
        }
        assert!(now > first + 19 * HOUR && now <= first + 24 * HOUR, "{}", now - first);
    }

    proptest! {
        #[test]
        fn reports_go_within_the_spread(id in any::<u128>(), end in 0..u64::MAX / 2, spread in 0..100_000_u64) {
            let due = due(QueueId(id), end, Duration::from_secs(spread));
            prop_assert!((end..=end + spread).contains(&due));
        }
    }
}
