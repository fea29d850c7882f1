//! What operators see of the generations, and the way back to the one before.

use super::Host;
use super::generation::Generation;
use super::shared::Shared;
use super::trials::ask;
use crate::base::event::Event;
use crate::base::flow::Answer;
use crate::base::flow::operator::buckets::{BucketPage, BucketQuery};
use crate::base::flow::operator::trial::{Answered, Differences, Recorded, RecordedSession};
use crate::base::flow::operator::{Recording, Serving, ServingHook, ServingPlugin};
use crate::base::flow::policy::Hook;
use crate::base::world::metrics::{Family, Kind, Measure, Value};
use crate::config::model::Mode;
use crate::sandbox::capability::kv::shown;
use crate::sandbox::exchange::compare::trail::fault_said;
use crate::sandbox::host::stock::{Loaded, fresh};
use crate::sandbox::scene::{SessionScene, recorded};
use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

impl Shared {
    /// Lets a generation serve; the one before is kept. Transactions under way end with what they began with.
    pub(super) fn swap(&self, next: Arc<Generation>) -> Arc<Generation> {
        let mut previous = self.previous();
        let (number, before) = (next.number, self.serving.load_full());
        next.rest(true);
        self.serving.store(next);
        self.generations.send_replace(number);
        before.rest(false);
        let wanted = |name: &str| self.serving.load().names(name) || before.names(name);
        self.pool.ledger.retain(wanted);
        // The very first has no plugins: to go back to it would be to serve without policy.
        *previous = (before.number > 0).then(|| before.clone());
        before
    }

    /// No two generations have one number, also after a rollback.
    pub(super) fn next_number(&self) -> u64 {
        let previous = self.previous().as_ref().map_or(0, |previous| previous.number);
        self.serving.load().number.max(previous) + 1
    }

