//! From a component's octets to a plugin that serves: checked, compiled, configured and tested.

use super::super::fault::{Fault, LoadError};
use super::super::grants::{self, Grants, check_export, check_import};
use super::super::kv::Kv;
use super::bindings::exports::mailwright::plugin as exports;
use super::bindings::mailwright::plugin as imports;
use super::call::{Call, Identity, LogGate};
use super::instance::{Live, Pool};
use super::loaded::{HOOKS, Hooks, Loaded};
use crate::base::flow::policy::Hook;
use crate::config::model::{OnFailure, Plugin};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};

/// The linker with all that this version offers. What a plugin may not use is refused before it is linked.
///
/// # Errors
/// Two interfaces of one name: a bug.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Call>> {
    let mut linker = Linker::new(engine);
    imports::types::add_to_linker::<Call, HasSelf<Call>>(&mut linker, |call| call)?;
    imports::session::add_to_linker::<Call, HasSelf<Call>>(&mut linker, |call| call)?;
    imports::message::add_to_linker::<Call, HasSelf<Call>>(&mut linker, |call| call)?;
    imports::patterns::add_to_linker::<Call, HasSelf<Call>>(&mut linker, |call| call)?;
    imports::delivery::add_to_linker::<Call, HasSelf<Call>>(&mut linker, |call| call)?;
    imports::log::add_to_linker::<Call, HasSelf<Call>>(&mut linker, |call| call)?;
    imports::clock::add_to_linker::<Call, HasSelf<Call>>(&mut linker, |call| call)?;
    imports::kv::add_to_linker::<Call, HasSelf<Call>>(&mut linker, |call| call)?;
    Ok(linker)
}

/// Loads one plugin.
///
/// # Errors
/// Anything that would keep it from serving, in words that name what was expected and what to do.
pub(crate) async fn load(
    pool: &Pool,
    linker: &Linker<Call>,
    kv: &Kv,
    plugin: &Plugin,
    octets: Bytes,
) -> Result<Loaded, LoadError> {
    let grants = Grants::new(plugin, kv)?;
    let on_failure = on_failure(plugin)?;
    if plugin.budget.memory_bytes_max > super::engine::MEMORY_BYTES_MAX {
        let problem = format!("memory_bytes_max is above {}", super::engine::MEMORY_BYTES_MAX);
        return Err(grants::error(plugin, problem, "lower it"));
    }
    let sha256 = Sha256::digest(&octets).iter().map(|octet| format!("{octet:02x}")).collect();
    let component = compile(linker.engine(), plugin, octets).await?;
    let names = check(linker.engine(), plugin, &grants, &component)?;
    let link_error = |error: wasmtime::Error| {
        let remedy = "rebuild it with this version's SDK";
        grants::error(plugin, format!("it does not fit the contract: {error:#}"), remedy)
    };
    let pre = linker.instantiate_pre(&component).map_err(link_error)?;
    let hooks = hooks(&pre, &names).map_err(link_error)?;
    let identity = Identity {
        name: plugin.name.clone(),
        grants,
        budget: plugin.budget,
        log: LogGate::default(),
        sets: Mutex::default(),
    };
    let config_json = plugin.config_json.clone();
    let loaded = Loaded { plugin: Arc::new(identity), pre, hooks, config_json, sha256, on_failure };
    rehearse(pool, plugin, &loaded).await?;
    Ok(loaded)
}

/// What each hook's failure means; the configuration names hooks with or without `on-`.
fn on_failure(plugin: &Plugin) -> Result<HashMap<Hook, OnFailure>, LoadError> {
    let mut meanings: HashMap<Hook, OnFailure> = HOOKS.iter().map(|(hook, _)| (*hook, plugin.on_failure)).collect();
    for (name, meaning) in &plugin.on_failure_by_hook {
        let plain = name.strip_prefix("on-").unwrap_or(name);
        let Some((hook, _)) = HOOKS.iter().find(|(_, known)| *known == plain) else {
            let known = HOOKS.map(|(_, name)| name).join(", ");
            return Err(grants::error(
                plugin,
                format!("on_failure names no hook: \"{name}\""),
                format!("hooks are {known}"),
            ));
        };
        meanings.insert(*hook, *meaning);
    }
    Ok(meanings)
}

/// Compiles away from the threads that serve mail.
async fn compile(engine: &Engine, plugin: &Plugin, octets: Bytes) -> Result<Component, LoadError> {
    let engine = engine.clone();
    let compiled = tokio::task::spawn_blocking(move || Component::new(&engine, &octets)).await;
    let problem = match compiled {
        Ok(Ok(component)) => return Ok(component),
        Ok(Err(error)) => format!("{error:#}"),
        Err(error) => error.to_string(),
    };
    let remedy = "a plugin is a WebAssembly component (wasm-tools component new makes one of a core module)";
    Err(grants::error(plugin, format!("it can't be compiled: {problem}"), remedy))
}

/// Checks every import and export; the hooks' names.
fn check(engine: &Engine, plugin: &Plugin, grants: &Grants, component: &Component) -> Result<Vec<String>, LoadError> {
    let kind = component.component_type();
    for (import, _) in kind.imports(engine) {
        check_import(plugin, grants, import)?;
    }
    let mut names = Vec::new();
    for (export, _) in kind.exports(engine) {
        if let Some(name) = check_export(plugin, export)? {
            names.push(name.to_owned());
        }
    }
    if !names.iter().any(|name| grants::HOOKS.contains(&&**name)) {
        let remedy = format!("export at least one of {}", grants::HOOKS.join(", "));
        return Err(grants::error(plugin, "it exports no hook", remedy));
    }
    Ok(names)
}

fn hooks(pre: &InstancePre<Call>, names: &[String]) -> wasmtime::Result<Hooks> {
    let mut hooks = Hooks::default();
    for name in names {
        match &**name {
            "lifecycle" => hooks.lifecycle = Some(exports::lifecycle::GuestIndices::new(pre)?),
            "on-connect" => hooks.connect = Some(exports::on_connect::GuestIndices::new(pre)?),
            "on-rcpt" => hooks.rcpt = Some(exports::on_rcpt::GuestIndices::new(pre)?),
            "on-data" => hooks.data = Some(exports::on_data::GuestIndices::new(pre)?),
            "on-pre-send" => hooks.pre_send = Some(exports::on_pre_send::GuestIndices::new(pre)?),
            _ => {}
        }
    }
    Ok(hooks)
}

/// Makes one instance, configures and tests it: what fails here would fail for every message.
async fn rehearse(pool: &Pool, plugin: &Plugin, loaded: &Loaded) -> Result<(), LoadError> {
    let refused = |what: &str, fault: Fault| {
        let problem = format!("{what} failed: {} ({})", fault.why, fault.kind.name());
        grants::error(plugin, problem, "correct its `config`, or the plugin")
    };
    let mut live = Live::begin(pool, loaded).await.map_err(|fault| refused("configure", fault))?;
    let tested = live.self_test(pool, loaded).await.map_err(|fault| refused("self-test", fault))?;
    tested.map_err(|words| grants::error(plugin, format!("self-test failed: {words}"), "the plugin says why"))
}
