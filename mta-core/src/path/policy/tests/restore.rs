//! Each transaction finds its plugin as `configure` left it, though instances are used again.

use super::guests::{ACCEPT, LOG, NEXT, TRAP, expect_octet, guest, guest_with};
use super::stage::{Stage, plugin, recipient};
use crate::base::flow::policy::{Asked, Gate};

/// Loads one guest and asks its `on-rcpt` once in each of some transactions.
async fn transactions(stage: &Stage, rounds: usize) -> Vec<Gate> {
    let mut session = stage.session();
    let mut gates = Vec::new();
    for _ in 0..rounds {
        gates.push(session.gate(Asked::Rcpt { sender: None, to: &recipient("a@example.net") }).await);
        session.transaction_ended();
    }
    gates
}

async fn stage(octets: bytes::Bytes) -> (Stage, String) {
    let stage = Stage::new();
    let granted = crate::config::model::Plugin { allow: vec!["log".into()], ..plugin("p") };
    stage.load(&[(granted, octets)]).await.expect("it loads");
    let loaded = stage.events.take("plugin-loaded");
    let instances = loaded[0]["instances"].as_str().expect("a text").to_owned();
    (stage, instances)
}

#[tokio::test]
async fn memory_and_globals_are_as_new_for_each_transaction() {
    // The arguments of on-rcpt lie behind 8192, where $next begins.
    let body = format!(
        "{} (i32.store8 (i32.const 4000) (i32.const 1)) (i32.store8 (i32.const 16) (i32.const 1))
         (if (i32.gt_u (global.get $next) (i32.const 9000)) (then unreachable))
         (global.set $next (i32.const 20000)) {NEXT}",
        expect_octet(4000, 0)
    );
    let (stage, instances) = stage(guest(&[], &[("on-rcpt", &body)])).await;
    assert_eq!(instances, "restored");
    assert_eq!(transactions(&stage, 5).await, vec![Gate::Next; 5]);
    assert_eq!(stage.host.resting(), 1, "one instance served them all");

    // Within one transaction the guest does see what it left.
    let mut session = stage.session();
    assert_eq!(session.gate(Asked::Rcpt { sender: None, to: &recipient("a@example.net") }).await, Gate::Next);
    assert!(matches!(
        session.gate(Asked::Rcpt { sender: None, to: &recipient("b@example.net") }).await,
        Gate::Tempfail(_)
    ));
    assert_eq!(stage.events.faults().len(), 1);
    drop(session);
    assert_eq!(stage.host.resting(), 0, "an instance that trapped is not kept");
}

#[tokio::test]
async fn data_is_put_back() {
    // "X-One" lies at 16.
    let body = format!("{} (i32.store8 (i32.const 16) (i32.const 0)) {NEXT}", expect_octet(16, b'X'));
    let (stage, _) = stage(guest(&[], &[("on-rcpt", &body)])).await;
    assert_eq!(transactions(&stage, 3).await, vec![Gate::Next; 3]);
}

#[tokio::test]
async fn an_instance_that_grew_its_memory_is_not_used_again() {
    let body = format!(
        "(if (i32.ne (memory.size) (i32.const 1)) (then unreachable))
         (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable)) {NEXT}"
    );
    let (stage, instances) = stage(guest(&[], &[("on-rcpt", &body)])).await;
    assert_eq!(instances, "restored");
    assert_eq!(transactions(&stage, 3).await, vec![Gate::Next; 3]);
}

/// Called when the answer of `on-connect` was read; it leaves a trace of its own.
const CLEAN_UP: &str = r#"(func (export "cabi_post_mailwright:plugin/on-connect@0.1.0#handle") (param i32)
    (i32.store8 (i32.const 4001) (i32.const 1)))"#;

async fn connections(stage: &Stage, rounds: usize) -> Vec<Gate> {
    let mut gates = Vec::new();
    for _ in 0..rounds {
        gates.push(stage.session().gate(Asked::Connect).await);
    }
    gates
}

#[tokio::test]
async fn a_hook_that_no_other_follows_leaves_its_instance_restored() {
    let body = format!(
        "{} {} (i32.store8 (i32.const 4000) (i32.const 1)) {NEXT}",
        expect_octet(4000, 0),
        expect_octet(4001, 0)
    );
    let (stage, instances) = stage(guest_with(CLEAN_UP, &[("on-connect", &body)])).await;
    assert_eq!(instances, "restored");
    assert_eq!(connections(&stage, 5).await, vec![Gate::Next; 5]);
    assert_eq!(stage.host.resting(), 1, "one instance served them all");
}

#[tokio::test]
async fn one_that_grew_in_such_a_hook_is_not_used_again() {
    let body = format!(
        "(if (i32.ne (memory.size) (i32.const 1)) (then unreachable))
         (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable)) {NEXT}"
    );
    let (stage, _) = stage(guest_with(CLEAN_UP, &[("on-connect", &body)])).await;
    assert_eq!(connections(&stage, 3).await, vec![Gate::Next; 3]);
    assert_eq!(stage.host.resting(), 0);
}

#[tokio::test]
async fn sessions_at_the_same_time_have_instances_of_their_own() {
    let body = format!("{} (i32.store8 (i32.const 4000) (i32.const 1)) {NEXT}", expect_octet(4000, 0));
    let (stage, _) = stage(guest(&[], &[("on-rcpt", &body)])).await;
    let mut sessions: Vec<_> = (0..8).map(|_| stage.session()).collect();
    for session in &mut sessions {
        assert_eq!(session.gate(Asked::Rcpt { sender: None, to: &recipient("a@example.net") }).await, Gate::Next);
    }
    drop(sessions);
    assert_eq!(stage.host.resting(), 8);
    assert_eq!(transactions(&stage, 8).await, vec![Gate::Next; 8]);
}

