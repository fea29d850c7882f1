//! Asks the plugins of a hook, one after the other, and keeps their instances for as long as a transaction lives.

use super::capability::kv::Kv;
use super::doors::linker;
use super::exchange::{question::question, verdict};
use super::fault::breaker::Turn;
use super::fault::{Fault, Kind, LoadError};
use super::host::call::World;
use super::host::instance::{Live, Pool, Question};
use super::host::pulse::Pulse;
use super::host::stock::{Lease, Loaded};
use super::host::{call::Call, engine};
use super::loading::load;
use super::scene::{DeliveryScene, MessageScene, Scene, SessionScene};
use crate::base::event::Event;
use crate::base::flow::Answer;
use crate::base::flow::entry::Progress;
use crate::base::flow::policy::{
    Asked, DataVerdict, Disposition, Gate, Hook, Policy, SendVerdict, Sending, Sendout, SessionInfo, SessionPolicy,
    Submission,
};
use crate::base::mail::edits::Edits;
use crate::base::mail::envelope::Recipient;
use crate::base::mail::id::QueueId;
use crate::base::world::{Clock, Observe};
use crate::config::model::{OnFailure, Plugin, PluginSource};
use arc_swap::ArcSwap;
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::Semaphore;
use wasmtime::component::Linker;

/// What the host is made of.
pub struct HostSettings {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where its events go.
    pub observe: Arc<dyn Observe>,
    /// Instances that live at once, of all plugins.
    pub instances_max: u32,
}

impl HostSettings {
    /// With the default of 5,000 live instances.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, observe: Arc<dyn Observe>) -> Self {
        Self { clock, observe, instances_max: engine::INSTANCES_MAX }
    }
}

/// The policy stage. Cheap to clone; all clones are one host.
#[derive(Clone)]
pub struct Host(Arc<Inner>);

struct Inner {
    pool: Pool,
    linker: Linker<Call>,
    kv: Kv,
    /// What new transactions and attempts are asked by. Those under way keep theirs.
    serving: ArcSwap<Generation>,
}

/// The plugins of one load, in the order of the configuration.
struct Generation {
    number: u64,
    plugins: Vec<Arc<Loaded>>,
    /// The plugins that have each hook, by their index; in the order of [`Hook::ALL`].
    chains: [Vec<usize>; Hook::ALL.len()],
}

impl Generation {
    fn new(number: u64, plugins: Vec<Arc<Loaded>>) -> Self {
        let chains = Hook::ALL.map(|hook| {
            let having = plugins.iter().enumerate().filter(|(_, loaded)| loaded.code.hooks.has(hook));
            having.map(|(index, _)| index).collect()
        });
        Self { number, plugins, chains }
    }

    fn chain(&self, hook: Hook) -> &[usize] {
        Hook::ALL.iter().zip(&self.chains).find(|(other, _)| **other == hook).map_or(&[], |(_, chain)| chain)
    }
}

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
        Ok(Self(Arc::new(Inner { pool, linker, kv: Kv::default(), serving })))
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
        let Inner { pool, linker, kv, serving } = &*self.0;
        let mut all = Vec::with_capacity(plugins.len());
        for plugin in plugins {
            let octets = read(&plugin.source).map_err(|problem| LoadError {
                plugin: plugin.name.clone(),
                problem,
                remedy: "give `source` the path of a component, or a builtin as \"builtin:hello\"".to_owned(),
            })?;
            all.push(load(pool, linker, kv, plugin, octets).await?);
        }
        let generation = Generation::new(serving.load().number + 1, all);
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
        serving.store(Arc::new(generation));
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
        let scene = SessionScene::new(info.id, info.listener, info.peer.ip().to_canonical(), info.helo);
        Box::new(Session { host: self.0.clone(), scene: Arc::new(scene), asked: None })
    }

    fn pre_send<'a>(&'a self, sendout: Sendout<'a>) -> Answer<'a, SendVerdict> {
        Box::pin(pre_send(&self.0, sendout))
    }
}

/// One session: its notes, and what the running transaction is asked by.
struct Session {
    host: Arc<Inner>,
    scene: Arc<SessionScene>,
    asked: Option<Transaction>,
}

/// A transaction's generation and its instances, by the index of their plugins.
struct Transaction {
    generation: Arc<Generation>,
    live: Vec<Option<Lease>>,
}

impl Transaction {
    fn new(generation: Arc<Generation>) -> Self {
        let live = generation.plugins.iter().map(|_| None).collect();
        Self { generation, live }
    }
}

impl SessionPolicy for Session {
    fn named(&mut self, name: &str) {
        self.scene.set_helo(name);
    }

