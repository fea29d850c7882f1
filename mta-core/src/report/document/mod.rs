//! What a report says, and the file that it goes as.

mod dmarc;
pub(super) mod message;
pub(super) mod teller;
mod tls;

use super::row::Head;
use super::tally::Snapshot;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{self, Write as _};
use teller::Teller;

/// A file, compressed (RFC 1952).
#[derive(Clone, Debug)]
pub(super) struct File {
    /// RFC 9990 3.5.2, RFC 8460 5.1.
    pub(super) name: String,
    pub(super) media_type: &'static str,
    pub(super) octets: Vec<u8>,
}

impl Teller {
    /// What the report says.
    pub(super) fn text(&self, report: &Snapshot) -> String {
        match &report.head {
            Head::Dmarc(policy) => dmarc::xml(self, report, policy),
            Head::Tls(policies) => tls::json(self, report, policies),
        }
    }

    /// As it goes.
    ///
    /// # Errors
    /// None: memory takes all.
    pub(super) fn file(&self, report: &Snapshot) -> io::Result<File> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(self.text(report).as_bytes())?;
        let octets = gzip.finish()?;
        let (extension, media_type) = match &report.head {
            Head::Dmarc(_) => ("xml", "application/gzip"),
            Head::Tls(_) => ("json", "application/tlsrpt+gzip"),
        };
        let Snapshot { subject, begin, end, id, .. } = report;
        let name = format!("{}!{}!{begin}!{end}!{id}.{extension}.gz", self.domain(), subject.domain);
        Ok(File { name, media_type, octets })
    }
}
