//! The arguments of `user`.

use crate::cli::config_args::ConfigArgs;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Add a user; the password is asked for, or read from standard input.
    ///
    /// A user without --sender may send as its own name, which is then an address.
    Add {
        #[command(flatten)]
        config: ConfigArgs,
        /// The name, as ann@example.org.
        name: String,
        /// Whose mail the user's is: the name of a tenant of the configuration.
        #[arg(long)]
        tenant: Option<String>,
        /// Whom mail may be from: ann@example.org, @example.org, @*.example.org or *; may be given several times.
        #[arg(long)]
        sender: Vec<String>,
        /// Keep no keys for SCRAM. It is offered when all users have keys.
        #[arg(long)]
        no_scram: bool,
        /// Ask for no password: the user comes by tokens, or another server knows the password.
        #[arg(long, conflicts_with = "no_scram")]
        no_password: bool,
    },
    /// Give a user another password, which is asked for, or read from standard input.
    Passwd {
        #[command(flatten)]
        config: ConfigArgs,
        /// The name.
        name: String,
        /// Keep no keys for SCRAM. It is offered when all users have keys.
        #[arg(long)]
        no_scram: bool,
    },
    /// Remove a user. Sessions in which it is authenticated go on.
    Remove {
        #[command(flatten)]
        config: ConfigArgs,
        /// The name.
        name: String,
    },
    /// List the users: name, tenant, senders.
    List {
        #[command(flatten)]
        config: ConfigArgs,
        /// One JSON object a line: name, tenant, senders, scram.
        #[arg(long)]
        json: bool,
    },
}
