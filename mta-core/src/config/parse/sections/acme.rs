//! `[acme]`: whose certificates are issued and renewed without anybody's doing (RFC 8555).

use crate::base::mail::address::Address;
use crate::base::world::http::Origin;
use crate::config::model::acme::{Acme, Challenge, External};
use crate::config::parse::scalar::{self, NAME};
use crate::config::parse::section::{Key, Value, Words, put};
use crate::config::parse::tree::Data;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

const DIRECTORY: &str = "the https:// URL of an ACME directory, as \"https://acme-v02.api.letsencrypt.org/directory\"";
const NAMES: &str = "a list of this server's host names, as [\"mx.example.org\"]";
const HOST: &str = "a full host name, as \"mx.example.org\"";
const CONTACT: &str = "a list of mail addresses, as [\"postmaster@example.org\"]";
const TERMS: &str = "true, when you have read the authority's terms of service and agree to them";
const KEY_ID: &str = "what the authority calls the key that it gave you, as \"kid-1\"";
const BIND: &str = "an address with its port, as \"0.0.0.0:80\"";
/// Names in a certificate: what most authorities allow.
const NAMES_MAX: usize = 100;

const CHALLENGES: &Words<Challenge> = &[("http-01", Challenge::Http), ("tls-alpn-01", Challenge::TlsAlpn)];

/// `[acme]` before it is known to be whole.
#[derive(Default)]
pub(in crate::config::parse) struct AcmeDraft {
    directory: Option<Box<str>>,
    contact: Vec<Box<str>>,
    names: Vec<Box<str>>,
    challenge: Challenge,
    bind: Option<SocketAddr>,
    ca: Option<PathBuf>,
    external_key_id: Option<Box<str>>,
    external_key_secret: Option<Arc<str>>,
}

pub(in crate::config::parse) const ACME: &[Key<AcmeDraft>] = &[
    Key { name: "directory", read: |d, v| d.directory = v.text(DIRECTORY, directory) },
    Key {
        name: "contact",
        read: |d, v| put(&mut d.contact, v.list(CONTACT, |item| item.text("a mail address", contact))),
    },
    Key { name: "names", read: |d, v| put(&mut d.names, names(v)) },
    Key {
        name: "accept_terms",
        read: |_, v| match v.node.data {
            Data::Bool(true) => {}
            _ => drop(v.expected::<()>(TERMS)),
        },
    },
    Key { name: "challenge", read: |d, v| put(&mut d.challenge, v.word(CHALLENGES)) },
    Key { name: "bind", read: |d, v| d.bind = v.text(BIND, scalar::bind_address) },
    Key {
        name: "ca",
        read: |d, v| {
            d.ca = v.text("the path of a file in PEM", |text| match text.trim() {
                "" => Err(String::new()),
                _ => Ok(text.into()),
            });
        },
    },
    Key { name: "external_key_id", read: |d, v| d.external_key_id = v.text(KEY_ID, key_id) },
    Key {
        name: "external_key_secret",
        read: |d, v| d.external_key_secret = v.text(NAME, |text| scalar::label(text).map(Into::into)),
    },
];

pub(super) fn acme(value: &mut Value<'_, '_>) -> Option<Acme> {
    let mut draft = AcmeDraft::default();
    if value.table(&mut draft, ACME) {
        value.require("directory", DIRECTORY);
        value.require("names", NAMES);
        value.require("accept_terms", TERMS);
        if value.below("external_key_id").is_some() != value.below("external_key_secret").is_some() {
            value.wrong("expected external_key_id and external_key_secret together, or neither".to_owned());
        }
    }
    let AcmeDraft { directory, contact, names, challenge, bind, ca, external_key_id, external_key_secret } = draft;
    let external = external_key_id.zip(external_key_secret).map(|(key_id, secret)| External { key_id, secret });
    let directory = directory?;
    let bind = bind.unwrap_or_else(|| (Ipv4Addr::UNSPECIFIED, challenge.port()).into());
    let folder = PathBuf::from("acme").join(folder(&directory));
    Some(Acme { directory, contact, names, challenge, bind, ca, external, folder })
}

fn directory(text: &str) -> Result<Box<str>, String> {
    match Origin::of_url(text) {
        Ok((origin, _)) if origin.secure => Ok(text.into()),
        // RFC 8555 6.1: by https alone.
        Ok(_) => Err(format!("did you mean \"https{}\"?", text.get(4..).unwrap_or_default())),
        Err(why) => Err(why.to_owned()),
    }
}

/// What is kept of one authority means nothing to another, so each has its folder.
fn folder(directory: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '-' };
    directory.trim_start_matches("https://").chars().map(plain).collect()
}

fn key_id(text: &str) -> Result<Box<str>, String> {
    if text.is_empty() || text.contains(char::is_control) { Err(String::new()) } else { Ok(text.into()) }
}

