//! An authority issues the certificate (RFC 8555, RFC 8737): the server starts without it, asks for it, shows that the name is
//! its own, and renews in time, while sessions go on.

use mailwright_tests::dns::{NameServer, Zones};
use mailwright_tests::peers::pebble::{Pebble, Wish};
use mailwright_tests::peers::tls::{Authority, Openssl};
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use rustix::process::Signal;
use serde_json::Value;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn dns() -> NameServer {
    Zones::new().a("mx.example.test", Ipv4Addr::LOCALHOST).a("mail.example.test", Ipv4Addr::LOCALHOST).start()
}

fn setup(wish: &Wish, ca: &Path, challenge: &str, names: &str) -> Setup {
    Setup::new()
        .set("delivery", "paused = true")
        .set("acme", &format!("directory = \"{}\"", wish.directory()))
        .set("acme", &format!("ca = \"{}\"", ca.display()))
        .set("acme", &format!("challenge = \"{challenge}\""))
        .set("acme", &format!("bind = \"{}\"", wish.challenges))
        .set("acme", &format!("names = {names}"))
        .set("acme", "accept_terms = true")
        .set("acme", "contact = [\"postmaster@example.test\"]")
}

/// Waits until certificates that were issued for these names are in force.
fn in_force(server: &Mailwright, names: &str) {
    let _ = server.event("certificate-loaded", |event| event["names"] == names);
}

