//! What others are asked and what they answer: the server in JSON, the directory in BER, played octet by octet.

use super::ber::{self, Element, take, write};
use super::ldap::{Lookup, Step};
use super::{Question, Said, http, user};
use crate::base::flow::policy::SessionInfo;
use crate::base::flow::policy::password::Account;
use crate::base::sasl::sender::SenderPattern;
use crate::base::sasl::{Hidden, Mechanism};
use crate::base::world::http::Origin;
use crate::base::world::tls::Trust;
use crate::config;
use crate::config::model::auth::filter::Filter;
use crate::config::model::auth::ldap::Ldap;
use crate::config::model::{Config, Tenant, UserPattern};
use proptest::prelude::*;
use std::time::Duration;

fn sender(text: &str) -> SenderPattern {
    SenderPattern::parse(text).expect("a pattern")
}

#[test]
fn a_server_is_asked_in_json_and_its_status_answers_rfc9110_15_and_rfc6750_2_1() {
    let peer = "192.0.2.1:4711".parse().expect("a literal");
    let session = SessionInfo { id: "s1".into(), listener: "l".into(), peer, helo: None, tls: None, user: None };
    let password = Hidden::new("p\"w");
    let question = Question { session: &session, how: Mechanism::Login, name: "ann", password: &password };
    let (fields, body) = http::request(&question, Some(b"ours"));
    assert_eq!(body, r#"{"user":"ann","password":"p\"w","peer":"192.0.2.1","mechanism":"LOGIN"}"#);
    assert!(fields.contains(&("Authorization".to_owned(), "Bearer ours".to_owned())));
    assert_eq!(http::request(&question, None).0.len(), 2);
    let said = http::answer(200, br#"{"tenant":"acme","senders":["@a.example","*"],"more":1}"#);
    let found = Account { tenant: Some("acme".into()), senders: vec![sender("@a.example"), sender("*")] };
    assert_eq!(said, Ok(Said::Yes(found)));
    assert_eq!(http::answer(200, b"{}"), Ok(Said::Yes(Account::default())));
    assert_eq!((http::answer(401, b""), http::answer(403, b"x")), (Ok(Said::No), Ok(Said::No)));
    for (status, body) in
        [(200, ""), (200, "1"), (200, "{\"senders\":[\"x y\"]}"), (204, ""), (302, ""), (404, ""), (500, "")]
    {
        assert!(http::answer(status, body.as_bytes()).is_err(), "{status} {body}");
    }
}

#[test]
fn whom_others_know_is_bound_to_a_tenant_and_to_senders() {
    let tenant = |name: &str, users: &[&str]| Tenant {
        name: name.into(),
        users: users.iter().map(|text| UserPattern::parse(text).expect("a pattern")).collect(),
        ..Tenant::default()
    };
    let config =
        Config { tenants: vec![tenant("acme", &["*@acme.example"]), tenant("globex", &[])], ..config::example() };
    let found = |tenant: Option<&str>, senders: &[&str]| Account {
        tenant: tenant.map(Into::into),
        senders: senders.iter().map(|text| sender(text)).collect(),
    };
    let ann = user("ann@acme.example", Account::default(), &config).expect("an address");
    assert_eq!((ann.tenant.as_deref(), &ann.senders[..]), (Some("acme"), &[sender("ann@acme.example")][..]));
    let bob = user("bob", found(Some("globex"), &["@globex.example"]), &config).expect("it is said");
    assert_eq!((bob.tenant.as_deref(), bob.senders.len()), (Some("globex"), 1));
    for (name, found, why) in [
        ("bob", Account::default(), "no address"),
        ("bob@b.example", found(Some("other"), &[]), "there is none such"),
        ("ann@acme.example", found(Some("globex"), &[]), "its [[tenant]] users another"),
    ] {
        let told = user(name, found, &config).expect_err(why);
        assert!(told.contains(why), "{told}");
    }
}

#[test]
fn elements_are_as_rfc4511_5_1_has_them() {
    assert_eq!(write(0x04, &[b"ab", b"c"]), b"\x04\x03abc");
    assert_eq!(ber::number(ber::INTEGER, 3), b"\x02\x01\x03");
    assert_eq!(ber::number(ber::INTEGER, 0), b"\x02\x01\x00");
    assert_eq!(ber::number(ber::INTEGER, 128), b"\x02\x02\x00\x80");
    assert_eq!(ber::number(ber::INTEGER, u32::MAX), b"\x02\x05\x00\xff\xff\xff\xff");
    let long = write(0x04, &[&[7; 200]]);
    assert_eq!(long[..6], [0x04, 0x84, 0, 0, 0, 200]);
    let (element, behind) = take(&long).expect("sound").expect("whole");
    assert_eq!((element.content.len(), behind.len()), (200, 0));
    for part in 0..long.len() {
        assert_eq!(take(&long[..part]), Ok(None), "{part}");
    }
    assert_eq!(take(b"\x04\x81\x01ab").expect("sound"), Some((Element { tag: 4, content: b"a" }, &b"b"[..])));
    for broken in [&b"\x04\x80\0\0"[..], b"\x1f\x01\0", b"\x04\x85\0\0\0\0\0", b"\x04\x84\x7f\0\0\0"] {
        assert!(take(broken).is_err(), "{broken:?}");
    }
    let number = |octets: &[u8]| take(octets).expect("sound").expect("whole").0.number();
    assert_eq!((number(b"\x0a\x01\x31"), number(b"\x02\x02\x01\x00")), (Some(49), Some(256)));
    assert_eq!((number(b"\x02\x01\xff"), number(b"\x02\x00"), number(b"\x04\x01\x01")), (None, None, None));
}

fn directory(bind: bool) -> Ldap {
    Ldap {
        server: Origin::parse("https://ldap.example:636").expect("a server"),
        base: "dc=x".into(),
        filter: Filter::parse("(&(mail={user})(!(a=*)))").expect("a filter"),
        bind: bind.then(|| ("cn=us".into(), "s".into())),
        senders_attribute: Some("mail".into()),
        tenant_attribute: Some("o".into()),
        trust: Trust::System,
        wait: Duration::from_secs(10),
    }
}

/// A message of the directory's, with what its operation has.
fn message(id: u32, tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    write(ber::SEQUENCE, &[&ber::number(ber::INTEGER, id), &write(tag, parts)])
}

fn result(id: u32, tag: u8, code: u32) -> Vec<u8> {
    message(id, tag, &[&ber::number(ber::ENUMERATED, code), &write(4, &[b""]), &write(4, &[b"so\nit is"])])
}

fn entry(id: u32, dn: &str, attributes: &[(&str, &[&str])]) -> Vec<u8> {
    let attribute = |(kind, values): &(&str, &[&str])| {
        let values: Vec<u8> = values.iter().flat_map(|value| write(4, &[value.as_bytes()])).collect();
        write(ber::SEQUENCE, &[&write(4, &[kind.as_bytes()]), &write(0x31, &[&values])])
    };
    let attributes: Vec<u8> = attributes.iter().flat_map(attribute).collect();
    message(id, 0x64, &[&write(4, &[dn.as_bytes()]), &write(ber::SEQUENCE, &[&attributes])])
}

const BOUND: u8 = 0x61;
const SEARCHED: u8 = 0x65;

#[test]
fn a_user_is_searched_for_and_bound_as_rfc4511_4_2_and_4_5_and_rfc4513_5_1_3() {
    let ldap = directory(true);
    let (mut lookup, first) = Lookup::new(&ldap, "a)n*", "secret", b"ours");
    // As any client's: version 3, our name, a simple password.
    assert_eq!(**first, *b"\x30\x15\x02\x01\x01\x60\x10\x02\x01\x03\x04\x05cn=us\x80\x04ours");
    assert_eq!(lookup.receive(&result(1, BOUND, 0)[..5]), Ok(Step::More), "in pieces");
    let Ok(Step::Send(search)) = lookup.receive(&result(1, BOUND, 0)[5..]) else { panic!("it searches") };
    let wanted = b"\x63\x35\x04\x04dc=x\x0a\x01\x02\x0a\x01\x00\x02\x01\x02\x02\x01\x0a\x01\x01\x00\
                   \xa0\x13\xa3\x0c\x04\x04mail\x04\x04a)n*\xa2\x03\x87\x01a\x30\x09\x04\x04mail\x04\x01o";
    assert_eq!(search[5..], wanted[..], "{search:?}");
    let found =
        [entry(2, "cn=ann,dc=x", &[("MAIL", &["a@x.example", "no such"]), ("o", &["acme"])]), message(2, 0x73, &[])];
    assert_eq!(lookup.receive(&found.concat()), Ok(Step::More));
    let Ok(Step::Send(bind)) = lookup.receive(&result(2, SEARCHED, 0)) else { panic!("it binds") };
    assert!(bind.ends_with(b"\x04\x0bcn=ann,dc=x\x80\x06secret"), "{bind:?}");
    let said = Account { tenant: Some("acme".into()), senders: vec![sender("a@x.example")] };
    assert_eq!(lookup.receive(&result(3, BOUND, 0)), Ok(Step::Over(Said::Yes(said))));
    assert_eq!(**lookup.farewell(), *b"\x30\x05\x02\x01\x04\x42\x00", "RFC 4511 4.3");
}

/// A question of nobody's, up to its search, which finds these.
fn searched(ldap: &Ldap, password: &str, found: &[&str], code: u32) -> Result<Step, String> {
    let (mut lookup, _) = Lookup::new(ldap, "ann", password, b"");
    for dn in found {
        assert_eq!(lookup.receive(&entry(1, dn, &[])), Ok(Step::More));
    }
    lookup.receive(&result(1, SEARCHED, code))
}

#[test]
fn one_entry_is_a_user_and_an_empty_name_or_password_is_nobodys_rfc4513_5_1_2() {
    let ldap = directory(false);
    assert!(matches!(searched(&ldap, "x", &["cn=a"], 0), Ok(Step::Send(_))));
    assert_eq!(searched(&ldap, "x", &[], 0), Ok(Step::Over(Said::No)));
    assert_eq!(searched(&ldap, "", &["cn=a"], 0), Ok(Step::Over(Said::No)));
    assert_eq!(searched(&ldap, "x", &[""], 0), Ok(Step::Over(Said::No)));
    for code in [0, 4] {
        let told = searched(&ldap, "x", &["cn=a", "cn=b", "cn=c"], code).expect_err("which of them");
        assert!(told.contains("more than one entry"), "{told}");
    }
    let told = searched(&ldap, "x", &[], 32).expect_err("there is no such base");
    assert_eq!(told, "the search failed: code 32, soit is");
}

#[test]
fn what_a_directory_does_not_say_is_no_answer_rfc4511_4_1_9() {
    let ldap = directory(true);
    let begin = || Lookup::new(&ldap, "ann", "x", b"ours").0;
    let told = begin().receive(&result(1, BOUND, 49)).expect_err("our own password");
    assert!(told.contains("we may not bind there as cn=us: code 49"), "{told}");
    assert!(begin().receive(&result(2, BOUND, 0)).is_err(), "another message's answer");
    assert!(begin().receive(&result(1, SEARCHED, 0)).is_err(), "it was not searched");
    assert!(begin().receive(&message(1, BOUND, &[])).is_err() && begin().receive(b"\x30\x80").is_err());
    assert!(begin().receive(&[0x30, 0x83, 4, 0, 0]).is_ok_and(|step| step == Step::More), "RFC 4511 5.1: it may come");
    assert!(begin().receive(&vec![0; 300_000]).is_err(), "too much");
    let at_the_user = |code| {
        let ldap = directory(false);
        let (mut lookup, _) = Lookup::new(&ldap, "ann", "x", b"");
        assert_eq!(lookup.receive(&entry(1, "cn=a", &[])), Ok(Step::More));
        assert!(matches!(lookup.receive(&result(1, SEARCHED, 0)), Ok(Step::Send(_))));
        lookup.receive(&result(2, BOUND, code))
    };
    assert_eq!((at_the_user(49), at_the_user(48)), (Ok(Step::Over(Said::No)), Ok(Step::Over(Said::No))));
    assert!(at_the_user(52).is_err(), "unavailable");
}

proptest! {
    #[test]
    fn no_octets_of_a_directory_panic_or_let_anybody_in(said in proptest::collection::vec(any::<u8>(), 0..80), split in 0_usize..80) {
        let ldap = directory(true);
        let (mut lookup, _) = Lookup::new(&ldap, "ann", "x", b"ours");
        let split = split.min(said.len());
        for part in [&said[..split], &said[split..]] {
            match lookup.receive(part) {
                Ok(Step::Over(said)) => prop_assert_eq!(said, Said::No),
                Ok(_) => {}
                Err(_) => break,
            }
        }
    }

    #[test]
    fn what_is_written_reads_the_same(tag in 0_u8..0x1f, content in proptest::collection::vec(any::<u8>(), 0..400)) {
        let octets = write(tag, &[&content]);
        let read = take(&octets).expect("sound").expect("whole");
        prop_assert_eq!(read, (Element { tag, content: &content[..] }, &[][..]));
    }
}