#[tokio::test]
async fn configure_runs_once_for_all_transactions() {
    // It logs, and leaves a mark that on-rcpt wants to see.
    let configure = "(call $write (i32.const 2) (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 0))
        (i32.store8 (i32.const 4000) (i32.const 7)) (i32.const 1024)";
    let body = format!("{} (i32.store8 (i32.const 4000) (i32.const 8)) {NEXT}", expect_octet(4000, 7));
    let octets = guest(&[LOG], &[("lifecycle", configure), ("on-rcpt", &body)]);
    let (stage, instances) = stage(octets).await;
    assert_eq!(instances, "restored");
    assert_eq!(transactions(&stage, 4).await, vec![Gate::Next; 4]);
    assert_eq!(stage.events.take("plugin-log").len(), 1);
}

#[tokio::test]
async fn a_guest_that_changes_its_tables_is_made_anew() {
    // No image can hold a table, so each instance is fresh and configured.
    let parts = r#"(table 1 funcref) (func $grows (drop (table.grow 0 (ref.null func) (i32.const 1))))"#;
    let body = format!("{} (i32.store8 (i32.const 4000) (i32.const 1)) (call $grows) {NEXT}", expect_octet(4000, 0));
    let (stage, instances) = stage(guest_with(parts, &[("on-rcpt", &body)])).await;
    assert_eq!(instances, "made anew: unsupported `table.grow` instruction");
    assert_eq!(transactions(&stage, 3).await, vec![Gate::Next; 3]);
    assert_eq!(stage.host.resting(), 0);
}

#[tokio::test]
async fn a_guest_with_a_large_memory_begins_with_the_image() {
    let configure = "(i32.store8 (i32.const 4000) (i32.const 7)) (drop (memory.grow (i32.const 31))) (i32.const 1024)";
    let body = format!(
        "{} (i32.store8 (i32.const 4000) (i32.const 8)) (if (i32.ne (memory.size) (i32.const 32)) (then unreachable)) {NEXT}",
        expect_octet(4000, 7)
    );
    let (stage, instances) = stage(guest(&[], &[("lifecycle", configure), ("on-rcpt", &body)])).await;
    assert_eq!(instances, "made anew: a module has a memory that is cheaper made anew than cleared");
    assert_eq!(transactions(&stage, 3).await, vec![Gate::Next; 3]);
}

#[tokio::test]
async fn a_new_generation_does_not_use_instances_of_the_old_one() {
    let (stage, _) = stage(guest(&[], &[("on-rcpt", NEXT)])).await;
    assert_eq!(transactions(&stage, 1).await, [Gate::Next]);
    assert_eq!(stage.host.resting(), 1);
    stage.load(&[(plugin("p"), guest(&[], &[("on-rcpt", ACCEPT)]))]).await.expect("it loads");
    assert_eq!(transactions(&stage, 2).await, [Gate::Accept, Gate::Accept]);
    let refused = stage.load(&[(plugin("p"), guest(&[], &[("lifecycle", TRAP), ("on-rcpt", NEXT)]))]).await;
    assert!(refused.is_err(), "configure traps");
    assert_eq!(transactions(&stage, 1).await, [Gate::Accept]);
}

#[tokio::test]
async fn the_generation_before_comes_back_in_one_step() {
    let stage = Stage::new();
    assert!(stage.host.roll_back().is_err(), "nothing was loaded");
    stage.load(&[(plugin("p"), guest(&[], &[("on-rcpt", NEXT)]))]).await.expect("it loads");
    assert!(stage.host.roll_back().expect_err("loaded once").contains("there is no generation before"));
    assert_eq!(transactions(&stage, 1).await, [Gate::Next]);
    stage.load(&[(plugin("p"), guest(&[], &[("on-rcpt", ACCEPT)]))]).await.expect("it loads");
    assert_eq!(stage.host.resting(), 0, "what does not serve keeps no instances");
    assert_eq!(transactions(&stage, 1).await, [Gate::Accept]);

    let serving = stage.host.roll_back().expect("there is one");
    assert_eq!((serving.generation, serving.previous), (1, Some(2)));
    assert_eq!(transactions(&stage, 2).await, [Gate::Next, Gate::Next]);
    assert_eq!(stage.host.resting(), 1);
    let told = stage.events.take("plugins-rolled-back");
    assert_eq!((&told[0]["generation"], &told[0]["from"]), (&1.into(), &2.into()));
    assert_eq!(stage.host.roll_back().expect("the way there is the way back").generation, 2);
    assert_eq!(transactions(&stage, 1).await, [Gate::Accept]);

    // The number of a generation is never another's.
    stage.host.roll_back().expect("there is one");
    stage.load(&[(plugin("p"), guest(&[], &[("on-connect", NEXT), ("on-rcpt", NEXT)]))]).await.expect("it loads");
    let serving = stage.host.serving();
    assert_eq!((serving.generation, serving.previous), (3, Some(1)));
    let hooks: Vec<_> = serving.plugins[0].hooks.iter().map(|hook| (hook.hook.as_str(), hook.place)).collect();
    assert_eq!(hooks, [("connect", 1), ("rcpt", 1)]);
}
