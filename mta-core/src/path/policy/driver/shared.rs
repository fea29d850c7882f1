//! What the hooks of sessions and of attempts share: the host's insides, and what a call's end means.

use super::generation::Generation;
use super::keeper::Keeper;
use crate::base::event::Event;
use crate::base::flow::policy::Hook;
use crate::base::mail::id::QueueId;
use crate::config::model::{Mode, OnFailure};
use crate::sandbox::capability::kv::Kv;
use crate::sandbox::exchange::compare::trail::Trials;
use crate::sandbox::exchange::said::{Said, Says};
use crate::sandbox::exchange::verdict;
use crate::sandbox::fault::breaker::Turn;
use crate::sandbox::fault::{Fault, Kind, poison};
use crate::sandbox::host::figures::Tenant;
use crate::sandbox::host::instance::Pool;
use crate::sandbox::host::stock::Loaded;
use crate::sandbox::loading::compile::Compile;
use crate::sandbox::scene::{Scene, SessionScene};
use crate::sandbox::wide::linkers::Linkers;
use arc_swap::ArcSwap;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

/// Digits of a component's sum that tell its version in a fault.
const SUM_DIGITS: usize = 12;

/// The insides of a host.
pub(super) struct Shared {
    pub(super) pool: Pool,
    pub(super) linkers: Linkers,
    pub(super) kv: Arc<Kv>,
    pub(super) compiler: Arc<dyn Compile>,
    pub(super) keeper: Keeper,
    /// What new transactions and attempts are asked by. Those under way keep theirs.
    pub(super) serving: ArcSwap<Generation>,
    /// The generation that served before, where there was one: a rollback is one step.
    pub(super) previous: Mutex<Option<Arc<Generation>>>,
    /// The number of the generation that serves, for those who wait for a new one.
    pub(super) generations: watch::Sender<u64>,
    /// Reports to plugins that are under way.
    pub(super) telling: TaskTracker,
    /// For those who go along.
    pub(super) trials: Trials,
    /// Messages at which plugins faulted while they were received.
    pub(super) remembered: poison::Remembered,
}

/// A call of a plugin from its beginning on, to be counted when it ends.
pub(super) struct Counted<'a> {
    host: &'a Shared,
    loaded: &'a Loaded,
    generation: u64,
    hook: Hook,
    tenant: Tenant,
    began: Instant,
}

impl Counted<'_> {
    /// It ended so. Counts it, logs it where the operator wants each logged, and tells the breaker.
    pub(super) fn noted<T: Says>(
        self,
        answer: Result<T, Fault>,
        session: Option<&Arc<SessionScene>>,
        id: Option<QueueId>,
    ) -> Result<T, Fault> {
        let Self { host, loaded, generation, hook, tenant, began } = self;
        let took = host.pool.world.clock.mono().saturating_duration_since(began);
        let figures = &loaded.code.plugin.figures;
        let said = match &answer {
            Ok(answer) => answer.said(),
            Err(_) => Said::Fault,
        };
        match &answer {
            Ok(_) => figures.called(tenant, hook, said, took),
            Err(fault) => figures.failed(tenant, hook, fault.kind, took),
        }
        if loaded.trace {
            host.pool.world.observe.event(Event::PluginCalled {
                plugin: &loaded.code.plugin.name,
                hook: hook.name(),
                session: session.map(|session| &*session.id),
                id,
                verdict: said.name(),
                micros: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
                generation,
            });
        }
        host.noted(loaded, answer)
    }
}

impl Shared {
    /// A call of this generation's plugin begins.
    pub(super) fn call<'a>(&'a self, generation: u64, loaded: &'a Loaded, hook: Hook, tenant: Tenant) -> Counted<'a> {
        Counted { host: self, loaded, generation, hook, tenant, began: self.pool.world.clock.mono() }
    }