#[test]
fn mail_is_served_before_the_first_certificate_is_there_rfc8555_8_3() {
    let (authority, dns, wish) = (Authority::new(), dns(), Wish::new());
    let ca = authority.path("ca.pem");
    let one = setup(&wish, &ca, "http-01", "[\"mx.example.test\"]");
    let mut server = Mailwright::start(&one);
    // Nobody is there yet, and mail comes in.
    let failed = server.event("acme-failed", |_| true);
    assert_eq!((&failed["failures"], &failed["names"]), (&Value::from(1), &Value::from("mx.example.test")), "{failed}");
    let why = failed["why"].as_str().unwrap_or_default();
    assert!(why.contains(&wish.directory()) && why.contains("connecting to"), "{why}");
    let again = failed["again_in_ms"].as_u64().expect("a number");
    assert!((60_000..=66_000).contains(&again), "{again}");
    let mut client = server.client();
    let said = client.command("EHLO client.example");
    assert!(!said.text().contains("STARTTLS"), "{said:?}");
    client.mail("a@from.example", &["b@example.test"], b"Subject: x\r\n\r\nhello\r\n").expect_code(250);

    // A change of what it says is tried at once.
    let pebble = Pebble::start(&wish, authority, &dns);
    let both = "[\"mx.example.test\", \"mail.example.test\"]";
    server.configure(&setup(&wish, &ca, "http-01", both));
    server.signal(Signal::HUP);
    let ordered = server.event("acme-ordered", |event| event["names"] == "mx.example.test mail.example.test");
    assert_eq!(ordered["why"], "there is none", "{ordered}");
    let _ = server.event("acme-asked", |event| event["challenge"] == "http-01" && event["answered"] == true);
    let _ = server.event("acme-issued", |_| true);
    server.events_reach("certificates-reloaded", 1);
    let shown = Openssl::connect(
        server.address(),
        &pebble.root(),
        &["-starttls", "smtp", "-servername", "mail.example.test", "-verify_hostname", "mail.example.test"],
    )
    .shows("Verify return code: 0 (ok)");
    assert!(shown.contains("TLSv1.3"), "{shown}");

    let folder = server.data_dir().join("acme").join(format!("127.0.0.1-{}-dir", wish.address.port()));
    for file in ["account.json", "certificate.pem"] {
        let mode = std::fs::metadata(folder.join(file)).expect("it is kept").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    // After a restart both are there, nothing is asked for, and TLS is there from the first moment on.
    assert!(server.stop().success());
    server.restart(&[]);
    let said = server.client().command("EHLO client.example");
    assert!(said.text().contains("STARTTLS"), "{said:?}");
    assert!(server.events("acme-ordered").is_empty());
}

#[test]
fn a_certificate_is_renewed_when_a_third_of_its_time_is_left_rfc8737_3() {
    let (authority, dns) = (Authority::new(), dns());
    let wish = Wish { validity_seconds: 24, ..Wish::new() };
    let ca = authority.path("ca.pem");
    let pebble = Pebble::start(&wish, authority, &dns);
    let users = "[[listener]]\nname = \"users\"\nbind = \"127.0.0.1:0\"\nkind = \"submissions\"";
    let server = Mailwright::start(&setup(&wish, &ca, "tls-alpn-01", "[\"mx.example.test\"]").table(users));
    let _ = server.event("acme-asked", |event| event["challenge"] == "tls-alpn-01" && event["answered"] == true);
    in_force(&server, "mx.example.test");
    let root = pebble.root();
    let mut open = Openssl::connect(server.address_of("users"), &root, &["-servername", "mx.example.test"]);
    open.shows("Verify return code: 0 (ok)");
    open.say("EHLO client.example").shows("250 LIMITS");

    let renewal = server.event("acme-ordered", |event| event["why"] == "a third of its time is left");
    assert_eq!(renewal["names"], "mx.example.test", "{renewal}");
    server.events_reach("acme-issued", 2);
    server.events_reach("certificates-reloaded", 2);
    open.say("RSET").shows("250 2.0.0");
    Openssl::connect(server.address(), &root, &["-starttls", "smtp"]).shows("Verify return code: 0 (ok)");
    assert!(server.events("acme-failed").is_empty());
}

#[test]
fn what_the_authority_refuses_is_told_in_its_words_rfc8555_6_7() {
    let (authority, dns, wish) = (Authority::new(), dns(), Wish::new());
    let ca = authority.path("ca.pem");
    let _pebble = Pebble::start(&wish, authority, &dns);
    let server = Mailwright::start(&setup(&wish, &ca, "http-01", "[\"blocked.example.test\"]"));
    let failed = server.event("acme-failed", |_| true);
    assert!(failed["why"].as_str().is_some_and(|why| why.contains("(rejectedIdentifier)")), "{failed}");
    // Its name leads nowhere, so nobody can ask.
    server.configure(&setup(&wish, &ca, "http-01", "[\"nowhere.example.test\"]"));
    server.signal(Signal::HUP);
    let failed = server.event("acme-failed", |event| event["names"] == "nowhere.example.test");
    let why = failed["why"].as_str().unwrap_or_default();
    assert!(why.starts_with("nowhere.example.test: ") && why.ends_with("(connection)"), "{failed}");
    assert_eq!(failed["failures"], 1, "{failed}");
    // Something that is no directory answers there: pebble itself, beside its directory.
    server.configure(
        &setup(&wish, &ca, "http-01", "[\"mx.example.test\"]")
            .set("acme", &format!("directory = \"https://{}/roots\"", wish.address)),
    );
    server.signal(Signal::HUP);
    let why = format!("what is at https://{}/roots is no ACME directory", wish.address);
    let _ = server.event("acme-failed", |event| event["why"].as_str().is_some_and(|told| told.contains(&why)));
    // And then it is right.
    server.configure(&setup(&wish, &ca, "http-01", "[\"mx.example.test\"]"));
    server.signal(Signal::HUP);
    in_force(&server, "mx.example.test");

    let other = setup(&Wish { challenges: wish.address, ..wish }, &ca, "http-01", "[\"mx.example.test\"]");
    server.configure(&other);
    server.signal(Signal::HUP);
    let refused = server.event("reload-refused", |_| true);
    assert!(refused["why"].as_str().is_some_and(|why| why.contains("`acme.bind`")), "{refused}");
    server.configure(&other.set("acme", "accept_terms = false"));
    let output = server.cli(&["check-config"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("acme.accept_terms: expected true, when you have read the authority's terms"), "{said}");
}

/// The key in base64url, and another of the same length.
const KEY: &str = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";
const OTHER: &str = "aWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";

#[test]
fn an_account_is_bound_to_another_that_the_authority_knows_rfc8555_7_3_4() {
    let (authority, dns) = (Authority::new(), dns());
    let wish = Wish { external: Some(("kid-1", KEY)), ..Wish::new() };
    let ca = authority.path("ca.pem");
    let file = authority.path("eab");
    let _pebble = Pebble::start(&wish, authority, &dns);
    let unbound = || setup(&wish, &ca, "http-01", "[\"mx.example.test\"]");
    // A change of what it says has it tried at once.
    let bound = |key: &str, contact: &str| {
        std::fs::write(&file, format!("{key}=\n")).expect("our own folder");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("our own file");
        let secret = format!("[[secret]]\nname = \"eab\"\nfile = \"{}\"", file.display());
        let setup = unbound().set("acme", "external_key_id = \"kid-1\"").set("acme", "external_key_secret = \"eab\"");
        setup.set("acme", &format!("contact = [\"{contact}@example.test\"]")).table(&secret)
    };
    let server = Mailwright::start(&unbound());
    let failed = server.event("acme-failed", |_| true);
    assert!(failed["why"].as_str().is_some_and(|why| why.contains("(externalAccountRequired)")), "{failed}");
    for (key, contact, told) in
        [("no/key", "ann", "the secret \"eab\" is no key in base64url"), (OTHER, "bob", "(unauthorized)")]
    {
        server.configure(&bound(key, contact));
        server.signal(Signal::HUP);
        let _ = server.event("acme-failed", |event| event["why"].as_str().is_some_and(|why| why.contains(told)));
    }
    server.configure(&bound(KEY, "hostmaster"));
    server.signal(Signal::HUP);
    in_force(&server, "mx.example.test");
    assert!(!server.lines().concat().contains(KEY), "the key is not told");
}
