//! What can't be loaded is refused with words that say what to do; what serves is left as it is.

use super::guests::{CLOCK, NEXT, guest, guest_of};
use super::stage::{Stage, plugin};
use crate::config::model::{OnFailure, Plugin};
use bytes::Bytes;
use sha2::{Digest, Sha256};

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
    let contains = ("suppression", "contains", "(param i32 i32 i32 i32 i32 i32 i32)");
    let words = refused(plugin("p"), guest(&[contains], &[("on-connect", NEXT)])).await;
    assert!(
        words.contains("it imports mailwright:plugin/suppression@0.1.0, which this version does not offer"),
        "{words}"
    );
}

#[tokio::test]
async fn a_misspelt_export_is_not_silently_absent() {
    let contract = include_str!("../../../../../plugin-sdk/wit/plugin.wit");
    let contract = contract.replace("on-data", "on-dta");
    let words = refused(plugin("p"), guest_of(&contract, &[], &[("on-dta", NEXT)])).await;
    assert!(words.contains("it exports mailwright:plugin/on-dta@0.1.0, which is no hook"), "{words}");
    let known = "known are lifecycle, on-connect, on-helo, on-auth, on-mail, on-rcpt, on-data, on-route, on-pre-send, on-outcome, on-http, on-tick, on-disconnect";
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
        ("logs", "allow = \"logs\" is no grant; grants are \"log\", \"metrics\", \"clock\", \"random\""),
        ("kv", "allow = \"kv\" is no grant"),
        ("suppression", "allow = \"suppression\" is not offered by this version"),
    ] {
        let words = refused(Plugin { allow: vec![allow.into()], ..plugin("p") }, octets.clone()).await;
        assert!(words.contains(wanted), "{words}");
    }
    let mut odd = plugin("p");
    odd.on_failure_by_hook.insert("dta".into(), OnFailure::Open);
    let words = refused(odd, octets).await;
    let wanted =
        "on_failure names no hook that is asked: \"dta\"; hooks that are asked are connect, helo, auth, mail, rcpt";
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
