//! What can't be loaded is refused with words that say what to do, and what serves is left as it is; guests of a system are
//! loaded into the wide profile.

use super::guests::{CLOCK, NEXT, SPIN, expect_octet, guest, guest_of, reject, system_guest};
use super::stage::{Stage, plugin, recipient};
use crate::base::flow::policy::{Asked, Gate};
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
async fn a_scope_that_is_not_granted_is_named_by_its_grant() {
    let contains = ("suppression", "contains", "(param i32 i32 i32 i32 i32 i32 i32)");
    let words = refused(plugin("p"), guest(&[contains], &[("on-connect", NEXT)])).await;
    let wanted = "it imports mailwright:plugin/suppression@0.1.0, which is not granted; add \"suppression:<scope>\"";
    assert!(words.contains(wanted), "{words}");
}

#[tokio::test]
async fn a_plugin_that_could_use_tables_is_loaded_without_one_where_that_is_said() {
    let lookup = ("tables", "lookup", "(param i32 i32 i32 i32 i32)");
    let octets = guest(&[lookup], &[("on-connect", NEXT)]);
    let words = refused(plugin("p"), octets.clone()).await;
    assert!(words.contains("it imports mailwright:plugin/tables@0.1.0, which is not granted"), "{words}");
    let none = Plugin { allow: vec!["tables".into()], ..plugin("p") };
    Stage::new().load(&[(none, octets)]).await.expect("it loads");
}

#[tokio::test]
async fn a_misspelt_export_is_not_silently_absent() {
    let contract = include_str!("../../../../../plugin-sdk/wit/plugin.wit");
    let contract = contract.replace("on-data", "on-dta");
    let words = refused(plugin("p"), guest_of(&contract, &[], &[("on-dta", NEXT)])).await;
    assert!(words.contains("it exports mailwright:plugin/on-dta@0.1.0, which is no hook"), "{words}");
    let known = "known are lifecycle, on-connect, on-helo, on-auth, on-password, on-mail, on-rcpt, on-data, on-route, on-pre-send, on-outcome, on-feedback, on-http, on-tick, on-disconnect";
    assert!(words.contains(known), "{words}");
}

