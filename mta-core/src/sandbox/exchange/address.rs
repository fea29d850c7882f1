//! Addresses as they pass between host and guests.

use super::super::host::bindings::mailwright::plugin::types;
use crate::base::mail::address::Address;
use crate::base::mail::domain::Domain;

/// An address as guests see it.
pub(crate) fn to_wire(address: &Address) -> types::Address {
    types::Address {
        local: address.local().to_owned(),
        domain: address.domain().map_or_else(String::new, ToString::to_string),
    }
}

/// An address that a guest made; none if it is none.
pub(crate) fn from_wire(address: types::Address) -> Option<Address> {
    if address.domain.is_empty() {
        return address.local.eq_ignore_ascii_case("postmaster").then(Address::postmaster);
    }
    let domain = Domain::parse(&address.domain).ok()?;
    Address::new(address.local, Some(domain)).ok()
}
