//! What a component says of itself, without running it: for those who are about to trust it.

use super::super::capability::grants::{ALWAYS, OFFERED, hook};
use super::super::exchange::manifest::Manifest;
use super::super::fault::Unfit;
use super::super::host::code::last_hook;
use super::super::wide::needs::{Profile, initial_bytes, stubbed};
use super::capture::Sitter;
use super::{component, hex};
use crate::base::flow::policy::Hook;
use serde::Serialize;
use sha2::{Digest, Sha256};
use wasmparser::{Parser, Payload};
use wit_component::DecodedWasm;
use wit_parser::{Resolve, WorldItem};

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// Its sum, in hexadecimal: what `sha256` pins.
    pub sha256: String,
    /// Its length.
    pub bytes: u64,
    /// What it says of itself, if it does.
    pub manifest: Option<Manifest>,
    /// The version of the contract that it was built for.
    pub contract: Option<String>,
    /// The hooks that it has and that this version calls.
    pub hooks: Vec<String>,
    /// It has a configuration or a self-test.
    pub lifecycle: bool,
    /// What it must be allowed, as `allow` says it.
    pub allow: Vec<String>,
    /// What it may change of a message if it is let, as `edit` says it.
    pub edit: Vec<&'static str>,
    /// Imports and exports that this version does not offer or does not know: with one of these it is not loaded.
    pub unknown: Vec<String>,
    /// Memory that an instance begins with.
    pub memory_bytes: u64,
    /// The engine that it runs in: `narrow`, or `wide` for interpreters and for what asks for WASI.
    pub profile: &'static str,
    /// `restored`: an instance is used again, brought back to its beginning; else why each transaction has a new one (in
    /// the wide profile each call).
    pub instances: String,
}

/// The functions that change a message, by what they need in `edit`.
const EDITS: [(&str, &str); 7] = [
    ("add-header", "headers"),
    ("set-header", "headers"),
    ("set-sender", "sender"),
    ("add-recipient", "recipients"),
    ("remove-recipient", "recipients"),
    ("write-body", "body"),
    ("copy-body", "body"),
];

/// The functions that change a suppression list.
const CHANGES: [&str; 3] = ["add", "remove", "add-all"];

/// Looks at a component.
///
/// # Errors
/// It is none, in words that say what to do.
pub fn inspect(octets: &[u8]) -> Result<Inspection, String> {
    if Parser::is_core_wasm(octets) {
        return Err(
            "this is a core WebAssembly module, not a component; `mailwright plugin build` makes a component of a \
                    Rust crate, and `mailwright plugin build --module` of such a module"
                .to_owned(),
        );
    }
    if !Parser::is_component(octets) {
        return Err("this is no WebAssembly component; `mailwright plugin build` makes one".to_owned());
    }
    let unread = |error: &dyn std::fmt::Display| format!("its binary is not understood: {error:#}");
    let (resolve, world) = match wit_component::decode(octets).map_err(|error| unread(&error))? {
        DecodedWasm::Component(resolve, world) => (resolve, world),
        DecodedWasm::WitPackage(..) => return Err("this is a contract (WIT) as a binary, not a plugin".to_owned()),
    };
    let profile = Profile::of(octets);
    let anew = if profile == Profile::Wide { "made anew for each call" } else { "made anew" };
    let mut found = Inspection {
        sha256: hex(&Sha256::digest(octets)),
        bytes: octets.len() as u64,
        manifest: Manifest::read(octets)?,
        contract: None,
        hooks: Vec::new(),
        lifecycle: false,
        allow: Vec::new(),
        edit: Vec::new(),
        unknown: Vec::new(),
        memory_bytes: memory_bytes(octets).map_err(|error| unread(&error))?,
        profile: profile.name(),
        instances: restorable(octets).map_or_else(|why| format!("{anew}: {why}"), |()| "restored".to_owned()),
    };
    for (key, item) in &resolve.worlds[world].imports {
        found.import(&resolve, &resolve.name_world_key(key), item);
    }
    for key in resolve.worlds[world].exports.keys() {
        found.export(&resolve.name_world_key(key));
    }
    // In the order of a message's life, not of the binary.
    found.hooks.sort_by_key(|name| Hook::ALL.iter().position(|hook| hook.name() == name));
    Ok(found)
}

impl Inspection {
    fn import(&mut self, resolve: &Resolve, import: &str, item: &WorldItem) {
        if stubbed(import).is_some() {
            return;
        }
        let Some(interface) = self.ours(import) else {
            self.unknown.push(import.to_owned());
            return;
        };
        let uses = |function: &str| match item {
            WorldItem::Interface { id, .. } => resolve.interfaces[*id].functions.contains_key(function),
            WorldItem::Function(_) | WorldItem::Type { .. } => false,
        };
        if interface == "message" {
            self.edit = EDITS.iter().filter(|(function, _)| uses(function)).map(|(_, word)| *word).collect();
            self.edit.dedup();
        }
        if ALWAYS.contains(&&*interface) {
            return;
        }
        let offered = OFFERED.iter().filter(|(name, _)| *name == interface).map(|(_, words)| *words);
        let before = self.allow.len();
        // A secret may be seen, or only signed with; a list changed, or only read.
        self.allow.extend(
            offered
                .filter(|words| match *words {
                    "secrets:<name>" => uses("get"),
                    "hmac:<name>" => uses("hmac-sha256"),
                    // One bucket for all tenants, or none of the tables: its configuration says that.
                    "kv:<bucket>:common" | "tables" => false,
                    "suppression:<scope>" => CHANGES.iter().any(|change| uses(change)),
                    "suppression:<scope>:read" => !CHANGES.iter().any(|change| uses(change)),
                    _ => true,
                })
                .map(str::to_owned),
        );
        if self.allow.len() == before {
            self.unknown.push(import.to_owned());
        }
    }

    fn export(&mut self, export: &str) {
        match self.ours(export).as_deref() {
            Some("lifecycle") => self.lifecycle = true,
            Some("types") => {}
            Some(interface) => match hook(interface) {
                Some(hook) => {
                    self.hooks.push(hook.name().to_owned());
                    let granted = OFFERED.iter().filter(|(name, _)| *name == interface).map(|(_, words)| *words);
                    self.allow.extend(granted.map(str::to_owned));
                }
                None => self.unknown.push(export.to_owned()),
            },
            // What else it exports is nobody's business.
            None => {}
        }
    }

    /// The interface's name, if it is of the contract.
    fn ours(&mut self, name: &str) -> Option<String> {
        let (interface, version) = name.strip_prefix("mailwright:plugin/")?.split_once('@')?;
        self.contract.get_or_insert_with(|| version.to_owned());
        Some(interface.to_owned())
    }
}

/// What all its modules begin with.
fn memory_bytes(octets: &[u8]) -> wasmparser::Result<u64> {
    let mut bytes: u64 = 0;
    for payload in Parser::new(0).parse_all(octets) {
        if let Payload::MemorySection(memories) = payload? {
            for memory in memories {
                bytes = bytes.saturating_add(initial_bytes(&memory?));
            }
        }
    }
    Ok(bytes)
}

/// By its structure: what `configure` leaves may still be more than can be restored.
fn restorable(octets: &[u8]) -> Result<(), Unfit> {
    Sitter::new(octets)?;
    component::restorable(octets, |interface| last_hook(interface).is_some()).map(|_| ())
}
