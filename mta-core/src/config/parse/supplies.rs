//! `[[secret]]`, `[[table]]` and `[[dkim]]`: the files that the operator supplies, and that what grants name is there.

use super::super::model::{Config, DkimKey, Secret, SecretSource, Table};
use super::problem::did_you_mean;
use super::scalar::{self, NAME};
use super::section::{Key, Value, put};
use super::tree::{Data, Node};
use std::path::PathBuf;
use std::sync::Arc;

const FILE: &str = "the path of a file";
const VARIABLE: &str = "the name of an environment variable";

/// A secret before it is known to be whole.
#[derive(Default)]
pub(super) struct SecretDraft {
    name: Option<Arc<str>>,
    file: Option<PathBuf>,
    env: Option<Box<str>>,
}

pub(super) const SECRET: &[Key<SecretDraft>] = &[
    Key { name: "name", read: |d, v| d.name = v.text(NAME, |text| scalar::label(text).map(Into::into)) },
    Key { name: "file", read: |d, v| d.file = v.text(FILE, path) },
    Key { name: "env", read: |d, v| d.env = v.text(VARIABLE, variable) },
];

/// A table before it is known to be whole.
#[derive(Default)]
pub(super) struct TableDraft {
    name: Option<Arc<str>>,
    file: Option<PathBuf>,
}

pub(super) const TABLE: &[Key<TableDraft>] = &[
    Key { name: "name", read: |d, v| d.name = v.text(NAME, |text| scalar::label(text).map(Into::into)) },
    Key { name: "file", read: |d, v| d.file = v.text(FILE, path) },
];

/// A key before it is known to be whole.
#[derive(Default)]
pub(super) struct DkimDraft {
    domain: Option<Box<str>>,
    selector: Option<Box<str>>,
    key: Option<PathBuf>,
    tenants: Vec<Arc<str>>,
}

pub(super) const DKIM: &[Key<DkimDraft>] = &[
    Key { name: "domain", read: |d, v| d.domain = v.text(SIGNER, scalar::host_name) },
    Key { name: "selector", read: |d, v| d.selector = v.text(SELECTOR, scalar::host_name) },
    Key { name: "key", read: |d, v| d.key = v.text(FILE, path) },
    Key { name: "tenants", read: |d, v| put(&mut d.tenants, v.names("a list of tenants' names")) },
];

const SIGNER: &str = "the domain that signs, as \"example.org\"";
/// RFC 6376 3.1: labels, as in a domain.
const SELECTOR: &str = "the selector, as \"s2026\": the public key is at s2026._domainkey of the domain";

/// One `[[dkim]]`.
pub(super) fn dkim(value: &mut Value<'_, '_>) -> Option<DkimKey> {
    signer(value, DKIM)
}

fn signer(value: &mut Value<'_, '_>, keys: &'static [Key<DkimDraft>]) -> Option<DkimKey> {
    let mut draft = DkimDraft::default();
    if value.table(&mut draft, keys) {
        value.require("domain", SIGNER);
        value.require("selector", SELECTOR);
        value.require("key", FILE);
    }
    let place = value.below("key").map(|node| value.gathered.place(node.position)).unwrap_or_default();
    let at = format!("{place}: {}.key", value.path).into();
    let DkimDraft { domain, selector, key, tenants } = draft;
    Some(DkimKey { domain: domain?, selector: selector?, key: key?, at, tenants })
}

/// `[arc]`: a key like those, but whose mail it seals is not said by its domain.
pub(super) const ARC: &[Key<DkimDraft>] = DKIM.split_at(3).0;

/// `[arc]`.
pub(super) fn arc(value: &mut Value<'_, '_>) -> Option<DkimKey> {
    signer(value, ARC)
}

fn path(text: &str) -> Result<PathBuf, String> {
    if text.trim().is_empty() || text.contains('\0') { Err(String::new()) } else { Ok(text.into()) }
}

fn variable(text: &str) -> Result<Box<str>, String> {
    if text.is_empty() || text.contains(['=', '\0']) { Err(String::new()) } else { Ok(text.into()) }
}

/// One `[[secret]]`.
pub(super) fn secret(value: &mut Value<'_, '_>) -> Option<Secret> {
    let mut draft = SecretDraft::default();
    if value.table(&mut draft, SECRET) {
        value.require("name", NAME);
        let (file, env) = (value.below("file").is_some(), value.below("env").is_some());
        if file == env {
            let found = if file { ", found both" } else { "" };
            value.wrong(format!("expected exactly one of file and env{found}"));
        }
    }
    let source = draft.file.map(SecretSource::File).or(draft.env.map(SecretSource::Env))?;
    Some(Secret { name: draft.name?, source })
}

/// One `[[table]]`.
pub(super) fn table(value: &mut Value<'_, '_>) -> Option<Table> {
    let mut draft = TableDraft::default();
    if value.table(&mut draft, TABLE) {
        value.require("name", NAME);
        value.require("file", FILE);
    }
    Some(Table { name: draft.name?, file: draft.file? })
}

/// What grants name must be there.
pub(super) fn are_there(config: &Config, root: &mut Value<'_, '_>) {
    let secrets: Vec<&str> = config.secrets.iter().map(|secret| &*secret.name).collect();
    let tables: Vec<&str> = config.tables.iter().map(|table| &*table.name).collect();
    for (index, plugin) in items(root.below("plugin")).iter().enumerate() {
        let Data::Table(entries) = &plugin.data else { continue };
        let allow = entries.iter().find(|entry| entry.key == "allow").map(|entry| &entry.node);
        for (place, word) in items(allow).iter().enumerate() {
            let Data::Text(text) = &word.data else { continue };
            let (section, known) = match text.split_once(':') {
                Some(("secrets" | "hmac", _)) => ("secret", &secrets),
                Some(("tables", _)) => ("table", &tables),
                _ => continue,
            };
            let name = text.split_once(':').map_or("", |(_, name)| name);
            if !known.contains(&name) {
                let mend = did_you_mean(name, known.iter().copied());
                let mend = if mend.is_empty() { format!("there is no [[{section}]] of that name") } else { mend };
                let what = format!("expected the name of a [[{section}]], found {name:?}; {mend}");
                root.gathered.add(word.position, &format!("plugin.{index}.allow.{place}"), what);
            }
        }
    }
}

fn items(list: Option<&Node>) -> &[Node] {
    match list.map(|node| &node.data) {
        Some(Data::List(items)) => items,
        _ => &[],
    }
}
