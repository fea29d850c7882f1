//! Whatever a guest does wrong is contained, named in the log, and answered as the operator said.

use super::guests::{
    ACCEPT, ADD, ADD_HEADER, CLOCK, Import, LOG, NEXT, SPIN, TRAP, guest, guest_with, guest_with_both, reject,
};
use super::stage::{Stage, content, ended, entry, envelope, hello, plugin, recipient, submission};
use crate::base::flow::entry::{LastFailure, Progress};
use crate::base::flow::policy::{Asked, Disposition, Gate, Hook, Outcome, Policy, Sending, Sendout};
use crate::base::mail::content::{Body, Content};
use crate::base::mail::edits::Edits;
use crate::base::smtp::reply::Reply;
use crate::base::smtp::status::EnhancedStatus;
use crate::config::model::{EditGrant, OnFailure, Plugin};
use bytes::Bytes;
use std::sync::Arc;
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
    let verdict = session.data(submission(&envelope, &content)).await;
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
    let verdict = stage.session().data(submission(&envelope, &content)).await;
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
async fn a_plugin_that_uses_up_its_own_instances_leaves_the_others_theirs() {
    let stage = Stage::new();
    let few = |name: &str| {
        let mut few = plugin(name);
        few.budget.instances_max = 1;
        few.budget.wall = Duration::from_millis(50);
        (few, guest(&[], &[("on-rcpt", NEXT)]))
    };
    stage.load(&[few("first"), few("second")]).await.expect("they load");
    let to = recipient("a@example.net");
    let (mut one, mut other) = (stage.session(), stage.session());
    assert_eq!(one.gate(Asked::Rcpt { sender: None, to: &to }).await, Gate::Next);
    assert!(tempfail(&other.gate(Asked::Rcpt { sender: None, to: &to }).await));
    assert_eq!(stage.events.faults(), [("pool".to_owned(), "451 4.3.0".to_owned())], "of the first alone");
    one.transaction_ended();
    assert_eq!(other.gate(Asked::Rcpt { sender: None, to: &to }).await, Gate::Next);
}

#[tokio::test]
async fn a_tenant_that_uses_up_its_share_leaves_the_others_theirs() {
    let stage = Stage::with_instances_of_each_tenant(1);
    let mut patient = plugin("patient");
    patient.budget.wall = Duration::from_millis(50);
    stage.load(&[(patient, guest(&[], &[("on-rcpt", ACCEPT)]))]).await.expect("it loads");
    let to = recipient("a@example.net");
    let of = |tenant: Option<&str>| {
        let mut session = stage.session();
        session.belongs_to(tenant.map(Arc::from).as_ref());
        session
    };
    let (mut busy, mut late, mut neighbour, mut nobodys) = (of(Some("a")), of(Some("a")), of(Some("b")), of(None));
    assert_eq!(busy.gate(Asked::Rcpt { sender: None, to: &to }).await, Gate::Accept);
    assert!(tempfail(&late.gate(Asked::Rcpt { sender: None, to: &to }).await));
    assert_eq!(neighbour.gate(Asked::Rcpt { sender: None, to: &to }).await, Gate::Accept);
    assert_eq!(nobodys.gate(Asked::Rcpt { sender: None, to: &to }).await, Gate::Accept);
    busy.transaction_ended();
    assert_eq!(late.gate(Asked::Rcpt { sender: None, to: &to }).await, Gate::Accept);
}

