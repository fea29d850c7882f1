//! Several plugins: the order of their chain, what they see of one another, and what outlives an instance.

use super::guests::{
    ACCEPT, ADD, ADD_HEADER, FIND, GET_NOTE, HEADER, INCR, LOG, NEXT, SET_HEADER, SET_NOTE, SET_TAG, SPIN, TRAP,
    expect_octet, guest, reject,
};
use super::stage::{ID, Stage, content, entry, envelope, plugin, recipient, submission};
use crate::base::flow::operator::trial::{Differences, Said};
use crate::base::flow::policy::{Asked, DataVerdict, Disposition, Gate, Hook, Policy, Sending, Sendout, SessionInfo};
use crate::base::mail::content::Content;
use crate::base::mail::edits::HeaderEdit;
use crate::config::model::{EditGrant, Mode, Plugin};
use bytes::Bytes;

fn editor(name: &str) -> Plugin {
    Plugin { edit: vec![EditGrant::Headers], ..plugin(name) }
}

async fn data(stage: &Stage, plugins: &[(Plugin, Bytes)], content: &Content) -> DataVerdict {
    stage.load(plugins).await.expect("they load");
    let envelope = envelope(&["a@example.net"]);
    stage.session().data(submission(&envelope, content)).await
}

#[tokio::test]
async fn the_first_answer_other_than_next_wins() {
    let stage = Stage::new();
    let all = [NEXT.to_owned(), reject(571), reject(550)];
    let plugins: Vec<(Plugin, Bytes)> = ["a", "b", "c"]
        .iter()
        .zip(&all)
        .map(|(name, body)| (plugin(name), guest(&[], &[("on-connect", body)])))
        .collect();
    stage.load(&plugins).await.expect("they load");
    let gate = stage.session().gate(Asked::Connect).await;
    assert!(matches!(&gate, Gate::Reject(reply) if reply.code == 571), "{gate:?}");
}

#[tokio::test]
async fn accept_skips_the_rest_of_this_hooks_chain_alone() {
    let stage = Stage::new();
    let first = guest(&[], &[("on-connect", ACCEPT)]);
    let second = guest(&[], &[("on-connect", TRAP), ("on-rcpt", &reject(550))]);
    stage.load(&[(plugin("first"), first), (plugin("second"), second)]).await.expect("they load");
    let mut session = stage.session();
    assert_eq!(session.gate(Asked::Connect).await, Gate::Accept);
    let gate = session.gate(Asked::Rcpt { sender: None, to: &recipient("a@example.net") }).await;
    assert!(matches!(gate, Gate::Reject(_)), "{gate:?}");
    assert_eq!(stage.events.faults(), []);
}

#[tokio::test]
async fn earlier_edits_are_seen_by_later_plugins() {
    let stage = Stage::new();
    let look = "(call $header (i32.const 16) (i32.const 5) (i32.const 2048))";
    // ok(some(…)) of one octet: the option's tag at 4, the length at 12.
    let seen = format!("{look} {} {} {ACCEPT}", expect_octet(2052, 1), expect_octet(2060, 1));
    let plugins = [
        (editor("first"), guest(&[ADD_HEADER], &[("on-data", &format!("{ADD} {NEXT}"))])),
        (plugin("second"), guest(&[HEADER], &[("on-data", &seen)])),
    ];
    let verdict = data(&stage, &plugins, &content("A: b\r\n\r\n", "")).await;
    assert_eq!(verdict.disposition, Disposition::Accept);
    assert_eq!(verdict.plugin.as_deref(), Some("second"));
    assert_eq!(verdict.edits.headers, [HeaderEdit::Add { name: "X-One".into(), value: "1".into() }]);
    assert_eq!(stage.events.faults(), []);
}

#[tokio::test]
async fn edits_need_their_grant_and_tags_do_not() {
    let stage = Stage::new();
    let tag = "(call $set-tag (i32.const 16) (i32.const 5) (i32.const 32) (i32.const 1) (i32.const 2048))";
    // err(not-permitted) is 1, 1; then ok is 0.
    let body =
        format!("{ADD} {} {} {tag} {} {NEXT}", expect_octet(2048, 1), expect_octet(2049, 1), expect_octet(2048, 0));
    let plugins = [(plugin("bare"), guest(&[ADD_HEADER, SET_TAG], &[("on-data", &body)]))];
    let verdict = data(&stage, &plugins, &content("A: b\r\n\r\n", "")).await;
    assert_eq!(stage.events.faults(), []);
    assert!(verdict.edits.is_empty());
    assert_eq!(verdict.tags, [("X-One".into(), "1".into())]);
}

