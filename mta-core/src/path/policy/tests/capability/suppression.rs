//! Suppression lists as plugins reach them: by the scope that is granted, of the tenant whose mail it is, and not at all
//! where nothing may come of it.

use super::super::guests::{Import, NEXT, expect_octet, guest_saying};
use super::super::stage::{Stage, plugin, recipient};
use crate::base::flow::Answer;
use crate::base::flow::operator::suppression::{Found, Held, ListName, Reason, Search, Suppress, SuppressFault};
use crate::base::flow::policy::{Asked, Gate};
use crate::base::mail::address::Address;
use crate::base::time::UnixMillis;
use crate::config::model::{Mode, Plugin};
use std::future::ready;
use std::sync::{Arc, Mutex};

const ADD: Import = ("suppression", "add", "(param i32 i32 i32 i32 i32 i32 i32 i32)");
const REMOVE: Import = ("suppression", "remove", "(param i32 i32 i32 i32 i32 i32 i32)");
const CONTAINS: Import = ("suppression", "contains", "(param i32 i32 i32 i32 i32 i32 i32)");

/// What is at 64: a scope, a local part, a domain.
const TEXT: &str = "newsannexample.org";
const WHO: &str = "(i32.const 64) (i32.const 4) (i32.const 68) (i32.const 3) (i32.const 71) (i32.const 11)";

/// Calls a function about that address, and traps unless the host answers with these octets.
fn asks(function: &str, more: &str, answer: &[(u32, u8)]) -> String {
    let expected: String = answer.iter().map(|(at, value)| expect_octet(*at, *value)).collect();
    format!("(call ${function} {WHO} {more} (i32.const 2048)) {expected}")
}

/// `ok`, and what lies in it.
const OK: &[(u32, u8)] = &[(2048, 0)];
const NOT_THERE: &[(u32, u8)] = &[(2048, 0), (2052, 0)];
const UNSUBSCRIBED: &[(u32, u8)] = &[(2048, 0), (2052, 1), (2053, 0)];
const NOT_PERMITTED: &[(u32, u8)] = &[(2048, 1), (2052, 0)];

/// Lists that only remember who was put on them, and by whom; and how much a search says that it looked at.
#[derive(Default)]
struct Lists(Mutex<Vec<(ListName, String, String)>>, u64);

impl Suppress for Lists {
    fn contains(&self, list: &ListName, who: &Address) -> Option<Reason> {
        let lists = self.0.lock().expect("whole");
        lists
            .iter()
            .any(|(other, address, _)| other == list && *address == who.to_string())
            .then_some(Reason::Unsubscribe)
    }

    fn add(&self, list: ListName, who: Vec<(Address, Reason)>, by: Arc<str>) -> Answer<'_, Result<u64, SuppressFault>> {
        let added = who.len() as u64;
        let who = who.into_iter().map(|(address, _)| (list.clone(), address.to_string(), by.to_string()));
        self.0.lock().expect("whole").extend(who);
        Box::pin(ready(Ok(added)))
    }

    fn remove(&self, _: ListName, _: Address) -> Answer<'_, Result<bool, SuppressFault>> {
        let was_there = self.0.lock().expect("whole").pop().is_some();
        Box::pin(ready(Ok(was_there)))
    }

    fn find(&self, list: &ListName, who: &Address) -> Option<(Box<str>, Held)> {
        self.contains(list, who).map(|reason| (who.to_string().into(), held(reason)))
    }

    fn search(&self, list: &ListName, wanted: Search<'_>) -> Found {
        let lists = self.0.lock().expect("whole");
        let fits = lists.iter().filter(|(other, who, _)| other == list && who.contains(wanted.containing));
        let fits = fits.take(wanted.limit).map(|(_, who, _)| (who.as_str().into(), held(Reason::Unsubscribe)));
        let (entries, looked_at_bytes) = (fits.collect(), self.1);
        Found { entries, after: Some("there is more".into()), looked_at_bytes }
    }

    fn page(&self, _: &ListName, _: Option<&str>, _: usize) -> Vec<(Box<str>, Held)> {
        Vec::new()
    }
}

fn held(reason: Reason) -> Held {
    Held { reason, since: UnixMillis(9), by: "operator".into() }
}

fn allowed(grant: &str) -> Plugin {
    Plugin { allow: vec![grant.into()], ..plugin("p") }
}

/// What a plugin answers at RCPT that asks so, about mail of the tenant "t"; the stage, and what is on the lists then.
async fn asked(plugin: Plugin, calls: &[String]) -> (Gate, Stage, Vec<(ListName, String, String)>) {
    let lists = Arc::new(Lists::default());
    let stage = Stage::with_lists(lists.clone());
    let body = format!("{} {NEXT}", calls.concat());
    let octets = guest_saying(&[ADD, REMOVE, CONTAINS], TEXT, &[("on-rcpt", &body)]);
    stage.load(&[(plugin, octets)]).await.expect("it loads");
    let mut session = stage.session();
    session.belongs_to(Some(&"t".into()));
    let gate = session.gate(Asked::Rcpt { sender: None, to: &recipient("a@example.net") }).await;
    session.transaction_ended();
    stage.host.told().await;
    let kept = lists.0.lock().expect("whole").clone();
    (gate, stage, kept)
}

#[tokio::test]
async fn an_address_is_put_on_the_list_of_the_scope_and_of_the_tenant() {
    let calls = [asks("contains", "", NOT_THERE), asks("add", "(i32.const 0)", OK), asks("contains", "", UNSUBSCRIBED)];
    let (gate, stage, kept) = asked(allowed("suppression:news"), &calls).await;
    assert_eq!((gate, stage.events.faults()), (Gate::Next, Vec::new()));
    let list = ListName { scope: "news".into(), tenant: Some("t".into()) };
    assert_eq!(kept, [(list, "ann@example.org".to_owned(), "plugin:p".to_owned())]);
}

