//! What may be said behind `key` and `log`.

use super::super::config_args::ConfigArgs;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a new key sign addresses that lead back here (feedback, SRS). The three before it still count; older ones don't.
    ///
    /// The server reads its keys at its start: restart it.
    Rotate(ConfigArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Print what stands in the log for these addresses or users, where log.addresses is "hashed": to find somebody's lines.
    Hash {
        #[command(flatten)]
        config: ConfigArgs,
        /// Addresses, or names of users.
        #[arg(required = true)]
        names: Vec<String>,
    },
}
