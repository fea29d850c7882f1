//! DNS as mail needs it (RFC 5321 5.1, RFC 7505), and as it can be relied on where zones are signed (RFC 7672 2).

use crate::base::flow::Answer;
use std::fmt;
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

/// Why a look-up with signatures gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignedFault {
    /// As without signatures.
    #[error("{0}")]
    Dns(#[from] DnsFault),
    /// The zone is signed, and this answer is not, or not well: somebody may have forged it.
    #[error("the signatures of its zone do not hold (DNSSEC)")]
    Bogus,
}

/// The exchangers of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchangers {
    /// In no order.
    pub records: Vec<Mx>,
    /// They are the domain's own word.
    pub signed: bool,
}

/// The addresses of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Located {
    /// Of both families.
    pub addresses: Vec<IpAddr>,
    /// The names at which the host's TLSA records may lie, the one that counts first (RFC 7672 2.2.2): where aliases
    /// lead, then the host's own. None: its zone is not signed.
    pub bases: Vec<Box<str>>,
}

/// A record that says by which certificates a host is known (RFC 6698 2.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tlsa {
    /// What the certificate is in the chain.
    pub usage: u8,
    /// What of it is compared.
    pub selector: u8,
    /// How.
    pub matching: u8,
    /// With what.
    pub data: Box<[u8]>,
}

impl fmt::Display for Tlsa {
    /// As in a zone file: `3 1 1 0a1b…`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} ", self.usage, self.selector, self.matching)?;
        self.data.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// Looks names up and checks the signatures of zones (RFC 4033 5). Names as with [`Dns`].
pub trait SignedDns: Send + Sync {
    /// Whether the name servers pass signatures on. Where they don't, all that is signed looks forged.
    fn is_able(&self) -> Answer<'_, bool>;

    /// The MX records.
    fn exchangers<'a>(&'a self, domain: &'a str) -> Answer<'a, Result<Exchangers, SignedFault>>;

    /// The A and AAAA records; never none.
    fn host<'a>(&'a self, host: &'a str) -> Answer<'a, Result<Located, SignedFault>>;

    /// The TLSA records of a server at this port; never none, and all of them signed.
    fn tlsa<'a>(&'a self, base: &'a str, port: u16) -> Answer<'a, Result<Vec<Tlsa>, SignedFault>>;
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
    fn tlsa_records_are_written_as_in_zone_files_rfc6698_2_1() {
        let record = Tlsa { usage: 3, selector: 1, matching: 1, data: [0x0a, 0xff].into() };
        assert_eq!(record.to_string(), "3 1 1 0aff");
    }

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
