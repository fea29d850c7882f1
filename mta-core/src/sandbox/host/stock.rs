//! A plugin of one generation and its instances: one for each transaction, at rest between them.

use super::super::bounds::permits::{Permit, Permits};
use super::super::bounds::reports::Reports;
use super::super::exchange::compare::differences::Report;
use super::super::fault::breaker::Breaker;
use super::super::fault::{Fault, Kind};
use super::super::wide::needs::Profile;
use super::bindings::mailwright::plugin::setup::OutcomeKind;
use super::call::in_time;
use super::code::{Code, Ready};
use super::instance::{Configured, Live, Pool};
use crate::base::flow::policy::Hook;
use crate::config::model::{Mode, OnFailure, Plugin};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// Instances of one plugin that rest at once.
const RESTING_PER_PLUGIN_MAX: usize = 256;

/// A plugin of one generation.
pub(crate) struct Loaded {
    pub(crate) code: Code,
    pub(crate) stock: Stock,
    /// One permit for each instance that may be in use.
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) source: String,
    /// The plugin's own version, where it has a manifest.
    pub(crate) version: Option<String>,
    pub(crate) sha256: String,
    /// Why instances can't be brought back to the image of the configured plugin, where they can't.
    pub(crate) unpictured: Option<String>,
    /// The listeners and tenants that it is for; none: for all.
    pub(crate) listeners: Vec<Arc<str>>,
    pub(crate) tenants: Vec<Arc<str>>,
    /// The hooks at which it is asked.
    pub(crate) asked_at: Vec<Hook>,
    /// Of what `on-outcome` need not be told.
    pub(crate) skipped_outcomes: Vec<OutcomeKind>,
    pub(crate) on_failure: HashMap<Hook, OnFailure>,
    pub(crate) breaker: Breaker,
    pub(crate) reports: Reports,
    /// Each of its calls is logged.
    pub(crate) trace: bool,
    pub(crate) part: Part,
}

/// How a plugin takes part in its generation.
pub(crate) struct Part {
    pub(crate) mode: Mode,
    /// The plugin that it is measured by.
    pub(crate) of: Option<Arc<str>>,
    pub(crate) generation: u64,
    /// Where it differs from what it is measured by.
    pub(crate) report: Report,
}

impl Part {
    pub(crate) fn new(plugin: &Plugin, generation: u64) -> Self {
        Self { mode: plugin.mode, of: plugin.of.clone(), generation, report: Report::default() }
    }
}

/// Instances whose transaction ended. Each is restored before it is used again, and then by one transaction alone.
pub(crate) struct Stock {
    /// None while the plugin's generation does not serve: what is at rest then only takes room.
    #[expect(clippy::vec_box, reason = "they go in and out for each transaction")]
    resting: Mutex<Option<Vec<Box<Live>>>>,
    /// One permit for each instance of any plugin that may rest.
    room: Arc<Semaphore>,
}

/// An instance for one transaction. Then it rests, where it may.
pub(crate) struct Lease {
    /// There until the end. Boxed, since it goes from stock to lease and back for each transaction.
    live: Option<Box<Live>>,
    loaded: Arc<Loaded>,
    _permit: Permit,
}

impl Loaded {
    /// Whether it is asked about such mail: of that listener, where there is one, and of that tenant.
    pub(crate) fn serves(&self, listener: Option<&str>, tenant: Option<&str>) -> bool {
        let among = |names: &[Arc<str>], name: Option<&str>| {
            names.is_empty() || name.is_some_and(|name| names.iter().any(|other| **other == *name))
        };
        among(&self.listeners, listener) && among(&self.tenants, tenant)
    }

    /// The tenant whose time it is when nobody's mail is at hand: of a plugin for one tenant, that one.
    pub(crate) fn only_tenant(&self) -> Option<Arc<str>> {
        match &self.tenants[..] {
            [tenant] => Some(tenant.clone()),
            _ => None,
        }
    }

    /// Whether its instance ends with a call, and not with the transaction. A client may take minutes between two commands,
    /// and there is room for few of the wide ones.
    pub(crate) fn ends_with_call(&self) -> bool {
        self.code.plugin.profile == Profile::Wide
    }

    /// How its instances live, as operators read it.
    pub(crate) fn instances(&self) -> String {
        let anew = if self.ends_with_call() { "made anew for each call" } else { "made anew" };
        self.unpictured.as_ref().map_or_else(|| "restored".to_owned(), |why| format!("{anew}: {why}"))
    }

