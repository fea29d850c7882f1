//! Buckets: exact under concurrency, bounded, and forgetful when asked to be.

use super::entries::{BUCKET_BYTES_MAX, ENTRIES_MAX, KvFault, VALUE_BYTES_MAX};
use super::kept::{BucketName, Page, What};
use super::rate::Taken;
use super::{Bucket, Kv};
use proptest::prelude::*;
use std::thread;

const NOW: u64 = 1_700_000_000_000;

fn named(plugin: &str, bucket: &str) -> BucketName {
    BucketName { plugin: plugin.into(), tenant: None, bucket: bucket.into() }
}

#[test]
fn a_version_names_one_write_even_across_deletions() {
    let bucket = Bucket::default();
    let first = bucket.cas(NOW, "k", None, b"a".to_vec(), None).expect("there was none");
    assert_eq!(bucket.cas(NOW, "k", None, b"b".to_vec(), None), Err(KvFault::Conflict));
    assert!(bucket.delete(NOW, "k") && !bucket.delete(NOW, "k"));
    let second = bucket.set(NOW, "k", b"c".to_vec(), None).expect("it fits");
    assert!(second > first);
    assert_eq!(bucket.cas(NOW, "k", Some(first), b"d".to_vec(), None), Err(KvFault::Conflict));
    assert_eq!(bucket.get(NOW, "k").map(|stored| stored.value), Some(b"c".to_vec()));
}

#[test]
fn values_expire_and_counters_keep_their_first_expiry() {
    let bucket = Bucket::default();
    bucket.set(NOW, "k", b"a".to_vec(), Some(10)).expect("it fits");
    assert!(bucket.get(NOW + 9, "k").is_some() && bucket.get(NOW + 10, "k").is_none());
    assert_eq!(bucket.cas(NOW + 10, "k", None, b"b".to_vec(), None).map(drop), Ok(()));
    assert_eq!(bucket.incr(NOW, "n", 2, Some(10)), Ok(2));
    assert_eq!(bucket.incr(NOW + 9, "n", 3, Some(10)), Ok(5));
    assert_eq!(bucket.incr(NOW + 10, "n", 1, Some(10)), Ok(1));
    assert_eq!(bucket.incr(NOW + 10, "k", 1, None), Err(KvFault::Conflict));
}

#[test]
fn plugins_do_not_see_one_anothers_buckets() {
    let kv = Kv::default();
    kv.bucket(named("a", "b")).set(NOW, "k", b"x".to_vec(), None).expect("it fits");
    assert!(kv.bucket(named("other", "b")).get(NOW, "k").is_none());
    assert!(kv.bucket(named("a", "b")).get(NOW, "k").is_some());
    let of_tenant = BucketName { tenant: Some("t".into()), ..named("a", "b") };
    assert!(kv.bucket(of_tenant).get(NOW, "k").is_none(), "nor tenants one another's");
}

#[test]
fn quotas_hold_and_expired_entries_make_room() {
    let bucket = Bucket::default();
    assert_eq!(bucket.set(NOW, "k", vec![0; VALUE_BYTES_MAX + 1], None), Err(KvFault::TooLarge));
    assert_eq!(bucket.set(NOW, &"k".repeat(513), Vec::new(), None), Err(KvFault::TooLarge));
    for number in 0..ENTRIES_MAX {
        bucket.set(NOW, &number.to_string(), Vec::new(), Some(1000)).expect("it fits");
    }
    assert_eq!(bucket.set(NOW, "one more", Vec::new(), None), Err(KvFault::Quota));
    assert_eq!(bucket.take(NOW, "one more", 1, 1, 1000), Err(KvFault::Quota));
    assert_eq!(bucket.set(NOW + 1000, "one more", Vec::new(), None).map(drop), Ok(()));
    assert_eq!(bucket.list_keys(NOW + 1000, "", None, 10), ["one more"]);

    let full = Bucket::default();
    let fits = BUCKET_BYTES_MAX / (VALUE_BYTES_MAX + 8);
    for number in 0..fits {
        full.set(NOW, &format!("{number:08}"), vec![0; VALUE_BYTES_MAX], None).expect("it fits");
    }
    assert_eq!(full.set(NOW, "00000000x", vec![0; VALUE_BYTES_MAX], None), Err(KvFault::Quota));
    assert_eq!(full.set(NOW, "00000000", vec![0; VALUE_BYTES_MAX], None).map(drop), Ok(()));
}

