//! The real HTTP client: HTTP/1.1 (RFC 9112), with TLS and the system's roots of trust. One connection for each request.

use crate::base::flow::Answer;
use crate::base::world::http::{HttpAnswer, HttpClient, HttpFault, HttpHost, HttpRequest, Origin};
use crate::base::world::net::{Net, Socket};
use crate::base::world::tls::Trust;
use crate::edge::supplies::file::{Version, version_of};
use crate::edge::tls::outgoing::{known_to, roots, roots_of_the_system};
use futures_util::future::{Either, select};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, USER_AGENT};
use hyper::rt::{Read, Write};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// How long one address may take to accept a connection, while there are others.
const CONNECT: Duration = Duration::from_secs(3);
/// Octets of an answer's head.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Fields of an answer.
const FIELDS_MAX: usize = 100;
/// Files of roots that are kept as they were read.
const FILES_MAX: usize = 16;
/// Who asks, where the plugin does not say.
const AGENT: &str = concat!("Mailwright/", env!("CARGO_PKG_VERSION"));

/// A client over a network.
pub struct HyperClient {
    net: Arc<dyn Net>,
    /// Set up at the first request that needs it: reading the system's roots takes some milliseconds.
    tls: OnceLock<Result<Arc<ClientConfig>, String>>,
    /// Set up from files of roots, each in the version that was read.
    files: Mutex<BTreeMap<PathBuf, (Version, Arc<ClientConfig>)>>,
}

impl HyperClient {
    /// Trusts whom the system trusts (`SSL_CERT_FILE` and `SSL_CERT_DIR` name other roots).
    #[must_use]
    pub fn new(net: Arc<dyn Net>) -> Self {
        Self { net, tls: OnceLock::new(), files: Mutex::default() }
    }

    /// Trusts these alone.
    pub(in crate::edge) fn trusting(net: Arc<dyn Net>, roots: RootCertStore) -> Self {
        Self { net, tls: OnceLock::from(client_config(roots)), files: Mutex::default() }
    }

    fn tls(&self, trust: &Trust) -> Result<TlsConnector, HttpFault> {
        let config = match trust {
            Trust::System => self.of_the_system(),
            Trust::File(path) => self.of_file(path),
            Trust::Anyone | Trust::Dane(_) => Err("nobody's certificate is believed unseen".to_owned()),
        };
        config.map(TlsConnector::from).map_err(HttpFault::Untrusted)
    }

    /// Reads the file when it is first needed, and again when it has changed.
    fn of_file(&self, path: &Path) -> Result<Arc<ClientConfig>, String> {
        let now = version_of(path);
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, config)) = files.get(path).filter(|(version, _)| *version == now) {
            return Ok(Arc::clone(config));
        }
        let config = roots(path).and_then(client_config)?;
        if files.len() >= FILES_MAX {
            files.clear();
        }
        files.insert(path.to_owned(), (now, Arc::clone(&config)));
        Ok(config)
    }

    fn of_the_system(&self) -> Result<Arc<ClientConfig>, String> {
        self.tls.get_or_init(|| roots_of_the_system().and_then(client_config)).clone()
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpAnswer, HttpFault> {
        let socket = self.connect(&request.addresses).await?;
        if !request.origin.secure {
            return exchange(TokioIo::new(socket), request).await;
        }
        let name = match &request.origin.host {
            HttpHost::Name(name) => {
                ServerName::try_from(name.to_string()).map_err(|error| failed("its name", &error))?
            }
            HttpHost::Address(ip) => ServerName::IpAddress((*ip).into()),
        };
        let connected = self.tls(&request.trust)?.connect(name, socket).await;
        let stream = connected.map_err(|error| HttpFault::Untrusted(words_of("TLS", &error)))?;
        exchange(TokioIo::new(stream), request).await
    }

    async fn connect(&self, addresses: &[SocketAddr]) -> Result<Box<dyn Socket>, HttpFault> {
        let mut last = HttpFault::Failed("it has no address".to_owned());
        for address in addresses {
            last = match tokio::time::timeout(CONNECT, self.net.connect(*address, None)).await {
                Ok(Ok(socket)) => return Ok(socket),
                Ok(Err(error)) => failed(&format!("connecting to {address}"), &error),
                Err(_) => HttpFault::Failed(format!("connecting to {address}: no answer")),
            };
        }
        Err(last)
    }
}

impl HttpClient for HyperClient {
    fn fetch(&self, request: HttpRequest) -> Answer<'_, Result<HttpAnswer, HttpFault>> {
        Box::pin(self.exchange(request))
    }
}

fn client_config(roots: RootCertStore) -> Result<Arc<ClientConfig>, String> {
    let mut config = known_to(roots)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// One request and its answer. The connection is driven here and by nobody else: it ends with this future.
async fn exchange(io: impl Read + Write + Unpin, request: HttpRequest) -> Result<HttpAnswer, HttpFault> {
    let answer_bytes_max = request.answer_bytes_max;
    let written = written(request)?;
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES_MAX).max_headers(FIELDS_MAX);
    let (mut sender, connection) = builder.handshake(io).await.map_err(|error| failed("HTTP", &error))?;
    let answer = async {
        let answer = sender.send_request(written).await.map_err(|error| failed("HTTP", &error))?;
        read(answer, answer_bytes_max).await
    };
    match select(pin!(answer), pin!(connection)).await {
        Either::Left((answer, _)) => answer,
        // It is at its end, and has handed on what came.
        Either::Right((_, answer)) => answer.await,
    }
}

fn written(request: HttpRequest) -> Result<Request<Full<Bytes>>, HttpFault> {
    let HttpRequest { origin, method, target, fields, body, .. } = request;
    let named = fields.iter().any(|(name, _)| name.eq_ignore_ascii_case(USER_AGENT.as_str()));
    let mut builder = Request::builder().method(&*method).uri(target).header(HOST, Origin::to_string(&origin));
    builder = builder.header(CONNECTION, "close");
    if !named {
        builder = builder.header(USER_AGENT, AGENT);
    }
    for (name, value) in fields {
        builder = builder.header(name, value);
    }
    builder.body(Full::new(body)).map_err(|error| failed("the request", &error))
}

async fn read(answer: Response<Incoming>, bytes_max: usize) -> Result<HttpAnswer, HttpFault> {
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, bytes_max).collect().await.map_err(|error| match error.downcast_ref() {
        Some(LengthLimitError { .. }) => HttpFault::TooLarge,
        None => failed("HTTP", &*error),
    })?;
    let fields = head.headers.iter();
    let fields =
        fields.map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    Ok(HttpAnswer { status: head.status.as_u16(), fields: fields.collect(), body: body.to_bytes().into() })
}

fn failed(what: &str, error: &(dyn Error + 'static)) -> HttpFault {
    HttpFault::Failed(words_of(what, error))
}

/// The words of an error with those of its causes: hyper's own say only where it happened.
fn words_of(what: &str, error: &(dyn Error + 'static)) -> String {
    let mut words = format!("{what}: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}
