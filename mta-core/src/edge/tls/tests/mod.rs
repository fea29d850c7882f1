//! Handshakes in memory: which certificate is shown, whose is believed, what fails and how it is told; and files that
//! change.

use super::provider::provider;
use super::*;
use crate::base::fixtures::Wire;
use crate::base::flow::tls_result::TlsFailure;
use crate::config::model::listener::{CertificateFiles, TlsVersion};
use crate::edge::observe::collect::Collected;
use rcgen::{CertificateParams, CertifiedIssuer, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use sha2::{Digest, Sha256};
use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::SupportedKxGroup;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, NamedGroup, RootCertStore, SupportedProtocolVersion};

/// An authority, and a directory with what it signed.
struct Stage {
    dir: TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Stage {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "authority");
        let key = KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let stage = Self { dir: tempfile::tempdir().expect("a directory"), authority };
        stage.put("ca.pem", &stage.authority.pem(), 0o644);
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Renamed into its place, as it should be done.
    fn put(&self, name: &str, content: &str, mode: u32) {
        let new = self.path("new");
        fs::write(&new, content).expect("written");
        fs::set_permissions(&new, Permissions::from_mode(mode)).expect("our own");
        fs::rename(&new, self.path(name)).expect("renamed");
    }

    /// A certificate for these names, with its key.
    fn sign(&self, name: &str, names: &[&str], until: i32) -> CertificateFiles {
        let mut params =
            CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).expect("names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.authority).expect("signed");
        self.put(&format!("{name}.pem"), &(certificate.pem() + &self.authority.pem()), 0o644);
        self.put(&format!("{name}.key"), &key.serialize_pem(), 0o600);
        self.files(name)
    }

    fn files(&self, name: &str) -> CertificateFiles {
        CertificateFiles { cert: self.path(&format!("{name}.pem")), key: self.path(&format!("{name}.key")) }
    }

