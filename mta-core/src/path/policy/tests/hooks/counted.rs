//! What is counted and logged of calls, and what plugins count themselves.

use super::super::guests::{ACCEPT, Import, NEXT, TRAP, guest, reject};
use super::super::stage::{ID, Stage, content, envelope, plugin, recipient};
use crate::base::flow::policy::{Asked, Submission};
use crate::base::world::metrics::{Measure, Value};
use crate::config::model::Plugin;

/// What was counted under a name: the values of the labels, and the count.
fn counted(stage: &Stage, name: &str) -> Vec<(Vec<String>, u64)> {
    let mut families = Vec::new();
    stage.host.measure(&mut families);
    let family = families.into_iter().find(|family| family.name == name).expect("there is such a family");
    let count = |value| match value {
        Value::Whole(count) => count,
        Value::Spread(spread) => spread.below.iter().map(|(_, count)| count).sum::<u64>() + spread.above,
        Value::Real(_) => 0,
    };
    let values = |labels: Vec<(_, String)>| labels.into_iter().map(|(_, value)| value).collect();
    family.samples.into_iter().map(|sample| (values(sample.labels), count(sample.value))).collect()
}

#[tokio::test]
async fn calls_are_counted_by_hook_tenant_and_verdict() {
    let stage = Stage::new();
    // One recipient's local part is "trap".
    let body = format!("(if (i32.eq (i32.load8_u (local.get 5)) (i32.const 0x74)) (then unreachable)) {}", reject(550));
    let hooks = [("on-rcpt", &*body), ("on-tick", ""), ("on-disconnect", TRAP)];
    stage.load(&[(plugin("p"), guest(&[], &hooks))]).await.expect("it loads");
    let mut session = stage.session();
    for (tenant, to) in [(None, "a@b.test"), (Some("t1"), "a@b.test"), (Some("t1"), "trap@b.test")] {
        session.belongs_to(tenant.map(Into::into).as_ref());
        session.gate(Asked::Rcpt { sender: None, to: &recipient(to) }).await;
    }
    session.disconnected();
    stage.host.told().await;
    let of = |labels: [&str; 4], count| (labels.map(str::to_owned).to_vec(), count);
    let wanted = [
        of(["p", "rcpt", "", "reject"], 1),
        of(["p", "rcpt", "t1", "reject"], 1),
        of(["p", "rcpt", "t1", "fault"], 1),
        of(["p", "disconnect", "t1", "fault"], 1),
    ];
    let mut found = counted(&stage, "mailwright_plugins_calls");
    found.sort_unstable();
    let mut wanted = wanted.to_vec();
    wanted.sort_unstable();
    assert_eq!(found, wanted);
    let times = counted(&stage, "mailwright_plugins_call_seconds");
    assert_eq!(
        times.iter().map(|(labels, count)| (&*labels[1], *count)).collect::<Vec<_>>(),
        [("rcpt", 3), ("disconnect", 1)]
    );
    let faults: Vec<_> =
        counted(&stage, "mailwright_plugins_faults").into_iter().map(|(labels, _)| labels[2].clone()).collect();
    assert_eq!(faults, ["trap", "trap"]);
    assert_eq!(counted(&stage, "mailwright_plugins_instances_in_use")[0].1, 0);
    assert_eq!(counted(&stage, "mailwright_plugins_memory_high_bytes")[0].1, 65_536);
    assert_eq!(counted(&stage, "mailwright_plugins_generation")[0].1, 1);
}

#[tokio::test]
async fn calls_are_logged_of_plugins_that_the_operator_names_alone() {
    let stage = Stage::new();
    let traced = Plugin { trace: true, ..plugin("traced") };
    let octets = || guest(&[], &[("on-connect", NEXT), ("on-data", ACCEPT)]);
    stage.load(&[(traced, octets()), (plugin("other"), octets())]).await.expect("they load");
    let mut session = stage.session();
    session.gate(Asked::Connect).await;
    let (envelope, content) = (envelope(&["a@b.test"]), content("", ""));
    session
        .data(Submission {
            id: ID,
            envelope: &envelope,
            content: &content,
            size_bytes_max: 1000,
            verified: None,
            is_ours: false,
        })
        .await;
    let called = stage.events.take("plugin-called");
    let words = |name: &str| called.iter().map(|event| event[name].to_string()).collect::<Vec<_>>();
    assert_eq!(words("plugin"), [r#""traced""#; 2]);
    assert_eq!(words("hook"), [r#""connect""#, r#""data""#]);
    assert_eq!(words("verdict"), [r#""next""#, r#""accept""#]);
    assert_eq!(words("session"), [r#""s1""#; 2]);
    assert_eq!(
        (called[0]["id"].is_null(), called[1]["id"].is_null(), words("generation")),
        (true, false, vec!["1".to_owned(); 2])
    );
    assert!(called.iter().all(|event| event["micros"].is_u64()));
}

const COUNT: Import = ("metrics", "add", "(param i32 i32 i32 i32 i64)");
const OBSERVE: Import = ("metrics", "observe", "(param i32 i32 i32 i32 f64)");

#[tokio::test]
async fn a_plugin_counts_things_of_its_own_over_a_reload() {
    let stage = Stage::new();
    // "X" is a name; "-One", behind it, is none.
    let body = format!(
        "(call $add (i32.const 16) (i32.const 1) (i32.const 0) (i32.const 0) (i64.const 3))
         (call $add (i32.const 17) (i32.const 4) (i32.const 0) (i32.const 0) (i64.const 3))
         (call $observe (i32.const 18) (i32.const 3) (i32.const 0) (i32.const 0) (f64.const 0.5)) {NEXT}"
    );
    let granted = || Plugin { allow: vec!["metrics".into()], ..plugin("my-p") };
    let octets = || guest(&[COUNT, OBSERVE], &[("on-connect", &body)]);
    for _ in 0..2 {
        stage.load(&[(granted(), octets())]).await.expect("it loads");
        stage.session().gate(Asked::Connect).await;
        stage.session().gate(Asked::Connect).await;
    }
    assert_eq!(counted(&stage, "mailwright_plugin_my_p_X"), [(vec!["my-p".to_owned()], 12)]);
    assert_eq!(counted(&stage, "mailwright_plugin_my_p_One"), [(vec!["my-p".to_owned()], 4)]);
    let dropped = counted(&stage, "mailwright_plugins_own_samples_dropped");
    assert_eq!(dropped, [(vec!["my-p".to_owned(), "name".to_owned()], 4)]);
    let said = stage.events.take("plugin-metric-dropped");
    assert_eq!(said.iter().map(|event| event["metric"].clone()).collect::<Vec<_>>(), ["-One"; 2], "once a load");
    let refused = stage.load(&[(plugin("my-p"), octets())]).await.expect_err("it is not granted");
    assert!(refused.to_string().contains("add \"metrics\" to its `allow`"), "{refused}");
}
