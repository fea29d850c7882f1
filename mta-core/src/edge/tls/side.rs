//! The server's side of TLS for one listener: versions, the certificate by the name that a client asks for
//! (RFC 6066 3), and what clients show.

use super::identity::{Identity, certificates};
use super::peer::AnyClient;
use super::provider::provider;
use crate::base::world::net::Socket;
use crate::base::world::tls::{Secured, TlsInfo};
use crate::config::model::listener::{Listener, TlsVersion};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::rustls::crypto::aws_lc_rs::Ticketer;
use tokio_rustls::rustls::server::{Acceptor, ClientHello, WebPkiClientVerifier};
use tokio_rustls::rustls::sign::SingleCertAndKey;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    CertificateError, CipherSuite, CommonState, Error, HandshakeKind, InvalidMessage, ProtocolVersion, RootCertStore,
    ServerConfig, ServerConnection,
};
use tokio_rustls::{LazyConfigAcceptor, TlsStream};

/// How one listener speaks TLS.
#[derive(Debug)]
pub(super) struct Side {
    /// Its certificates, each with a configuration that has that one alone, so that it is known which was shown. The first is
    /// the default. Never empty.
    shown: Vec<(Arc<Identity>, Arc<ServerConfig>)>,
    clients: Option<Arc<AnyClient>>,
}

impl Side {
    /// With these certificates, of which the first is the default.
    ///
    /// # Errors
    /// In words for the operator.
    pub(super) fn new(listener: &Listener, identities: Vec<Arc<Identity>>) -> Result<Self, String> {
        let versions = match listener.version_min {
            TlsVersion::V12 => &[&TLS13, &TLS12][..],
            TlsVersion::V13 => &[&TLS13],
        };
        let provider = Arc::new(provider());
        let clients = match &listener.client_ca {
            None => None,
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for root in certificates(path)? {
                    roots.add(root).map_err(|error| format!("{}: {error}", path.display()))?;
                }
                let strict =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
                Some(Arc::new(AnyClient(strict.map_err(|error| format!("{}: {error}", path.display()))?)))
            }
        };
        // A client that comes again spares both sides the costly half of the handshake, whichever certificate it is.
        let ticketer = Ticketer::new().map_err(|error| format!("no keys for tickets: {error}"))?;
        let with = |identity: Arc<Identity>| {
            let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
            let builder = builder.with_protocol_versions(versions).map_err(|error| error.to_string())?;
            let builder = match &clients {
                Some(clients) => builder.with_client_cert_verifier(Arc::<AnyClient>::clone(clients)),
                None => builder.with_no_client_auth(),
            };
            let only = SingleCertAndKey::from(Arc::clone(&identity.certified));
            let mut config = builder.with_cert_resolver(Arc::new(only));
            config.ticketer = Arc::clone(&ticketer);
            Ok::<_, String>((identity, Arc::new(config)))
        };
        let shown = identities.into_iter().map(with).collect::<Result<_, _>>()?;
        Ok(Self { shown, clients })
    }

    /// The handshake.
    pub(super) async fn accept(&self, socket: Box<dyn Socket>) -> Result<Secured, String> {
        let (peer, local) = (socket.peer(), socket.local());
        let failed = |error: io::Error| words(&error, "the client");
        let asked = LazyConfigAcceptor::new(Acceptor::default(), socket).await.map_err(failed)?;
        let (identity, config) = self.choose(&asked.client_hello()).ok_or("there is no certificate")?;
        let stream = asked.into_stream(Arc::clone(config)).await.map_err(failed)?;
        let (_, connection) = stream.get_ref();
        let info = TlsInfo {
            server_name: connection.server_name().map(Into::into),
            exporter: exporter(connection),
            end_point: identity.end_point.clone(),
            client: match (&self.clients, connection.peer_certificates()) {
                (Some(clients), Some(shown)) => clients.judge(shown),
                _ => None,
            },
            ..info(connection)
        };
        Ok(Secured { socket: Box::new(Protected { stream: stream.into(), peer, local }), info })
    }

    /// Of those that have the name, the first that speaks one of the client's signature schemes, so that a key of
    /// either kind may be there. A name that none has gets the default: a server that can't be verified is better than
    /// none for mail, which most clients send in any case.
    fn choose(&self, hello: &ClientHello<'_>) -> Option<&(Arc<Identity>, Arc<ServerConfig>)> {
        let speaks =
            |shown: &&(Arc<Identity>, _)| shown.0.certified.key.choose_scheme(hello.signature_schemes()).is_some();
        let name = hello.server_name().map(str::to_ascii_lowercase);
        let named = name.and_then(|name| self.shown.iter().filter(|shown| shown.0.is_for(&name)).find(speaks));
        named.or_else(|| self.shown.iter().find(speaks)).or_else(|| self.shown.first())
    }
}

/// Keying material to know the connection again by. TLS 1.2 has it only with an extension of which we are not told.
fn exporter(connection: &ServerConnection) -> Option<[u8; 32]> {
    let is_13 = connection.protocol_version() == Some(ProtocolVersion::TLSv1_3);
    // RFC 9266 2: no context.
    let exported = || connection.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", None).ok();
    is_13.then(exported).flatten()
}

/// What both sides know of a connection whose handshake is done.
pub(super) fn info(connection: &CommonState) -> TlsInfo {
    let version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
        _ => "TLSv1.2",
    };
    let suite = connection.negotiated_cipher_suite().map(|suite| suite.suite());
    let cipher = match suite {
        // The registry does not say 13.
        Some(CipherSuite::TLS13_AES_128_GCM_SHA256) => "TLS_AES_128_GCM_SHA256",
        Some(CipherSuite::TLS13_AES_256_GCM_SHA384) => "TLS_AES_256_GCM_SHA384",
        Some(CipherSuite::TLS13_CHACHA20_POLY1305_SHA256) => "TLS_CHACHA20_POLY1305_SHA256",
        suite => suite.and_then(|suite| suite.as_str()).unwrap_or("unknown"),
    };
    let resumed = connection.handshake_kind() == Some(HandshakeKind::Resumed);
    TlsInfo { version, cipher, server_name: None, resumed, exporter: None, end_point: None, client: None }
}

/// Why a handshake failed, for the log.
pub(super) fn words(error: &io::Error, other: &str) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(Error::InvalidMessage(InvalidMessage::InvalidContentType)) => "what came is no TLS".to_owned(),
        Some(Error::InvalidCertificate(CertificateError::Other(why))) => format!("invalid peer certificate: {}", why.0),
        Some(error) => error.to_string(),
        None if error.kind() == io::ErrorKind::UnexpectedEof => format!("closed by {other}"),
        None => "connection lost".to_owned(),
    }
}

/// A protected connection between these two ends.
pub(super) struct Protected {
    pub(super) stream: TlsStream<Box<dyn Socket>>,
    pub(super) peer: SocketAddr,
    pub(super) local: SocketAddr,
}

impl Socket for Protected {
    fn peer(&self) -> SocketAddr {
        self.peer
    }

    fn local(&self) -> SocketAddr {
        self.local
    }
}

impl AsyncRead for Protected {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Protected {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
