//! A key: from PEM, made anew, and as the DNS record that verifiers look up (RFC 6376 3.6.1, RFC 8463 4.2).

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::pkcs8::DecodePrivateKey as _;
use ed25519_dalek::{Signer as _, SigningKey as Ed25519Key};
use mail_auth::common::crypto::{RsaKey, Sha256, SigningKey as _};
use mail_auth::dkim::generate::DkimKeyPair;
use sha2::Digest as _;
use std::fmt::{self, Write};
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

/// Bits of an RSA key that is made here: verifiers must take up to 2,048, and 1,024 are too few (RFC 8301 3.2).
const RSA_BITS: usize = 2048;
/// Octets of one character-string in a TXT record (RFC 1035 3.3).
const STRING_BYTES_MAX: usize = 255;
/// Characters in a line of PEM (RFC 7468 2).
const PEM_LINE_BYTES: usize = 64;
/// `rsaEncryption` with its parameters, as it stands before an RSA key in a SubjectPublicKeyInfo (RFC 3279 2.3.1).
const RSA_ENCRYPTION: &[u8] =
    &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
const DER_SEQUENCE: u8 = 0x30;
const DER_BIT_STRING: u8 = 0x03;

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
    Rsa(Box<RsaKey<Sha256>>),
    Ed25519(Box<Ed25519Key>),
}

impl Key {
    /// Reads a private key from PEM: PKCS #8 (for Ed25519 as in RFC 8410 7), or PKCS #1 for RSA.
    ///
    /// # Errors
    /// It is none, or one that must not sign; in words for the operator.
    pub fn parse(pem: &[u8]) -> Result<Self, String> {
        let der = PrivateKeyDer::from_pem_slice(pem)
            .map_err(|error| format!("expected a private key in PEM (-----BEGIN PRIVATE KEY-----): {error}"))?;
        let rsa = |der| RsaKey::<Sha256>::from_key_der(der).map(Self::rsa);
        match der {
            der @ PrivateKeyDer::Pkcs1(_) => rsa(der).map_err(|error| refused(&error)),
            PrivateKeyDer::Pkcs8(der) => match Ed25519Key::from_pkcs8_der(der.secret_pkcs8_der()) {
                Ok(key) => {
                    Ok(Self { public: key.verifying_key().to_bytes().into(), secret: Secret::Ed25519(Box::new(key)) })
                }
                Err(_) => rsa(PrivateKeyDer::Pkcs8(der)).map_err(|error| refused(&error)),
            },
            _ => Err("expected an RSA or an Ed25519 key, found another: DKIM has no such signatures".to_owned()),
        }
    }

    fn rsa(key: RsaKey<Sha256>) -> Self {
        Self { public: subject_public_key_info(&key.public_key()), secret: Secret::Rsa(Box::new(key)) }
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
        match &self.secret {
            Secret::Rsa(key) => key.sign(octets).map_err(|error| error.to_string()),
            // RFC 8463 3: the hash is what is signed.
            Secret::Ed25519(key) => Ok(key.sign(&sha2::Sha256::digest(octets)).to_vec()),
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

/// A new private key, as PEM.
///
/// # Errors
/// There is no randomness.
pub fn generate(kind: Kind) -> Result<String, String> {
    let made = match kind {
        Kind::Rsa => DkimKeyPair::generate_rsa(RSA_BITS),
        Kind::Ed25519 => DkimKeyPair::generate_ed25519(),
    };
    let made = made.map_err(|error| error.to_string())?;
    let label = match kind {
        Kind::Rsa => "RSA PRIVATE KEY",
        Kind::Ed25519 => "PRIVATE KEY",
    };
    let mut pem = format!("-----BEGIN {label}-----\n");
    let text = BASE64.encode(made.private_key());
    for line in text.as_bytes().chunks(PEM_LINE_BYTES) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    let _infallible = writeln!(pem, "-----END {label}-----");
    Ok(pem)
}

fn refused(error: &mail_auth::Error) -> String {
    format!("the key can't sign: {error}; expected Ed25519, or RSA of at least 2,048 bits (RFC 8301 3.2)")
}

/// An RSA public key in the wrapping that verifiers expect behind `p=`.
fn subject_public_key_info(rsa_public_key: &[u8]) -> Vec<u8> {
    let bits = [&[0][..], rsa_public_key].concat();
    der(DER_SEQUENCE, &[RSA_ENCRYPTION, &der(DER_BIT_STRING, &bits)].concat())
}

/// A DER value (X.690 8.1.3: short and long form of the length).
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let length = &length[length.iter().take_while(|octet| **octet == 0).count()..];
    let mut out = vec![tag];
    match length {
        [] => out.push(0),
        [short @ 0..0x80] => out.push(*short),
        // Eight octets at most.
        long => {
            out.push(0x80 | u8::try_from(long.len()).unwrap_or(8));
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(content);
    out
}
