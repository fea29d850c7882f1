//! A certificate of ours and its key, read from their files and checked: that they belong together, whose names it has,
//! and until when (RFC 5280 4.1.2.5, 4.2.1.6).

use super::provider::provider;
use super::x509::{self, Said};
use crate::base::time::UnixMillis;
use crate::config::model::listener::CertificateFiles;
use crate::edge::supplies::file;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::rustls::pki_types::pem::{Error as PemError, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{Error, InconsistentKeys};

/// Octets of a file of certificates or of a key: a chain has some thousand.
const FILE_BYTES_MAX: usize = 1024 * 1024;

/// What all others may not do with a key's file: read or write it. Its group may read it: Debian keeps keys for a group.
const OTHERS: u32 = 0o027;

/// A certificate with what it says.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) files: CertificateFiles,
    pub(super) certified: Arc<CertifiedKey>,
    /// Names that it is for, in lower case; `*.` may begin one.
    pub(super) names: Vec<Box<str>>,
    /// Seconds since 1970.
    pub(super) from: i64,
    pub(super) until: i64,
    /// What clients may bind an exchange to (RFC 5929 4.1).
    pub(super) end_point: Option<Box<[u8]>>,
}

impl Identity {
    /// Whether it may be shown to a client that asks for `name`, in lower case (RFC 9525 6.3: a wildcard stands for one
    /// label).
    pub(super) fn is_for(&self, name: &str) -> bool {
        let wild = name.split_once('.').map(|(_, rest)| rest);
        self.names
            .iter()
            .any(|own| **own == *name || (own.strip_prefix("*.").is_some() && own.strip_prefix("*.") == wild))
    }

    /// Seconds until it ends; none where it has not begun.
    pub(super) fn left(&self, now: UnixMillis) -> Option<i64> {
        let now = i64::try_from(now.0 / 1000).unwrap_or(i64::MAX);
        (now >= self.from).then_some(self.until.saturating_sub(now))
    }
}

/// Reads both files.
///
/// # Errors
/// In words for the operator: which file, what is wrong with it and what to do.
pub(super) fn read(files: &CertificateFiles) -> Result<Identity, String> {
    let CertificateFiles { cert, key } = files;
    let chain = certificates(cert)?;
    let private = private_key(key)?;
    let shown = cert.display();
    let Said { names, from, until, signed_by, .. } =
        x509::read(&chain[0]).map_err(|error| format!("{shown}: the first certificate can't be read: {error}"))?;
    let end_point = signed_by.map(|hash| hash.of(&chain[0]));
    let certified = CertifiedKey::from_der(chain, private, &provider()).map_err(|error| match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            format!(
                "{} is not the key of the first certificate in {shown}: name the key that it was made for, and put \
                 the server's own certificate before those that signed it",
                key.display()
            )
        }
        error => format!("{} can't be used as a key: {error}", key.display()),
    })?;
    Ok(Identity { files: files.clone(), certified: Arc::new(certified), names, from, until, end_point })
}

/// All certificates in a file, at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let shown = path.display();
    let (opened, _) = file::open(path)?;
    let octets = file::content(opened, path, FILE_BYTES_MAX)?;
    let found: Result<Vec<_>, PemError> = CertificateDer::pem_slice_iter(&octets).collect();
    let found = found.map_err(|error| format!("{shown} can't be read as PEM: {error}"))?;
    match found.is_empty() {
        true => Err(format!("{shown} has no certificate: expected PEM, with -----BEGIN CERTIFICATE-----")),
        false => Ok(found),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let shown = path.display();
    let (opened, about) = file::open(path)?;
    let mode = about.mode() & 0o7777;
    if mode & OTHERS != 0 {
        return Err(format!("{shown} may be read or written by others (its mode is {mode:04o}): chmod 600 {shown}"));
    }
    let octets = file::content(opened, path, FILE_BYTES_MAX)?;
    PrivateKeyDer::from_pem_slice(&octets).map_err(|error| match error {
        PemError::NoItemsFound if octets.windows(9).any(|word| word == b"ENCRYPTED") => {
            format!("{shown} is encrypted: write it without a passphrase, as by openssl pkey -in {shown} -out NEW")
        }
        PemError::NoItemsFound => format!("{shown} has no private key: expected PEM, with -----BEGIN PRIVATE KEY-----"),
        error => format!("{shown} can't be read as PEM: {error}"),
    })
}
