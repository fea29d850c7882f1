//! Capabilities, with guests that use them: what is granted works, what is not is refused with the grant's name.

mod clock;
mod limits;
mod standing;
mod submit;
mod suppression;
mod tenants;

use super::guests::{ACCEPT, Import, LOG, NEXT, RANDOM, expect_octet, guest, guest_saying};
use super::stage::{Stage, plugin, reach};
use crate::base::fixtures::{Names, Web};
use crate::base::flow::policy::{Asked, Gate};
use crate::base::world::dns::{Mx, RecordData};
use crate::base::world::http::HttpRequest;
use crate::config::model::{Mode, Plugin};
use crate::sandbox::{Reach, Secret, Supplies, Table, TableSlot};
use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::poll;
use std::sync::Arc;
use std::time::Duration;

/// A plugin that is allowed this.
fn allowed(words: &[&str]) -> Plugin {
    Plugin { allow: words.iter().map(|word| (*word).into()).collect(), ..plugin("p") }
}

/// The secret "X-One", whose octets are "key"; the table "1", in which "x-one" is "1".
fn supplies() -> Supplies {
    let secret = Secret::new(b"key".to_vec()).expect("a secret");
    let table = Table::parse(b"x-one 1").expect("a table");
    let tables = vec![("1".into(), Arc::new(TableSlot::from_pointee(table)))];
    Supplies { secrets: vec![("X-One".into(), Arc::new(secret))], tables, ..Supplies::default() }
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
async fn a_secret_that_configure_reads_gets_into_no_image() {
    let get = "(call $get (i32.const 16) (i32.const 5) (i32.const 2048)) (i32.const 1024)";
    let hooks = [("lifecycle", get), ("on-connect", NEXT)];
    for (word, wanted) in [("secrets:X-One", "made anew: it reads a secret in configure"), ("hmac:X-One", "restored")] {
        let stage = serving(allowed(&[word]), &[GET_SECRET], &hooks).await;
        assert_eq!(stage.events.take("plugin-loaded")[0]["instances"], wanted);
        assert_eq!([connect(&stage).await, connect(&stage).await], [Gate::Next, Gate::Next]);
    }
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

const DNS_A: Import = ("dns", "a", "(param i32 i32 i32)");

fn names() -> Names {
    let ip = |text: &str| text.parse().expect("an address");
    let records = vec![
        ("host.test", RecordData::A(ip("192.0.2.7"))),
        ("host.test", RecordData::Aaaa("2001:db8::7".parse().expect("an address"))),
        ("host.test", RecordData::Txt(b"v=spf1 -all".to_vec())),
        ("7.2.0.192.in-addr.arpa", RecordData::Ptr("host.test".into())),
        ("2.0.0.127.list.test", RecordData::A(ip("127.0.0.4"))),
        ("2.0.0.127.list.test", RecordData::A(ip("127.0.0.9"))),
        ("api.test", RecordData::A(ip("1.1.1.1"))),
        ("mixed.test", RecordData::A(ip("192.168.0.1"))),
        ("mixed.test", RecordData::A(ip("1.1.1.2"))),
        ("private.test", RecordData::A(ip("10.0.0.1"))),
        ("2.0.0.127.parked.test", RecordData::A(ip("192.0.2.80"))),
        ("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.list.test", RecordData::A(ip("127.0.0.2"))),
    ];
    let exchangers = [(20, "mx2.test"), (10, "mx1.test")]
        .map(|(preference, host)| ("host.test", Mx { preference, host: host.into() }))
        .to_vec();
    Names { records, exchangers }
}

/// Asks `on-connect` of a guest that calls a function of `dns` with these texts: the first text of the answer, "none" of
/// an empty one, or the error's number; and the gate.
async fn ask_dns(plugin: Plugin, function: &'static str, arguments: &[&str]) -> (String, Gate) {
    let kind = if arguments.len() == 2 { "(param i32 i32 i32 i32 i32)" } else { "(param i32 i32 i32)" };
    // Of an exchanger the host stands behind its preference.
    let at = if function == "mx" { 4 } else { 0 };
    let mut place = 64;
    let mut passed = String::new();
    for argument in arguments {
        passed += &format!("(i32.const {place}) (i32.const {}) ", argument.len());
        place += argument.len();
    }
    let say = |from: &str, length: &str| {
        format!("(call $write (i32.const 2) {from} {length} (i32.const 0) (i32.const 0)) {NEXT} return")
    };
    let error = say("(i32.const 4000)", "(i32.const 1)");
    let none = say("(i32.const 4001)", "(i32.const 4)");
    let first = |offset: usize| format!("(i32.load offset={offset} (i32.load (i32.const 2052)))");
    let body = format!(
        "(i32.store (i32.const 4001) (i32.const 0x656e6f6e)) (call ${function} {passed} (i32.const 2048))
         (i32.store8 (i32.const 4000) (i32.add (i32.const 48) (i32.load8_u (i32.const 2052))))
         (if (i32.load8_u (i32.const 2048)) (then {error}))
         (if (i32.eqz (i32.load (i32.const 2056))) (then {none})) {}",
        say(&first(at), &first(at + 4))
    );
    let reach = Reach { dns: Arc::new(names()), ..reach() };
    let stage = Stage::reaching(reach, 16);
    let octets = guest_saying(&[("dns", function, kind), LOG], &arguments.concat(), &[("on-connect", &body)]);
    stage.load(&[(plugin, octets)]).await.expect("it loads");
    let gate = connect(&stage).await;
    let faults = stage.events.faults();
    let said = stage.events.take("plugin-log").pop().map(|event| event["message"].as_str().map(str::to_owned));
    (said.flatten().unwrap_or_else(|| format!("{faults:?}")), gate)
}

#[tokio::test]
async fn names_are_looked_up_rfc5782_2_1_and_2_4() {
    let (nxdomain, no_data, servfail) = ("0", "1", "3");
    let cases: [(&str, &[&str], &str); 16] = [
        ("a", &["host.test"], "192.0.2.7"),
        ("aaaa", &["host.test."], "2001:db8::7"),
        ("txt", &["host.test"], "v=spf1 -all"),
        ("mx", &["host.test"], "mx1.test"),
        ("ptr", &["192.0.2.7"], "host.test"),
        ("a", &["gone.test"], nxdomain),
        ("a", &[""], nxdomain),
        ("ptr", &["host.test"], nxdomain),
        ("aaaa", &["2.0.0.127.list.test"], no_data),
        ("txt", &["broken.test"], servfail),
        // A list: listed, in IPv6 too, not listed, not known, and a list whose domain was sold.
        ("dnsbl", &["list.test", "127.0.0.2"], "127.0.0.4"),
        ("dnsbl", &["list.test", "2001:db8::1"], "127.0.0.2"),
        ("dnsbl", &["list.test", "127.0.0.1"], "none"),
        ("dnsbl", &["parked.test", "127.0.0.2"], "none"),
        ("dnsbl", &["list.test", "localhost"], nxdomain),
        ("mx", &["gone.test"], nxdomain),
    ];
    for (function, arguments, wanted) in cases {
        let said = ask_dns(allowed(&["dns", "log"]), function, arguments).await;
        assert_eq!(said, (wanted.to_owned(), Gate::Next), "{function} {arguments:?}");
    }
}

#[tokio::test]
async fn a_name_that_nobody_answers_for_times_out_and_the_guest_goes_on() {
    let mut plugin = allowed(&["dns", "log"]);
    plugin.budget.wall = Duration::from_millis(400);
    let timeout = "2";
    assert_eq!(ask_dns(plugin, "a", &["silent.test"]).await, (timeout.to_owned(), Gate::Next));
}

/// Looks a silent name up so often.
async fn looks_up(plugin: Plugin, times: u32, name: &str) -> (Stage, Gate) {
    let body = format!(
        "(loop $again (call $a (i32.const 64) (i32.const {}) (i32.const 2048)) (global.set $next (i32.const 8192))
         (local.set $n (i32.add (local.get $n) (i32.const 1)))
         (br_if $again (i32.lt_u (local.get $n) (i32.const {times}))))
         (if (i32.eq (i32.load8_u (i32.const 2052)) (i32.const 4)) (then {ACCEPT} return)) {NEXT}",
        name.len()
    );
    let stage = Stage::reaching(Reach { dns: Arc::new(names()), ..reach() }, 1);
    let octets = guest_saying(&[DNS_A], name, &[("on-connect", &body)]);
    stage.load(&[(plugin, octets)]).await.expect("it loads");
    let gate = connect(&stage).await;
    (stage, gate)
}

#[tokio::test]
async fn a_hook_that_waits_beyond_its_wall_time_ends_and_leaves_nothing_behind() {
    let mut waiting = allowed(&["dns"]);
    waiting.budget.wall = Duration::from_millis(60);
    // Waiting costs no processor time, though it lasts much longer than this.
    waiting.budget.cpu_envelope = Duration::from_millis(20);
    let (stage, gate) = looks_up(waiting.clone(), 1_000_000, "silent.test").await;
    assert!(matches!(gate, Gate::Tempfail(_)), "{gate:?}");
    assert_eq!(stage.events.faults(), [("wall".to_owned(), "451 4.3.0".to_owned())]);
    assert_eq!(stage.host.resting(), 0, "its instance is gone");
    // The stage has one instance: it is free again.
    stage.load(&[(waiting, guest(&[], &[("on-connect", ACCEPT)]))]).await.expect("it loads");
    assert_eq!(connect(&stage).await, Gate::Accept);
}

#[tokio::test]
async fn a_call_looks_up_64_names_and_no_more() {
    let (_, gate) = looks_up(allowed(&["dns"]), 64, "gone.test").await;
    assert_eq!(gate, Gate::Next, "nxdomain to the last");
    let (_, gate) = looks_up(allowed(&["dns"]), 65, "gone.test").await;
    assert_eq!(gate, Gate::Accept, "not-permitted");
}

const FETCH: Import = ("http", "fetch", "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)");

/// What a guest is told that fetches a URL at `on-connect`: the content, the error's words or its number; what was sent.
async fn fetch(plugin: Plugin, method: &str, url: &str, timeout_ms: u32, body: Vec<u8>) -> (String, Vec<HttpRequest>) {
    let say = |from: &str, length: &str| {
        format!("(call $write (i32.const 2) {from} {length} (i32.const 0) (i32.const 0)) {NEXT} return")
    };
    let (content, words) = (
        say("(i32.load (i32.const 2064))", "(i32.load (i32.const 2068))"),
        say("(i32.load (i32.const 2056))", "(i32.load (i32.const 2060))"),
    );
    let asks = format!(
        "(drop (memory.grow (i32.const 20)))
         (call $fetch (i32.const 64) (i32.const {}) (i32.const {}) (i32.const {}) (i32.const 0) (i32.const 0)
            (i32.const 16) (i32.const 5) (i32.const {timeout_ms}) (i32.const 2048))
         (if (i32.eqz (i32.load8_u (i32.const 2048))) (then {content}))
         (i32.store8 (i32.const 4000) (i32.add (i32.const 48) (i32.load8_u (i32.const 2052))))
         (if (i32.eq (i32.load8_u (i32.const 2052)) (i32.const 3)) (then {words})) {}",
        method.len(),
        64 + method.len(),
        url.len(),
        say("(i32.const 4000)", "(i32.const 1)")
    );
    let web = Arc::new(Web { body, ..Web::default() });
    let stage = Stage::reaching(Reach { dns: Arc::new(names()), http: web.clone(), ..reach() }, 16);
    let octets = guest_saying(&[FETCH, LOG], &format!("{method}{url}"), &[("on-connect", &asks)]);
    stage.load(&[(plugin, octets)]).await.expect("it loads");
    assert_eq!(connect(&stage).await, Gate::Next);
    stage.host.told().await;
    let said = stage.events.take("plugin-log").pop().and_then(|event| event["message"].as_str().map(str::to_owned));
    let sent = std::mem::take(&mut *web.requests.lock().expect("whole"));
    (said.unwrap_or_default(), sent)
}

#[tokio::test]
async fn what_is_granted_is_fetched_at_addresses_that_may_be_connected_to() {
    let plugin = || allowed(&["log", "http:api.test", "http:mixed.test:8443", "http:http://127.0.0.1:8080"]);
    let (said, sent) = fetch(plugin(), "POST", "https://API.test/x?y", 0, b"hello".to_vec()).await;
    assert_eq!((&*said, sent.len()), ("hello", 1));
    let HttpRequest { origin, addresses, method, target, body, .. } = &sent[0];
    assert_eq!((&*origin.to_string(), &**method, &**target, &body[..]), ("api.test", "POST", "/x?y", &b"X-One"[..]));
    assert_eq!(*addresses, ["1.1.1.1:443".parse().expect("an address")]);
    // One address of two is private.
    let (_, sent) = fetch(plugin(), "GET", "https://mixed.test:8443", 0, Vec::new()).await;
    assert_eq!(sent[0].addresses, ["1.1.1.2:8443".parse().expect("an address")]);
    // An address of this machine was granted as it is.
    let (_, sent) = fetch(plugin(), "GET", "http://127.0.0.1:8080/", 0, Vec::new()).await;
    assert_eq!(sent[0].addresses, ["127.0.0.1:8080".parse().expect("an address")]);
}

#[tokio::test]
async fn a_shadow_sends_nothing() {
    let plugin = Plugin { mode: Mode::Shadow, ..allowed(&["log", "http:api.test"]) };
    let (said, sent) = fetch(plugin, "POST", "https://api.test/x", 0, Vec::new()).await;
    assert_eq!((&*said, sent.len()), ("0", 0), "not-permitted");
}

#[tokio::test]
async fn what_is_not_granted_is_not_permitted_and_nothing_is_sent() {
    let plugin = || allowed(&["log", "http:api.test", "http:private.test", "http:http://127.0.0.1:8080"]);
    for url in [
        "https://other.test/",
        "http://api.test/",
        "https://api.test:444/",
        "https://sub.api.test/",
        "http://127.0.0.1/",
        "https://127.0.0.1:8080/",
        // Its name is granted, and leads into a private network.
        "https://private.test/",
    ] {
        let (said, sent) = fetch(plugin(), "GET", url, 0, Vec::new()).await;
        assert_eq!((&*said, sent.len()), ("0", 0), "{url}");
    }
    for (method, url, wanted) in [
        ("GET", "https://api.test@other.test/", "the URL: it is no host"),
        ("GET", "/x", "the URL: a URL begins with https:// or http://"),
        ("CONNECT", "https://api.test/", "the method is one of GET"),
        ("GET", "https://private.test:0/", "the URL: a port is"),
    ] {
        let (said, sent) = fetch(plugin(), method, url, 0, Vec::new()).await;
        assert!(said.starts_with(wanted) && sent.is_empty(), "{url}: {said}");
    }
    let granted = allowed(&["log", "http:private.test", "http-network:10.0.0.0/8"]);
    let (_, sent) = fetch(granted, "GET", "https://private.test/", 0, Vec::new()).await;
    assert_eq!(sent[0].addresses, ["10.0.0.1:443".parse().expect("an address")]);
}

#[tokio::test]
async fn a_server_that_does_not_answer_times_out_and_a_large_answer_comes_whole() {
    let mut plugin = allowed(&["log", "http:api.test"]);
    plugin.budget.cpu_envelope = Duration::from_secs(1);
    let (said, sent) = fetch(plugin.clone(), "GET", "https://api.test/silent", 20, Vec::new()).await;
    assert_eq!((&*said, sent.len()), ("1", 1));
    plugin.budget.wall = Duration::from_millis(400);
    let (said, _) = fetch(plugin.clone(), "GET", "https://api.test/silent", 600_000, Vec::new()).await;
    assert_eq!(said, "1", "the wall time bounds what the guest asks for");
    plugin.budget.wall = Duration::from_secs(10);
    let (said, _) = fetch(plugin, "GET", "https://api.test/", 0, vec![b'x'; 1024 * 1024]).await;
    assert_eq!(said.len(), 1024, "as much of it as a log line holds");
}

/// A guest that fetches this URL so often, and accepts if the last was not permitted.
fn fetches(url: &str, times: u32) -> Bytes {
    let body = format!(
        "(loop $again (call $fetch (i32.const 64) (i32.const 3) (i32.const 67) (i32.const {}) (i32.const 0) (i32.const 0)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 2048)) (global.set $next (i32.const 8192))
         (local.set $n (i32.add (local.get $n) (i32.const 1)))
         (br_if $again (i32.lt_u (local.get $n) (i32.const {times}))))
         (if (i32.and (i32.load8_u (i32.const 2048)) (i32.eqz (i32.load8_u (i32.const 2052)))) (then {ACCEPT} return))
         {NEXT}",
        url.len()
    );
    guest_saying(&[FETCH], &format!("GET{url}"), &[("on-connect", &body)])
}

