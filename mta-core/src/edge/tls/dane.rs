//! A host that is known by its signed zone (DANE, RFC 7672 3): its certificate, or one above it, is what a TLSA record
//! says (RFC 6698 2.1, RFC 7671 5).

use super::x509;
use crate::base::world::dns::Tlsa;
use crate::base::world::tls::Dane;
use sha2::{Digest, Sha256, Sha512};
use std::fmt;
use std::sync::Arc;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{CertificateError, Error, OtherError, RootCertStore};

/// Certificates of a chain that are looked at.
const CHAIN_MAX: usize = 10;

/// Believes a host that its zone knows.
#[derive(Debug)]
pub(super) struct KnownHost {
    dane: Arc<Dane>,
    provider: Arc<CryptoProvider>,
}

/// None of the records fits.
#[derive(Debug)]
struct Unknown;

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no TLSA record of its zone fits it")
    }
}

impl std::error::Error for Unknown {}

/// Whether the record speaks of this certificate (RFC 6698 2.1.2, 2.1.3).
fn fits(record: &Tlsa, certificate: &[u8]) -> bool {
    let key;
    let selected = match record.selector {
        0 => certificate,
        _ => match x509::read(certificate) {
            Ok(said) => {
                key = said.key;
                &key
            }
            Err(_) => return false,
        },
    };
    match record.matching {
        0 => *record.data == *selected,
        1 => *record.data == *Sha256::digest(selected),
        2 => *record.data == *Sha512::digest(selected),
        _ => false,
    }
}

impl KnownHost {
    pub(super) fn new(dane: Arc<Dane>, provider: Arc<CryptoProvider>) -> Self {
        Self { dane, provider }
    }

    /// Whether its zone knows the host that shows this certificate and this chain.
    ///
    /// # Errors
    /// It does not, or says of no authority that leads to it.
    pub(super) fn judge(
        &self,
        own: &CertificateDer<'_>,
        signers: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        if self.knows(own) {
            return Ok(());
        }
        let anchors = self.anchors(signers);
        if anchors.is_empty() {
            let unknown = CertificateError::Other(OtherError(Arc::new(Unknown)));
            return Err(Error::InvalidCertificate(unknown));
        }
        self.leads_to(anchors, own, signers, now)
    }

    fn of_usage(&self, usage: u8) -> impl Iterator<Item = &Tlsa> {
        self.dane.records.iter().filter(move |record| record.usage == usage)
    }

    /// RFC 7671 5.1: neither names nor dates count: the zone vouches for both.
    fn knows(&self, own: &[u8]) -> bool {
        self.of_usage(3).any(|record| fits(record, own))
    }

    /// RFC 7672 3.1.2: an authority that the zone names, which the host shows with its chain; a record that holds a whole
    /// certificate brings it itself (RFC 7671 5.2.2).
    fn anchors(&self, signers: &[CertificateDer<'_>]) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        let shown = signers.iter().take(CHAIN_MAX).filter(|shown| self.of_usage(2).any(|record| fits(record, shown)));
        let brought = self.of_usage(2).filter(|record| (record.selector, record.matching) == (0, 0));
        let all = shown.map(|shown| shown.clone().into_owned());
        for anchor in all.chain(brought.map(|record| CertificateDer::from(record.data.to_vec()))) {
            // One that is no certificate vouches for nobody.
            let _ = roots.add(anchor);
        }
        roots
    }

    fn leads_to(
        &self,
        anchors: RootCertStore,
        own: &CertificateDer<'_>,
        signers: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let provider = Arc::clone(&self.provider);
        let webpki = WebPkiServerVerifier::builder_with_provider(Arc::new(anchors), provider).build();
        let webpki = webpki.map_err(|error| Error::General(error.to_string()))?;
        let mut last = Error::InvalidCertificate(CertificateError::NotValidForName);
        // RFC 7672 3.2.3: one of the names that led here is enough.
        for name in &self.dane.names {
            let Ok(name) = ServerName::try_from(&**name) else { continue };
            match webpki.verify_server_cert(own, signers, &name, &[], now) {
                Ok(_) => return Ok(()),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

#[cfg(test)]
#[path = "tests/dane.rs"]
mod tests;
