//! What networks and domain patterns match.

use super::model::{Config, DomainPattern, Network};
use crate::base::flow::attempt::{NextHop, Routes};
use crate::base::mail::domain::Domain;
use crate::base::world::tls::Outgoing;
use std::fmt;
use std::net::IpAddr;

impl Network {
    /// Whether the address lies in the block; an IPv4-mapped IPv6 address counts as IPv4.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.base, ip.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(ip)) => {
                leading_bits_agree(u32::from(base).into(), u32::from(ip).into(), 96 + u32::from(self.prefix))
            }
            (IpAddr::V6(base), IpAddr::V6(ip)) => {
                leading_bits_agree(u128::from(base), u128::from(ip), u32::from(self.prefix))
            }
            _ => false,
        }
    }
}

fn leading_bits_agree(one: u128, other: u128, bits: u32) -> bool {
    bits == 0 || (one ^ other).leading_zeros() >= bits.min(128)
}

impl Config {
    /// What connections to this hop want of TLS. Routes to the same host agree about it.
    #[must_use]
    pub fn tls_to(&self, hop: &NextHop) -> &Outgoing {
        let route = self.routes.iter().find(|route| route.via == *hop.target());
        route.and_then(|route| route.tls.as_ref()).unwrap_or(&self.delivery.tls)
    }
}

impl DomainPattern {
    /// A pattern from its text: a name, `*.` and a name (its subdomains), or `*`. Kept in A-labels, so that it matters
    /// neither how the operator writes a name nor how a client does (RFC 5890 2.3.2.1).
    #[must_use]
    pub fn new(text: &str) -> Self {
        let text = text.to_lowercase();
        let (star, name) = text.strip_prefix("*.").map_or(("", &*text), |name| ("*.", name));
        match Domain::parse(name) {
            Ok(domain) if !name.is_ascii() => Self(format!("{star}{}", domain.to_ascii()).into()),
            _ => Self(text.into()),
        }
    }

    /// Whether the domain matches. `*` matches address literals too.
    #[must_use]
    pub fn matches(&self, domain: &Domain) -> bool {
        match (&*self.0, domain) {
            ("*", _) => true,
            (_, Domain::Name(name)) if !name.is_ascii() => match domain.to_ascii() {
                Domain::Name(name) => self.matches_name(&name),
                Domain::Literal(_) => false,
            },
            (_, Domain::Name(name)) => self.matches_name(name),
            (pattern, literal @ Domain::Literal(_)) => pattern == literal.to_string().to_lowercase(),
        }
    }

    fn matches_name(&self, name: &str) -> bool {
        match self.0.strip_prefix('*') {
            Some(suffix) => name.len() > suffix.len() && name.ends_with(suffix),
            None => *self.0 == *name,
        }
    }
}

impl fmt::Display for DomainPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Routes for Config {
    fn next_hop(&self, domain: Option<&Domain>) -> NextHop {
        let own = Domain::Name(self.hostname.to_lowercase().into());
        let domain = domain.unwrap_or(&own);
        match self.routes.iter().find(|route| route.to.as_ref().is_some_and(|to| to.matches(domain))) {
            Some(route) => route.via.clone(),
            None => NextHop::Mx(domain.clone()),
        }
    }

    fn named(&self, route: &str) -> Option<NextHop> {
        let found = self.routes.iter().find(|known| known.name.as_deref() == Some(route));
        found.map(|route| route.via.clone())
    }

    fn has_pool(&self, pool: &str) -> bool {
        self.pools.iter().any(|known| *known.name == *pool)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(base: &str, prefix: u8) -> Network {
        Network { base: base.parse().expect("a literal"), prefix }
    }

    #[test]
    fn a_network_holds_its_addresses_and_no_other() {
        let net = network("192.0.2.0", 24);
        assert!(net.contains("192.0.2.255".parse().expect("a literal")));
        assert!(net.contains("::ffff:192.0.2.1".parse().expect("a literal")));
        assert!(!net.contains("192.0.3.0".parse().expect("a literal")));
        assert!(!net.contains("2001:db8::1".parse().expect("a literal")));
        assert!(network("::", 0).contains("2001:db8::1".parse().expect("a literal")));
        assert!(!network("2001:db8::", 32).contains("2001:db9::1".parse().expect("a literal")));
    }

    #[test]
    fn a_starred_pattern_matches_subdomains_alone() {
        let pattern = DomainPattern::new("*.Example.org");
        let name = |text: &str| Domain::Name(text.into());
        assert!(pattern.matches(&name("a.example.org")));
        assert!(!pattern.matches(&name("example.org")));
        assert!(!pattern.matches(&name("badexample.org")));
        assert!(DomainPattern::new("*").matches(&Domain::Literal(IpAddr::from([127, 0, 0, 1]))));
    }

    #[test]
    fn names_match_however_they_are_written_rfc5890_2_3_2_1() {
        let written = ["bücher.example", "Bücher.Example", "xn--bcher-kva.example"];
        for pattern in written.map(DomainPattern::new) {
            for name in ["bücher.example", "xn--bcher-kva.example"] {
                assert!(pattern.matches(&Domain::Name(name.into())), "{pattern} {name}");
            }
            assert!(!pattern.matches(&Domain::Name("bucher.example".into())));
        }
        let below = DomainPattern::new("*.bücher.example");
        assert!(below.matches(&Domain::Name("a.xn--bcher-kva.example".into())));
        assert!(below.matches(&Domain::Name("a.bücher.example".into())));
        assert!(!below.matches(&Domain::Name("bücher.example".into())));
    }
}
