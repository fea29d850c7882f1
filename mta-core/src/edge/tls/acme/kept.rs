//! What is kept of an authority in the data directory: our account there, and the certificate with its key. Both are their
//! owner's alone.

use crate::config::model::acme::Acme;
use crate::edge::supplies::file;
use crate::edge::tls::acme::schedule::Term;
use crate::edge::tls::identity;
use instant_acme::AccountCredentials;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Octets of an account: some hundred.
const ACCOUNT_BYTES_MAX: usize = 64 * 1024;

fn account_path(acme: &Acme) -> PathBuf {
    acme.folder.join("account.json")
}

/// Our account; none: there was none yet.
///
/// # Errors
/// The file can't be used; in words for the operator.
pub(super) fn account(acme: &Acme) -> Result<Option<AccountCredentials>, String> {
    let path = account_path(acme);
    if !is_there(&path)? {
        return Ok(None);
    }
    let octets = file::private(&path, ACCOUNT_BYTES_MAX)?;
    serde_json::from_slice(&octets).map(Some).map_err(|error| {
        let shown = path.display();
        format!("{shown} is no account: {error}; put the right file back, or remove it to have a new account made")
    })
}

/// Keeps it.
///
/// # Errors
/// The disk fails; in words.
pub(super) fn keep_account(acme: &Acme, account: &AccountCredentials) -> Result<(), String> {
    let octets = serde_json::to_vec(account).map_err(|error| error.to_string())?;
    put(&account_path(acme), &octets)
}

/// The authority does not know it any more: the next order makes another. It is renamed, in case somebody wants it.
///
/// # Errors
/// The disk fails; in words.
pub(super) fn set_account_aside(acme: &Acme) -> Result<(), String> {
    let path = account_path(acme);
    fs::rename(&path, path.with_extension("json.unknown")).map_err(|error| format!("{}: {error}", path.display()))
}

/// What the certificate says of itself; none: there is none yet, or none that can be used.
///
/// # Errors
/// It is there and can't be read; in words for the operator.
pub(super) fn term(acme: &Acme) -> Result<Option<Term>, String> {
    let files = acme.certificate();
    if !is_there(&files.cert)? {
        return Ok(None);
    }
    let identity = identity::read(&files)?;
    Ok(Some(Term { names: identity.names, from: identity.from, until: identity.until }))
}

/// Keeps a certificate, with its chain and its key, all in PEM.
///
/// # Errors
/// The disk fails; in words.
pub(super) fn keep_certificate(acme: &Acme, pem: &str) -> Result<(), String> {
    put(&acme.certificate().cert, pem.as_bytes())
}

fn is_there(path: &Path) -> Result<bool, String> {
    path.try_exists().map_err(|error| format!("{} can't be read: {error}", path.display()))
}

/// Whole or not at all, also when the machine stops meanwhile.
fn put(path: &Path, octets: &[u8]) -> Result<(), String> {
    let written = || -> io::Result<()> {
        let folder = path.parent().ok_or(ErrorKind::InvalidInput)?;
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let fresh = path.with_extension("new");
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(octets)?;
        file.sync_all()?;
        fs::rename(&fresh, path)?;
        File::open(folder)?.sync_all()
    };
    written().map_err(|error| format!("{} can't be written: {error}", path.display()))
}
