//! Asks the plugins of a hook, one after the other, and keeps their instances for as long as a transaction lives.

mod attempt;
mod generation;
mod keeper;
pub(super) mod operate;
mod password;
mod public;
mod reports;
mod session;
mod shared;
mod trials;

use crate::base::event::Event;
use crate::base::flow::Answer;
use crate::base::flow::operator::suppression::Suppress;
use crate::base::flow::policy::feedback::{Heard, Returned};
use crate::base::flow::policy::password::{PasswordAnswer, PasswordQuestion};
use crate::base::flow::policy::public::{PublicAnswer, PublicRequest};
use crate::base::flow::policy::{
    Attempted, Hook, Policy, RouteVerdict, SendVerdict, Sendout, SessionInfo, SessionPolicy, Unplaced,
};
use crate::base::flow::spool::Spool;
use crate::base::mail::tie::Key;
use crate::base::world::store::{Journal, StoreFault};
use crate::base::world::{Clock, Observe};
use crate::config::model::{Config, Mode, Plugin, PluginSource};
use crate::sandbox::bounds::permits::Permits;
use crate::sandbox::bounds::pulse::Pulse;
use crate::sandbox::capability::grants::Grants;
use crate::sandbox::capability::standing::Standing;
use crate::sandbox::capability::submit::PostDoor;
use crate::sandbox::capability::supplies::Supplies;
use crate::sandbox::doors::linker;
use crate::sandbox::exchange::compare::trail::Trials;
use crate::sandbox::fault::LoadError;
use crate::sandbox::fault::poison::Remembered;
use crate::sandbox::host::call::{Reach, World};
use crate::sandbox::host::engine;
use crate::sandbox::host::figures::Ledger;
use crate::sandbox::host::instance::Pool;
use crate::sandbox::loading::compile::{Compile, InProcess};
use crate::sandbox::loading::load;
use crate::sandbox::scene::body::ALL_WRITTEN_BYTES_MAX;
use crate::sandbox::wide;
use crate::sandbox::wide::linkers::Linkers;
use arc_swap::ArcSwap;
use bytes::Bytes;
use generation::Generation;
use keeper::Keeper;
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
    /// What capabilities reach the outside by.
    pub reach: Reach,
    /// Instances that live at once, of all plugins.
    pub instances_max: u32,
    /// And of these, for the mail of one tenant.
    pub instances_per_tenant_max: usize,
    /// Where plugins' buckets are kept; without it they live as long as the host.
    pub journal: Option<Arc<dyn Journal>>,
    /// What ties reports that come back to what goes out; without it nothing goes out that could come back.
    pub key: Option<Arc<Key>>,
    /// The suppression lists; without them their capability is unavailable.
    pub suppress: Option<Arc<dyn Suppress>>,
    /// What makes code of components.
    pub compiler: Arc<dyn Compile>,
}

impl HostSettings {
    /// With the default limits of live instances, nothing kept, and compiling in this process.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, observe: Arc<dyn Observe>, reach: Reach) -> Self {
        let (instances_max, instances_per_tenant_max) = (engine::INSTANCES_MAX, engine::INSTANCES_PER_TENANT_MAX);
        let compiler = Arc::new(InProcess);
        let (journal, key, suppress) = (None, None, None);
        Self { clock, observe, reach, instances_max, instances_per_tenant_max, journal, key, suppress, compiler }
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
        let narrow = engine::engine(settings.instances_max).map_err(refused)?;
        let wide = wide::engine::engine(wide::engine::INSTANCES_MAX).map_err(refused)?;
        let linkers = Linkers::new(linker(&narrow).map_err(refused)?, linker(&wide).map_err(refused)?);
        let began = settings.clock.now().mono;
        let (keeper, kv) = Keeper::new(settings.journal, settings.clock.clone(), settings.observe.clone());
        let pool = Pool {
            world: World {
                clock: settings.clock,
                observe: settings.observe,
                reach: settings.reach,
                suppress: settings.suppress,
                key: settings.key,
                began,
                body_memory: Arc::new(Semaphore::new(ALL_WRITTEN_BYTES_MAX)),
                post: Arc::default(),
                standing: Arc::default(),
            },
            pulse: Arc::new(Pulse::new([narrow, wide])),
            permits: Arc::new(Permits::new(
                usize::try_from(settings.instances_max).unwrap_or(usize::MAX),
                settings.instances_per_tenant_max,
            )),
            wide_permits: Arc::new(Permits::new(
                usize::try_from(wide::engine::INSTANCES_MAX).unwrap_or(usize::MAX),
                wide::engine::INSTANCES_PER_TENANT_MAX,
            )),
            room: Arc::new(Semaphore::new(usize::try_from(engine::RESTING_MAX).unwrap_or(usize::MAX))),
            ledger: Arc::new(Ledger::default()),
        };
        let serving = ArcSwap::from_pointee(Generation::new(0, Vec::new(), &[]));
        let (generations, telling) = (watch::Sender::new(0), TaskTracker::new());
        let (compiler, previous, kv) = (settings.compiler, Mutex::default(), Arc::new(kv));
        let (trials, remembered) = (Trials::default(), Remembered::default());
        Ok(Self(Arc::new(Shared {
            pool,
            linkers,
            kv,
            keeper,
            compiler,
            serving,
            previous,
            generations,
            telling,
            trials,
            remembered,
        })))
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

