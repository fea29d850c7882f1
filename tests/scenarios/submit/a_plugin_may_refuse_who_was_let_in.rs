//! `on-auth` is asked of the running server: it refuses one user who was let in, and can't let in whoever was not.

use super::add;
use mailwright_tests::guest;
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;

/// Answers `accept`, but to a user whose name begins with `b`: `reject` with 550 and "not today".
const ASKED: &str = "
    (i32.store8 offset=4 (i32.const 1024) (i32.const 1))
    (if (i32.eq (i32.load8_u (local.get 2)) (i32.const 98)) (then
        (i32.store8 offset=4 (i32.const 1024) (i32.const 3)) (i32.store16 offset=8 (i32.const 1024) (i32.const 550))
        (i32.store offset=20 (i32.const 1024) (i32.const 16)) (i32.store offset=24 (i32.const 1024) (i32.const 9))))";

#[test]
fn a_plugin_may_refuse_who_was_let_in() {
    let setup = Setup::new().set("auth", "users = \"users\"").set("relay", "networks = []");
    let server = Mailwright::prepare(&setup);
    add(&server, &[("ann@example.org", "battery staple", &[]), ("bob@example.org", "battery staple", &[])]);
    let source = guest::plugin(server.dir(), &[], "not today", &[("on-auth", ASKED)]);
    server.configure(&setup.table(&format!("[[plugin]]\nname = \"office\"\nsource = \"{}\"", source.display())));
    let server = server.begin(&["listener.mx.auth=danger_plaintext"]);
    let mut client = server.client();
    client.hello();
    // NUL, bob@example.org, NUL, battery staple; then the same of Ann with a password that is not hers, and with hers.
    client.command("AUTH PLAIN AGJvYkBleGFtcGxlLm9yZwBiYXR0ZXJ5IHN0YXBsZQ==").expect(550, "5.7.1 not today");
    client.command("AUTH PLAIN AGFubkBleGFtcGxlLm9yZwBiYXR0ZXJ5IHN0YXBsZXM=").expect(535, "5.7.8");
    client.command("AUTH PLAIN AGFubkBleGFtcGxlLm9yZwBiYXR0ZXJ5IHN0YXBsZQ==").expect(235, "2.7.0");
    let failed = server.event("auth-failed", |event| event["user"] == "bob@example.org");
    assert_eq!(failed["why"], "policy");
}
