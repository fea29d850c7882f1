//! Natural ways to make the contract's plain data.

use crate::bindings::mailwright::plugin::types::{Address, EnhancedStatus, Fault, Gate, Reply};
use crate::host::outside::{dns, http, suppression, tables};
use crate::host::{kv, message, session};
use std::fmt;

impl Address {
    /// `local@domain`; the domain is empty for `postmaster` alone (RFC 5321 4.1.1.3).
    #[must_use]
    pub fn new(local: &str, domain: &str) -> Self {
        Self { local: local.to_owned(), domain: domain.to_owned() }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.domain.is_empty() { f.write_str(&self.local) } else { write!(f, "{}@{}", self.local, self.domain) }
    }
}

impl Reply {
    /// Any code. The host checks that it fits the verdict.
    #[must_use]
    pub fn new(code: u16, text: &str) -> Self {
        Self { code, enhanced: None, text: text.to_owned() }
    }

    /// 451 4.7.1: not now, for reasons of policy (RFC 5321 4.2.3, RFC 3463 3.8).
    #[must_use]
    pub fn tempfail(text: &str) -> Self {
        Self::new(451, text).status(4, 7, 1)
    }

    /// 550 5.7.1: not ever, for reasons of policy (RFC 5321 4.2.3, RFC 3463 3.8).
    #[must_use]
    pub fn reject(text: &str) -> Self {
        Self::new(550, text).status(5, 7, 1)
    }

    /// 421 4.7.0: go away for now (RFC 5321 3.8).
    #[must_use]
    pub fn disconnect(text: &str) -> Self {
        Self::new(421, text).status(4, 7, 0)
    }

    /// The same reply with this enhanced status (RFC 3463).
    #[must_use]
    pub fn status(mut self, class: u8, subject: u16, detail: u16) -> Self {
        self.enhanced = Some(EnhancedStatus { class, subject, detail });
        self
    }
}

impl Gate {
    /// Refused for good with 550 5.7.1.
    #[must_use]
    pub fn reject(text: &str) -> Self {
        Self::Reject(Reply::reject(text))
    }

    /// Refused for now with 451 4.7.1.
    #[must_use]
    pub fn tempfail(text: &str) -> Self {
        Self::Tempfail(Reply::tempfail(text))
    }
}

impl From<message::Error> for Fault {
    fn from(error: message::Error) -> Self {
        Self::Internal(format!("message: {}", error.name()))
    }
}

impl From<session::Error> for Fault {
    fn from(error: session::Error) -> Self {
        Self::Internal(format!("session: {}", error.name()))
    }
}

impl From<kv::Error> for Fault {
    fn from(error: kv::Error) -> Self {
        let words = match &error {
            kv::Error::NoSuchBucket => "no-such-bucket",
            kv::Error::Quota => "quota",
            kv::Error::TooLarge => "too-large",
            kv::Error::Conflict => "conflict",
            kv::Error::Unavailable(words) => words,
        };
        Self::Unavailable(format!("kv: {words}"))
    }
}

impl From<tables::Error> for Fault {
    fn from(error: tables::Error) -> Self {
        let words = match &error {
            tables::Error::NoSuchTable => "no-such-table",
            tables::Error::Unavailable(words) => words,
        };
        Self::Unavailable(format!("tables: {words}"))
    }
}

impl From<suppression::Error> for Fault {
    fn from(error: suppression::Error) -> Self {
        let words = match &error {
            suppression::Error::NotPermitted => "not-permitted",
            suppression::Error::Invalid => "invalid",
            suppression::Error::Full => "full",
            suppression::Error::Unavailable(words) => words,
        };
        Self::Unavailable(format!("suppression: {words}"))
    }
}

impl From<dns::Error> for Fault {
    fn from(error: dns::Error) -> Self {
        let words = match error {
            dns::Error::Nxdomain => "nxdomain",
            dns::Error::NoData => "no-data",
            dns::Error::Timeout => "timeout",
            dns::Error::Servfail => "servfail",
            dns::Error::NotPermitted => "not-permitted",
        };
        Self::Unavailable(format!("dns: {words}"))
    }
}

impl From<http::Error> for Fault {
    fn from(error: http::Error) -> Self {
        let words = match &error {
            http::Error::NotPermitted => "not-permitted",
            http::Error::Timeout => "timeout",
            http::Error::TooLarge => "too-large",
            http::Error::Failed(words) => words,
        };
        Self::Unavailable(format!("http: {words}"))
    }
}

impl From<crate::delivery::Error> for Fault {
    fn from(error: crate::delivery::Error) -> Self {
        Self::Internal(format!("delivery: {}", error.name()))
    }
}
