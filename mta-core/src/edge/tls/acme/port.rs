//! The port at which an authority asks whether a name is ours, by HTTP (RFC 8555 8.3) or in a handshake (RFC 8737 3).
//! Nothing else is there: who asks for anything else is answered 404, or gets no handshake.

use super::super::provider::provider;
use super::answers::{Answers, PROTOCOL};
use crate::base::event::Event;
use crate::base::world::Observe;
use crate::base::world::net::{Listener, Socket};
use crate::config::model::acme::Challenge;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// Where the file is (RFC 8555 8.3).
const FOLDER: &str = "/.well-known/acme-challenge/";

/// Connections at once: authorities ask from a handful of places. One more waits till another ends.
const CONNECTIONS_MAX: usize = 32;

/// From accept to close.
const CONNECTION_TOTAL: Duration = Duration::from_secs(10);

/// The rest after a connection that could not be accepted.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Octets of a request's head.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// What a connection needs.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) answers: Arc<Answers>,
    pub(super) observe: Arc<dyn Observe>,
}

impl Asked {
    fn tell(&self, challenge: Challenge, peer: SocketAddr, answered: bool) {
        self.observe.event(Event::AcmeAsked { challenge: challenge.name(), peer, answered });
    }
}

/// Answers until it is dropped.
pub(super) async fn serve(mut port: Box<dyn Listener>, challenge: Challenge, asked: Asked) {
    let handshakes = Arc::new(match tls(&asked.answers) {
        Ok(config) => TlsAcceptor::from(Arc::new(config)),
        Err(why) => return asked.observe.event(Event::Bug { place: "acme", why: &why }),
    });
    let mut connections = JoinSet::new();
    loop {
        if connections.len() >= CONNECTIONS_MAX {
            connections.join_next().await;
        }
        let accepted = tokio::select! {
            accepted = port.accept() => accepted,
            // Nothing is kept of those that have ended.
            Some(_) = connections.join_next() => continue,
        };
        let Ok(socket) = accepted else {
            tokio::time::sleep(ACCEPT_AGAIN).await;
            continue;
        };
        let (asked, handshakes) = (asked.clone(), Arc::clone(&handshakes));
        connections.spawn(async move {
            let answer = async {
                match challenge {
                    Challenge::Http => by_http(socket, &asked).await,
                    Challenge::TlsAlpn => by_handshake(socket, &handshakes, &asked).await,
                }
            };
            // Who takes longer is nobody who issues certificates.
            let _ = tokio::time::timeout(CONNECTION_TOTAL, answer).await;
        });
    }
}

fn tls(answers: &Arc<Answers>) -> Result<ServerConfig, String> {
    let builder = ServerConfig::builder_with_provider(Arc::new(provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::<Answers>::clone(answers));
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(config)
}

async fn by_http(socket: Box<dyn Socket>, asked: &Asked) {
    let peer = socket.peer();
    let service = service_fn(|request: hyper::Request<hyper::body::Incoming>| {
        let token = request.uri().path().strip_prefix(FOLDER);
        let found = token.and_then(|token| asked.answers.file(token));
        asked.tell(Challenge::Http, peer, found.is_some());
        async move { Ok::<_, Infallible>(answer(found)) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).keep_alive(false).max_buf_size(HEAD_BYTES_MAX);
    // However it ends, there is nobody left to be told.
    let _ = builder.serve_connection(TokioIo::new(socket), service).await;
}

fn answer(found: Option<Box<str>>) -> Response<Full<Bytes>> {
    let status = if found.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
    let mut response = Response::new(Full::new(Bytes::from(found.unwrap_or_default().into_string())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/octet-stream"));
    response
}

/// RFC 8737 3: the handshake is all; the connection ends with it.
async fn by_handshake(socket: Box<dyn Socket>, handshakes: &TlsAcceptor, asked: &Asked) {
    let peer = socket.peer();
    let accepted = handshakes.accept(socket).await;
    let is_ours = |stream: &tokio_rustls::server::TlsStream<_>| stream.get_ref().1.alpn_protocol() == Some(PROTOCOL);
    asked.tell(Challenge::TlsAlpn, peer, accepted.as_ref().is_ok_and(is_ours));
    if let Ok(mut stream) = accepted {
        // It may be gone.
        let _ = stream.shutdown().await;
    }
}
