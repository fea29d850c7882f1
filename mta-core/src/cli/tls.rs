//! `tls policy`: what a domain promises of its hosts.

use super::say;
use mta_core::app::promised::tls_policy;
use mta_core::edge::config_file::ConfigFile;

/// Asks, and prints it.
pub(crate) fn policy(file: &ConfigFile, domain: &str) -> Result<(), String> {
    say(&tls_policy(file, domain)?.join("\n"))
}
