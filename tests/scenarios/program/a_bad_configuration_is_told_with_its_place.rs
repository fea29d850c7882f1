//! `check-config` and `serve` name file, line and key of what is wrong, and what was probably meant; they try the
//! plugins, and say the same of them.

use mailwright_tests::peers::lossy;
use mailwright_tests::program::{Mailwright, binary};
use mailwright_tests::setup::Setup;
use std::process::Command;

fn check(server: &Mailwright) -> (bool, String) {
    let output = server.cli(&["check-config"]);
    (output.status.success(), lossy(&output.stdout) + &lossy(&output.stderr))
}

#[test]
fn a_bad_configuration_is_told_with_its_place() {
    let server = Mailwright::prepare(&Setup::new());
    let (good, said) = check(&server);
    assert!(good, "{said}");
    let text = std::fs::read_to_string(server.config()).expect("it was written");
    let wrong = [
        ("networks =", "netwroks =", "netwroks", "networks"),
        ("retry = [\"1s\"", "retry = [\"1 second\"", "retry", "1s"),
        ("level = \"debug\"", "level = \"loud\"", "level", "debug"),
        ("hostname = \"mx.example.test\"", "hostname = 5", "hostname", "mx.example"),
        ("bind = \"127.0.0.1:0\"", "bind = \"localhost\"", "bind", "127.0.0.1"),
    ];
    for (from, to, key, expected) in wrong {
        let bad = text.replacen(from, to, 1);
        assert_ne!(bad, text, "{from}");
        std::fs::write(server.config(), &bad).expect("our own file");
        let (good, said) = check(&server);
        let line = bad[..bad.find(to).expect("it was put there")].lines().count().max(1);
        let line = if bad[..bad.find(to).expect("it was put there")].ends_with('\n') { line + 1 } else { line };
        assert!(!good && said.contains("mailwright.toml") && said.contains(&format!(":{line}:")), "{to}: {said}");
        assert!(said.contains(key) && said.contains(expected), "{to}: {said}");
    }
}

#[test]
fn nothing_starts_with_a_bad_configuration() {
    let server = Mailwright::prepare(&Setup::new());
    std::fs::write(server.config(), "hostname = \"mx.example.test\"\n").expect("our own file");
    let output = server.cli(&["serve"]);
    assert!(!output.status.success());
    assert!(lossy(&output.stderr).contains("listener"), "{}", lossy(&output.stderr));
    assert!(!server.data_dir().exists(), "it is checked before anything is made");
}

/// `[[plugin]]` of this name from that source.
fn plugin(name: &str, source: &str, header: &str) -> String {
    format!(
        "[[plugin]]\nname = \"{name}\"\nsource = \"{source}\"\nallow = [\"log\"]\nedit = [\"headers\"]\n\
         config = {{ header = \"{header}\" }}"
    )
}

#[test]
fn plugins_are_tried_and_told_of_in_the_same_words() {
    for (table, words) in [
        (plugin("text", "text.wasm", "X-Greeted"), ["plugin \"text\": it can't be compiled", "WebAssembly component"]),
        (plugin("gone", "gone.wasm", "X-Greeted"), ["plugin \"gone\": gone.wasm can't be read", "builtin:hello"]),
        (plugin("hello", "builtin:hello", "X Greeted"), ["plugin \"hello\": configure failed", "X Greeted"]),
        (
            plugin("hello", "builtin:hello", "X-A").replace("\"log\"", ""),
            ["plugin \"hello\": it imports", "add \"log\""],
        ),
    ] {
        let server = Mailwright::prepare(&Setup::new().table(&table));
        std::fs::write(server.dir().join("text.wasm"), "this is no component").expect("our own directory");
        let checked = server.cli(&["check-config"]);
        let said = lossy(&checked.stderr);
        assert_eq!(checked.status.code(), Some(1), "{table}: {said}");
        assert!(words.iter().all(|word| said.contains(word)), "{table}: {said}");
        let served = server.cli(&["serve"]);
        // The log may have said before what was compiled.
        let served_said = lossy(&served.stderr);
        assert!(served.status.code() == Some(1) && served_said.ends_with(&said), "{table}: {served_said}");
    }
}

#[test]
fn every_bad_plugin_is_told_of() {
    let setup = Setup::new().table(&plugin("one", "gone.wasm", "X-A")).table(&plugin("two", "builtin:hello", "X A"));
    let (good, said) = check(&Mailwright::prepare(&setup));
    assert!(!good && said.contains("plugin \"one\"") && said.contains("plugin \"two\""), "{said}");
}

#[test]
fn a_running_server_is_not_disturbed_by_a_check() {
    let setup = Setup::new().hello("X-Greeted");
    let server = Mailwright::start(&setup);
    let bind = format!("listener.mx.bind={}", server.address());
    let checked = server.cli(&["check-config", "--set", &bind]);
    assert!(checked.status.success(), "its port and its spool are in use: {}", lossy(&checked.stderr));
    assert!(lossy(&checked.stdout).contains("hello from builtin:hello") && checked.stderr.is_empty());
    server.client().hello();
}

#[test]
fn the_command_line_overrides_the_file() {
    let server = Mailwright::prepare(&Setup::new());
    let output = server.cli(&["check-config", "--set", "limits.sessions_max=0"]);
    assert!(!output.status.success());
    assert!(lossy(&output.stderr).contains("sessions_max"), "{}", lossy(&output.stderr));
}

#[test]
fn the_version_is_told() {
    let mut command = Command::new(binary());
    command.arg("version");
    let output = mailwright_tests::peers::run(command);
    assert!(output.status.success() && lossy(&output.stdout).contains(env!("CARGO_PKG_VERSION")));
}