    fn gate<'a>(&'a mut self, asked: Asked<'a>) -> Answer<'a, Gate> {
        let question = question(asked);
        match asked {
            Asked::Mail { .. } | Asked::Rcpt { .. } => Box::pin(async move { self.ask_gate(&question).await }),
            // These are of no transaction, though one may be open when a client names itself again. It may stay idle
            // for long, so nothing is kept but the notes.
            Asked::Connect | Asked::Helo(_) => Box::pin(async move {
                let open = self.asked.take();
                let gate = self.ask_gate(&question).await;
                self.asked = open;
                gate
            }),
        }
    }

    fn data<'a>(&'a mut self, submission: Submission<'a>) -> Answer<'a, DataVerdict> {
        Box::pin(self.ask_data(submission))
    }

    fn transaction_ended(&mut self) {
        self.asked = None;
    }

    fn disconnected(&mut self) -> Answer<'_, ()> {
        self.asked = None;
        Box::pin(self.tell_disconnect())
    }
}

impl Session {
    async fn ask_gate(&mut self, question: &Question) -> Gate {
        let hook = question.hook();
        let Self { host, scene, asked } = self;
        let Transaction { generation, live } = asked.get_or_insert_with(|| Transaction::new(host.serving.load_full()));
        for &index in generation.chain(hook) {
            let (Some(loaded), Some(live)) = (generation.plugins.get(index), live.get_mut(index)) else { continue };
            let answer = async {
                host.admit(loaded)?;
                let scene = Scene { session: Some(scene.clone()), ..Scene::default() };
                let said = instance(&host.pool, loaded, live)
                    .await?
                    .gate(&host.pool, &loaded.code.hooks, scene, question)
                    .await?;
                verdict::gate(said)
            };
            let gate = match host.noted(loaded, answer.await) {
                Ok(gate) => gate,
                Err(fault) => {
                    *live = None;
                    let meaning = host.failed(loaded, hook, &fault, Some(scene), None);
                    verdict::failed_gate(meaning)
                }
            };
            if gate != Gate::Next {
                return gate;
            }
        }
        Gate::Next
    }

    async fn tell_disconnect(&self) {
        let Self { host, scene, .. } = self;
        let generation = host.serving.load_full();
        for &index in generation.chain(Hook::Disconnect) {
            let Some(loaded) = generation.plugins.get(index) else { continue };
            let told = async {
                host.admit(loaded)?;
                let scene = Scene { session: Some(scene.clone()), ..Scene::default() };
                let mut lease = Lease::begin(&host.pool, loaded).await?;
                lease.live()?.disconnect(&host.pool, &loaded.code.hooks, scene).await
            };
            if let Err(fault) = host.noted(loaded, told.await) {
                host.failed(loaded, Hook::Disconnect, &fault, Some(scene), None);
            }
        }
    }

    async fn ask_data(&mut self, submission: Submission<'_>) -> DataVerdict {
        let Self { host, scene: session, asked } = self;
        let Transaction { generation, live } = asked.get_or_insert_with(|| Transaction::new(host.serving.load_full()));
        let envelope = submission.envelope;
        let message = MessageScene {
            id: submission.id,
            content: submission.content.clone(),
            sender: envelope.sender.clone(),
            recipients: envelope.recipients.iter().map(|recipient| recipient.address.clone()).collect(),
            whole: true,
            headers: Vec::new(),
            envelope: Vec::new(),
            tags: Vec::new(),
        };
        let mut scene = Scene { session: Some(session.clone()), message: Some(message), delivery: None };
        let mut ruled = (Disposition::Next, None);
        for &index in generation.chain(Hook::Data) {
            let (Some(loaded), Some(live)) = (generation.plugins.get(index), live.get_mut(index)) else { continue };
            let before = scene.mark();
            let answer = async {
                host.admit(loaded)?;
                let said =
                    instance(&host.pool, loaded, live).await?.data(&host.pool, &loaded.code.hooks, &mut scene).await?;
                verdict::disposition(said)
            };
            let disposition = match host.noted(loaded, answer.await) {
                Ok(disposition) => disposition,
                Err(fault) => {
                    *live = None;
                    scene.roll_back(before);
                    let meaning = host.failed(loaded, Hook::Data, &fault, Some(session), Some(submission.id));
                    verdict::failed_disposition(meaning)
                }
            };
            if disposition != Disposition::Next {
                ruled = (disposition, Some(loaded.code.plugin.name.clone()));
                break;
            }
        }
        // No hook of this transaction follows: its instances may serve others while this message is made durable.
        self.asked = None;
        let (disposition, plugin) = ruled;
        match scene.message {
            Some(mut message) => {
                let (envelope, tags) = (std::mem::take(&mut message.envelope), std::mem::take(&mut message.tags));
                DataVerdict { disposition, plugin, edits: message.into_edits(0), envelope, tags }
            }
            None => {
                DataVerdict { disposition, plugin, edits: Edits::default(), envelope: Vec::new(), tags: Vec::new() }
            }
        }
    }
}

