//! Signed tokens by the examples of their RFCs, and what claims must say.

use super::claims::{Claims, Shown, shown};
use super::introspection::{self, NoAnswer};
use super::keys::{Fetched, KeySet, Look};
use super::recent::Recent;
use super::signed::Signed;
use super::{Unfit, octets};
use crate::base::time::UnixMillis;
use crate::base::world::http::Origin;
use crate::base::world::tls::Trust;
use crate::config::model::auth::oauth::{Algorithm, OAuth, TokenCheck, Url};
use proptest::prelude::*;
use serde_json::json;
use std::time::{Duration, Instant};

/// RFC 7515 A.2 and A.3: the same claims, signed by RSA and by P-256; RFC 8037 A.2: a key of Ed25519.
const RSA: &str = r#"{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}"#;
const P256: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","kid":"p"}"#;
const ED25519: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
const CLAIMS: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const BY_RSA: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
const BY_P256: &str = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

const ALL: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

fn set(keys: &[&str]) -> KeySet {
    KeySet::parse(format!("{{\"keys\":[{}]}}", keys.join(",")).as_bytes()).expect("a set")
}

fn verified(token: &str, keys: &[&str]) -> Result<Claims, Unfit> {
    Signed::parse(token, &ALL)?.verified(&set(keys))
}

/// Without padding, as tokens are written.
fn written(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
}

