//! Certificates for the cases with TLS: of an authority that is made for the run, for this host's address.

use rcgen::{CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// A connection, in clear or not.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Both sides' settings, and the files for the program between them.
#[derive(Clone)]
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    connector: TlsConnector,
    certificate: Arc<str>,
    key: Arc<str>,
    authority: Arc<str>,
}

impl Tls {
    /// New ones.
    pub(crate) fn new() -> io::Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "bench");
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let issuer = CertifiedIssuer::self_signed(params, key).map_err(io::Error::other)?;
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).map_err(io::Error::other)?;
        let certificate = params.signed_by(&key, &issuer).map_err(io::Error::other)?;
        let chain = vec![certificate.der().clone()];
        let secret = PrivateKeyDer::try_from(key.serialize_der()).map_err(io::Error::other)?;
        Ok(Self {
            acceptor: acceptor(chain, secret)?,
            connector: connector(issuer.der().clone())?,
            certificate: certificate.pem().into(),
            key: key.serialize_pem().into(),
            authority: issuer.pem().into(),
        })
    }

    /// Lays them into a folder, as `mx.pem`, `mx.key` and `ca.pem`.
    pub(crate) fn write(&self, dir: &Path) -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(dir.join("mx.pem"), &*self.certificate)?;
        std::fs::write(dir.join("ca.pem"), &*self.authority)?;
        std::fs::write(dir.join("mx.key"), &*self.key)?;
        std::fs::set_permissions(dir.join("mx.key"), std::fs::Permissions::from_mode(0o600))
    }

    /// The sink's side.
    pub(crate) async fn accept(&self, stream: Box<dyn Stream>) -> io::Result<Box<dyn Stream>> {
        Ok(Box::new(self.acceptor.accept(stream).await?))
    }

    /// The sender's side; it goes on with a session of before where there was one.
    pub(crate) async fn connect(&self, stream: Box<dyn Stream>) -> io::Result<Box<dyn Stream>> {
        let host = ServerName::from(IpAddr::V4(Ipv4Addr::LOCALHOST));
        Ok(Box::new(self.connector.connect(host, stream).await?))
    }
}

fn acceptor(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> io::Result<TlsAcceptor> {
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions().map_err(io::Error::other)?;
    let mut config = config.with_no_client_auth().with_single_cert(chain, key).map_err(io::Error::other)?;
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(io::Error::other)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn connector(authority: CertificateDer<'static>) -> io::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add(authority).map_err(io::Error::other)?;
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions().map_err(io::Error::other)?;
    Ok(TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
}
