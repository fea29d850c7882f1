//! What a session's plugins see of TLS.

use super::super::guests::{NEXT, expect_octet, guest};
use super::super::stage::{Stage, envelope, plugin};
use crate::base::flow::policy::{Asked, Gate};
use crate::base::world::tls::{PeerCertificate, TlsInfo};
use std::sync::Arc;

/// RFC 3207 4.2: inside TLS nothing counts of what was said before.
#[tokio::test]
async fn a_session_shows_how_it_is_protected_and_forgets_what_was_said_in_clear() {
    let stage = Stage::new();
    // `ok(none)` in clear; then a version of 7 octets, and a client's certificate that is not verified.
    let tls = ("session", "tls", "(param i32)");
    let clear = format!("(call $tls (i32.const 2048)) {} {} {NEXT}", expect_octet(2048, 0), expect_octet(2052, 0));
    let protected = format!(
        "(call $tls (i32.const 2048)) {} {} {} {} {} {} {NEXT}",
        expect_octet(2048, 0),
        expect_octet(2052, 1),
        expect_octet(2060, 7),
        expect_octet(2072, 0),
        expect_octet(2084, 1),
        expect_octet(2104, 1),
    );
    stage
        .load(&[(plugin("one"), guest(&[tls], &[("on-connect", &clear), ("on-mail", &protected)]))])
        .await
        .expect("it loads");
    let mut session = stage.session();
    assert_eq!(session.gate(Asked::Connect).await, Gate::Next);
    session.named("before.example");
    let client = PeerCertificate { subject: "CN=c".into(), sha256: "00".into(), verified: true };
    let tls = TlsInfo {
        version: "TLSv1.3",
        cipher: "TLS_AES_256_GCM_SHA384",
        server_name: None,
        resumed: false,
        exporter: None,
        end_point: None,
        client: Some(client),
    };
    session.secured(&Arc::new(tls));
    let envelope = envelope(&["a@example.net"]);
    assert_eq!(session.gate(Asked::Mail { envelope: &envelope, size_bytes: None }).await, Gate::Next);
    assert!(stage.events.faults().is_empty());
}
