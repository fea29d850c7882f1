//! The right to have an instance: one of all, one of its plugin's, and one of the tenant's whose mail it is about.
//!
//! The engine's pool only refuses; here callers wait. What is one's own comes first, so that whoever has used up its own
//! share waits without holding what others could use.

use super::super::fault::{Fault, Kind};
use crate::base::flow::Answer;
use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

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

    /// One more instance of a plugin, for that tenant's mail, where there is one.
    pub(crate) fn at_once(&self, plugin: &Arc<Semaphore>, tenant: Option<&Arc<str>>) -> Option<Permit> {
        let mut held = [None, None, None];
        for (held, share) in held.iter_mut().zip(self.shares(plugin, tenant)) {
            let Some((share, _)) = share else { continue };
            *held = Some(share.try_acquire_owned().ok()?);
        }
        Some(Permit(held))
    }

    /// Waits for one, no longer than the timer lets it.
    ///
    /// # Errors
    /// None became free in time.
    pub(crate) async fn wait(
        &self,
        plugin: &Arc<Semaphore>,
        tenant: Option<&Arc<str>>,
        mut timer: Answer<'static, ()>,
    ) -> Result<Permit, Fault> {
        let mut held = [None, None, None];
        for (held, share) in held.iter_mut().zip(self.shares(plugin, tenant)) {
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

    /// In the order in which they are taken.
    fn shares(&self, plugin: &Arc<Semaphore>, tenant: Option<&Arc<str>>) -> [Option<Share>; 3] {
        let tenant = tenant.map(|tenant| (self.of_tenant(tenant), "its tenant's mail has as many as it may"));
        let plugin = (plugin.clone(), "it has as many as it may");
        [tenant, Some(plugin), Some((self.all.clone(), "all plugins together have as many as there may be"))]
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
