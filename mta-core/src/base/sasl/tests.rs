//! The mechanisms by the examples of their RFCs, and by what nobody should send.

use super::door::User;
use super::scram::Bindings;
use super::sender::SenderPattern;
use super::stored::{ScramKeys, Verifier};
use super::*;
use proptest::prelude::*;

fn plain(message: &str) -> Result<Step, Failure> {
    Exchange::new(Mechanism::Plain, Bindings::default()).respond(message.as_bytes())
}

fn checked(step: Result<Step, Failure>) -> Option<(String, String)> {
    match step {
        Ok(Step::Check(name, password)) => Some((name.into(), password.reveal().to_owned())),
        _ => None,
    }
}

fn pair(name: &str, password: &str) -> Option<(String, String)> {
    Some((name.to_owned(), password.to_owned()))
}

#[test]
fn plain_is_three_parts_rfc4616_2() {
    // The examples of RFC 4616, its last but one section.
    assert_eq!(checked(plain("\0tim\0tanstaaftanstaaf")), pair("tim", "tanstaaftanstaaf"));
    // Kurt may act for Ursel there; here nobody acts for another (RFC 4422 3.4.1).
    assert_eq!(plain("Ursel\0Kurt\0xipj3plmq").err(), Some(Failure::Foreign));
    assert_eq!(checked(plain("tim\0Tim\0x")), pair("tim", "x"), "as himself");
    for malformed in ["", "tim", "\0tim", "\0tim\0", "\0\0x", "\0tim\0x\0", "\0tim\0x\0y"] {
        assert_eq!(plain(malformed).err(), Some(Failure::Malformed), "{malformed:?}");
    }
    let octets = Exchange::new(Mechanism::Plain, Bindings::default()).respond(b"\0tim\0\xff").err();
    assert_eq!(octets, Some(Failure::Malformed), "RFC 4616 2: UTF-8");
}

#[test]
fn names_and_passwords_are_prepared_rfc4013_2_and_rfc8265_4_2() {
    assert_eq!(prepare::name("I\u{ad}X").as_deref(), Some("ix"), "mapped to nothing, and in lower case");
    assert_eq!(prepare::name("\u{2168}").as_deref(), Some("ix"), "example 5 of RFC 4013");
    for nobody in ["", "\u{7}", "a b", "\u{627}1", &"x".repeat(256)] {
        assert_eq!(prepare::name(nobody), None, "{nobody:?}");
    }
    let password = |text: &str| prepare::password(text).map(|hidden| hidden.reveal().to_owned());
    assert_eq!(password("\u{aa}").as_deref(), Some("a"), "example 4 of RFC 4013");
    assert_eq!(password("USER").as_deref(), Some("USER"), "its case is its own");
    assert_eq!(password("a\u{a0}b").as_deref(), Some("a b"));
    assert_eq!(password("\u{1f600}").as_deref(), Some("\u{1f600}"), "newer than SASLprep");
    for nobody in ["", "\u{7}", "\u{ad}", &"x".repeat(1025)] {
        assert_eq!(password(nobody), None, "{nobody:?}");
    }
}

#[test]
fn login_asks_twice_and_takes_the_name_at_once_too() {
    let mut login = Exchange::new(Mechanism::Login, Bindings::default());
    let Step::Challenge(asked) = login.begin() else { panic!("it asks") };
    assert_eq!(asked, b"Username:");
    let Ok(Step::Challenge(asked)) = login.respond(b"Ann") else { panic!("it asks") };
    assert_eq!(asked, b"Password:");
    assert_eq!(checked(login.respond(b"secret")), pair("ann", "secret"));
    for wrong in ["", "a\0b"] {
        let mut login = Exchange::new(Mechanism::Login, Bindings::default());
        assert_eq!(login.respond(wrong.as_bytes()).err(), Some(Failure::Malformed));
    }
}

/// RFC 7677 3's example.
const NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const CHALLENGE: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const PROOF: &str =
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

fn keys() -> ScramKeys {
    ScramKeys::derive(b"pencil", wire::decode(b"W22ZaJ0SNY7soEsUEjb6gQ==").expect("base64"), 4096)
}

/// An exchange up to the challenge.
fn challenged(mechanism: Mechanism, bindings: Bindings, first: &str) -> (Exchange, Result<String, Failure>) {
    let mut exchange = Exchange::new(mechanism, bindings);
    let said = match exchange.respond(first.as_bytes()) {
        Ok(Step::Keys(name)) => {
            assert_eq!(&*name, "user");
            exchange.keys(keys(), NONCE)
        }
        other => other,
    };
    let said = said.map(|step| match step {
        Step::Challenge(octets) => String::from_utf8(octets).expect("ASCII"),
        other => panic!("{other:?}"),
    });
    (exchange, said)
}

