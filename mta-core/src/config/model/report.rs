//! `[report]`: what other domains are told of their mail and of connections to them (RFC 9990, RFC 8460).

use crate::base::mail::address::Address;
use crate::config::matching::Network;
use std::time::Duration;

/// `[report]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reporting {
    /// Whom reports are from, and whom to write to about them; ASCII.
    pub address: Address,
    /// The name of whoever runs this server; none: its host name.
    pub organization: Option<Box<str>>,
    /// Where more is to be learned, as a URL.
    pub contact: Option<Box<str>>,
    /// The reverse path of reports; none: the null sender.
    pub sender: Option<Address>,
    /// Authors' domains are told of their mail.
    pub dmarc: bool,
    /// Recipients' domains are told of the TLS of connections to them.
    pub tls: bool,
    /// The period of DMARC's reports.
    pub dmarc_every: Duration,
    /// How long after its period a report goes, at most.
    pub spread: Duration,
    /// Destinations of a domain that get its report.
    pub destinations_max: usize,
    /// Reports in the making and on their way.
    pub reports_max: usize,
    /// Rows of one of them.
    pub rows_per_report_max: usize,
    /// Memory for all of them.
    pub memory_bytes_max: usize,
    /// Networks of our own that servers which take reports by HTTPS may be in.
    pub https_networks: Vec<Network>,
}

impl Reporting {
    /// A section of which the file says no more than this.
    #[must_use]
    pub fn new(address: Address) -> Self {
        Self {
            address,
            organization: None,
            contact: None,
            sender: None,
            dmarc: true,
            tls: true,
            dmarc_every: Duration::from_secs(86_400),
            // RFC 8460 4.1: "after some delay, perhaps several hours".
            spread: Duration::from_secs(4 * 3600),
            destinations_max: 4,
            reports_max: 20_000,
            rows_per_report_max: 5_000,
            memory_bytes_max: 64 * 1024 * 1024,
            https_networks: Vec::new(),
        }
    }
}
