//! DNS as mail needs it (RFC 5321 5.1, RFC 7505).

use crate::base::flow::Answer;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One mail exchanger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mx {
    /// Lower goes first.
    pub preference: u16,
    /// Lower case, without the final dot; empty for the root, which is the null MX (RFC 7505).
    pub host: Box<str>,
}

/// Types of records, of those that are asked for by type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordKind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Texts.
    Txt,
    /// Names of addresses.
    Ptr,
}

/// What one record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordData {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// A text: the record's strings put together, as all who use them do (RFC 7208 3.3).
    Txt(Vec<u8>),
    /// A name, in lower case and without the final dot.
    Ptr(Box<str>),
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

    /// The records of one type; never none.
    fn records<'a>(&'a self, name: &'a str, kind: RecordKind) -> Answer<'a, Result<Vec<RecordData>, DnsFault>>;

    /// The A and AAAA records.
    fn addresses<'a>(&'a self, host: &'a str) -> Answer<'a, Result<Vec<IpAddr>, DnsFault>>;
}

/// The address as it is looked up backwards: the octets of IPv4 (RFC 1035 3.5) or the half octets of IPv6
/// (RFC 3596 2.5), the last first, with dots between.
#[must_use]
pub fn backwards(ip: IpAddr) -> String {
    let parts: Vec<String> = match ip.to_canonical() {
        IpAddr::V4(ip) => ip.octets().iter().rev().map(ToString::to_string).collect(),
        IpAddr::V6(ip) => ip
            .octets()
            .iter()
            .rev()
            .flat_map(|octet| [octet & 15, octet >> 4])
            .map(|half| format!("{half:x}"))
            .collect(),
    };
    parts.join(".")
}

/// The name whose PTR records name the address (RFC 1035 3.5, RFC 3596 2.5).
#[must_use]
pub fn reverse_name(ip: IpAddr) -> String {
    let zone = if ip.to_canonical().is_ipv4() { "in-addr.arpa" } else { "ip6.arpa" };
    format!("{}.{zone}", backwards(ip))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_turned_round_as_in_rfc1035_3_5_and_rfc3596_2_5() {
        let reverse = |text: &str| reverse_name(text.parse().expect("an address"));
        assert_eq!(reverse("10.2.0.52"), "52.0.2.10.in-addr.arpa");
        assert_eq!(reverse("::ffff:10.2.0.52"), "52.0.2.10.in-addr.arpa");
        assert_eq!(
            reverse("4321:0:1:2:3:4:567:89ab"),
            "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa"
        );
    }
}