#[tokio::test]
async fn the_sixty_fifth_edit_of_a_call_is_too_large() {
    let stage = Stage::new();
    let body = format!(
        "(loop $again {ADD} (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $again (i32.eqz (i32.load8_u (i32.const 2048)))))
         (if (i32.ne (local.get $n) (i32.const 65)) (then unreachable)) {} {NEXT}",
        expect_octet(2049, 3)
    );
    let plugins = [(editor("many"), guest(&[ADD_HEADER], &[("on-data", &body)]))];
    let verdict = data(&stage, &plugins, &content("A: b\r\n\r\n", "")).await;
    assert_eq!(stage.events.faults(), []);
    assert_eq!(verdict.edits.headers.len(), 64);
}

#[tokio::test]
async fn a_field_is_removed_and_a_missing_one_is_named() {
    let stage = Stage::new();
    let remove = |nth: u32| {
        format!(
            "(call $set-header (i32.const 16) (i32.const 5) (i32.const {nth}) (i32.const 0) (i32.const 0) (i32.const 0)
                (i32.const 2048))"
        )
    };
    // err(no-such-item) is 1, 4.
    let body = format!(
        "{} {} {} {} {} {NEXT}",
        remove(1),
        expect_octet(2048, 0),
        remove(1),
        expect_octet(2048, 1),
        expect_octet(2049, 4)
    );
    let plugins = [(editor("cut"), guest(&[SET_HEADER], &[("on-data", &body)]))];
    let verdict = data(&stage, &plugins, &content("X-One: a\r\nx-one: b\r\n\r\n", "")).await;
    assert_eq!(stage.events.faults(), []);
    assert_eq!(verdict.edits.headers, [HeaderEdit::Set { name: "X-One".into(), nth: 1, value: None }]);
}

#[tokio::test]
async fn a_search_crosses_the_end_of_the_header_section() {
    let stage = Stage::new();
    let find = "(call $find (i32.const 16) (i32.const 5) (i64.const 0) (i32.const 2048))";
    // ok(some(offset)): the tag at 8, the offset at 16; "X-One" begins at 6 and ends in the body.
    let body = format!("{find} {} {} {ACCEPT}", expect_octet(2056, 1), expect_octet(2064, 6));
    let plugins = [(plugin("find"), guest(&[FIND], &[("on-data", &body)]))];
    let verdict = data(&stage, &plugins, &content("A: bcdX-", "One")).await;
    assert_eq!((verdict.disposition, stage.events.faults()), (Disposition::Accept, vec![]));
}

#[tokio::test]
async fn notes_outlive_the_instance_and_are_the_plugins_own() {
    let stage = Stage::new();
    let set =
        "(call $set-note (i32.const 16) (i32.const 5) (i32.const 1) (i64.const 41) (i32.const 0) (i32.const 2048))";
    let get = "(call $get-note (i32.const 16) (i32.const 5) (i32.const 2048))";
    // ok(some(number(41))): the option's tag at 8, the variant's at 16, the number at 24.
    let found = format!("{get} {} {} {} {NEXT}", expect_octet(2056, 1), expect_octet(2064, 1), expect_octet(2072, 41));
    let missing = format!("{get} {} {ACCEPT}", expect_octet(2056, 0));
    let plugins = [
        (
            plugin("owner"),
            guest(&[SET_NOTE, GET_NOTE], &[("on-connect", &format!("{set} {NEXT}")), ("on-rcpt", &found)]),
        ),
        (plugin("other"), guest(&[GET_NOTE], &[("on-rcpt", &missing)])),
    ];
    stage.load(&plugins).await.expect("they load");
    let mut session = stage.session();
    assert_eq!(session.gate(Asked::Connect).await, Gate::Next);
    session.transaction_ended();
    assert_eq!(session.gate(Asked::Rcpt { sender: None, to: &recipient("a@example.net") }).await, Gate::Accept);
    assert_eq!(stage.events.faults(), []);
}

