//! `on-password`: who is asked, what it may answer, and that no password stays or is shown anywhere (RFC 4954 4).

use super::super::guests::{ACCEPT, GET_NOTE, Import, LOG, SESSION, SPIN, TRAP, expect_error, expect_octet, guest};
use super::super::stage::{Stage, plugin};
use super::{expect_first, expect_word};
use crate::base::flow::policy::password::{Account, PasswordAnswer, PasswordQuestion};
use crate::base::flow::policy::{Asked, Gate, Hook, Policy, SessionInfo};
use crate::base::sasl::Hidden;
use crate::base::sasl::sender::SenderPattern;
use crate::base::world::metrics::Measure;
use crate::config::model::{Mode, OnFailure, Plugin};
use futures_util::FutureExt;

const SECRET: &str = "hunter2 of ann";

/// `no`.
const NO: &str = "(i32.store8 offset=4 (i32.const 1024) (i32.const 1)) (i32.const 1024)";
/// `yes`, of the tenant "X-One", which may send as "1".
const YES: &str = "
    (i32.store8 offset=4 (i32.const 1024) (i32.const 2)) (i32.store8 offset=8 (i32.const 1024) (i32.const 1))
    (i32.store offset=12 (i32.const 1024) (i32.const 16)) (i32.store offset=16 (i32.const 1024) (i32.const 5))
    (i32.store offset=20 (i32.const 1024) (i32.const 3000)) (i32.store offset=24 (i32.const 1024) (i32.const 1))
    (i32.store (i32.const 3000) (i32.const 32)) (i32.store (i32.const 3004) (i32.const 1)) (i32.const 1024)";
/// A fault whose words are the password.
const BLABS: &str = "
    (i32.store8 (i32.const 1024) (i32.const 1)) (i32.store offset=8 (i32.const 1024) (local.get 4))
    (i32.store offset=12 (i32.const 1024) (local.get 5)) (i32.const 1024)";

fn granted(name: &str) -> Plugin {
    Plugin { allow: vec!["passwords".into()], ..plugin(name) }
}

fn question(name: &str) -> PasswordQuestion {
    let peer = "192.0.2.7:4711".parse().expect("a literal");
    let session = SessionInfo {
        id: "s1".into(),
        listener: "mx".into(),
        peer,
        helo: Some("c.example".into()),
        tls: None,
        user: None,
    };
    PasswordQuestion {
        plugin: name.into(),
        session,
        tenant: Some("acme".into()),
        mechanism: "PLAIN",
        user: "ann@example.org".into(),
        password: Hidden::new(SECRET),
    }
}

#[tokio::test]
async fn a_plugin_is_shown_a_password_once_and_its_instance_ends_rfc4954_4() {
    let stage = Stage::new();
    // The mechanism, the user and the password; a session without notes; and nothing is left of the call before.
    let told = [
        expect_word(1, 5),
        expect_first(0, b'P'),
        expect_word(3, 15),
        expect_first(2, b'a'),
        expect_word(5, 14),
        expect_first(4, b'h'),
        expect_octet(4000, 0),
        "(i32.store8 (i32.const 4000) (i32.const 1))".to_owned(),
        "(call $current (i32.const 2048))".to_owned(),
        expect_octet(2048, 0),
        "(call $get-note (i32.const 16) (i32.const 5) (i32.const 2048))".to_owned(),
        expect_error(0),
    ];
    let body = format!("{} {NO}", told.concat());
    let octets = guest(&[SESSION, GET_NOTE], &[("on-password", &body), ("on-connect", ACCEPT)]);
    stage.load(&[(granted("p"), octets)]).await.expect("it loads");
    assert_eq!(stage.session().gate(Asked::Connect).await, Gate::Accept);
    assert_eq!(stage.host.resting(), 1, "an instance of another hook rests");
    for _ in 0..3 {
        assert_eq!(stage.host.password(question("p")).await, PasswordAnswer::No, "{:?}", stage.events.faults());
        assert_eq!(stage.host.resting(), 0, "the password is in its memory");
    }
    assert_eq!(stage.events.faults(), []);
}

#[tokio::test]
async fn it_says_who_the_user_is_or_that_others_may_know() {
    let stage = Stage::new();
    let elsewhere = Plugin { listeners: vec!["other".into()], ..granted("elsewhere") };
    let of_another = Plugin { tenants: vec!["globex".into()], ..granted("of-another") };
    let unasked = Plugin { hooks: vec![Hook::Connect], ..granted("unasked") };
    let no = || guest(&[], &[("on-password", NO), ("on-connect", ACCEPT)]);
    let loaded = [
        (granted("yes"), guest(&[], &[("on-password", YES)])),
        (granted("next"), guest(&[], &[("on-password", "(i32.const 1024)")])),
        (elsewhere, no()),
        (of_another, no()),
        (unasked, no()),
    ];
    stage.load(&loaded).await.expect("they load");
    for name in ["next", "elsewhere", "of-another"] {
        assert_eq!(stage.host.password(question(name)).await, PasswordAnswer::Next, "{name}");
    }
    for name in ["unasked", "nobody"] {
        let PasswordAnswer::Unable(why) = stage.host.password(question(name)).await else {
            panic!("{name} is not there")
        };
        assert_eq!(&*why, format!("the plugin {name} does not serve now"));
    }
    // "1" is no address: an answer that can't be meant is none.
    let PasswordAnswer::Unable(why) = stage.host.password(question("yes")).await else { panic!("a wrong answer") };
    assert_eq!(&*why, "the plugin yes failed (answer)");
    // Without senders it is one.
    let plain = YES.replace("(i32.store offset=24 (i32.const 1024) (i32.const 1))", "");
    stage.load(&[(granted("yes"), guest(&[], &[("on-password", &plain)]))]).await.expect("it loads");
    let account = Account { tenant: Some("X-One".into()), senders: Vec::<SenderPattern>::new() };
    assert_eq!(stage.host.password(question("yes")).await, PasswordAnswer::Yes(account));
}

