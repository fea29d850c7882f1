//! Several plugins: the order of their chain, what they see of one another, and what outlives an instance.

use super::guests::{
    ACCEPT, ADD, ADD_HEADER, FIND, GET_NOTE, HEADER, INCR, LOG, NEXT, SET_HEADER, SET_NOTE, SET_TAG, TRAP,
    expect_octet, guest, reject,
};
use super::stage::{ID, Stage, content, entry, envelope, plugin, recipient};
use crate::base::flow::policy::{Asked, DataVerdict, Disposition, Gate, Hook, Policy, Sending, Sendout, Submission};
use crate::base::mail::content::Content;
use crate::base::mail::edits::HeaderEdit;
use crate::config::model::{EditGrant, Plugin};
use bytes::Bytes;

fn editor(name: &str) -> Plugin {
    Plugin { edit: vec![EditGrant::Headers], ..plugin(name) }
}

async fn data(stage: &Stage, plugins: &[(Plugin, Bytes)], content: &Content) -> DataVerdict {
    stage.load(plugins).await.expect("they load");
    let envelope = envelope(&["a@example.net"]);
    stage.session().data(Submission { id: ID, envelope: &envelope, content, size_bytes_max: 1 << 20 }).await
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