#[tokio::test]
async fn a_bucket_outlives_sessions_and_an_ungranted_one_does_not_exist() {
    let stage = Stage::new();
    // Bucket and key are "1" at 32: ok(sum) has its number at 8; the second time it is 2.
    let incr = |bucket: u32, length: u32| {
        format!(
            "(call $incr (i32.const {bucket}) (i32.const {length}) (i32.const 32) (i32.const 1) (i64.const 1)
                (i32.const 0) (i64.const 0) (i32.const 2048))"
        )
    };
    // err(no-such-bucket): the result's tag is 1, the error's 0 at 8.
    let body = format!(
        "{} {} {} (if (result i32) (i32.eq (i32.load8_u (i32.const 2056)) (i32.const 2)) (then {ACCEPT}) (else {NEXT}))",
        incr(16, 5),
        expect_octet(2048, 1),
        incr(32, 1)
    );
    let mut counter = plugin("counter");
    counter.allow = vec!["kv:1".into()];
    stage.load(&[(counter, guest(&[INCR], &[("on-connect", &body)]))]).await.expect("it loads");
    assert_eq!(stage.session().gate(Asked::Connect).await, Gate::Next);
    assert_eq!(stage.session().gate(Asked::Connect).await, Gate::Accept);
    assert_eq!(stage.events.faults(), []);
}

#[tokio::test]
async fn plugins_are_asked_about_mail_of_their_tenants_and_listeners_at_their_hooks() {
    let stage = Stage::new();
    let of = |name: &str, tenants: &[&str], listeners: &[&str], code: u16| {
        let names = |names: &[&str]| names.iter().map(|name| (*name).into()).collect();
        let plugin = Plugin { tenants: names(tenants), listeners: names(listeners), ..plugin(name) };
        (plugin, guest(&[], &[("on-rcpt", &reject(code)), ("on-connect", &reject(559))]))
    };
    let only_rcpt = |(plugin, octets): (Plugin, Bytes)| (Plugin { hooks: vec![Hook::Rcpt], ..plugin }, octets);
    let plugins = [
        of("acme", &["acme"], &[], 551),
        of("elsewhere", &[], &["another"], 552),
        of("globex", &["globex", "initech"], &["mx"], 553),
        of("everybody", &[], &[], 554),
    ];
    stage.load(&plugins.map(only_rcpt)).await.expect("they load");
    assert!(!stage.host.has(Hook::Connect), "they have it, and are not asked at it");
    let mut session = stage.session();
    let to = recipient("a@example.net");
    for (tenant, code) in [(None, 554), (Some("acme"), 551), (Some("globex"), 553), (Some("initech"), 553)] {
        let tenant = tenant.map(Into::into);
        session.belongs_to(tenant.as_ref());
        let Gate::Reject(reply) = session.gate(Asked::Rcpt { sender: None, to: &to }).await else {
            panic!("{tenant:?}: no refusal")
        };
        assert_eq!(reply.code, code, "{tenant:?}");
        session.transaction_ended();
    }
    let misspelt = Plugin { hooks: vec![Hook::Data], ..plugin("p") };
    let refused = stage.load(&[(misspelt, guest(&[], &[("on-rcpt", NEXT)]))]).await.expect_err("refused").to_string();
    assert!(
        refused.contains("hooks names \"data\", which it does not have") && refused.contains("it has rcpt"),
        "{refused}"
    );
}

#[tokio::test]
async fn each_tenant_has_its_own_part_of_a_bucket() {
    let stage = Stage::new();
    let body = format!(
        "(call $incr (i32.const 32) (i32.const 1) (i32.const 32) (i32.const 1) (i64.const 1)
            (i32.const 0) (i64.const 0) (i32.const 2048))
         (if (result i32) (i32.eq (i32.load8_u (i32.const 2056)) (i32.const 2)) (then {ACCEPT}) (else {NEXT}))"
    );
    let counter = Plugin { allow: vec!["kv:1".into()], ..plugin("counter") };
    stage.load(&[(counter, guest(&[INCR], &[("on-connect", &body)]))]).await.expect("it loads");
    for (tenant, answer) in
        [(None, Gate::Next), (Some("t"), Gate::Next), (Some("u"), Gate::Next), (Some("t"), Gate::Accept)]
    {
        let mut session = stage.session();
        session.belongs_to(tenant.map(Into::into).as_ref());
        assert_eq!(session.gate(Asked::Connect).await, answer, "{tenant:?}");
    }
}

