//! DNS as mail needs it (RFC 5321 5.1, RFC 7505).

use crate::base::flow::Answer;
use std::net::IpAddr;

/// One mail exchanger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mx {
    /// Lower goes first.
    pub preference: u16,
    /// Lower case, without the final dot; empty for the root, which is the null MX (RFC 7505).
    pub host: Box<str>,
}

/// Why a name gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnsFault {
    /// The name does not exist.
    #[error("no such domain")]
    NoSuchDomain,
    /// The name exists, records of this type don't.
    #[error("no such record")]
    NoRecord,
    /// The servers failed or did not answer: to be tried again.
    #[error("the name servers did not answer")]
    Failed,
}

/// Looks names up. Names are A-labels or plain ASCII; CNAMEs are followed (RFC 5321 5.1).
pub trait Dns: Send + Sync {
    /// The MX records, in no order.
    fn mx<'a>(&'a self, domain: &'a str) -> Answer<'a, Result<Vec<Mx>, DnsFault>>;

    /// The A and AAAA records.
    fn addresses<'a>(&'a self, host: &'a str) -> Answer<'a, Result<Vec<IpAddr>, DnsFault>>;
}
