//! `[auth]` and `[[tenant]]`: who uses this server, and whose mail is whose.

use super::super::model::auth::{Auth, AuthOffer};
use super::super::model::{Config, DomainPattern, Network, Tenant};
use super::scalar::{self, NAME, NETWORK, PATTERN};
use super::section::{Key, Value, Words, put};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

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
    Some(Tenant { name: name?, listeners, networks, domains })
}

const FILE: &str = "the path of the file of users, as \"/etc/mailwright/users\"";

pub(super) const AUTH: &[Key<Auth>] = &[
    Key { name: "users", read: |a, v| a.users = v.text(FILE, path) },
    Key { name: "checks_max", read: |a, v| put(&mut a.checks_max, v.count(1..=256)) },
    Key { name: "check_wait", read: |a, v| put(&mut a.check_wait, v.duration(SECOND..=60 * SECOND)) },
    Key { name: "failures_max", read: |a, v| put(&mut a.failures_max, v.count(1..=100)) },
    Key { name: "failures_per_peer_max", read: |a, v| put(&mut a.failures_per_peer_max, v.count(1..=100_000)) },
    Key { name: "failures_per_user_max", read: |a, v| put(&mut a.failures_per_user_max, v.count(1..=100_000)) },
    Key { name: "failure_wait_max", read: |a, v| put(&mut a.failure_wait_max, v.duration(SECOND..=3600 * SECOND)) },
    Key { name: "check_from", read: |a, v| put(&mut a.check_from, v.truth()) },
    Key { name: "hide_client", read: |a, v| put(&mut a.hide_client, v.truth()) },
];

const SECOND: Duration = Duration::from_secs(1);

/// What a listener may say of it.
pub(super) const OFFERS: &Words<AuthOffer> =
    &[("off", AuthOffer::Off), ("private", AuthOffer::Private), ("danger_plaintext", AuthOffer::DangerPlaintext)];

fn path(text: &str) -> Result<PathBuf, String> {
    if text.trim().is_empty() || text.contains('\0') { Err(String::new()) } else { Ok(text.into()) }
}

/// `[auth]`.
pub(super) fn auth(config: &mut Config, value: &mut Value<'_, '_>) {
    value.table(&mut config.auth, AUTH);
}

/// Nothing is offered that nobody could use, and no tenant is there whose nothing could be.
pub(super) fn agree(config: &Config, root: &mut Value<'_, '_>) {
    if config.auth.users.is_some() {
        return;
    }
    for (index, listener) in config.listeners.iter().enumerate() {
        if listener.auth == AuthOffer::DangerPlaintext {
            let what = "there are no users who could authenticate: expected auth.users, the path of their file";
            root.wrong_below(&["listener", &index.to_string(), "auth"], what);
        }
    }
    for (index, tenant) in config.tenants.iter().enumerate() {
        if tenant.listeners.is_empty() && tenant.networks.is_empty() && tenant.domains.is_empty() {
            let what = "expected at least one of listeners, networks and domains, or auth.users whose file names it: \
                        nothing would be this tenant's";
            root.wrong_below(&["tenant", &index.to_string()], what);
        }
    }
}
