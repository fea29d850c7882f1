//! From a component's octets to a plugin that serves: checked, compiled, configured and tested.
//!
//! `configure` runs once: an image is taken of the instance that it leaves, and transactions begin with that image.
//! `capture` takes it. For the functions that bring an instance back to it, `state` reads what there is to bring back and
//! `shape` where a hook can do it itself; `function`, `module` and `component` add them. What can't be pictured is
//! configured anew for each transaction. See docs/decisions/0013-instances-are-restored.md.

mod capture;
pub(crate) mod compile;
mod component;
mod function;
pub(crate) mod inspect;
mod module;
#[cfg(test)]
mod module_tests;
mod shape;
mod state;

use super::bounds::reports::Reports;
use super::capability::expressions::Expressions;
use super::capability::grants::{self, Grants, check_contract, check_export, check_import, space};
use super::exchange::manifest::Manifest;
use super::fault::breaker::Breaker;
use super::fault::{Fault, LoadError, Unfit};
use super::host::bindings::exports::mailwright::plugin as exports;
use super::host::bindings::waits as waits_in;
use super::host::call::{Call, FETCHES_PER_PLUGIN_MAX, Identity, LogGate, Skipped};
use super::host::code::{Code, Hooks, Ready, last_hook};
use super::host::engine;
use super::host::instance::{Configured, Live, Pool};
use super::host::stock::{Lease, Loaded, Part, Stock};
use super::wide::linkers::Linkers;
use super::wide::needs::Profile;
use crate::base::flow::policy::Hook;
use crate::config::model::{Mode, OnFailure, Plugin};
use crate::config::schema::misfits;
use bytes::Bytes;
use capture::{Image, Sitter};
use compile::{Compile, NotCompiled};
use component::Restorable;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, InstancePre};

/// Loads one plugin.
///
/// # Errors
/// Anything that would keep it from serving, in words that name what was expected and what to do.
pub(crate) async fn load(
    pool: &Pool,
    linkers: &Linkers,
    compiler: &dyn Compile,
    grants: Grants,
    plugin: &Plugin,
    octets: Bytes,
    generation: u64,
) -> Result<Arc<Loaded>, LoadError> {
    let sha256 = sha256(plugin, &octets)?;
    let manifest = manifest(plugin, &octets)?;
    let on_failure = on_failure(plugin)?;
    let profile = Profile::of(&octets);
    check_sizes(plugin, profile, &octets)?;
    let figures = pool.ledger.of(&plugin.name);
    figures.loading();
    let identity = Arc::new(Identity {
        name: plugin.name.clone(),
        space: space(plugin),
        shadow: plugin.mode == Mode::Shadow,
        profile,
        fixed_told: AtomicBool::new(false),
        grants,
        budget: plugin.budget,
        submit: plugin.submit,
        config_json: plugin.config_json.clone(),
        tick: plugin.tick,
        log: LogGate::default(),
        figures,
        fetching: Semaphore::new(FETCHES_PER_PLUGIN_MAX),
        lasting: AtomicU32::new(0),
        sets: Mutex::default(),
    });
    let loader = Loader { pool, linkers, compiler, plugin, identity };
    let (code, unpictured, skipped) = match Sitter::new(&octets) {
        Ok(sitter) => loader.pictured(&octets, &sitter).await?,
        Err(why) => {
            let code = loader.code(octets.clone(), Beginning::Configured, Vec::new()).await?;
            let skipped = loader.configured(&code).await?.inside().0.data().skipped.clone();
            (code, Some(why), skipped)
        }
    };
    let mut asked_at = asked_at(plugin, &code.hooks)?;
    asked_at.retain(|hook| !skipped.hooks.contains(hook));
    let loaded = Arc::new(Loaded {
        code,
        listeners: plugin.listeners.clone(),
        tenants: plugin.tenants.clone(),
        asked_at,
        skipped_outcomes: skipped.outcomes,
        stock: Stock::new(pool.room.clone()),
        permits: Arc::new(Semaphore::new(plugin.budget.instances_max)),
        source: plugin.source.to_string(),
        version: manifest.map(|manifest| manifest.version),
        sha256,
        unpictured: unpictured.map(|why| why.to_string()),
        on_failure,
        breaker: Breaker::default(),
        reports: Reports::default(),
        trace: plugin.trace,
        part: Part::new(plugin, generation),
    });
    loader.rehearse(&loaded).await?;
    Ok(loaded)
}

