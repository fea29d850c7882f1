//! What an authority is shown when it asks whether a name is ours: the content of a file (RFC 8555 8.3) or a certificate
//! (RFC 8737 3). They are there while an order is under way.

use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_rustls::rustls::crypto::aws_lc_rs::sign::any_supported_type;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

/// The protocol of such a handshake (RFC 8737 6.2).
pub(super) const PROTOCOL: &[u8] = b"acme-tls/1";

/// The answers to both challenges, by what is asked for.
#[derive(Debug, Default)]
pub(super) struct Answers {
    shown: Mutex<Shown>,
}

#[derive(Debug, Default)]
struct Shown {
    /// By token.
    files: BTreeMap<Box<str>, Box<str>>,
    /// By name, in lower case.
    certificates: BTreeMap<Box<str>, Arc<CertifiedKey>>,
}

impl Answers {
    /// Who asks for this token gets the key authorization.
    pub(super) fn show_file(&self, token: &str, authorization: &str) {
        self.shown().files.insert(token.into(), authorization.into());
    }

    /// Who asks for this name gets a certificate that has the sha256 of the key authorization in it.
    ///
    /// # Errors
    /// It can't be made; in words.
    pub(super) fn show_certificate(&self, name: &str, sum: &[u8; 32]) -> Result<(), String> {
        let made = certificate(name, sum)?;
        self.shown().certificates.insert(name.to_ascii_lowercase().into(), Arc::new(made));
        Ok(())
    }

    /// The content of the file with this token.
    pub(super) fn file(&self, token: &str) -> Option<Box<str>> {
        self.shown().files.get(token).cloned()
    }

    /// Forgets all: the order has come to its end.
    pub(super) fn clear(&self) {
        *self.shown() = Shown::default();
    }

    /// No change panics half-way, so what a poisoned lock guards is whole.
    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesServerCert for Answers {
    /// Only for those who speak the protocol: others would take it for a certificate of a server.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if !hello.alpn()?.any(|protocol| protocol == PROTOCOL) {
            return None;
        }
        self.shown().certificates.get(&*hello.server_name()?.to_ascii_lowercase()).cloned()
    }
}

/// RFC 8737 3: signed by itself, for this name alone, with the sum in a critical extension.
fn certificate(name: &str, sum: &[u8; 32]) -> Result<CertifiedKey, String> {
    let words = |error: rcgen::Error| format!("no certificate for the challenge can be made: {error}");
    let mut params = CertificateParams::new(vec![name.to_owned()]).map_err(words)?;
    params.distinguished_name = DistinguishedName::new();
    params.custom_extensions.push(CustomExtension::new_acme_identifier(sum));
    let key = KeyPair::generate().map_err(words)?;
    let signed = params.self_signed(&key).map_err(words)?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = any_supported_type(&key).map_err(|error| error.to_string())?;
    Ok(CertifiedKey::new(vec![signed.der().clone()], key))
}
