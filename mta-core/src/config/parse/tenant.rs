//! `[[tenant]]`: whose mail is whose.

use super::super::model::{DomainPattern, Network, Tenant};
use super::scalar::{self, NAME, NETWORK, PATTERN};
use super::section::{Key, Value, put};
use std::sync::Arc;

/// A tenant before it is known to be whole.
#[derive(Default)]
pub(super) struct TenantDraft {
    name: Option<Arc<str>>,
    listeners: Vec<Arc<str>>,
    networks: Vec<Network>,
    domains: Vec<DomainPattern>,
}

pub(super) const TENANT: &[Key<TenantDraft>] = &[
    Key { name: "name", read: |d, v| d.name = v.text(NAME, |text| scalar::label(text).map(Into::into)) },
    Key { name: "listeners", read: |d, v| put(&mut d.listeners, v.names("a list of listeners' names")) },
    Key {
        name: "networks",
        read: |d, v| put(&mut d.networks, v.list("a list of networks", |item| item.text(NETWORK, scalar::network))),
    },
    Key {
        name: "domains",
        read: |d, v| {
            put(&mut d.domains, v.list("a list of domains", |item| item.text(PATTERN, scalar::domain_pattern)));
        },
    },
];

pub(super) fn tenant(value: &mut Value<'_, '_>) -> Option<Tenant> {
    let mut draft = TenantDraft::default();
    if value.table(&mut draft, TENANT) {
        value.require("name", NAME);
    }
    let TenantDraft { name, listeners, networks, domains } = draft;
    if listeners.is_empty() && networks.is_empty() && domains.is_empty() {
        value.wrong(
            "expected at least one of listeners, networks and domains: nothing would be this tenant's".to_owned(),
        );
    }
    Some(Tenant { name: name?, listeners, networks, domains })
}
