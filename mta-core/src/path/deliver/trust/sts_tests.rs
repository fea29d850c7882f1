//! Records and policies of MTA-STS, good and bad ones.

use super::*;
use proptest::prelude::*;

/// As RFC 8461 3.2 shows one.
const EXAMPLE: &str = "version: STSv1\nmode: enforce\nmx: mail.example.com\nmx: *.example.net\nmx: backupmx.example.com\nmax_age: 604800\n";

fn id_of(texts: &[&str]) -> Option<String> {
    announced(&texts.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>()).map(Into::into)
}

#[test]
fn one_record_announces_a_policy_rfc8461_3_1() {
    for good in [
        "v=STSv1; id=20160831085700Z;",
        "v=STSv1;id=20160831085700Z",
        "v=STSv1; ext=a,b; id=20160831085700Z; id=second;",
        "v=STSv1;\tid=20160831085700Z ; x.y-z_=!;",
    ] {
        assert_eq!(id_of(&[good]).as_deref(), Some("20160831085700Z"), "{good}");
    }
    assert_eq!(id_of(&["v=spf1 -all", "v=STSv1; id=1;"]).as_deref(), Some("1"));
    let long = format!("v=STSv1; id={};", "a".repeat(33));
    for none in [
        "",
        "v=STSv1",
        "v=STSv1;",
        "v=STSv1; id=;",
        "v=STSv1; id=a-b;",
        "v=STSv1; id=1;; x=1;",
        "v=STSv1; id=1; =x;",
        "v=STSv1; id=1; x=a b;",
        "v=stsv1; id=1;",
        " v=STSv1; id=1;",
        "v=STSv1 ; id=1;",
        &long,
    ] {
        assert_eq!(id_of(&[none]), None, "{none}");
    }
    assert_eq!(id_of(&["v=STSv1; id=1;", "v=STSv1; id=1;"]), None, "two are as good as none");
    assert_eq!(announced(&[b"v=STSv1; id=\xff;".to_vec()]), None);
}

#[test]
fn a_policy_is_read_rfc8461_3_2() {
    let policy = policy(EXAMPLE.as_bytes()).expect("the example");
    assert_eq!((policy.mode, policy.max_age), (Mode::Enforce, Duration::from_secs(604_800)));
    assert_eq!(&*policy.hosts, ["mail.example.com".into(), "*.example.net".into(), "backupmx.example.com".into()]);
    assert_eq!(policy.text(), EXAMPLE.trim_end());
    let PolicyFound::Sts { lines, hosts } = policy.found() else { panic!("it is MTA-STS") };
    assert_eq!((lines.len(), hosts.len()), (6, 3));
    // Other ends of lines, other orders, fields that are not known, and such as are there twice.
    let other =
        "max_age:9999999999\r\nmx:\tMX.example \r\n\r\nfuture: a: b\r\nmode:testing\r\nmode:none\r\nversion:STSv1";
    let other = super::policy(other.as_bytes()).expect("as good");
    assert_eq!((other.mode, other.max_age), (Mode::Testing, Duration::from_secs(AGE_MAX)));
    assert_eq!(&*other.hosts, ["mx.example".into()]);
    let none = super::policy(b"version: STSv1\nmode: none\nmax_age: 86400\n").expect("a policy that takes itself back");
    assert_eq!((none.mode, none.hosts.len()), (Mode::None, 0));
}

#[test]
fn what_is_no_policy_is_told() {
    let hosts = "mx: a.example\n".repeat(HOSTS_MAX + 1);
    for (text, why) in [
        ("<html>", "a line has no colon"),
        ("", "its version is not STSv1"),
        ("version: STSv2\nmode: enforce\nmx: a.example\nmax_age: 1", "its version is not STSv1"),
        ("version: STSv1\nmx: a.example\nmax_age: 1", "it has no mode"),
        ("version: STSv1\nmode: Enforce\nmx: a.example\nmax_age: 1", "its mode is none that there is"),
        ("version: STSv1\nmode: enforce\nmx: a.example", "it has no max_age"),
        ("version: STSv1\nmode: enforce\nmx: a.example\nmax_age: +1", "its max_age is no number of seconds"),
        ("version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 12345678901", "its max_age is no number of seconds"),
        ("version: STSv1\nmode: enforce\nmax_age: 1", "it names no host"),
        ("version: STSv1\nmode: enforce\nmx: *.*.example\nmax_age: 1", "an mx is no name of a host"),
        ("version: STSv1\nmode: enforce\nmx: \nmax_age: 1", "an mx is no name of a host"),
        (&hosts, "it names more than 100 hosts"),
    ] {
        assert_eq!(policy(text.as_bytes()), Err(why), "{text}");
    }
    assert_eq!(policy(b"\xff"), Err("it is not UTF-8"));
}

#[test]
fn a_star_stands_for_one_label_rfc8461_4_1() {
    let policy = policy(EXAMPLE.as_bytes()).expect("the example");
    for host in ["mail.example.com", "MAIL.example.COM", "a.example.net"] {
        assert!(policy.names(host), "{host}");
    }
    for host in ["example.net", "a.b.example.net", "mail.example.com.evil.example", "xmail.example.com", ""] {
        assert!(!policy.names(host), "{host}");
    }
}

proptest! {
    #[test]
    fn whatever_is_served_is_read_or_refused(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = policy(&octets);
        let _ = announced(&[octets]);
    }

    #[test]
    fn what_is_kept_of_a_policy_reads_the_same(
        mode in "enforce|testing|none",
        age in 0..40_000_000_u64,
        hosts in proptest::collection::vec("(\\*\\.)?[a-z0-9-]{1,9}\\.example", 1..5),
        end in "\n|\r\n|[ \t]\r\n",
    ) {
        let mx: String = hosts.iter().map(|host| format!("mx: {host}{end}")).collect();
        let text = format!("version: STSv1{end}mode: {mode}{end}{mx}other: 1{end}max_age: {age}{end}");
        let read = policy(text.as_bytes()).expect("it is one");
        prop_assert_eq!(policy(read.text().as_bytes()), Ok(read));
    }
}
