//! The PROXY protocol from a trusted network, in clear and before TLS.

use mailwright_tests::client::Client;
use mailwright_tests::peers::python;
use mailwright_tests::peers::tls::Authority;
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;

const BEFORE_TLS: &str = r#"
import socket, ssl
context = ssl.create_default_context(cafile=CA)
context.check_hostname = False
plain = socket.create_connection((HOST, PORT), timeout=60)
# Version 2, TCP over IPv4, 192.0.2.7:4000 to 198.51.100.1:465; the handshake follows at once.
plain.sendall(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes([192, 0, 2, 7, 198, 51, 100, 1]) + b"\x0f\xa0\x01\xd1")
with context.wrap_socket(plain) as s:
    greeting = s.recv(1000)
    assert greeting.startswith(b"220 "), greeting
    s.sendall(b"QUIT\r\n")
    assert s.recv(1000).startswith(b"221 ")
"#;

#[test]
fn a_trusted_proxy_names_the_client_before_tls() {
    let authority = Authority::new();
    authority.sign("mx", &["mx.example.test"], 2100);
    let setup = Setup::new().listener("kind = \"submissions\"\nproxy_from = [\"127.0.0.1\"]");
    let server = Mailwright::start(&setup.table(&authority.certificate("tls", "mx")));
    let head = format!("CA = \"{}\"\n", authority.path("ca.pem").display());
    assert_eq!(python(server.address(), &(head + BEFORE_TLS)), "");
    let told = server.event("tls-established", |_| true);
    assert_eq!(told["peer"], "192.0.2.7:4000", "{told}");
}

#[test]
fn the_client_is_whom_the_proxy_names_and_nobody_else_is_believed() {
    let server = Mailwright::start(&Setup::new().listener("proxy_from = [\"127.0.0.1\"]"));
    let mut client = Client::connect(server.address());
    client.send(b"PROXY TCP4 198.51.100.7 192.0.2.1 4000 25\r\n").reply().expect_code(220);
    client.hello();
    client.command("MAIL FROM:<a@from.example>").expect_code(250);
    client.command("RCPT TO:<b@elsewhere.test>").expect(550, "5.7.1");
    let mut plain = Client::connect(server.address());
    plain.send(b"EHLO client.example\r\n");
    assert_eq!(plain.rest(), b"");
    let _ = server.event("proxy-refused", |_| true);

    let open = Mailwright::start(&Setup::new());
    open.client().command("PROXY TCP4 198.51.100.7 192.0.2.1 4000 25").expect(500, "5.5.1");
}

#[test]
fn guessing_is_counted_for_the_client_and_not_for_its_proxy() {
    let setup = Setup::new().set("auth", "users = \"users\"").set("auth", "failures_per_peer_max = 1");
    let setup = setup.listener("proxy_from = [\"127.0.0.1\"]\nauth = \"danger_plaintext\"");
    let server = Mailwright::prepare(&setup);
    assert!(server.cli_told(&["user", "add", "ann@example.org"], "battery staple\n").status.success());
    let server = server.begin(&[]);
    // NUL, ann@example.org, NUL, wrong.
    let guess = |from: &str| {
        let mut client = Client::connect(server.address());
        client.send(format!("PROXY TCP4 {from} 192.0.2.1 4000 25\r\n").as_bytes()).reply().expect_code(220);
        client.hello();
        client.command("AUTH PLAIN AGFubkBleGFtcGxlLm9yZwB3cm9uZw==").code
    };
    let answers: Vec<u16> = (0..20).map(|_| guess("198.51.100.7")).take_while(|code| *code == 535).collect();
    assert!((2..20).contains(&answers.len()), "it must wait at last: {answers:?}");
    assert_eq!(guess("203.0.113.9"), 535, "another client of the same proxy need not");
}