    /// What its failure at that hook means.
    pub(crate) fn on_failure(&self, hook: Hook) -> OnFailure {
        self.on_failure.get(&hook).copied().unwrap_or_default()
    }
}

impl Stock {
    pub(crate) fn new(room: Arc<Semaphore>) -> Self {
        Self { resting: Mutex::new(Some(Vec::new())), room }
    }

    /// The instance that was used last: its memory is still in the processor's cache.
    fn take(&self) -> Option<Box<Live>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner).as_mut()?.pop()
    }

    /// How many are at rest.
    pub(crate) fn resting(&self) -> usize {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map_or(0, Vec::len)
    }

    /// Keeps an instance, where it may rest and there is room.
    fn rest(&self, mut live: Box<Live>) {
        if !live.may_rest(&self.room) {
            return;
        }
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(resting) = resting.as_mut().filter(|resting| resting.len() < RESTING_PER_PLUGIN_MAX) {
            resting.push(live);
        }
    }

    /// Lets instances rest, or drops them and those that come.
    pub(crate) fn open(&self, open: bool) {
        let before =
            std::mem::replace(&mut *self.resting.lock().unwrap_or_else(PoisonError::into_inner), open.then(Vec::new));
        drop(before);
    }
}

impl Lease {
    /// An instance as `configure` left it: one that rested, or a fresh one. What is seldom is boxed: its futures are
    /// large, and they would be moved with those of every hook.
    pub(crate) async fn begin(pool: &Pool, loaded: &Arc<Loaded>, tenant: Option<&Arc<str>>) -> Result<Self, Fault> {
        let permit = match permits(pool, loaded).at_once(&loaded.permits, tenant) {
            Some(permit) => permit,
            None => Box::pin(wait_for_permit(pool, loaded, tenant)).await?,
        };
        let live = match loaded.stock.take() {
            Some(mut rested) => match rested.restore(pool).await {
                Ok(true) => rested,
                // It grew its memory, or was broken; another is made.
                Ok(false) | Err(_) => Box::pin(fresh(pool, loaded)).await?,
            },
            None => Box::pin(fresh(pool, loaded)).await?,
        };
        loaded.code.plugin.figures.in_use(true);
        Ok(Self { live: Some(live), loaded: loaded.clone(), _permit: permit })
    }

    /// Ends the instance with what is in its memory: it does not rest.
    pub(crate) fn end(mut self) {
        drop(self.live.take());
    }

    /// The instance; none only while the lease ends.
    pub(crate) fn live(&mut self) -> Result<&mut Live, Fault> {
        self.live.as_deref_mut().ok_or_else(|| Fault::new(Kind::Pool, "its transaction is over"))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let figures = &self.loaded.code.plugin.figures;
        figures.in_use(false);
        if let Some(live) = self.live.take() {
            figures.has_memory(live.memory_bytes());
            self.loaded.stock.rest(live);
        }
    }
}

pub(crate) async fn fresh(pool: &Pool, loaded: &Loaded) -> Result<Box<Live>, Fault> {
    let mut live = Box::new(Live::new(pool, &loaded.code).await?);
    match loaded.code.ready {
        Ready::Restored(_) => match live.restore(pool).await? {
            true => {}
            false => return Err(Fault::new(Kind::Memory, "a new instance has another size than its image")),
        },
        Ready::Pictured => {}
        Ready::Configured => live.configure(pool, &loaded.code, Configured::Transaction).await?,
    }
    Ok(live)
}

/// Who may have how many of its profile's instances.
fn permits<'a>(pool: &'a Pool, loaded: &Loaded) -> &'a Permits {
    match loaded.code.plugin.profile {
        Profile::Narrow => &pool.permits,
        Profile::Wide => &pool.wide_permits,
    }
}

/// Every instance is taken: waits for one, but no longer than a call may take.
async fn wait_for_permit(pool: &Pool, loaded: &Loaded, tenant: Option<&Arc<str>>) -> Result<Permit, Fault> {
    let (plugin, clock) = (&loaded.code.plugin, &*pool.world.clock);
    let began = clock.mono();
    let permit = permits(pool, loaded).wait(&loaded.permits, tenant, in_time(clock, plugin.budget.wall)).await;
    plugin.figures.waited(clock.mono().saturating_duration_since(began));
    permit
}
