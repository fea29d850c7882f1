//! Networks and domain patterns, and what they match.

use crate::base::mail::domain::Domain;
use crate::base::sasl::prepare;
use std::fmt;
use std::net::IpAddr;

/// An address block, as `192.0.2.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// The base address; bits behind the prefix are zero.
    pub base: IpAddr,
    /// How many leading bits must be equal.
    pub prefix: u8,
}

/// A pattern for domains: `example.org`, `*.example.org` or `*`, compared in lower case and in A-labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainPattern(Box<str>);

/// A pattern for users' names: one name, `*@example.org` (all names that end so), or `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserPattern {
    /// All.
    Any,
    /// All whose name ends so: `@` and a domain, in lower case.
    At(Box<str>),
    /// This one, prepared.
    Name(Box<str>),
}

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

impl UserPattern {
    /// A pattern from its text; none where nobody could be called so.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Any);
        }
        match text.strip_prefix('*') {
            None => prepare::name(text).filter(|name| !name.contains('*')).map(Self::Name),
            Some(end) => {
                let domain = end.strip_prefix('@').and_then(prepare::name)?;
                (!domain.contains(['*', '@'])).then(|| Self::At(format!("@{domain}").into()))
            }
        }
    }

    /// Whether it is the pattern of a user of this name, prepared.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::At(end) => name.len() > end.len() && name.ends_with(&**end),
            Self::Name(own) => **own == *name,
        }
    }

    /// Whether it matches all that the other does.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match other {
            Self::Any => *self == Self::Any,
            Self::At(_) => *self == Self::Any || self == other,
            Self::Name(name) => self.matches(name),
        }
    }
}

impl fmt::Display for UserPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::At(end) => write!(f, "*{end}"),
            Self::Name(name) => f.write_str(name),
        }
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
    fn users_are_matched_by_name_or_by_its_end() {
        let pattern = |text: &str| UserPattern::parse(text).expect("a pattern");
        assert!(pattern("Ann").matches("ann") && !pattern("ann").matches("anna"));
        let all = pattern("*@Tenant.Example");
        assert!(
            all.matches("a@tenant.example") && !all.matches("@tenant.example") && !all.matches("a@x.tenant.example")
        );
        assert!(pattern("*").matches("ann") && pattern("*").covers(&all) && all.covers(&pattern("a@tenant.example")));
        assert!(!all.covers(&pattern("*")) && !pattern("a@tenant.example").covers(&all) && all.covers(&all));
        for text in ["*", "*@tenant.example", "ann"] {
            assert_eq!(pattern(text).to_string(), text);
        }
        for wrong in ["", "*x", "a*", "**", "*@", "*@*", "*@a@b", "a b"] {
            assert_eq!(UserPattern::parse(wrong), None, "{wrong}");
        }
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
