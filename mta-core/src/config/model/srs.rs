//! `[srs]`: the domain of rewritten reverse paths.

use crate::base::mail::address::Address;
use crate::base::mail::domain::Domain;
use std::time::Duration;

/// `[srs]`: where bounces of what we forwarded come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srs {
    /// The domain, in A-labels; its exchanger is this server.
    pub domain: Domain,
    /// Addresses that were made longer ago lead nowhere.
    pub age_max: Duration,
}

impl Srs {
    /// Whether the address is in the domain.
    #[must_use]
    pub fn is_here(&self, address: &Address) -> bool {
        // Asked of every recipient: names in ASCII, nearly all there are, are compared as they stand.
        address.domain().is_some_and(|domain| match domain.is_ascii() {
            true => *domain == self.domain,
            false => domain.to_ascii() == self.domain,
        })
    }
}
