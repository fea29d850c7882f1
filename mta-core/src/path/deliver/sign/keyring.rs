//! Which keys sign which mail: those of the author's domain, or of the closest domain above it, so that the signature
//! is aligned (RFC 6376 3.2, RFC 7489 3.1.1).

use super::key::Key;
use std::sync::Arc;

/// A key and what it is for.
#[derive(Debug)]
pub struct Signing {
    /// The domain that takes responsibility (`d=`), in lower case and in A-labels.
    pub domain: Box<str>,
    /// Where below it the public key is (`s=`).
    pub selector: Box<str>,
    /// Whose mail it signs; none: anybody's.
    pub tenants: Vec<Arc<str>>,
    /// The key.
    pub key: Key,
}

/// All keys in force.
#[derive(Debug, Default)]
pub struct Keyring {
    keys: Vec<Signing>,
    /// What seals mail that is forwarded.
    sealer: Option<Signing>,
}

impl Keyring {
    /// A ring of these keys, and of one that seals.
    #[must_use]
    pub fn new(keys: Vec<Signing>, sealer: Option<Signing>) -> Self {
        Self { keys, sealer }
    }

    /// Every key.
    pub fn all(&self) -> impl Iterator<Item = &Signing> {
        self.keys.iter().chain(&self.sealer)
    }

    /// There is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.sealer.is_none()
    }

    /// The key that seals what strangers sent and we forward.
    #[must_use]
    pub fn sealer(&self) -> Option<&Signing> {
        self.sealer.as_ref()
    }

    /// The keys for mail of an author at `domain` (lower case, A-labels) that is the tenant's.
    pub fn of(&self, domain: &str, tenant: Option<&str>) -> impl Iterator<Item = &Signing> {
        let fitting = self.keys.iter().filter(move |signing| signing.serves(tenant) && signing.is_above(domain));
        let closest = fitting.clone().map(|signing| signing.domain.len()).max();
        fitting.filter(move |signing| Some(signing.domain.len()) == closest)
    }
}

impl Signing {
    /// Its domain is that one, or above it.
    fn is_above(&self, domain: &str) -> bool {
        domain.strip_suffix(&*self.domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    fn serves(&self, tenant: Option<&str>) -> bool {
        self.tenants.is_empty() || tenant.is_some_and(|tenant| self.tenants.iter().any(|name| **name == *tenant))
    }
}
