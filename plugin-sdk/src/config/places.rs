//! Networks and domains as operators write them: the server's own configuration has them in the same form.

use super::{Json, Misfit, Rules, Schema, Setting};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A block of addresses, as `"192.0.2.0/24"` or `"2001:db8::/32"`; an address alone is a network of one. IPv4 that is written
/// as IPv6 (`::ffff:192.0.2.1`) is IPv4.
///
/// ```
/// use mailwright_plugin::config::Network;
///
/// let office: Network = "192.0.2.0/24".parse()?;
/// assert!(office.contains("192.0.2.77".parse()?) && !office.contains("2001:db8::1".parse()?));
/// // What counts as one: a neighbour's address gives the same.
/// assert_eq!(Network::of("192.0.2.77".parse()?, 24, 64), office);
/// assert_eq!(Network::of("2001:db8:0:1:2::3".parse()?, 24, 64).to_string(), "2001:db8:0:1::/64");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    first: IpAddr,
    prefix: u8,
}

/// Which octets of an address the prefix keeps.
fn masked(ip: IpAddr, prefix: u8) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
            Ipv4Addr::from_bits(ip.to_bits() & mask).into()
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0);
            Ipv6Addr::from_bits(ip.to_bits() & mask).into()
        }
    }
}

impl Network {
    /// The network that an address lies in, of that prefix length for its family.
    #[must_use]
    pub fn of(ip: IpAddr, prefix_v4: u8, prefix_v6: u8) -> Self {
        let ip = ip.to_canonical();
        let prefix = if ip.is_ipv4() { prefix_v4.min(32) } else { prefix_v6.min(128) };
        Self { first: masked(ip, prefix), prefix }
    }

    /// Whether the address lies in it.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        ip.is_ipv4() == self.first.is_ipv4() && masked(ip, self.prefix) == self.first
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

impl FromStr for Network {
    type Err = Misfit;

    fn from_str(text: &str) -> Result<Self, Misfit> {
        let misfit = || Json::Text(text.to_owned()).misfit("a network, as \"192.0.2.0/24\" or \"2001:db8::1\"");
        let (ip, prefix) = text.split_once('/').map_or((text, None), |(ip, prefix)| (ip, Some(prefix)));
        let ip: IpAddr = ip.parse().map_err(|_| misfit())?;
        let most = if ip.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => most,
            Some(digits) if digits.bytes().all(|octet| octet.is_ascii_digit()) => {
                digits.parse().ok().filter(|prefix| *prefix <= most).ok_or_else(misfit)?
            }
            Some(_) => return Err(misfit()),
        };
        let (ip, prefix) = match ip.to_canonical() {
            v4 @ IpAddr::V4(_) if ip.is_ipv6() && prefix >= 96 => (v4, prefix - 96),
            _ => (ip, prefix),
        };
        Ok(Self { first: masked(ip, prefix), prefix })
    }
}

impl Setting for Network {
    const SCHEMA: Schema = Schema::Text;

    fn read(json: &Json, _rules: &Rules) -> Result<Self, Misfit> {
        match json {
            Json::Text(text) => text.parse(),
            other => Err(other.misfit("a network, as \"192.0.2.0/24\" or \"2001:db8::1\"")),
        }
    }
}

/// Domains: `"example.org"`, `"*.example.org"` (its subdomains, not itself), or `"*"`.
///
/// ```
/// use mailwright_plugin::config::DomainPattern;
///
/// let below: DomainPattern = "*.Example.org".parse()?;
/// assert!(below.matches("a.b.example.ORG") && !below.matches("example.org") && !below.matches("badexample.org"));
/// # Ok::<(), mailwright_plugin::config::Misfit>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainPattern {
    /// In lower case; of subdomains, with the dot before it. Empty: any.
    name: String,
}

impl DomainPattern {
    /// Whether it is one of them; case makes no difference.
    #[must_use]
    pub fn matches(&self, domain: &str) -> bool {
        if self.name.is_empty() {
            return true;
        }
        let domain = domain.strip_suffix('.').unwrap_or(domain).as_bytes();
        let name = self.name.as_bytes();
        let Some(at) = domain.len().checked_sub(name.len()) else { return false };
        let fits = if name[0] == b'.' { at > 0 } else { at == 0 };
        fits && domain[at..].eq_ignore_ascii_case(name)
    }
}

