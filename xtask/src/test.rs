//! `cargo xtask test`: everything the tests need, then all of them.

use crate::{command, packages, tools};
use clap::Args;
use std::path::Path;

#[derive(Args)]
pub(crate) struct Options {
    /// Leave out the scenarios with real mail programs (and don't ask for these programs).
    #[arg(long)]
    no_scenarios: bool,
    /// For cargo-nextest: names to filter by and its options, as `smuggling --no-fail-fast`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    nextest: Vec<String>,
}

/// Runs the tests.
///
/// # Errors
/// What is missing, or that tests failed.
pub(crate) fn run(root: &Path, options: &Options) -> Result<(), String> {
    command::ensure_wasm_target(root)?;
    ensure_nextest(root)?;
    if !options.no_scenarios {
        packages::ensure(root)?;
        tools::ensure(root)?;
    }
    // With --all-targets the crates' features are those of the test build, so that nothing is built twice.
    command::run(command::cargo(root).args(["build", "--workspace", "--all-targets"]))?;
    if options.nextest.is_empty() {
        command::run(command::cargo(root).args(["test", "--workspace", "--doc", "--quiet"]))?;
    }
    // Last, so that the totals end the output.
    let mut nextest = command::cargo(root);
    nextest.args(["nextest", "run", "--workspace", "--config-file", "tests/nextest.toml"]);
    if options.no_scenarios {
        nextest.args(["--exclude", "mailwright-tests"]);
    }
    nextest.args(&options.nextest);
    nextest.env("MAILWRIGHT_BIN", command::target_dir(root).join("debug/mailwright"));
    command::run(&mut nextest)
}

fn ensure_nextest(root: &Path) -> Result<(), String> {
    if command::output(command::cargo(root).args(["nextest", "--version"])).is_ok() {
        return Ok(());
    }
    command::run(command::cargo(root).args(["install", "--locked", "cargo-nextest"]))
}
