//! `GET /metrics` over HTTP/1.1 (RFC 9110, RFC 9112), for what gathers metrics; a few connections, short ones.

use super::exposition::{CONTENT_TYPE, Metrics};
use crate::base::world::net::{Listener, Socket};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE as TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Connections at once; further ones wait to be accepted.
const CONNECTIONS_MAX: usize = 16;
/// A request's head, in octets.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Fields of a request.
const FIELDS_MAX: usize = 64;
/// How long a request's head may take.
const HEAD_MAX: Duration = Duration::from_secs(10);
/// How long a connection may last: one request and its answer.
const CONNECTION_MAX: Duration = Duration::from_secs(30);
/// How long the port rests when a connection can't be accepted: mail needs the descriptors more.
const REST: Duration = Duration::from_millis(100);

/// Answers until it is dropped, which ends its connections too.
pub async fn serve(mut port: Box<dyn Listener>, metrics: Arc<Metrics>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = port.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok(socket) => drop(connections.spawn(connection(socket, Arc::clone(&metrics)))),
                Err(_) => sleep(REST).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(socket: Box<dyn Socket>, metrics: Arc<Metrics>) {
    let service = service_fn(|request| {
        let answer = answer(&request, &metrics);
        async move { Ok::<_, Infallible>(answer) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_MAX).keep_alive(false);
    http.max_buf_size(HEAD_BYTES_MAX).max_headers(FIELDS_MAX);
    // Who goes away or talks nonsense is no event: it was told, if it could be.
    let _ = timeout(CONNECTION_MAX, http.serve_connection(TokioIo::new(socket), service)).await;
}

fn answer(request: &Request<Incoming>, metrics: &Metrics) -> Response<Full<Bytes>> {
    let (status, field, text) = match (request.uri().path(), request.method()) {
        ("/metrics", &Method::GET | &Method::HEAD) => (StatusCode::OK, (TYPE, CONTENT_TYPE), metrics.text()),
        ("/metrics", _) => (StatusCode::METHOD_NOT_ALLOWED, (ALLOW, "GET, HEAD"), String::new()),
        _ => (StatusCode::NOT_FOUND, (TYPE, "text/plain"), "metrics are at /metrics\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(field.0, HeaderValue::from_static(field.1));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::world::net::Net;
    use crate::edge::observe::tally::Tally;
    use crate::edge::world::net::SystemNet;
    use std::net::SocketAddr;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn started() -> (SocketAddr, tokio::task::JoinHandle<()>) {
        let port = SystemNet.listen("127.0.0.1:0".parse().expect("a literal")).expect("a free port");
        let at = port.local();
        (at, tokio::spawn(serve(port, Arc::new(Metrics(vec![Arc::new(Tally::default())])))))
    }

    async fn asked(at: SocketAddr, request: &str) -> String {
        let mut socket = SystemNet.connect(at, None).await.expect("it listens");
        // It may have heard enough before all is said.
        let _ = socket.write_all(request.as_bytes()).await;
        let mut answer = String::new();
        let _ = socket.read_to_string(&mut answer).await;
        answer
    }

    #[tokio::test]
    async fn metrics_are_got_and_nothing_else_rfc9110_9_3_1() {
        let (at, task) = started();
        let answer = asked(at, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("# EOF\n"), "{answer}");
        assert!(answer.contains("content-type: application/openmetrics-text; version=1.0.0"), "{answer}");
        let answer = asked(at, "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && !answer.contains("EOF"), "{answer}");
        let answer = asked(at, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("allow: GET, HEAD"), "{answer}");
        assert!(asked(at, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.starts_with("HTTP/1.1 404 "));
        task.abort();
    }

    #[tokio::test]
    async fn a_head_without_end_is_refused_rfc9112_2_2() {
        let (at, task) = started();
        let long = format!("GET /metrics HTTP/1.1\r\nX: {}", "x".repeat(4 * HEAD_BYTES_MAX));
        assert!(!asked(at, &long).await.starts_with("HTTP/1.1 200"));
        let many = format!("GET /metrics HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(FIELDS_MAX + 1));
        assert!(!asked(at, &many).await.starts_with("HTTP/1.1 200"));
        task.abort();
    }

    #[tokio::test]
    async fn connections_beyond_the_limit_wait() {
        let (at, task) = started();
        let mut silent = Vec::new();
        for _ in 0..CONNECTIONS_MAX {
            silent.push(SystemNet.connect(at, None).await.expect("it listens"));
        }
        let waiting = tokio::spawn(async move { asked(at, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(silent);
        assert!(waiting.await.expect("it ends").starts_with("HTTP/1.1 200 OK\r\n"));
        task.abort();
    }
}
