//! Who guesses learns nothing, is told off in a session, and then held back.

use super::server;
use mailwright_tests::peers::python;
use mailwright_tests::setup::Setup;

const GUESS: &str = r#"
import base64
def plain(s, acts_for, name, password):
    message = "\0".join([acts_for, name, password]).encode()
    return s.docmd("AUTH", "PLAIN " + base64.b64encode(message).decode())
s = smtplib.SMTP(HOST, PORT, timeout=60)
s.ehlo()
unknown = plain(s, "", "eve@example.org", "battery staple")
wrong = plain(s, "", "ann@example.org", "another one")
assert unknown == wrong and wrong[0] == 535 and wrong[1].startswith(b"5.7.8"), (unknown, wrong)
assert s.vrfy("ann@example.org")[0] == 252
code, text = plain(s, "bob@example.org", "ann@example.org", "battery staple")
assert code == 421 and text.startswith(b"4.7.0"), (code, text)
# Each further one makes the next wait twice as long, and whoever does not wait is not even checked.
codes = []
while 454 not in codes:
    assert len(codes) < 12, codes
    s = smtplib.SMTP(HOST, PORT, timeout=60)
    s.ehlo()
    codes.append(plain(s, "", "ann@example.org", "another one")[0])
assert set(codes) == {454, 535} and codes[0] == 535, codes
"#;

#[test]
fn guessing_tells_nothing_and_is_slowed_down() {
    let setup = Setup::new().set("auth", "failures_per_peer_max = 3").set("auth", "failure_wait_max = \"1h\"");
    let server = server(setup, &[("ann@example.org", "battery staple", &["--no-scram"])]);
    assert_eq!(python(server.address(), GUESS), "");
    let why = |why: &str| server.event("auth-failed", |event| event["why"] == why);
    assert_eq!(why("too many failures")["mechanism"], "PLAIN");
    assert_eq!(why("foreign authorization identity")["user"], serde_json::Value::Null);
    let wrong = server.event("auth-failed", |event| event["user"] == "ann@example.org");
    assert_eq!(wrong["why"], "wrong credentials");
    assert!(!server.lines().concat().contains("eve@example.org"), "a name that nobody has may be a password");
    assert!(!server.lines().concat().contains("staple"));
}

#[test]
fn without_tls_nothing_is_offered_unless_the_operator_says_so() {
    let setup = Setup::new().set("auth", "users = \"users\"");
    let server = mailwright_tests::program::Mailwright::prepare(&setup);
    super::add(&server, &[("ann@example.org", "battery staple", &[])]);
    let server = server.begin(&[]);
    let mut client = server.client();
    assert!(!client.hello().text().contains("AUTH"));
    client.command("AUTH PLAIN").expect(538, "5.7.11");
}
