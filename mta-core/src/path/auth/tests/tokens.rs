//! Tokens as the stage has them looked at: keys that are fetched, issuers that are asked, and who is let in by what.

use super::bench::{Bench, bench_of};
use super::*;
use crate::base::sasl::door::User;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

const SIGNED: &str = "jwks_url = \"https://127.0.0.1:1/keys\", issuer = \"joe\", audience = \"mail\"";
const ASKED: &str =
    "introspection_url = \"https://127.0.0.1:1/asked\", client_id = \"mailwright\", client_secret = \"s\"";

fn bench(oauth: &str, users: &str) -> Bench {
    bench_of(&format!("oauth = {{ {oauth} }}"), users)
}

fn key(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a seed")
}

fn set(seed: u8, kid: &str) -> String {
    let x = URL_SAFE_NO_PAD.encode(key(seed).public_key());
    json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x }] }).to_string()
}

fn token(seed: u8, kid: &str, claims: &serde_json::Value) -> String {
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(&json!({ "alg": "EdDSA", "kid": kid })), part(claims));
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(key(seed).sign(message.as_bytes())))
}

fn claims(user: &str) -> serde_json::Value {
    json!({ "iss": "joe", "aud": "mail", "sub": user, "exp": 1000 })
}

fn unfit(known: bool, why: &'static str) -> Checked {
    Checked::Unfit { known, why }
}

fn is(checked: &Checked) -> &User {
    let Checked::Is(user) = checked else { panic!("{checked:?}") };
    user
}

#[tokio::test]
async fn keys_are_fetched_once_and_again_for_one_that_is_not_there() {
    let bench = bench(&format!("{SIGNED}, users = [\"*@acme.example\"]"), "bob sender=@bob.example tenant=acme\n");
    assert_eq!(bench.stage.offered(), Offered { passwords: false, keys: false, tokens: true });
    bench.issuer.says(200, set(1, "one"));
    let ann = token(1, "one", &claims("Ann@acme.example"));
    let checked = bench.shows(Some("ann@acme.example"), &ann).await;
    let user = is(&checked);
    assert_eq!((&*user.name, user.tenant.as_deref(), user.senders.len()), ("ann@acme.example", Some("acme"), 1));
    let asked = bench.issuer.asked();
    assert_eq!((asked.len(), &*asked[0].method, &*asked[0].target), (1, "GET", "/keys"));

    // A user of the file is as the file says, and nobody need be named.
    let checked = bench.shows(None, &token(1, "one", &claims("bob"))).await;
    assert_eq!(is(&checked).senders[0].to_string(), "@bob.example");
    assert_eq!(
        bench.shows(None, &token(1, "one", &claims("eve@other.example"))).await,
        unfit(false, "token: user unknown here")
    );
    let eve = token(1, "one", &claims("eve@other.example"));
    let named = bench.shows(Some("eve@other.example"), &eve).await;
    assert_eq!(named, unfit(true, "token: user unknown here"), "her issuer says that it is she");
    assert_eq!(bench.shows(Some("bob"), &ann).await, unfit(true, "token: another user's"));
    assert_eq!(bench.shows(None, &token(2, "one", &claims("bob"))).await, unfit(false, "token: wrong signature"));
    assert_eq!(bench.shows(None, &token(2, "two", &claims("bob"))).await, unfit(false, "token: unknown key"));
    assert!(bench.issuer.asked().is_empty(), "it was asked only just");

    bench.clock.goes_on(30);
    bench.issuer.says(200, set(2, "two"));
    let checked = bench.shows(None, &token(2, "two", &claims("bob"))).await;
    assert_eq!((&*is(&checked).name, bench.issuer.asked().len()), ("bob", 1));
    assert_eq!(bench.shows(None, &ann).await, unfit(false, "token: unknown key"), "it was taken out");
}

#[tokio::test]
async fn who_does_not_answer_is_told_and_nobody_is_blamed() {
    let signed = bench(&format!("{SIGNED}, users = [\"*\"]"), "");
    let ann = token(1, "one", &claims("ann@acme.example"));
    signed.issuer.is_away();
    for _ in 0..30 {
        assert_eq!(signed.shows(None, &ann).await, Checked::Later(Later::Unanswered));
    }
    assert_eq!(signed.issuer.asked().len(), 1);
    signed.clock.goes_on(30);
    signed.issuer.says(500, "");
    assert_eq!(signed.shows(None, &ann).await, Checked::Later(Later::Unanswered));
    let heard = signed.heard.0.lock().expect("whole").concat();
    for said in ["auth-unanswered", "\"of\":\"oauth\"", "127.0.0.1:1", "it is away", "status 500"] {
        assert!(heard.contains(said), "{heard}");
    }
    signed.clock.goes_on(30);
    signed.issuer.says(200, set(1, "one"));
    assert_eq!(&*is(&signed.shows(None, &ann).await).name, "ann@acme.example");
    // And then it is away for longer than keys are kept without a newer set.
    signed.clock.goes_on(600);
    assert_eq!(signed.shows(None, &ann).await, Checked::Is(Arc::new(is(&signed.shows(None, &ann).await).clone())));
}

