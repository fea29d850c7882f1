//! Passwords that others know: a server that is asked by HTTP, and slapd by LDAP; the file of users comes first.

use super::{LOGIN, add, said};
use mailwright_tests::peers::issuer::Issuer;
use mailwright_tests::peers::slapd::{READER, Slapd};
use mailwright_tests::peers::tls::Authority;
use mailwright_tests::peers::{python, swaks};
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use serde_json::json;

fn setup() -> Setup {
    let setup = Setup::new().set("auth", "users = \"users\"").set("delivery", "paused = true");
    setup.set("relay", "networks = []").table("[[tenant]]\nname = \"acme\"\nusers = [\"*@acme.example\"]")
}

const BY_HTTP: &str = r#"
assert sender("ann@acme.example", "of the server", "ann@acme.example") == 250
assert sender("bob", "of the server", "x@bob.example") == 250
assert sender("bob", "of the server", "bob@other.example") == 550
# Who is in the file is as the file says: with a password it is asked alone, without one it has the senders.
assert sender("carol@example.org", "battery staple", "carol@example.org") == 250
assert login("carol@example.org", "of the server")[0] == 535
assert sender("dora", "of the server", "x@dora.example") == 250
assert login("ann@acme.example", "another one")[0] == 535
assert login("eve@acme.example", "of the server")[0] == 535
assert login("fay@example.org", "of the server")[0] == 454, "it names a tenant that is not there"
"#;

const AWAY: &str = r#"
assert login("ann@acme.example", "of the server")[0] == 454
assert sender("carol@example.org", "battery staple", "carol@example.org") == 250
"#;

#[test]
fn a_server_is_asked_and_the_file_comes_first() {
    let issuer = Issuer::start();
    let server = Mailwright::prepare(&setup());
    add(&server, &[("carol@example.org", "battery staple", &[])]);
    server.configure(&setup().set("auth.http", &format!("url = \"{}\"", issuer.url("users"))));
    let dora = server.cli(&["user", "add", "dora", "--sender", "@dora.example", "--no-password"]);
    assert!(dora.status.success(), "{}", said(&dora));
    for (name, answer) in [
        ("ann@acme.example", json!({})),
        ("bob", json!({ "senders": ["@bob.example"] })),
        ("carol@example.org", json!({})),
        ("dora", json!({ "senders": ["*"] })),
        ("fay@example.org", json!({ "tenant": "none" })),
    ] {
        issuer.says_of_user(name, "of the server", answer);
    }
    let server = server.begin(&["listener.mx.auth=danger_plaintext"]);
    assert_eq!(python(server.address(), &[LOGIN, BY_HTTP].concat()), "");
    let asked = issuer.asked("users");
    assert!(!asked.iter().any(|asked| asked.contains("carol")), "whose password is here is shown to nobody: {asked:?}");
    assert!(asked.iter().all(|asked| asked.contains("\"peer\":\"127.0.0.1\"")), "{asked:?}");
    let told = server.event("auth-unanswered", |event| event["of"] == "http");
    assert!(told["why"].as_str().is_some_and(|why| why.contains("there is none such")), "{told}");
    issuer.is_away(true);
    assert_eq!(python(server.address(), &[LOGIN, AWAY].concat()), "");
    let lines = server.lines().concat();
    assert!(lines.contains("status 503") && !lines.contains("of the server"), "no password is logged");
}

const BY_LDAP: &str = r#"
assert sender("ann@acme.example", "in the directory", "ann@acme.example") == 250
assert sender("ann@acme.example", "in the directory", "eve@acme.example") == 550
assert sender("ann", "in the directory", "ann@acme.example") == 250, "the address is the directory's"
for name, password in [
    ("ann@acme.example", "another one"),
    ("eve@acme.example", "in the directory"),
    # What would be a filter is a name: nobody has it.
    ("*", "in the directory"),
    ("ann)(uid=ann", "in the directory"),
    ("ann*", "in the directory"),
]:
    assert login(name, password)[0] == 535, name
assert login("gus@acme.example", "in the directory")[0] == 454, "there are two of the address"
"#;

#[test]
fn a_directory_is_asked_by_ldap_rfc4511_4_2() {
    let authority = Authority::new();
    let people = [
        ("ann", "ann@acme.example", "in the directory", "acme"),
        ("gus", "gus@acme.example", "in the directory", "acme"),
        ("gus2", "gus@acme.example", "in the directory", "acme"),
    ];
    let mut slapd = Slapd::start(&authority, &people);
    authority.put("secret", READER.1);
    let ldap = [
        format!("url = \"ldaps://{}\"", slapd.address()),
        "base = \"dc=example,dc=test\"".to_owned(),
        "filter = \"(&(objectClass=inetOrgPerson)(|(mail={user})(uid={user})))\"".to_owned(),
        format!("bind_dn = \"{}\"", READER.0),
        "bind_secret = \"reader\"".to_owned(),
        "senders_attribute = \"mail\"".to_owned(),
        "tenant_attribute = \"o\"".to_owned(),
        format!("ca = \"{}\"", authority.path("ca.pem").display()),
    ];
    let secret = authority.path("secret");
    let setup = setup().table(&format!("[[secret]]\nname = \"reader\"\nfile = \"{}\"", secret.display()));
    let setup = ldap.iter().fold(setup, |setup, line| setup.set("auth.ldap", line));
    let server = Mailwright::prepare(&setup);
    let dora = server.cli(&["user", "add", "dora", "--sender", "@dora.example", "--no-password"]);
    assert!(dora.status.success(), "{}", said(&dora));
    let server = server.begin(&["listener.mx.auth=danger_plaintext"]);
    assert_eq!(python(server.address(), &[LOGIN, BY_LDAP].concat()), "");
    let told = server.event("auth-unanswered", |event| event["of"] == "ldap");
    assert!(told["why"].as_str().is_some_and(|why| why.contains("more than one entry")), "{told}");
    let arguments = ["--auth", "PLAIN", "--auth-user", "ann", "--auth-password", "in the directory"];
    let more = ["--from", "ann@acme.example", "--to", "b@to.example", "--body", "x"];
    let (status, transcript) = swaks(server.address(), &[&arguments[..], &more].concat());
    assert!(status.success(), "{transcript}");
    let queued = server.queue();
    assert!(queued.iter().any(|entry| entry["tenant"] == "acme"), "{queued:?}");
    slapd.stop();
    let away = "assert login(\"ann@acme.example\", \"in the directory\")[0] == 454\n";
    assert_eq!(python(server.address(), &[LOGIN, away].concat()), "");
    assert!(!server.lines().concat().contains("in the directory"), "no password is logged");
}