    /// Whether the plugin may be asked now.
    pub(super) fn admit(&self, loaded: &Loaded) -> Result<(), Fault> {
        match loaded.breaker.admits(|| self.pool.world.clock.now().mono) {
            true => Ok(()),
            false => Err(Fault::new(Kind::Breaker, "it failed again and again, and is left alone for a while")),
        }
    }

    /// Tells the breaker how a call went. A full pool is not the plugin's doing.
    pub(super) fn noted<T>(&self, loaded: &Loaded, answer: Result<T, Fault>) -> Result<T, Fault> {
        let now = || self.pool.world.clock.now().mono;
        let turn = match &answer {
            Ok(_) => loaded.breaker.answered(now),
            Err(Fault { kind: Kind::Pool | Kind::Breaker, .. }) => None,
            Err(_) => loaded.breaker.failed(now),
        };
        let plugin = &loaded.code.plugin.name;
        // Of a shadow its report tells.
        match turn.filter(|_| loaded.part.mode != Mode::Shadow) {
            Some(Turn::Opened(wait)) => {
                loaded.code.plugin.figures.left_alone();
                let for_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                self.pool.world.observe.event(Event::PluginAlone { plugin, for_ms });
            }
            Some(Turn::Closed) => self.pool.world.observe.event(Event::PluginBack { plugin }),
            None => {}
        }
        answer
    }

    /// Logs a fault; what the operator says it means.
    pub(super) fn failed(
        &self,
        loaded: &Loaded,
        hook: Hook,
        fault: &Fault,
        session: Option<&Arc<SessionScene>>,
        id: Option<QueueId>,
    ) -> OnFailure {
        let meaning = loaded.on_failure(hook);
        // That it is left alone was said once; saying it of each call would flood the log.
        if fault.kind == Kind::Breaker {
            return meaning;
        }
        if loaded.part.mode == Mode::Shadow {
            loaded.part.report.faulted();
            return meaning;
        }
        self.pool.world.observe.event(Event::PluginFault {
            plugin: &loaded.code.plugin.name,
            generation: loaded.part.generation,
            sha256: loaded.sha256.get(..SUM_DIGITS).unwrap_or(&loaded.sha256),
            hook: hook.name(),
            kind: fault.kind.name(),
            why: &fault.why,
            frames: &fault.frames.join(" < "),
            session: session.map(|session| &*session.id),
            id,
            answered: match hook {
                Hook::Http => "503",
                Hook::Password => "454",
                hook if hook.is_told() => "nothing",
                _ => verdict::answered(meaning),
            },
        });
        meaning
    }
}

impl Shared {
    /// A message faulted a plugin at `on-data`, and its client will try again. That it does so time after time is told
    /// once.
    pub(super) fn poisoned_data(&self, loaded: &Loaded, fault: &Fault, meaning: OnFailure, alone: bool, scene: &Scene) {
        let Some(message) = scene.message.as_ref() else { return };
        if meaning != OnFailure::Tempfail || alone || !poison::counts(fault.kind) {
            return;
        }
        let plugin = &loaded.code.plugin.name;
        let sender = message.sender.as_ref().map(ToString::to_string);
        // A message without a name is known by all of its header section.
        let faults = match message.header("message-id") {
            Some(name) => self.remembered.again(plugin, (sender, &*name)),
            None => self.remembered.again(plugin, (sender, &message.content.head)),
        };
        if faults == loaded.code.plugin.budget.faults_per_message_max {
            let (hook, kind) = (Hook::Data.name(), fault.kind.name());
            let (session, id) = (scene.session.as_ref().map(|session| &*session.id), Some(message.id));
            let event = Event::PluginPoison { plugin, hook, kind, faults, session, id, held: false };
            self.pool.world.observe.event(event);
        }
    }
}

/// The edits of a call that was answered stay.
pub(super) fn kept(scene: &mut Scene) -> Result<(), Fault> {
    scene.keep().map_err(|_| Fault::new(Kind::Fault, "its new body ends within a line end"))
}
