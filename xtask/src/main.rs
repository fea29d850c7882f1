//! Everything a person or a CI machine types: `cargo xtask run | test | tidy | pages | bench | release`.

mod bench;
mod command;
mod packages;
mod release;
mod run;
mod test;
mod tidy;
mod tools;

use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Runs, tests, tidies and measures Mailwright.")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build Mailwright, start it with config/dev.toml and say what to try.
    Run(run::Options),
    /// Run all tests: units, documentation, and the scenarios with real mail programs.
    Test(test::Options),
    /// Check the rules of the house.
    Tidy,
    /// Write the pages that say what the sources say: the contract's reference, the code of the cookbook.
    Pages,
    /// Measure the parts and print a table.
    Bench(bench::Options),
    /// Build the program as it is shipped, laid out by what it does under load: target/dist/mailwright.
    Release(release::Options),
    /// What CI runs: .ci/run.
    Ci,
}

fn main() -> ExitCode {
    let root = root();
    let done = match Arguments::parse().task {
        Task::Run(options) => run::run(&root, &options),
        Task::Test(options) => test::run(&root, &options),
        Task::Tidy => tidy::run(&root),
        Task::Pages => tidy::pages::write(&root),
        Task::Bench(options) => bench::run(&root, &options),
        Task::Release(options) => release::run(&root, &options),
        Task::Ci => command::run(command::new(&root, "bash").arg(".ci/run")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// The top of the repository: this crate's folder is right below it.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}
