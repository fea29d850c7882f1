//! Whose mail a request is about: the plugin says so, among the tenants that it is for, and nowhere else than there.

use super::super::guests::{ACCEPT, Import, expect_error, expect_octet, guest_saying};
use super::super::stage::{Stage, plugin};
use crate::base::flow::policy::public::{PublicAnswer, PublicRequest};
use crate::base::flow::policy::{Asked, Gate, Policy};
use crate::config::model::Plugin;

const ACT_FOR: Import = ("tenants", "act-for", "(param i32 i32 i32 i32)");
const INCR: Import = ("kv", "incr", "(param i32 i32 i32 i32 i64 i32 i64 i32)");

/// What is at 64: two tenants' names, and those of a bucket and a key.
const TEXT: &str = "acmebetabk";

const ACME: &str = "(call $act-for (i32.const 1) (i32.const 64) (i32.const 4) (i32.const 2048))";
const BETA: &str = "(call $act-for (i32.const 1) (i32.const 68) (i32.const 4) (i32.const 2048))";
const NOBODY: &str = "(call $act-for (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 2048))";
const NOT_HERE: u8 = 0;
const NO_SUCH_TENANT: u8 = 1;

/// Counts in the bucket of whom it acts for, and expects to be the first there, second, and so on.
fn counts(sum: u8) -> String {
    let call = "(call $incr (i32.const 72) (i32.const 1) (i32.const 73) (i32.const 1) (i64.const 1)
        (i32.const 0) (i64.const 0) (i32.const 2048))";
    format!("{call} {} {}", expect_octet(2048, 0), expect_octet(2056, sum))
}

fn done() -> String {
    expect_octet(2048, 0)
}

fn request() -> PublicRequest {
    PublicRequest {
        plugin: "p".into(),
        method: "GET".into(),
        path: "/".into(),
        query: "".into(),
        fields: Vec::new(),
        body: Default::default(),
        peer: "192.0.2.7".parse().expect("a literal"),
    }
}

/// What becomes of such a request, where the configuration has those two tenants.
async fn requested(plugin: Plugin, body: &str) -> PublicAnswer {
    let mut stage = Stage::new();
    stage.supplies.tenants = vec!["acme".into(), "beta".into()];
    let body = format!("{body} (i32.store16 (i32.const 1028) (i32.const 204)) (i32.const 1024)");
    let octets = guest_saying(&[ACT_FOR, INCR], TEXT, &[("on-http", &body)]);
    stage.load(&[(plugin, octets)]).await.expect("it loads");
    stage.host.http(request()).await
}

fn allowed() -> Plugin {
    Plugin { allow: vec!["tenants".into(), "kv:b".into()], ..plugin("p") }
}

fn is_answered(answer: &PublicAnswer) -> bool {
    matches!(answer, PublicAnswer::Answered(said) if said.status == 204)
}

#[tokio::test]
async fn each_tenant_has_a_bucket_of_its_own_also_at_a_request() {
    let body = [
        counts(1),
        [ACME, &done(), &counts(1)].concat(),
        [BETA, &done(), &counts(1), &counts(2)].concat(),
        [ACME, &done(), &counts(2)].concat(),
        [NOBODY, &done(), &counts(2)].concat(),
    ];
    assert!(is_answered(&requested(allowed(), &body.concat()).await));
}

#[tokio::test]
async fn it_acts_for_those_alone_whose_plugin_it_is() {
    let refused = |call: &str| [call, &expect_error(NO_SUCH_TENANT)].concat();
    let of_acme = Plugin { tenants: vec!["acme".into()], ..allowed() };
    let body = [refused(BETA), refused(NOBODY), [ACME, &done(), &counts(1)].concat()].concat();
    assert!(is_answered(&requested(of_acme, &body).await));
    let unknown = "(call $act-for (i32.const 1) (i32.const 65) (i32.const 4) (i32.const 2048))";
    assert!(is_answered(&requested(allowed(), &refused(unknown)).await));
    // The test can fail: what is not refused traps.
    assert!(!is_answered(&requested(allowed(), &refused(BETA)).await));
}

#[tokio::test]
async fn where_mail_says_whose_it_is_the_plugin_does_not() {
    let mut stage = Stage::new();
    stage.supplies.tenants = vec!["acme".into()];
    let body = format!("{ACME} {} {ACCEPT}", expect_error(NOT_HERE));
    let octets = guest_saying(&[ACT_FOR], TEXT, &[("on-connect", &body)]);
    stage.load(&[(allowed(), octets.clone())]).await.expect("it loads");
    assert_eq!(stage.session().gate(Asked::Connect).await, Gate::Accept, "{:?}", stage.events.faults());
    let refused = stage.load(&[(plugin("p"), octets)]).await.expect_err("it is not granted");
    assert!(refused.to_string().contains("add \"tenants\" to its `allow`"), "{refused}");
}
