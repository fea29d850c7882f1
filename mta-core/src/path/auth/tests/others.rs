//! Passwords that others know: who is asked, and what it means that nobody answers.

use super::bench::{Bench, bench_of};
use super::*;
use crate::base::flow::policy::password::{Account, PasswordAnswer};
use crate::base::sasl::sender::SenderPattern;

const SERVER: &str = "http = { url = \"https://127.0.0.1:1/check\", secret = \"s\" }";
const DIRECTORY: &str = "ldap = { url = \"ldaps://127.0.0.1\", base = \"dc=x\", filter = \"(uid={user})\" }";

impl Bench {
    async fn tries(&self, name: &str, password: &str) -> Checked {
        check(&self.stage, name, password).await
    }
}

#[tokio::test]
async fn a_server_knows_whom_the_file_does_not() {
    let bench = bench_of(SERVER, &format!("ann@acme.example scram={}\nbob sender=@bob.example\n", keys()));
    assert_eq!(bench.stage.offered(), Offered { passwords: true, keys: false, tokens: false }, "others have no keys");
    // The file's alone.
    assert!(matches!(bench.tries("ann@acme.example", "pencil").await, Checked::Is(_)));
    assert_eq!(bench.tries("ann@acme.example", "x").await, Checked::IsNot { known: true });
    assert!(bench.issuer.asked().is_empty());
    bench.issuer.says(200, "{\"senders\":[\"*\"]}");
    let Checked::Is(bob) = bench.tries("bob", "x").await else { panic!("it says yes") };
    assert_eq!(bob.senders[0].to_string(), "@bob.example", "the line says who he is");
    let asked = bench.issuer.asked();
    assert_eq!((&*asked[0].method, &*asked[0].target), ("POST", "/check"));
    assert_eq!(asked[0].body, "{\"user\":\"bob\",\"password\":\"x\",\"peer\":\"192.0.2.1\",\"mechanism\":\"PLAIN\"}");
    assert!(asked[0].fields.contains(&("Authorization".to_owned(), "Bearer pass".to_owned())));
    bench.issuer.says(200, "{}");
    let Checked::Is(eve) = bench.tries("eve@acme.example", "x").await else { panic!("it says yes") };
    assert_eq!((eve.tenant.as_deref(), eve.senders.len()), (Some("acme"), 1));
    for (status, expected) in [(403, false), (401, false)] {
        bench.issuer.says(status, "");
        assert_eq!(bench.tries("eve@acme.example", "y").await, Checked::IsNot { known: expected });
    }
}

#[tokio::test]
async fn an_outage_is_no_failure_unless_another_says_yes() {
    let bench = bench_of(&format!("{SERVER}, {DIRECTORY}"), "");
    for _ in 0..30 {
        bench.issuer.says(403, "");
        let later = bench.tries("ann@acme.example", "x").await;
        assert_eq!(later, Checked::Later(Later::Unanswered), "the directory may know her");
    }
    bench.issuer.says(200, "{}");
    assert!(matches!(bench.tries("ann@acme.example", "x").await, Checked::Is(_)));
    bench.issuer.says(200, "{\"tenant\":\"none\"}");
    assert_eq!(bench.tries("ann@acme.example", "x").await, Checked::Later(Later::Unanswered));
    let heard = bench.heard.0.lock().expect("whole").concat();
    for said in [
        "\"of\":\"ldap\",\"host\":\"127.0.0.1:636\"",
        "connecting to 127.0.0.1:636",
        "\"of\":\"http\"",
        "there is none such",
    ] {
        assert!(heard.contains(said), "{said}: {heard}");
    }
}

#[tokio::test]
async fn guesses_at_others_users_are_slowed_down_too() {
    let bench = bench_of(SERVER, "");
    for _ in 0..11 {
        bench.issuer.says(403, "");
        assert_eq!(bench.tries("ann@acme.example", "x").await, Checked::IsNot { known: false });
    }
    assert_eq!(bench.tries("ann@acme.example", "x").await, Checked::Later(Later::Held), "and nobody is asked");
}

