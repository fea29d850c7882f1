//! Certificates against TLSA records: which fit, what an authority of a zone vouches for, and whole handshakes.

use super::*;
use crate::base::fixtures::Wire;
use crate::base::flow::tls_result::TlsFailure;
use crate::base::world::tls::{Secured, Trust, Unsecured};
use crate::edge::tls::outgoing::Outgoing;
use rcgen::{CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use std::net::SocketAddr;
use tokio::io::duplex;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// A host with its chain, and the authority that signed it.
struct Host {
    own: CertificateDer<'static>,
    key: KeyPair,
    authority: CertificateDer<'static>,
}

/// For these names, valid up to the begin of that year.
fn host(names: &[&str], until: i32) -> Host {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "authority");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
    let mut params =
        CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).expect("names of hosts");
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    let key = KeyPair::generate().expect("a key");
    let own = params.signed_by(&key, &authority).expect("it is signed").der().clone();
    Host { own, key, authority: authority.der().clone() }
}

/// The record that fits this certificate.
fn record(usage: u8, selector: u8, matching: u8, certificate: &[u8]) -> Tlsa {
    let selected =
        if selector == 0 { certificate.to_vec() } else { x509::read(certificate).expect("a certificate").key };
    let data = match matching {
        0 => selected,
        1 => Sha256::digest(&selected).to_vec(),
        _ => Sha512::digest(&selected).to_vec(),
    };
    Tlsa { usage, selector, matching, data: data.into() }
}

/// A handshake with a host that shows this chain, under these records.
async fn shake(host: &Host, records: Vec<Tlsa>, names: &[&str]) -> Result<Secured, Unsecured> {
    let chain = vec![host.own.clone(), host.authority.clone()];
    let key = PrivateKeyDer::try_from(host.key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("both versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("they match");
    let (ours, theirs) = duplex(64 * 1024);
    tokio::spawn(TlsAcceptor::from(Arc::new(config)).accept(theirs));
    let end = SocketAddr::from(([192, 0, 2, 1], 25));
    let names = names.iter().map(|name| (*name).into()).collect();
    let trust = Trust::Dane(Arc::new(Dane { records, names }));
    let socket = Box::new(Wire { stream: ours, peer: end, local: end });
    Outgoing::default().connect(socket, "not.asked.example", &trust).await
}

#[test]
fn selectors_and_matching_types_choose_what_is_compared_rfc6698_2_1() {
    let (one, other) = (host(&["mx.example"], 2100), host(&["mx.example"], 2100));
    for selector in [0, 1] {
        for matching in [0, 1, 2] {
            let record = record(3, selector, matching, &one.own);
            assert!(fits(&record, &one.own), "{record}");
            assert!(!fits(&record, &other.own) && !fits(&record, &one.own[1..]), "{record}");
        }
    }
    assert!(!fits(&Tlsa { matching: 3, ..record(3, 0, 0, &one.own) }, &one.own));
}

#[tokio::test]
async fn the_hosts_own_key_needs_neither_a_name_nor_a_date_rfc7671_5_1() {
    let host = host(&["other.example"], 2021);
    for selector in [0, 1] {
        let secured = shake(&host, vec![record(3, selector, 1, &host.own)], &["mx.example"]).await.expect("its key");
        // RFC 7672 8.1: the name at which the records lie is asked for.
        assert_eq!((secured.info.server_name.as_deref(), secured.info.resumed), (Some("mx.example"), false));
    }
    let wrong = record(3, 1, 1, &host.authority);
    let refused = shake(&host, vec![wrong], &["mx.example"]).await.err().expect("another key");
    assert_eq!(refused.failure, TlsFailure::TlsaInvalid);
    assert!(refused.why.contains("no TLSA record of its zone fits it"), "{}", refused.why);
}

#[tokio::test]
async fn an_authority_of_the_zone_vouches_for_names_and_dates_rfc7672_3_1_2() {
    let good = host(&["mx.example"], 2100);
    for (selector, matching) in [(0, 0), (0, 1), (1, 0), (1, 2)] {
        let record = record(2, selector, matching, &good.authority);
        assert!(shake(&good, vec![record], &["alias.example", "mx.example"]).await.is_ok(), "{selector} {matching}");
    }
    let of = |host: &Host| vec![record(2, 1, 1, &host.authority)];
    let failure = |shaken: Result<Secured, Unsecured>| shaken.err().expect("refused").failure;
    // RFC 7672 3.2.3.
    assert_eq!(
        failure(shake(&good, of(&good), &["a.example", "b.example"]).await),
        TlsFailure::CertificateHostMismatch
    );
    let late = host(&["mx.example"], 2021);
    assert_eq!(failure(shake(&late, of(&late), &["mx.example"]).await), TlsFailure::CertificateExpired);
    let other = host(&["mx.example"], 2100);
    assert_eq!(failure(shake(&good, of(&other), &["mx.example"]).await), TlsFailure::TlsaInvalid);
    // RFC 7671 5.2.2: the record brings an authority that signed nothing here.
    let brought = vec![record(2, 0, 0, &other.authority)];
    assert_eq!(failure(shake(&good, brought, &["mx.example"]).await), TlsFailure::TlsaInvalid);
    // What the host shows for itself is no authority.
    assert_eq!(failure(shake(&good, vec![record(2, 1, 1, &good.own)], &["mx.example"]).await), TlsFailure::TlsaInvalid);
}