#[test]
fn keys_are_listed_in_order_behind_the_last_one() {
    let bucket = Bucket::default();
    for key in ["b/2", "a/1", "b/1", "b/3", "c"] {
        bucket.set(NOW, key, Vec::new(), (key == "b/2").then_some(5)).expect("it fits");
    }
    assert_eq!(bucket.list_keys(NOW, "b/", None, 2), ["b/1", "b/2"]);
    assert_eq!(bucket.list_keys(NOW + 5, "b/", Some("b/1"), 9), ["b/3"]);
    assert_eq!(bucket.list_keys(NOW, "", Some("b/3"), 9), ["c"]);
}

#[test]
fn threads_take_no_more_than_the_limit_and_lose_no_count() {
    let bucket = Bucket::default();
    let passed: usize = thread::scope(|scope| {
        let takers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    (0..500)
                        .filter(|_| {
                            bucket.incr(NOW, "count", 1, None).expect("it is a counter");
                            matches!(bucket.take(NOW, "limit", 1, 1000, 60_000), Ok(Taken::Remaining(_)))
                        })
                        .count()
                })
            })
            .collect();
        takers.into_iter().map(|taker| taker.join().expect("no taker panics")).sum()
    });
    assert_eq!(passed, 1000);
    assert_eq!(bucket.incr(NOW, "count", 0, None), Ok(4000));
}

#[test]
fn one_of_many_swaps_wins_each_round() {
    let bucket = Bucket::default();
    let wins: usize = thread::scope(|scope| {
        let swappers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut wins = 0;
                    while wins < 250 {
                        let before = bucket.get(NOW, "k");
                        let count = before.as_ref().map_or(0, |stored| stored.value.len());
                        let swapped =
                            bucket.cas(NOW, "k", before.map(|stored| stored.version), vec![0; count + 1], None);
                        wins += usize::from(swapped.is_ok());
                    }
                    wins
                })
            })
            .collect();
        swappers.into_iter().map(|swapper| swapper.join().expect("no swapper panics")).sum()
    });
    assert_eq!(wins, 1000);
    assert_eq!(bucket.get(NOW, "k").map(|stored| stored.value.len()), Some(1000));
}

proptest! {
    /// Whatever is asked when, no burst exceeds the limit, the long run keeps to the rate, and who comes back when
    /// told is let in.
    #[test]
    fn a_limit_keeps_its_rate(
        limit in 1u32..50,
        window_ms in 1u64..10_000,
        asks in proptest::collection::vec((0u64..500, 1u32..4), 1..200),
    ) {
        let bucket = Bucket::default();
        let (mut now, mut taken) = (NOW, 0u64);
        for (pause, cost) in asks {
            now += pause;
            match bucket.take(now, "k", cost, limit, window_ms) {
                Ok(Taken::Remaining(left)) => {
                    taken += u64::from(cost);
                    prop_assert!(left < limit);
                }
                Ok(Taken::RetryAfterMs(wait)) if cost <= limit => {
                    prop_assert!(wait > 0 && wait <= window_ms + 1, "{wait} of {window_ms}");
                    let again = bucket.take(now + wait, "k", cost, limit, window_ms);
                    prop_assert!(matches!(again, Ok(Taken::Remaining(_))), "{again:?}");
                    now += wait;
                    taken += u64::from(cost);
                }
                other => prop_assert!(cost > limit, "{other:?}"),
            }
            let may = u64::from(limit) + u64::from(limit) * (now - NOW) / window_ms;
            prop_assert!(taken <= may, "{taken} of {may}");
        }
    }
}

/// What is in a bucket, as any restart would find it.
fn whole(kv: &Kv) -> Vec<Page> {
    let mut pages: Vec<Page> =
        kv.buckets().iter().map(|(name, bucket)| Page::new(name, bucket.page(None, usize::MAX))).collect();
    pages.retain(|page| !page.entries.is_empty());
    pages.sort_by(|a, b| a.bucket.cmp(&b.bucket));
    pages
}

