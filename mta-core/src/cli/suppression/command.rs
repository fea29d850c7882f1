//! What may be said after `suppression`.

use super::super::config_args::ConfigArgs;
use clap::{Args, Subcommand};
use mta_core::base::flow::operator::suppression::Reason;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum SuppressionCommand {
    /// List a list, in the order of its addresses.
    List {
        #[command(flatten)]
        which: Which,
        /// One JSON object a line: address, reason, since, by.
        #[arg(long)]
        json: bool,
    },
    /// List the addresses of a list that have a text in them, as part of a name or a domain.
    Search {
        #[command(flatten)]
        which: Which,
        /// One JSON object a line: address, reason, since, by.
        #[arg(long)]
        json: bool,
        /// The text; case makes no difference.
        containing: String,
    },
    /// Put addresses on a list: on the disk when the command ends.
    Add {
        #[command(flatten)]
        which: Which,
        /// unsubscribe, hard-bounce, complaint or manual.
        #[arg(long, default_value = "manual", value_parser = reason)]
        reason: Reason,
        /// The addresses; one that is there keeps its reason.
        #[arg(required = true)]
        addresses: Vec<String>,
    },
    /// Take addresses off a list.
    Remove {
        #[command(flatten)]
        which: Which,
        /// The addresses.
        #[arg(required = true)]
        addresses: Vec<String>,
    },
    /// Put the addresses of a CSV file on a list: `address`, or `address,reason`; what `export` writes will do.
    ///
    /// Lines that begin with # say nothing, and the first may be a heading. If a line is wrong, nothing is changed, and
    /// each is told with its number.
    Import {
        #[command(flatten)]
        which: Which,
        /// For lines that have none: unsubscribe, hard-bounce, complaint or manual.
        #[arg(long, default_value = "manual", value_parser = reason)]
        reason: Reason,
        /// The file; - is standard input.
        file: PathBuf,
    },
    /// Write a list to standard output, as CSV: address, reason, since, by.
    Export {
        #[command(flatten)]
        which: Which,
    },
}

/// Which list.
#[derive(Debug, Args)]
pub(crate) struct Which {
    #[command(flatten)]
    pub(super) config: ConfigArgs,
    /// Its scope, as plugins are granted it: suppression:SCOPE.
    #[arg(long)]
    pub(super) scope: String,
    /// Whose it is; without it, the list for mail of nobody in particular.
    #[arg(long)]
    pub(super) tenant: Option<String>,
}

/// A reason by its name.
pub(super) fn reason(text: &str) -> Result<Reason, String> {
    let known = || Reason::ALL.map(Reason::name).join(", ");
    Reason::named(text).ok_or_else(|| format!("expected one of {}", known()))
}
