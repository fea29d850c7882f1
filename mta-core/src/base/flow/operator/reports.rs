//! Reports to other domains (RFC 9990, RFC 8460), as an operator sees them: what would be told, and to whom it went.

use crate::base::flow::Answer;
use serde::{Deserialize, Serialize};

/// What a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReportKind {
    /// Mail that claims to be a domain's (RFC 9990).
    Dmarc,
    /// Connections to a domain's servers (RFC 8460).
    Tls,
}

impl ReportKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Dmarc, Self::Tls];

    /// As logs, metrics and commands name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Dmarc => "dmarc",
            Self::Tls => "tls",
        }
    }
}

/// A report in the making, or on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportRow {
    /// Its name, which it also has for whoever gets it.
    pub id: String,
    /// What it is about.
    pub kind: ReportKind,
    /// Whom it is for.
    pub domain: String,
    /// When its period began, RFC 3339 in UTC.
    pub begin: String,
    /// When it ends, or has ended.
    pub end: String,
    /// When it is sent; none: it is being sent.
    pub due: Option<String>,
    /// Messages, or connections, that it counts.
    pub results: u64,
    /// Those that it does not, for want of room.
    pub dropped: u64,
}

/// The reports, as an operator sees them.
pub trait OperateReports: Send + Sync {
    /// All of them, by kind and domain.
    fn list(&self) -> Vec<ReportRow>;

    /// What those for a domain would say if they were sent now, each as a text. Without its destinations: those are
    /// looked up when it is sent.
    fn show(&self, domain: &str) -> Vec<String>;

    /// Ends the period of a domain's reports and sends them now; what came of it, a line each. An error, in words for
    /// people, if there is nothing to be told.
    fn send<'a>(&'a self, domain: &'a str) -> Answer<'a, Result<Vec<String>, String>>;
}
