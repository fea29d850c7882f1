//! `[[listener]]` and `[tls]`: ports that mail comes in by, what they are for, and how they are protected.

use super::auth::AuthOffer;
use crate::config::matching::Network;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// A port to serve, with all that `[tls]` says for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its name in logs.
    pub name: Arc<str>,
    /// Its address.
    pub bind: SocketAddr,
    /// What it is for.
    pub kind: Kind,
    /// What becomes of STARTTLS. `Off` where TLS is there from the beginning.
    pub starttls: StartTls,
    /// Its certificates, or else those of `[tls]`; the first is the default. Empty: it has no TLS.
    pub certificates: Vec<CertificateFiles>,
    /// Roots that certificates of clients are compared with; none: clients are not asked for one.
    pub client_ca: Option<PathBuf>,
    /// The lowest version that it speaks.
    pub version_min: TlsVersion,
    /// Whether its clients may authenticate.
    pub auth: AuthOffer,
    /// Networks of proxies: who connects from there says first whom it speaks for.
    pub proxy_from: Vec<Network>,
    /// Networks of those who may say by XCLIENT for whom they speak.
    pub xclient_from: Vec<Network>,
}

/// What a listener is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Mail of other servers, and of networks that may relay (RFC 5321).
    #[default]
    Relay,
    /// Mail of users, by STARTTLS (RFC 6409).
    Submission,
    /// Mail of users, by TLS from the first octet on (RFC 8314 3.3).
    Submissions,
    /// Mail of a server that wants an answer for each recipient (RFC 2033).
    Lmtp,
}

/// What becomes of STARTTLS (RFC 3207).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartTls {
    /// It is not there.
    Off,
    /// It may be used.
    Offered,
    /// Nothing is taken before it.
    Required,
}

/// A certificate with its chain, and its key: files, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, then those that signed it.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Versions of TLS that there are to choose from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2.
    #[default]
    V12,
    /// TLS 1.3.
    V13,
}

/// `[tls]`: what holds for listeners that say nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Certificates; the first is the default.
    pub certificates: Vec<CertificateFiles>,
    /// Roots that certificates of clients are compared with.
    pub client_ca: Option<PathBuf>,
    /// The lowest version that is spoken.
    pub version_min: TlsVersion,
}

impl Kind {
    /// Mail of users: nobody else's is taken.
    #[must_use]
    pub fn is_submission(self) -> bool {
        matches!(self, Self::Submission | Self::Submissions)
    }

    /// As configurations name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Submission => "submission",
            Self::Submissions => "submissions",
            Self::Lmtp => "lmtp",
        }
    }
}

impl Listener {
    /// A port of which the file says no more than this.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, bind: SocketAddr) -> Self {
        Self {
            name: name.into(),
            bind,
            kind: Kind::default(),
            starttls: StartTls::Off,
            certificates: Vec::new(),
            client_ca: None,
            version_min: TlsVersion::default(),
            auth: AuthOffer::default(),
            proxy_from: Vec::new(),
            xclient_from: Vec::new(),
        }
    }
}
