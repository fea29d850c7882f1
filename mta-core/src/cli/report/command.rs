//! What may be said after `report`.

use super::super::config_args::ConfigArgs;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum ReportCommand {
    /// List the reports in the making and on their way, by kind and domain.
    List {
        #[command(flatten)]
        config: ConfigArgs,
        /// One JSON object a line: id, kind, domain, begin, end, due, results, dropped.
        #[arg(long)]
        json: bool,
    },
    /// Print what the reports for a domain would say if they were sent now: XML about its mail, JSON about TLS.
    Show {
        #[command(flatten)]
        config: ConfigArgs,
        /// Whose policy it is.
        domain: String,
    },
    /// End the period of a domain's reports and send them now, to whom it wants told.
    Send {
        #[command(flatten)]
        config: ConfigArgs,
        /// Whose policy it is.
        domain: String,
    },
}
