//! The command line: what may be said, and how it is explained.

pub(crate) mod check;
pub(crate) mod config_args;
pub(crate) mod dkim;
pub(crate) mod key;
pub(crate) mod plugin;
pub(crate) mod queue;
pub(crate) mod report;
pub(crate) mod suppression;
pub(crate) mod tls;
pub(crate) mod user;

use clap::{Args, Parser, Subcommand};
use config_args::ConfigArgs;
use dkim::command::DkimCommand;
use key::command::{KeyCommand, LogCommand};
use mta_core::base::flow::operator::Selection;
use mta_core::base::mail::id::QueueId;
use plugin::command::PluginCommand;
use report::command::ReportCommand;
use std::io::{self, Write};
use suppression::command::SuppressionCommand;
use user::command::UserCommand;

/// A mail transfer agent programmed with sandboxed WebAssembly plugins.
#[derive(Debug, Parser)]
#[command(name = "mailwright", version, arg_required_else_help = true)]
#[command(after_help = "Exit codes: 0 done; 1 not done, and standard error says why; 2 wrong arguments.\n\
    Every command takes --help.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Receive, queue and deliver mail until SIGTERM or SIGINT (SIGHUP: read the configuration again).
    ///
    /// Stays in the foreground and logs to standard error. At the first SIGTERM it takes no new mail, lets running
    /// transactions end within limits.drain, and exits with 0.
    Serve(ConfigArgs),
    /// Check a configuration and its plugins, and say what it means; no port is bound and no spool opened.
    CheckConfig(ConfigArgs),
    /// Look at the queue of the running server, and act on it.
    Queue {
        #[command(subcommand)]
        command: QueueCommand,
    },
    /// See and change who is not written to: the suppression lists of the running server.
    Suppression {
        #[command(subcommand)]
        command: SuppressionCommand,
    },
    /// See what other domains would be told of their mail and of connections to them, and tell them now.
    Report {
        #[command(subcommand)]
        command: ReportCommand,
    },
    /// See and change who may authenticate: the file of users that the server follows.
    User {
        #[command(subcommand)]
        command: UserCommand,
    },
    /// Make keys that sign what goes out (DKIM), and print their DNS records.
    Dkim {
        #[command(subcommand)]
        command: DkimCommand,
    },
    /// See what other domains promise of their TLS.
    Tls {
        #[command(subcommand)]
        command: TlsCommand,
    },
    /// Have a new key sign addresses that lead back to this server.
    Key {
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Find somebody's lines in a log that hides addresses.
    Log {
        #[command(subcommand)]
        command: LogCommand,
    },
    /// Write, build and inspect plugins; see and change which ones the running server asks.
    Plugin {
        #[command(subcommand)]
        command: PluginCommand,
    },
    /// Repair the spool while no server runs.
    Spool {
        #[command(subcommand)]
        command: SpoolCommand,
    },
    /// Say how the running server is: version, process, time since its start, events so far.
    Status {
        #[command(flatten)]
        config: ConfigArgs,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Print what the running server has counted, as OpenMetrics: mail, sessions, plugins.
    ///
    /// The same is got by `GET /metrics` where `[metrics] bind` opens a port.
    Metrics(ConfigArgs),
    /// Print the version.
    Version,
    /// Compile a component for this machine, from standard input to standard output: the server runs it for each plugin.
    #[command(hide = true)]
    CompilePlugin {
        /// CPU time that it may take.
        #[arg(long)]
        cpu_seconds: u64,
        /// Memory that it may take.
        #[arg(long)]
        memory_bytes: u64,
        /// For the wide engine.
        #[arg(long)]
        wide: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum SpoolCommand {
    /// Build the index anew from the journal, which is the truth. The server does so by itself when it finds damage.
    Rebuild(ConfigArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum TlsCommand {
    /// Ask what a domain promises of its mail exchangers by DANE and MTA-STS, and what mail to each of them wants; no
    /// mail is sent.
    ///
    /// Names are looked up at `delivery.dns_servers`, and a policy is fetched anew: what the running server keeps may be
    /// older.
    Policy {
        #[command(flatten)]
        config: ConfigArgs,
        /// The recipients' domain.
        domain: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum QueueCommand {
    /// List queued messages, oldest first; all of them, or those that fit every given condition.
    List {
        #[command(flatten)]
        config: ConfigArgs,
        #[command(flatten)]
        which: Which,
        /// One JSON object a line: id, accepted, age_seconds, sender, size_bytes, tenant, recipients, next_due.
        #[arg(long)]
        json: bool,
    },
    /// Show everything of one message but its content.
    Show {
        #[command(flatten)]
        config: ConfigArgs,
        /// The queue id, as the log and `queue list` show it.
        id: QueueId,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Make messages due now; held ones are released.
    Retry {
        #[command(flatten)]
        config: ConfigArgs,
        #[command(flatten)]
        chosen: Chosen,
    },
    /// Ask plugins anew where messages go, due now; held ones are released.
    Rebind {
        #[command(flatten)]
        config: ConfigArgs,
        #[command(flatten)]
        chosen: Chosen,
    },
    /// Take messages out of the queue for good; nobody is notified.
    Cancel {
        #[command(flatten)]
        config: ConfigArgs,
        #[command(flatten)]
        chosen: Chosen,
    },
}

/// Which messages.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The message with this queue id.
    #[arg(long)]
    id: Option<QueueId>,
    /// Messages with a recipient in this domain.
    #[arg(long)]
    domain: Option<String>,
    /// Messages from this sender; "" is the null sender of notifications.
    #[arg(long)]
    sender: Option<String>,
    /// Messages with held recipients.
    #[arg(long)]
    held: bool,
}

/// Which messages to act on: one must be said, so that nothing happens to the whole queue by a slip.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("choice").required(true).multiple(true).args(["id", "domain", "sender", "held", "all"]))]
pub(crate) struct Chosen {
    #[command(flatten)]
    which: Which,
    /// The whole queue.
    #[arg(long, conflicts_with_all = ["id", "domain", "sender", "held"])]
    all: bool,
}

impl Which {
    pub(crate) fn selection(self) -> Selection {
        Selection { id: self.id, domain: self.domain, sender: self.sender, held: self.held }
    }
}

impl Chosen {
    pub(crate) fn selection(self) -> Selection {
        self.which.selection()
    }
}

/// Prints a line.
pub(crate) fn say(line: &str) -> Result<(), String> {
    print_to(&mut io::stdout().lock(), line)
}

/// Prints a line to a stream. A reader that has seen enough (`| head`) ends the program in silence.
pub(crate) fn print_to(out: &mut dyn Write, line: &str) -> Result<(), String> {
    match writeln!(out, "{line}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        printed => printed.map_err(|error| format!("standard output: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_commands_are_consistent_and_each_is_explained() {
        fn explained(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{} has no help", command.get_name());
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {} has no help", command.get_name(), argument.get_id());
            }
            command.get_subcommands().for_each(explained);
        }
        Cli::command().debug_assert();
        explained(&Cli::command());
    }

    fn parsed(line: &str) -> Result<Command, clap::Error> {
        Cli::try_parse_from(line.split(' ')).map(|cli| cli.command)
    }

    #[test]
    fn the_configuration_may_stand_before_and_behind() {
        let line = "mailwright queue list --json --config mx.toml --set a=1 --set b=2 --domain example.org";
        let Ok(Command::Queue { command: QueueCommand::List { config, which, json } }) = parsed(line) else {
            panic!("not understood");
        };
        assert_eq!((config.file().sets, json), (vec!["a=1".to_owned(), "b=2".to_owned()], true));
        assert_eq!(which.selection().domain.as_deref(), Some("example.org"));
    }

    #[test]
    fn nothing_is_cancelled_without_a_choice() {
        let cancel = |rest: &str| parsed(&format!("mailwright queue cancel --config mx.toml{rest}"));
        assert_eq!(cancel("").expect_err("no choice").exit_code(), 2);
        assert!(cancel(" --all --held").is_err(), "all or some");
        assert!(cancel(" --id nonsense").expect_err("no id").to_string().contains("26 characters"));
        let Ok(Command::Queue { command: QueueCommand::Cancel { chosen, .. } }) = cancel(" --held --sender a@b") else {
            panic!("not understood");
        };
        let selection = Selection { sender: Some("a@b".to_owned()), held: true, ..Selection::default() };
        assert_eq!(chosen.selection(), selection);
    }
}
