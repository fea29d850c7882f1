//! Grants: what the operator allows a plugin, checked against what its component asks for.

use super::super::fault::LoadError;
use super::super::wide::needs::{WASI_PACKAGES, WASI_VERSION, stubbed};
use super::http::HttpGrants;
use super::kv::kept::BucketName;
use super::kv::{Bucket, Kv};
use super::supplies::{Secret, Supplies};
use super::tables::TableSlot;
use crate::base::flow::policy::Hook;
use crate::base::world::http::Origin;
use crate::config::model::{EditGrant, Mode, PASSWORDS, Plugin};
use crate::config::parse::network;
use std::sync::Arc;

/// The contract's package.
const PACKAGE: &str = "mailwright:plugin/";

/// The versions of the contract that this host speaks: 0.1 and its patches.
const CONTRACT: &str = "0.1.";

/// What every plugin may export besides.
const LIFECYCLE: &str = "lifecycle";

/// Interfaces that need no grant: what a hook is about.
pub(crate) const ALWAYS: [&str; 6] = ["types", "session", "message", "patterns", "setup", "delivery"];

/// Capabilities that this version offers, each with the words of `allow` that grant it.
pub(crate) const OFFERED: [(&str, &str); 18] = [
    ("log", "log"),
    ("metrics", "metrics"),
    ("clock", "clock"),
    ("random", "random"),
    ("kv", "kv:<bucket>"),
    ("kv", "kv:<bucket>:common"),
    ("secrets", "secrets:<name>"),
    ("secrets", "hmac:<name>"),
    ("suppression", "suppression:<scope>"),
    ("suppression", "suppression:<scope>:read"),
    ("tenants", "tenants"),
    ("tables", "tables:<name>"),
    ("tables", "tables"),
    ("dns", "dns"),
    ("http", "http:<host>"),
    ("http", "http-network:<network>"),
    ("submit", "submit"),
    // Of what it exports: it is handed passwords, and asks for nothing.
    (ON_PASSWORD, PASSWORDS),
];

/// The hook that is shown passwords.
const ON_PASSWORD: &str = "on-password";

/// How a server is granted.
const HTTP: &str = "write \"http:HOST\", \"http:HOST:PORT\", or \"http:http://HOST\" to do without TLS";

/// Whom a plugin may act for.
#[derive(Clone, Debug)]
struct Tenants {
    named: Vec<Arc<str>>,
    /// It is for all mail: also for that of nobody.
    nobody: bool,
}

/// What one plugin may do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grants {
    /// It may write to the log.
    pub(crate) log: bool,
    /// It may count things of its own.
    metrics: bool,
    /// It may read the clocks.
    pub(crate) clock: bool,
    /// It may draw randomness.
    pub(crate) random: bool,
    /// It may look names up.
    pub(crate) dns: bool,
    /// It may send mail of its own.
    submit: bool,
    /// It may be shown passwords.
    pub(crate) passwords: bool,
    /// Whose mail it may say that a request is about.
    tenants: Option<Tenants>,
    /// Its buckets by name; whether each tenant has its own, or all have it in common.
    buckets: Vec<(BucketName, Arc<Bucket>, bool)>,
    kv: Arc<Kv>,
    /// Its secrets by name; whether it may see them, or only sign with them.
    secrets: Vec<(Box<str>, bool, Arc<Secret>)>,
    /// Its tables by name.
    tables: Vec<(Box<str>, Arc<TableSlot>)>,
    /// It may ask for tables even if it is granted none: a plugin whose configuration names none asks for none.
    no_tables: bool,
    /// Scopes of suppression lists; whether it may change those lists.
    scopes: Vec<(Arc<str>, bool)>,
    /// Where it may fetch from.
    pub(crate) http: HttpGrants,
    /// It may change header fields.
    pub(crate) edit_headers: bool,
    /// It may change the reverse path.
    pub(crate) edit_sender: bool,
    /// It may change the recipients.
    pub(crate) edit_recipients: bool,
    /// It may give the message another body.
    pub(crate) edit_body: bool,
}

