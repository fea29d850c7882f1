//! A plugin of one generation and its instances: one for each transaction, at rest between them.

use super::super::fault::breaker::Breaker;
use super::super::fault::{Fault, Kind};
use super::code::{Code, Ready};
use super::instance::{Live, Pool, in_time};
use super::reports::Reports;
use crate::base::flow::policy::Hook;
use crate::config::model::OnFailure;
use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Instances of one plugin that rest at once.
const RESTING_PER_PLUGIN_MAX: usize = 256;

/// A plugin of one generation.
pub(crate) struct Loaded {
    pub(crate) code: Code,
    pub(crate) stock: Stock,
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
    pub(crate) on_failure: HashMap<Hook, OnFailure>,
    pub(crate) breaker: Breaker,
    pub(crate) reports: Reports,
}

/// Instances whose transaction ended. Each is restored before it is used again, and then by one transaction alone.
pub(crate) struct Stock {
    /// None while the plugin's generation does not serve: what is at rest then only takes room.
    resting: Mutex<Option<Vec<Live>>>,
    /// One permit for each instance of any plugin that may rest.
    room: Arc<Semaphore>,
}

/// An instance for one transaction. Then it rests, where it may.
pub(crate) struct Lease {
    /// There until the end.
    live: Option<Live>,
    loaded: Arc<Loaded>,
    _permit: OwnedSemaphorePermit,
}

impl Loaded {
    /// Whether it is asked about such mail: of that listener, where there is one, and of that tenant.
    pub(crate) fn serves(&self, listener: Option<&str>, tenant: Option<&str>) -> bool {
        let among = |names: &[Arc<str>], name: Option<&str>| {
            names.is_empty() || name.is_some_and(|name| names.iter().any(|other| **other == *name))
        };
        among(&self.listeners, listener) && among(&self.tenants, tenant)
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
    fn take(&self) -> Option<Live> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner).as_mut()?.pop()
    }

    /// Keeps an instance, where it may rest and there is room.
    fn rest(&self, mut live: Live) {
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
    pub(crate) async fn begin(pool: &Pool, loaded: &Arc<Loaded>) -> Result<Self, Fault> {
        let permit = match pool.permits.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => Box::pin(wait_for_permit(pool, loaded.code.plugin.budget.wall)).await?,
        };
        let live = match loaded.stock.take() {
            Some(mut rested) => match rested.restore(pool).await {
                Ok(true) => rested,
                // It grew its memory, or was broken; another is made.
                Ok(false) | Err(_) => Box::pin(fresh(pool, loaded)).await?,
            },
            None => Box::pin(fresh(pool, loaded)).await?,
        };
        Ok(Self { live: Some(live), loaded: loaded.clone(), _permit: permit })
    }

    /// The instance; none only while the lease ends.
    pub(crate) fn live(&mut self) -> Result<&mut Live, Fault> {
        self.live.as_mut().ok_or_else(|| Fault::new(Kind::Pool, "its transaction is over"))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(live) = self.live.take() {
            self.loaded.stock.rest(live);
        }
    }
}

async fn fresh(pool: &Pool, loaded: &Loaded) -> Result<Live, Fault> {
    let mut live = Live::new(pool, &loaded.code).await?;
    match loaded.code.ready {
        Ready::Restored(_) => match live.restore(pool).await? {
            true => {}
            false => return Err(Fault::new(Kind::Memory, "a new instance has another size than its image")),
        },
        Ready::Pictured => {}
        Ready::Configured => live.configure(pool, &loaded.code).await?,
    }
    Ok(live)
}

/// Every instance is taken: waits for one, but no longer than a call may take.
async fn wait_for_permit(pool: &Pool, wall: Duration) -> Result<OwnedSemaphorePermit, Fault> {
    let mut permit = pin!(pool.permits.clone().acquire_owned());
    let mut timer = in_time(&*pool.world.clock, wall);
    let full = || Fault::new(Kind::Pool, "no instance became free in time");
    poll_fn(|context| match permit.as_mut().poll(context) {
        Poll::Ready(permit) => Poll::Ready(permit.map_err(|_| full())),
        Poll::Pending => timer.as_mut().poll(context).map(|()| Err(full())),
    })
    .await
}