#[tokio::test]
async fn a_transaction_keeps_the_generation_that_it_began_with() {
    let stage = Stage::new();
    let to = recipient("a@example.net");
    stage.load(&[(plugin("p"), guest(&[], &[("on-rcpt", ACCEPT)]))]).await.expect("the first loads");
    let mut session = stage.session();
    assert_eq!(session.gate(Asked::Rcpt { sender: None, to: &to }).await, Gate::Accept);
    stage.load(&[(plugin("p"), guest(&[], &[("on-rcpt", NEXT)]))]).await.expect("the second loads");
    assert_eq!(session.gate(Asked::Rcpt { sender: None, to: &to }).await, Gate::Accept);
    session.transaction_ended();
    assert_eq!(session.gate(Asked::Rcpt { sender: None, to: &to }).await, Gate::Next);
    let loaded: Vec<u64> =
        stage.events.take("plugin-loaded").iter().filter_map(|event| event["generation"].as_u64()).collect();
    assert_eq!(loaded, [1, 2]);
}

#[tokio::test]
async fn edits_before_an_attempt_are_told_from_those_at_data() {
    let stage = Stage::new();
    let octets = guest(&[ADD_HEADER], &[("on-pre-send", &format!("{ADD} {NEXT}"))]);
    stage.load(&[(editor("late"), octets)]).await.expect("it loads");
    let mut entry = entry(&["a@example.net", "b@example.net"]);
    entry.edits.headers = vec![HeaderEdit::Add { name: "X-Early".into(), value: "1".into() }];
    let content = content("A: b\r\n\r\n", "");
    let verdict = stage
        .host
        .pre_send(Sendout {
            entry: &entry,
            content: &content,
            recipient: 1,
            attempt: 2,
            site: "x",
            size_bytes_max: 1 << 20,
        })
        .await;
    assert_eq!(verdict.sending, Sending::Next);
    assert_eq!(verdict.edits.headers, [HeaderEdit::Add { name: "X-One".into(), value: "1".into() }]);
}

#[tokio::test]
async fn a_chatty_plugin_is_cut_at_a_hundred_lines_a_second() {
    let stage = Stage::new();
    let body = format!(
        "(loop $again
            (call $write (i32.const 2) (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 0))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $n) (i32.const 1000)))) {NEXT}"
    );
    let mut chatty = plugin("chatty");
    chatty.allow = vec!["log".into()];
    stage.load(&[(chatty, guest(&[LOG], &[("on-connect", &body)]))]).await.expect("it loads");
    assert_eq!(stage.session().gate(Asked::Connect).await, Gate::Next);
    let lines = stage.events.take("plugin-log");
    // A second may begin while it writes.
    assert!((100..=200).contains(&lines.len()), "{}", lines.len());
    assert_eq!((&lines[0]["message"], &lines[0]["level"]), (&"X-One".into(), &"info".into()));
}

/// The report of a shadow or a canary once all who follow were asked.
async fn report(stage: &Stage, plugin: &str) -> Differences {
    stage.host.told().await;
    stage.host.differences(Some(plugin)).expect("it is on trial").remove(0)
}

fn shadow(name: &str, of: Option<&str>) -> Plugin {
    Plugin { mode: Mode::Shadow, of: of.map(Into::into), edit: vec![EditGrant::Headers], ..plugin(name) }
}

#[tokio::test]
async fn a_shadow_is_compared_with_the_plugin_that_it_names_and_changes_nothing() {
    let stage = Stage::new();
    let old = guest(&[ADD_HEADER], &[("on-rcpt", NEXT), ("on-data", &format!("{ADD} {NEXT}"))]);
    let refuse = reject(550);
    let new = guest(&[ADD_HEADER], &[("on-rcpt", NEXT), ("on-data", &format!("{ADD} {refuse}"))]);
    // It sees what those before the other one recorded, and not what the other one did.
    let tagger = guest(&[SET_TAG], &[("on-data", NEXT)]);
    let plugins = [(plugin("tagger"), tagger), (editor("old"), old), (shadow("new", Some("old")), new)];
    stage.load(&plugins).await.expect("they load");
    let (envelope, content) = (envelope(&["a@example.net"]), content("Subject: x\r\n\r\n", ""));
    let mut session = stage.session();
    assert_eq!(session.gate(Asked::Rcpt { sender: None, to: &recipient("a@example.net") }).await, Gate::Next);
    let submission = submission(&envelope, &content);
    let verdict = session.data(submission).await;
    assert_eq!((&verdict.disposition, verdict.edits.headers.len()), (&Disposition::Next, 1));
    let report = report(&stage, "new").await;
    assert_eq!((report.calls, report.differing, report.faults, report.dropped), (2, 1, 0, 0));
    let last = &report.last[0];
    assert_eq!((&*last.hook, last.session.as_deref(), last.id), ("data", Some("s1"), Some(ID)));
    let edits = vec!["add X-One: 1".to_owned()];
    assert_eq!(last.said, Said { verdict: "next".to_owned(), edits: edits.clone() });
    assert_eq!(last.other, Said { verdict: "reject 550 5.7.1 X-One".to_owned(), edits });
    let event = stage.events.take("plugin-differs").pop().expect("it is told");
    assert_eq!((&event["plugin"], &event["other"]), (&"new".into(), &"reject 550 5.7.1 X-One".into()));
    assert!(stage.host.differences(Some("old")).is_err_and(|why| why.contains("no shadow or canary")));
}

