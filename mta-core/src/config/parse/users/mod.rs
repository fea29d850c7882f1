//! `[auth]` and `[[tenant]]`: who uses this server, and whose mail is whose.

pub(in crate::config::parse) mod oauth;
pub(in crate::config::parse) mod remote;
#[cfg(test)]
mod tests;
mod written;

use super::problem::did_you_mean;
use super::scalar::{self, NAME, NETWORK, PATTERN};
use super::section::{Key, Value, Words, put};
use crate::config::model::auth::oauth::TokenCheck;
use crate::config::model::auth::{Auth, AuthOffer};
use crate::config::model::{Config, DomainPattern, Mode, Network, PASSWORDS, Tenant, UserPattern};
use std::sync::Arc;
use written::{SECOND, path, patterns};

/// A tenant before it is known to be whole.
#[derive(Default)]
pub(super) struct TenantDraft {
    name: Option<Arc<str>>,
    listeners: Vec<Arc<str>>,
    users: Vec<UserPattern>,
    networks: Vec<Network>,
    domains: Vec<DomainPattern>,
}

pub(super) const TENANT: &[Key<TenantDraft>] = &[
    Key { name: "name", read: |d, v| d.name = v.text(NAME, |text| scalar::label(text).map(Into::into)) },
    Key { name: "listeners", read: |d, v| put(&mut d.listeners, v.names("a list of listeners' names")) },
    Key { name: "users", read: |d, v| put(&mut d.users, patterns(v)) },
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
    let TenantDraft { name, listeners, users, networks, domains } = draft;
    Some(Tenant { name: name?, listeners, users, networks, domains })
}

const BACK_END: &str = "the name of a [[plugin]]";

const FILE: &str = "the path of the file of users, as \"/etc/mailwright/users\"";

pub(super) const AUTH: &[Key<Auth>] = &[
    Key { name: "users", read: |a, v| a.users = v.text(FILE, path) },
    Key { name: "oauth", read: |a, v| a.oauth = oauth::oauth(v) },
    Key { name: "plugin", read: |a, v| a.plugin = v.text(BACK_END, |text| scalar::label(text).map(Into::into)) },
    Key { name: "http", read: |a, v| a.http = remote::http(v) },
    Key { name: "ldap", read: |a, v| a.ldap = remote::ldap(v) },
    Key { name: "remote_checks_max", read: |a, v| put(&mut a.remote_checks_max, v.count(1..=10_000)) },
    Key { name: "checks_max", read: |a, v| put(&mut a.checks_max, v.count(1..=256)) },
    Key { name: "check_wait", read: |a, v| put(&mut a.check_wait, v.duration(SECOND..=60 * SECOND)) },
    Key { name: "failures_max", read: |a, v| put(&mut a.failures_max, v.count(1..=100)) },
    Key { name: "failures_per_peer_max", read: |a, v| put(&mut a.failures_per_peer_max, v.count(1..=100_000)) },
    Key { name: "failures_per_user_max", read: |a, v| put(&mut a.failures_per_user_max, v.count(1..=100_000)) },
    Key { name: "failure_wait_max", read: |a, v| put(&mut a.failure_wait_max, v.duration(SECOND..=3600 * SECOND)) },
    Key { name: "check_from", read: |a, v| put(&mut a.check_from, v.truth()) },
    Key { name: "hide_client", read: |a, v| put(&mut a.hide_client, v.truth()) },
];

/// What a listener may say of it.
pub(super) const OFFERS: &Words<AuthOffer> =
    &[("off", AuthOffer::Off), ("private", AuthOffer::Private), ("danger_plaintext", AuthOffer::DangerPlaintext)];

/// `[auth]`.
pub(super) fn auth(config: &mut Config, value: &mut Value<'_, '_>) {
    value.table(&mut config.auth, AUTH);
}

