//! A domain as SMTP knows it: a name or an address literal (RFC 5321 4.1.2, 4.1.3; RFC 6531 3.3).

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;

/// The part of a mailbox behind the `@`, or a client's EHLO name. Equal domains compare equal: names are kept in
/// lower case, internationalised ones as U-labels in NFC.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Domain {
    /// `example.org`, at most 255 octets.
    Name(Box<str>),
    /// `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
    Literal(IpAddr),
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Literal(IpAddr::V4(ip)) => write!(f, "[{ip}]"),
            Self::Literal(IpAddr::V6(ip)) => write!(f, "[IPv6:{ip}]"),
        }
    }
}