/// Whoever has the keys fetched holds up nobody whose key is there.
#[tokio::test]
async fn while_keys_are_fetched_the_old_ones_serve() {
    let signed = bench(&format!("{SIGNED}, users = [\"*\"], keys_age_max = \"1m\""), "");
    let ann = token(1, "one", &claims("ann@acme.example"));
    signed.issuer.says(200, set(1, "one"));
    assert_eq!(&*is(&signed.shows(None, &ann).await).name, "ann@acme.example");
    signed.clock.goes_on(60);
    signed.issuer.is_silent();
    tokio::select! {
        biased;
        fetching = signed.shows(None, &ann) => panic!("nobody answers: {fetching:?}"),
        meanwhile = signed.shows(None, &ann) => assert!(matches!(meanwhile, Checked::Is(_)), "{meanwhile:?}"),
    }
    assert_eq!(signed.issuer.asked().len(), 2);
}

#[tokio::test]
async fn an_issuer_is_asked_and_believed_for_a_while() {
    let bench = bench(&format!("{ASKED}, user_claim = \"username\", users = [\"*\"], believed = \"1m\""), "");
    let good = json!({ "active": true, "username": "ann@acme.example" }).to_string();
    bench.issuer.says(200, good.clone());
    for _ in 0..3 {
        assert_eq!(&*is(&bench.shows(None, "opaque").await).name, "ann@acme.example");
    }
    let asked = bench.issuer.asked();
    assert_eq!((asked.len(), &*asked[0].method), (1, "POST"));
    assert_eq!(asked[0].body, "token=opaque&token_type_hint=access_token");
    assert!(asked[0].fields.contains(&("Authorization".to_owned(), "Basic bWFpbHdyaWdodDpwYXNz".to_owned())));
    bench.clock.goes_on(60);
    bench.issuer.says(200, "{\"active\":false}");
    assert_eq!(bench.shows(None, "opaque").await, unfit(false, "token: not active"));
    bench.issuer.says(401, "");
    assert_eq!(bench.shows(None, "opaque").await, Checked::Later(Later::Unanswered));
    bench.issuer.says(200, good);
    assert_eq!(bench.shows(Some("bob"), "opaque").await, unfit(false, "token: another user's"));
    let heard = bench.heard.0.lock().expect("whole").concat();
    assert!(heard.contains("status 401") && !heard.contains("opaque") && !heard.contains("pass"), "{heard}");
}

#[tokio::test]
async fn guesses_are_counted_by_client_and_old_tokens_are_none() {
    let signed = bench(&format!("{SIGNED}, users = [\"*\"]"), "");
    signed.issuer.says(200, set(1, "one"));
    let old = token(1, "one", &json!({ "iss": "joe", "aud": "mail", "sub": "a@b.example", "exp": 0 }));
    signed.clock.goes_on(100);
    for _ in 0..40 {
        assert_eq!(signed.shows(Some("a@b.example"), &old).await, unfit(false, "token: expired"));
    }
    for _ in 0..11 {
        let _ = signed.shows(Some("a@b.example"), &token(2, "one", &claims("a@b.example"))).await;
    }
    assert_eq!(signed.shows(None, &old).await, Checked::Later(Later::Held));
    let elsewhere = SessionInfo { peer: SocketAddr::from(([198, 51, 100, 1], 1)), ..session() };
    let good = Claim::Token(Some("a@b.example".into()), Hidden::new(token(1, "one", &claims("a@b.example"))));
    assert!(matches!(signed.stage.check(elsewhere, good).await, Checked::Is(_)), "who is guessed at is not kept out");
}

/// Whose line has no password has none: not even that which a stranger's name is tried with.
#[tokio::test]
async fn a_user_who_comes_by_tokens_has_no_password() {
    let bench = bench(SIGNED, &format!("ann@acme.example password={HASH}\nbob@acme.example\n"));
    assert_eq!(bench.stage.offered(), Offered { passwords: true, keys: false, tokens: true });
    assert!(matches!(check(&bench.stage, "ann@acme.example", "pencil").await, Checked::Is(_)));
    assert_eq!(check(&bench.stage, "bob@acme.example", "pencil").await, Checked::IsNot { known: true });
}
