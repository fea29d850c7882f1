//! `on-http` and `on-auth`: what they are told, what they may answer, and what becomes of a failure.

use super::super::guests::{ACCEPT, GET_NOTE, SESSION, SPIN, TRAP, expect_error, expect_octet, guest};
use super::super::stage::{Stage, plugin};
use super::{expect_first, expect_word};
use crate::base::flow::policy::public::{PublicAnswer, PublicRequest, PublicResponse};
use crate::base::flow::policy::{Asked, Gate, Hook, Policy};
use crate::config::model::{OnFailure, Plugin};
use bytes::Bytes;

/// 201 with the field `X-One: 1` and the content "X-One".
const CREATED: &str = "
    (i32.store (i32.const 3000) (i32.const 16)) (i32.store (i32.const 3004) (i32.const 5))
    (i32.store (i32.const 3008) (i32.const 32)) (i32.store (i32.const 3012) (i32.const 1))
    (i32.store16 (i32.const 1028) (i32.const 201)) (i32.store (i32.const 1032) (i32.const 3000))
    (i32.store (i32.const 1036) (i32.const 1)) (i32.store (i32.const 1040) (i32.const 16))
    (i32.store (i32.const 1044) (i32.const 5)) (i32.const 1024)";

fn request(plugin: &str) -> PublicRequest {
    PublicRequest {
        plugin: plugin.into(),
        method: "POST".into(),
        path: "/a/b".into(),
        query: "c=d".into(),
        fields: vec![("host".to_owned(), "mx".to_owned())],
        body: Bytes::from_static(b"e=f&g"),
        peer: "192.0.2.7".parse().expect("a literal"),
    }
}

fn created() -> PublicAnswer {
    let fields = vec![("X-One".to_owned(), "1".to_owned())];
    PublicAnswer::Answered(PublicResponse { status: 201, fields, body: b"X-One".to_vec() })
}

#[tokio::test]
async fn on_http_is_told_the_request_and_answers_it_from_a_fresh_instance() {
    let stage = Stage::new();
    // Where and how long: method, path, query, fields (how many), content, client. Nothing is left of the call before,
    // and there is neither a session nor a message.
    let told = [
        expect_word(1, 4),
        expect_first(0, b'P'),
        expect_word(3, 4),
        expect_first(2, b'/'),
        expect_word(5, 3),
        expect_first(4, b'c'),
        expect_word(7, 1),
        expect_word(9, 5),
        expect_first(8, b'e'),
        expect_word(11, 9),
        expect_octet(4000, 0),
        "(i32.store8 (i32.const 4000) (i32.const 1))".to_owned(),
        "(call $get-note (i32.const 16) (i32.const 5) (i32.const 2048))".to_owned(),
        expect_error(0),
    ];
    let body = format!("{} {CREATED}", told.concat());
    stage.load(&[(plugin("p"), guest(&[GET_NOTE], &[("on-http", &body)]))]).await.expect("it loads");
    assert!(stage.host.has(Hook::Http) && !stage.host.has(Hook::Connect));
    for _ in 0..3 {
        assert_eq!(stage.host.http(request("p")).await, created());
    }
    assert_eq!(stage.events.faults(), []);
}

#[tokio::test]
async fn a_plugin_without_the_hook_is_as_absent_as_one_that_is_not_there() {
    let stage = Stage::new();
    let both = guest(&[], &[("on-http", CREATED), ("on-connect", ACCEPT)]);
    let without = guest(&[], &[("on-connect", ACCEPT)]);
    let unasked = Plugin { hooks: vec![Hook::Connect], ..plugin("unasked") };
    let elsewhere = Plugin { listeners: vec!["other".into()], ..plugin("elsewhere") };
    let loaded =
        [(plugin("p"), both.clone()), (plugin("without"), without), (unasked, both.clone()), (elsewhere, both)];
    stage.load(&loaded).await.expect("they load");
    for (name, wanted) in [
        ("p", created()),
        ("elsewhere", created()),
        ("without", PublicAnswer::Absent),
        ("unasked", PublicAnswer::Absent),
        ("nobody", PublicAnswer::Absent),
        ("", PublicAnswer::Absent),
    ] {
        assert_eq!(stage.host.http(request(name)).await, wanted, "{name}");
    }
}

#[tokio::test]
async fn a_request_that_fails_is_no_answer_whatever_on_failure_says() {
    // Zeros are status 0, no fields and no content; two MiB are more than a guest may send to the host in one call.
    let huge = format!(
        "(drop (memory.grow (i32.const 40))) (i32.store (i32.const 1044) (i32.const 2097152)) {CREATED}",
        CREATED = CREATED.replace("(i32.store (i32.const 1044) (i32.const 5))", "")
    );
    for (body, kind) in [(TRAP, "trap"), (SPIN, "cpu"), ("(i32.const 1024)", "answer"), (&*huge, "trap")] {
        let stage = Stage::new();
        let open = Plugin { on_failure: OnFailure::Open, ..plugin("p") };
        stage.load(&[(open, guest(&[], &[("on-http", body)]))]).await.expect("it loads");
        assert_eq!(stage.host.http(request("p")).await, PublicAnswer::Unable, "{kind}");
        assert_eq!(stage.events.faults(), [(kind.to_owned(), "503".to_owned())]);
    }
}

/// `auth-user` of `session.current`, as the guest sees it: none before, and a name from then on.
#[tokio::test]
async fn who_authenticated_is_shown_from_then_on() {
    // The user is the last field of the answer: whether there is one, where its name lies, and how long that is.
    let first = |octet: u8| {
        format!("(if (i32.ne (i32.load8_u (i32.load (i32.const 2116))) (i32.const {octet})) (then unreachable))")
    };
    let told = |name: &str| {
        let user = match name.as_bytes().first() {
            None => expect_octet(2112, 0),
            Some(letter) => [expect_octet(2112, 1), first(*letter)].concat(),
        };
        format!("(call $current (i32.const 2048)) {user} {ACCEPT}")
    };
    for (name, accepted) in [("", "ann"), ("ann", "")] {
        let stage = Stage::new();
        let octets = guest(&[SESSION], &[("on-connect", &told(name))]);
        stage.load(&[(plugin("p"), octets)]).await.expect("it loads");
        let ask = async |user: &str| {
            let mut session = stage.session();
            if !user.is_empty() {
                session.authenticated(user);
            }
            session.gate(Asked::Connect).await
        };
        assert_eq!(ask(name).await, Gate::Accept, "{name:?}: {:?}", stage.events.faults());
        assert_ne!(ask(accepted).await, Gate::Accept, "the guest looks");
    }
}

#[tokio::test]
async fn on_auth_is_told_who_authenticated_how_and_whether_it_succeeded() {
    let stage = Stage::new();
    let told = [expect_word(1, 5), expect_first(0, b'P'), expect_word(3, 3), expect_first(2, b'a'), expect_word(4, 1)];
    let body = format!("{} {ACCEPT}", told.concat());
    stage.load(&[(plugin("p"), guest(&[], &[("on-auth", &body)]))]).await.expect("it loads");
    assert!(stage.host.has(Hook::Auth));
    let mut session = stage.session();
    let asked = |succeeded| Asked::Auth { mechanism: "PLAIN", user: "ann", succeeded };
    assert_eq!(session.gate(asked(true)).await, Gate::Accept);
    assert!(matches!(session.gate(asked(false)).await, Gate::Tempfail(_)), "the guest wants to be told of success");
    assert_eq!(stage.events.faults(), [("trap".to_owned(), "451 4.3.0".to_owned())]);
}
