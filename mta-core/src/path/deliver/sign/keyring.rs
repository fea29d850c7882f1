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
}

impl Keyring {
    /// A ring of these keys.
    #[must_use]
    pub fn new(keys: Vec<Signing>) -> Self {
        Self { keys }
    }

    /// Every key.
    pub fn all(&self) -> impl Iterator<Item = &Signing> {
        self.keys.iter()
    }

    /// There is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The keys for mail of an author at `domain` (lower case, A-labels) that is the tenant's.
    pub fn of<'a>(&'a self, domain: &str, tenant: Option<&str>) -> impl Iterator<Item = &'a Signing> {
        let fits = |signing: &&Signing| {
            signing.serves(tenant)
                && domain.strip_suffix(&*signing.domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        let closest = self.keys.iter().filter(fits).map(|signing| signing.domain.len()).max();
        let wanted: Vec<_> = self.keys.iter().filter(fits).collect();
        wanted.into_iter().filter(move |signing| Some(signing.domain.len()) == closest)
    }
}

impl Signing {
    fn serves(&self, tenant: Option<&str>) -> bool {
        self.tenants.is_empty() || tenant.is_some_and(|tenant| self.tenants.iter().any(|name| **name == *tenant))
    }
}