#[test]
fn tokens_are_the_examples_of_rfc7515_3_1_and_rfc7519_3() {
    let by_rsa = format!("eyJhbGciOiJSUzI1NiJ9.{CLAIMS}.{BY_RSA}");
    let by_p256 = format!("eyJhbGciOiJFUzI1NiJ9.{CLAIMS}.{BY_P256}");
    for (token, key) in [(&by_rsa, RSA), (&by_p256, P256)] {
        assert_eq!(verified(token, &[ED25519, key]).expect("it is good")["iss"], "joe");
        assert_eq!(verified(token, &[ED25519]).err(), Some(Unfit::UnknownKey));
        let other = token.replace(CLAIMS, &CLAIMS.replace("Jqb2Ui", "Jqb2Yi"));
        assert_eq!(verified(&other, &[key]).err(), Some(Unfit::Signature));
    }
    // The same signature is none of another algorithm, and none of another key's.
    let ps256 = by_rsa.replace("eyJhbGciOiJSUzI1NiJ9", &written(r#"{"alg":"PS256"}"#));
    assert_eq!(verified(&ps256, &[RSA]).err(), Some(Unfit::Signature));
    let named = by_p256.replace("eyJhbGciOiJFUzI1NiJ9", &written(r#"{"alg":"ES256","kid":"q"}"#));
    assert_eq!(verified(&named, &[P256]).err(), Some(Unfit::UnknownKey));
}

#[test]
fn who_can_check_a_token_can_not_make_one_rfc7515_4_1() {
    // RFC 7515 A.1, and one without a signature (RFC 7519 6.1).
    let hmac = format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{CLAIMS}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    let none = format!("eyJhbGciOiJub25lIn0.{CLAIMS}.");
    for token in [&hmac, &none] {
        assert_eq!(verified(token, &[RSA, P256]).err(), Some(Unfit::Algorithm));
    }
    // RFC 7515 4.1.11: what must be understood, and is not. And no algorithm that the operator has not named.
    let critical = format!("{}.{CLAIMS}.{BY_P256}", written(r#"{"alg":"ES256","crit":["b64"],"b64":false}"#));
    assert_eq!(verified(&critical, &[P256]).err(), Some(Unfit::Malformed));
    let by_rsa = format!("eyJhbGciOiJSUzI1NiJ9.{CLAIMS}.{BY_RSA}");
    assert_eq!(Signed::parse(&by_rsa, &[Algorithm::ES256]).err(), Some(Unfit::Algorithm));
    for malformed in ["", ".", "..", "a.b", "a.b.c.d", "eyJhbGciOiJSUzI1NiJ9.e30", "eyJhbGciOiJSUzI1NiJ9.e30=.AA"] {
        assert_eq!(verified(malformed, &[RSA]).err(), Some(Unfit::Malformed), "{malformed:?}");
    }
    assert_eq!(octets("AB").err(), Some(Unfit::Malformed), "RFC 7515 2: one spelling");
}

#[test]
fn a_set_has_the_keys_that_sign_rfc7517_4_and_5() {
    let fits = |key: &str, algorithm| {
        KeySet::parse(format!("{{\"keys\":[{key}]}}").as_bytes())
            .is_ok_and(|set| set.fitting(None, algorithm).count() == 1)
    };
    assert!(fits(RSA, Algorithm::RS256) && fits(RSA, Algorithm::PS512) && !fits(RSA, Algorithm::ES256));
    assert!(fits(P256, Algorithm::ES256) && !fits(P256, Algorithm::ES384) && fits(ED25519, Algorithm::EdDSA));
    let with = |more: &str| RSA.replace("\"e\"", &format!("{more},\"e\""));
    assert!(fits(&with(r#""alg":"RS256","use":"sig""#), Algorithm::RS256));
    assert!(!fits(&with(r#""alg":"RS256""#), Algorithm::RS384), "RFC 7517 4.4");
    assert!(
        !fits(&with(r#""use":"enc""#), Algorithm::RS256) && !fits(&with(r#""key_ops":["sign"]"#), Algorithm::RS256)
    );
    assert!(fits(&ED25519.replace("\"x\"", r#""alg":"Ed25519","x""#), Algorithm::EdDSA), "RFC 9864 2.2");
    for none in [r#"{"kty":"oct","k":"AAAA"}"#, r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#, "1", "{}"] {
        assert!(!fits(none, Algorithm::ES256), "{none}");
    }
    assert_eq!(
        set(&[r#"{"kty":"oct"}"#, P256]).fitting(Some("p"), Algorithm::ES256).count(),
        1,
        "others are passed over"
    );
    for wrong in ["", "{}", "{\"keys\":1}", "{\"keys\":[]}"] {
        assert!(KeySet::parse(wrong.as_bytes()).is_err(), "{wrong}");
    }
    // RFC 8037 A.4: its message is no JSON.
    let message = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature = octets("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg")
        .expect("base64");
    let keys = set(&[ED25519]);
    let key = keys.fitting(None, Algorithm::EdDSA).next().expect("one");
    assert!(key.verifies(Algorithm::EdDSA, message.as_bytes(), &signature));
    assert!(
        !key.verifies(Algorithm::EdDSA, b"another", &signature)
            && !key.verifies(Algorithm::EdDSA, message.as_bytes(), b"")
    );
}

fn url(text: &str) -> Url {
    let (origin, target) = Origin::of_url(text).expect("a URL");
    Url { origin, target }
}

#[test]
fn a_set_is_fetched_when_it_is_old_or_lacks_a_key_and_not_at_anybodys_will() {
    let (from, hour, start) = (url("https://a.example/keys"), Duration::from_secs(3600), Instant::now());
    let mut fetched = Fetched::default();
    let look =
        |fetched: &mut Fetched, kid, after: u64| fetched.look(&from, kid, hour, start + Duration::from_secs(after));
    assert!(matches!(look(&mut fetched, Some("p"), 0), Look::Fetch));
    fetched.failed(start);
    assert!(matches!(look(&mut fetched, Some("p"), 29), Look::Nothing), "it was tried only just");
    assert!(matches!(look(&mut fetched, Some("p"), 30), Look::Fetch));
    fetched.put(set(&[P256]), start + Duration::from_secs(30));
    assert!(
        matches!(look(&mut fetched, Some("p"), 31), Look::Use(_))
            && matches!(look(&mut fetched, None, 31), Look::Use(_))
    );
    assert!(matches!(look(&mut fetched, Some("q"), 31), Look::Use(_)), "it is looked for in what there is");
    assert!(matches!(look(&mut fetched, Some("q"), 60), Look::Fetch));
    fetched.failed(start + Duration::from_secs(60));
    assert!(matches!(look(&mut fetched, Some("p"), 3629), Look::Use(_)));
    assert!(matches!(look(&mut fetched, Some("p"), 3630), Look::Fetch), "an hour old");
    fetched.failed(start + Duration::from_secs(3630));
    assert!(matches!(look(&mut fetched, Some("p"), 3640), Look::Use(_)), "the issuer is away");
    fetched.failed(start + Duration::from_secs(90_030));
    assert!(matches!(look(&mut fetched, Some("p"), 90_031), Look::Nothing), "for a day");
    let elsewhere = url("https://b.example/keys");
    assert!(matches!(fetched.look(&elsewhere, Some("p"), hour, start), Look::Fetch), "other keys");
}

fn oauth() -> OAuth {
    OAuth {
        check: TokenCheck::Signed {
            keys: url("https://a.example/keys"),
            algorithms: Algorithm::USUAL.into(),
            keys_age_max: Duration::ZERO,
        },
        issuer: Some("https://a.example".into()),
        audience: Some("mail".into()),
        scope: Some("smtp".into()),
        user_claim: "email".into(),
        users: Vec::new(),
        trust: Trust::System,
        leeway: Duration::from_secs(30),
        wait: Duration::from_secs(10),
    }
}

/// A thousand seconds after 1970.
const NOW: UnixMillis = UnixMillis(1_000_000);

#[test]
fn claims_must_say_what_was_asked_for_rfc7519_4_1() {
    let with = |name: &str, value: serde_json::Value| {
        let mut claims = json!({
            "iss": "https://a.example", "aud": "mail", "scope": "openid smtp", "email": "Ann@example.org", "exp": 1001,
        });
        claims[name] = value;
        let serde_json::Value::Object(claims) = claims else { unreachable!() };
        shown(&claims, &oauth(), NOW).map(|shown| shown.user.to_string())
    };
    let ann = || Ok("ann@example.org".to_owned());
    assert_eq!(with("more", json!(1)), ann());
    assert_eq!(with("aud", json!(["x", "mail"])), ann());
    assert_eq!(with("scope", json!(["smtp"])), ann());
    assert_eq!(with("exp", json!(971)), ann(), "clocks differ");
    assert_eq!(with("exp", json!(1000.5)), ann());
    assert_eq!(with("nbf", json!(1030)), ann());
    assert_eq!(with("email_verified", json!(true)), ann());
    for (name, value, unfit) in [
        ("iss", json!("https://b.example"), Unfit::Issuer),
        ("iss", json!(["https://a.example"]), Unfit::Issuer),
        ("aud", json!("web"), Unfit::Audience),
        ("aud", json!(null), Unfit::Audience),
        ("aud", json!([]), Unfit::Audience),
        ("scope", json!("smtps"), Unfit::Scope),
        ("exp", json!(970), Unfit::Expired),
        ("exp", json!("9999"), Unfit::Malformed),
        ("exp", json!(null), Unfit::Malformed),
        ("exp", json!(-1), Unfit::Malformed),
        ("nbf", json!(1031), Unfit::Early),
        ("nbf", json!("1"), Unfit::Malformed),
        ("email", json!(7), Unfit::Nameless),
        ("email", json!("a b"), Unfit::Nameless),
        ("email_verified", json!(false), Unfit::Unverified),
        ("email_verified", json!("false"), Unfit::Unverified),
    ] {
        assert_eq!(with(name, value.clone()), Err(unfit), "{name}: {value}");
    }
    // One that is signed must end some day.
    let endless = json!({ "iss": "https://a.example", "aud": "mail", "scope": "smtp", "email": "a" });
    let endless = endless.as_object().expect("an object");
    assert_eq!(shown(endless, &oauth(), NOW), Err(Unfit::Expired));
    let at = url("https://a.example/");
    let asked = TokenCheck::Asked { at, client_id: "m".into(), client_secret: "s".into(), believed: Duration::ZERO };
    assert!(shown(endless, &OAuth { check: asked, ..oauth() }, NOW).is_ok(), "RFC 7662 2.2: its issuer said so now");
}

#[test]
fn an_issuer_is_asked_in_a_form_rfc7662_2_1_and_rfc6749_2_3_1() {
    let (fields, body) = introspection::request("mail wright", b"s:e&\xff", "a+b/c==");
    assert_eq!(body, "token=a%2Bb%2Fc%3D%3D&token_type_hint=access_token");
    let authorization = &fields.iter().find(|(name, _)| name == "Authorization").expect("who asks").1;
    let who = crate::base::sasl::wire::decode(authorization.trim_start_matches("Basic ").as_bytes()).expect("base64");
    assert_eq!(String::from_utf8_lossy(&who), "mail%20wright:s%3Ae%26%FF");
}

#[test]
fn what_an_issuer_answers_is_yes_or_no_or_nothing_rfc7662_2_2() {
    assert_eq!(introspection::answer(200, br#"{"active":true,"sub":"ann"}"#).expect("yes")["sub"], "ann");
    assert_eq!(introspection::answer(200, br#"{"active":false}"#), Err(NoAnswer::Unfit(Unfit::Inactive)));
    for (status, body) in
        [(401, "{\"active\":false}"), (200, ""), (200, "{}"), (200, "[]"), (200, "{\"active\":\"true\"}")]
    {
        assert!(matches!(introspection::answer(status, body.as_bytes()), Err(NoAnswer::Failed(_))), "{status} {body}");
    }
}

#[test]
fn good_tokens_are_remembered_for_a_while_and_not_all_of_them_rfc7662_4() {
    let (mut recent, now, by) = (Recent::default(), Instant::now(), oauth());
    let ann = Shown { user: "ann".into(), until: None };
    recent.put("t", &by, ann.clone(), now + Duration::from_secs(1));
    assert_eq!(recent.get("t", &by, now), Some(ann.clone()));
    assert_eq!(recent.get("t", &by, now + Duration::from_secs(1)), None);
    assert_eq!(recent.get("u", &by, now), None);
    let other = OAuth { audience: None, ..oauth() };
    assert_eq!(recent.get("t", &other, now), None, "it was asked otherwise");
    for number in 0..25_000 {
        recent.put(&number.to_string(), &by, ann.clone(), now + Duration::from_secs(1));
    }
    assert!(recent.len() <= 10_000 && recent.get("24999", &by, now).is_some() && recent.get("t", &by, now).is_none());
}

proptest! {
    #[test]
    fn no_token_no_set_and_no_answer_panics(token: String, json in "\\PC{0,60}", header in "\\{\"alg\":\"(RS256|EdDSA|none)\"(,\"kid\":\"[a-z]?\")?\\}") {
        let keys = set(&[RSA, P256, ED25519]);
        let made = format!("{}.{}.{}", written(&header), written("{}"), written(&json));
        for token in [&token, &made] {
            prop_assert!(Signed::parse(token, &ALL).and_then(|signed| signed.verified(&keys)).is_err());
        }
        drop(KeySet::parse(json.as_bytes()));
        drop(introspection::answer(200, json.as_bytes()));
    }
}