impl Grants {
    /// Reads `allow` and `edit`.
    ///
    /// # Errors
    /// A capability that does not exist or is not offered, a supply that is not there.
    pub(crate) fn new(plugin: &Plugin, kv: &Arc<Kv>, supplies: &Supplies) -> Result<Self, LoadError> {
        let mut grants = Self { kv: kv.clone(), ..Self::default() };
        for word in &plugin.allow {
            match (&**word, word.split_once(':')) {
                ("log", _) => grants.log = true,
                ("metrics", _) => grants.metrics = true,
                ("clock", _) => grants.clock = true,
                ("random", _) => grants.random = true,
                ("dns", _) => grants.dns = true,
                ("submit", _) => grants.submit = true,
                (PASSWORDS, _) => grants.passwords = true,
                ("tables", _) => grants.no_tables = true,
                ("tenants", _) => {
                    let nobody = plugin.tenants.is_empty();
                    let named = if nobody { supplies.tenants.clone() } else { plugin.tenants.clone() };
                    grants.tenants = Some(Tenants { named, nobody });
                }
                (_, Some(("kv", bucket))) if !bucket.is_empty() => {
                    let common = bucket.strip_suffix(":common");
                    let bucket = common.unwrap_or(bucket).into();
                    let name = BucketName { plugin: space(plugin), tenant: None, bucket };
                    grants.buckets.push((name.clone(), kv.bucket(name), common.is_some()));
                }
                (_, Some((grant @ ("secrets" | "hmac"), name))) => {
                    let secret = supplies.secret(name).ok_or_else(|| not_there(plugin, word, "secret"))?;
                    grants.secrets.push((name.into(), grant == "secrets", secret.clone()));
                }
                (_, Some(("tables", name))) => {
                    let table = supplies.table(name).ok_or_else(|| not_there(plugin, word, "table"))?;
                    grants.tables.push((name.into(), table.clone()));
                }
                (_, Some(("suppression", scope))) => {
                    let (name, change) = scope.strip_suffix(":read").map_or((scope, true), |scope| (scope, false));
                    grants.scopes.push((name.into(), change));
                }
                (_, Some(("http", origin))) => {
                    let origin = Origin::parse(origin)
                        .map_err(|why| error(plugin, format!("allow = \"{word}\": {why}"), HTTP))?;
                    grants.http.origins.push(origin);
                }
                (_, Some(("http-network", block))) => {
                    grants.http.networks.push(network(block).ok_or_else(|| bad_grant(plugin, word))?);
                }
                (word, _) => return Err(bad_grant(plugin, word)),
            }
        }
        for edit in &plugin.edit {
            match edit {
                EditGrant::Headers => grants.edit_headers = true,
                EditGrant::Sender => grants.edit_sender = true,
                EditGrant::Recipients => grants.edit_recipients = true,
                EditGrant::Body => grants.edit_body = true,
            }
        }
        Ok(grants)
    }

    /// Whether anything of a capability is granted.
    fn covers(&self, capability: &str) -> bool {
        match capability {
            "log" => self.log,
            "metrics" => self.metrics,
            "clock" => self.clock,
            "random" => self.random,
            "dns" => self.dns,
            "submit" => self.submit,
            "tenants" => self.tenants.is_some(),
            "kv" => !self.buckets.is_empty(),
            "secrets" => !self.secrets.is_empty(),
            "http" => !self.http.origins.is_empty(),
            "tables" => self.no_tables || !self.tables.is_empty(),
            "suppression" => !self.scopes.is_empty(),
            _ => false,
        }
    }

    /// A secret that it may see.
    pub(crate) fn secret(&self, name: &str) -> Option<&Secret> {
        self.secrets.iter().find(|(granted, seen, _)| *seen && **granted == *name).map(|(.., secret)| &**secret)
    }

    /// A secret that it may sign with.
    pub(crate) fn key(&self, name: &str) -> Option<&Secret> {
        self.secrets.iter().find(|(granted, ..)| **granted == *name).map(|(.., secret)| &**secret)
    }

    /// A table, where it is granted.
    pub(crate) fn table(&self, name: &str) -> Option<&TableSlot> {
        self.tables.iter().find(|(granted, _)| **granted == *name).map(|(_, table)| &**table)
    }

    /// A scope of suppression lists, where it is granted to read them or, if so wanted, to change them.
    pub(crate) fn scope(&self, name: &str, change: bool) -> Option<&Arc<str>> {
        let granted = |(scope, may_change): &&(Arc<str>, bool)| **scope == *name && (*may_change || !change);
        self.scopes.iter().find(granted).map(|(scope, _)| scope)
    }

    /// A tenant that it may act for, by its name, or nobody.
    pub(crate) fn tenant(&self, name: Option<&str>) -> Option<Option<Arc<str>>> {
        let tenants = self.tenants.as_ref()?;
        match name {
            Some(name) => tenants.named.iter().find(|known| ***known == *name).map(|known| Some(known.clone())),
            None => tenants.nobody.then_some(None),
        }
    }

    /// A bucket, where it is granted: each tenant has its own, or it is common to all.
    pub(crate) fn bucket(&self, name: &str, tenant: Option<&Arc<str>>) -> Option<Arc<Bucket>> {
        let (granted, bucket, common) = self.buckets.iter().find(|(granted, ..)| *granted.bucket == *name)?;
        Some(match tenant {
            Some(_) if *common => bucket.clone(),
            None => bucket.clone(),
            Some(tenant) => self.kv.bucket(BucketName { tenant: Some(tenant.clone()), ..granted.clone() }),
        })
    }
}

