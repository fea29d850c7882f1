//! The operator changes users while the server runs.

use super::{add, said, server};
use mailwright_tests::peers::python;
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

/// Whether the password lets in.
fn lets_in(server: &Mailwright, name: &str, password: &str) -> bool {
    let script = format!(
        "s = smtplib.SMTP(HOST, PORT, timeout=60)\ntry:\n    s.login({name:?}, {password:?})\n    print(\"in\")\n\
         except smtplib.SMTPAuthenticationError as error:\n    assert error.smtp_code == 535, error\n"
    );
    python(server.address(), &script).trim() == "in"
}

#[test]
fn the_file_of_users_is_followed() {
    let server = server(Setup::new(), &[("ann@example.org", "battery staple", &[])]);
    let file = server.dir().join("users");
    fs::write(&file, format!("# our people\n{}", fs::read_to_string(&file).expect("it is there"))).expect("our file");
    server.events_reach("users-reloaded", 1);
    assert_eq!(fs::metadata(&file).expect("it is there").mode() & 0o777, 0o600);
    assert!(lets_in(&server, "ann@example.org", "battery staple"));

    add(&server, &[("bob@example.org", "correct horse", &["--sender", "@bob.example", "--sender", "*"])]);
    let twice = server.cli_told(&["user", "add", "Bob@example.org"], "correct horse\n");
    assert!(!twice.status.success() && said(&twice).contains("bob@example.org is there already"), "{}", said(&twice));
    server.events_reach("users-reloaded", 2);
    assert!(lets_in(&server, "bob@example.org", "correct horse"));

    let output = server.cli_told(&["user", "passwd", "ann@example.org"], "tr0ub4dor&3\n");
    assert!(output.status.success(), "{}", said(&output));
    server.events_reach("users-reloaded", 3);
    let output = server.cli(&["user", "remove", "bob@example.org"]);
    assert!(output.status.success(), "{}", said(&output));
    server.events_reach("users-reloaded", 4);
    assert!(lets_in(&server, "ann@example.org", "tr0ub4dor&3"));
    assert!(!lets_in(&server, "ann@example.org", "battery staple"));
    assert!(!lets_in(&server, "bob@example.org", "correct horse"));
    let text = fs::read_to_string(&file).expect("it is there");
    assert!(
        text.starts_with("# our people\nann@example.org password=$argon2id$") && text.lines().count() == 2,
        "{text}"
    );

    // A slip changes nothing.
    fs::write(&file, text + "carol@example.org password=secret\n").expect("our file");
    let refused = server.event("users-refused", |_| true);
    let why = refused["why"].as_str().expect("it says why");
    assert!(why.contains("line 3: password: expected an argon2id hash") && !why.contains("secret"), "{why}");
    assert!(lets_in(&server, "ann@example.org", "tr0ub4dor&3"));
}

#[test]
fn what_is_wrong_is_told_before_anything_is_changed() {
    let setup = Setup::new().set("auth", "users = \"users\"");
    let server = Mailwright::prepare(&setup);
    for (words, input, expected) in [
        (&["user", "add", "ann@example.org"][..], "short\n", "expected a password of at least 8 characters"),
        (&["user", "add", "ann@example.org", "--tenant", "acme"], "battery staple\n", "no [[tenant]] of the name"),
        (&["user", "add", "ann"], "battery staple\n", "say with --sender"),
        (&["user", "add", "ann", "--sender", "x"], "battery staple\n", "expected an address"),
        (&["user", "passwd", "ann@example.org"], "battery staple\n", "there is no user ann@example.org"),
        (&["user", "remove", "ann@example.org"], "", "there is no user ann@example.org"),
    ] {
        let output = server.cli_told(words, input);
        assert!(!output.status.success() && said(&output).contains(expected), "{words:?}: {}", said(&output));
    }
    let file = server.dir().join("users");
    assert!(!file.exists());
    add(&server, &[("ann@example.org", "battery staple", &[])]);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("our file");
    let checked = server.cli(&["check-config"]);
    assert!(!checked.status.success() && said(&checked).contains("auth.users: "), "{}", said(&checked));
    server.configure(&Setup::new().set("auth", "users = 1"));
    let none = server.cli(&["user", "list"]);
    assert!(said(&none).contains("auth.users: expected the path of the file of users"), "{}", said(&none));
    server.configure(&Setup::new());
    let none = server.cli(&["user", "list"]);
    assert!(said(&none).contains("the configuration names no file of users"), "{}", said(&none));
}
