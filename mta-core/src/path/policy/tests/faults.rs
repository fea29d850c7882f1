//! Whatever a guest does wrong is contained, named in the log, and answered as the operator said.

use super::guests::{ACCEPT, ADD, ADD_HEADER, NEXT, SPIN, TRAP, guest, reject};
use super::stage::{ID, Stage, content, entry, envelope, hello, plugin, recipient};
use crate::base::flow::policy::{Asked, Disposition, Gate, Policy, Sending, Sendout, Submission};
use crate::base::mail::edits::Edits;
use crate::base::smtp::reply::Reply;
use crate::config::model::{EditGrant, OnFailure, Plugin};
use std::time::Duration;

/// What on-connect answers, and the kind of the fault.
async fn connect(plugin: Plugin, body: &str) -> (Gate, Option<String>) {
    let stage = Stage::new();
    stage.load(&[(plugin, guest(&[], &[("on-connect", body)]))]).await.expect("it loads");
    let gate = stage.session().gate(Asked::Connect).await;
    (gate, stage.events.faults().pop().map(|(kind, _)| kind))
}

fn tempfail(gate: &Gate) -> bool {
    matches!(gate, Gate::Tempfail(Reply { code: 451, status: Some(status), .. }) if status.to_string() == "4.3.0")
}

#[tokio::test]
async fn a_trap_is_contained() {
    let (gate, kind) = connect(plugin("trap"), TRAP).await;
    assert!(tempfail(&gate), "{gate:?}");
    assert_eq!(kind.as_deref(), Some("trap"));
}

#[tokio::test]
async fn a_stack_overflow_is_contained() {
    let (gate, kind) = connect(plugin("deep"), "(drop (call $deep (i64.const 0))) (i32.const 1024)").await;
    assert!(tempfail(&gate), "{gate:?}");
    assert_eq!(kind.as_deref(), Some("trap"));
}

#[tokio::test]
async fn an_endless_loop_spends_its_processor_time() {
    let mut spin = plugin("spin");
    spin.budget.cpu_envelope = Duration::from_millis(20);
    let (gate, kind) = connect(spin, SPIN).await;
    assert!(tempfail(&gate), "{gate:?}");
    assert_eq!(kind.as_deref(), Some("cpu"));
}

#[tokio::test]
async fn a_call_ends_when_its_wall_time_is_over() {
    let mut spin = plugin("spin");
    spin.budget.cpu_envelope = Duration::from_secs(600);
    spin.budget.wall = Duration::from_millis(50);
    let (gate, kind) = connect(spin, SPIN).await;
    assert!(tempfail(&gate), "{gate:?}");
    assert_eq!(kind.as_deref(), Some("wall"));
}

#[tokio::test]
async fn memory_is_limited() {
    let bomb = "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable";
    let (gate, kind) = connect(plugin("bomb"), bomb).await;
    assert!(tempfail(&gate), "{gate:?}");
    assert_eq!(kind.as_deref(), Some("memory"));
}

#[tokio::test]
async fn a_guest_may_say_that_it_cannot_decide() {
    // err(unavailable("X-One"))
    let fault = "(i32.store8 (i32.const 1024) (i32.const 1)) (i32.store offset=8 (i32.const 1024) (i32.const 16))
        (i32.store offset=12 (i32.const 1024) (i32.const 5)) (i32.const 1024)";
    let stage = Stage::new();
    stage.load(&[(plugin("sorry"), guest(&[], &[("on-connect", fault)]))]).await.expect("it loads");
    assert!(tempfail(&stage.session().gate(Asked::Connect).await));
    let event = stage.events.take("plugin-fault").pop().expect("it is logged");
    assert_eq!((&event["kind"], &event["why"]), (&"fault".into(), &"unavailable: X-One".into()));
    assert_eq!((&event["hook"], &event["session"]), (&"connect".into(), &"s1".into()));
}

