//! The client against servers on loopback.

use super::http::HyperClient;
use super::net::SystemNet;
use crate::base::world::http::{HttpAnswer, HttpClient, HttpFault, HttpRequest, Origin};
use crate::base::world::tls::Trust;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback can be bound");
    let address = listener.local_addr().expect("bound");
    (listener, address)
}

/// Takes one request and answers it; what was asked, and what came behind the answer till the client hung up.
async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &str) -> String {
    let mut asked = Vec::new();
    while !asked.ends_with(b"\r\n\r\n") && !asked.ends_with(b"END") {
        let mut octet = [0];
        if stream.read(&mut octet).await.unwrap_or(0) == 0 {
            break;
        }
        asked.push(octet[0]);
    }
    // A client that has enough may hang up before all is written.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.read_to_end(&mut Vec::new()).await;
    String::from_utf8(asked).expect("ASCII")
}

/// A server for one request.
async fn server(answer: &'static str) -> (SocketAddr, JoinHandle<String>) {
    let (listener, address) = listener().await;
    let asked = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client");
        serve(stream, answer).await
    });
    (address, asked)
}

fn request(origin: &str, addresses: Vec<SocketAddr>) -> HttpRequest {
    HttpRequest {
        origin: Origin::parse(origin).expect("an origin"),
        addresses,
        method: "GET".into(),
        target: "/a?b=c".to_owned(),
        fields: vec![("X-Key".to_owned(), "1".to_owned())],
        body: Vec::new().into(),
        answer_bytes_max: 10,
        trust: Trust::System,
    }
}

fn client() -> HyperClient {
    HyperClient::new(Arc::new(SystemNet))
}

fn answer(status: u16, fields: &[(&str, &str)], body: &str) -> Result<HttpAnswer, HttpFault> {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Ok(HttpAnswer { status, fields, body: body.into() })
}

#[tokio::test]
async fn a_request_is_sent_as_written_and_a_redirect_is_an_answer_rfc9110_15_4() {
    let moved = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 2\r\n\r\nno";
    let (address, asked) = server(moved).await;
    let got = client().fetch(request("http://api.test:8080", vec![address])).await;
    assert_eq!(got, answer(302, &[("location", "http://127.0.0.1:1/"), ("content-length", "2")], "no"));
    let asked = asked.await.expect("it served");
    let wanted = format!(
        "GET /a?b=c HTTP/1.1\r\nhost: api.test:8080\r\nconnection: close\r\nuser-agent: Mailwright/{}\r\nx-key: 1\r\n\r\n",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(asked, wanted);
}

#[tokio::test]
async fn content_goes_with_its_length() {
    let (address, asked) = server("HTTP/1.1 204 No Content\r\n\r\n").await;
    let post =
        HttpRequest { method: "POST".into(), body: "an END".into(), ..request("http://api.test", vec![address]) };
    assert_eq!(client().fetch(post).await, answer(204, &[], ""));
    // The server reads up to the header's end alone.
    let asked = asked.await.expect("it served");
    assert!(asked.contains("\r\ncontent-length: 6\r\n"), "{asked}");
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_not_read_to_its_end() {
    for large in [
        "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n12345678901",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n123456\r\n6\r\n123456\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n12345678901",
    ] {
        let (address, _asked) = server(large).await;
        assert_eq!(client().fetch(request("http://a", vec![address])).await, Err(HttpFault::TooLarge), "{large}");
    }
}

#[tokio::test]
async fn addresses_are_tried_in_their_order() {
    let (closed, refusing) = listener().await;
    drop(closed);
    let (address, _asked) = server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let got = client().fetch(request("http://a", vec![refusing, address])).await;
    assert_eq!(got.map(|answer| answer.status), Ok(200));
    let Err(HttpFault::Failed(words)) = client().fetch(request("http://a", vec![refusing])).await else {
        panic!("nobody listens there")
    };
    assert!(words.starts_with(&format!("connecting to {refusing}: ")), "{words}");
}

#[tokio::test]
async fn what_is_no_http_is_told() {
    let (address, _asked) = server("220 mail.test ESMTP\r\n").await;
    let got = client().fetch(request("http://a", vec![address])).await;
    assert!(matches!(&got, Err(HttpFault::Failed(words)) if words.starts_with("HTTP: ")), "{got:?}");
}

#[tokio::test]
async fn a_request_that_is_given_up_closes_its_connection() {
    let (listener, address) = listener().await;
    let client = client();
    let mut fetching = client.fetch(request("http://a", vec![address]));
    // It has no answer; when the request is here, the client gives up.
    let mut stream = tokio::select! {
        accepted = listener.accept() => accepted.expect("a client").0,
        got = &mut fetching => panic!("nobody answered: {got:?}"),
    };
    drop(fetching);
    let mut asked = Vec::new();
    stream.read_to_end(&mut asked).await.expect("it ends");
}

#[tokio::test]
async fn by_tls_the_server_must_have_the_name_and_a_root_that_is_trusted() {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["api.test".to_owned()]).expect("a certificate");
    let folder = tempfile::tempdir().expect("a directory");
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, cert.pem()).expect("our own file");
    let (cert, key): (CertificateDer<'static>, _) =
        (cert.der().clone(), PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert.clone()], key.into())
        .expect("a key and its certificate");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a client");
            // One that does not trust us ends here.
            if let Ok(stream) = acceptor.accept(stream).await {
                serve(stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
            }
        }
    });
    let mut roots = RootCertStore::empty();
    roots.add(cert).expect("a root");
    let trusting = HyperClient::trusting(Arc::new(SystemNet), roots);
    let got = trusting.fetch(request("api.test", vec![address])).await;
    assert_eq!(got.map(|answer| (answer.status, answer.body)), Ok((200, b"ok".to_vec())));
    let other = trusting.fetch(request("other.test", vec![address])).await;
    assert!(
        matches!(&other, Err(HttpFault::Untrusted(words)) if words.starts_with("TLS: ") && words.contains("not valid for name")),
        "{other:?}"
    );
    let CertifiedKey { cert, .. } = generate_simple_self_signed(["api.test".to_owned()]).expect("a certificate");
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).expect("a root");
    let another = cert.pem();
    let stranger = HyperClient::trusting(Arc::new(SystemNet), roots).fetch(request("api.test", vec![address])).await;
    assert!(matches!(&stranger, Err(HttpFault::Untrusted(words)) if words.starts_with("TLS: ")), "{stranger:?}");
    // Roots of a file, in the version that is there.
    let client = HyperClient::trusting(Arc::new(SystemNet), RootCertStore::empty());
    let of_file = || HttpRequest { trust: Trust::File(file.clone()), ..request("api.test", vec![address]) };
    assert_eq!(client.fetch(of_file()).await.map(|answer| answer.status), Ok(200));
    let new = file.with_extension("new");
    std::fs::write(&new, another).expect("our own file");
    std::fs::rename(&new, &file).expect("our own file");
    assert!(client.fetch(of_file()).await.is_err());
    std::fs::remove_file(&file).expect("our own file");
    let gone = client.fetch(of_file()).await;
    assert!(matches!(&gone, Err(HttpFault::Untrusted(words)) if words.contains("ca.pem")), "{gone:?}");
    let unseen = client.fetch(HttpRequest { trust: Trust::Anyone, ..of_file() }).await;
    assert!(matches!(unseen, Err(HttpFault::Untrusted(_))));
}
