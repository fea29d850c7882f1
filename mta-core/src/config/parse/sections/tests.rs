//! Listeners, certificates and routes: what good files give, and the words that bad ones get.

use crate::base::flow::attempt::NextHop;
use crate::base::world::tls::{Outgoing, Trust};
use crate::config::model::Config;
use crate::config::model::listener::{Kind, StartTls, TlsVersion};
use crate::config::parse::parse;
use std::path::Path;

const LEAST: &str = "hostname = \"mx.example.test\"\ndata_dir = \"var\"\n\
                     [[listener]]\nname = \"mx\"\nbind = \"127.0.0.1:2525\"\n";

fn read(rest: &str) -> Result<Config, String> {
    parse("mx.toml", &format!("{LEAST}{rest}"), &[]).map_err(|problems| problems.to_string())
}

/// Lines behind the least file, and what is told of them.
const WRONG: &[(&str, &str)] = &[
    (
        "[[listener]]\nname = \"b\"\nbind = \"127.0.0.1:465\"\nkind = \"submissions\"",
        "listener.1.kind: \"submissions\" needs a certificate: add a [[tls.certificate]] with cert and key",
    ),
    (
        "[[listener]]\nname = \"b\"\nbind = \"127.0.0.1:465\"\nkind = \"submissions\"\nstarttls = \"required\"",
        "listener.1.starttls: expected none: kind = \"submissions\" has TLS from the first octet on",
    ),
    (
        "[[listener]]\nname = \"b\"\nbind = \"127.0.0.1:587\"\nkind = \"submission\"",
        "or starttls = \"off\" where something before it has TLS",
    ),
    (
        "[[listener]]\nname = \"b\"\nbind = \"127.0.0.1:26\"\nstarttls = \"offered\"",
        "listener.1.starttls: it needs a certificate: add a [[tls.certificate]]",
    ),
    // RFC 2033 5.
    (
        "[[listener]]\nname = \"b\"\nbind = \"127.0.0.1:25\"\nkind = \"lmtp\"",
        "listener.1.bind: expected another port than 25, which is that of SMTP",
    ),
    ("[[tls.certificate]]\ncert = \"a.pem\"", "tls.certificate.0.key: missing: expected the file of its private key"),
    ("[tls]\nversion_min = \"1.1\"", "tls.version_min: expected `1.2` or `1.3`, found \"1.1\""),
    ("[delivery]\ntls = \"verify\"", "delivery.tls: expected `off`, `opportunistic` or `required`, found \"verify\""),
    ("[[route]]\nto = \"*\"\nmaildir = \"m\"\ntls = \"off\"", "route.0.tls: expected none: a Maildir"),
    (
        "[[route]]\nto = \"*\"\nsmarthost = \"a:25\"\nca = \"ca.pem\"",
        "route.0.ca: expected tls = \"verify\" beside it: otherwise nobody looks at certificates",
    ),
    (
        "[[route]]\nto = \"a.test\"\nsmarthost = \"a:25\"\n[[route]]\nto = \"*\"\nsmarthost = \"a:25\"\ntls = \"off\"",
        "route.1.tls: expected the tls and ca of the other [[route]] to smtp:a:25: they share connections",
    ),
];

#[test]
fn what_is_wrong_with_listeners_and_routes_is_told_with_its_mend_rfc2033_5() {
    for (rest, expected) in WRONG {
        let told = read(rest).expect_err(rest);
        assert!(told.contains(expected), "{rest}\ngave\n{told}\nwithout\n{expected}");
    }
}

#[test]
fn listeners_take_from_tls_what_they_do_not_say_themselves_rfc6409_and_rfc8314() {
    let config = read(
        r#"
[[listener]]
name = "users"
bind = "127.0.0.1:587"
kind = "submission"
certificate = [{ cert = "own.pem", key = "own.key" }]
[[listener]]
name = "secure"
bind = "127.0.0.1:465"
kind = "submissions"
client_ca = "clients.pem"
proxy_from = ["192.0.2.0/24"]
[[listener]]
name = "plain"
bind = "127.0.0.1:24"
kind = "lmtp"
starttls = "off"
[tls]
version_min = "1.3"
client_ca = "all.pem"
[[tls.certificate]]
cert = "mx.pem"
key = "mx.key"
[[route]]
to = "a.test"
smarthost = "a.test:25"
tls = "verify"
[[route]]
to = "b.test"
smarthost = "b.test:25"
tls = "verify"
ca = "b.pem"
"#,
    )
    .expect("a good file");
    let [mx, users, secure, plain] = config.listeners.as_slice() else { panic!("four of them") };
    assert_eq!((mx.kind, mx.starttls, users.starttls), (Kind::Relay, StartTls::Offered, StartTls::Required));
    assert_eq!((secure.starttls, plain.starttls), (StartTls::Off, StartTls::Off));
    assert_eq!(mx.certificates[0].cert, Path::new("mx.pem"));
    assert_eq!(users.certificates[0].key, Path::new("own.key"));
    assert_eq!(secure.client_ca.as_deref(), Some(Path::new("clients.pem")));
    assert_eq!(plain.client_ca.as_deref(), Some(Path::new("all.pem")));
    assert!(config.listeners.iter().all(|listener| listener.version_min == TlsVersion::V13));
    assert!(secure.proxy_from[0].contains("192.0.2.9".parse().unwrap()));
    assert_eq!(config.tls_to(&config.routes[0].via), &Outgoing::Verify(Trust::System));
    assert_eq!(config.tls_to(&config.routes[1].via), &Outgoing::Verify(Trust::File("b.pem".into())));
    assert_eq!(config.tls_to(&NextHop::Nowhere), &Outgoing::Opportunistic);
}

#[test]
fn the_files_that_people_start_from_are_sound() {
    let dev = include_str!("../../../../../config/dev.toml");
    let config = parse("config/dev.toml", dev, &[]).map_err(|problems| problems.to_string()).expect("a good file");
    assert_eq!(config.listeners[0].bind, "127.0.0.1:2525".parse().unwrap());
    assert!(matches!(&config.routes[0].via, NextHop::Maildir(path) if path.starts_with("var")));
    let sources: Vec<_> = config.plugins.iter().map(|plugin| plugin.source.clone()).collect();
    let builtin = |name: &str| crate::config::model::PluginSource::Builtin(name.into());
    assert_eq!(sources, ["rate-limit", "filter", "routing", "hello"].map(builtin));
}
