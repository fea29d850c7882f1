//! DMARC between stages: where policies are (RFC 9989 4.10), and what reports to authors' domains are made of (RFC 9990
//! 3.1).

use super::verify::Outcome;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Where a domain's policy is (RFC 9989 4.10).
pub const DMARC: &str = "_dmarc.";

/// What a domain wants of mail behind which it does not stand (RFC 9989 4.7, `p`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Wish {
    /// Nothing.
    None,
    /// That it is looked at with suspicion.
    Quarantine,
    /// That it is refused.
    Reject,
}

/// A policy as it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// Where it was found: whose policy it is, and who is told.
    pub domain: Box<str>,
    /// `p`.
    pub policy: Wish,
    /// `sp`: for its subdomains.
    pub subdomains: Wish,
    /// `np`: for those that do not exist.
    pub absent: Wish,
    /// `t`: it only tests.
    pub tests: bool,
    /// `adkim=s`.
    pub strict_dkim: bool,
    /// `aspf=s`.
    pub strict_spf: bool,
    /// `fo`.
    pub failure_options: Box<str>,
}

/// What became of a message by DMARC (RFC 9990 3.1.1, `disposition`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Disposition {
    /// Nothing.
    None,
    /// Nothing: the domain stands behind it, and would have had something done otherwise.
    Pass,
    /// It is held.
    Quarantine,
    /// It was refused.
    Reject,
}

/// Why that is not what the domain wants (RFC 9990 3.1.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Override {
    /// This server does otherwise.
    LocalPolicy,
    /// The domain only tests.
    TestMode,
    /// Something else.
    Other,
}

/// One signature's result.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Signature {
    /// `d=`.
    pub domain: Box<str>,
    /// `s=`.
    pub selector: Box<str>,
    /// What came of it.
    pub outcome: Outcome,
    /// Why; empty where there is nothing to say.
    pub why: Box<str>,
}

/// What a report says of a message; messages of which it says the same are counted (RFC 9990 3.1.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Row {
    /// The client.
    pub source: IpAddr,
    /// What became of it.
    pub disposition: Disposition,
    /// A signature speaks for the author's domain.
    pub dkim: bool,
    /// SPF speaks for it.
    pub spf: bool,
    /// Why the disposition is another than the domain wants, in words too.
    pub reason: Option<(Override, Box<str>)>,
    /// The author's domain.
    pub author: Box<str>,
    /// The sender's domain; empty for the null sender.
    pub sender: Box<str>,
    /// The recipients' domain, where it is one.
    pub to: Option<Box<str>>,
    /// Its signatures.
    pub signatures: Vec<Signature>,
    /// The name that SPF was asked about, and what came of it.
    pub checked: Option<(Box<str>, Outcome)>,
}

/// One message that was judged, whose author's domain wants to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// By which policy.
    pub policy: Published,
    /// What is told of it.
    pub row: Row,
}

/// Where they are told. Never waits: what can't be kept is dropped and counted there.
pub trait DmarcResults: Send + Sync {
    /// One more.
    fn judged(&self, judged: Judged);
}

/// Nobody wants to know.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unreported;

impl DmarcResults for Unreported {
    fn judged(&self, _judged: Judged) {}
}

impl Wish {
    /// As records and logs name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }
}

/// The names at which a policy of the domain may be (RFC 9989 4.10): its own, and those above it, at most eight.
#[must_use]
pub fn walk(domain: &str) -> Vec<String> {
    let labels: Vec<&str> = domain.split('.').collect();
    let above = (1..labels.len()).filter(|from| labels.len() - from <= 7);
    std::iter::once(0).chain(above).map(|from| format!("{DMARC}{}", labels[from..].join("."))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_has_eight_steps_at_most_rfc9989_4_10() {
        assert_eq!(walk("a.example.org"), ["_dmarc.a.example.org", "_dmarc.example.org", "_dmarc.org"]);
        let long = walk("1.2.3.4.5.6.7.8.9.10.example.org");
        assert_eq!(long.len(), 8);
        assert_eq!(long[1], "_dmarc.6.7.8.9.10.example.org");
    }
}
