//! The keys that sign what goes out, from files that nobody else may read.

use super::file;
use crate::config::model::{Config, DkimKey};
use crate::path::deliver::sign::key::Key;
use crate::path::deliver::sign::keyring::{Keyring, Signing};
use std::sync::Arc;

/// A file of a key, in octets: an RSA key of 8,192 bits takes 7 KiB.
const KEY_BYTES_MAX: usize = 16 * 1024;

/// Reads all keys that the configuration names.
///
/// # Errors
/// A line for each that can't be had, in words for the operator.
pub(super) fn read(config: &Config) -> Result<Keyring, Vec<String>> {
    let (mut wrong, mut keys) = (Vec::new(), Vec::new());
    for wanted in &config.dkim {
        match signing(wanted, tenants(config, wanted)) {
            Ok(key) => keys.push(key),
            Err(why) => wrong.push(why),
        }
    }
    let sealer = config.arc.as_ref().map(|wanted| signing(wanted, Vec::new())).transpose();
    let sealer = sealer.unwrap_or_else(|why| {
        wrong.push(why);
        None
    });
    if wrong.is_empty() { Ok(Keyring::new(keys, sealer)) } else { Err(wrong) }
}

fn signing(wanted: &DkimKey, tenants: Vec<Arc<str>>) -> Result<Signing, String> {
    let DkimKey { domain, selector, key: path, at, .. } = wanted;
    let key = file::private(path, KEY_BYTES_MAX)
        .and_then(|pem| Key::parse(&pem).map_err(|why| format!("{}: {why}", path.display())))
        .map_err(|why| format!("{at}: {why}"))?;
    Ok(Signing { domain: domain.clone(), selector: selector.clone(), tenants, key })
}

/// Whose mail the key signs: a tenant must not send in the name of another.
fn tenants(config: &Config, wanted: &DkimKey) -> Vec<Arc<str>> {
    if !wanted.tenants.is_empty() {
        return wanted.tenants.clone();
    }
    config.tenant_of_domain(&wanted.domain).into_iter().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse::parse;
    use crate::path::deliver::sign::key::{Kind, generate};
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_of_a_tenants_domain_signs_that_tenants_mail_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("key.pem");
        fs::write(&path, generate(Kind::Ed25519).expect("there is randomness")).expect("written");
        let config = |domain: &str, more: &str| {
            let text = format!(
                "hostname = \"a\"\ndata_dir = \"d\"\nlistener = [{{ name = \"l\", bind = \"127.0.0.1:0\" }}]\n\
                 tenant = [{{ name = \"acme\", domains = [\"acme.example\"] }}, {{ name = \"x\", domains = [\"x.example\"] }}]\n\
                 dkim = [{{ domain = \"{domain}\", selector = \"s\", key = \"{}\"{more} }}]\n",
                path.display()
            );
            parse("f", &text, &[]).expect("a good file")
        };
        let readable = read(&config("acme.example", "")).expect_err("others may read it");
        assert!(readable[0].starts_with("f:5:58: dkim.0.key: /"), "{readable:?}");
        assert!(readable[0].contains("chmod 600"), "{readable:?}");

        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("its owner may");
        let signs =
            |domain, more, tenant| read(&config(domain, more)).expect("readable").of(domain, tenant).count() == 1;
        assert!(signs("acme.example", "", Some("acme")));
        assert!(!signs("acme.example", "", Some("x")) && !signs("acme.example", "", None));
        assert!(signs("acme.example", ", tenants = [\"x\"]", Some("x")));
        assert!(signs("nobody.example", "", Some("x")) && signs("nobody.example", "", None));

        fs::write(&path, "no key").expect("written");
        let none = read(&config("acme.example", "")).expect_err("no key");
        let arc = "\n[arc]\ndomain = \"a.example\"\nselector = \"s\"\nkey = \"/nowhere/key.pem\"\n";
        let text = "hostname = \"a\"\ndata_dir = \"d\"\nlistener = [{ name = \"l\", bind = \"127.0.0.1:0\" }]\n";
        let absent =
            read(&parse("f", &format!("{text}{arc}"), &[]).expect("a good file")).expect_err("it is not there");
        assert!(absent[0].starts_with("f:8:7: arc.key: /nowhere/key.pem can't be read"), "{absent:?}");
        assert!(none[0].contains("expected a private key in PEM"), "{none:?}");
    }
}
