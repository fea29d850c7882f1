//! A domain as SMTP knows it: a name or an address literal (RFC 5321 4.1.2, 4.1.3; RFC 6531 3.3).

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Longest domain in octets (RFC 5321 4.5.3.1.2).
pub const DOMAIN_BYTES_MAX: usize = 255;

/// Longest label in octets (RFC 1035 2.3.4).
const LABEL_BYTES_MAX: usize = 63;

/// The part of a mailbox behind the `@`, or a client's EHLO name. Equal domains compare equal: names are kept in
/// lower case, internationalised ones as U-labels in NFC. A name that came as A-labels stays so, because it can be
/// passed on without SMTPUTF8.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Domain {
    /// `example.org`, at most 255 octets.
    Name(SmolStr),
    /// `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
    Literal(IpAddr),
}

/// Why a text is no domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DomainError {
    /// Nothing there, or a label without octets.
    #[error("a domain and each of its labels needs at least one character")]
    Empty,
    /// Above [`DOMAIN_BYTES_MAX`], or a label above 63 octets.
    #[error("a domain has at most 255 octets and a label 63")]
    TooLong,
    /// Characters or hyphens where RFC 5321 4.1.2 and IDNA allow none.
    #[error("a domain is made of letters, digits and inner hyphens")]
    Malformed,
    /// Neither `[1.2.3.4]` nor `[IPv6:…]` (RFC 5321 4.1.3).
    #[error("an address literal is [1.2.3.4] or [IPv6:...]")]
    Literal,
}

impl Domain {
    /// Reads a name or a literal, in any case, with U-labels or A-labels.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, DomainError> {
        if text.len() > DOMAIN_BYTES_MAX {
            return Err(DomainError::TooLong);
        }
        if let Some(inner) = text.strip_prefix('[') {
            return inner.strip_suffix(']').and_then(literal).map(Self::Literal).ok_or(DomainError::Literal);
        }
        if text.is_ascii() { ascii_name(text) } else { international_name(text) }
    }

    /// Without U-labels: it can be passed on without SMTPUTF8.
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        match self {
            Self::Name(name) => name.is_ascii(),
            Self::Literal(_) => true,
        }
    }

    /// The name in A-labels, as DNS wants it (RFC 5890 2.3.2.1); none for a literal.
    #[must_use]
    pub fn dns_name(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Name(name) if name.is_ascii() => Some(Cow::Borrowed(name)),
            Self::Name(name) => idna::domain_to_ascii_strict(name).ok().map(Cow::Owned),
            Self::Literal(_) => None,
        }
    }

    /// The same domain in A-labels.
    #[must_use]
    pub fn to_ascii(&self) -> Self {
        match self.dns_name() {
            Some(Cow::Owned(name)) => Self::Name(name.into()),
            _ => self.clone(),
        }
    }
}

/// What stands between `[` and `]` (RFC 5321 4.1.3). No other tag than `IPv6` is registered.
fn literal(inner: &str) -> Option<IpAddr> {
    match inner.split_at_checked(5) {
        Some((tag, address)) if tag.eq_ignore_ascii_case("IPv6:") => address.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        _ => inner.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

fn ascii_name(text: &str) -> Result<Domain, DomainError> {
    for label in text.split('.') {
        let octets = label.as_bytes();
        let (Some(first), Some(last)) = (octets.first(), octets.last()) else { return Err(DomainError::Empty) };
        if octets.len() > LABEL_BYTES_MAX {
            return Err(DomainError::TooLong);
        }
        let inner_fits = octets.iter().all(|o| o.is_ascii_alphanumeric() || *o == b'-');
        if !inner_fits || *first == b'-' || *last == b'-' {
            return Err(DomainError::Malformed);
        }
    }
    Ok(Domain::Name(text.to_ascii_lowercase().into()))
}

/// There and back through A-labels: what comes out is valid IDNA, in lower case and NFC (RFC 5891 4, UTS 46).
fn international_name(text: &str) -> Result<Domain, DomainError> {
    let ascii = idna::domain_to_ascii_strict(text).map_err(|_| DomainError::Malformed)?;
    // UTS 46 also maps away: "example.org。" must not become a name with a final dot.
    ascii_name(&ascii)?;
    let (unicode, valid) = idna::domain_to_unicode(&ascii);
    valid.map_err(|_| DomainError::Malformed)?;
    if unicode.len() > DOMAIN_BYTES_MAX {
        return Err(DomainError::TooLong);
    }
    Ok(Domain::Name(unicode.into()))
}

impl FromStr for Domain {
    type Err = DomainError;

    fn from_str(text: &str) -> Result<Self, DomainError> {
        Self::parse(text)
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_kept_in_lower_case_rfc5321_2_4() {
        assert_eq!(Domain::parse("Mail.EXAMPLE.org"), Ok(Domain::Name("mail.example.org".into())));
    }

    #[test]
    fn labels_follow_rfc5321_4_1_2() {
        assert_eq!(Domain::parse(""), Err(DomainError::Empty));
        assert_eq!(Domain::parse("a..b"), Err(DomainError::Empty));
        assert_eq!(Domain::parse("a."), Err(DomainError::Empty));
        assert_eq!(Domain::parse("-a.b"), Err(DomainError::Malformed));
        assert_eq!(Domain::parse("a_b.c"), Err(DomainError::Malformed));
        assert_eq!(Domain::parse(&"a".repeat(64)), Err(DomainError::TooLong));
        let longest = [&*"a".repeat(63); 4].join(".");
        assert!(Domain::parse(&longest).is_ok());
        assert_eq!(Domain::parse(&format!("{longest}.b")), Err(DomainError::TooLong));
    }

    #[test]
    fn literals_follow_rfc5321_4_1_3() {
        for (text, shown) in [("[192.0.2.1]", "[192.0.2.1]"), ("[ipv6:2001:DB8::1]", "[IPv6:2001:db8::1]")] {
            assert_eq!(Domain::parse(text).map(|d| d.to_string()), Ok(shown.to_owned()));
        }
        for text in ["[", "[]", "[192.0.2.1", "[192.0.2.256]", "[2001:db8::1]", "[IPv6:1.2.3.4]", "[X:y]"] {
            assert_eq!(Domain::parse(text), Err(DomainError::Literal), "{text}");
        }
    }

    #[test]
    fn international_names_are_u_labels_here_and_a_labels_for_dns_rfc6531_3_3() {
        let domain = Domain::parse("BÜCHER.example").expect("a domain");
        assert_eq!(domain.to_string(), "bücher.example");
        assert!(!domain.is_ascii());
        assert_eq!(domain.dns_name().as_deref(), Some("xn--bcher-kva.example"));
        // A decomposed u with diaeresis is the same name.
        assert_eq!(Domain::parse("bu\u{308}cher.example"), Ok(domain.clone()));
        assert_eq!(domain.to_ascii(), Domain::Name("xn--bcher-kva.example".into()));
        assert_eq!(Domain::parse("ex\u{e4}mple.org\u{3002}"), Err(DomainError::Malformed));
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_as_the_same_domain(text in "\\PC{0,40}") {
            if let Ok(domain) = Domain::parse(&text) {
                prop_assert_eq!(Domain::parse(&domain.to_string()), Ok(domain));
            }
        }
    }
}
