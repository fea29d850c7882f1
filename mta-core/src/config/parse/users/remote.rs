//! `[auth.http]` and `[auth.ldap]`: others who know users' passwords.

use super::written::{FILE_PEM, SECOND, path, url};
use crate::base::world::http::{HttpHost, Origin};
use crate::base::world::tls::Trust;
use crate::config::model::auth::filter::Filter;
use crate::config::model::auth::ldap::Ldap;
use crate::config::model::auth::oauth::Url;
use crate::config::model::auth::remote::HttpUsers;
use crate::config::parse::scalar::{self, NAME};
use crate::config::parse::section::{Key, Value};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// `[auth.http]` before it is known to be whole.
#[derive(Default)]
pub(in crate::config::parse) struct HttpDraft {
    url: Option<Url>,
    secret: Option<Arc<str>>,
    ca: Option<PathBuf>,
    wait: Option<Duration>,
}

const URL: &str = "a URL, as \"https://accounts.example.org/check\"";

pub(in crate::config::parse) const HTTP: &[Key<HttpDraft>] = &[
    Key { name: "url", read: |d, v| d.url = v.text(URL, url) },
    Key { name: "secret", read: |d, v| d.secret = v.text(NAME, |text| scalar::label(text).map(Into::into)) },
    Key { name: "ca", read: |d, v| d.ca = v.text(FILE_PEM, path) },
    Key { name: "wait", read: |d, v| d.wait = v.duration(SECOND..=60 * SECOND) },
];

pub(super) fn http(value: &mut Value<'_, '_>) -> Option<HttpUsers> {
    let mut draft = HttpDraft::default();
    if value.table(&mut draft, HTTP) {
        value.require("url", URL);
    }
    let HttpDraft { url, secret, ca, wait } = draft;
    Some(HttpUsers { at: url?, secret, trust: trust(ca), wait: wait.unwrap_or(10 * SECOND) })
}

fn trust(ca: Option<PathBuf>) -> Trust {
    ca.map_or(Trust::System, Trust::File)
}

/// `[auth.ldap]` before it is known to be whole.
#[derive(Default)]
pub(in crate::config::parse) struct LdapDraft {
    url: Option<Origin>,
    base: Option<Box<str>>,
    filter: Option<Filter>,
    bind_dn: Option<Box<str>>,
    bind_secret: Option<Arc<str>>,
    senders_attribute: Option<Box<str>>,
    tenant_attribute: Option<Box<str>>,
    ca: Option<PathBuf>,
    wait: Option<Duration>,
}

const SERVER: &str = "a URL, as \"ldaps://ldap.example.org\"";
const BASE: &str = "the entry below which users are, as \"ou=people,dc=example,dc=org\"";
const FILTER: &str = "a filter that finds one user, as \"(mail={user})\": of (&…), (|…), (!…), (attribute=value) and \
                      (attribute=*), with {user} in a value";
const ENTRY: &str = "an entry's name, as \"cn=mailwright,dc=example,dc=org\"";
const ATTRIBUTE: &str = "an attribute's name, as \"mail\"";
const BOTH: &str = "bind_dn and bind_secret together, or neither";

pub(in crate::config::parse) const LDAP: &[Key<LdapDraft>] = &[
    Key { name: "url", read: |d, v| d.url = v.text(SERVER, server) },
    Key { name: "base", read: |d, v| d.base = v.text(BASE, entry) },
    Key { name: "filter", read: |d, v| d.filter = v.text(FILTER, |text| Filter::parse(text).ok_or_else(String::new)) },
    Key { name: "bind_dn", read: |d, v| d.bind_dn = v.text(ENTRY, entry) },
    Key { name: "bind_secret", read: |d, v| d.bind_secret = v.text(NAME, |text| scalar::label(text).map(Into::into)) },
    Key { name: "senders_attribute", read: |d, v| d.senders_attribute = v.text(ATTRIBUTE, attribute) },
    Key { name: "tenant_attribute", read: |d, v| d.tenant_attribute = v.text(ATTRIBUTE, attribute) },
    Key { name: "ca", read: |d, v| d.ca = v.text(FILE_PEM, path) },
    Key { name: "wait", read: |d, v| d.wait = v.duration(SECOND..=60 * SECOND) },
];

pub(super) fn ldap(value: &mut Value<'_, '_>) -> Option<Ldap> {
    let mut draft = LdapDraft::default();
    if value.table(&mut draft, LDAP) {
        value.require("url", SERVER);
        value.require("base", BASE);
        value.require("filter", FILTER);
        if value.below("bind_dn").is_some() != value.below("bind_secret").is_some() {
            value.wrong(format!("expected {BOTH}"));
        }
    }
    Some(Ldap {
        server: draft.url?,
        base: draft.base?,
        filter: draft.filter?,
        bind: draft.bind_dn.zip(draft.bind_secret),
        senders_attribute: draft.senders_attribute,
        tenant_attribute: draft.tenant_attribute,
        trust: trust(draft.ca),
        wait: draft.wait.unwrap_or(10 * SECOND),
    })
}

/// `ldaps://HOST` or `ldaps://HOST:PORT`, or without TLS on this machine (RFC 4516 2).
fn server(text: &str) -> Result<Origin, String> {
    let (scheme, rest) = text.split_once("://").ok_or_else(String::new)?;
    let secure = match &*scheme.to_ascii_lowercase() {
        "ldaps" => true,
        "ldap" => false,
        _ => return Err(String::new()),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let mut server = Origin::parse(&format!("https://{rest}")).map_err(str::to_owned)?;
    let has_port = rest.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|octet| octet.is_ascii_digit()));
    if !has_port {
        server.port = if secure { 636 } else { 389 };
    }
    server.secure = secure;
    let here = matches!(server.host, HttpHost::Address(ip) if ip.is_loopback());
    match secure || here {
        true => Ok(server),
        false => Err("without TLS passwords go to loopback addresses alone: did you mean ldaps?".to_owned()),
    }
}

fn entry(text: &str) -> Result<Box<str>, String> {
    let fits = !text.is_empty() && text.len() <= 1024 && !text.contains(char::is_control);
    if fits { Ok(text.into()) } else { Err(String::new()) }
}

fn attribute(text: &str) -> Result<Box<str>, String> {
    let fits =
        (1..=128).contains(&text.len()) && text.bytes().all(|o| o.is_ascii_alphanumeric() || b"-.;".contains(&o));
    if fits { Ok(text.into()) } else { Err(String::new()) }
}
