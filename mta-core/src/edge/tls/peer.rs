//! Certificates of clients: whoever shows one has its key, and what else is known of it is told, not decided.
//!
//! Servers show theirs wherever they are asked, expired ones and such of their own making among them. To refuse these
//! would be to refuse their mail.

use super::x509;
use crate::base::world::tls::PeerCertificate;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::sync::Arc;
use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

/// Lets every certificate pass, and knows what a strict verifier would have said.
#[derive(Debug)]
pub(super) struct AnyClient(pub(super) Arc<dyn ClientCertVerifier>);

impl AnyClient {
    /// What is known of a chain that a client showed.
    pub(super) fn judge(&self, shown: &[CertificateDer<'_>]) -> Option<PeerCertificate> {
        let (own, signers) = shown.split_first()?;
        let verified = self.0.verify_client_cert(own, signers, UnixTime::now()).is_ok();
        let subject = x509::read(own).unwrap_or_default().subject;
        Some(PeerCertificate { subject, sha256: hexadecimal(&Sha256::digest(own)), verified })
    }
}

fn hexadecimal(octets: &[u8]) -> Box<str> {
    let mut text = String::with_capacity(2 * octets.len());
    for octet in octets {
        // Writing to a String can't fail.
        let _ = write!(text, "{octet:02x}");
    }
    text.into()
}

impl ClientCertVerifier for AnyClient {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        _own: &CertificateDer<'_>,
        _signers: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