#[tokio::test]
async fn whoever_is_not_granted_it_is_not_loaded() {
    let octets = guest(&[], &[("on-password", NO)]);
    let refused = Stage::new().load(&[(plugin("p"), octets.clone())]).await.expect_err("it is not granted");
    let wanted = "plugin \"p\": it exports mailwright:plugin/on-password@0.1.0, to be shown the passwords of users, which is \
                  not granted; if you trust it with them, add \"passwords\" to its `allow` and name it in `auth.plugin`";
    assert_eq!(refused.to_string(), wanted);
    // The grant alone is no hook, and who is named has the hook.
    let named = Plugin { knows_users: true, ..granted("p") };
    let without = guest(&[], &[("on-connect", ACCEPT)]);
    let refused = Stage::new().load(&[(named.clone(), without)]).await.expect_err("it can't be asked");
    assert!(refused.to_string().contains("[auth] has it say who users are, and it has no on-password"), "{refused}");
    let unasked = Plugin { hooks: vec![Hook::Connect], ..named.clone() };
    let both = guest(&[], &[("on-password", NO), ("on-connect", ACCEPT)]);
    assert!(Stage::new().load(&[(unasked, both)]).await.is_err_and(|refused| refused.remedy.contains("`hooks`")));
    let stage = Stage::new();
    stage.load(&[(named, octets)]).await.expect("it loads");
    let serving = stage.host.serving();
    assert!(serving.plugins[0].passwords && serving.plugins[0].hooks[0].hook == "password");
}

#[tokio::test]
async fn a_failure_is_no_answer_whatever_on_failure_says() {
    for (body, kind) in [(TRAP, "trap"), (SPIN, "cpu"), (BLABS, "fault")] {
        let stage = Stage::new();
        let closed = Plugin { on_failure: OnFailure::Closed, ..granted("p") };
        stage.load(&[(closed, guest(&[], &[("on-password", body)]))]).await.expect("it loads");
        let PasswordAnswer::Unable(why) = stage.host.password(question("p")).await else { panic!("{kind}") };
        assert_eq!(&*why, format!("the plugin p failed ({kind})"));
        assert_eq!(stage.host.resting(), 0);
        assert_eq!(stage.events.faults(), [(kind.to_owned(), "454".to_owned())]);
    }
}

#[tokio::test]
async fn no_password_gets_into_logs_faults_traces_metrics_and_records() {
    const COUNT: Import = ("metrics", "add", "(param i32 i32 i32 i32 i64)");
    let stage = Stage::new();
    // It writes the password to the log, counts by it, and fails with it.
    let body = format!(
        "(call $write (i32.const 2) (local.get 4) (local.get 5) (i32.const 0) (i32.const 0))
         (i32.store (i32.const 3000) (i32.const 16)) (i32.store (i32.const 3004) (i32.const 1))
         (i32.store (i32.const 3008) (local.get 4)) (i32.store (i32.const 3012) (local.get 5))
         (call $write (i32.const 2) (i32.const 16) (i32.const 5) (i32.const 3000) (i32.const 1))
         (call $add (i32.const 16) (i32.const 1) (i32.const 3000) (i32.const 1) (i64.const 1)) {BLABS}"
    );
    let allow = ["passwords", "log", "metrics"].map(Into::into).to_vec();
    let traced = Plugin { allow, trace: true, ..plugin("p") };
    stage.load(&[(traced, guest(&[LOG, COUNT], &[("on-password", &body)]))]).await.expect("it loads");
    let mut recording = stage.host.record("p", 1).expect("it records");
    assert!(matches!(stage.host.password(question("p")).await, PasswordAnswer::Unable(_)));
    assert!(recording.next().now_or_never().is_none(), "nothing was recorded, and it waits on");
    let (lines, faults) = (stage.events.take("plugin-log"), stage.events.take("plugin-fault"));
    let withheld = "(withheld: the password is in it)";
    assert_eq!((lines.len(), &lines[0]["message"]), (2, &withheld.into()));
    assert_eq!(faults[0]["why"], format!("unavailable: {withheld}"));
    assert_eq!(stage.events.take("plugin-called").len(), 1);
    let told = format!("{lines:?}{faults:?}");
    assert!(!told.contains("hunter2"), "{told}");
    let mut families = Vec::new();
    stage.host.measure(&mut families);
    assert!(!format!("{families:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_shadow_and_a_canary_are_shown_no_password() {
    let stage = Stage::new();
    let octets = || guest(&[], &[("on-password", TRAP), ("on-connect", ACCEPT)]);
    let shadow = Plugin { mode: Mode::Shadow, of: Some("p".into()), ..granted("shadow") };
    let canary = Plugin { mode: Mode::Canary(100), of: Some("p".into()), ..granted("canary") };
    let loaded = [(granted("p"), guest(&[], &[("on-password", NO)])), (shadow, octets()), (canary, octets())];
    stage.load(&loaded).await.expect("they load");
    assert_eq!(stage.host.password(question("p")).await, PasswordAnswer::No, "the canary does not stand in its place");
    for name in ["shadow", "canary"] {
        assert!(
            matches!(stage.host.password(question(name)).await, PasswordAnswer::Unable(_)),
            "{name} may not be asked"
        );
    }
    stage.host.told().await;
    let reports = stage.host.differences(None).expect("there are two");
    assert!(reports.iter().all(|report| report.calls + report.faults + report.dropped == 0), "{reports:?}");
    assert_eq!(stage.events.faults(), []);
}
