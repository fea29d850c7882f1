//! What a report counts: messages, or connections, of which it says the same.

use crate::base::flow::operator::reports::ReportKind;
use crate::base::flow::policy::dmarc::{self, Published, Signature};
use crate::base::flow::tls_result::{PolicyFound, TlsFailure, TlsResult};
use crate::base::mail::domain::Domain;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// A text of strangers, in octets; a name in the DNS has 253.
const TEXT_BYTES_MAX: usize = 255;
/// What is said in words, in octets.
const WORDS_BYTES_MAX: usize = 120;
/// Signatures of a message that are told of (RFC 9990 3.1.3 wants no more than 100).
const SIGNATURES_MAX: usize = 20;
/// Lines of a policy, or records, that are told of.
const POLICY_LINES_MAX: usize = 64;
/// About what a row takes beside its texts, in octets.
const ROW_BYTES: usize = size_of::<Row>() + size_of::<dmarc::Row>() + 64;

/// Whom a report is for, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Subject {
    pub(super) kind: ReportKind,
    /// In A-labels and lower case.
    pub(super) domain: Box<str>,
}

/// What is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum Row {
    /// Messages.
    Dmarc(Box<dmarc::Row>),
    /// Connections.
    Tls(TlsRow),
}

/// Connections that ended in the same way.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct TlsRow {
    /// Which of the tally's policies they were held to.
    pub(super) policy: u16,
    /// What was wrong; none: nothing.
    pub(super) failure: Option<Box<TlsFailed>>,
}

/// What was wrong with a connection (RFC 8460 4.4, `failure-details`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct TlsFailed {
    /// RFC 8460 4.3, as its name.
    pub(super) kind: Box<str>,
    /// The host.
    pub(super) mx: Option<Box<str>>,
    /// Its address.
    pub(super) ip: Option<IpAddr>,
    /// The one that we came from.
    pub(super) sender: Option<IpAddr>,
    /// In words.
    pub(super) why: Box<str>,
}

/// A policy that connections were held to (RFC 8460 4.4, `policy`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum TlsPolicy {
    /// None was found.
    None,
    /// MTA-STS: its lines and its patterns of hosts.
    Sts(Vec<Box<str>>, Vec<Box<str>>),
    /// DANE: the records.
    Tlsa(Vec<Box<str>>),
}

/// What stands above the rows of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Head {
    /// The policy by which messages were judged; of several the last (RFC 9990 3.1).
    Dmarc(Published),
    /// The policies that connections were held to.
    Tls(Vec<TlsPolicy>),
}

impl Row {
    /// About what it takes of memory, in octets.
    pub(super) fn bytes(&self) -> usize {
        let texts = match self {
            Self::Dmarc(row) => {
                let of = |text: &Option<Box<str>>| text.as_ref().map_or(0, |text| text.len());
                let signature = |signature: &Signature| {
                    size_of::<Signature>() + signature.domain.len() + signature.selector.len() + signature.why.len()
                };
                row.author.len()
                    + row.sender.len()
                    + of(&row.to)
                    + row.checked.as_ref().map_or(0, |(name, _)| name.len())
                    + row.reason.as_ref().map_or(0, |(_, words)| words.len())
                    + row.signatures.iter().map(signature).sum::<usize>()
            }
            Self::Tls(row) => row.failure.as_ref().map_or(0, |failed| {
                size_of::<TlsFailed>() + failed.why.len() + failed.mx.as_ref().map_or(0, |mx| mx.len())
            }),
        };
        ROW_BYTES + texts
    }

    /// Of messages; what strangers wrote is made printable and short.
    pub(super) fn of_message(row: &dmarc::Row) -> Self {
        let text = |text: &str| clean(text, TEXT_BYTES_MAX);
        let words = |text: &str| clean(text, WORDS_BYTES_MAX);
        let signature = |signature: &Signature| Signature {
            domain: text(&signature.domain),
            selector: text(&signature.selector),
            outcome: signature.outcome,
            why: words(&signature.why),
        };
        Self::Dmarc(Box::new(dmarc::Row {
            reason: row.reason.as_ref().map(|(kind, why)| (*kind, words(why))),
            author: text(&row.author),
            sender: text(&row.sender),
            to: row.to.as_deref().map(text),
            signatures: row.signatures.iter().take(SIGNATURES_MAX).map(signature).collect(),
            checked: row.checked.as_ref().map(|(name, outcome)| (text(name), *outcome)),
            ..*row
        }))
    }

