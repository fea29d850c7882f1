//! A key: from PEM, made anew, and as the DNS record that verifiers look up (RFC 6376 3.6.1, RFC 8463 4.2).

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::error::{KeyRejected, Unspecified};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::Digest as _;
use std::fmt::{self, Write};
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

/// An RSA key that is made here: verifiers must take up to 2,048 bits, and 1,024 are too few (RFC 8301 3.2).
const RSA_SIZE: KeySize = KeySize::Rsa2048;
/// Octets of one character-string in a TXT record (RFC 1035 3.3).
const STRING_BYTES_MAX: usize = 255;
/// Characters in a line of PEM (RFC 7468 2).
const PEM_LINE_BYTES: usize = 64;

/// What kind of key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// RSA with SHA-256: what every verifier knows.
    Rsa,
    /// Ed25519 with SHA-256 (RFC 8463): smaller and much quicker, and not known to all.
    Ed25519,
}

/// A private key that can sign.
pub struct Key {
    secret: Secret,
    /// What stands behind `p=`.
    public: Vec<u8>,
}

enum Secret {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

impl Kind {
    /// A signature takes hundreds of microseconds, where others take ten.
    pub(super) fn is_slow(self) -> bool {
        self == Self::Rsa
    }
}

impl Key {
    /// Reads a private key from PEM: PKCS #8 (for Ed25519 as in RFC 8410 7), or PKCS #1 for RSA.
    ///
    /// # Errors
    /// It is none, or one that must not sign; in words for the operator.
    pub fn parse(pem: &[u8]) -> Result<Self, String> {
        let der = PrivateKeyDer::from_pem_slice(pem)
            .map_err(|error| format!("expected a private key in PEM (-----BEGIN PRIVATE KEY-----): {error}"))?;
        match &der {
            PrivateKeyDer::Pkcs1(der) => Self::rsa(RsaKeyPair::from_der(der.secret_pkcs1_der())),
            PrivateKeyDer::Pkcs8(der) => match Ed25519KeyPair::from_pkcs8(der.secret_pkcs8_der()) {
                // RFC 8463 4.2: the key itself.
                Ok(key) => {
                    Ok(Self { public: key.public_key().as_ref().into(), secret: Secret::Ed25519(Box::new(key)) })
                }
                Err(_) => Self::rsa(RsaKeyPair::from_pkcs8(der.secret_pkcs8_der())),
            },
            _ => Err("expected an RSA or an Ed25519 key, found another: DKIM has no such signatures".to_owned()),
        }
    }

    fn rsa(key: Result<RsaKeyPair, KeyRejected>) -> Result<Self, String> {
        let refused = |error| {
            format!("the key can't sign: {error}; expected Ed25519, or RSA of at least 2,048 bits (RFC 8301 3.2)")
        };
        let key = key.map_err(refused)?;
        // RFC 6376 3.6.1: in the wrapping that says what it is (RFC 3279 2.3.1).
        let wrapped: Result<PublicKeyX509Der<'_>, _> = key.public_key().as_der();
        let public = wrapped.map_err(|Unspecified| "the key's public half can't be told".to_owned())?;
        Ok(Self { public: public.as_ref().into(), secret: Secret::Rsa(Box::new(key)) })
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.secret {
            Secret::Ed25519(_) => Kind::Ed25519,
            Secret::Rsa(_) => Kind::Rsa,
        }
    }

    /// As the signature's `a=` names it (RFC 6376 3.3, RFC 8463 3).
    pub(super) fn algorithm(&self) -> &'static str {
        match self.secret {
            Secret::Ed25519(_) => "ed25519-sha256",
            Secret::Rsa(_) => "rsa-sha256",
        }
    }

    /// The signature of these octets.
    ///
    /// # Errors
    /// What the library said.
    pub(super) fn sign(&self, octets: &[u8]) -> Result<Vec<u8>, String> {
        let unable = |Unspecified| "the library made no signature".to_owned();
        match &self.secret {
            Secret::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), octets, &mut signature).map_err(unable)?;
                Ok(signature)
            }
            // RFC 8463 3: the hash is what is signed.
            Secret::Ed25519(key) => {
                key.try_sign(&sha2::Sha256::digest(octets)).map(|signature| signature.as_ref().into()).map_err(unable)
            }
        }
    }

    /// The text of its DNS record (RFC 6376 3.6.1).
    #[must_use]
    pub fn record(&self) -> String {
        let kind = match self.kind() {
            Kind::Rsa => "rsa",
            Kind::Ed25519 => "ed25519",
        };
        format!("v=DKIM1; k={kind}; p={}", BASE64.encode(&self.public))
    }

    /// The same as a line of a zone file, cut into strings of at most 255 octets, which verifiers join again (RFC 6376
    /// 3.6.2.2).
    #[must_use]
    pub fn zone_line(&self, selector: &str, domain: &str) -> String {
        let mut line = format!("{selector}._domainkey.{domain}. IN TXT (");
        let record = self.record();
        let mut rest = &*record;
        while !rest.is_empty() {
            // The record is ASCII, so that any place is between characters.
            let (string, behind) = rest.split_at(rest.len().min(STRING_BYTES_MAX));
            let _infallible = write!(line, " \"{string}\"");
            rest = behind;
        }
        line.push_str(" )");
        line
    }
}

impl fmt::Debug for Key {
    /// Nothing of the private key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} key", self.kind())
    }
}

/// A new private key, as PEM of PKCS #8.
///
/// # Errors
/// There is no randomness.
pub fn generate(kind: Kind) -> Result<String, String> {
    let made: Result<Pkcs8V1Der<'_>, _> = match kind {
        Kind::Rsa => RsaKeyPair::generate(RSA_SIZE).and_then(|key| key.as_der()),
        Kind::Ed25519 => Ed25519KeyPair::generate().and_then(|key| key.as_der()),
    };
    let made = made.map_err(|Unspecified| "there is no randomness".to_owned())?;
    let mut pem = "-----BEGIN PRIVATE KEY-----\n".to_owned();
    let text = BASE64.encode(made.as_ref());
    for line in text.as_bytes().chunks(PEM_LINE_BYTES) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str("-----END PRIVATE KEY-----\n");
    Ok(pem)
}
