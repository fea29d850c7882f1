//! Capabilities, with guests that use them: what is granted works, what is not is refused with the grant's name.

use super::guests::{ACCEPT, Import, NEXT, RANDOM, expect_octet, guest};
use super::stage::{Stage, plugin};
use crate::base::flow::policy::{Asked, Gate};
use crate::config::model::Plugin;
use crate::path::policy::{Secret, Supplies, Table, TableSlot};
use std::sync::Arc;

/// A plugin that is allowed this.
fn allowed(words: &[&str]) -> Plugin {
    Plugin { allow: words.iter().map(|word| (*word).into()).collect(), ..plugin("p") }
}

/// The secret "X-One", whose octets are "key"; the table "1", in which "x-one" is "1".
fn supplies() -> Supplies {
    let secret = Secret::new(b"key".to_vec()).expect("a secret");
    let table = Table::parse(b"x-one 1").expect("a table");
    let tables = vec![("1".into(), Arc::new(TableSlot::from_pointee(table)))];
    Supplies { secrets: vec![("X-One".into(), Arc::new(secret))], tables }
}

/// A stage on which one guest serves.
async fn serving(plugin: Plugin, imports: &[Import], hooks: &[(&str, &str)]) -> Stage {
    let mut stage = Stage::new();
    stage.supplies = supplies();
    stage.load(&[(plugin, guest(imports, hooks))]).await.expect("it loads");
    stage
}

/// Asks `on-connect`.
async fn connect(stage: &Stage) -> Gate {
    stage.session().gate(Asked::Connect).await
}

#[tokio::test]
async fn randomness_is_drawn_anew_in_each_call_and_at_most_64_kib_of_it() {
    // The dice of the stage count: the first octet that is drawn is a 1. The list lies at 2048: where, and how long.
    let body = format!(
        "(call $bytes (i32.const 3) (i32.const 2048)) (if (i32.ne (i32.load (i32.const 2052)) (i32.const 3)) (then unreachable))
         (if (i32.eq (i32.load8_u (i32.load (i32.const 2048))) (i32.const 1)) (then {ACCEPT} return)) {NEXT}"
    );
    let stage = serving(allowed(&["random"]), &[RANDOM], &[("on-connect", &body)]).await;
    assert_eq!([connect(&stage).await, connect(&stage).await], [Gate::Accept, Gate::Next]);
    let much = "(call $bytes (i32.const 1000000) (i32.const 2048))
        (if (i32.ne (i32.load (i32.const 2052)) (i32.const 65536)) (then unreachable)) (i32.const 1024)";
    // The guest of these tests puts what it is given where its memory ends, so it is grown for it.
    let much = format!("(drop (memory.grow (i32.const 2))) {much}");
    let stage = serving(allowed(&["random"]), &[RANDOM], &[("on-connect", &much)]).await;
    assert_eq!(connect(&stage).await, Gate::Next);
    assert_eq!(stage.events.faults(), []);
}

#[tokio::test]
async fn randomness_drawn_in_configure_is_not_frozen_in_an_image() {
    // What configure drew lies at 4000; the dice count, so each transaction must find another octet there.
    let configure = "(call $bytes (i32.const 1) (i32.const 2048))
        (i32.store8 (i32.const 4000) (i32.load8_u (i32.load (i32.const 2048)))) (i32.const 1024)";
    let body = format!(
        "{} {NEXT}",
        "(if (i32.eq (i32.load8_u (i32.const 4000)) (i32.const 4)) (then (i32.store8 offset=4 (i32.const 1024) (i32.const 1))))"
    );
    let stage = serving(allowed(&["random"]), &[RANDOM], &[("lifecycle", configure), ("on-connect", &body)]).await;
    let loaded = stage.events.take("plugin-loaded");
    assert_eq!(loaded[0]["instances"], "made anew: it draws randomness in configure");
    // The image's sitting drew 1 and the rehearsal 2.
    assert_eq!(
        [connect(&stage).await, connect(&stage).await, connect(&stage).await],
        [Gate::Next, Gate::Accept, Gate::Next]
    );
}

const GET_SECRET: Import = ("secrets", "get", "(param i32 i32 i32)");
const HMAC: Import = ("secrets", "hmac-sha256", "(param i32 i32 i32 i32 i32)");

