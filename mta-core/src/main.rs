//! The door: arguments in, exit code out. Everything that serving needs is wired in `mta_core::app`.

mod cli;

use clap::Parser;
use cli::config_args::ConfigArgs;
use cli::{Cli, Command, SpoolCommand, TlsCommand};
use mta_core::app::{self, ServeOptions};
use mta_core::edge::plugins::child;
use mta_core::sandbox::Profile;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Wrong arguments end the program here, with exit code 2.
    let Cli { command } = Cli::parse();
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), String> {
    match command {
        Command::Serve(config) => app::serve(options(config)),
        Command::CheckConfig(config) => cli::check::check(&config.file()),
        Command::Plugin { command } => cli::plugin::run(command),
        Command::Dkim { command } => cli::dkim::run(command),
        Command::Key { command } => cli::key::run(command),
        Command::Log { command } => cli::key::run_log(command),
        Command::Queue { command } => cli::queue::run(command),
        Command::Report { command } => cli::report::run(command),
        Command::Suppression { command } => cli::suppression::run(command),
        Command::User { command } => cli::user::run(command),
        Command::Tls { command: TlsCommand::Policy { config, domain } } => {
            cli::tls::policy(&config.into_file(), &domain)
        }
        Command::Spool { command: SpoolCommand::Rebuild(config) } => app::rebuild_spool(options(config)),
        Command::Status { config, json } => cli::queue::status(&config, json),
        Command::Metrics(config) => cli::queue::metrics(&config),
        Command::CompilePlugin { cpu_seconds, memory_bytes, wide } => {
            let profile = if wide { Profile::Wide } else { Profile::Narrow };
            child::compile_here(cpu_seconds, memory_bytes, profile)
        }
        Command::Version => cli::say(&format!("mailwright {}", env!("CARGO_PKG_VERSION"))),
    }
}

fn options(config: ConfigArgs) -> ServeOptions {
    ServeOptions { config: config.into_file() }
}