fn contact(text: &str) -> Result<Box<str>, String> {
    match Address::parse(text) {
        Ok(_) => Ok(text.into()),
        Err(_) if text.starts_with("mailto:") => Err(format!("did you mean {:?}?", &text["mailto:".len()..])),
        Err(error) => Err(error.to_string()),
    }
}

fn names(value: &mut Value<'_, '_>) -> Option<Vec<Box<str>>> {
    let names = value.list(NAMES, |item| item.text(HOST, name))?;
    if value.is_empty_list() || names.len() > NAMES_MAX {
        return value.expected(&format!("{NAMES}, 1 to {NAMES_MAX} of them"));
    }
    Some(names)
}

fn name(text: &str) -> Result<Box<str>, String> {
    if text.starts_with("*.") {
        return Err("a wildcard can't be shown to be ours by these challenges: name the hosts".to_owned());
    }
    match scalar::host_name(text)?.to_ascii_lowercase() {
        name if name.contains('.') => Ok(name.into()),
        _ => Err("one label alone is no name that an authority knows".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::model::Config;
    use crate::config::model::acme::Challenge;
    use crate::config::model::listener::StartTls;
    use crate::config::parse::parse;
    use std::path::Path;

    fn read(acme: &str) -> Result<Config, String> {
        let head =
            "hostname = \"mx.example.org\"\ndata_dir = \"var\"\n[[listener]]\nname = \"mx\"\nbind = \"[::1]:25\"\n";
        let written = format!("{head}[acme]\n{acme}");
        parse("f", &written, &[]).map_err(|problems| problems.to_string())
    }

    const LEAST: &str =
        "directory = \"https://ca.example:14000/dir\"\nnames = [\"MX.example.org\"]\naccept_terms = true\n";

    #[test]
    fn its_certificate_is_one_of_tls_and_stands_behind_those_in_files_rfc8555_6_1() {
        let config = read(LEAST).expect("the least");
        let acme = config.acme.expect("it is there");
        assert_eq!(
            (acme.challenge, acme.bind.port(), &*acme.names),
            (Challenge::Http, 80, &["mx.example.org".into()][..])
        );
        assert_eq!(acme.folder, Path::new("var/acme/ca.example-14000-dir"));
        assert_eq!(config.listeners[0].certificates, [acme.certificate()]);
        assert_eq!(config.listeners[0].starttls, StartTls::Offered);

        let file = "challenge = \"tls-alpn-01\"\n[[tls.certificate]]\ncert = \"a.pem\"\nkey = \"a.key\"";
        let config = read(&format!("{LEAST}{file}")).expect("with a file");
        let acme = config.acme.expect("it is there");
        assert_eq!(acme.bind.port(), 443);
        assert_eq!(config.listeners[0].certificates.len(), 2);
        assert_eq!(config.listeners[0].certificates[1], acme.certificate());
    }

    #[test]
    fn an_account_is_bound_by_a_key_that_is_a_secret_rfc8555_7_3_4() {
        let bound = "external_key_id = \"kid-1\"\nexternal_key_secret = \"eab\"\n";
        let secret = "[[secret]]\nname = \"eab\"\nenv = \"X\"\n";
        let external =
            read(&format!("{LEAST}{bound}{secret}")).expect("it is sound").acme.expect("it is there").external;
        assert!(external.is_some_and(|external| &*external.key_id == "kid-1" && &*external.secret == "eab"));
        let words = read(&format!("{LEAST}{bound}{}", secret.replace("eab", "eba"))).expect_err("another name");
        assert!(words.contains("acme.external_key_secret: expected the name of a [[secret]]"), "{words}");
        assert!(words.contains("did you mean \"eba\"?"), "{words}");
    }

    #[test]
    fn what_makes_no_sense_is_told_with_its_place() {
        for (written, told) in [
            ("names = [\"mx.example.org\"]\naccept_terms = true", "acme.directory: missing: expected the https:// URL"),
            ("accept_terms = false", "acme.accept_terms: expected true, when you have read"),
            ("names = []", "acme.names: expected a list of this server's host names"),
            (
                "names = [\"*.example.org\"]",
                "acme.names.0: expected a full host name, as \"mx.example.org\", found \"*.example.org\"; a wildcard",
            ),
            ("names = [\"mx\"]", "one label alone is no name that an authority knows"),
            ("directory = \"http://ca.example/dir\"", "did you mean \"https://ca.example/dir\"?"),
            ("directory = \"ca.example\"", "a URL begins with https://"),
            ("contact = [\"mailto:a@example.org\"]", "did you mean \"a@example.org\"?"),
            ("external_key_id = \"k\"", "external_key_id and external_key_secret together, or neither"),
            ("external_key_id = \"\"", "acme.external_key_id: expected what the authority calls the key"),
            ("challenge = \"dns-01\"", "acme.challenge: expected `http-01` or `tls-alpn-01`"),
        ] {
            let words = read(written).expect_err("it makes no sense");
            assert!(words.contains(told), "{words}");
        }
    }
}