/// One plugin under way.
struct Loader<'a> {
    pool: &'a Pool,
    linkers: &'a Linkers,
    compiler: &'a dyn Compile,
    plugin: &'a Plugin,
    identity: Arc<Identity>,
}

/// What instances of a component begin as; [`Ready`] before the component is compiled.
enum Beginning {
    Restored(Restorable),
    Pictured,
    Configured,
}

impl Loader<'_> {
    /// An instance that `configure` has been through.
    async fn configured(&self, code: &Code) -> Result<Live, LoadError> {
        let refused = |fault: Fault| self.refused("configure", &fault);
        let mut live = Live::new(self.pool, code).await.map_err(refused)?;
        live.configure(self.pool, code, Configured::Load).await.map_err(refused)?;
        Ok(live)
    }

    /// Configures an instance and takes its image; where that fails, the component as it came, and why. Then where its
    /// configuration has nothing to do.
    async fn pictured(&self, octets: &Bytes, sitter: &Sitter<'_>) -> Result<(Code, Option<Unfit>, Skipped), LoadError> {
        let sitting = self.code(sitter.octets.clone().into(), Beginning::Configured, Vec::new()).await?;
        let mut live = self.configured(&sitting).await?;
        let (store, instance) = live.inside();
        let (sets, skipped) = (store.data().sets.clone(), store.data().skipped.clone());
        let image = match store.data() {
            Call { drew: true, .. } => Err(Unfit::Drew),
            Call { saw: true, .. } => Err(Unfit::Saw),
            _ => sitter.image(store, instance).await,
        };
        match image {
            Ok(Image::Restorable(image)) => {
                let octets = image.octets.clone().into();
                Ok((self.code(octets, Beginning::Restored(image), sets).await?, None, skipped))
            }
            Ok(Image::Fixed(image, why)) => {
                Ok((self.code(image.into(), Beginning::Pictured, sets).await?, Some(why), skipped))
            }
            Err(why) => Ok((self.code(octets.clone(), Beginning::Configured, Vec::new()).await?, Some(why), skipped)),
        }
    }

    /// Compiles, checks and links a component.
    async fn code(&self, octets: Bytes, beginning: Beginning, sets: Vec<Arc<Expressions>>) -> Result<Code, LoadError> {
        let component = self.compile(octets).await?;
        let (names, waits) = self.check(&component)?;
        let link_error = |error: wasmtime::Error| {
            let remedy = "rebuild it with this version's SDK";
            grants::error(self.plugin, format!("it does not fit the contract: {error:#}"), remedy)
        };
        let pre = self.linkers.linked(self.identity.profile, &component).map_err(link_error)?;
        let mut hooks = hooks(&pre, &names).map_err(link_error)?;
        let ready = match beginning {
            Beginning::Restored(image) => {
                hooks.restoring = image.last.iter().filter_map(|interface| last_hook(interface)).collect();
                // One that was passed over would leave a transaction's traces in its module.
                let found = image.functions.iter().map(|name| component.get_export_index(None, &**name));
                let missing = || link_error(wasmtime::format_err!("a function that restores it is missing"));
                Ready::Restored(found.collect::<Option<_>>().ok_or_else(missing)?)
            }
            Beginning::Pictured => Ready::Pictured,
            Beginning::Configured => Ready::Configured,
        };
        Ok(Code { plugin: self.identity.clone(), pre, hooks, waits, ready, sets })
    }

    /// Compiles away from the threads that serve mail.
    async fn compile(&self, octets: Bytes) -> Result<Component, LoadError> {
        let clock = &self.pool.world.clock;
        let began = clock.mono();
        let profile = self.identity.profile;
        let compiled = self.compiler.compile(self.linkers.engine(profile), profile, self.plugin, octets).await;
        self.identity.figures.compiled(clock.mono().saturating_duration_since(began));
        compiled.map_err(|NotCompiled { problem, remedy }| grants::error(self.plugin, problem, remedy))
    }

    /// Checks every import and export; the hooks' names, and whether the plugin may wait for others.
    fn check(&self, component: &Component) -> Result<(Vec<String>, bool), LoadError> {
        let (plugin, engine) = (self.plugin, self.linkers.engine(self.identity.profile));
        let kind = component.component_type();
        // Interpreters want more of a stack than a thread's own has.
        let mut waits = self.identity.profile == Profile::Wide;
        for (import, extern_) in kind.imports(engine) {
            check_import(plugin, &self.identity.grants, import)?;
            if let ComponentItem::ComponentInstance(interface) = extern_.ty {
                waits |= interface.exports(engine).any(|(function, _)| waits_in(import, function));
            }
        }
        let mut names = Vec::new();
        for (export, _) in kind.exports(engine) {
            if let Some(name) = check_export(plugin, &self.identity.grants, export)? {
                names.push(name.to_owned());
            }
        }
        if !names.iter().any(|name| grants::hook(name).is_some()) {
            let remedy = format!("export at least one of {}", grants::hook_names());
            return Err(grants::error(plugin, "it exports no hook", remedy));
        }
        Ok((names, waits))
    }

    /// Makes one instance ready and tests it: what fails here would fail for every message.
    async fn rehearse(&self, loaded: &Arc<Loaded>) -> Result<(), LoadError> {
        let mut lease =
            Lease::begin(self.pool, loaded, None).await.map_err(|fault| self.refused("configure", &fault))?;
        let tested = async { lease.live()?.self_test(self.pool, &loaded.code.hooks).await }.await;
        let tested = tested.map_err(|fault| self.refused("self-test", &fault))?;
        tested.map_err(|words| grants::error(self.plugin, format!("self-test failed: {words}"), "the plugin says why"))
    }

    fn refused(&self, what: &str, fault: &Fault) -> LoadError {
        let problem = format!("{what} failed: {} ({})", fault.why, fault.kind.name());
        grants::error(self.plugin, problem, "correct its `config`, or the plugin")
    }
}