    /// From here on plugins that may send mail put it into this queue; once.
    pub fn posts_to(&self, spool: Arc<dyn Spool>, config: watch::Receiver<Arc<Config>>) {
        // A second queue would be that of another server.
        let _ = self.0.pool.world.post.door.set(PostDoor { spool, config });
    }

    /// From here on plugins are told by these how mail that leaves looks to others; once.
    pub fn stands_by(&self, standing: Standing) {
        // A second one would be that of another server.
        let _ = self.0.pool.world.standing.set(standing);
    }

    /// Reads what plugins kept. To be called before the first load.
    ///
    /// # Errors
    /// The disk fails.
    pub async fn recall(&self) -> Result<(), StoreFault> {
        self.0.keeper.recall(&self.0.kv).await
    }

    /// Keeps what plugins write, some moments later. Never ends.
    pub async fn keep(&self) {
        self.0.keeper.keep(&self.0.kv).await;
    }

    /// Keeps what plugins wrote, now.
    ///
    /// # Errors
    /// The disk fails.
    pub async fn save(&self) -> Result<(), StoreFault> {
        self.0.keeper.save(&self.0.kv).await
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

    /// Loads all plugins as a new generation and lets it serve. `supplies` is what their grants may name, `read` gives
    /// the octets of a component, or why not. On an error nothing is changed. Buckets and the notes of sessions stay.
    ///
    /// # Errors
    /// The first plugin that can't be loaded.
    pub async fn load(
        &self,
        plugins: &[Plugin],
        supplies: &Supplies,
        read: &(dyn Fn(&PluginSource) -> Result<Bytes, String> + Send + Sync),
    ) -> Result<(), LoadError> {
        let Shared { pool, linkers, kv, compiler, .. } = &*self.0;
        let number = self.0.next_number();
        // In whose place canaries stand is asked beside them, as a shadow.
        let twins: Vec<Plugin> = plugins
            .iter()
            .filter(|canary| matches!(canary.mode, Mode::Canary(_)))
            .filter_map(|canary| {
                let other = plugins.iter().find(|other| Some(&other.name) == canary.of.as_ref())?;
                Some(Plugin { mode: Mode::Shadow, of: Some(canary.name.clone()), ..other.clone() })
            })
            .collect();
        let mut all = Vec::with_capacity(plugins.len() + twins.len());
        for plugin in plugins.iter().chain(&twins) {
            let octets = read(&plugin.source).map_err(|problem| LoadError {
                plugin: plugin.name.clone(),
                problem,
                remedy: "give `source` the path of a component, or a builtin as \"builtin:hello\"".to_owned(),
            })?;
            let grants = Grants::new(plugin, kv, supplies)?;
            all.push(load(pool, linkers, &**compiler, grants, plugin, octets, number).await?);
        }
        let twins = all.split_off(plugins.len());
        let generation = Generation::new(number, all, &twins);
        for loaded in &generation.plugins {
            let hooks: Vec<&str> = loaded.asked_at.iter().map(|hook| hook.name()).collect();
            pool.world.observe.event(Event::PluginLoaded {
                plugin: &loaded.code.plugin.name,
                version: loaded.version.as_deref().unwrap_or("none"),
                sha256: &loaded.sha256,
                hooks: &hooks.join(","),
                profile: loaded.code.plugin.profile.name(),
                instances: &loaded.instances(),
                generation: generation.number,
            });
        }
        self.0.swap(Arc::new(generation));
        Ok(())
    }
}

impl Policy for Host {
    fn has(&self, hook: Hook) -> bool {
        self.0.serving.load().has(hook)
    }

    fn session(&self, info: SessionInfo) -> Box<dyn SessionPolicy> {
        Box::new(Session::new(self.0.clone(), info))
    }

    fn route<'a>(&'a self, unplaced: Unplaced<'a>) -> Answer<'a, RouteVerdict> {
        Box::pin(attempt::route(&self.0, unplaced))
    }

    fn pre_send<'a>(&'a self, sendout: Sendout<'a>) -> Answer<'a, SendVerdict> {
        Box::pin(attempt::pre_send(&self.0, sendout))
    }

    fn outcome(&self, attempted: &Attempted) {
        self.0.tell_outcome(attempted);
    }

    fn feedback<'a>(&'a self, returned: Returned<'a>) -> Answer<'a, Heard> {
        Box::pin(self.0.tell_feedback(returned))
    }

    fn http(&self, request: PublicRequest) -> Answer<'_, PublicAnswer> {
        Box::pin(public::http(&self.0, request))
    }

    fn password(&self, question: PasswordQuestion) -> Answer<'_, PasswordAnswer> {
        Box::pin(password::password(&self.0, question))
    }
}