    fn previous(&self) -> MutexGuard<'_, Option<Arc<Generation>>> {
        self.previous.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Host {
    /// What serves.
    #[must_use]
    pub fn serving(&self) -> Serving {
        let previous = self.0.previous().as_ref().map(|previous| previous.number);
        let generation = self.0.serving.load_full();
        let place = |hook: &Hook, index: usize| {
            let place = match generation.all(*hook).position(|(at, _)| at == index) {
                Some(place) => place as u64 + 1,
                // Shadows are asked beside the chains.
                None if generation.plugins.get(index)?.asked_at.contains(hook) => 0,
                None => return None,
            };
            Some(ServingHook { hook: hook.name().to_owned(), place })
        };
        let plugins = generation.plugins.iter().enumerate().map(|(index, loaded)| ServingPlugin {
            name: loaded.code.plugin.name.to_string(),
            source: loaded.source.clone(),
            sha256: loaded.sha256.clone(),
            mode: loaded.part.mode.to_string(),
            of: loaded.part.of.as_deref().map(str::to_owned),
            listeners: loaded.listeners.iter().map(ToString::to_string).collect(),
            tenants: loaded.tenants.iter().map(ToString::to_string).collect(),
            alone: loaded.breaker.is_open(),
            passwords: loaded.code.plugin.grants.passwords && loaded.asked_at.contains(&Hook::Password),
            generation: loaded.part.generation,
            hooks: Hook::ALL.iter().filter_map(|hook| place(hook, index)).collect(),
        });
        Serving { generation: generation.number, previous, plugins: plugins.collect() }
    }

    /// Lets the generation before serve again. The one that serves becomes the one before: a second call undoes the first.
    ///
    /// # Errors
    /// There is none, in words for the operator.
    pub fn roll_back(&self) -> Result<Serving, String> {
        let Some(next) = self.0.previous().clone() else {
            return Err("there is no generation before this one: plugins were loaded once since the start".to_owned());
        };
        let generation = next.number;
        let from = self.0.swap(next).number;
        self.0.pool.world.observe.event(Event::PluginsRolledBack { generation, from });
        Ok(self.serving())
    }

    /// Where shadows and canaries differ from what they are measured by.
    ///
    /// # Errors
    /// There is none of that name, in words for the operator.
    pub fn differences(&self, plugin: Option<&str>) -> Result<Vec<Differences>, String> {
        let generation = self.0.serving.load_full();
        let measured = generation.plugins.iter().filter(|loaded| loaded.part.mode != Mode::Full);
        let all: Vec<Differences> = measured
            .filter(|loaded| plugin.is_none_or(|name| *loaded.code.plugin.name == *name))
            .map(|loaded| {
                let counts = loaded.part.report.read();
                Differences {
                    plugin: loaded.code.plugin.name.to_string(),
                    mode: loaded.part.mode.to_string(),
                    of: loaded.part.of.as_deref().map(str::to_owned),
                    generation: loaded.part.generation,
                    calls: counts.calls,
                    differing: counts.differing,
                    faults: counts.faults,
                    dropped: counts.dropped,
                    last: counts.last.into(),
                }
            })
            .collect();
        match plugin {
            Some(name) if all.is_empty() => {
                Err(format!("no shadow or canary of the name {name} serves (`plugin list` shows which do)"))
            }
            _ => Ok(all),
        }
    }

    /// Records the next calls of a plugin that is asked, as they end. What is not read in time is lost to the record.
    ///
    /// # Errors
    /// There is none of that name, or too many recordings are under way; in words for the operator.
    pub fn record(&self, plugin: &str, calls: u64) -> Result<Box<dyn Recording>, String> {
        let generation = self.0.serving.load();
        let found = generation.plugins.iter().find(|loaded| *loaded.code.plugin.name == *plugin);
        match found.map(|loaded| loaded.part.mode) {
            None => Err(format!("no plugin of the name {plugin} serves (`plugin list` shows which do)")),
            Some(Mode::Shadow) => Err(format!("{plugin} is a shadow: record the plugin that it is compared with")),
            Some(_) => Ok(Box::new(Recorder(self.0.trials.record(plugin, calls)?))),
        }
    }
}

impl Host {
    /// A page of a plugin's buckets. What has expired, and what is whole again, is left out.
    ///
    /// # Errors
    /// No plugin of that name serves, and none that did has kept anything; in words for the operator.
    pub fn buckets(&self, query: &BucketQuery) -> Result<BucketPage, String> {
        let mut buckets = self.0.kv.buckets();
        buckets.retain(|(name, _)| *name.plugin == *query.plugin);
        if buckets.is_empty() {
            let name = &query.plugin;
            return match self.0.serving.load().names(name) {
                true => Ok(BucketPage::default()),
                false => Err(format!("no plugin of the name {name} serves (`plugin list` shows which do)")),
            };
        }
        buckets.retain(|(name, _)| {
            query.bucket.as_ref().is_none_or(|bucket| **bucket == *name.bucket)
                && query.tenant.as_ref().is_none_or(|tenant| Some(&**tenant) == name.tenant.as_deref())
        });
        buckets.sort_by(|(one, _), (other, _)| (&one.tenant, &one.bucket).cmp(&(&other.tenant, &other.bucket)));
        Ok(shown::page(&buckets, query, self.0.pool.world.clock.now().wall.0))
    }
}

/// The reader's end of a recording.
struct Recorder(mpsc::Receiver<Recorded>);

impl Recording for Recorder {
    fn next(&mut self) -> Answer<'_, Option<Recorded>> {
        Box::pin(self.0.recv())
    }
}

/// Sessions whose notes a rehearsal remembers.
const SESSIONS_MAX: usize = 10_000;

/// A plugin that is asked again what was recorded.
pub struct Rehearsal {
    host: Arc<Shared>,
    loaded: Arc<Loaded>,
    /// Calls of one session share its notes.
    sessions: HashMap<Box<str>, Arc<SessionScene>>,
}

impl Host {
    /// The plugin of that name, to be asked what was recorded.
    #[must_use]
    pub fn rehearse(&self, plugin: &str) -> Option<Rehearsal> {
        let serving = self.0.serving.load();
        let loaded = serving.plugins.iter().find(|loaded| *loaded.code.plugin.name == *plugin)?.clone();
        Some(Rehearsal { host: self.0.clone(), loaded, sessions: HashMap::new() })
    }
}

