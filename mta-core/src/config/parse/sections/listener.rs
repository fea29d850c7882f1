//! `[[listener]]` and `[tls]`: the ports that mail comes in by, and that what they need of TLS is there.

use crate::config::model::auth::AuthOffer;
use crate::config::model::listener::{CertificateFiles, Kind, Listener, StartTls, Tls, TlsVersion};
use crate::config::model::{Config, Network};
use crate::config::parse::scalar::{self, NAME, NETWORK};
use crate::config::parse::section::{Key, Value, Words, put};
use crate::config::parse::tree::Data;
use crate::config::parse::users;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

const ADDRESS: &str = "an address with its port, as \"127.0.0.1:2525\" or \"[::]:25\"";
const PEM: &str = "the path of a file in PEM";
const CERTIFICATES: &str = "a list of certificates, as [{ cert = \"mx.pem\", key = \"mx.key\" }]";
/// RFC 2033 5: LMTP must not be spoken at the port of SMTP.
const SMTP_PORT: u16 = 25;

const KINDS: &Words<Kind> = &[
    ("relay", Kind::Relay),
    ("submission", Kind::Submission),
    ("submissions", Kind::Submissions),
    ("lmtp", Kind::Lmtp),
];
const STARTTLS: &Words<StartTls> =
    &[("off", StartTls::Off), ("offered", StartTls::Offered), ("required", StartTls::Required)];
const VERSIONS: &Words<TlsVersion> = &[("1.2", TlsVersion::V12), ("1.3", TlsVersion::V13)];

/// A `[[listener]]` before it is known to be whole, and what `[tls]` adds to it.
#[derive(Default)]
pub(in crate::config::parse) struct Draft {
    name: Option<Arc<str>>,
    bind: Option<SocketAddr>,
    kind: Kind,
    starttls: Option<StartTls>,
    tls: Tls,
    auth: AuthOffer,
    proxy_from: Vec<Network>,
    xclient_from: Vec<Network>,
}

pub(in crate::config::parse) const LISTENER: &[Key<Draft>] = &[
    Key { name: "name", read: |d, v| d.name = v.text(NAME, |text| scalar::label(text).map(Into::into)) },
    Key { name: "bind", read: |d, v| d.bind = v.text(ADDRESS, scalar::bind_address) },
    Key { name: "kind", read: |d, v| put(&mut d.kind, v.word(KINDS)) },
    Key { name: "auth", read: |d, v| put(&mut d.auth, v.word(users::OFFERS)) },
    Key { name: "starttls", read: |d, v| d.starttls = v.word(STARTTLS) },
    Key { name: "certificate", read: |d, v| put(&mut d.tls.certificates, v.list(CERTIFICATES, certificate)) },
    Key { name: "client_ca", read: |d, v| d.tls.client_ca = v.text(PEM, file) },
    Key {
        name: "proxy_from",
        read: |d, v| {
            put(&mut d.proxy_from, v.list("a list of networks", |item| item.text(NETWORK, scalar::network)));
        },
    },
    Key {
        name: "xclient_from",
        read: |d, v| {
            put(&mut d.xclient_from, v.list("a list of networks", |item| item.text(NETWORK, scalar::network)));
        },
    },
];

pub(in crate::config::parse) const TLS: &[Key<Tls>] = &[
    Key { name: "certificate", read: |t, v| put(&mut t.certificates, v.list(CERTIFICATES, certificate)) },
    Key { name: "client_ca", read: |t, v| t.client_ca = v.text(PEM, file) },
    Key { name: "version_min", read: |t, v| put(&mut t.version_min, v.word(VERSIONS)) },
];

/// A certificate before it is known to be whole.
pub(in crate::config::parse) type CertificateDraft = (Option<PathBuf>, Option<PathBuf>);

pub(in crate::config::parse) const CERTIFICATE: &[Key<CertificateDraft>] = &[
    Key { name: "cert", read: |d, v| d.0 = v.text(PEM, file) },
    Key { name: "key", read: |d, v| d.1 = v.text(PEM, file) },
];

fn certificate(value: &mut Value<'_, '_>) -> Option<CertificateFiles> {
    let mut draft = CertificateDraft::default();
    if value.table(&mut draft, CERTIFICATE) {
        value.require("cert", "the file of the certificate, with those that signed it behind it");
        value.require("key", "the file of its private key");
    }
    Some(CertificateFiles { cert: draft.0?, key: draft.1? })
}

