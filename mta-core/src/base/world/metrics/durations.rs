//! How long things took, counted without a lock.

use super::family::{Distribution, Value};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Bounds for what a hook takes, in microseconds: most are over within three, and one may wait for seconds.
pub const HOOK_MICROS: [u64; 18] =
    [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000, 5_000_000];

/// Bounds for what mail takes, in microseconds: from a millisecond for a transaction on the same machine to five days,
/// the age at which mail is given up.
pub const MAIL_MICROS: [u64; 18] = [
    1_000,
    5_000,
    10_000,
    50_000,
    100_000,
    500_000,
    1_000_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    300_000_000,
    900_000_000,
    3_600_000_000,
    14_400_000_000,
    43_200_000_000,
    86_400_000_000,
    432_000_000_000,
];

/// A histogram of durations with `N` upper bounds.
#[derive(Debug)]
pub struct Durations<const N: usize> {
    bounds_micros: &'static [u64; N],
    counts: [AtomicU64; N],
    above: AtomicU64,
    nanos: AtomicU64,
}

impl<const N: usize> Durations<N> {
    /// Nothing counted yet. The bounds are in microseconds and rise.
    #[must_use]
    pub const fn new(bounds_micros: &'static [u64; N]) -> Self {
        Self {
            bounds_micros,
            counts: [const { AtomicU64::new(0) }; N],
            above: AtomicU64::new(0),
            nanos: AtomicU64::new(0),
        }
    }

    /// Something took so long.
    pub fn observe(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let at = self.bounds_micros.partition_point(|bound| bound.saturating_mul(1_000) < nanos);
        self.counts.get(at).unwrap_or(&self.above).fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// What was observed, in seconds; none while there was nothing.
    #[must_use]
    pub fn read(&self) -> Option<Value> {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        let bounds = self.bounds_micros.iter().map(|bound| *bound as f64 / 1e6);
        let below: Vec<_> = bounds.zip(counts).collect();
        let above = self.above.load(Ordering::Relaxed);
        let any = above > 0 || below.iter().any(|(_, count)| *count > 0);
        let sum = self.nanos.load(Ordering::Relaxed) as f64 / 1e9;
        any.then_some(Value::Spread(Distribution { below, above, sum }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_includes_its_own_value() {
        static BOUNDS: [u64; 2] = [1, 1_000];
        let durations = Durations::new(&BOUNDS);
        assert_eq!(durations.read(), None);
        for nanos in [0, 1_000, 1_001, 1_000_000, 1_000_001] {
            durations.observe(Duration::from_nanos(nanos));
        }
        let Some(Value::Spread(read)) = durations.read() else { panic!("there is something") };
        assert_eq!((read.below, read.above), (vec![(1e-6, 2), (1e-3, 2)], 1));
        assert!((read.sum - 0.002_002_002).abs() < 1e-12);
    }

    #[test]
    fn all_bounds_rise() {
        for bounds in [HOOK_MICROS, MAIL_MICROS] {
            assert!(bounds.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}
