//! Clients log in by tokens, OAUTHBEARER and XOAUTH2, by smtplib and by nodemailer; tokens are signed, or their issuer is
//! asked.

use super::add;
use mailwright_tests::peers::issuer::{CLIENT, Issuer};
use mailwright_tests::peers::tls::Authority;
use mailwright_tests::peers::{nodemailer, python};
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::Sink;
use serde_json::json;

/// A server with TLS, to which users come by tokens and, where they have one, by a password.
fn prepared(authority: &Authority, oauth: &[String]) -> (Setup, Sink) {
    let sink = Sink::start();
    authority.sign("mx", &["mx.example.test"], 2100);
    let setup = Setup::new().smarthost("*", sink.address()).table(&authority.certificate("tls", "mx"));
    let setup = setup.set("relay", "networks = []").set("auth", "users = \"users\"");
    let setup = setup.table("[[tenant]]\nname = \"acme\"\nusers = [\"*@acme.example\"]");
    (oauth.iter().fold(setup, |setup, line| setup.set("auth.oauth", line)), sink)
}

fn signed(issuer: &Issuer) -> [String; 4] {
    [
        format!("jwks_url = \"{}\"", issuer.url("keys")),
        "issuer = \"https://issuer.test\"".to_owned(),
        "audience = \"mail\"".to_owned(),
        "users = [\"*@acme.example\"]".to_owned(),
    ]
}

const SMTPLIB: &str = r#"
import json, ssl
context = ssl.create_default_context(cafile=CA)
context.check_hostname = False
def session():
    s = smtplib.SMTP(HOST, PORT, local_hostname="client.example", timeout=60)
    s.ehlo()
    assert not s.has_extn("auth"), "in clear nothing is offered"
    s.starttls(context=context)
    s.ehlo()
    return s
def bearer(s, mechanism, user, token, initial=True):
    told = []
    def shown(challenge=None):
        if challenge:
            told.append(json.loads(challenge))
            return "" if mechanism == "XOAUTH2" else "\x01"
        if mechanism == "XOAUTH2":
            return "user=%s\x01auth=Bearer %s\x01\x01" % (user, token)
        header = "n,a=%s," % user if user else "n,,"
        return "%s\x01host=mx.example.test\x01port=587\x01auth=Bearer %s\x01\x01" % (header, token)
    try:
        return s.auth(mechanism, shown, initial_response_ok=initial)[0], told
    except smtplib.SMTPAuthenticationError as error:
        return error.smtp_code, told
"#;

const SIGNED: &str = r#"
for mechanism in ("OAUTHBEARER", "XOAUTH2"):
    for initial in (True, False):
        s = session()
        assert s.esmtp_features["auth"].split() == ["OAUTHBEARER", "XOAUTH2"], s.esmtp_features
        assert bearer(s, mechanism, "ann@acme.example", GOOD, initial) == (235, []), mechanism
        s.sendmail("ann@acme.example", ["b@to.example"], "Subject: by %s\r\n\r\nhello\r\n" % mechanism)
        code, text = s.mail("eve@acme.example")
        assert code == 550 and text.startswith(b"5.7.1"), (code, text)
        s.quit()
s = session()
code, told = bearer(s, "OAUTHBEARER", "ann@acme.example", OLD)
assert code == 535 and told == [{"status": "invalid_token"}], (code, told)
code, told = bearer(s, "XOAUTH2", "bob@acme.example", GOOD)
assert code == 535 and told[0]["status"] == "401", (code, told)
code, told = bearer(s, "OAUTHBEARER", "eve@other.example", STRANGER)
assert code == 421, code
"#;

#[test]
fn signed_tokens_are_verified_by_their_issuers_keys() {
    let (authority, issuer) = (Authority::new(), Issuer::start());
    let (setup, sink) = prepared(&authority, &signed(&issuer));
    let server = Mailwright::prepare(&setup);
    let bob = server.cli(&["user", "add", "bob@acme.example", "--no-password"]);
    assert!(bob.status.success(), "{}", super::said(&bob));
    let server = server.begin(&[]);
    let (good, old) = (issuer.token("Ann@acme.example", 600), issuer.token("ann@acme.example", -600));
    let head = format!(
        "CA, GOOD, OLD, STRANGER = {:?}, {good:?}, {old:?}, {:?}\n",
        authority.path("ca.pem").display().to_string(),
        issuer.token("eve@other.example", 600)
    );
    assert_eq!(python(server.address(), &(head + SMTPLIB + SIGNED)), "");
    for subject in ["by OAUTHBEARER", "by XOAUTH2"] {
        let got = sink.message(subject, |message| message.text().contains(subject)).text();
        assert!(got.contains("with ESMTPSA id "), "{got}");
    }
    assert_eq!(issuer.asked("keys").len(), 1, "the keys are kept");
    let accepted = server.event("accepted", |event| event["user"] == "ann@acme.example");
    let id = accepted["id"].as_str().expect("an event names its message");
    let _ = server.finished(id);
    for why in ["token: expired", "token: another user's", "token: user unknown here"] {
        let _ = server.event("auth-failed", |event| event["why"] == why);
    }
    let lines = server.lines().concat();
    assert!(!lines.contains(&good) && !lines.contains(&old), "no token is logged");
}

const ASKED: &str = r#"
for number in range(2):
    s = session()
    assert bearer(s, "XOAUTH2", "ann@example.org", "opaque") == (235, [])
    s.quit()