const PLUGIN: &str = "plugin = \"oracle\"";

#[tokio::test]
async fn a_plugin_is_asked_behind_the_file_and_before_others() {
    let bench = bench_of(&format!("{PLUGIN}, {SERVER}"), &format!("ann@acme.example scram={}\n", keys()));
    assert_eq!(bench.stage.offered(), Offered { passwords: true, keys: false, tokens: false }, "it has no keys");
    assert!(matches!(bench.tries("ann@acme.example", "pencil").await, Checked::Is(_)), "the file's alone");
    // None of its own: the server is asked too.
    bench.oracle.says(PasswordAnswer::Next);
    bench.issuer.says(403, "");
    assert_eq!(bench.tries("eve@acme.example", "x").await, Checked::IsNot { known: false });
    // Its own, and wrong: nobody else is shown it.
    bench.oracle.says(PasswordAnswer::No);
    assert_eq!(bench.tries("eve@acme.example", "y").await, Checked::IsNot { known: false });
    assert_eq!(bench.issuer.asked().len(), 1);
    let asked = bench.oracle.asked();
    let [first, second] = &asked[..] else { panic!("two questions: {asked:?}") };
    let password =
        |question: &crate::base::flow::policy::password::PasswordQuestion| question.password.reveal().to_owned();
    assert_eq!((password(first), password(second)), ("x".to_owned(), "y".to_owned()));
    assert_eq!((&*first.plugin, first.mechanism, &*first.user), ("oracle", "PLAIN", "eve@acme.example"));
    assert_eq!((first.tenant.as_deref(), &*first.session.listener, first.session.peer.ip()), (Some("acme"), "l", PEER));
    assert!(!format!("{asked:?}").contains("\"x\""), "it is not shown by accident");
}

#[tokio::test]
async fn a_plugin_says_who_the_user_is_and_its_failure_is_no_refusal() {
    let bench = bench_of(PLUGIN, "bob sender=@bob.example\n");
    let star = || vec![SenderPattern::parse("*").expect("a pattern")];
    bench.oracle.says(PasswordAnswer::Yes(Account { tenant: Some("acme".into()), senders: star() }));
    let Checked::Is(fay) = bench.tries("fay", "x").await else { panic!("it says yes") };
    assert_eq!((fay.tenant.as_deref(), fay.senders.len()), (Some("acme"), 1));
    bench.oracle.says(PasswordAnswer::Yes(Account { tenant: None, senders: star() }));
    let Checked::Is(bob) = bench.tries("bob", "x").await else { panic!("it says yes") };
    assert_eq!(bob.senders[0].to_string(), "@bob.example", "the line says who he is");
    // Its failure is never counted as a guess.
    for _ in 0..30 {
        bench.oracle.says(PasswordAnswer::Unable("the plugin oracle failed (trap)".into()));
        assert_eq!(bench.tries("eve@acme.example", "x").await, Checked::Later(Later::Unanswered));
    }
    bench.oracle.says(PasswordAnswer::Yes(Account { tenant: Some("none".into()), senders: Vec::new() }));
    assert_eq!(bench.tries("eve@acme.example", "x").await, Checked::Later(Later::Unanswered));
    let heard = bench.heard.0.lock().expect("whole").concat();
    for said in ["\"of\":\"plugin\",\"host\":\"oracle\"", "failed (trap)", "there is none such"] {
        assert!(heard.contains(said), "{said}: {heard}");
    }
}

#[tokio::test]
async fn guesses_at_a_plugins_users_are_slowed_down_too() {
    let bench = bench_of(PLUGIN, "");
    for _ in 0..11 {
        bench.oracle.says(PasswordAnswer::No);
        assert_eq!(bench.tries("ann@acme.example", "x").await, Checked::IsNot { known: false });
    }
    assert_eq!(bench.tries("ann@acme.example", "x").await, Checked::Later(Later::Held), "and it is not asked");
}
