//! The right to have an instance: one of all, one of its plugin's, and one of the tenant's whose mail it is about.
//!
//! The engine's pool only refuses; here callers wait. What is one's own comes first, so that whoever has used up its own
//! share waits without holding what others could use.

use super::super::fault::{Fault, Kind};
use super::call::in_time;
use crate::base::world::Clock;
use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

/// Who may have how many instances at once.
pub(crate) struct Permits {
    all: Arc<Semaphore>,
    per_tenant_max: usize,
    /// Of tenants that had one. Tenants are configured, so they are few.
    tenants: Mutex<HashMap<Arc<str>, Arc<Semaphore>>>,
}

/// The right to one instance, while it is held.
pub(crate) struct Permit(
    #[expect(dead_code, reason = "held until the instance is given back")] [Option<OwnedSemaphorePermit>; 3],
);

/// A share of the instances, and what a call is told when it got none of it in time.
type Share = (Arc<Semaphore>, &'static str);

impl Permits {
    /// For so many instances in all, and so many of one tenant.
    pub(crate) fn new(all_max: usize, per_tenant_max: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(all_max)), per_tenant_max, tenants: Mutex::default() }
    }

    /// One more instance of a plugin, for that tenant's mail. Where all are taken it waits, no longer than `wall` in all.
    ///
    /// # Errors
    /// None became free in time.
    pub(crate) async fn acquire(
        &self,
        plugin: &Arc<Semaphore>,
        tenant: Option<&Arc<str>>,
        clock: &dyn Clock,
        wall: Duration,
    ) -> Result<Permit, Fault> {
        let tenant = tenant.map(|tenant| (self.of_tenant(tenant), "its tenant's mail has as many as it may"));
        let plugin = (plugin.clone(), "it has as many as it may");
        let shares =
            [tenant, Some(plugin), Some((self.all.clone(), "all plugins together have as many as there may be"))];
        let mut held = [None, None, None];
        for (held, share) in held.iter_mut().zip(&shares) {
            let Some((share, _)) = share else { continue };
            match share.clone().try_acquire_owned() {
                Ok(permit) => *held = Some(permit),
                // What is seldom is boxed: its future would be moved with that of every hook.
                Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => {
                    return Box::pin(wait(shares, clock, wall)).await;
                }
            }
        }
        Ok(Permit(held))
    }

    fn of_tenant(&self, tenant: &Arc<str>) -> Arc<Semaphore> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        match tenants.get(tenant) {
            Some(share) => share.clone(),
            None => {
                let share = Arc::new(Semaphore::new(self.per_tenant_max));
                tenants.insert(tenant.clone(), share.clone());
                share
            }
        }
    }
}

async fn wait(shares: [Option<Share>; 3], clock: &dyn Clock, wall: Duration) -> Result<Permit, Fault> {
    let mut timer = in_time(clock, wall);
    let mut held = [None, None, None];
    for (held, share) in held.iter_mut().zip(shares) {
        let Some((share, why)) = share else { continue };
        let none = || Fault::new(Kind::Pool, format!("no instance became free in time: {why}"));
        let mut permit = pin!(share.acquire_owned());
        let permit = poll_fn(|context| match permit.as_mut().poll(context) {
            Poll::Ready(permit) => Poll::Ready(permit.map_err(|_| none())),
            Poll::Pending => timer.as_mut().poll(context).map(|()| Err(none())),
        });
        *held = Some(permit.await?);
    }
    Ok(Permit(held))
}