impl FromStr for DomainPattern {
    type Err = Misfit;

    fn from_str(text: &str) -> Result<Self, Misfit> {
        let name = match text {
            "*" => "",
            text => text.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(text),
        };
        let plain = name.strip_prefix('.').filter(|_| text.starts_with('*')).unwrap_or(name);
        let is_label = |label: &str| !label.is_empty() && !label.contains(['*', '@', ' ', '/']);
        match text == "*" || plain.split('.').all(is_label) {
            true => Ok(Self { name: name.to_ascii_lowercase() }),
            false => {
                Err(Json::Text(text.to_owned()).misfit("a domain, as \"example.org\", \"*.example.org\" or \"*\""))
            }
        }
    }
}

impl Setting for DomainPattern {
    const SCHEMA: Schema = Schema::Text;

    fn read(json: &Json, _rules: &Rules) -> Result<Self, Misfit> {
        match json {
            Json::Text(text) => text.parse(),
            other => Err(other.misfit("a domain, as \"example.org\", \"*.example.org\" or \"*\"")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::from_json;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_network_or_domain_is_told() {
        for text in ["", "192.0.2.0/33", "192.0.2/24", "::1/129", "192.0.2.0/", "192.0.2.0/+8", "host", "1.2.3.4/8/8"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
        for text in ["", ".", "a..b", "*.", "**", "*a.b", "a.*.b", "a@b", ".a"] {
            assert!(text.parse::<DomainPattern>().is_err(), "{text}");
        }
        let misfit = from_json::<Vec<Network>>("[\"10.0.0.0/8\", \"lan\"]").expect_err("no network").to_string();
        assert_eq!(misfit, "1: expected a network, as \"192.0.2.0/24\" or \"2001:db8::1\", found \"lan\"");
        assert!(from_json::<Vec<DomainPattern>>("[7]").is_err());
    }

    #[test]
    fn a_network_may_be_all_or_one() {
        let network = |text: &str| text.parse::<Network>().expect("a network");
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        assert!(network("0.0.0.0/0").contains(ip("255.0.0.1")) && !network("0.0.0.0/0").contains(ip("::1")));
        assert!(network("::/0").contains(ip("ffff::")));
        assert!(network("192.0.2.1").contains(ip("192.0.2.1")) && !network("192.0.2.1").contains(ip("192.0.2.2")));
        assert!(
            network("192.0.2.0/24").contains(ip("::ffff:192.0.2.1"))
                && !network("::/0").contains(ip("::ffff:192.0.2.1"))
        );
        for (written, plain) in [("::ffff:192.0.2.1", "192.0.2.1/32"), ("::ffff:192.0.2.0/120", "192.0.2.0/24")] {
            assert_eq!(network(written).to_string(), plain);
        }
        assert_eq!(Network::of(ip("::ffff:192.0.2.77"), 24, 64), network("192.0.2.0/24"));
        assert_eq!(network("192.0.2.77/24"), network("192.0.2.0/24"), "what is beyond the prefix is not looked at");
        assert_eq!(network("2001:db8::/32").to_string(), "2001:db8::/32");
    }

    #[test]
    fn a_domain_is_the_same_in_any_case() {
        let pattern = |text: &str| text.parse::<DomainPattern>().expect("a domain");
        assert!(pattern("Example.org").matches("example.ORG.") && !pattern("example.org").matches("a.example.org"));
        assert!(pattern("*").matches("anything") && pattern("*").matches(""));
        assert!(!pattern("*.example.org").matches(".example.org"));
    }

    proptest! {
        #[test]
        fn an_address_lies_in_its_network(bits: u128, v4: bool, prefix in 0u8..=128) {
            let ip: IpAddr = match v4 {
                true => Ipv4Addr::from_bits(bits as u32).into(),
                false => Ipv6Addr::from_bits(bits).into(),
            };
            let network = Network::of(ip, prefix, prefix);
            prop_assert!(network.contains(ip));
            prop_assert_eq!(network.to_string().parse::<Network>(), Ok(network));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*", domain in ".*") {
            let _ = text.parse::<Network>();
            if let Ok(pattern) = text.parse::<DomainPattern>() {
                let _ = pattern.matches(&domain);
            }
        }
    }
}
