//! `plugin bucket`: what a plugin keeps, and what is left of its limits.

use super::super::super::config_args::ConfigArgs;
use super::super::super::print_to;
use super::super::super::queue::{as_json, client, printable, unexpected};
use mta_core::base::flow::operator::buckets::{BucketEntry, BucketQuery, BucketRow};
use mta_core::edge::control::{Request, Response};
use std::io::{self, BufWriter, Write};

/// Page by page, so that many entries need no memory.
pub(in crate::cli::plugin) fn run(config: &ConfigArgs, mut query: BucketQuery, json: bool) -> Result<(), String> {
    let mut client = client(config)?;
    let mut out = BufWriter::new(io::stdout().lock());
    loop {
        let request = Request::PluginBucket { query: query.clone() };
        let no_row = |_| Err("the server's answer has a row where none was asked for".to_owned());
        let page = match client.ask(&request, no_row)? {
            Response::Bucket(page) => page,
            other => return Err(unexpected(&other)),
        };
        for row in &page.entries {
            print_to(&mut out, &if json { as_json(row)? } else { text(row) })?;
        }
        query.after = page.after;
        if query.after.is_none() {
            return out.flush().map_err(|error| format!("standard output: {error}"));
        }
    }
}

/// For people: the bucket, the key, and what is there.
fn text(row: &BucketRow) -> String {
    let BucketRow { tenant, bucket, key, what } = row;
    let of = tenant.as_ref().map(|tenant| format!(" of {}", printable(tenant))).unwrap_or_default();
    let what = match what {
        BucketEntry::Limit { left: Some(left), limit, burst, window_ms, whole_in_ms } => {
            let at_once = if burst == limit { String::new() } else { format!(" and {burst} at once") };
            format!("{left} left of {limit} in {}{at_once}, whole in {}", time(*window_ms), time(*whole_in_ms))
        }
        BucketEntry::Limit { left: None, whole_in_ms, .. } => format!("a limit, whole in {}", time(*whole_in_ms)),
        BucketEntry::Value { bytes, text, expires_in_ms } => {
            let shown = text.as_ref().map_or_else(|| format!("{bytes} octets"), |text| printable(text));
            let until = expires_in_ms.map(|left| format!(", for {}", time(left))).unwrap_or_default();
            format!("{shown}{until}")
        }
    };
    format!("{bucket}{of}  {}  {what}", printable(key))
}

/// As configurations write it, in at most two units; seconds are rounded up.
fn time(millis: u64) -> String {
    let seconds = millis.div_ceil(1000);
    let units = [("d", seconds / 86_400), ("h", seconds / 3600 % 24), ("m", seconds / 60 % 60), ("s", seconds % 60)];
    let shown: Vec<String> = units
        .iter()
        .filter(|(_, number)| *number > 0)
        .take(2)
        .map(|(unit, number)| format!("{number}{unit}"))
        .collect();
    if shown.is_empty() { "0s".to_owned() } else { shown.concat() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_a_line() {
        let row = |key: &str, what| {
            let (bucket, key) = ("b".to_owned(), key.to_owned());
            text(&BucketRow { tenant: Some("acme".to_owned()), bucket, key, what })
        };
        let limit =
            |left, burst| BucketEntry::Limit { left, limit: 60, burst, window_ms: 3_600_000, whole_in_ms: 90_001 };
        assert_eq!(row("k", limit(Some(7), 60)), "b of acme  k  7 left of 60 in 1h, whole in 1m31s");
        assert_eq!(row("k", limit(Some(7), 9)), "b of acme  k  7 left of 60 in 1h and 9 at once, whole in 1m31s");
        assert_eq!(row("k", limit(None, 0)), "b of acme  k  a limit, whole in 1m31s");
        let value = |text: Option<&str>, expires_in_ms| BucketEntry::Value {
            bytes: 5,
            text: text.map(str::to_owned),
            expires_in_ms,
        };
        assert_eq!(row("k\u{1b}", value(Some("known"), Some(90_000_000))), "b of acme  k\u{fffd}  known, for 1d1h");
        assert_eq!(row("k", value(None, None)), "b of acme  k  5 octets");
        assert_eq!(time(0), "0s");
    }
}