#[tokio::test]
async fn a_spinning_guest_lets_its_neighbours_run() {
    let stage = Stage::new();
    let spinning = (plugin("spin"), guest(&[], &[("on-connect", SPIN)]));
    let quick = (plugin("quick"), guest(&[], &[("on-rcpt", NEXT)]));
    stage.load(&[spinning, quick]).await.expect("they load");
    let order = std::sync::Mutex::new(Vec::new());
    let done = |who: &'static str| order.lock().expect("one thread").push(who);
    // Nobody knows yet that it lasts.
    assert!(tempfail(&stage.session().gate(Asked::Connect).await));
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
    let verdict = stage.session().data(submission(&envelope, &content)).await;
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

/// What on-connect of such a hostile guest answers, and the kind of its fault; a well-meaning one is asked after it.
async fn hostile(imports: &[Import], parts: &str, body: &str) -> (Gate, String) {
    let stage = Stage::new();
    let allow = ["log", "clock"].map(Into::into).into();
    let guests = [
        (Plugin { allow, ..plugin("hostile") }, guest_with_both(imports, parts, &[("on-connect", body)])),
        (plugin("well"), guest(&[], &[("on-rcpt", ACCEPT)])),
    ];
    stage.load(&guests).await.expect("they load");
    let mut session = stage.session();
    let gate = session.gate(Asked::Connect).await;
    let to = recipient("a@example.net");
    assert_eq!(session.gate(Asked::Rcpt { sender: None, to: &to }).await, Gate::Accept, "the others go on");
    let kind = stage.events.faults().pop().map(|(kind, _)| kind);
    (gate, kind.unwrap_or_default())
}

/// `reject` with a text of that length somewhere in memory.
fn reject_with(length: u32) -> String {
    format!("{} (drop) (i32.store offset=24 (i32.const 1024) (i32.const {length})) (i32.const 1024)", reject(550))
}

#[tokio::test]
async fn a_text_beyond_the_memory_or_beyond_all_measure_is_not_taken() {
    let beyond = reject_with(u32::MAX);
    let grown = format!("(drop (memory.grow (i32.const 64))) {}", reject_with(3 << 20));
    for body in [beyond, grown] {
        let (gate, kind) = hostile(&[], "", &body).await;
        assert!(tempfail(&gate) && kind == "trap", "{gate:?} {kind}");
    }
    let write = "(drop (memory.grow (i32.const 64)))
        (call $write (i32.const 2) (i32.const 16) (i32.const 3145728) (i32.const 0) (i32.const 0))";
    let (gate, kind) = hostile(&[LOG], "", &format!("{write} {NEXT}")).await;
    assert!(tempfail(&gate) && kind == "trap", "{gate:?} {kind}");
}

#[tokio::test]
async fn a_list_of_four_billion_fields_is_not_taken() {
    let write = "(call $write (i32.const 2) (i32.const 16) (i32.const 5) (i32.const 0) (i32.const -1))";
    let (gate, kind) = hostile(&[LOG], "", &format!("{write} {NEXT}")).await;
    assert!(tempfail(&gate) && kind == "trap", "{gate:?} {kind}");
}

#[tokio::test]
async fn a_flood_of_calls_spends_the_guests_own_time() {
    let flood = "(loop $again (drop (call $now-ms)) (br $again)) unreachable";
    let (gate, kind) = hostile(&[CLOCK], "", flood).await;
    assert!(tempfail(&gate) && kind == "cpu", "{gate:?} {kind}");
}

#[tokio::test]
async fn a_guest_can_not_call_back_while_it_is_not_its_turn() {
    // When its answer is taken away again it has no more say.
    let parts =
        r#"(func (export "cabi_post_mailwright:plugin/on-connect@0.1.0#handle") (param i32) (drop (call $now-ms)))"#;
    let (gate, kind) = hostile(&[CLOCK], parts, NEXT).await;
    assert!(tempfail(&gate) && kind == "trap", "{gate:?} {kind}");
}

#[tokio::test]
async fn handles_of_a_guests_own_are_bounded() {
    let leak = r#"(component
        (type $r (resource (rep i32)))
        (core func $new (canon resource.new $r))
        (core module $m
            (import "" "new" (func $new (param i32) (result i32)))
            (func (export "handle") (local $i i32)
                (loop $again
                    (drop (call $new (i32.const 1)))
                    (local.set $i (i32.add (local.get $i) (i32.const 1)))
                    (br_if $again (i32.lt_u (local.get $i) (i32.const 100))))))
        (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
        (func $handle (canon lift (core func $i "handle")))
        (instance $hook (export "handle" (func $handle)))
        (export "mailwright:plugin/on-disconnect@0.1.0" (instance $hook)))"#;
    let stage = Stage::new();
    let leak = wat::parse_str(leak).expect("the text is WebAssembly");
    stage.load(&[(plugin("leak"), leak.into())]).await.expect("it loads");
    stage.session().disconnected();
    stage.host.told().await;
    let faults = stage.events.take("plugin-fault");
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0]["kind"], "trap", "{}", faults[0]["why"]);
}