/// The hooks at which it is asked: those that it has, or those of them that the operator names.
fn asked_at(plugin: &Plugin, hooks: &Hooks) -> Result<Vec<Hook>, LoadError> {
    let had = Hook::ALL.into_iter().filter(|hook| hooks.has(*hook));
    if let Some(missing) = plugin.hooks.iter().find(|hook| !hooks.has(**hook)) {
        let known: Vec<&str> = had.map(Hook::name).collect();
        let problem = format!("hooks names \"{}\", which it does not have", missing.name());
        return Err(grants::error(plugin, problem, format!("it has {}", known.join(", "))));
    }
    let asked_at: Vec<Hook> = had.filter(|hook| plugin.hooks.is_empty() || plugin.hooks.contains(hook)).collect();
    if plugin.knows_users && !asked_at.contains(&Hook::Password) {
        let problem = "[auth] has it say who users are, and it has no on-password";
        let remedy = "name another plugin in `auth.plugin`, or, where `hooks` leaves it out, add \"password\" there";
        return Err(grants::error(plugin, problem, remedy));
    }
    Ok(asked_at)
}

/// The component's manifest, where it has one; the operator's configuration must fit it. Nothing is compiled before.
fn manifest(plugin: &Plugin, octets: &[u8]) -> Result<Option<Manifest>, LoadError> {
    let remedy = "build it with this version's SDK";
    let Some(manifest) = Manifest::read(octets).map_err(|problem| grants::error(plugin, problem, remedy))? else {
        return Ok(None);
    };
    check_contract(plugin, &manifest.contract)?;
    // What is no JSON was not written by the configuration's reader; the plugin will say so itself.
    if let (Some(schema), Ok(config)) = (&manifest.config, serde_json::from_str(&plugin.config_json)) {
        let wrong: Vec<String> =
            misfits(schema, &config).iter().map(|misfit| plugin.config_places.told(misfit)).collect();
        if !wrong.is_empty() {
            let problem = format!("its configuration does not fit:\n{}", wrong.join("\n"));
            let remedy = format!("`mailwright plugin inspect {}` shows what may be set", plugin.source);
            return Err(grants::error(plugin, problem, remedy));
        }
    }
    Ok(Some(manifest))
}