#[tokio::test]
async fn a_code_must_fit_its_verdict() {
    let (gate, kind) = connect(plugin("odd"), &reject(250)).await;
    assert!(tempfail(&gate), "{gate:?}");
    assert_eq!(kind.as_deref(), Some("answer"));
    let (gate, kind) = connect(plugin("even"), &reject(554)).await;
    assert!(matches!(&gate, Gate::Reject(reply) if reply.to_string() == "554 5.7.1 X-One"), "{gate:?}");
    assert_eq!(kind, None);
}

#[tokio::test]
async fn the_operator_says_what_a_failure_means() {
    let stage = Stage::new();
    let octets = guest(&[], &[("on-connect", TRAP), ("on-rcpt", TRAP), ("on-data", TRAP), ("on-pre-send", TRAP)]);
    let mut trap = plugin("trap");
    trap.on_failure = OnFailure::Closed;
    trap.on_failure_by_hook.insert("on-connect".into(), OnFailure::Open);
    trap.on_failure_by_hook.insert("pre-send".into(), OnFailure::Tempfail);
    stage.load(&[(trap, octets)]).await.expect("it loads");

    let (envelope, content) = (envelope(&["a@example.net"]), content("A: b\r\n\r\n", ""));
    let mut session = stage.session();
    assert_eq!(session.gate(Asked::Connect).await, Gate::Next);
    let gate = session.gate(Asked::Rcpt { sender: None, to: &recipient("a@example.net") }).await;
    assert!(matches!(gate, Gate::Reject(Reply { code: 550, .. })), "{gate:?}");
    let verdict =
        session.data(Submission { id: ID, envelope: &envelope, content: &content, size_bytes_max: 1 << 20 }).await;
    assert!(matches!(verdict.disposition, Disposition::Reject(Reply { code: 550, .. })), "{verdict:?}");
    assert_eq!(verdict.plugin.as_deref(), Some("trap"));
    let entry = entry(&["a@example.net"]);
    let sendout =
        Sendout { entry: &entry, content: &content, recipient: 0, attempt: 1, site: "x", size_bytes_max: 1 << 20 };
    let verdict = stage.host.pre_send(sendout).await;
    assert!(matches!(verdict.sending, Sending::Fail(Reply { code: 451, .. })), "{verdict:?}");
    let answered: Vec<String> = stage.events.faults().into_iter().map(|(_, answered)| answered).collect();
    assert_eq!(answered, ["next", "550 5.3.0", "550 5.3.0", "451 4.3.0"]);
}

