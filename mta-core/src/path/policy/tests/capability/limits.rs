//! Buckets that tenants have in common, tables that are only asked for, and hooks that `configure` has no use for.

use super::super::guests::{ACCEPT, Import, NEXT, expect_octet, guest};
use super::{LOOKUP, allowed, connect, lookup, serving};
use crate::base::flow::policy::{Asked, Gate};
use std::sync::Arc;

const TAKE: Import = ("kv", "take", "(param i32 i32 i32 i32 i32 i32 i64 i32)");

#[tokio::test]
async fn a_bucket_is_each_tenants_own_or_common_to_all() {
    // Takes one of one a minute, of the bucket "1". ok(retry-after-ms) is a 1 at 2056.
    let body = format!(
        "(call $take (i32.const 32) (i32.const 1) (i32.const 16) (i32.const 5) (i32.const 1) (i32.const 1) (i64.const 60000)
         (i32.const 2048)) {} (if (i32.load8_u (i32.const 2056)) (then {ACCEPT} return)) {NEXT}",
        expect_octet(2048, 0)
    );
    for (word, second) in [("kv:1", Gate::Next), ("kv:1:common", Gate::Accept)] {
        let stage = serving(allowed(&[word]), &[TAKE], &[("on-connect", &body)]).await;
        let ask = async |tenant: &str| {
            let mut session = stage.session();
            session.belongs_to(Some(&Arc::from(tenant)));
            session.gate(Asked::Connect).await
        };
        assert_eq!([ask("a").await, ask("b").await, ask("a").await], [Gate::Next, second, Gate::Accept], "{word}");
    }
}

#[tokio::test]
async fn a_plugin_may_ask_for_tables_though_there_be_none() {
    // err(no-such-table)
    let body = format!("{} {} {} {ACCEPT}", lookup(32, 1), expect_octet(2048, 1), expect_octet(2052, 0));
    let stage = serving(allowed(&["tables"]), &[LOOKUP], &[("on-connect", &body)]).await;
    assert_eq!(connect(&stage).await, Gate::Accept, "one that is not granted is not there");
    let refused = stage.load(&[(allowed(&[]), guest(&[LOOKUP], &[("on-connect", NEXT)]))]).await;
    assert!(refused.is_err());
}

const SKIP: Import = ("setup", "skip", "(param i32 i32)");

#[tokio::test]
async fn a_hook_that_configure_skips_is_not_called() {
    // Skips `connect`, the first of them, and `data`, which it does not have.
    let skip = "(i32.store16 (i32.const 4000) (i32.const 0x0500)) (call $skip (i32.const 4000) (i32.const 2))";
    let hooks = [("on-connect", "unreachable"), ("on-helo", ACCEPT)];
    let configure = format!("{skip} (i32.const 1024)");
    let stage = serving(allowed(&[]), &[SKIP], &[("lifecycle", &configure), hooks[0], hooks[1]]).await;
    let loaded = stage.events.take("plugin-loaded");
    assert_eq!((&loaded[0]["hooks"], &loaded[0]["instances"]), (&"helo".into(), &"restored".into()));
    assert_eq!(connect(&stage).await, Gate::Next);
    assert_eq!(stage.session().gate(Asked::Helo("c.example")).await, Gate::Accept);
    assert_eq!(stage.events.faults(), []);
    // Later nothing comes of it.
    let late = [("on-connect", &*format!("{skip} {ACCEPT}"))];
    let stage = serving(allowed(&[]), &[SKIP], &late).await;
    assert_eq!([connect(&stage).await, connect(&stage).await], [Gate::Accept, Gate::Accept]);
}
