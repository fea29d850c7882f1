//! `[acme]`: a certificate that an authority issues and renews without anybody's doing (RFC 8555).

use super::listener::CertificateFiles;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// Who issues what, and how we show that the names are ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acme {
    /// The URL of the authority's directory, by https.
    pub directory: Box<str>,
    /// Addresses at which the authority may write to us.
    pub contact: Vec<Box<str>>,
    /// Names that the certificate is for, in lower case. Never empty.
    pub names: Vec<Box<str>>,
    /// How they are shown to be ours.
    pub challenge: Challenge,
    /// The port at which the authority asks.
    pub bind: SocketAddr,
    /// Roots that the authority's own certificate must lead to; none: the system's.
    pub ca: Option<PathBuf>,
    /// Whose account there ours is bound to; none: nobody's.
    pub external: Option<External>,
    /// Where account and certificate are kept: one folder for each directory, below the data directory.
    pub folder: PathBuf,
}

/// A key by which the authority knows whom it deals with already (RFC 8555 7.3.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct External {
    /// What it calls the key.
    pub key_id: Box<str>,
    /// The key: the name of a `[[secret]]`, in base64url.
    pub secret: Arc<str>,
}

/// How names are shown to be ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Challenge {
    /// By a file over HTTP (RFC 8555 8.3).
    #[default]
    Http,
    /// By a certificate in a handshake (RFC 8737).
    TlsAlpn,
}

impl Acme {
    /// The certificate's file, which has its key too, so that both change at once. It is not there before the authority
    /// has issued one.
    #[must_use]
    pub fn certificate(&self) -> CertificateFiles {
        let path = self.folder.join("certificate.pem");
        CertificateFiles { cert: path.clone(), key: path }
    }
}

impl Challenge {
    /// As in the configuration and in the protocol.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http-01",
            Self::TlsAlpn => "tls-alpn-01",
        }
    }

    /// The port at which authorities ask.
    #[must_use]
    pub fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::TlsAlpn => 443,
        }
    }
}