impl Rehearsal {
    /// Asks all calls of a transaction, with one instance; none for a hook that the plugin does not have.
    pub async fn ask(&mut self, recorded: &Recorded) -> Vec<Option<Answered>> {
        let session = recorded.session.as_ref().map(|session| self.session(session));
        let tenant: Option<Arc<str>> = recorded.tenant.as_deref().map(Into::into);
        let (mut lease, mut answers) = (None, Vec::with_capacity(recorded.calls.len()));
        for call in &recorded.calls {
            let step = recorded::step(call);
            if !self.loaded.asked_at.contains(&step.hook()) {
                answers.push(None);
                continue;
            }
            let asked = ask(&self.host.pool, &self.loaded, &mut lease, session.as_ref(), tenant.as_ref(), &step);
            let answer = Box::pin(asked).await;
            if answer.is_err() || self.loaded.ends_with_call() {
                lease = None;
            }
            answers.push(Some(answer.unwrap_or_else(|fault| Answered {
                said: fault_said(&fault),
                took: Duration::ZERO,
                memory_bytes: 0,
            })));
        }
        answers
    }

    /// How long it takes to make one instance anew and to bring it to its configuration.
    ///
    /// # Errors
    /// The fault, in words.
    pub async fn fresh_instance(&self) -> Result<Duration, String> {
        let clock = &self.host.pool.world.clock;
        let began = clock.now().mono;
        let made = fresh(&self.host.pool, &self.loaded).await;
        let took = clock.now().mono.saturating_duration_since(began);
        drop(made.map_err(|fault| fault_said(&fault).verdict)?);
        Ok(took)
    }

    /// The hooks at which it is asked.
    #[must_use]
    pub fn hooks(&self) -> &[Hook] {
        &self.loaded.asked_at
    }

    /// `restored`, or why each transaction has an instance made anew.
    #[must_use]
    pub fn instances(&self) -> String {
        self.loaded.instances()
    }

    fn session(&mut self, session: &RecordedSession) -> Arc<SessionScene> {
        if self.sessions.len() >= SESSIONS_MAX {
            self.sessions.clear();
        }
        let RecordedSession { id, listener, peer, helo, user } = session;
        let make = || {
            let helo = helo.as_deref().map(Into::into);
            Arc::new(SessionScene::new(id.as_str().into(), listener.as_str().into(), *peer, helo))
        };
        let scene = self.sessions.entry(id.as_str().into()).or_insert_with(make).clone();
        if let Some(helo) = helo {
            scene.set_helo(helo);
        }
        user.iter().for_each(|user| scene.set_user(user));
        scene
    }
}

impl Measure for Host {
    fn measure(&self, into: &mut Vec<Family>) {
        let generation = self.0.serving.load_full();
        let gauge = |name, help| Family::new(name, Kind::Gauge, help);
        let number =
            gauge("mailwright_plugins_generation", "How often plugins were loaded until those that serve came.");
        let mut resting =
            gauge("mailwright_plugins_instances_resting", "Instances that wait for their next transaction.");
        let mut alone = gauge(
            "mailwright_plugins_breaker_open",
            "1 while the plugin is left alone, since it failed again and again.",
        );
        for loaded in &generation.plugins {
            let labels = [("plugin", &*loaded.code.plugin.name)];
            resting.push(&labels, Value::Whole(loaded.stock.resting() as u64));
            alone.push(&labels, Value::Whole(loaded.breaker.is_open().into()));
        }
        into.extend([number.with(&[], Value::Whole(generation.number)), resting, alone]);
        self.measure_buckets(into);
        self.0.pool.ledger.measure(into);
    }
}

impl Host {
    /// How many entries are in each bucket.
    fn measure_buckets(&self, into: &mut Vec<Family>) {
        let mut entries =
            Family::new("mailwright_plugins_bucket_entries", Kind::Gauge, "Values and limits in a plugin's bucket.");
        for (name, bucket) in self.0.kv.buckets() {
            let labels = [
                ("plugin", &*name.plugin),
                ("bucket", &*name.bucket),
                ("tenant", name.tenant.as_deref().unwrap_or("")),
            ];
            entries.push(&labels, Value::Whole(bucket.len() as u64));
        }
        into.push(entries);
    }
}