/// `on-pre-send`: a fresh instance for each attempt, since attempts of one recipient are hours apart.
async fn pre_send(host: &Inner, sendout: Sendout<'_>) -> SendVerdict {
    let generation = host.serving.load_full();
    let chain = generation.chain(Hook::PreSend);
    let place = usize::try_from(sendout.recipient).unwrap_or(usize::MAX);
    let Some(recipient) = sendout.entry.envelope.recipients.get(place).filter(|_| !chain.is_empty()) else {
        return SendVerdict { sending: Sending::Next, plugin: None, edits: Edits::default() };
    };
    let id = sendout.entry.id;
    let known = sendout.entry.edits.headers.len();
    let mut scene = attempt_scene(&sendout, recipient);
    let mut ruled = (Sending::Next, None);
    for &index in chain {
        let Some(loaded) = generation.plugins.get(index) else { continue };
        let before = scene.mark();
        let answer = async {
            host.admit(loaded)?;
            let mut lease = Lease::begin(&host.pool, loaded).await?;
            verdict::sending(lease.live()?.pre_send(&host.pool, &loaded.code.hooks, &mut scene).await?)
        };
        let sending = match host.noted(loaded, answer.await) {
            Ok(sending) => sending,
            Err(fault) => {
                scene.roll_back(before);
                verdict::failed_sending(host.failed(loaded, Hook::PreSend, &fault, None, Some(id)))
            }
        };
        if sending != Sending::Next {
            ruled = (sending, Some(loaded.code.plugin.name.clone()));
            break;
        }
    }
    let edits = scene.message.map_or_else(Edits::default, |message| message.into_edits(known));
    SendVerdict { sending: ruled.0, plugin: ruled.1, edits }
}

/// What the attempt is about. The message shows this recipient alone: others of the same message are not its business.
fn attempt_scene(sendout: &Sendout<'_>, recipient: &Recipient) -> Scene {
    let entry = sendout.entry;
    let place = usize::try_from(sendout.recipient).unwrap_or(usize::MAX);
    let last_reply = match entry.progress.get(place) {
        Some(Progress::Pending { last: Some(last), .. }) => Some(last.reply.to_string()),
        _ => None,
    };
    let message = MessageScene {
        id: entry.id,
        content: sendout.content.clone(),
        sender: entry.envelope.sender.clone(),
        recipients: vec![recipient.address.clone()],
        whole: false,
        headers: entry.edits.headers.clone(),
        envelope: Vec::new(),
        tags: entry.tags.clone(),
    };
    let delivery = DeliveryScene {
        id: entry.id,
        recipient: recipient.address.clone(),
        tenant: entry.tenant.clone(),
        attempt: sendout.attempt,
        accepted: entry.accepted,
        last_reply,
        site: sendout.site.into(),
    };
    Scene { session: None, message: Some(message), delivery: Some(delivery) }
}

/// The transaction's instance of the plugin, begun at its first hook.
async fn instance<'a>(pool: &Pool, loaded: &Arc<Loaded>, lease: &'a mut Option<Lease>) -> Result<&'a mut Live, Fault> {
    match lease {
        Some(lease) => lease.live(),
        none => none.insert(Lease::begin(pool, loaded).await?).live(),
    }
}

impl Inner {
    /// Whether the plugin may be asked now.
    fn admit(&self, loaded: &Loaded) -> Result<(), Fault> {
        match loaded.breaker.admits(|| self.pool.world.clock.now().mono) {
            true => Ok(()),
            false => Err(Fault::new(Kind::Breaker, "it failed again and again, and is left alone for a while")),
        }
    }

    /// Tells the breaker how a call went. A full pool is not the plugin's doing.
    fn noted<T>(&self, loaded: &Loaded, answer: Result<T, Fault>) -> Result<T, Fault> {
        let now = || self.pool.world.clock.now().mono;
        let turn = match &answer {
            Ok(_) => loaded.breaker.answered(now),
            Err(Fault { kind: Kind::Pool | Kind::Breaker, .. }) => None,
            Err(_) => loaded.breaker.failed(now),
        };
        let plugin = &loaded.code.plugin.name;
        match turn {
            Some(Turn::Opened(wait)) => self
                .pool
                .world
                .observe
                .event(Event::PluginAlone { plugin, for_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX) }),
            Some(Turn::Closed) => self.pool.world.observe.event(Event::PluginBack { plugin }),
            None => {}
        }
        answer
    }

    /// Logs a fault; what the operator says it means.
    fn failed(
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
        self.pool.world.observe.event(Event::PluginFault {
            plugin: &loaded.code.plugin.name,
            hook: hook.name(),
            kind: fault.kind.name(),
            why: &fault.why,
            session: session.map(|session| &*session.id),
            id,
            answered: if hook.is_told() { "nothing" } else { verdict::answered(meaning) },
        });
        meaning
    }
}