#[tokio::test]
async fn a_shadow_alone_is_measured_by_the_chain_and_its_faults_are_its_reports_alone() {
    let stage = Stage::new();
    let old = guest(&[], &[("on-connect", &reject(550))]);
    let plugins = [
        (shadow("silent", None), guest(&[], &[("on-connect", NEXT)])),
        (shadow("other", None), guest(&[], &[("on-connect", &reject(571)), ("on-helo", TRAP)])),
        (plugin("old"), old),
    ];
    stage.load(&plugins).await.expect("they load");
    assert!(stage.host.has(Hook::Helo) && !stage.host.has(Hook::Rcpt), "somebody is asked beside the mail");
    let mut session = stage.session();
    assert!(matches!(session.gate(Asked::Connect).await, Gate::Reject(reply) if reply.code == 550));
    assert_eq!(session.gate(Asked::Helo("client.example")).await, Gate::Next);
    let silent = report(&stage, "silent").await;
    assert_eq!((silent.calls, silent.differing), (1, 0), "the chain says the same without it");
    let other = report(&stage, "other").await;
    assert_eq!((other.calls, other.differing, other.faults), (2, 2, 1));
    assert_eq!(other.last[0].said.verdict, "reject 550 5.7.1 X-One");
    assert!(other.last[1].other.verdict.starts_with("fault trap: "), "{:?}", other.last[1]);
    assert_eq!(stage.events.faults(), []);
}

#[tokio::test]
async fn a_shadow_has_buckets_of_its_own_and_a_canary_those_of_whom_it_stands_in_for() {
    let body = format!(
        "(call $incr (i32.const 32) (i32.const 1) (i32.const 32) (i32.const 1) (i64.const 1)
            (i32.const 0) (i64.const 0) (i32.const 2048))
         (if (result i32) (i32.eq (i32.load8_u (i32.const 2056)) (i32.const 2)) (then {ACCEPT}) (else {NEXT}))"
    );
    let octets = guest(&[INCR], &[("on-connect", &body)]);
    let counter = |mode, of: Option<&str>, name: &str| {
        let of = of.map(Into::into);
        (Plugin { allow: vec!["kv:1".into()], mode, of, ..plugin(name) }, octets.clone())
    };
    let stage = Stage::new();
    let old = || counter(Mode::Full, None, "counter");
    stage.load(&[old(), counter(Mode::Shadow, Some("counter"), "new")]).await.expect("they load");
    assert_eq!(stage.session().gate(Asked::Connect).await, Gate::Next, "1");
    let report = report(&stage, "new").await;
    assert_eq!((report.calls, report.differing), (1, 0), "it counted for itself");
    stage.load(&[old(), counter(Mode::Canary(100), Some("counter"), "new")]).await.expect("they load");
    assert_eq!(stage.session().gate(Asked::Connect).await, Gate::Accept, "2");
}

#[tokio::test]
async fn a_canary_decides_its_share_of_whole_transactions_in_the_place_of_the_other() {
    let stage = Stage::new();
    let (old, new) = (reject(550), reject(571));
    let both = |body: &str| guest(&[], &[("on-mail", NEXT), ("on-rcpt", body), ("on-data", body)]);
    let canary = |name: &str, percent| Plugin { mode: Mode::Canary(percent), of: Some("old".into()), ..plugin(name) };
    let last = (plugin("last"), guest(&[], &[("on-rcpt", &reject(554))]));
    let plugins = [(plugin("old"), both(&old)), last, (canary("new", 30), both(&new))];
    stage.load(&plugins).await.expect("they load");
    let (envelope, content) = (envelope(&["a@example.net"]), content("Subject: x\r\n\r\n", ""));
    let mut decided = 0;
    for number in 0..200 {
        let peer = "192.0.2.7:4711".parse().expect("a literal");
        let info = SessionInfo {
            id: format!("s{number}").into(),
            listener: "mx".into(),
            peer,
            helo: None,
            user: None,
            tls: None,
        };
        let mut session = stage.host.session(info);
        let Gate::Reject(rcpt) = session.gate(Asked::Rcpt { sender: None, to: &recipient("a@example.net") }).await
        else {
            panic!("either refuses")
        };
        let submission = submission(&envelope, &content);
        let Disposition::Reject(data) = session.data(submission).await.disposition else { panic!("either refuses") };
        assert_eq!(rcpt.code, data.code, "one side for both");
        decided += u64::from(rcpt.code == 571);
    }
    assert!((40..=80).contains(&decided), "{decided} of 200");
    let report = report(&stage, "new").await;
    assert_eq!((report.calls, report.differing, report.dropped), (decided * 2, decided * 2, 0));
    assert_eq!(report.last[0].other.verdict, "reject 550 5.7.1 X-One");
    assert_eq!(stage.events.faults(), []);
}

