//! What operators see of the buckets, a page at a time.

use super::Bucket;
use super::kept::{BucketName, What};
use super::rate::{Limit, NANOS};
use crate::base::flow::operator::buckets::{BucketEntry, BucketPage, BucketPlace, BucketQuery, BucketRow};
use std::sync::Arc;

/// Entries that are looked at for a page.
const PAGE_ENTRIES_MAX: usize = 1_000;
/// The longest text of a value that is shown, in octets.
const TEXT_BYTES_MAX: usize = 128;

/// A page of these buckets, which are in order by tenant and name. What has expired, and what is whole again, is left out.
pub(crate) fn page(buckets: &[(BucketName, Arc<Bucket>)], query: &BucketQuery, now_ms: u64) -> BucketPage {
    let mut entries = Vec::new();
    for (name, bucket) in buckets {
        let tenant = name.tenant.as_deref().map(str::to_owned);
        let mut after: Option<(bool, Arc<str>)> = None;
        if let Some(place) = &query.after {
            match (&place.tenant, &*place.bucket).cmp(&(&tenant, &*name.bucket)) {
                std::cmp::Ordering::Greater => continue,
                std::cmp::Ordering::Equal => after = Some((place.limit, place.key.as_str().into())),
                std::cmp::Ordering::Less => {}
            }
        }
        loop {
            let some = bucket.page(after.as_ref(), PAGE_ENTRIES_MAX);
            let Some((key, what)) = some.last() else { break };
            after = Some((what.is_limit(), key.clone()));
            for (key, what) in &some {
                let Some(what) = shown(what, now_ms).filter(|_| key.starts_with(&query.prefix)) else { continue };
                let (tenant, bucket, key) = (tenant.clone(), name.bucket.to_string(), key.to_string());
                entries.push(BucketRow { tenant, bucket, key, what });
            }
            if entries.len() >= PAGE_ENTRIES_MAX {
                let after = after.map(|(limit, key)| BucketPlace {
                    tenant,
                    bucket: name.bucket.to_string(),
                    limit,
                    key: key.to_string(),
                });
                return BucketPage { entries, after };
            }
        }
    }
    BucketPage { entries, after: None }
}

/// An entry as it is now; none where it says nothing any more.
fn shown(what: &What, now_ms: u64) -> Option<BucketEntry> {
    let limit = match what {
        What::Gone => return None,
        What::Value { value, expires_ms, .. } => {
            if expires_ms.is_some_and(|at| at <= now_ms) {
                return None;
            }
            let text = value.len() <= TEXT_BYTES_MAX;
            let plain = |text: &str| text.chars().all(|c| !c.is_control());
            let text = text.then(|| String::from_utf8(value.clone()).ok().filter(|text| plain(text))).flatten();
            // What `incr` writes.
            let number =
                || <[u8; 8]>::try_from(value.as_slice()).ok().map(|octets| i64::from_le_bytes(octets).to_string());
            return Some(BucketEntry::Value {
                bytes: value.len() as u64,
                text: text.or_else(number),
                expires_in_ms: expires_ms.map(|at| at - now_ms),
            });
        }
        What::Limit(whole_at) => Limit::unknown(*whole_at),
        What::Rate(limit) => *limit,
    };
    let whole_in_ms = u64::try_from(limit.whole_at.div_ceil(NANOS)).unwrap_or(u64::MAX).checked_sub(now_ms)?;
    (whole_in_ms > 0).then(|| BucketEntry::Limit {
        left: limit.left(now_ms),
        limit: limit.rate.limit,
        burst: limit.rate.burst,
        window_ms: limit.rate.window_ms,
        whole_in_ms,
    })
}

#[cfg(test)]
mod tests {
    use super::super::Kv;
    use super::super::rate::{Demand, Manner, Rate};
    use super::*;

    const NOW: u64 = 1_700_000_000_000;

    fn named(tenant: Option<&str>, bucket: &str) -> BucketName {
        BucketName { plugin: "p".into(), tenant: tenant.map(Into::into), bucket: bucket.into() }
    }

    #[test]
    fn what_is_there_is_shown_as_it_is_now() {
        let bucket = Kv::default().bucket(named(None, "b"));
        bucket.set(NOW, "text", b"known".to_vec(), Some(90_000)).expect("it fits");
        bucket.set(NOW, "gone", b"x".to_vec(), Some(1_000)).expect("it fits");
        bucket.set(NOW, "octets", vec![0xff; 9], None).expect("it fits");
        bucket.incr(NOW, "count", -3, None).expect("a counter");
        let rate = Rate { limit: 60, burst: 10, window_ms: 60_000 };
        bucket
            .take_all(NOW, &[Demand { key: "limit".to_owned(), cost: 4, rate, manner: Manner::Must }])
            .expect("it fits");
        bucket.take(NOW, "whole", 1, 60, 60_000).expect("it fits");
        bucket.restore(NOW, "old", What::Limit(u128::from(NOW + 9_000) * NANOS));
        let page = page(&[(named(None, "b"), bucket)], &BucketQuery::default(), NOW + 1_000);
        let value = |bytes, text: Option<&str>, expires_in_ms| BucketEntry::Value {
            bytes,
            text: text.map(str::to_owned),
            expires_in_ms,
        };
        let limit = |left, limit, burst, window_ms, whole_in_ms| BucketEntry::Limit {
            left,
            limit,
            burst,
            window_ms,
            whole_in_ms,
        };
        let found: Vec<(&str, &BucketEntry)> = page.entries.iter().map(|row| (&*row.key, &row.what)).collect();
        assert_eq!(
            found,
            [
                ("count", &value(8, Some("-3"), None)),
                ("octets", &value(9, None, None)),
                ("text", &value(5, Some("known"), Some(89_000))),
                ("limit", &limit(Some(7), 60, 10, 60_000, 3_000)),
                ("old", &limit(None, 0, 0, 0, 8_000)),
            ]
        );
    }

    #[test]
    fn pages_leave_nothing_out_and_keep_to_what_was_asked() {
        let kv = Kv::default();
        let names = [named(None, "b"), named(Some("t"), "a"), named(Some("t"), "b")];
        for name in &names {
            let bucket = kv.bucket(name.clone());
            for number in 0..1_500u32 {
                bucket.set(NOW, &format!("k{number}"), Vec::new(), None).expect("it fits");
                bucket.take(NOW, &format!("l{number}"), 1, 5, 60_000).expect("it fits");
            }
        }
        let buckets: Vec<_> = names.iter().map(|name| (name.clone(), kv.bucket(name.clone()))).collect();
        let all = |prefix: &str| {
            let mut query = BucketQuery { prefix: prefix.to_owned(), ..BucketQuery::default() };
            let mut found = std::collections::BTreeSet::new();
            let mut rows = 0;
            loop {
                let page = page(&buckets, &query, NOW);
                rows += page.entries.len();
                found.extend(page.entries.into_iter().map(|row| (row.tenant, row.bucket, row.key)));
                query.after = page.after;
                if query.after.is_none() {
                    return (rows, found.len());
                }
            }
        };
        assert_eq!(all(""), (9_000, 9_000));
        assert_eq!(all("l149"), (33, 33));
        assert_eq!(all("none"), (0, 0));
    }
}