/// Nothing is offered that nobody could use, and no tenant is there whose nothing could be.
pub(super) fn agree(config: &Config, root: &mut Value<'_, '_>) {
    secrets_are_there(config, root);
    back_end_may(config, root);
    tenants_share_no_user(config, root);
    if config.auth.knows_anybody() {
        return;
    }
    for (index, listener) in config.listeners.iter().enumerate() {
        if listener.auth == AuthOffer::DangerPlaintext {
            let what = "there are no users who could authenticate: expected auth.users, the path of their file, or \
                        another way to know them";
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

/// Tells the plugin that `[auth]` names so.
pub(super) fn back_end(config: &mut Config) {
    let named = config.auth.plugin.as_ref();
    for plugin in &mut config.plugins {
        plugin.knows_users = named == Some(&plugin.name);
    }
}

/// The plugin that knows users is there, alone decides, and may be shown passwords. Whether it asks for them is known when
/// it is loaded.
fn back_end_may(config: &Config, root: &mut Value<'_, '_>) {
    let Some(name) = &config.auth.plugin else { return };
    let Some((index, plugin)) = config.plugins.iter().enumerate().find(|(_, plugin)| plugin.name == *name) else {
        let mend = did_you_mean(name, config.plugins.iter().map(|plugin| &*plugin.name));
        let mend = if mend.is_empty() { "there is no [[plugin]] of that name".to_owned() } else { mend };
        return root.wrong_below(&["auth", "plugin"], &format!("expected {BACK_END}, found {name:?}; {mend}"));
    };
    if plugin.mode != Mode::Full {
        let what = format!(
            "expected \"full\": [auth] has this plugin say who users are, and passwords are shown to no {}",
            if plugin.mode == Mode::Shadow { "shadow" } else { "canary" }
        );
        root.wrong_below(&["plugin", &index.to_string(), "mode"], &what);
    }
    if !plugin.allow.iter().any(|word| &**word == PASSWORDS) {
        let what = format!(
            "expected \"{PASSWORDS}\" among them: [auth] has this plugin say who users are, for which it is shown their \
             passwords"
        );
        root.wrong_below(&["plugin", &index.to_string(), "allow"], &what);
    }
}

/// The passwords that the server itself shows to others.
fn secrets_are_there(config: &Config, root: &mut Value<'_, '_>) {
    let mut named: Vec<(&[&str], &str)> = Vec::new();
    if let Some(TokenCheck::Asked { client_secret, .. }) = config.auth.oauth.as_ref().map(|oauth| &oauth.check) {
        named.push((&["auth", "oauth", "client_secret"], client_secret));
    }
    if let Some(secret) = config.auth.http.as_ref().and_then(|http| http.secret.as_deref()) {
        named.push((&["auth", "http", "secret"], secret));
    }
    if let Some((_, secret)) = config.auth.ldap.as_ref().and_then(|ldap| ldap.bind.as_ref()) {
        named.push((&["auth", "ldap", "bind_secret"], secret));
    }
    if let Some(external) = config.acme.as_ref().and_then(|acme| acme.external.as_ref()) {
        named.push((&["acme", "external_key_secret"], &external.secret));
    }
    for (path, name) in named {
        let known = config.secrets.iter().map(|secret| &*secret.name);
        if !known.clone().any(|known| known == name) {
            let mend = did_you_mean(name, known);
            let mend = if mend.is_empty() { "there is no [[secret]] of that name".to_owned() } else { mend };
            root.wrong_below(path, &format!("expected the name of a [[secret]], found {name:?}; {mend}"));
        }
    }
}

/// A pattern that an earlier tenant's covers would never count.
fn tenants_share_no_user(config: &Config, root: &mut Value<'_, '_>) {
    for (index, tenant) in config.tenants.iter().enumerate() {
        for pattern in &tenant.users {
            let covers = |other: &&Tenant| other.users.iter().any(|before| before.covers(pattern));
            if let Some(other) = config.tenants[..index].iter().find(covers) {
                let what = format!(
                    "\"{pattern}\" is the tenant \"{}\"'s already, which stands before: expected each user in one tenant, \
                     the narrower patterns first",
                    other.name
                );
                root.wrong_below(&["tenant", &index.to_string(), "users"], &what);
            }
        }
    }
}