    /// Of connections.
    pub(super) fn of_connection(policy: u16, result: &TlsResult) -> Self {
        let failed = |(kind, why): &(TlsFailure, Box<str>)| {
            Box::new(TlsFailed {
                kind: name(*kind).into(),
                mx: result.mx.as_deref().map(|mx| clean(mx, TEXT_BYTES_MAX)),
                ip: result.remote.map(|ip| ip.to_canonical()),
                sender: result.local.map(|ip| ip.to_canonical()),
                why: clean(why, WORDS_BYTES_MAX),
            })
        };
        Self::Tls(TlsRow { policy, failure: result.outcome.as_ref().err().map(failed) })
    }

    /// The same with less to tell it from others, for when there are too many; none where that makes no sense.
    pub(super) fn coarse(&self) -> Option<Self> {
        let Self::Tls(TlsRow { policy, failure: Some(failed) }) = self else { return None };
        let TlsFailed { kind, .. } = &**failed;
        let failure =
            Some(Box::new(TlsFailed { kind: kind.clone(), mx: None, ip: None, sender: None, why: Box::default() }));
        Some(Self::Tls(TlsRow { policy: *policy, failure }))
    }
}

impl TlsPolicy {
    /// As it was found, as far as it is told of.
    pub(super) fn of(found: &PolicyFound) -> Self {
        let lines = |lines: &[Box<str>]| {
            lines.iter().take(POLICY_LINES_MAX).map(|line| clean(line, TEXT_BYTES_MAX)).collect::<Vec<_>>()
        };
        match found {
            PolicyFound::None => Self::None,
            PolicyFound::Sts { lines: policy, hosts } => Self::Sts(lines(policy), lines(hosts)),
            PolicyFound::Tlsa { records } => Self::Tlsa(lines(records)),
        }
    }

    /// What it takes of memory, in octets.
    pub(super) fn bytes(&self) -> usize {
        let lines = |lines: &[Box<str>]| lines.iter().map(|line| size_of::<Box<str>>() + line.len()).sum::<usize>();
        size_of::<Self>()
            + match self {
                Self::None => 0,
                Self::Sts(policy, hosts) => lines(policy) + lines(hosts),
                Self::Tlsa(records) => lines(records),
            }
    }
}

/// The name of a policy that was read, made fit for a report.
pub(super) fn published(policy: Published) -> Published {
    Published { domain: clean(&policy.domain, TEXT_BYTES_MAX), ..policy }
}

/// Whether mail can be from a domain of this name.
pub(super) fn is_domain(name: &str) -> bool {
    Domain::parse(name).is_ok_and(|domain| domain.is_ascii() && domain.dns_name().is_some())
}

/// RFC 8460 4.3.
fn name(failure: TlsFailure) -> &'static str {
    match failure {
        TlsFailure::StarttlsNotSupported => "starttls-not-supported",
        TlsFailure::CertificateHostMismatch => "certificate-host-mismatch",
        TlsFailure::CertificateExpired => "certificate-expired",
        TlsFailure::CertificateNotTrusted => "certificate-not-trusted",
        TlsFailure::ValidationFailure => "validation-failure",
        TlsFailure::TlsaInvalid => "tlsa-invalid",
        TlsFailure::DnssecInvalid => "dnssec-invalid",
        TlsFailure::DaneRequired => "dane-required",
        TlsFailure::StsPolicyFetchError => "sts-policy-fetch-error",
        TlsFailure::StsPolicyInvalid => "sts-policy-invalid",
        TlsFailure::StsWebpkiInvalid => "sts-webpki-invalid",
    }
}

/// At most so many octets, in which nothing is that XML 1.0 forbids (2.2 there) or that steers whoever shows it.
fn clean(text: &str, bytes_max: usize) -> Box<str> {
    let text = &text[..text.floor_char_boundary(bytes_max)];
    let is_odd = |letter: char| letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}');
    text.chars().map(|letter| if is_odd(letter) { '?' } else { letter }).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever strangers write: no line ends, nothing that XML can't carry, and only so long.
        #[test]
        fn texts_are_printable_and_short(text in any::<String>(), bytes_max in 0..40_usize) {
            let clean = clean(&text, bytes_max);
            // A letter that is replaced becomes shorter, never longer.
            prop_assert!(clean.len() <= bytes_max);
            let is_odd = clean.contains(char::is_control) || clean.contains(['\u{fffe}', '\u{ffff}']);
            prop_assert!(!is_odd);
        }
    }
}