fn file(text: &str) -> Result<PathBuf, String> {
    if text.trim().is_empty() || text.contains('\0') { Err(String::new()) } else { Ok(text.into()) }
}

/// One `[[listener]]`, without what `[tls]` says for it.
pub(super) fn listener(value: &mut Value<'_, '_>) -> Option<Arc<Listener>> {
    let mut draft = Draft::default();
    if value.table(&mut draft, LISTENER) {
        value.require("name", NAME);
        value.require("bind", ADDRESS);
    }
    let Draft { name, bind, kind, starttls, tls, auth, proxy_from, xclient_from } = draft;
    let Tls { certificates, client_ca, version_min } = tls;
    let starttls = starttls.unwrap_or(StartTls::Off);
    let (name, bind) = (name?, bind?);
    Some(Arc::new(Listener {
        name,
        bind,
        kind,
        starttls,
        certificates,
        client_ca,
        version_min,
        auth,
        proxy_from,
        xclient_from,
    }))
}

/// Gives each listener its part of `[tls]`, and tells those that lack what their kind needs.
pub(super) fn agree(config: &mut Config, root: &mut Value<'_, '_>) {
    // With a problem before, the numbers of the listeners may be others.
    if !root.gathered.is_empty() {
        return;
    }
    let Config { listeners, tls, acme, data_dir, .. } = config;
    if let Some(acme) = acme {
        acme.folder = data_dir.join(&acme.folder);
        tls.certificates.push(acme.certificate());
    }
    for (index, listener) in listeners.iter_mut().enumerate() {
        let listener = Arc::make_mut(listener);
        if listener.certificates.is_empty() {
            listener.certificates.clone_from(&tls.certificates);
        }
        if listener.client_ca.is_none() {
            listener.client_ca.clone_from(&tls.client_ca);
        }
        listener.version_min = tls.version_min;
        let number = index.to_string();
        let says_starttls = says_starttls(root, index);
        if !says_starttls {
            listener.starttls = by_default(listener);
        }
        if let Some((key, what)) = misfit(listener, says_starttls) {
            root.wrong_below(&["listener", &number, key], &what);
        }
    }
}

/// Where the file is silent: users' mail is protected, other servers' as they like, and without a certificate nothing is.
fn by_default(listener: &Listener) -> StartTls {
    match listener.kind {
        Kind::Submissions => StartTls::Off,
        Kind::Submission => StartTls::Required,
        Kind::Relay | Kind::Lmtp if listener.certificates.is_empty() => StartTls::Off,
        Kind::Relay | Kind::Lmtp => StartTls::Offered,
    }
}

fn says_starttls(root: &Value<'_, '_>, index: usize) -> bool {
    let Some(Data::List(items)) = root.below("listener").map(|node| &node.data) else { return false };
    let Some(Data::Table(entries)) = items.get(index).map(|node| &node.data) else { return false };
    entries.iter().any(|entry| entry.key == "starttls")
}

/// What the listener's keys don't agree about, and where.
fn misfit(listener: &Listener, says_starttls: bool) -> Option<(&'static str, String)> {
    let kind = listener.kind.name();
    let add = "add a [[tls.certificate]] with cert and key";
    if listener.kind == Kind::Lmtp && listener.bind.port() == SMTP_PORT {
        return Some(("bind", "expected another port than 25, which is that of SMTP; 24 is usual for LMTP".to_owned()));
    }
    if listener.kind == Kind::Submissions && says_starttls {
        return Some(("starttls", "expected none: kind = \"submissions\" has TLS from the first octet on".to_owned()));
    }
    if !listener.certificates.is_empty() {
        return None;
    }
    match (listener.kind, listener.starttls) {
        (Kind::Submissions, _) => Some(("kind", format!("\"{kind}\" needs a certificate: {add}"))),
        (_, StartTls::Off) => None,
        (_, _) if says_starttls => Some(("starttls", format!("it needs a certificate: {add}"))),
        (_, _) => Some((
            "kind",
            format!("\"{kind}\" needs a certificate: {add}, or starttls = \"off\" where something before it has TLS"),
        )),
    }
}
