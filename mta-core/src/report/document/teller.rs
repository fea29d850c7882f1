//! Who tells (RFC 9990 3.1.1, RFC 8460 4.4).

use crate::config::model::report::Reporting;

/// Who tells.
#[derive(Clone, Debug)]
pub(in crate::report) struct Teller {
    pub(in crate::report) report: Reporting,
    /// Our host's name.
    pub(in crate::report) hostname: String,
}

impl Teller {
    /// The domain that reports are from, in A-labels: it signs them.
    pub(in crate::report) fn domain(&self) -> String {
        self.report.address.domain().map(ToString::to_string).unwrap_or_default()
    }

    /// The name of whoever runs this server.
    pub(super) fn organization(&self) -> &str {
        self.report.organization.as_deref().unwrap_or(&self.hostname)
    }
}
