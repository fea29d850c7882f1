//! `dkim`: keys for signatures, and what belongs into the DNS for them.

pub(crate) mod command;

use super::say;
use command::{DkimCommand, KindArg};
use mta_core::edge::supplies::read_keys;
use mta_core::path::deliver::sign::key::{Key, Kind, generate};
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

pub(crate) fn run(command: DkimCommand) -> Result<(), String> {
    match command {
        DkimCommand::Generate { domain, selector, kind, out } => {
            let out = out.unwrap_or_else(|| format!("{selector}._domainkey.{domain}.pem").into());
            let kind = match kind {
                KindArg::Rsa => Kind::Rsa,
                KindArg::Ed25519 => Kind::Ed25519,
            };
            make(&domain, &selector, kind, &out)
        }
        DkimCommand::Records(config) => {
            let keys = read_keys(&config.file().load()?)?;
            if keys.is_empty() {
                return Err(
                    "the configuration has no [[dkim]] and no [arc]; mailwright dkim generate makes a key".to_owned()
                );
            }
            let mut lines = String::new();
            for signing in keys.all() {
                let _infallible = writeln!(lines, "{}", signing.key.zone_line(&signing.selector, &signing.domain));
            }
            say(lines.trim_end())
        }
    }
}

fn make(domain: &str, selector: &str, kind: Kind, out: &Path) -> Result<(), String> {
    for (what, name) in [("domain", domain), ("selector", selector)] {
        let is_label = |label: &str| {
            (1..=63).contains(&label.len()) && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
        };
        if !name.split('.').all(is_label) {
            return Err(format!(
                "--{what}: expected labels of letters, digits and hyphens with dots between them, found {name:?}; write \
                 others as A-labels (xn--…)"
            ));
        }
    }
    let pem = generate(kind)?;
    let key = Key::parse(pem.as_bytes())?;
    let shown = out.display();
    let create = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(out)?;
        file.write_all(pem.as_bytes())?;
        file.sync_all()
    };
    create().map_err(|error| format!("{shown} can't be written: {error}"))?;
    say(&format!(
        "The private key is in {shown}. Publish:\n\n{}\n\nand, once that is seen everywhere, sign with it:\n\n\
         [[dkim]]\ndomain = \"{domain}\"\nselector = \"{selector}\"\nkey = \"{shown}\"",
        key.zone_line(selector, domain)
    ))
}