#[test]
fn scram_is_the_example_of_rfc7677_3_as_rfc5802_5_writes_it() {
    let first = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    let (mut exchange, said) = challenged(Mechanism::ScramSha256, Bindings::default(), first);
    assert_eq!(said.as_deref(), Ok(CHALLENGE));
    let Ok(Step::Challenge(last)) = exchange.respond(PROOF.as_bytes()) else { panic!("the proof is good") };
    assert_eq!(last, b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    assert!(matches!(exchange.respond(b""), Ok(Step::Proven(name)) if &*name == "user"));
    assert_eq!(exchange.respond(b"").err(), Some(Failure::Malformed), "it is over");
    // An answer to our own proof is empty.
    let (mut exchange, _) = challenged(Mechanism::ScramSha256, Bindings::default(), first);
    exchange.respond(PROOF.as_bytes()).expect("the proof is good");
    assert_eq!(exchange.respond(b"x").err(), Some(Failure::Malformed));
}

#[test]
fn a_proof_fits_one_password_and_one_exchange_rfc5802_3() {
    let first = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    let proof = |last: &str| {
        let (mut exchange, _) = challenged(Mechanism::ScramSha256, Bindings::default(), first);
        exchange.respond(last.as_bytes()).err()
    };
    assert_eq!(proof(PROOF), None);
    assert_eq!(proof(&PROOF.replace("p=dHzb", "p=dHzc")), Some(Failure::Wrong), "another password");
    assert_eq!(proof(&PROOF.replace("NlF$k0", "NlF$k1")), Some(Failure::Wrong), "another nonce");
    assert_eq!(proof(&PROOF.replace("c=biws", "c=eSws")), Some(Failure::Binding), "another header");
    for malformed in ["", "c=biws", "c=biws,r=x", &PROOF.replace(",p=", ",q="), &PROOF.replace("c=", "d=")] {
        assert_eq!(proof(malformed), Some(Failure::Malformed), "{malformed}");
    }
}

#[test]
fn first_messages_are_read_strictly_rfc5802_7() {
    let said = |first: &str| challenged(Mechanism::ScramSha256, Bindings::default(), first).1.err();
    assert_eq!(said("n,a=user,n=user,r=x"), None);
    assert_eq!(said("n,,n=user,r=x,e=extension"), None, "RFC 5802 5.1: an optional one is passed over");
    assert_eq!(said("n,a=other,n=user,r=x"), Some(Failure::Foreign));
    for malformed in [
        "",
        "n",
        "n,,",
        "n,,n=user",
        "n,,n=user,r=",
        "n,,n=us=2Der,r=x",
        "n,,m=x,n=user,r=x",
        "n,b=user,n=user,r=x",
        "x,,n=user,r=x",
        "n,,r=x,n=user",
        "n,,n=user,r=a b",
    ] {
        assert_eq!(said(malformed), Some(Failure::Malformed), "{malformed}");
    }
    let mut exchange = Exchange::new(Mechanism::ScramSha256, Bindings::default());
    let asked = exchange.respond(b"n,,n=a=2Cb=3Dc,r=x");
    assert!(matches!(asked, Ok(Step::Keys(name)) if &*name == "a,b=c"), "RFC 5802 5.1");
}

#[test]
fn a_binding_is_this_connections_rfc5802_6_rfc5929_4_rfc9266_2() {
    let bindings = Bindings { server_end_point: Some(b"hash".to_vec()), exporter: Some(b"material".to_vec()) };
    let said = |mechanism, first: &str| challenged(mechanism, bindings.clone(), first).1.err();
    let (plus, bare) = (Mechanism::ScramSha256Plus, Mechanism::ScramSha256);
    for name in ["tls-server-end-point", "tls-exporter"] {
        assert_eq!(said(plus, &format!("p={name},,n=user,r=x")), None);
        assert_eq!(said(bare, &format!("p={name},,n=user,r=x")), Some(Failure::Binding));
    }
    assert_eq!(said(plus, "p=tls-unique,,n=user,r=x"), Some(Failure::Binding));
    assert_eq!(said(plus, "n,,n=user,r=x"), Some(Failure::Binding));
    assert_eq!(said(bare, "n,,n=user,r=x"), None);
    // It could bind, and was told that we can't: somebody stands between us.
    assert_eq!(said(bare, "y,,n=user,r=x"), Some(Failure::Binding));
    assert_eq!(challenged(bare, Bindings::default(), "y,,n=user,r=x").1.err(), None);
    // The client repeats what it is bound to.
    for (bound, wrong) in [("p=tls-exporter,,material", None), ("p=tls-exporter,,other", Some(Failure::Binding))] {
        let (mut exchange, _) = challenged(plus, bindings.clone(), "p=tls-exporter,,n=user,r=x");
        let last = format!("c={},r=x{NONCE},p={}", wire::encode(bound.as_bytes()), wire::encode(&[0; 32]));
        assert_eq!(exchange.respond(last.as_bytes()).err(), wrong.or(Some(Failure::Wrong)));
    }
}

#[test]
fn a_password_fits_what_was_kept_of_it_rfc9106_4_rfc5803_2() {
    let argon2id = Verifier::argon2id("pencil", &[7; 16]).expect("it can be hashed");
    assert!(argon2id.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{argon2id}");
    let kept = [
        argon2id.as_str(),
        // Of `openssl passwd -6`, of `-5`, and of crypt(3) with rounds.
        "$6$saltsalt$rD9fW1BwIrjB90WCgCTdIQc3phTBhf04I6Iw/XlgKD9E9aEbzqGZipjiFxGo/4wWXDA6jV6/vZO.kKdDSfUJb0",
        "$5$saltsalt$hl9BvcGsj7AkON13nbqeQHDgRpHyFxt7WDzLoS.OCQ/",
        "$6$rounds=1000$saltsalt$bbY.T.ZpN43KapLdmlSbP6MmxBlkMSbhrh.Y1rmY0fYaRO/t.4sKqUiU.Z8byKf8Oa1yagMn/0fncuHSYrb9h.",
    ];
    for kept in kept {
        let verifier = Verifier::parse(kept).expect(kept);
        assert!(verifier.fits("pencil") && !verifier.fits("pencils") && !verifier.fits(""), "{kept}");
    }
    let scram = Verifier::Scram(keys());
    assert!(scram.fits("pencil") && !scram.fits("Pencil"));
    let written = keys().to_string();
    assert!(written.starts_with("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"), "{written}");
    assert_eq!(ScramKeys::parse(&written), Ok(keys()));
}

#[test]
fn what_costs_too_much_to_check_is_refused() {
    for wrong in [
        "",
        "x",
        "{SHA}x",
        "$1$salt$hash",
        "$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2g",
        "$argon2id$v=19$m=8",
        "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ",
        "$argon2id$v=19$m=9999999,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo",
        "$argon2id$v=19$m=19456,t=99,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo",
        "$6$salt$short",
        "$6$$x",
        "$5$rounds=x$salt$x",
    ] {
        assert!(Verifier::parse(wrong).is_err(), "{wrong}");
    }
    let letters = "a".repeat(86);
    assert!(Verifier::parse(&format!("$6$salt${letters}")).is_ok());
    assert!(Verifier::parse(&format!("$6$rounds=9999999$salt${letters}")).is_err());
    assert!(ScramKeys::parse(&keys().to_string().replace("$4096:", "$4095:")).is_err(), "RFC 7677 4");
    assert!(ScramKeys::parse(&keys().to_string().replace("$4096:", "$10000001:")).is_err());
}

#[test]
fn keys_of_nobody_are_always_the_same_and_nobodys() {
    let of = |secret: u8, name| ScramKeys::of_nobody(&[secret; 32], name, 4096);
    assert_eq!(of(1, "ann"), of(1, "ann"));
    assert!(of(1, "ann") != of(1, "bob") && of(1, "ann") != of(2, "ann"));
    assert_eq!(of(1, "ann").salt.len(), 16);
    assert!(!Verifier::Scram(of(1, "ann")).fits("pencil"));
}

#[test]
fn nothing_hidden_is_shown() {
    let step = plain("\0tim\0tanstaaf");
    assert!(!format!("{step:?}").contains("tanstaaf"), "{step:?}");
    let hash = Verifier::parse("$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc8").expect("a hash");
    assert_eq!(format!("{hash:?}"), "Sha256(..)");
    assert!(!format!("{:?}", keys()).contains("stored"));
}

#[test]
fn senders_are_addresses_or_domains_rfc6409_6_1() {
    let user = |patterns: &[&str]| User {
        name: "ann".into(),
        tenant: None,
        senders: patterns.iter().map(|text| SenderPattern::parse(text).expect("a pattern")).collect(),
    };
    let may = |patterns: &[&str], sender: &str| user(patterns).may_send_as(Some(&sender.parse().expect("an address")));
    assert!(may(&["ann@example.org"], "Ann@EXAMPLE.org") && !may(&["ann@example.org"], "bob@example.org"));
    assert!(may(&["@example.org"], "bob@example.org") && !may(&["@example.org"], "bob@mail.example.org"));
    assert!(may(&["@*.example.org"], "bob@mail.example.org") && !may(&["@*.example.org"], "bob@example.org"));
    assert!(!may(&["@*.example.org"], "bob@badexample.org") && !may(&["@example.org"], "bob@badexample.org"));
    assert!(may(&["@b\u{fc}cher.example"], "a@xn--bcher-kva.example") && may(&["x@y.example", "*"], "a@b.example"));
    // RFC 8098 3: disposition notifications come from nobody.
    assert!(user(&["ann@example.org"]).may_send_as(None));
    for text in ["*", "ann@example.org", "@example.org", "@*.example.org"] {
        assert_eq!(SenderPattern::parse(text).expect("a pattern").to_string(), text);
    }
    for wrong in ["", "ann", "@", "@*", "ann@", "*@example.org@x", "example org"] {
        assert!(SenderPattern::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn base64_has_one_spelling_rfc4648_4_and_an_empty_initial_response_is_written_rfc4954_4() {
    assert_eq!(wire::decode(b"AGE="), Some(b"\0a".to_vec()));
    assert_eq!(wire::decode(b""), Some(Vec::new()));
    for wrong in ["AGE", "AGE==", "AGF=", "A GE=", "AGE=\n", "=", "*", "AG-_"] {
        assert_eq!(wire::decode(wrong.as_bytes()), None, "{wrong}");
    }
    assert_eq!(wire::decode_initial("="), Some(Vec::new()));
    assert_eq!(wire::decode_initial("AGE="), Some(b"\0a".to_vec()));
}

fn token(mechanism: Mechanism, message: &str) -> Result<(Option<String>, String), Option<Failure>> {
    match Exchange::new(mechanism, Bindings::default()).respond(message.as_bytes()) {
        Ok(Step::Token(name, token)) => Ok((name.map(Into::into), token.reveal().to_owned())),
        Ok(_) => Err(None),
        Err(failure) => Err(Some(failure)),
    }
}

#[test]
fn oauthbearer_is_the_example_of_rfc7628_4_1() {
    let of = |message: &str| token(Mechanism::OAuthBearer, message);
    let initial = "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyIHZGOWRmdDRxbVRj\
                   Mk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB";
    let decoded = String::from_utf8(wire::decode(initial.as_bytes()).expect("base64")).expect("text");
    let shown = (Some("user@example.com".to_owned()), "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==".to_owned());
    assert_eq!(of(&decoded), Ok(shown));
    // RFC 7628 3.1: nobody need be named. RFC 6750 2.1 says what a token is made of. RFC 9110 11.1: the scheme is the same in any case.
    assert_eq!(of("n,,\u{1}auth=bEARER t~1\u{1}\u{1}"), Ok((None, "t~1".to_owned())));
    assert_eq!(of("y,a=A=2CB,\u{1}auth=Bearer t\u{1}\u{1}"), Ok((Some("a,b".to_owned()), "t".to_owned())));
    assert_eq!(of("p=tls-exporter,,\u{1}auth=Bearer t\u{1}\u{1}"), Err(Some(Failure::Binding)), "RFC 5801 4");
    assert_eq!(of("n,a=a b,\u{1}auth=Bearer t\u{1}\u{1}"), Err(Some(Failure::Wrong)), "nobody is called so");
    for malformed in [
        "",
        "\u{1}",
        "n,,",
        "n,,\u{1}",
        "n,\u{1}auth=Bearer t\u{1}\u{1}",
        "n,,x\u{1}auth=Bearer t\u{1}\u{1}",
        "n,,\u{1}auth=Bearer t\u{1}",
        "n,,\u{1}auth=Bearer t\u{1}\u{1}x",
        "n,,\u{1}auth=Bearer t\u{1}auth=Bearer t\u{1}\u{1}",
        "n,,\u{1}auth=Basic dDp0\u{1}\u{1}",
        "n,,\u{1}auth=Bearer \u{1}\u{1}",
        "n,,\u{1}auth=Bearer a=b\u{1}\u{1}",
        "n,,\u{1}auth=Bearer a b\u{1}\u{1}",
        "n,,\u{1}po rt=1\u{1}auth=Bearer t\u{1}\u{1}",
        "n,b=x,\u{1}auth=Bearer t\u{1}\u{1}",
        "x,,\u{1}auth=Bearer t\u{1}\u{1}",
    ] {
        assert_eq!(of(malformed), Err(Some(Failure::Malformed)), "{malformed:?}");
    }
}

#[test]
fn xoauth2_is_the_same_in_other_words() {
    let of = |message: &str| token(Mechanism::XOAuth2, message);
    let shown = (Some("ann@example.org".to_owned()), "ya29.vF9dft4qmTc2Nvb3".to_owned());
    assert_eq!(of("user=Ann@example.org\u{1}auth=Bearer ya29.vF9dft4qmTc2Nvb3\u{1}\u{1}"), Ok(shown));
    for malformed in ["auth=Bearer t\u{1}\u{1}", "user=a\u{1}port=1\u{1}auth=Bearer t\u{1}\u{1}", "user=a\u{1}"] {
        assert_eq!(of(malformed), Err(Some(Failure::Malformed)), "{malformed:?}");
    }
}

#[test]
fn a_token_that_is_no_good_is_told_so_and_then_it_fails_rfc7628_3_2_2_and_3_2_3() {
    for (mechanism, first, told) in [
        (Mechanism::OAuthBearer, "n,,\u{1}auth=Bearer t\u{1}\u{1}", &b"{\"status\":\"invalid_token\"}"[..]),
        (Mechanism::XOAuth2, "user=a\u{1}auth=Bearer t\u{1}\u{1}", b"{\"status\":\"401\",\"schemes\":\"Bearer\"}"),
    ] {
        let mut exchange = Exchange::new(mechanism, Bindings::default());
        assert!(matches!(exchange.begin(), Step::Challenge(asked) if asked.is_empty()));
        assert!(exchange.refused().is_none(), "nothing was shown");
        assert!(matches!(exchange.respond(first.as_bytes()), Ok(Step::Token(..))));
        assert!(matches!(exchange.refused(), Some(Step::Challenge(said)) if said == told));
        assert_eq!(exchange.respond(b"\x01").err(), Some(Failure::Wrong));
    }
    // RFC 7628 4.3: who sends no token is told what it lacks.
    for first in ["n,,\u{1}host=a\u{1}\u{1}", "n,,\u{1}auth=\u{1}\u{1}"] {
        let mut exchange = Exchange::new(Mechanism::OAuthBearer, Bindings::default());
        assert!(matches!(exchange.respond(first.as_bytes()), Ok(Step::Challenge(said)) if !said.is_empty()));
        assert_eq!(exchange.respond(b"\x01").err(), Some(Failure::Wrong));
    }
}

/// What a client might say: near to what it should, or anything.
fn messages() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..60),
        "([ny]|p=tls-exporter),(a=[a-z=,]{0,4})?,n=[a-z=2C]{0,6},r=[ -~]{0,9}".prop_map(String::into_bytes),
        "c=[A-Za-z0-9=]{0,8},r=[ -~]{0,9},p=[A-Za-z0-9=]{0,48}".prop_map(String::into_bytes),
        "[a-z]{0,3}\0[a-z]{0,3}\0.{0,5}".prop_map(String::into_bytes),
        "(n,(a=[a-z=,]{0,4})?,|user=[a-z]{0,3})\x01(port=1\x01)?(auth=(Bearer )?[a-z=. ]{0,4}\x01)?\x01?"
            .prop_map(String::into_bytes),
    ]
}

proptest! {
    #[test]
    fn no_message_makes_a_machine_panic_or_lets_anybody_in(
        which in 0_usize..6,
        said in proptest::collection::vec(messages(), 1..5),
        bound: bool,
    ) {
        let bindings = Bindings { exporter: bound.then(|| b"material".to_vec()), server_end_point: None };
        let mut exchange = Exchange::new(Mechanism::ALL[which], bindings);
        for message in said {
            match exchange.respond(&message) {
                Ok(Step::Keys(name)) => drop(exchange.keys(ScramKeys::of_nobody(&[1; 32], &name, 4096), NONCE)),
                Ok(Step::Challenge(octets)) => prop_assert!(octets.len() < 1000),
                Ok(Step::Check(..)) => prop_assert!(which >= 4),
                Ok(Step::Token(..)) => {
                    prop_assert!((2..4).contains(&which));
                    prop_assert!(matches!(exchange.refused(), Some(Step::Challenge(_))), "it is told once");
                    prop_assert!(exchange.refused().is_none(), "and no more");
                    prop_assert_eq!(exchange.respond(&message).err(), Some(Failure::Wrong));
                    prop_assert_eq!(exchange.respond(b"").err(), Some(Failure::Malformed));
                    break;
                }
                Ok(Step::Proven(name)) => prop_assert!(false, "{name} was let in"),
                Err(_) => break,
            }
        }
    }
}
