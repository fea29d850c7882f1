//! Secrets from files that nobody else may read, or from the environment.

use super::file;
use crate::config::model::SecretSource;
use crate::sandbox::{SECRET_BYTES_MAX, Secret};
use std::fs::Metadata;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

/// What the owner's group and all others may not do with a secret's file: read or write it.
const OTHERS: u32 = 0o066;

/// Reads a secret.
///
/// # Errors
/// It is not there, it is none, or others may read it; in words for the operator.
pub(super) fn read(source: &SecretSource) -> Result<Arc<Secret>, String> {
    let (octets, shown) = match source {
        SecretSource::File(path) => (from_file(path)?, path.display().to_string()),
        SecretSource::Env(name) => {
            let value = std::env::var_os(&**name).ok_or_else(|| format!("the environment has no {name}"))?;
            (value.into_vec(), format!("the variable {name}"))
        }
    };
    Secret::new(octets).map(Arc::new).map_err(|why| format!("{shown}: {why}"))
}

fn from_file(path: &Path) -> Result<Vec<u8>, String> {
    let (opened, about) = file::open(path)?;
    is_private(path, &about)?;
    file::content(opened, path, SECRET_BYTES_MAX)
}

/// Whether the owner alone may read and write the file.
///
/// # Errors
/// Others may; in words for the operator.
pub(super) fn is_private(path: &Path, about: &Metadata) -> Result<(), String> {
    let mode = about.mode() & 0o7777;
    if mode & OTHERS == 0 {
        return Ok(());
    }
    let shown = path.display();
    Err(format!("{shown} may be read or written by others (its mode is {mode:04o}): chmod 600 {shown}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    fn secret(octets: &[u8], mode: u32) -> Result<(), String> {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("key");
        fs::write(&path, octets).expect("written");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("its owner may");
        read(&SecretSource::File(path)).map(drop)
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        for mode in [0o600, 0o400, 0o700] {
            assert_eq!(secret(b"key\n", mode), Ok(()), "{mode:o}");
        }
        for mode in [0o640, 0o604, 0o620, 0o602, 0o644] {
            let words = secret(b"key\n", mode).expect_err("others may read it");
            assert!(words.contains(&format!("(its mode is 0{mode:o}): chmod 600 /")), "{words}");
        }
    }

    #[test]
    fn what_is_no_secret_is_told() {
        assert!(secret(b"\n", 0o600).expect_err("nothing").ends_with("/key: it is empty"));
        let large = secret(&vec![b'x'; SECRET_BYTES_MAX + 9], 0o600).expect_err("too much");
        assert!(large.ends_with("it has more than 65536 octets"), "{large}");
        let gone = read(&SecretSource::File("no/such".into())).expect_err("not there");
        assert!(gone.starts_with("no/such can't be read: No such file"), "{gone}");
        let folder = read(&SecretSource::File("/".into())).expect_err("a folder");
        assert_eq!(folder, "/ is no plain file");
        let unset = read(&SecretSource::Env("MAILWRIGHT_NO_SUCH_VARIABLE".into())).expect_err("not set");
        assert_eq!(unset, "the environment has no MAILWRIGHT_NO_SUCH_VARIABLE");
        // Cargo sets this one for every test.
        assert!(read(&SecretSource::Env("CARGO_PKG_NAME".into())).is_ok());
    }
}