#[tokio::test]
async fn a_trap_in_any_hook_is_answered_as_configured_and_told_by_its_name() {
    let stage = Stage::new();
    let hooks: Vec<String> = Hook::ALL.map(|hook| format!("on-{}", hook.name())).into();
    let bodies: Vec<(&str, &str)> = hooks.iter().map(|hook| (&**hook, TRAP)).collect();
    let open = Plugin { on_failure: OnFailure::Open, allow: vec!["passwords".into()], ..plugin("p") };
    stage.load(&[(open, guest(&[], &bodies))]).await.expect("it loads");
    let (to, envelope) = (recipient("a@example.net"), envelope(&["a@example.net"]));
    let content = content("Subject: x\r\n\r\n", "text\r\n");
    let mut session = stage.session();
    let asked = [
        Asked::Connect,
        Asked::Helo("c.example"),
        Asked::Auth { mechanism: "PLAIN", user: "ann", succeeded: true },
        Asked::Mail { envelope: &envelope, size_bytes: None },
        Asked::Rcpt { sender: None, to: &to },
    ];
    for asked in asked {
        assert_eq!(session.gate(asked).await, Gate::Next, "{asked:?}");
    }
    let submission = submission(&envelope, &content);
    let verdict = session.data(submission).await;
    assert_eq!(verdict.disposition, Disposition::Next);
    session.disconnected();
    let entry = entry(&["a@example.net"]);
    let sendout =
        Sendout { entry: &entry, content: &content, recipient: 0, attempt: 1, site: "x", size_bytes_max: 1 << 20 };
    assert_eq!(stage.host.pre_send(sendout).await.sending, Sending::Next);
    stage.host.outcome(&ended(entry, Outcome::Expired));
    stage.host.told().await;
    let faults = stage.events.take("plugin-fault");
    let mut told: Vec<&str> = faults.iter().filter_map(|fault| fault["hook"].as_str()).collect();
    told.sort_unstable();
    // Ten faults in a row would open the breaker; the tick, requests and passwords have tests of their own.
    assert_eq!(told, ["auth", "connect", "data", "disconnect", "helo", "mail", "outcome", "pre-send", "rcpt"]);
}

/// What is made of an attempt of a message whose last one was answered so.
async fn attempted(stage: &Stage, last: Option<Reply>) -> Sending {
    let mut entry = entry(&["a@example.net"]);
    let last = last.map(|reply| Box::new(LastFailure { at: entry.accepted, reply, remote: None }));
    entry.progress = vec![Progress::Pending { attempts: 1, due: entry.accepted, last, delay_told: false }];
    let content = content("A: b\r\n\r\n", "");
    let sendout =
        Sendout { entry: &entry, content: &content, recipient: 0, attempt: 1, site: "x", size_bytes_max: 1 << 20 };
    stage.host.pre_send(sendout).await.sending
}

