//! The client's side of TLS, for mail that goes out: whom we believe, route by route and domain by domain (RFC 7672 3,
//! RFC 8460 4.3).

use super::dane::KnownHost;
use super::identity::certificates;
use super::provider::provider;
use super::side::{Protected, info, words};
use crate::base::flow::tls_result::TlsFailure;
use crate::base::world::net::Socket;
use crate::base::world::tls::{Dane, Secured, TlsInfo, Trust, Unsecured};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    WantsVerifier,
};

/// How we speak TLS as a client.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    anyone: OnceLock<Result<Arc<ClientConfig>, String>>,
    /// Read when it is first needed: the system's roots take some milliseconds.
    system: OnceLock<Result<Arc<ClientConfig>, String>>,
    files: BTreeMap<PathBuf, Arc<ClientConfig>>,
}

impl Outgoing {
    /// With the roots in these files.
    ///
    /// # Errors
    /// In words for the operator, a line for each file that can't be used.
    pub(super) fn with<'p>(files: impl Iterator<Item = &'p Path>) -> Result<Self, String> {
        let mut outgoing = Self::default();
        let mut wrong = Vec::new();
        for path in files {
            match roots(path).and_then(strict) {
                Ok(config) => drop(outgoing.files.insert(path.to_owned(), config)),
                Err(why) => wrong.push(why),
            }
        }
        if wrong.is_empty() { Ok(outgoing) } else { Err(wrong.join("\n")) }
    }

    fn config(&self, trust: &Trust) -> Result<Arc<ClientConfig>, String> {
        match trust {
            Trust::Anyone => self.anyone.get_or_init(lenient).clone(),
            Trust::System => self.system.get_or_init(|| roots_of_the_system().and_then(strict)).clone(),
            Trust::File(path) => {
                self.files.get(path).cloned().ok_or_else(|| format!("{} was not read", path.display()))
            }
            Trust::Dane(dane) => known_by(dane),
        }
    }

    /// The handshake; `host` is a name or an address. A session is resumed only under the trust that it began with: each
    /// keeps its own tickets, and what a zone says keeps none.
    pub(super) async fn connect(
        &self,
        socket: Box<dyn Socket>,
        host: &str,
        trust: &Trust,
    ) -> Result<Secured, Unsecured> {
        let (peer, local) = (socket.peer(), socket.local());
        let host = match trust {
            // RFC 7672 8.1: the name at which the records lie.
            Trust::Dane(dane) => dane.names.first().map_or(host, |base| &**base),
            Trust::Anyone | Trust::System | Trust::File(_) => host,
        };
        let failed = |why| Unsecured { why, failure: TlsFailure::ValidationFailure };
        let name = ServerName::try_from(host.to_owned()).map_err(|error| failed(format!("{host}: {error}")))?;
        let connector = TlsConnector::from(self.config(trust).map_err(failed)?);
        let connected = connector.connect(name, socket).await;
        let stream =
            connected.map_err(|error| Unsecured { failure: kind_of(&error, trust), why: words(&error, "the host") })?;
        let info = TlsInfo { server_name: Some(host.into()), ..info(stream.get_ref().1) };
        Ok(Secured { socket: Box::new(Protected { stream: stream.into(), peer, local }), info })
    }
}

/// What kind of failure it is, for the host's domain (RFC 8460 4.3).
fn kind_of(error: &io::Error, trust: &Trust) -> TlsFailure {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let Some(Error::InvalidCertificate(why)) = inner else { return TlsFailure::ValidationFailure };
    match why {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            TlsFailure::CertificateHostMismatch
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => TlsFailure::CertificateExpired,
        _ if matches!(trust, Trust::Dane(_)) => TlsFailure::TlsaInvalid,
        _ => TlsFailure::CertificateNotTrusted,
    }
}

/// Believes what a host's zone says. It is made for each connection, and resumes nothing.
fn known_by(dane: &Arc<Dane>) -> Result<Arc<ClientConfig>, String> {
    let mut config = believing(|provider| Believes::Known(KnownHost::new(Arc::clone(dane), provider)))?;
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// The roots in a file.
pub(in crate::edge) fn roots(path: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for root in certificates(path)? {
        roots.add(root).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(roots)
}

/// The roots of the system.
pub(in crate::edge) fn roots_of_the_system() -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    // One that can't be read is as good as absent.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err("the system has no root certificates".to_owned()) } else { Ok(roots) }
}

/// Believes whom these roots know.
pub(in crate::edge) fn known_to(roots: RootCertStore) -> Result<ClientConfig, String> {
    Ok(settings(Arc::new(provider()))?.with_root_certificates(roots).with_no_client_auth())
}

/// What each client side begins with.
fn settings(provider: Arc<CryptoProvider>) -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, String> {
    let builder = ClientConfig::builder_with_provider(provider);
    builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())
}

fn strict(roots: RootCertStore) -> Result<Arc<ClientConfig>, String> {
    known_to(roots).map(Arc::new)
}

fn lenient() -> Result<Arc<ClientConfig>, String> {
    believing(|_| Believes::Any).map(Arc::new)
}

fn believing(whom: impl FnOnce(Arc<CryptoProvider>) -> Believes) -> Result<ClientConfig, String> {
    let provider = Arc::new(provider());
    let verifier = Arc::new(Verifier { believes: whom(Arc::clone(&provider)), provider: Arc::clone(&provider) });
    Ok(settings(provider)?.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// Whom we believe where no roots vouch for a host. That it has the key of what it shows is checked in each case.
#[derive(Debug)]
struct Verifier {
    believes: Believes,
    provider: Arc<CryptoProvider>,
}

/// Which certificates.
#[derive(Debug)]
enum Believes {
    /// Every one. Mail would be sent in clear otherwise: against those who only listen this is much, against those who
    /// answer in the host's place it is nothing.
    Any,
    /// Those that the host's zone knows.
    Known(KnownHost),
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        signers: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match &self.believes {
            Believes::Any => {}
            Believes::Known(host) => host.judge(own, signers, now)?,
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