    fn client(&self, versions: &[&'static SupportedProtocolVersion], own: Option<&CertificateFiles>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).expect("a root");
        let builder = ClientConfig::builder_with_provider(Arc::new(provider()));
        let builder = builder.with_protocol_versions(versions).expect("versions").with_root_certificates(roots);
        match own {
            None => builder.with_no_client_auth(),
            Some(files) => {
                let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(&files.cert).expect("a file").collect();
                let key = PrivateKeyDer::from_pem_file(&files.key).expect("a key");
                builder.with_client_auth_cert(chain.expect("PEM"), key).expect("they match")
            }
        }
    }
}

fn listener(certificates: Vec<CertificateFiles>) -> Listener {
    Listener { certificates, ..Listener::new("mx", SocketAddr::from(([127, 0, 0, 1], 25))) }
}

fn wanted(listener: Listener) -> Wanted {
    Wanted { listeners: vec![Arc::new(listener)], ..Wanted::default() }
}

fn keyring(listener: Listener) -> Keyring {
    let keyring = Keyring::default();
    keyring.put(Reading::of(&wanted(listener)).expect("good files"), &Collected::default());
    keyring
}

fn wire(stream: DuplexStream) -> Box<dyn Socket> {
    let end = SocketAddr::from(([192, 0, 2, 1], 25));
    Box::new(Wire { stream, peer: end, local: end })
}

/// A handshake: what the server says of it, and the client's end.
async fn shake(
    keyring: &Keyring,
    client: &Arc<ClientConfig>,
    name: &'static str,
) -> (Result<Secured, String>, std::io::Result<TlsStream<DuplexStream>>) {
    let (ours, theirs) = duplex(64 * 1024);
    let name = ServerName::try_from(name).expect("a name");
    let connect = TlsConnector::from(Arc::clone(client)).connect(name, theirs);
    tokio::join!(keyring.accept("mx", wire(ours)), connect)
}

/// Whose certificate the client was shown.
fn shown(stream: &TlsStream<DuplexStream>) -> Box<str> {
    x509::read(&stream.get_ref().1.peer_certificates().expect("shown")[0]).expect("a certificate").subject
}

#[tokio::test]
async fn the_certificate_is_chosen_by_name_and_the_first_is_the_default_rfc6066_3() {
    let stage = Stage::new();
    let one = stage.sign("one", &["mx.example", "shared.example"], 2100);
    let two = stage.sign("two", &["*.other.example", "shared.example"], 2100);
    let keyring = keyring(listener(vec![one, two]));
    for versions in [&[&TLS13][..], &[&TLS12]] {
        let client = Arc::new(stage.client(versions, None));
        for (name, expected) in [("mx.example", "CN=one"), ("MX.Other.Example", "CN=two"), ("shared.example", "CN=one")]
        {
            let (served, connected) = shake(&keyring, &client, name).await;
            let (served, connected) = (served.expect("a handshake"), connected.expect("a handshake"));
            assert_eq!(&*shown(&connected), expected, "{name}");
            assert_eq!(served.info.server_name.as_deref(), Some(&*name.to_ascii_lowercase()));
            let version = if versions == [&TLS13] { "TLSv1.3" } else { "TLSv1.2" };
            assert!(served.info.version == version && served.info.cipher.starts_with("TLS_"), "{:?}", served.info);
            assert_eq!(served.info.client, None, "nobody asked");
            // TLS 1.2 knows no hybrid.
            let exchange = connected.get_ref().1.negotiated_key_exchange_group().map(SupportedKxGroup::name);
            let hybrid = versions == [&TLS13];
            assert_eq!(exchange, Some(if hybrid { NamedGroup::X25519MLKEM768 } else { NamedGroup::X25519 }));
            // RFC 5929 4.1: rcgen signs with SHA-256.
            let own = &connected.get_ref().1.peer_certificates().expect("shown")[0];
            assert_eq!(served.info.end_point.as_deref(), Some(&*Sha256::digest(own)));
        }
        // Its client looks at names; a mail server's mostly does not.
        let (served, connected) = shake(&keyring, &client, "a.b.other.example").await;
        assert!(connected.is_err_and(|error| error.to_string().contains("not valid for name")));
        let why = served.err();
        assert!(why.as_deref().is_none_or(|why| why.contains("BadCertificate")), "{why:?}");
    }
}

#[tokio::test]
async fn octets_go_both_ways_and_a_second_session_is_resumed() {
    let stage = Stage::new();
    let keyring = keyring(listener(vec![stage.sign("one", &["mx.example"], 2100)]));
    for versions in [&[&TLS13][..], &[&TLS12]] {
        let client = Arc::new(stage.client(versions, None));
        for resumed in [false, true] {
            let (served, connected) = shake(&keyring, &client, "mx.example").await;
            let (Secured { mut socket, info }, mut connected) = (served.expect("one"), connected.expect("one"));
            assert_eq!(info.resumed, resumed);
            assert_eq!(socket.peer().port(), 25);
            socket.write_all(b"220 ").await.expect("written");
            socket.flush().await.expect("flushed");
            let mut said = [0; 4];
            connected.read_exact(&mut said).await.expect("read");
            connected.write_all(b"QUIT").await.expect("written");
            socket.read_exact(&mut said).await.expect("read");
            assert_eq!(&said, b"QUIT");
            connected.shutdown().await.expect("closed");
            assert_eq!(socket.read(&mut said).await.expect("its end"), 0);
            socket.shutdown().await.expect("closed");
        }
    }
}

#[tokio::test]
async fn certificates_of_clients_are_told_and_refuse_nobody() {
    let stage = Stage::new();
    let ours = stage.sign("one", &["mx.example"], 2100);
    let known = stage.sign("known", &["c.example"], 2100);
    let expired = stage.sign("expired", &["c.example"], 2021);
    let stranger = Stage::new().sign("stranger", &["c.example"], 2100);
    let alien = Stage::new();
    let alien_files = alien.sign("alien", &["c.example"], 2100);
    assert!(!stranger.cert.exists(), "its directory is gone");
    let mut asking = listener(vec![ours]);
    asking.client_ca = Some(stage.path("ca.pem"));
    let keyring = keyring(asking);
    for (own, expected) in [
        (None, None),
        (Some(&known), Some(("CN=known", true))),
        (Some(&expired), Some(("CN=expired", false))),
        (Some(&alien_files), Some(("CN=alien", false))),
    ] {
        let client = Arc::new(stage.client(&[&TLS13, &TLS12], own));
        for _ in 0..2 {
            let (served, connected) = shake(&keyring, &client, "mx.example").await;
            let mut connected = connected.expect("a handshake");
            let Secured { mut socket, info } = served.expect("a handshake");
            // The ticket for a second session is behind the handshake.
            socket.write_all(b"220").await.expect("written");
            socket.flush().await.expect("flushed");
            connected.read_exact(&mut [0; 3]).await.expect("read");
            let client = info.client;
            assert!(client.as_ref().is_none_or(|client| client.sha256.len() == 64));
            assert_eq!(client.as_ref().map(|client| (&*client.subject, client.verified)), expected);
        }
    }
}

#[tokio::test]
async fn a_handshake_that_fails_says_why() {
    let stage = Stage::new();
    let ours = stage.sign("one", &["mx.example"], 2100);
    let newest = Listener { version_min: TlsVersion::V13, ..listener(vec![ours]) };
    let keyring = keyring(newest);
    let client = Arc::new(stage.client(&[&TLS12], None));
    let (served, _) = shake(&keyring, &client, "mx.example").await;
    let why = served.err().expect("too old");
    assert!(why.contains("Tls12NotOffered"), "{why}");
    for (octets, expected) in [(&b"EHLO c.example\r\n"[..], "what came is no TLS"), (b"", "closed by the client")] {
        let (ours, mut theirs) = duplex(1024);
        theirs.write_all(octets).await.expect("written");
        theirs.shutdown().await.expect("closed");
        assert_eq!(keyring.accept("mx", wire(ours)).await.err().as_deref(), Some(expected));
    }
    let (ours, _theirs) = duplex(1024);
    assert_eq!(keyring.accept("other", wire(ours)).await.err().as_deref(), Some("there is no certificate"));
    assert!(keyring.is_ready("mx") && !keyring.is_ready("other"));
}

/// Our client's handshake with our server.
async fn reach(client: &Keyring, server: &Keyring, host: &str, trust: &Trust) -> Result<Secured, Unsecured> {
    let (ours, theirs) = duplex(64 * 1024);
    let (connected, _served) = tokio::join!(client.connect(wire(theirs), host, trust), server.accept("mx", wire(ours)));
    connected
}

#[tokio::test]
async fn hosts_are_believed_as_routes_say() {
    let (stage, stranger) = (Stage::new(), Stage::new());
    let ca = Trust::File(stage.path("ca.pem"));
    let authorities = vec![stage.path("ca.pem")];
    let client = Keyring::default();
    client.put(Reading::of(&Wanted { authorities, ..Wanted::default() }).expect("roots"), &Collected::default());
    for (name, server, host, verified) in [
        ("its own", stage.sign("one", &["mx.example", "192.0.2.1"], 2100), "mx.example", true),
        ("its address", stage.sign("two", &["mx.example", "192.0.2.1"], 2100), "192.0.2.1", true),
        ("another's", stage.sign("three", &["mx.example"], 2100), "other.example", false),
        ("expired", stage.sign("four", &["mx.example"], 2021), "mx.example", false),
        ("a stranger's", stranger.sign("five", &["mx.example"], 2100), "mx.example", false),
    ] {
        let server = keyring(listener(vec![server]));
        assert_eq!(reach(&client, &server, host, &ca).await.is_ok(), verified, "{name}");
        let any = reach(&client, &server, host, &Trust::Anyone).await.expect("everybody is believed");
        assert!(any.info.version == "TLSv1.3" && any.info.server_name.as_deref() == Some(host));
    }
    let server = keyring(listener(vec![stage.sign("one", &["mx.example"], 2100)]));
    let other = Trust::File(stranger.path("ca.pem"));
    let why = reach(&client, &server, "mx.example", &other).await.err().expect("it is in no route").why;
    assert!(why.ends_with("ca.pem was not read"), "{why}");
    let why = reach(&client, &server, "no name at all", &ca).await.err().expect("no name").why;
    assert!(why.starts_with("no name at all: "), "{why}");
    let gone = Wanted { authorities: vec![stage.path("gone.pem")], ..Wanted::default() };
    assert!(Reading::of(&gone).err().expect("it is told").contains("gone.pem can't be read"));
}

#[tokio::test]
async fn a_session_is_resumed_by_those_alone_who_believe_the_same() {
    let (stage, stranger) = (Stage::new(), Stage::new());
    let ca = Trust::File(stage.path("ca.pem"));
    let authorities = vec![stage.path("ca.pem")];
    let client = Keyring::default();
    let wanted = Wanted { listeners: Vec::new(), authorities, awaited: None };
    client.put(Reading::of(&wanted).expect("roots"), &Collected::default());
    let server = keyring(listener(vec![stranger.sign("one", &["mx.example"], 2100)]));
    for resumed in [false, true] {
        let (ours, theirs) = duplex(64 * 1024);
        let connecting = client.connect(wire(theirs), "mx.example", &Trust::Anyone);
        let (connected, served) = tokio::join!(connecting, server.accept("mx", wire(ours)));
        let (mut connected, mut served) = (connected.expect("anybody"), served.expect("it has a certificate").socket);
        assert_eq!(connected.info.resumed, resumed);
        // The ticket comes behind the handshake, before this.
        served.write_all(b"2").await.expect("written");
        served.flush().await.expect("flushed");
        connected.socket.read_exact(&mut [0]).await.expect("read");
    }
    let refused = reach(&client, &server, "mx.example", &ca).await.err().expect("a stranger's");
    assert_eq!(refused.failure, TlsFailure::CertificateNotTrusted);
}

fn refused(certificates: Vec<CertificateFiles>) -> String {
    Reading::of(&wanted(listener(certificates))).err().expect("it is refused")
}

#[test]
fn what_can_not_be_used_is_told_with_its_file_and_what_to_do() {
    let stage = Stage::new();
    let good = stage.sign("one", &["mx.example"], 2100);
    stage.sign("two", &["mx.example"], 2100);
    let gone = CertificateFiles { cert: stage.path("gone.pem"), ..good.clone() };
    let shown = |path: &Path| path.display().to_string();
    assert!(refused(vec![gone]).contains(&format!("{} can't be read: No such file", shown(&stage.path("gone.pem")))));
    let crossed = CertificateFiles { key: stage.path("two.key"), ..good.clone() };
    let told = refused(vec![crossed]);
    assert!(
        told.starts_with("listener \"mx\": ") && told.contains("two.key is not the key of the first certificate in")
    );
    let swapped = CertificateFiles { cert: good.key.clone(), key: good.key.clone() };
    assert!(refused(vec![swapped]).ends_with("has no certificate: expected PEM, with -----BEGIN CERTIFICATE-----"));
    let no_key = CertificateFiles { key: good.cert.clone(), ..good.clone() };
    fs::set_permissions(&no_key.key, Permissions::from_mode(0o600)).expect("our own");
    assert!(refused(vec![no_key]).ends_with("has no private key: expected PEM, with -----BEGIN PRIVATE KEY-----"));
    stage.put("one.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", 0o600);
    assert!(refused(vec![good.clone()]).contains("is encrypted: write it without a passphrase"));
    for mode in [0o644, 0o602, 0o620] {
        stage.put("one.key", "", mode);
        let told = refused(vec![good.clone()]);
        assert!(told.contains(&format!("(its mode is {mode:04o}): chmod 600 ")), "{told}");
    }
    stage.put("one.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", 0o644);
    stage.put("one.key", &fs::read_to_string(stage.path("two.key")).expect("a key"), 0o640);
    assert!(refused(vec![good]).contains("the first certificate can't be read"));
}

#[test]
fn what_expires_is_warned_of_and_used_rfc5280_4_1_2_5() {
    let stage = Stage::new();
    let expired = stage.sign("old", &["mx.example"], 2021);
    let keyring = Keyring::default();
    let heard = Collected::default();
    let reading = Reading::of(&wanted(listener(vec![expired]))).expect("it can be used");
    assert!(reading.warnings()[0].ends_with("old.pem has expired: clients that verify it will not send mail"));
    keyring.put(reading, &heard);
    assert_eq!(heard.named("certificate-expiring")[0]["expires"], "2021-01-01T00:00:00.000Z");
    assert_eq!(heard.named("certificate-loaded")[0]["names"], "mx.example");
    let mut families = Vec::new();
    keyring.measure(&mut families);
    assert_eq!(families[0].samples[0].value, Value::Real(1_609_459_200.0));
}

#[tokio::test]
async fn files_are_followed_and_what_can_not_be_used_changes_nothing() {
    let stage = Stage::new();
    let files = stage.sign("one", &["mx.example"], 2100);
    let keyring = keyring(listener(vec![files.clone()]));
    let heard = Collected::default();
    let client = Arc::new(stage.client(&[&TLS13], None));
    let (served, connected) = shake(&keyring, &client, "mx.example").await;
    let (mut before, mut connected) = (served.expect("one").socket, connected.expect("one"));
    keyring.look(&heard);
    keyring.look(&heard);
    assert!(heard.all().is_empty(), "nothing has changed");

    stage.put("one.pem", "half", 0o644);
    keyring.look(&heard);
    assert!(heard.all().is_empty(), "it may still be written to");
    keyring.look(&heard);
    keyring.look(&heard);
    assert_eq!(heard.named("certificates-refused").len(), 1, "told once");
    let (served, _) = shake(&keyring, &client, "mx.example").await;
    assert!(served.is_ok(), "what was before serves");

    stage.sign("one", &["mx.example", "new.example"], 2100);
    keyring.look(&heard);
    keyring.look(&heard);
    assert_eq!(heard.named("certificates-reloaded").len(), 1);
    assert_eq!(heard.named("certificate-loaded")[0]["names"], "mx.example new.example");
    let (_, renewed) = shake(&keyring, &client, "new.example").await;
    assert!(renewed.is_ok());
    // Connections of before go on.
    before.write_all(b"250").await.expect("written");
    before.flush().await.expect("flushed");
    connected.read_exact(&mut [0; 3]).await.expect("read");
}

#[test]
fn what_a_certificate_says_is_read_and_noise_is_refused_rfc5280_4_1() {
    let stage = Stage::new();
    let mut params = CertificateParams::new(vec!["MX.example".to_owned(), "*.example".to_owned()]).expect("names");
    params.distinguished_name.push(DnType::CommonName, "Line\r\nbreak");
    params.distinguished_name.push(DnType::OrganizationName, "x".repeat(1000));
    params.not_before = date_time_ymd(1999, 12, 31);
    params.not_after = date_time_ymd(2055, 6, 1);
    let key = KeyPair::generate().expect("a key");
    let issuer: &Issuer<'_, KeyPair> = &stage.authority;
    let certificate = params.signed_by(&key, issuer).expect("signed");
    let said = x509::read(certificate.der()).expect("a certificate");
    assert_eq!(said.names, ["mx.example".into(), "*.example".into()]);
    // RFC 4514 3 has the short names.
    assert!(said.subject.starts_with("CN=Line??break, O=x") && said.subject.chars().count() == 256, "{}", said.subject);
    assert_eq!((said.from, said.until), (946_598_400, 2_695_420_800));
    for end in 0..certificate.der().len() {
        assert!(x509::read(&certificate.der()[..end]).is_err());
    }
}

proptest::proptest! {
    #[test]
    fn no_octets_make_the_reader_panic(octets in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200), at in 0..400_usize) {
        let _ = x509::read(&octets);
        let stage = generated();
        let mut spoilt = stage.to_vec();
        let at = at % spoilt.len();
        for (place, octet) in spoilt[at..].iter_mut().zip(octets.iter().take(4)) {
            *place = *octet;
        }
        let _ = x509::read(&spoilt);
    }
}

/// One certificate for all cases.
fn generated() -> &'static [u8] {
    static MADE: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    MADE.get_or_init(|| {
        rcgen::generate_simple_self_signed(vec!["mx.example".to_owned()]).expect("one").cert.der().to_vec()
    })
}