s = session()
assert bearer(s, "OAUTHBEARER", "ann@example.org", "revoked")[0] == 535
assert bearer(s, "OAUTHBEARER", "", "opaque") == (235, []), "the token says who it is"
"#;

const AWAY: &str = r#"
s = session()
assert bearer(s, "XOAUTH2", "ann@example.org", "another") == (454, [])
s.quit()
"#;

#[test]
fn an_issuer_is_asked_about_tokens_and_its_outage_is_no_refusal() {
    let (authority, issuer) = (Authority::new(), Issuer::start());
    issuer.says_of_token("opaque", json!({ "active": true, "username": "ann@example.org" }));
    let oauth = [
        format!("introspection_url = \"{}\"", issuer.url("tokens")),
        format!("client_id = \"{}\"", CLIENT.0),
        "client_secret = \"issuer\"".to_owned(),
        "user_claim = \"username\"".to_owned(),
    ];
    let (setup, _sink) = prepared(&authority, &oauth);
    authority.put("secret", &format!("{}\n", CLIENT.1));
    let secret = authority.path("secret");
    let setup = setup.table(&format!("[[secret]]\nname = \"issuer\"\nfile = \"{}\"", secret.display()));
    let server = Mailwright::prepare(&setup);
    let ann = ["user", "add", "ann@example.org", "--sender", "@example.org", "--no-password"];
    assert!(server.cli(&ann).status.success(), "who comes by tokens has a line without a password");
    let server = server.begin(&[]);
    let head = format!("CA = {:?}\n", authority.path("ca.pem").display().to_string());
    assert_eq!(python(server.address(), &(head.clone() + SMTPLIB + ASKED)), "");
    assert_eq!(issuer.asked("tokens").len(), 2, "a good answer is believed for a while");
    issuer.is_away(true);
    assert_eq!(python(server.address(), &(head + SMTPLIB + AWAY)), "");
    let told = server.event("auth-unanswered", |event| event["of"] == "oauth");
    assert!(told["why"].as_str().is_some_and(|why| why.contains("503")), "{told}");
}

const NODEMAILER: &str = r#"
const ways = [
    [{ type: "OAuth2", user: "ann@acme.example", accessToken: GOOD }, "by XOAUTH2"],
    [{ user: "carol@acme.example", pass: "battery staple" }, "by PLAIN"],
    [{ user: "carol@acme.example", pass: "battery staple" }, "by LOGIN"],
];
for (const [auth, subject] of ways) {
    const authMethod = subject.slice(3);
    const from = auth.user;
    await transport({ auth, authMethod }).sendMail({ from, to: "b@to.example", subject, text: "hello" });
}
const refused = async (auth, code) => {
    try {
        await transport({ auth }).sendMail({ from: "ann@acme.example", to: "b@to.example", subject: "no", text: "no" });
    } catch (error) {
        if (error.responseCode === code) return;
        throw error;
    }
    throw new Error("it was let in");
};
await refused({ type: "OAuth2", user: "ann@acme.example", accessToken: OLD }, 535);
await refused({ user: "carol@acme.example", pass: "another one" }, 535);
"#;

const PASSWORDS: &str = r#"
for method in ("auth_plain", "auth_login"):
    s = session()
    assert s.esmtp_features["auth"].split() == ["OAUTHBEARER", "XOAUTH2", "PLAIN", "LOGIN"], s.esmtp_features
    s.user, s.password = "carol@acme.example", "battery staple"
    assert s.auth(method[5:].upper(), getattr(s, method))[0] == 235
    s.sendmail("carol@acme.example", ["b@to.example"], "Subject: smtplib's %s\r\n\r\nhello\r\n" % method)
    s.quit()
"#;

#[test]
fn nodemailer_and_smtplib_log_in_by_tokens_and_by_passwords() {
    let (authority, issuer) = (Authority::new(), Issuer::start());
    let (setup, sink) = prepared(&authority, &signed(&issuer));
    let server = Mailwright::prepare(&setup);
    add(&server, &[("carol@acme.example", "battery staple", &["--no-scram"])]);
    let server = server.begin(&[]);
    let (good, old) = (issuer.token("ann@acme.example", 600), issuer.token("ann@acme.example", -600));
    let head = format!("const [GOOD, OLD] = [{good:?}, {old:?}];\n");
    assert_eq!(nodemailer::send(server.address(), &authority.path("ca.pem"), &(head + NODEMAILER)), "");
    let head = format!("CA = {:?}\n", authority.path("ca.pem").display().to_string());
    assert_eq!(python(server.address(), &(head + SMTPLIB + PASSWORDS)), "");
    for subject in ["by XOAUTH2", "by PLAIN", "by LOGIN", "smtplib's auth_plain", "smtplib's auth_login"] {
        let _ = sink.message(subject, |message| message.text().contains(subject));
    }
}

#[test]
fn what_is_wrong_with_the_configuration_is_told_with_its_place() {
    let setup =
        Setup::new().set("auth.oauth", "jwks_url = \"http://issuer.example/keys\"").set("auth", "users = \"users\"");
    let server = Mailwright::prepare(&setup);
    let said = super::said(&server.cli(&["check-config"]));
    for part in [
        "auth.oauth.jwks_url: expected a URL",
        "did you mean https?",
        "auth.oauth.issuer: missing",
        "auth.oauth.audience: missing",
    ] {
        assert!(said.contains(part), "{said}");
    }
}
