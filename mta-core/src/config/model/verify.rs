//! `[verify]`: how mail from outside is verified, and what comes of the results.

use crate::config::matching::DomainPattern;
use std::sync::Arc;
use std::time::Duration;

/// How a method is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Not at all.
    Off,
    /// Results are told, and nothing else comes of them.
    Report,
    /// What fails is refused, or held, as its owner publishes.
    Enforce,
}

/// What an enforced method's temporary error means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTempError {
    /// The message goes on.
    Continue,
    /// 451: its client tries again.
    Tempfail,
}

/// `[verify]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// Whether anything is verified at all.
    pub enabled: bool,
    /// Whose mail; empty: that of all listeners.
    pub listeners: Vec<Arc<str>>,
    /// The client's name (RFC 8601 3): off or report.
    pub iprev: Use,
    /// RFC 7208.
    pub spf: Use,
    /// RFC 6376: off or report.
    pub dkim: Use,
    /// RFC 8617: off or report.
    pub arc: Use,
    /// RFC 9989.
    pub dmarc: Use,
    /// Whose word on mail that they forward is taken (RFC 8617 7.2).
    pub trusted_sealers: Vec<DomainPattern>,
    /// What an enforced method's temporary error means.
    pub on_temperror: OnTempError,
    /// How long a message is verified, at most.
    pub total: Duration,
    /// How long one look-up is waited for, at most.
    pub lookup: Duration,
    /// Questions to the DNS about one message.
    pub lookups_max: usize,
    /// DKIM signatures of a message that are looked at.
    pub signatures_max: usize,
}

impl Default for Verification {
    fn default() -> Self {
        Self {
            enabled: true,
            listeners: Vec::new(),
            iprev: Use::Report,
            spf: Use::Report,
            dkim: Use::Report,
            arc: Use::Report,
            // Decision 35: lists and forwarders break what is right, and an upgrade must not begin to refuse mail.
            dmarc: Use::Report,
            trusted_sealers: Vec::new(),
            on_temperror: OnTempError::Continue,
            // RFC 7208 4.6.4 wants at least 20 s for SPF alone; clients wait ten minutes for the final reply.
            total: Duration::from_secs(20),
            lookup: Duration::from_secs(10),
            // SPF alone may ask 10 times for 10 exchangers (RFC 7208 4.6.4).
            lookups_max: 200,
            signatures_max: 10,
        }
    }
}
