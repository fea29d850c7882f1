//! What is shown at the port of a challenge, to whom; and what is kept, and how.

use super::answers::{Answers, PROTOCOL};
use super::port::{Asked, serve};
use super::*;
use crate::base::flow::Answer;
use crate::base::world::net::Socket;
use crate::config::model::acme::Challenge;
use crate::edge::observe::collect::Collected;
use rcgen::KeyPair;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

/// A port at which one client comes.
struct One(Option<DuplexStream>);

const HERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 80);

impl Listener for One {
    fn accept(&mut self) -> Answer<'_, io::Result<Box<dyn Socket>>> {
        let stream = self.0.take();
        Box::pin(async move {
            match stream {
                Some(stream) => {
                    let wire = crate::base::fixtures::Wire { stream, peer: HERE, local: HERE };
                    Ok(Box::new(wire) as Box<dyn Socket>)
                }
                None => std::future::pending().await,
            }
        })
    }

    fn local(&self) -> SocketAddr {
        HERE
    }
}

/// The client's end of a connection to such a port, which is served while that runs.
fn ask(challenge: Challenge, answers: Arc<Answers>) -> (DuplexStream, tokio::task::JoinHandle<()>, Arc<Collected>) {
    let (ours, theirs) = duplex(64 * 1024);
    let told = Arc::new(Collected::default());
    let asked = Asked { answers, observe: Arc::<Collected>::clone(&told) };
    (theirs, tokio::spawn(serve(Box::new(One(Some(ours))), challenge, asked)), told)
}

#[tokio::test]
async fn the_file_of_a_token_is_there_and_nothing_else_rfc8555_8_3() {
    let answers = Arc::new(Answers::default());
    answers.show_file("evaGxfADs6pSRb2LAv9IZ", "evaGxfADs6pSRb2LAv9IZ.sum");
    for (path, expected) in [
        ("/.well-known/acme-challenge/evaGxfADs6pSRb2LAv9IZ", "HTTP/1.1 200 OK"),
        ("/.well-known/acme-challenge/another", "HTTP/1.1 404 Not Found"),
        ("/", "HTTP/1.1 404 Not Found"),
    ] {
        let (mut client, serving, _) = ask(Challenge::Http, Arc::clone(&answers));
        client.write_all(format!("GET {path} HTTP/1.1\r\nHost: mx.example\r\n\r\n").as_bytes()).await.expect("open");
        let mut said = String::new();
        client.read_to_string(&mut said).await.expect("it ends");
        assert!(said.starts_with(expected), "{path}: {said}");
        assert_eq!(said.ends_with("\r\n\r\nevaGxfADs6pSRb2LAv9IZ.sum"), expected.contains("200"), "{said}");
        serving.abort();
    }
    answers.clear();
    assert_eq!(answers.file("evaGxfADs6pSRb2LAv9IZ"), None);
}

/// Believes everybody, as an authority does that looks into the certificate itself.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}

fn client(protocols: &[&[u8]]) -> TlsConnector {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("versions");
    let mut config = builder.dangerous().with_custom_certificate_verifier(Arc::new(Anyone)).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

#[tokio::test]
async fn the_certificate_of_a_name_is_shown_to_those_who_speak_the_protocol_rfc8737_3_and_6_2() {
    let answers = Arc::new(Answers::default());
    answers.show_certificate("mx.example", &[7; 32]).expect("made");
    for (name, protocols, shown) in [
        ("MX.example", &[PROTOCOL][..], true),
        ("other.example", &[PROTOCOL], false),
        ("mx.example", &[b"h2"], false),
        ("mx.example", &[], false),
    ] {
        let (stream, serving, told) = ask(Challenge::TlsAlpn, Arc::clone(&answers));
        let connected = client(protocols).connect(ServerName::try_from(name).expect("a name"), stream).await;
        match connected {
            Ok(mut stream) => {
                assert!(shown, "{name} {protocols:?}");
                let connection = stream.get_ref().1;
                assert_eq!(connection.alpn_protocol(), Some(PROTOCOL));
                let der = connection.peer_certificates().expect("shown")[0].to_vec();
                // RFC 8737 3: the extension's identifier, that it is critical, and the sum as an OCTET STRING in another.
                let mut extension = vec![6, 8, 43, 6, 1, 5, 5, 7, 1, 31, 1, 1, 0xff, 4, 34, 4, 32];
                extension.extend([7; 32]);
                assert!(der.windows(extension.len()).any(|part| part == extension), "{der:?}");
                let said = crate::edge::tls::x509::read(&der).expect("a certificate");
                assert_eq!(&*said.names, ["mx.example".into()]);
                assert_eq!(stream.read(&mut [0; 1]).await.expect("it ends well"), 0, "the handshake is all");
            }
            Err(error) => assert!(!shown, "{name} {protocols:?}: {error}"),
        }
        drop(told);
        serving.abort();
    }
}

#[test]
fn an_account_is_bound_by_a_key_in_base64url_rfc8555_7_3_4() {
    let external = model::External { key_id: "kid-1".into(), secret: "eab".into() };
    let bound = |text: &str| {
        let secret = Arc::new(crate::sandbox::Secret::new(text.into()).expect("a secret"));
        order::binding(&external, &[("eab".into(), secret)]).map(|_| ())
    };
    for key in ["zWNDZM6eQGHWpSRTPal5eQ", "zWNDZM6eQGHWpSRTPal5eQ==\n", "_-_-\n"] {
        assert_eq!(bound(key), Ok(()), "{key}");
    }
    for none in ["no such key!", "a+b/", "Q"] {
        assert!(bound(none).is_err_and(|why| why.contains("is no key in base64url") && !why.contains(none)), "{none}");
    }
    assert!(order::binding(&external, &[]).is_err_and(|why| why.contains("is not there")));
}

#[test]
fn what_is_kept_is_ours_alone_and_a_damaged_file_is_told_rfc8555_7_3() {
    let dir = tempfile::tempdir().expect("a directory");
    let acme = model::Acme {
        directory: "https://ca.example/dir".into(),
        contact: Vec::new(),
        names: vec!["mx.example".into()],
        challenge: Challenge::Http,
        bind: HERE,
        ca: None,
        external: None,
        folder: dir.path().join("acme/ca.example-dir"),
    };
    assert!(matches!(kept::term(&acme), Ok(None)) && matches!(kept::account(&acme), Ok(None)));
    let key = KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(vec!["mx.example".to_owned()]).expect("names");
    let signed = params.self_signed(&key).expect("signed");
    kept::keep_certificate(&acme, &(signed.pem() + "\n" + &key.serialize_pem())).expect("kept");
    let term = kept::term(&acme).expect("readable").expect("there");
    assert_eq!(term.names, ["mx.example".into()]);
    let path = acme.certificate().cert;
    let mode = |path: &std::path::Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(&acme.folder)), (0o600, 0o700));
    assert_eq!(std::fs::read_dir(&acme.folder).expect("ours").count(), 1, "nothing half made is left");

    kept::keep_certificate(&acme, "half").expect("kept");
    let why = kept::term(&acme).expect_err("no certificate");
    assert!(why.contains("certificate.pem has no certificate"), "{why}");
    std::fs::write(acme.folder.join("account.json"), "{}").expect("ours");
    std::fs::set_permissions(acme.folder.join("account.json"), PermissionsExt::from_mode(0o600)).expect("ours");
    let why = kept::account(&acme).err().expect("no account");
    assert!(why.contains("account.json is no account") && why.contains("remove it"), "{why}");
}
