//! Suppression lists as plugins reach them: by the scope that is granted, of the tenant whose mail it is, and not at all
//! where nothing may come of it.

use super::super::guests::{Import, NEXT, expect_octet, guest_saying};
use super::super::stage::{Stage, plugin, recipient};
use crate::base::flow::Answer;
use crate::base::flow::operator::suppression::{Held, ListName, Reason, Suppress, SuppressFault};
use crate::base::flow::policy::{Asked, Gate};
use crate::base::mail::address::Address;
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

/// Lists that only remember who was put on them, and by whom.
#[derive(Default)]
struct Lists(Mutex<Vec<(ListName, String, String)>>);

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

    fn page(&self, _: &ListName, _: Option<&str>, _: usize) -> Vec<(Box<str>, Held)> {
        Vec::new()
    }
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
