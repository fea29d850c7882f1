//! What operators see of the generations, and the way back to the one before.

use super::Host;
use super::generation::Generation;
use super::shared::Shared;
use crate::base::event::Event;
use crate::base::flow::operator::{Serving, ServingHook, ServingPlugin};
use crate::base::flow::policy::Hook;
use crate::base::world::metrics::{Family, Kind, Measure, Value};
use std::sync::{Arc, MutexGuard, PoisonError};

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
            let place = generation.all(*hook).position(|(at, _)| at == index)?;
            Some(ServingHook { hook: hook.name().to_owned(), place: place as u64 + 1 })
        };
        let plugins = generation.plugins.iter().enumerate().map(|(index, loaded)| ServingPlugin {
            name: loaded.code.plugin.name.to_string(),
            source: loaded.source.clone(),
            sha256: loaded.sha256.clone(),
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
        self.0.pool.ledger.measure(into);
    }
}