#[tokio::test]
async fn a_shadow_that_never_ends_delays_nobody_and_what_it_misses_is_counted() {
    let stage = Stage::new();
    let spin = Plugin { mode: Mode::Shadow, ..plugin("spin") };
    stage.load(&[(spin, guest(&[], &[("on-connect", SPIN)]))]).await.expect("it loads");
    for _ in 0..20 {
        assert_eq!(stage.session().gate(Asked::Connect).await, Gate::Next);
    }
    let report = report(&stage, "spin").await;
    // Ten faults in a row, and it is left alone.
    assert_eq!(report.calls + report.dropped, 20, "{report:?}");
    assert!(report.faults >= 10 && report.dropped > 0, "{report:?}");
    assert_eq!((stage.events.faults(), stage.events.take("plugin-alone").len()), (Vec::new(), 0));
}

#[tokio::test]
async fn what_is_recorded_is_asked_again_and_answered_alike() {
    let stage = Stage::new();
    let body = format!("{ADD} {NEXT}");
    let octets = guest(&[ADD_HEADER], &[("on-rcpt", &reject(550)), ("on-data", &body), ("on-pre-send", &body)]);
    stage.load(&[(editor("old"), octets)]).await.expect("it loads");
    assert!(stage.host.record("new", 9).is_err_and(|why| why.contains("no plugin of the name new")));
    let mut recording = stage.host.record("old", 3).expect("it records");
    let (envelope, content) = (envelope(&["a@example.net"]), content("Subject: x\r\n\r\n", "hello\r\n"));
    let mut session = stage.session();
    let _ = session.gate(Asked::Rcpt { sender: None, to: &recipient("a@example.net") }).await;
    let submission = submission(&envelope, &content);
    let _ = session.data(submission).await;
    let entry = entry(&["a@example.net"]);
    let sendout =
        Sendout { entry: &entry, content: &content, recipient: 0, attempt: 1, site: "x", size_bytes_max: 1 << 20 };
    for _ in 0..2 {
        let _ = stage.host.pre_send(sendout.clone()).await;
    }
    let mut rehearsal = stage.host.rehearse("old").expect("it serves");
    let mut hooks = Vec::new();
    while let Some(recorded) = recording.next().await {
        let text = serde_json::to_string(&recorded).expect("JSON");
        assert_eq!(
            serde_json::from_str::<crate::base::flow::operator::trial::Recorded>(&text).expect("it reads"),
            recorded
        );
        let answers = rehearsal.ask(&recorded).await;
        for (call, answer) in recorded.calls.iter().zip(answers) {
            let answer = answer.expect("it has the hook");
            assert_eq!((answer.said, answer.memory_bytes), (call.said.clone(), 65536));
            hooks.push((call.asked.hook(), call.said.edits.len()));
        }
    }
    assert_eq!(hooks, [("rcpt", 0), ("data", 1), ("pre-send", 1)], "three calls and no more");
}

#[tokio::test]
async fn a_shadow_is_told_what_others_are_told() {
    let stage = Stage::new();
    let body = "(call $write (i32.const 2) (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 0)) unreachable";
    let told = Plugin { allow: vec!["log".into()], ..shadow("told", None) };
    stage.load(&[(told, guest(&[LOG], &[("on-disconnect", body)]))]).await.expect("it loads");
    stage.session().disconnected();
    let report = report(&stage, "told").await;
    assert_eq!((stage.events.take("plugin-log").len(), report.faults), (1, 1));
    assert_eq!(stage.events.faults(), [], "its report alone tells");
}