/// Whose notes and buckets a plugin has. A canary goes on where the plugin is in whose place it stands; a shadow has its
/// own, so that it never touches what others go by. No configured name has a colon.
pub(crate) fn space(plugin: &Plugin) -> Arc<str> {
    match (plugin.mode, &plugin.of) {
        (Mode::Shadow, _) => format!("shadow:{}", plugin.name).into(),
        (Mode::Canary(_), Some(of)) => of.clone(),
        (Mode::Full | Mode::Canary(_), _) => plugin.name.clone(),
    }
}

fn not_there(plugin: &Plugin, word: &str, section: &str) -> LoadError {
    let name = word.split_once(':').map_or("", |(_, name)| name);
    let remedy = format!("add a [[{section}]] with name = \"{name}\"");
    error(plugin, format!("allow = \"{word}\" names no [[{section}]] of the configuration"), remedy)
}

fn bad_grant(plugin: &Plugin, word: &str) -> LoadError {
    let words = OFFERED.map(|(_, word)| format!("\"{word}\""));
    error(plugin, format!("allow = \"{word}\" is no grant"), format!("grants are {}", words.join(", ")))
}

pub(crate) fn error(plugin: &Plugin, problem: impl Into<String>, remedy: impl Into<String>) -> LoadError {
    LoadError { plugin: plugin.name.clone(), problem: problem.into(), remedy: remedy.into() }
}

/// Checks the version of the contract that a component says it was built for.
///
/// # Errors
/// It is another than ours.
pub(crate) fn check_contract(plugin: &Plugin, version: &str) -> Result<(), LoadError> {
    if version.starts_with(CONTRACT) {
        return Ok(());
    }
    let problem = format!("it was built for version {version} of the contract; this Mailwright speaks {CONTRACT}x");
    Err(error(plugin, problem, "rebuild it with this version's SDK, or use the Mailwright that it was built for"))
}

/// Checks one import of a component.
///
/// # Errors
/// It is not granted, or none of ours.
pub(crate) fn check_import(plugin: &Plugin, grants: &Grants, import: &str) -> Result<(), LoadError> {
    let Some(name) = ours(plugin, import)? else {
        if stubbed(import).is_some() {
            return Ok(());
        }
        let remedy = if import.starts_with("wasi:") {
            let packages = WASI_PACKAGES.join(", ");
            format!(
                "of WASI, {packages} of version {WASI_VERSION}x are answered for: build it with tools of that version"
            )
        } else {
            "a plugin imports interfaces of mailwright:plugin".to_owned()
        };
        return Err(error(plugin, format!("it imports {import}, which does not exist here"), remedy));
    };
    if ALWAYS.contains(&name) || grants.covers(name) {
        return Ok(());
    }
    if let Some((_, word)) = OFFERED.iter().find(|(offered, _)| *offered == name) {
        let remedy = format!("add \"{word}\" to its `allow`");
        return Err(error(plugin, format!("it imports {import}, which is not granted"), remedy));
    }
    Err(error(plugin, format!("it imports {import}, which is not in the contract"), "rebuild it with our SDK"))
}

/// Checks one export of a component; the interface's name if it is a hook or the life cycle.
///
/// # Errors
/// A name of our package that is no hook: a misspelt one would be silently absent. A hook that is not granted.
pub(crate) fn check_export<'a>(
    plugin: &Plugin,
    grants: &Grants,
    export: &'a str,
) -> Result<Option<&'a str>, LoadError> {
    let Some(name) = ours(plugin, export)? else { return Ok(None) };
    if name == ON_PASSWORD && !grants.passwords {
        let problem = format!("it exports {export}, to be shown the passwords of users, which is not granted");
        let remedy =
            format!("if you trust it with them, add \"{PASSWORDS}\" to its `allow` and name it in `auth.plugin`");
        return Err(error(plugin, problem, remedy));
    }
    if name == LIFECYCLE || hook(name).is_some() {
        return Ok(Some(name));
    }
    let known = format!("known are {LIFECYCLE}, {}", hook_names());
    match name {
        // What an exported hook's types come from; it has no functions.
        "types" => Ok(None),
        _ => Err(error(plugin, format!("it exports {export}, which is no hook"), known)),
    }
}

/// The hook of an interface's name, as `on-rcpt`.
pub(crate) fn hook(interface: &str) -> Option<Hook> {
    Hook::named(interface.strip_prefix("on-")?)
}

/// The interfaces of all hooks, for words to people.
pub(crate) fn hook_names() -> String {
    Hook::ALL.map(|hook| format!("on-{}", hook.name())).join(", ")
}

/// The interface's name, if it is of our package.
fn ours<'a>(plugin: &Plugin, name: &'a str) -> Result<Option<&'a str>, LoadError> {
    let Some(rest) = name.strip_prefix(PACKAGE) else { return Ok(None) };
    match rest.split_once('@') {
        Some((interface, version)) if version.starts_with(CONTRACT) => Ok(Some(interface)),
        _ => {
            let problem = format!("it speaks {name}; this version speaks {PACKAGE}…@{CONTRACT}x");
            Err(error(plugin, problem, "rebuild it with this version's SDK"))
        }
    }
}