#[tokio::test]
async fn a_call_that_fails_leaves_no_edit_behind() {
    let stage = Stage::new();
    let mut first = plugin("first");
    first.edit = vec![EditGrant::Headers];
    first.on_failure = OnFailure::Open;
    let trapping = guest(&[ADD_HEADER], &[("on-data", &format!("{ADD} {TRAP}"))]);
    stage.load(&[(first, trapping), hello()]).await.expect("they load");
    let (envelope, content) = (envelope(&["a@example.net"]), content("Subject: x\r\n\r\n", ""));
    let verdict = stage
        .session()
        .data(Submission { id: ID, envelope: &envelope, content: &content, size_bytes_max: 1 << 20 })
        .await;
    let names: Vec<String> = verdict.edits.headers.iter().map(|edit| format!("{edit:?}")).collect();
    assert_eq!(names, [r#"Add { name: "X-Hello", value: "rcpts=0 subject=1" }"#]);
    assert_eq!(verdict.disposition, Disposition::Next);
}

#[tokio::test]
async fn an_instance_that_failed_is_not_asked_again() {
    // The second call finds a fresh instance: the global that the first one raised is 0 again.
    let once = "(if (i32.load8_u (i32.const 3000)) (then unreachable)) (i32.store8 (i32.const 3000) (i32.const 1))";
    let stage = Stage::new();
    let octets = guest(&[], &[("on-rcpt", &format!("{once} {TRAP}"))]);
    stage.load(&[(plugin("once"), octets)]).await.expect("it loads");
    let mut session = stage.session();
    for _ in 0..2 {
        assert!(tempfail(&session.gate(Asked::Rcpt { sender: None, to: &recipient("a@example.net") }).await));
    }
    let whys: Vec<String> = stage.events.take("plugin-fault").iter().map(|event| event["why"].to_string()).collect();
    assert_eq!(whys.len(), 2);
    assert_eq!(whys[0], whys[1]);
}

#[tokio::test]
async fn a_full_pool_makes_callers_wait_then_fails_them() {
    let stage = Stage::with_instances(1);
    let mut small = plugin("small");
    small.budget.wall = Duration::from_millis(50);
    stage.load(&[(small, guest(&[], &[("on-rcpt", ACCEPT)]))]).await.expect("it loads");
    let (mut one, mut other) = (stage.session(), stage.session());
    assert_eq!(one.gate(Asked::Rcpt { sender: None, to: &recipient("a@example.net") }).await, Gate::Accept);
    assert!(tempfail(&other.gate(Asked::Rcpt { sender: None, to: &recipient("a@example.net") }).await));
    assert_eq!(stage.events.faults(), [("pool".to_owned(), "451 4.3.0".to_owned())]);
    one.transaction_ended();
    assert_eq!(other.gate(Asked::Rcpt { sender: None, to: &recipient("a@example.net") }).await, Gate::Accept);
}

#[tokio::test]
async fn a_spinning_guest_lets_its_neighbours_run() {
    let stage = Stage::new();
    let spinning = (plugin("spin"), guest(&[], &[("on-connect", SPIN)]));
    let quick = (plugin("quick"), guest(&[], &[("on-rcpt", NEXT)]));
    stage.load(&[spinning, quick]).await.expect("they load");
    let order = std::sync::Mutex::new(Vec::new());
    let done = |who: &'static str| order.lock().expect("one thread").push(who);
    let (mut one, mut other) = (stage.session(), stage.session());
    let to = recipient("a@example.net");
    // One thread: without yields the neighbour would come second.
    tokio::join!(
        async {
            assert!(tempfail(&one.gate(Asked::Connect).await));
            done("spin");
        },
        async {
            assert_eq!(other.gate(Asked::Rcpt { sender: None, to: &to }).await, Gate::Next);
            done("quick");
        },
    );
    assert_eq!(*order.lock().expect("one thread"), ["quick", "spin"]);
}

#[tokio::test]
async fn edits_come_to_nothing_when_the_answer_breaks_the_contract() {
    let stage = Stage::new();
    let mut odd = plugin("odd");
    odd.edit = vec![EditGrant::Headers];
    let octets = guest(&[ADD_HEADER], &[("on-data", &format!("{ADD} {}", reject(250)))]);
    stage.load(&[(odd, octets)]).await.expect("it loads");
    let (envelope, content) = (envelope(&["a@example.net"]), content("A: b\r\n\r\n", ""));
    let verdict = stage
        .session()
        .data(Submission { id: ID, envelope: &envelope, content: &content, size_bytes_max: 1 << 20 })
        .await;
    assert_eq!(verdict.edits, Edits::default());
    assert_eq!(stage.events.faults(), [("answer".to_owned(), "451 4.3.0".to_owned())]);
}

#[tokio::test]
async fn one_that_fails_again_and_again_is_left_alone_and_others_are_asked() {
    let stage = Stage::new();
    let failing = Plugin { on_failure: OnFailure::Open, ..plugin("failing") };
    let plugins =
        [(failing, guest(&[], &[("on-connect", TRAP)])), (plugin("p"), guest(&[], &[("on-connect", ACCEPT)]))];
    stage.load(&plugins).await.expect("they load");
    for _ in 0..40 {
        assert_eq!(stage.session().gate(Asked::Connect).await, Gate::Accept);
    }
    let alone = stage.events.take("plugin-alone");
    assert_eq!(alone[0]["plugin"], "failing");
    assert_eq!(alone[0]["for_ms"], 1000);
    // On a slow machine a second may pass meanwhile, and one call tries.
    let faults = stage.events.faults().len();
    assert!((10..40).contains(&faults) && faults == 9 + alone.len(), "{faults} faults, {} times alone", alone.len());
}