fn recalled(kept: &[Page]) -> Kv {
    let kv = Kv::kept(NOW, std::sync::Arc::default());
    for page in kept {
        let record = page.record();
        let page = Page::read(record.kind, &record.pieces.concat()).expect("as written");
        let bucket = kv.bucket(page.name());
        page.entries.into_iter().for_each(|(key, what)| bucket.restore(NOW, &key, what));
    }
    kv
}

proptest! {
    /// Whatever is done, and whenever changes are taken: what was kept is what there is.
    #[test]
    fn the_changes_make_the_same_buckets_again(
        steps in prop::collection::vec((0..6u8, 0..3usize, 0..4usize, any::<u8>(), any::<bool>()), 1..60),
    ) {
        let kv = Kv::kept(NOW, std::sync::Arc::default());
        let mut kept = Vec::new();
        for (what, bucket, key, value, take) in steps {
            let bucket = kv.bucket(named("p", ["a", "b", "c"][bucket]));
            let key = ["k", "l", "m", "n"][key];
            match what {
                0 => drop(bucket.set(NOW, key, vec![value], None)),
                1 => drop(bucket.set(NOW, key, vec![value], Some(u64::from(value) + 1))),
                2 => drop(bucket.delete(NOW, key)),
                3 => drop(bucket.incr(NOW, key, i64::from(value), None)),
                4 => drop(bucket.take(NOW, key, 1, 5, 60_000)),
                _ => drop(bucket.cas(NOW, key, None, vec![value], None)),
            }
            if take {
                for (name, bucket) in kv.buckets() {
                    let changes = bucket.take_changes(2);
                    // Every other time writing fails.
                    match value % 2 {
                        0 => bucket.put_back(changes.iter().map(|(key, what)| (&**key, what))),
                        _ => kept.push(Page::new(&name, changes)),
                    }
                }
            }
        }
        for (name, bucket) in kv.buckets() {
            kept.push(Page::new(&name, bucket.take_changes(usize::MAX)));
            prop_assert!(bucket.take_changes(1).is_empty());
        }
        prop_assert_eq!(whole(&recalled(&kept)), whole(&kv));
        prop_assert_eq!(whole(&recalled(&whole(&kv))), whole(&kv), "also from a journal that was written anew");
    }
}

#[test]
fn a_limit_that_an_older_version_kept_is_in_force() {
    let bucket = Bucket::default();
    let whole_at = u128::from(NOW + 60_000) * 1_000_000;
    bucket.restore(NOW, "k", What::Limit(whole_at));
    assert_eq!(bucket.take(NOW, "k", 1, 2, 60_000), Ok(Taken::RetryAfterMs(30_000)));
}

#[test]
fn pages_go_through_values_and_limits_and_leave_none_out() {
    let bucket = Bucket::default();
    for key in ["a", "b", "c"] {
        bucket.set(NOW, key, Vec::new(), None).expect("it fits");
        bucket.take(NOW, key, 1, 5, 60_000).expect("it fits");
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = bucket.page(after.as_ref(), 2);
        let Some((key, what)) = page.last() else { break };
        after = Some((what.is_limit(), key.clone()));
        seen.extend(page.iter().map(|(key, what)| (what.is_limit(), key.to_string())));
    }
    let all: Vec<(bool, String)> =
        [false, true].iter().flat_map(|limit| ["a", "b", "c"].map(|key| (*limit, key.to_owned()))).collect();
    assert_eq!(seen, all);
}

#[test]
fn versions_after_a_restart_are_above_those_before_it() {
    let before = Kv::kept(NOW, std::sync::Arc::default()).bucket(named("p", "b")).set(NOW, "k", Vec::new(), None);
    let after = Kv::kept(NOW + 1, std::sync::Arc::default()).bucket(named("p", "b")).set(NOW, "k", Vec::new(), None);
    assert!(after.expect("it fits") > before.expect("it fits"));
}

#[test]
fn what_is_not_kept_notes_no_changes() {
    let bucket = Bucket::default();
    bucket.set(NOW, "k", Vec::new(), None).expect("it fits");
    assert_eq!(bucket.take_changes(1), []);
}
