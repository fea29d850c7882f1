//! Passwords that others know: who is asked, and what it means that nobody answers.

use super::bench::{Bench, bench_of};
use super::*;

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
    assert_eq!(asked[0].body, "{\"user\":\"bob\",\"password\":\"x\",\"peer\":\"192.0.2.1\"}");
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