/// The component and the memory that it is allowed are of a size that its profile has room for.
fn check_sizes(plugin: &Plugin, profile: Profile, octets: &[u8]) -> Result<(), LoadError> {
    let bytes_max = profile.component_bytes_max();
    if octets.len() > bytes_max {
        let problem = format!("its component is larger than {bytes_max} octets");
        return Err(grants::error(plugin, problem, "strip it of debugging information, or use a smaller one"));
    }
    if plugin.budget.memory_bytes_max.is_some_and(|bytes| bytes > engine::MEMORY_BYTES_MAX) {
        let problem = format!("memory_bytes_max is above {}", engine::MEMORY_BYTES_MAX);
        return Err(grants::error(plugin, problem, "lower it"));
    }
    Ok(())
}

/// The component's sum, which must be the one that the operator named.
fn sha256(plugin: &Plugin, octets: &[u8]) -> Result<String, LoadError> {
    let sum = hex(&Sha256::digest(octets));
    match plugin.sha256.as_deref().filter(|pinned| *pinned != sum) {
        None => Ok(sum),
        Some(pinned) => {
            let problem = format!("its component has the sha256 {sum}, and its configuration wants {pinned}");
            let remedy = "if the new component is meant, write its sum into `sha256`; else put the old one back";
            Err(grants::error(plugin, problem, remedy))
        }
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// What each hook's failure means; the configuration names hooks with or without `on-`.
fn on_failure(plugin: &Plugin) -> Result<HashMap<Hook, OnFailure>, LoadError> {
    let mut meanings: HashMap<Hook, OnFailure> = Hook::ALL.iter().map(|hook| (*hook, plugin.on_failure)).collect();
    for (name, meaning) in &plugin.on_failure_by_hook {
        let plain = name.strip_prefix("on-").unwrap_or(name);
        let asked = || Hook::ALL.iter().filter(|hook| hook.has_on_failure());
        let Some(hook) = asked().find(|hook| hook.name() == plain) else {
            let known: Vec<&str> = asked().map(|hook| hook.name()).collect();
            return Err(grants::error(
                plugin,
                format!("on_failure names no hook that is asked: \"{name}\""),
                format!("hooks that are asked are {}", known.join(", ")),
            ));
        };
        meanings.insert(*hook, *meaning);
    }
    Ok(meanings)
}

fn hooks(pre: &InstancePre<Call>, names: &[String]) -> wasmtime::Result<Hooks> {
    let mut hooks = Hooks::default();
    for name in names {
        match &**name {
            "lifecycle" => hooks.lifecycle = Some(exports::lifecycle::GuestIndices::new(pre)?),
            "on-connect" => hooks.connect = Some(exports::on_connect::GuestIndices::new(pre)?),
            "on-helo" => hooks.helo = Some(exports::on_helo::GuestIndices::new(pre)?),
            "on-auth" => hooks.auth = Some(exports::on_auth::GuestIndices::new(pre)?),
            "on-password" => hooks.password = Some(exports::on_password::GuestIndices::new(pre)?),
            "on-mail" => hooks.mail = Some(exports::on_mail::GuestIndices::new(pre)?),
            "on-rcpt" => hooks.rcpt = Some(exports::on_rcpt::GuestIndices::new(pre)?),
            "on-data" => hooks.data = Some(exports::on_data::GuestIndices::new(pre)?),
            "on-route" => hooks.route = Some(exports::on_route::GuestIndices::new(pre)?),
            "on-pre-send" => hooks.pre_send = Some(exports::on_pre_send::GuestIndices::new(pre)?),
            "on-outcome" => hooks.outcome = Some(exports::on_outcome::GuestIndices::new(pre)?),
            "on-feedback" => hooks.feedback = Some(exports::on_feedback::GuestIndices::new(pre)?),
            "on-http" => hooks.http = Some(exports::on_http::GuestIndices::new(pre)?),
            "on-tick" => hooks.tick = Some(exports::on_tick::GuestIndices::new(pre)?),
            "on-disconnect" => hooks.disconnect = Some(exports::on_disconnect::GuestIndices::new(pre)?),
            _ => {}
        }
    }
    Ok(hooks)
}
