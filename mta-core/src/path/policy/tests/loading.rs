//! What can't be loaded is refused with words that say what to do; what serves is left as it is.

use super::guests::{CLOCK, NEXT, guest, guest_of};
use super::stage::{Stage, plugin};
use crate::config::model::{OnFailure, Plugin};
use crate::config::parse::parse;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use wasm_encoder::{ComponentSection, CustomSection};

async fn refused(plugin: Plugin, octets: Bytes) -> String {
    Stage::new().load(&[(plugin, octets)]).await.expect_err("it is refused").to_string()
}

#[tokio::test]
async fn an_import_that_is_not_granted_names_the_grant() {
    let body = format!("(drop (call $now-ms)) {NEXT}");
    let octets = guest(&[CLOCK], &[("on-connect", &body)]);
    let words = refused(plugin("p"), octets.clone()).await;
    let wanted =
        "plugin \"p\": it imports mailwright:plugin/clock@0.1.0, which is not granted; add \"clock\" to its `allow`";
    assert_eq!(words, wanted);
    let granted = Plugin { allow: vec!["clock".into()], ..plugin("p") };
    Stage::new().load(&[(granted, octets)]).await.expect("granted, it loads");
}

#[tokio::test]
async fn an_import_of_a_later_version_is_told_so() {
    let submit = ("submit", "send", "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)");
    let words = refused(plugin("p"), guest(&[submit], &[("on-connect", NEXT)])).await;
    assert!(words.contains("it imports mailwright:plugin/submit@0.1.0, which this version does not offer"), "{words}");
}

#[tokio::test]
async fn a_misspelt_export_is_not_silently_absent() {
    let contract = include_str!("../../../../../plugin-sdk/wit/plugin.wit");
    let contract = contract.replace("on-data", "on-dta");
    let words = refused(plugin("p"), guest_of(&contract, &[], &[("on-dta", NEXT)])).await;
    assert!(words.contains("it exports mailwright:plugin/on-dta@0.1.0, which is no hook"), "{words}");
    let known = "known are lifecycle, on-connect, on-helo, on-mail, on-rcpt, on-data, on-pre-send, on-outcome, on-tick, on-disconnect";
    assert!(words.contains(known), "{words}");
}

