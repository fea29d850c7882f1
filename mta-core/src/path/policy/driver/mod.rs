//! Asks the plugins of a hook, one after the other, and keeps their instances for as long as a transaction lives.

mod attempt;
mod generation;
mod operate;
mod reports;
mod session;
mod shared;
mod ticks;

use super::capability::kv::Kv;
use super::doors::linker;
use super::fault::LoadError;
use super::host::call::World;
use super::host::engine;
use super::host::instance::Pool;
use super::host::pulse::Pulse;
use super::loading::compile::{Compile, InProcess};
use super::loading::load;
use crate::base::event::Event;
use crate::base::flow::Answer;
use crate::base::flow::policy::{Attempted, Hook, Policy, SendVerdict, Sendout, SessionInfo, SessionPolicy};
use crate::base::world::{Clock, Observe};
use crate::config::model::{Plugin, PluginSource};
use arc_swap::ArcSwap;
use bytes::Bytes;
use generation::Generation;
use session::Session;
use shared::Shared;
use std::sync::{Arc, Mutex};
use tokio::sync::{Semaphore, watch};
use tokio_util::task::TaskTracker;

/// What the host is made of.
pub struct HostSettings {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where its events go.
    pub observe: Arc<dyn Observe>,
    /// Instances that live at once, of all plugins.
    pub instances_max: u32,
    /// What makes code of components.
    pub compiler: Arc<dyn Compile>,
}

impl HostSettings {
    /// With the default of 5,000 live instances, and compiling in this process.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, observe: Arc<dyn Observe>) -> Self {
        Self { clock, observe, instances_max: engine::INSTANCES_MAX, compiler: Arc::new(InProcess) }
    }
}

/// The policy stage. Cheap to clone; all clones are one host.
#[derive(Clone)]
pub struct Host(Arc<Shared>);

impl Host {
    /// A host without plugins. Something must drive its [`pulse`](Self::pulse), or a guest that never ends is not
    /// ended.
    ///
    /// # Errors
    /// The engine's words, as when address space can't be reserved.
    pub fn new(settings: HostSettings) -> Result<Self, String> {
        let refused = |error: wasmtime::Error| format!("the plugin engine can't be set up: {error:#}");
        let engine = engine::engine(settings.instances_max).map_err(refused)?;
        let linker = linker(&engine).map_err(refused)?;
        let began = settings.clock.now().mono;
        let pool = Pool {
            world: World { clock: settings.clock, observe: settings.observe, began },
            pulse: Arc::new(Pulse::new(engine)),
            permits: Arc::new(Semaphore::new(usize::try_from(settings.instances_max).unwrap_or(usize::MAX))),
            room: Arc::new(Semaphore::new(usize::try_from(engine::RESTING_MAX).unwrap_or(usize::MAX))),
        };
        let serving = ArcSwap::from_pointee(Generation::new(0, Vec::new()));
        let (generations, telling) = (watch::Sender::new(0), TaskTracker::new());
        let (compiler, previous) = (settings.compiler, Mutex::default());
        let kv = Kv::default();
        Ok(Self(Arc::new(Shared { pool, linker, kv, compiler, serving, previous, generations, telling })))
    }

    /// Instances that rest between transactions now.
    #[cfg(test)]
    pub(super) fn resting(&self) -> usize {
        usize::try_from(engine::RESTING_MAX).unwrap_or(usize::MAX) - self.0.pool.room.available_permits()
    }

    /// What must beat while guests run.
    #[must_use]
    pub fn pulse(&self) -> &Arc<Pulse> {
        &self.0.pool.pulse
    }

    /// Lets time pass for the plugins that have `on-tick`. Never ends.
    pub async fn tick(&self) {
        self.0.clone().tick().await;
    }

    /// Waits until the plugins were told what they were to be told; what is told from here on is not waited for.
    pub async fn told(&self) {
        self.0.telling.close();
        self.0.telling.wait().await;
        self.0.telling.reopen();
    }

    /// Loads all plugins as a new generation and lets it serve. `read` gives the octets of a component, or why not.
    /// On an error nothing is changed. Buckets and the notes of sessions stay.
    ///
    /// # Errors
    /// The first plugin that can't be loaded.
    pub async fn load(
        &self,
        plugins: &[Plugin],
        read: &(dyn Fn(&PluginSource) -> Result<Bytes, String> + Send + Sync),
    ) -> Result<(), LoadError> {
        let Shared { pool, linker, kv, compiler, .. } = &*self.0;
        let mut all = Vec::with_capacity(plugins.len());
        for plugin in plugins {
            let octets = read(&plugin.source).map_err(|problem| LoadError {
                plugin: plugin.name.clone(),
                problem,
                remedy: "give `source` the path of a component, or a builtin as \"builtin:hello\"".to_owned(),
            })?;
            all.push(load(pool, linker, kv, &**compiler, plugin, octets).await?);
        }
        let generation = Generation::new(self.0.next_number(), all);
        for loaded in &generation.plugins {
            let hooks: Vec<&str> =
                Hook::ALL.iter().filter(|hook| loaded.code.hooks.has(**hook)).map(|hook| hook.name()).collect();
            pool.world.observe.event(Event::PluginLoaded {
                plugin: &loaded.code.plugin.name,
                version: CONTRACT_VERSION,
                sha256: &loaded.sha256,
                hooks: &hooks.join(","),
                instances: &loaded
                    .unpictured
                    .as_ref()
                    .map_or_else(|| "restored".into(), |why| format!("made anew: {why}")),
                generation: generation.number,
            });
        }
        self.0.swap(Arc::new(generation));
        Ok(())
    }
}

/// The contract's version: components carry none of their own yet.
const CONTRACT_VERSION: &str = "0.1.0";

impl Policy for Host {
    fn has(&self, hook: Hook) -> bool {
        !self.0.serving.load().chain(hook).is_empty()
    }

    fn session(&self, info: SessionInfo) -> Box<dyn SessionPolicy> {
        Box::new(Session::new(self.0.clone(), info))
    }

    fn pre_send<'a>(&'a self, sendout: Sendout<'a>) -> Answer<'a, SendVerdict> {
        Box::pin(attempt::pre_send(&self.0, sendout))
    }

    fn outcome(&self, attempted: &Attempted) {
        self.0.tell_outcome(attempted);
    }
}