#[tokio::test]
async fn who_may_only_read_changes_nothing_and_another_scope_is_not_there() {
    let reads = [asks("contains", "", NOT_THERE), asks("add", "(i32.const 0)", NOT_PERMITTED)];
    let (gate, stage, kept) = asked(allowed("suppression:news:read"), &reads).await;
    assert_eq!((gate, stage.events.faults(), kept), (Gate::Next, Vec::new(), Vec::new()));
    let other = [asks("contains", "", NOT_PERMITTED), asks("add", "(i32.const 0)", NOT_PERMITTED)];
    let (gate, stage, kept) = asked(allowed("suppression:offers"), &other).await;
    assert_eq!((gate, stage.events.faults(), kept), (Gate::Next, Vec::new(), Vec::new()));
}

#[tokio::test]
async fn a_shadow_looks_and_changes_nothing() {
    let calls = [
        asks("contains", "", NOT_THERE),
        asks("add", "(i32.const 0)", NOT_PERMITTED),
        asks("remove", "", NOT_PERMITTED),
    ];
    let plugin = Plugin { mode: Mode::Shadow, ..allowed("suppression:news") };
    let (gate, stage, kept) = asked(plugin, &calls).await;
    assert_eq!((gate, kept), (Gate::Next, Vec::new()));
    let report = stage.host.differences(Some("p")).expect("it is on trial").remove(0);
    assert_eq!((report.calls, report.faults), (1, 0), "it was answered as expected");
}

const ADD_ALL: Import = ("suppression", "add-all", "(param i32 i32 i32 i32 i32)");
const FIND: Import = ("suppression", "find", "(param i32 i32 i32 i32 i32 i32 i32)");
const SEARCH: Import = ("suppression", "search", "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)");

/// The address and `unsubscribe`, at 3000: an element of a list. Then the list, which is that element so many times.
fn adds_all(count: u32, answer: &[(u32, u8)]) -> String {
    let words = [(3000, 68), (3004, 3), (3008, 71), (3012, 11)];
    let element: String =
        words.iter().map(|(at, word)| format!("(i32.store (i32.const {at}) (i32.const {word}))")).collect();
    let expected: String = answer.iter().map(|(at, value)| expect_octet(*at, *value)).collect();
    let call =
        format!("(call $add-all (i32.const 64) (i32.const 4) (i32.const 3000) (i32.const {count}) (i32.const 2048))");
    format!("{element} {call} {expected}")
}

/// What has "ann" in it, of the list "news".
fn searches(answer: &[(u32, u8)]) -> String {
    let expected: String = answer.iter().map(|(at, value)| expect_octet(*at, *value)).collect();
    format!(
        "(call $search (i32.const 64) (i32.const 4) (i32.const 1) (i32.const 68) (i32.const 3)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 10) (i32.const 2048)) {expected}"
    )
}

#[tokio::test]
async fn many_are_added_at_once_and_found_again() {
    let found = format!(
        "{} {}",
        // result, option, and the reason behind the text of the address.
        asks("find", "", &[(2048, 0), (2056, 1), (2072, 0), (2080, 9)]),
        // One entry, and where to go on.
        searches(&[(2048, 0), (2056, 1), (2060, 1)]),
    );
    let calls = [adds_all(1, &[(2048, 0), (2056, 1)]), found];
    let lists = Arc::new(Lists::default());
    let stage = Stage::with_lists(lists.clone());
    let body = format!("{} {NEXT}", calls.concat());
    let octets = guest_saying(&[ADD_ALL, FIND, SEARCH], TEXT, &[("on-rcpt", &body)]);
    stage.load(&[(allowed("suppression:news"), octets.clone())]).await.expect("it loads");
    let mut session = stage.session();
    let gate = session.gate(Asked::Rcpt { sender: None, to: &recipient("a@example.net") }).await;
    session.transaction_ended();
    assert_eq!((gate, stage.events.faults()), (Gate::Next, Vec::new()));
    let list = ListName { scope: "news".into(), tenant: None };
    assert_eq!(*lists.0.lock().expect("whole"), [(list, "ann@example.org".to_owned(), "plugin:p".to_owned())]);
    // Who may look alone adds nobody; `not-permitted` is the first of the errors.
    let only_reads = format!("{} {NEXT}", adds_all(1, &[(2048, 1), (2056, 0)]));
    let octets = guest_saying(&[ADD_ALL], TEXT, &[("on-rcpt", &only_reads)]);
    stage.load(&[(allowed("suppression:news:read"), octets)]).await.expect("it loads");
    let gate = stage.session().gate(Asked::Rcpt { sender: None, to: &recipient("a@example.net") }).await;
    assert_eq!((gate, stage.events.faults()), (Gate::Next, Vec::new()));
}

#[tokio::test]
async fn a_search_is_the_guests_own_time() {
    // As much as would take two minutes.
    let stage = Stage::with_lists(Arc::new(Lists(Mutex::default(), 1 << 40)));
    let body = format!("{} (loop $again (br $again)) {NEXT}", searches(&[]));
    let octets = guest_saying(&[SEARCH], TEXT, &[("on-rcpt", &body)]);
    let mut plugin = allowed("suppression:news:read");
    plugin.budget.cpu_envelope = std::time::Duration::from_secs(100);
    stage.load(&[(plugin, octets)]).await.expect("it loads");
    let _ = stage.session().gate(Asked::Rcpt { sender: None, to: &recipient("a@example.net") }).await;
    assert_eq!(stage.events.faults(), [("cpu".to_owned(), "451 4.3.0".to_owned())]);
}
