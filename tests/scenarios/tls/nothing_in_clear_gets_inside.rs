//! Whoever is between client and server puts octets behind STARTTLS; and what is no handshake.

use mailwright_tests::client::Client;
use mailwright_tests::peers::tls::Authority;
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;

fn server() -> Mailwright {
    let authority = Authority::new();
    authority.sign("mx", &["mx.example.test"], 2100);
    let users = "[[listener]]\nname = \"users\"\nbind = \"127.0.0.1:0\"\nkind = \"submissions\"";
    let setup = Setup::new().set("delivery", "paused = true").set("limits", "tls_handshake = \"1s\"");
    Mailwright::start(&setup.table(users).table(&authority.certificate("tls", "mx")))
}

#[test]
fn octets_behind_starttls_are_no_commands_and_end_the_session() {
    let server = server();
    let mut client = server.client();
    client.hello();
    let smuggled = b"STARTTLS\r\nMAIL FROM:<evil@from.example>\r\nRCPT TO:<b@example.test>\r\nDATA\r\nx\r\n.\r\n";
    client.send(smuggled).reply().expect(503, "5.5.1");
    assert!(client.reply().is_end());
    let told = server.event("tls-failed", |_| true);
    assert_eq!(told["why"], "octets in clear behind STARTTLS");
    assert!(server.events("accepted").is_empty() && server.queue().is_empty());
}

#[test]
fn what_is_no_handshake_ends_with_its_reason() {
    let server = server();
    let mut client = server.client();
    client.hello();
    client.command("STARTTLS").expect_code(220);
    client.send(b"MAIL FROM:<evil@from.example>\r\n");
    // An alert may come, a reply in clear does not.
    assert!(!String::from_utf8_lossy(&client.rest()).contains("250"));
    let told = server.event("tls-failed", |_| true);
    assert_eq!(told["why"], "what came is no TLS");

    let mut silent = Client::connect(server.address_of("users"));
    assert_eq!(silent.rest(), b"", "a client that says nothing is left, without a word");
    let told = server.event("tls-failed", |event| event["listener"] == "users");
    assert_eq!(told["why"], "the handshake took too long");
    server.client().hello();
}