#[tokio::test]
async fn a_message_whose_every_attempt_faults_a_plugin_is_held() {
    let stage = Stage::new();
    stage.load(&[(plugin("trap"), guest(&[], &[("on-pre-send", TRAP)]))]).await.expect("it loads");
    let mut last = Some(Reply::new(450, EnhancedStatus::new(4, 2, 0), "busy"));
    for faults in ["1 in a row", "2 in a row"] {
        let Sending::Fail(reply) = attempted(&stage, last).await else { panic!("it is tried again") };
        assert!(reply.text.contains(faults) && !reply.is_permanent(), "{reply}");
        assert_eq!(stage.events.take("plugin-poison").len(), 0);
        last = Some(reply);
    }
    let Sending::Hold(reason) = attempted(&stage, last).await else { panic!("it is held") };
    let wanted =
        "plugin trap failed at pre-send 3 times in a row (trap: wasm trap: wasm `unreachable` instruction executed";
    assert!(reason.starts_with(wanted), "{reason}");
    let event = stage.events.take("plugin-poison").pop().expect("it is told");
    assert_eq!((&event["plugin"], &event["faults"], &event["held"]), (&"trap".into(), &3.into(), &true.into()));
}

#[tokio::test]
async fn nothing_is_held_where_a_fault_means_something_else_or_the_plugin_fails_for_all() {
    let before = crate::sandbox::fault::poison::reply("trap", crate::sandbox::fault::Kind::Trap, 2);
    let stage = Stage::new();
    let mut open = plugin("trap");
    open.on_failure = OnFailure::Open;
    let octets = guest(&[], &[("on-pre-send", TRAP)]);
    stage.load(&[(open, octets.clone())]).await.expect("it loads");
    assert_eq!(attempted(&stage, Some(before.clone())).await, Sending::Next);
    let stage = Stage::new();
    stage.load(&[(plugin("trap"), octets)]).await.expect("it loads");
    for _ in 0..10 {
        let _ = attempted(&stage, None).await;
    }
    // It is left alone: neither an attempt that is not asked nor one that tries says something of the message.
    let Sending::Fail(reply) = attempted(&stage, Some(before.clone())).await else { panic!("it waits") };
    assert!(reply.text.contains("trap: breaker, 2 in a row"), "{reply}");
    loop {
        let Sending::Fail(reply) = attempted(&stage, Some(before.clone())).await else { panic!("it waits") };
        if reply.text.contains("trap: trap") {
            assert!(reply.text.contains("trap: trap, 2 in a row"), "{reply}");
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(stage.events.take("plugin-poison").len(), 0);
}

#[tokio::test]
async fn a_message_that_comes_again_and_again_and_faults_a_plugin_is_told_once() {
    let stage = Stage::new();
    stage.load(&[(plugin("trap"), guest(&[], &[("on-data", TRAP)]))]).await.expect("it loads");
    let envelope = envelope(&["a@example.net"]);
    for message_id in ["<1@x>", "<2@x>", "<1@x>", "<1@x>", "<1@x>"] {
        let head = format!("Message-ID: {message_id}\r\n\r\n");
        let content = Content { head: head.into(), body: Body::Memory(Bytes::new()) };
        let submission = submission(&envelope, &content);
        let _ = stage.session().data(submission).await;
    }
    let told = stage.events.take("plugin-poison");
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0]["hook"], &told[0]["faults"], &told[0]["held"]), (&"data".into(), &3.into(), &false.into()));
}

#[tokio::test]
async fn a_fault_is_told_with_its_version_and_the_functions_of_the_source() {
    let stage = Stage::new();
    let parts = "(func $_ZN4grey5check17h0123456789abcdefE unreachable)";
    let octets = guest_with(parts, &[("on-connect", "(call $_ZN4grey5check17h0123456789abcdefE) (i32.const 1024)")]);
    stage.load(&[(plugin("grey"), octets)]).await.expect("it loads");
    let _ = stage.session().gate(Asked::Connect).await;
    let loaded = stage.events.take("plugin-loaded").pop().expect("it is loaded");
    let event = stage.events.take("plugin-fault").pop().expect("it is told");
    assert!(event["frames"].as_str().is_some_and(|frames| frames.starts_with("grey::check")), "{event}");
    let sum = event["sha256"].as_str().expect("a text");
    assert!(sum.len() == 12 && loaded["sha256"].as_str().is_some_and(|whole| whole.starts_with(sum)), "{event}");
    assert_eq!((&event["generation"], &event["session"]), (&1.into(), &"s1".into()));
}
