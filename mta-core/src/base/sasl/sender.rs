//! Whom a user's mail may be from (RFC 6409 6.1).

use crate::base::mail::address::Address;
use crate::base::mail::domain::Domain;
use std::fmt;

/// Addresses, in one of four ways. Written as read: `*`, `ann@example.org`, `@example.org` or `@*.example.org`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SenderPattern {
    /// All.
    Any,
    /// This one. Case makes no difference in the local part either: whoever may write as `ann` may write as `Ann`.
    Address(Address),
    /// All of this domain.
    Domain(Domain),
    /// All of its subdomains, and not its own.
    Below(Domain),
}

impl SenderPattern {
    /// Reads one.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str =
            "expected an address (ann@example.org), a domain (@example.org), its subdomains (@*.example.org) or *";
        let name = |text: &str| match Domain::parse(text) {
            Ok(domain) => Ok(domain.to_ascii()),
            Err(_) => Err(EXPECTED),
        };
        if text == "*" {
            return Ok(Self::Any);
        }
        match text.strip_prefix('@') {
            Some(domain) => match domain.strip_prefix("*.") {
                Some(domain) => name(domain).map(Self::Below),
                None => name(domain).map(Self::Domain),
            },
            None => text.parse().map(Self::Address).map_err(|_| EXPECTED),
        }
    }

    /// Whether the address is one of them; domains are the same as U-labels and as A-labels.
    #[must_use]
    pub fn matches(&self, sender: &Address) -> bool {
        let domain = || sender.domain().map(Domain::to_ascii);
        match self {
            Self::Any => true,
            Self::Address(own) => {
                own.local().to_lowercase() == sender.local().to_lowercase()
                    && own.domain().map(Domain::to_ascii) == domain()
            }
            Self::Domain(own) => domain().is_some_and(|domain| domain == *own),
            Self::Below(own) => match (domain(), own) {
                (Some(Domain::Name(name)), Domain::Name(own)) => {
                    name.strip_suffix(&**own).is_some_and(|labels| labels.ends_with('.'))
                }
                _ => false,
            },
        }
    }
}

impl fmt::Display for SenderPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Address(address) => address.fmt(f),
            Self::Domain(domain) => write!(f, "@{domain}"),
            Self::Below(domain) => write!(f, "@*.{domain}"),
        }
    }
}
