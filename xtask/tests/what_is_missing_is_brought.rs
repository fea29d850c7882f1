//! `cargo xtask run`, `cargo xtask test` and `.ci/run` on a machine that lacks something: programs on a path of the
//! test's own stand for cargo and rustup, and note how they are called.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const NEXTEST: &str = "cargo install --locked cargo-nextest";
const TARGET: &str = "rustup target add wasm32-unknown-unknown";

/// A folder with the only programs that are there.
struct Machine {
    dir: PathBuf,
}

impl Machine {
    /// `name` is the test's, so that tests don't share a folder.
    fn new(name: &str) -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).expect("a folder of the test");
        Self { dir }
    }

    /// A program that notes its arguments and then does `body`.
    fn has(self, program: &str, body: &str) -> Self {
        let path = self.dir.join(program);
        let calls = self.calls_file();
        let script = format!("#!/bin/sh\necho \"{program} $*\" >> '{}'\n{body}\n", calls.display());
        fs::write(&path, script).expect("a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it may be run");
        self
    }

    fn calls_file(&self) -> PathBuf {
        self.dir.join("calls")
    }

    /// Runs it with nothing but this machine's programs; how it ended, and what was called.
    fn run(&self, command: &mut Command) -> (Output, Vec<String>) {
        let command = command.env("PATH", &self.dir).env("CARGO", self.dir.join("cargo"));
        // What comes after the preparation is none of this test's business: the built program does not exist there.
        let output = command.env("CARGO_TARGET_DIR", &self.dir).output().expect("it can be started");
        let calls = fs::read_to_string(self.calls_file()).unwrap_or_default();
        (output, calls.lines().map(str::to_owned).collect())
    }

    fn xtask(&self, words: &[&str]) -> (Output, Vec<String>) {
        self.run(Command::new(env!("CARGO_BIN_EXE_xtask")).args(words))
    }
}

/// A rustup that has this target.
fn rustup_with(target: &str) -> String {
    format!("[ \"$1 $2 $3\" = 'target list --installed' ] && echo {target}; true")
}

const WITHOUT_NEXTEST: &str = "[ \"$1\" != nextest ]";

#[test]
fn run_adds_the_plugins_target_where_rustup_lacks_it_and_builds_after_it() {
    let machine = Machine::new("run-adds").has("rustup", &rustup_with("x86_64-unknown-linux-gnu")).has("cargo", "true");
    let (_, calls) = machine.xtask(&["run"]);
    let added = calls.iter().position(|call| call == TARGET);
    let built = calls.iter().position(|call| call.starts_with("cargo build "));
    assert!(added.is_some() && added < built, "{calls:?}");
}

#[test]
fn a_target_that_is_there_is_not_asked_for() {
    let machine = Machine::new("run-has").has("rustup", &rustup_with("wasm32-unknown-unknown")).has("cargo", "true");
    let (_, calls) = machine.xtask(&["run"]);
    assert!(!calls.contains(&TARGET.to_owned()), "{calls:?}");
    assert!(calls.iter().any(|call| call.starts_with("cargo build ")), "{calls:?}");
}

#[test]
fn a_target_that_can_not_be_added_ends_the_run_with_the_command() {
    let machine = Machine::new("run-fails").has("rustup", "[ \"$2\" = list ]").has("cargo", "true");
    let (output, calls) = machine.xtask(&["run"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains(TARGET), "{said}");
    assert!(!calls.iter().any(|call| call.starts_with("cargo")), "{calls:?}");
}

#[test]
fn test_installs_the_test_runner_where_it_is_missing() {
    let machine =
        Machine::new("test-adds").has("rustup", &rustup_with("x86_64-unknown-linux-gnu")).has("cargo", WITHOUT_NEXTEST);
    let (_, calls) = machine.xtask(&["test", "--no-scenarios"]);
    assert!(calls.contains(&TARGET.to_owned()) && calls.contains(&NEXTEST.to_owned()), "{calls:?}");

    let machine = Machine::new("test-has").has("rustup", &rustup_with("wasm32-unknown-unknown")).has("cargo", "true");
    let (_, calls) = machine.xtask(&["test", "--no-scenarios"]);
    assert!(!calls.contains(&TARGET.to_owned()) && !calls.contains(&NEXTEST.to_owned()), "{calls:?}");
    assert!(calls.last().is_some_and(|call| call.starts_with("cargo nextest run --workspace")), "{calls:?}");
}

#[test]
fn ci_brings_the_toolchain_and_the_test_runner_before_its_steps() {
    let ci = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.ci/run");
    let machine = |name| Machine::new(name).has("dirname", "echo \"${1%/*}\"");
    let without = machine("ci-adds").has("rustup", "[ \"$1\" != show ]").has("cargo", WITHOUT_NEXTEST);
    let (output, calls) = without.run(Command::new("/bin/bash").arg(&ci));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let wanted = ["rustup toolchain install", TARGET, "rustup component add clippy rustfmt", NEXTEST, "cargo fmt "];
    let places = wanted.map(|wanted| calls.iter().position(|call| call.starts_with(wanted)));
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?} in {calls:?}");
    assert_eq!(calls.last().map(String::as_str), Some("cargo xtask test"));

    // A system's own Rust has no rustup, and a runner that is there is not installed again.
    let (output, calls) = machine("ci-has").has("cargo", "true").run(Command::new("/bin/bash").arg(&ci));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!calls.iter().any(|call| call.starts_with("rustup") || call.contains("install")), "{calls:?}");
}