#[tokio::test]
async fn a_call_sends_8_requests_and_no_more() {
    let web = Arc::new(Web::default());
    let stage = Stage::reaching(Reach { dns: Arc::new(names()), http: web.clone(), ..reach() }, 16);
    for (times, wanted) in [(8, Gate::Next), (9, Gate::Accept)] {
        let octets = fetches("https://api.test/", times);
        stage.load(&[(allowed(&["http:api.test"]), octets)]).await.expect("it loads");
        assert_eq!(connect(&stage).await, wanted, "{times}");
        assert_eq!(std::mem::take(&mut *web.requests.lock().expect("whole")).len(), 8);
    }
}

#[tokio::test]
async fn a_plugin_has_32_requests_under_way_and_further_ones_wait() {
    let web = Arc::new(Web::default());
    let stage = Stage::reaching(Reach { dns: Arc::new(names()), http: web.clone(), ..reach() }, 64);
    let octets = fetches("https://api.test/silent", 1);
    stage.load(&[(allowed(&["http:api.test"]), octets)]).await.expect("it loads");
    let sent = || web.requests.lock().expect("whole").len();
    let mut all = join_all((0..40).map(|_| connect(&stage)));
    // Each turn asks all of them; a few are enough for all to come as far as they can.
    for turn in 0.. {
        assert!(poll!(&mut all).is_pending(), "nobody answers");
        if turn > 20 && sent() >= 32 {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(sent(), 32);
}

#[tokio::test]
async fn grants_of_servers_are_checked() {
    for (word, wanted) in [
        ("http:*.test", "allow = \"http:*.test\": it is no host"),
        ("http:ftp://a", "only http and https are spoken; write \"http:HOST\""),
        ("http-network:10.0.0.1/8", "is no grant"),
    ] {
        let refused = Stage::new().load(&[(allowed(&[word]), guest(&[], &[("on-connect", NEXT)]))]).await;
        let words = refused.expect_err("it is refused").to_string();
        assert!(words.contains(wanted), "{words}");
    }
}

#[tokio::test]
async fn what_is_imported_and_not_granted_names_the_grant() {
    for (import, word) in [
        (RANDOM, "random"),
        (GET_SECRET, "secrets:<name>"),
        (LOOKUP, "tables:<name>"),
        (DNS_A, "dns"),
        (FETCH, "http:<host>"),
    ] {
        let octets = guest(&[import], &[("on-connect", NEXT)]);
        let words = Stage::new().load(&[(plugin("p"), octets)]).await.expect_err("it is refused").to_string();
        let interface = import.0;
        let wanted = format!(
            "it imports mailwright:plugin/{interface}@0.1.0, which is not granted; add \"{word}\" to its `allow`"
        );
        assert!(words.contains(&wanted), "{words}");
    }
}
