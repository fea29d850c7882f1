//! Limits that are taken from together: all or none, exact under concurrency, and within their bursts.

use super::Bucket;
use super::entries::{ENTRIES_MAX, KvFault};
use super::rate::{Demand, Manner, Rate, Taken};
use proptest::prelude::*;
use std::thread;

const NOW: u64 = 1_700_000_000_000;

fn demand(key: &str, cost: u32, (limit, burst): (u32, u32), manner: Manner) -> Demand {
    Demand { key: key.to_owned(), cost, rate: Rate { limit, burst, window_ms: 60_000 }, manner }
}

fn must(key: &str, limit: u32) -> Demand {
    demand(key, 1, (limit, limit), Manner::Must)
}

#[test]
fn where_one_refuses_nothing_is_taken_from_any() {
    let bucket = Bucket::default();
    let both = [must("a", 5), must("b", 2)];
    assert_eq!(bucket.take_all(NOW, &both), Ok(vec![Taken::Remaining(4), Taken::Remaining(1)]));
    assert_eq!(bucket.take_all(NOW, &both), Ok(vec![Taken::Remaining(3), Taken::Remaining(0)]));
    let refused = vec![Taken::Remaining(2), Taken::RetryAfterMs(30_000)];
    assert_eq!(bucket.take_all(NOW, &both), Ok(refused.clone()));
    assert_eq!(bucket.take_all(NOW, &both), Ok(refused), "the first was not charged");
    assert_eq!(bucket.take(NOW, "a", 1, 5, 60_000), Ok(Taken::Remaining(2)));
}

#[test]
fn one_that_may_holds_up_no_other() {
    let bucket = Bucket::default();
    let both = [demand("a", 1, (1, 1), Manner::May), must("b", 9)];
    assert_eq!(bucket.take_all(NOW, &both), Ok(vec![Taken::Remaining(0), Taken::Remaining(8)]));
    assert_eq!(bucket.take_all(NOW, &both), Ok(vec![Taken::RetryAfterMs(60_000), Taken::Remaining(7)]));
}

#[test]
fn one_that_looks_takes_nothing_and_one_that_fills_takes_what_is_there() {
    let bucket = Bucket::default();
    let look = [demand("a", 3, (5, 5), Manner::Look)];
    assert_eq!(bucket.take_all(NOW, &look), Ok(vec![Taken::Remaining(2)]));
    assert_eq!(bucket.take_all(NOW, &look), Ok(vec![Taken::Remaining(2)]));
    let fill = [demand("a", 100, (5, 5), Manner::Fill)];
    assert_eq!(bucket.take_all(NOW, &fill), Ok(vec![Taken::Remaining(0)]));
    assert_eq!(bucket.take_all(NOW, &fill), Ok(vec![Taken::Remaining(0)]));
    assert_eq!(bucket.take_all(NOW, &look), Ok(vec![Taken::RetryAfterMs(36_000)]));
}

#[test]
fn a_burst_may_be_smaller_or_larger_than_the_limit() {
    let bucket = Bucket::default();
    let small = [demand("small", 1, (60, 2), Manner::Must)];
    let large = [demand("large", 5, (60, 100), Manner::Must)];
    let passed = |demand: &[Demand], now: u64| {
        (0..200)
            .filter(|_| bucket.take_all(now, demand).is_ok_and(|said| matches!(said[0], Taken::Remaining(_))))
            .count()
    };
    assert_eq!((passed(&small, NOW), passed(&small, NOW + 1000)), (2, 1));
    assert_eq!((passed(&large, NOW), passed(&large, NOW + 60_000)), (20, 12));
    let beyond = [demand("small", 3, (60, 2), Manner::Must)];
    assert_eq!(bucket.take_all(NOW + 600_000, &beyond), Ok(vec![Taken::RetryAfterMs(60_000)]), "it can never pass");
}

#[test]
fn two_demands_of_one_limit_are_added() {
    let bucket = Bucket::default();
    assert_eq!(
        bucket.take_all(NOW, &[must("a", 1), must("a", 1)]),
        Ok(vec![Taken::Remaining(0), Taken::RetryAfterMs(60_000)])
    );
    assert_eq!(bucket.take_all(NOW, &[must("a", 1)]), Ok(vec![Taken::Remaining(0)]), "nothing had been taken");
}

#[test]
fn a_full_bucket_and_a_long_key_take_nothing() {
    let bucket = Bucket::default();
    for number in 1..ENTRIES_MAX {
        bucket.set(NOW, &number.to_string(), Vec::new(), None).expect("it fits");
    }
    assert_eq!(bucket.take_all(NOW, &[must("a", 1), must("b", 1)]), Err(KvFault::Quota));
    assert_eq!(bucket.take_all(NOW, &[must("a", 1), must(&"k".repeat(513), 1)]), Err(KvFault::TooLarge));
    assert_eq!(bucket.take_all(NOW, &[must("a", 1)]), Ok(vec![Taken::Remaining(0)]));
}

#[test]
fn threads_take_all_of_two_limits_as_one() {
    let bucket = Bucket::default();
    let passed: usize = thread::scope(|scope| {
        let takers: Vec<_> = (0..8)
            .map(|own| {
                let bucket = &bucket;
                scope.spawn(move || {
                    let both = [must("common", 1000), must(&own.to_string(), 100)];
                    let all = |said: &Vec<Taken>| said.iter().all(|one| matches!(one, Taken::Remaining(_)));
                    (0..500).filter(|_| bucket.take_all(NOW, &both).is_ok_and(|said| all(&said))).count()
                })
            })
            .collect();
        takers.into_iter().map(|taker| taker.join().expect("no taker panics")).sum()
    });
    assert_eq!(passed, 800);
    assert_eq!(bucket.take(NOW, "common", 200, 1000, 60_000), Ok(Taken::Remaining(0)), "200 were left");
}

proptest! {
    /// No burst exceeds what it may be, the long run keeps to the rate, and who comes back when told is let in.
    #[test]
    fn a_limit_keeps_its_rate_and_its_burst(
        limit in 1u32..50,
        burst in 1u32..80,
        window_ms in 1u64..10_000,
        asks in proptest::collection::vec((0u64..500, 1u32..4), 1..200),
    ) {
        let bucket = Bucket::default();
        let rate = Rate { limit, burst, window_ms };
        let take = |now: u64, cost: u32| {
            let demand = Demand { key: "k".to_owned(), cost, rate, manner: Manner::Must };
            bucket.take_all(now, &[demand]).expect("it fits")[0]
        };
        let (mut now, mut taken) = (NOW, 0u64);
        for (pause, cost) in asks {
            now += pause;
            match take(now, cost) {
                Taken::Remaining(left) => {
                    taken += u64::from(cost);
                    prop_assert!(left < burst);
                }
                Taken::RetryAfterMs(wait) if cost <= burst => {
                    let again = take(now + wait, cost);
                    prop_assert!(matches!(again, Taken::Remaining(_)), "{again:?}");
                    now += wait;
                    taken += u64::from(cost);
                }
                Taken::RetryAfterMs(_) => {}
            }
            let may = u64::from(burst) + u64::from(limit) * (now - NOW) / window_ms;
            prop_assert!(taken <= may, "{taken} of {may}");
        }
    }
}
