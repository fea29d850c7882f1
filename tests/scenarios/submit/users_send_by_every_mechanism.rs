//! swaks, smtplib and a SCRAM client log in, relay, and what they send is made fit for the world.

use super::server;
use mailwright_tests::mail::Mark;
use mailwright_tests::peers::{python, swaks};
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::Sink;

const SCRAM: &str = r#"
import base64, hashlib, hmac, os
enc = lambda octets: base64.b64encode(octets).decode()
mac = lambda key, text: hmac.new(key, text.encode(), hashlib.sha256).digest()
# RFC 5802 3, as its client does it; nothing of it is ours.
def scram(s, name, password):
    bare = "n=%s,r=%s" % (name, enc(os.urandom(18)))
    code, first = s.docmd("AUTH", "SCRAM-SHA-256 " + enc(("n,," + bare).encode()))
    if code != 334:
        return code, first
    first = base64.b64decode(first).decode()
    fields = dict(field.split("=", 1) for field in first.split(","))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
    unproven = "c=biws,r=" + fields["r"]
    signed = ",".join([bare, first, unproven])
    client = mac(salted, "Client Key")
    signature = mac(hashlib.sha256(client).digest(), signed)
    proof = bytes(one ^ other for one, other in zip(client, signature))
    code, last = s.docmd(enc((unproven + ",p=" + enc(proof)).encode()))
    if code != 334:
        return code, last
    server = mac(mac(salted, "Server Key"), signed)
    assert base64.b64decode(last).decode() == "v=" + enc(server), "the server has no keys of ours"
    return s.docmd("")
s = smtplib.SMTP(HOST, PORT, local_hostname="client.example", timeout=60)
s.ehlo()
assert s.esmtp_features["auth"].split() == ["SCRAM-SHA-256", "PLAIN", "LOGIN"], s.esmtp_features
assert scram(s, "ann@example.org", "not the one")[0] == 535
assert scram(s, "eve@example.org", "battery staple")[0] == 535
assert scram(s, "ann@example.org", "battery staple")[0] == 235
s.sendmail("ann@example.org", ["c@to.example"], "Subject: by SCRAM\r\n\r\nhello\r\n")
s.quit()
"#;

const SMTPLIB: &str = r#"
for method in ("auth_plain", "auth_login"):
    s = smtplib.SMTP(HOST, PORT, local_hostname="client.example", timeout=60)
    s.ehlo()
    s.user, s.password = "ann@example.org", "battery staple"
    assert s.auth(method[5:].upper(), getattr(s, method), initial_response_ok=method == "auth_plain")[0] == 235
    s.sendmail("ann@example.org", ["b@to.example"], "Subject: by %s\r\n\r\nhello\r\n" % method)
    s.quit()
s = smtplib.SMTP(HOST, PORT, timeout=60)
s.login("ann@example.org", "battery staple")
s.quit()
"#;

#[test]
fn users_send_by_every_mechanism() {
    let sink = Sink::start();
    let setup = Setup::new().smarthost("*", sink.address()).table("[[tenant]]\nname = \"acme\"");
    let users: &[(&str, &str, &[&str])] = &[("Ann@example.org", "battery staple", &["--tenant", "acme"])];
    let server = server(setup, users);
    for mechanism in ["PLAIN", "LOGIN"] {
        let mark = Mark::new();
        let body = format!("From: ann@example.org\nBcc: hidden@to.example\nTo: b@to.example\n\n{mark}\n");
        let arguments = ["--auth", mechanism, "--auth-user", "ann@example.org", "--auth-password", "battery staple"];
        let more = ["--from", "ann@example.org", "--to", "b@to.example", "--data", &body];
        let (status, said) = swaks(server.address(), &[&arguments[..], &more].concat());
        assert!(status.success(), "{said}");
        let got = sink.message("swaks' message", |message| mark.is_in(&message.octets)).text();
        // RFC 3848, RFC 6409 8.2 and 8.3, RFC 5322 3.6.3.
        assert!(got.contains("by mx.example.test with ESMTPA id "), "{got}");
        assert!(got.contains("\nDate: ") && got.contains("\nMessage-ID: <") && !got.contains("hidden"), "{got}");
    }
    assert_eq!(python(server.address(), SMTPLIB), "");
    assert_eq!(python(server.address(), SCRAM), "");
    for subject in ["by auth_plain", "by auth_login", "by SCRAM"] {
        let _ = sink.message(subject, |message| message.text().contains(subject));
    }
    let accepted = server.event("accepted", |event| event["user"] == "ann@example.org");
    let shown = server.cli(&["user", "list", "--json"]);
    let listed = r#"{"name":"ann@example.org","scram":true,"senders":["ann@example.org"],"tenant":"acme"}"#;
    assert_eq!(String::from_utf8_lossy(&shown.stdout).trim(), listed);
    let _ = server.finished(accepted["id"].as_str().expect("an event names its message"));
    let lines = server.lines().concat();
    assert!(lines.contains("\"mechanism\":\"SCRAM-SHA-256\",\"user\":\"ann@example.org\""));
    assert!(
        !lines.contains("staple") && !lines.contains("eve@example.org"),
        "no password and no stranger's name is logged"
    );
}

#[test]
fn a_user_sends_as_itself_and_strangers_do_not_relay() {
    let setup = Setup::new().set("delivery", "paused = true");
    let server = server(setup, &[("ann@example.org", "battery staple", &["--sender", "@ann.example"])]);
    let mut client = server.client();
    client.hello();
    client.command("MAIL FROM:<x@ann.example>").expect_code(250);
    client.command("RCPT TO:<b@to.example>").expect(550, "5.7.1");
    client.command("AUTH PLAIN").expect(503, "5.5.1");
    client.command("RSET").expect_code(250);
    // NUL, ann@example.org, NUL, battery staple.
    client.command("AUTH PLAIN AGFubkBleGFtcGxlLm9yZwBiYXR0ZXJ5IHN0YXBsZQ==").expect(235, "2.7.0");
    client.command("AUTH PLAIN AGFubkBleGFtcGxlLm9yZwBiYXR0ZXJ5IHN0YXBsZQ==").expect(503, "5.5.1");
    client.command("MAIL FROM:<ann@example.org>").expect(550, "5.7.1");
    client.mail("X@Ann.Example", &["b@to.example"], b"Subject: x\r\n\r\nhello\r\n").expect_code(250);
    client.command("MAIL FROM:<> AUTH=<>").expect_code(250);
}
