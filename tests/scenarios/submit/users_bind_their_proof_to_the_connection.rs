//! SCRAM-SHA-256-PLUS over TLS, bound to the server's certificate (RFC 5929 4.1): a proof for one connection is none for a
//! connection to somebody in between.

use super::add;
use mailwright_tests::peers::python;
use mailwright_tests::peers::tls::Authority;
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;

const SCRIPT: &str = r#"
import base64, hashlib, hmac, os, ssl
enc = lambda octets: base64.b64encode(octets).decode()
mac = lambda key, text: hmac.new(key, text.encode(), hashlib.sha256).digest()
def scram(s, name, password, bound):
    head = "p=tls-server-end-point,,"
    bare = "n=%s,r=%s" % (name, enc(os.urandom(18)))
    code, first = s.docmd("AUTH", "SCRAM-SHA-256-PLUS " + enc((head + bare).encode()))
    if code != 334:
        return code, first
    first = base64.b64decode(first).decode()
    fields = dict(field.split("=", 1) for field in first.split(","))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
    unproven = "c=%s,r=%s" % (enc(head.encode() + bound), fields["r"])
    signed = ",".join([bare, first, unproven])
    client = mac(salted, "Client Key")
    signature = mac(hashlib.sha256(client).digest(), signed)
    proof = bytes(one ^ other for one, other in zip(client, signature))
    code, last = s.docmd(enc((unproven + ",p=" + enc(proof)).encode()))
    return s.docmd("") if code == 334 else (code, last)
for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
    for right in (False, True):
        context = ssl.create_default_context(cafile=CA)
        context.check_hostname = False
        context.minimum_version = context.maximum_version = version
        s = smtplib.SMTP(HOST, PORT, local_hostname="client.example", timeout=60)
        s.starttls(context=context)
        s.ehlo()
        assert "SCRAM-SHA-256-PLUS" in s.esmtp_features["auth"].split(), s.esmtp_features
        certificate = s.sock.getpeercert(binary_form=True)
        # The authority signs by ECDSA with SHA-256.
        bound = hashlib.sha256(certificate if right else certificate + b"x").digest()
        code, said = scram(s, "ann@example.org", "battery staple", bound)
        assert code == (235 if right else 535), (version, right, code, said)
        s.quit()
"#;

#[test]
fn the_proof_holds_for_our_certificate_alone_rfc5929_4_1() {
    let authority = Authority::new();
    authority.sign("mx", &["mx.example.test"], 2100);
    let setup = Setup::new().set("auth", "users = \"users\"").table(&authority.certificate("tls", "mx"));
    let server = Mailwright::prepare(&setup);
    add(&server, &[("ann@example.org", "battery staple", &[])]);
    let server = server.begin(&[]);
    let head = format!("CA = \"{}\"\n", authority.path("ca.pem").display());
    assert_eq!(python(server.address(), &(head + SCRIPT)), "");
    let failed = server.event("auth-failed", |_| true);
    assert_eq!(failed["why"], "channel binding", "{failed}");
}
