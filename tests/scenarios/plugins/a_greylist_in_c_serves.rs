//! A plugin in C: built without a C library, as small as one in Rust, and its instances are used again like one's.

use mailwright_tests::guest::{example, reload};
use mailwright_tests::peers::lossy;
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use std::path::Path;

fn plugin(component: &Path, config: &str) -> String {
    format!(
        "[[plugin]]\nname = \"greylist\"\nsource = \"{}\"\nallow = [\"kv:greylist\", \"clock\"]\nconfig = {{ {config} }}",
        component.display()
    )
}

/// The code that a recipient is answered with.
fn recipient(server: &Mailwright, sender: &str, to: &str) -> String {
    let mut client = server.client();
    client.hello();
    client.command(&format!("MAIL FROM:<{sender}>")).expect_code(250);
    client.command(&format!("RCPT TO:<{to}>")).text()
}

#[test]
fn a_greylist_in_c_serves() {
    let server = Mailwright::start(&Setup::new());
    let component = example("c-greylist", server.dir(), &[]).join("greylist.wasm");
    let bytes = std::fs::metadata(&component).expect("it was built").len();
    assert!(bytes < 32 * 1024, "{bytes} octets");

    server.configure(&Setup::new().table(&plugin(&component, "delay_seconds = 3600")));
    let loaded = reload(&server);
    assert!(loaded.status.success(), "{}", lossy(&loaded.stderr));
    let loaded = server.event("plugin-loaded", |_| true);
    assert_eq!((&loaded["profile"], &loaded["instances"]), (&"narrow".into(), &"restored".into()));

    for _ in 0..2 {
        let refused = recipient(&server, "a@from.example", "b@example.test");
        assert!(refused.starts_with("451 4.7.1 ") && refused.contains("greylisted"), "{refused}");
    }

    // What it noted of the first attempt outlives the reload.
    server.configure(&Setup::new().table(&plugin(&component, "delay_seconds = 0")));
    assert!(reload(&server).status.success());
    assert!(recipient(&server, "A@from.example", "b@example.test").starts_with("250 "));
    let other = recipient(&server, "other@from.example", "b@example.test");
    assert!(other.starts_with("451 "), "another triple begins anew: {other}");

    server.configure(&Setup::new().table(&plugin(&component, "delay_seconds = \"soon\"")));
    let words = lossy(&reload(&server).stderr);
    assert!(words.contains("delay_seconds is a whole number of seconds"), "{words}");
}