#[tokio::test]
async fn what_is_no_component_is_refused() {
    let words = refused(plugin("p"), Bytes::from_static(b"\0asm\x01\0\0\0")).await;
    assert!(words.contains("it can't be compiled") && words.contains("a plugin is a WebAssembly component"), "{words}");
    let empty = wat::parse_str("(component)").expect("the text is WebAssembly");
    let words = refused(plugin("p"), empty.into()).await;
    assert!(words.contains("it exports no hook; export at least one of on-connect"), "{words}");
    let wasi = wat::parse_str(r#"(component (import "wasi:nn/graph@0.2.0" (instance)))"#).expect("likewise");
    let words = refused(plugin("p"), wasi.into()).await;
    assert!(words.contains("it imports wasi:nn/graph@0.2.0") && words.contains("of WASI, cli, clocks"), "{words}");
}

#[tokio::test]
async fn grants_that_do_not_exist_are_refused() {
    let octets = guest(&[], &[("on-connect", NEXT)]);
    for (allow, wanted) in [
        (
            "logs",
            "allow = \"logs\" is no grant; grants are \"log\", \"metrics\", \"clock\", \"random\", \"kv:<bucket>\"",
        ),
        ("kv", "allow = \"kv\" is no grant"),
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

const VERSION: &str = "0.2.3";

/// Loads a guest of a system with these grants, and asks it at connect; why it failed, if it did.
async fn asked_at_connect(allow: &[&str], body: &str) -> (Stage, Option<String>) {
    let stage = Stage::new();
    let plugin = Plugin { allow: allow.iter().map(|word| (*word).into()).collect(), ..plugin("p") };
    let octets = system_guest(VERSION, "one\nKeyError: 'x'\n", &[("on-connect", body)]);
    stage.load(&[(plugin, octets)]).await.expect("it loads");
    let gate = stage.session().gate(Asked::Connect).await;
    let fault = stage.events.take("plugin-fault").first().map(|event| event["why"].as_str().unwrap_or("").to_owned());
    assert_eq!(gate == Gate::Next, fault.is_none(), "{gate:?}, {fault:?}");
    (stage, fault)
}

#[tokio::test]
async fn a_guest_of_a_system_is_wide_and_begins_anew_at_each_call() {
    let stage = Stage::new();
    // The second time that its memory is used it refuses.
    let body = format!(
        "(if (i32.load (i32.const 512)) (then {} return))
         (i32.store (i32.const 512) (i32.const 1)) {NEXT}",
        reject(550)
    );
    let octets = system_guest(VERSION, "", &[("on-rcpt", &body)]);
    stage.load(&[(plugin("p"), octets)]).await.expect("it loads");
    let loaded = &stage.events.take("plugin-loaded")[0];
    // It is small, and so it is restored; but after each call.
    assert_eq!((&loaded["profile"], &loaded["instances"]), (&"wide".into(), &"restored".into()));
    let (mut session, to) = (stage.session(), recipient("a@example.net"));
    for _ in 0..3 {
        assert_eq!(session.gate(Asked::Rcpt { sender: None, to: &to }).await, Gate::Next);
    }
}

#[tokio::test]
async fn what_it_prints_is_its_log_where_that_is_granted_and_its_last_words_are_told() {
    let body = "(call $print (i32.const 64) (i32.const 18)) unreachable";
    let (stage, fault) = asked_at_connect(&["log"], body).await;
    assert!(fault.is_some_and(|why| why.ends_with("; it printed: one | KeyError: 'x'")));
    let lines = stage.events.take("plugin-log");
    let messages: Vec<_> = lines.iter().map(|event| event["message"].as_str().unwrap_or_default()).collect();
    assert_eq!(messages, ["one", "KeyError: 'x'"]);

    let body = format!("(call $print (i32.const 64) (i32.const 6)) {NEXT}");
    let (stage, _) = asked_at_connect(&["log"], &body).await;
    let lines = stage.events.take("plugin-log");
    let messages: Vec<_> = lines.iter().map(|event| event["message"].as_str().unwrap_or_default()).collect();
    assert_eq!(messages, ["one", "Ke"], "a call's end ends a line");
    let (stage, _) = asked_at_connect(&[], &body).await;
    assert!(stage.events.take("plugin-log").is_empty(), "nothing is granted");
}

#[tokio::test]
async fn time_and_randomness_of_a_system_are_granted_or_not_there() {
    let seconds = "(call $now (i32.const 2048))";
    let none = format!("{seconds} {} {NEXT}", expect_octet(2048, 0));
    assert_eq!(asked_at_connect(&[], &none).await.1, None, "time stands still");
    let some = format!("{seconds} (if (i64.eqz (i64.load (i32.const 2048))) (then unreachable)) {NEXT}");
    assert_eq!(asked_at_connect(&["clock"], &some).await.1, None);
    // Two numbers that differ; the first is kept where the next call would find it, and told by a fault.
    let draw = format!(
        "(i64.store (i32.const 512) (call $draw)) (if (i64.eq (i64.load (i32.const 512)) (call $draw)) (then unreachable))
         {NEXT}"
    );
    let (stage, fault) = asked_at_connect(&[], &draw).await;
    assert_eq!(fault, None);
    assert_eq!(stage.session().gate(Asked::Connect).await, Gate::Next);
    let told = stage.events.take("plugin-log");
    assert!(told.len() == 1 && told[0]["level"] == "warn", "it is told of once: {told:?}");
    assert!(told[0]["message"].as_str().is_some_and(|words| words.contains("which is not granted")), "{told:?}");
    let (stage, fault) = asked_at_connect(&["random"], &draw).await;
    assert_eq!((fault, stage.events.take("plugin-log").len()), (None, 0));
}

#[tokio::test]
async fn what_is_not_there_of_a_system_ends_the_call_with_its_name() {
    let why = asked_at_connect(&[], &format!("(drop (call $network)) {NEXT}")).await.1.expect("there is none");
    let wanted = "it called wasi:sockets/instance-network.instance-network, which does not exist here";
    assert!(why.starts_with(wanted), "{why}");
}

#[tokio::test]
async fn a_wide_guest_is_stopped_like_any_other() {
    let why = asked_at_connect(&[], SPIN).await.1.expect("it never ends");
    assert!(why.starts_with("it used up its processor time"), "{why}");
    // 128 MiB more than it has.
    let grow = "(if (i32.eq (memory.grow (i32.const 2048)) (i32.const -1)) (then unreachable))";
    let why = asked_at_connect(&[], &format!("{grow} {NEXT}")).await.1.expect("it is too much");
    assert!(why.starts_with("it wanted more than 134217728 octets of memory"), "{why}");
    let less = grow.replace("2048", "2000");
    assert_eq!(asked_at_connect(&[], &format!("{less} {NEXT}")).await.1, None);
}

#[tokio::test]
async fn another_version_of_a_system_is_refused_in_words() {
    let words = refused(plugin("p"), system_guest("0.3.0", "", &[("on-connect", NEXT)])).await;
    assert!(words.contains("@0.3.0, which does not exist here; of WASI, cli, clocks, filesystem"), "{words}");
    assert!(words.contains("of version 0.2.x are answered for"), "{words}");
}
