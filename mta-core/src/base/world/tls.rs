//! TLS round a client's connection, as the stages see it (RFC 3207, RFC 8314).

use super::dns::Tlsa;
use super::net::Socket;
use crate::base::flow::Answer;
use crate::base::flow::tls_result::TlsFailure;
use std::fmt;
use std::future::ready;
use std::path::PathBuf;
use std::sync::Arc;

/// How a connection is protected. Texts that a peer chose are printable and short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsInfo {
    /// As `TLSv1.3`.
    pub version: &'static str,
    /// The cipher suite by its name in the registry, as `TLS_AES_256_GCM_SHA384`.
    pub cipher: &'static str,
    /// The name of ours that the client asked for.
    pub server_name: Option<Box<str>>,
    /// A session of before was gone on with.
    pub resumed: bool,
    /// What this connection alone exports under the name of channel bindings (RFC 9266 2): TLS 1.3 has it.
    pub exporter: Option<[u8; 32]>,
    /// The hash of our own certificate (RFC 5929 4.1), where its signature says by which function.
    pub end_point: Option<Box<[u8]>>,
    /// The certificate that the client showed; it has its key.
    pub client: Option<PeerCertificate>,
}

/// A certificate that a peer showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCertificate {
    /// Whom it is about, as it says itself.
    pub subject: Box<str>,
    /// The sha256 of the certificate, in lower-case hexadecimal.
    pub sha256: Box<str>,
    /// It leads to a root that the operator trusts, and is valid now. Without this it is a key with a nice name.
    pub verified: bool,
}

impl fmt::Display for TlsInfo {
    /// As in a trace header: `TLSv1.3 with cipher TLS_AES_256_GCM_SHA384`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with cipher {}", self.version, self.cipher)
    }
}

/// A connection that is protected.
pub struct Secured {
    /// What is read and written here is in clear on this side alone.
    pub socket: Box<dyn Socket>,
    /// How.
    pub info: TlsInfo,
}

/// The server's side of TLS, for each listener with its own certificates.
pub trait ServerTls: Send + Sync {
    /// Whether this listener has certificates now.
    fn is_ready(&self, listener: &str) -> bool;

    /// The handshake. The caller sets the time limit; a connection of which nothing came is closed with the answer. An
    /// error is in words for the log.
    fn accept(&self, listener: &str, socket: Box<dyn Socket>) -> Answer<'static, Result<Secured, String>>;
}

/// What mail that goes out wants of TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Outgoing {
    /// None.
    Off,
    /// Where the host offers it and it works; else mail goes in clear. Whose certificate it is does not matter.
    #[default]
    Opportunistic,
    /// Always, whose certificate it may be.
    Required,
    /// Always, and the certificate must be the host's.
    Verify(Trust),
}

/// Whom we believe that a certificate is theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Everybody.
    Anyone,
    /// Who is known to the system.
    System,
    /// Who is known to the roots in this file.
    File(PathBuf),
    /// Who is known to the host's own zone.
    Dane(Arc<Dane>),
}

/// How a host is known by its signed zone (RFC 7672 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dane {
    /// All of them can be used: DANE-EE or DANE-TA, with selectors and matching types that are known.
    pub records: Vec<Tlsa>,
    /// Names of which a certificate below a DANE-TA must have one. The first is also asked for (SNI).
    pub names: Vec<Box<str>>,
}

/// There was no handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsecured {
    /// In words for the log and for reports.
    pub why: String,
    /// What kind of failure it is, for the host's domain.
    pub failure: TlsFailure,
}

impl Outgoing {
    /// Whom its handshakes believe.
    #[must_use]
    pub fn trust(&self) -> &Trust {
        match self {
            Self::Verify(trust) => trust,
            Self::Off | Self::Opportunistic | Self::Required => &Trust::Anyone,
        }
    }
}

/// The client's side of TLS.
pub trait ClientTls: Send + Sync {
    /// The handshake with `host`, a name or an address: with `trust` other than everybody its certificate must be for that,
    /// or what its zone says of it. The caller sets the time limit.
    fn connect(
        &self,
        socket: Box<dyn Socket>,
        host: &str,
        trust: &Trust,
    ) -> Answer<'static, Result<Secured, Unsecured>>;
}

/// No certificates, so no TLS.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTls;

impl ServerTls for NoTls {
    fn is_ready(&self, _listener: &str) -> bool {
        false
    }

    fn accept(&self, _listener: &str, _socket: Box<dyn Socket>) -> Answer<'static, Result<Secured, String>> {
        Box::pin(ready(Err("there is no certificate".to_owned())))
    }
}
