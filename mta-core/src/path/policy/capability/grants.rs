//! Grants: what the operator allows a plugin, checked against what its component asks for.

use super::super::fault::LoadError;
use super::kv::{Bucket, Kv};
use crate::base::flow::policy::Hook;
use crate::config::model::{EditGrant, Plugin};
use std::sync::Arc;

/// The contract's package.
const PACKAGE: &str = "mailwright:plugin/";

/// The versions of the contract that this host speaks: 0.1 and its patches.
const CONTRACT: &str = "0.1.";

/// What every plugin may export besides.
const LIFECYCLE: &str = "lifecycle";

/// Interfaces that need no grant: what a hook is about.
pub(crate) const ALWAYS: [&str; 5] = ["types", "session", "message", "patterns", "delivery"];

/// Capabilities of the contract that this version does not offer.
pub(crate) const LATER: [&str; 8] = ["metrics", "random", "secrets", "suppression", "tables", "dns", "http", "submit"];

/// Grants that name something: what to write in `allow` for an interface. For others it is the interface's name.
pub(crate) const NAMING: [(&str, &str); 1] = [("kv", "kv:BUCKET")];

/// Hooks of the contract that this version does not call.
const HOOKS_LATER: [&str; 4] = ["on-auth", "on-route", "on-feedback", "on-http"];

/// What one plugin may do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grants {
    /// It may write to the log.
    pub(crate) log: bool,
    /// It may read the clocks.
    pub(crate) clock: bool,
    /// Its buckets by name.
    pub(crate) buckets: Vec<(Box<str>, Arc<Bucket>)>,
    /// It may change header fields.
    pub(crate) edit_headers: bool,
    /// It may change the reverse path.
    pub(crate) edit_sender: bool,
    /// It may change the recipients.
    pub(crate) edit_recipients: bool,
}

impl Grants {
    /// Reads `allow` and `edit`.
    ///
    /// # Errors
    /// A capability that does not exist or is not offered.
    pub(crate) fn new(plugin: &Plugin, kv: &Kv) -> Result<Self, LoadError> {
        let mut grants = Self::default();
        for word in &plugin.allow {
            match (&**word, word.split_once(':')) {
                ("log", _) => grants.log = true,
                ("clock", _) => grants.clock = true,
                (_, Some(("kv", bucket))) if !bucket.is_empty() => {
                    grants.buckets.push((bucket.into(), kv.bucket(&plugin.name, bucket)));
                }
                (word, _) => return Err(bad_grant(plugin, word)),
            }
        }
        for edit in &plugin.edit {
            match edit {
                EditGrant::Headers => grants.edit_headers = true,
                EditGrant::Sender => grants.edit_sender = true,
                EditGrant::Recipients => grants.edit_recipients = true,
                EditGrant::Body => {
                    return Err(error(
                        plugin,
                        "edit = \"body\" is not offered by this version",
                        "take it out of `edit`",
                    ));
                }
            }
        }
        Ok(grants)
    }

    /// A bucket, where it is granted.
    pub(crate) fn bucket(&self, name: &str) -> Option<&Arc<Bucket>> {
        self.buckets.iter().find(|(granted, _)| &**granted == name).map(|(_, bucket)| bucket)
    }
}

fn bad_grant(plugin: &Plugin, word: &str) -> LoadError {
    let name = word.split(':').next().unwrap_or_default();
    let remedy = "grants are \"log\", \"clock\" and \"kv:<bucket>\"";
    match LATER.contains(&name) {
        true => error(plugin, format!("allow = \"{word}\" is not offered by this version"), remedy),
        false => error(plugin, format!("allow = \"{word}\" is no grant"), remedy),
    }
}

pub(crate) fn error(plugin: &Plugin, problem: impl Into<String>, remedy: impl Into<String>) -> LoadError {
    LoadError { plugin: plugin.name.clone(), problem: problem.into(), remedy: remedy.into() }
}

/// Checks one import of a component.
///
/// # Errors
/// It is not granted, not offered, or none of ours.
pub(crate) fn check_import(plugin: &Plugin, grants: &Grants, import: &str) -> Result<(), LoadError> {
    let Some(name) = ours(plugin, import)? else {
        let remedy = if import.starts_with("wasi:") {
            "there is no WASI here: build the guest for wasm32-unknown-unknown"
        } else {
            "a plugin imports interfaces of mailwright:plugin alone"
        };
        return Err(error(plugin, format!("it imports {import}, which does not exist here"), remedy));
    };
    let wanted = |grant: &str| {
        error(plugin, format!("it imports {import}, which is not granted"), format!("add \"{grant}\" to its `allow`"))
    };
    match name {
        name if ALWAYS.contains(&name) => Ok(()),
        "log" if grants.log => Ok(()),
        "clock" if grants.clock => Ok(()),
        "kv" if !grants.buckets.is_empty() => Ok(()),
        "log" | "clock" => Err(wanted(name)),
        "kv" => Err(wanted("kv:<bucket>")),
        name if LATER.contains(&name) => {
            let remedy = "this version offers log, clock and kv; use a plugin that needs no more";
            Err(error(plugin, format!("it imports {import}, which this version does not offer"), remedy))
        }
        _ => {
            Err(error(plugin, format!("it imports {import}, which is not in the contract"), "rebuild it with our SDK"))
        }
    }
}

/// Checks one export of a component; the interface's name if it is a hook or the life cycle.
///
/// # Errors
/// A name of our package that is no hook: a misspelt one would be silently absent.
pub(crate) fn check_export<'a>(plugin: &Plugin, export: &'a str) -> Result<Option<&'a str>, LoadError> {
    let Some(name) = ours(plugin, export)? else { return Ok(None) };
    if name == LIFECYCLE || hook(name).is_some() {
        return Ok(Some(name));
    }
    let known = format!("known are {LIFECYCLE}, {}", hook_names());
    match name {
        // What an exported hook's types come from; it has no functions.
        "types" => Ok(None),
        name if HOOKS_LATER.contains(&name) => {
            Err(error(plugin, format!("it exports {export}, which this version does not call"), known))
        }
        _ => Err(error(plugin, format!("it exports {export}, which is no hook"), known)),
    }
}

/// The hook of an interface's name, as `on-rcpt`.
pub(crate) fn hook(interface: &str) -> Option<Hook> {
    let name = interface.strip_prefix("on-")?;
    Hook::ALL.into_iter().find(|hook| hook.name() == name)
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