#[tokio::test]
async fn a_secret_is_given_and_signs() {
    // some(list) lies at 2048: its tag, where it is, how long. "key" begins with a k.
    let get = "(call $get (i32.const 16) (i32.const 5) (i32.const 2048))
        (if (i32.ne (i32.load (i32.const 2056)) (i32.const 3)) (then unreachable))
        (if (i32.ne (i32.load8_u (i32.load (i32.const 2052))) (i32.const 0x6b)) (then unreachable))";
    // HMAC-SHA256 of "1" with the key "key" begins with 6d (by openssl) and has 32 octets.
    let hmac = "(call $hmac-sha256 (i32.const 16) (i32.const 5) (i32.const 32) (i32.const 1) (i32.const 2048))
        (if (i32.ne (i32.load (i32.const 2056)) (i32.const 32)) (then unreachable))
        (if (i32.ne (i32.load8_u (i32.load (i32.const 2052))) (i32.const 0x6d)) (then unreachable))";
    let body = format!("{get} {hmac} {ACCEPT}");
    let imports = [GET_SECRET, HMAC];
    let stage = serving(allowed(&["secrets:X-One"]), &imports, &[("on-connect", &body)]).await;
    assert_eq!(connect(&stage).await, Gate::Accept);
    // The grant to sign does not show the key.
    let hidden = "(call $get (i32.const 16) (i32.const 5) (i32.const 2048))
        (if (i32.load8_u (i32.const 2048)) (then unreachable))";
    let body = format!("{hidden} {hmac} {ACCEPT}");
    let stage = serving(allowed(&["hmac:X-One"]), &imports, &[("on-connect", &body)]).await;
    assert_eq!(connect(&stage).await, Gate::Accept);
    assert_eq!(stage.events.faults(), []);
}

#[tokio::test]
async fn a_secret_that_is_not_granted_is_not_there() {
    // "1" is no secret of the plugin.
    let body = format!(
        "(call $get (i32.const 32) (i32.const 1) (i32.const 2048)) (if (i32.load8_u (i32.const 2048)) (then unreachable))
         (call $hmac-sha256 (i32.const 32) (i32.const 1) (i32.const 32) (i32.const 1) (i32.const 2048))
         (if (i32.load8_u (i32.const 2048)) (then unreachable)) {ACCEPT}"
    );
    let stage = serving(allowed(&["secrets:X-One"]), &[GET_SECRET, HMAC], &[("on-connect", &body)]).await;
    assert_eq!(connect(&stage).await, Gate::Accept);
    let refused = stage.load(&[(allowed(&["secrets:other"]), guest(&[], &[("on-connect", NEXT)]))]).await;
    let words = refused.expect_err("there is none").to_string();
    let wanted =
        "allow = \"secrets:other\" names no [[secret]] of the configuration; add a [[secret]] with name = \"other\"";
    assert!(words.contains(wanted), "{words}");
}

const LOOKUP: Import = ("tables", "lookup", "(param i32 i32 i32 i32 i32)");

/// Looks "X-One" up in the table of that name.
fn lookup(at: u32, length: u32) -> String {
    format!("(call $lookup (i32.const {at}) (i32.const {length}) (i32.const 16) (i32.const 5) (i32.const 2048))")
}

#[tokio::test]
async fn a_table_is_looked_up_in_any_case_and_as_it_is_now() {
    // ok(some(text)) lies at 2048: the result's tag, the option's at 4, the text at 8 and its length.
    let body = format!(
        "{} {} (if (i32.eqz (i32.load8_u (i32.const 2052))) (then {NEXT} return))
         (if (i32.ne (i32.load (i32.const 2060)) (i32.const 1)) (then unreachable)) {ACCEPT}",
        lookup(32, 1),
        expect_octet(2048, 0)
    );
    let stage = serving(allowed(&["tables:1"]), &[LOOKUP], &[("on-connect", &body)]).await;
    assert_eq!(connect(&stage).await, Gate::Accept);
    stage.supplies.tables[0].1.store(Arc::new(Table::default()));
    assert_eq!(connect(&stage).await, Gate::Next, "no reload of the plugin is needed");
    assert_eq!(stage.events.faults(), []);
}

#[tokio::test]
async fn a_table_that_is_not_granted_is_no_table() {
    // err(no-such-table)
    let body = format!("{} {} {} {ACCEPT}", lookup(16, 5), expect_octet(2048, 1), expect_octet(2052, 0));
    let stage = serving(allowed(&["tables:1"]), &[LOOKUP], &[("on-connect", &body)]).await;
    assert_eq!(connect(&stage).await, Gate::Accept);
}

#[tokio::test]
async fn what_is_imported_and_not_granted_names_the_grant() {
    for (import, word) in [(RANDOM, "random"), (GET_SECRET, "secrets:<name>"), (LOOKUP, "tables:<name>")] {
        let octets = guest(&[import], &[("on-connect", NEXT)]);
        let words = Stage::new().load(&[(plugin("p"), octets)]).await.expect_err("it is refused").to_string();
        let interface = import.0;
        let wanted = format!(
            "it imports mailwright:plugin/{interface}@0.1.0, which is not granted; add \"{word}\" to its `allow`"
        );
        assert!(words.contains(&wanted), "{words}");
    }
}