#[tokio::test]
async fn what_is_no_component_is_refused() {
    let words = refused(plugin("p"), Bytes::from_static(b"\0asm\x01\0\0\0")).await;
    assert!(words.contains("it can't be compiled") && words.contains("a plugin is a WebAssembly component"), "{words}");
    let empty = wat::parse_str("(component)").expect("the text is WebAssembly");
    let words = refused(plugin("p"), empty.into()).await;
    assert!(words.contains("it exports no hook; export at least one of on-connect"), "{words}");
    let wasi = wat::parse_str(r#"(component (import "wasi:cli/environment@0.2.0" (instance)))"#).expect("likewise");
    let words = refused(plugin("p"), wasi.into()).await;
    assert!(words.contains("wasi:cli/environment@0.2.0") && words.contains("wasm32-unknown-unknown"), "{words}");
}

#[tokio::test]
async fn grants_that_do_not_exist_are_refused() {
    let octets = guest(&[], &[("on-connect", NEXT)]);
    for (allow, wanted) in [
        ("logs", "allow = \"logs\" is no grant; grants are \"log\", \"clock\", \"random\", \"kv:<bucket>\""),
        ("kv", "allow = \"kv\" is no grant"),
        ("submit", "allow = \"submit\" is not offered by this version"),
    ] {
        let words = refused(Plugin { allow: vec![allow.into()], ..plugin("p") }, octets.clone()).await;
        assert!(words.contains(wanted), "{words}");
    }
    let mut odd = plugin("p");
    odd.on_failure_by_hook.insert("dta".into(), OnFailure::Open);
    let words = refused(odd, octets).await;
    let wanted = "on_failure names no hook that is asked: \"dta\"; hooks that are asked are connect, helo, mail, rcpt";
    assert!(words.contains(wanted), "{words}");
}

#[tokio::test]
async fn a_component_that_is_not_the_pinned_one_is_refused_with_both_sums() {
    let octets = guest(&[], &[("on-connect", NEXT)]);
    let sum: String = Sha256::digest(&octets).iter().map(|octet| format!("{octet:02x}")).collect();
    let pinned = "0".repeat(64);
    let words = refused(Plugin { sha256: Some(pinned.as_str().into()), ..plugin("p") }, octets.clone()).await;
    let wanted = format!("plugin \"p\": its component has the sha256 {sum}, and its configuration wants {pinned}; if");
    assert!(words.starts_with(&wanted), "{words}");
    let right = Plugin { sha256: Some(sum.into()), ..plugin("p") };
    Stage::new().load(&[(right, octets)]).await.expect("the pinned one loads");
}

/// A component with a manifest, as a module of it would have it.
fn with_manifest(octets: &[u8], manifest: &str) -> Bytes {
    let custom = CustomSection { name: "mailwright:manifest".into(), data: manifest.as_bytes().into() };
    let mut whole = octets.to_vec();
    custom.append_to_component(&mut whole);
    whole.into()
}

#[tokio::test]
async fn a_plugin_of_another_contract_is_told_so_before_anything_is_compiled() {
    // It could not be compiled either.
    let octets = with_manifest(b"\0asm\x0d\0\x01\0", r#"{"contract":"0.2.0","name":"p","version":"3.1.0"}"#);
    let words = refused(plugin("p"), octets).await;
    let wanted =
        "plugin \"p\": it was built for version 0.2.0 of the contract; this Mailwright speaks 0.1.x; rebuild it";
    assert!(words.starts_with(wanted), "{words}");
    let none = refused(plugin("p"), with_manifest(b"\0asm\x0d\0\x01\0", "{")).await;
    assert!(none.contains("its manifest (custom section mailwright:manifest) is not understood"), "{none}");
}

#[tokio::test]
async fn a_configuration_is_told_by_file_and_line_before_anything_is_compiled() {
    let schema = r#"{"contract":"0.1.0","name":"p","version":"3.1.0","config":{"type":"object","required":["to"],
        "properties":{"wait":{"type":"string","format":"mailwright-duration"},"to":{"type":"string"},
        "deep":{"type":"array","items":{"type":"object","properties":{"on":{"type":"boolean"}}}}},
        "additionalProperties":false}}"#;
    let text = "hostname = \"mx.example.org\"\ndata_dir = \"var\"\n[[listener]]\nname = \"mx\"\nbind = \"[::1]:25\"\n\
        [[plugin]]\nname = \"p\"\nsource = \"builtin:p\"\n[plugin.config]\nwiat = 5\ndeep = [{ on = true },\n  { on = 1 }]\n";
    let config = parse("mx.toml", text, &["plugin.0.config.wait=5".to_owned()]).expect("it is sound");
    let octets = with_manifest(b"\0asm\x0d\0\x01\0", schema);
    let words = refused(config.plugins[0].clone(), octets).await;
    let lines: Vec<&str> = words.lines().collect();
    assert_eq!(
        lines,
        [
            "plugin \"p\": its configuration does not fit:",
            "mx.toml:12:10: plugin.0.config.deep.1.on: expected true or false, found 1",
            "--set plugin.0.config.wait=5: plugin.0.config.wait: expected a duration, with its unit (ms, s, m, h, d), found 5; did you mean \"5s\"?",
            "mx.toml:10:1: plugin.0.config.wiat: unknown key; did you mean `wait`?",
            "mx.toml:9:1: plugin.0.config.to: missing: expected text",
            "`mailwright plugin inspect builtin:p` shows what may be set",
        ]
    );
    // Without the table it is told where the plugin is.
    let without = text.split("[plugin.config]").next().expect("its first half");
    let config = parse("mx.toml", without, &[]).expect("it is sound");
    let words = refused(config.plugins[0].clone(), with_manifest(b"\0asm\x0d\0\x01\0", schema)).await;
    assert!(words.contains("\nmx.toml:6:1: plugin.0.config.to: missing: expected text"), "{words}");
}
