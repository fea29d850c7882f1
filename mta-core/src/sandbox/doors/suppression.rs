//! The host functions on suppression lists: those of the grants `suppression:<scope>` and `suppression:<scope>:read`.

use super::super::exchange::address::from_wire;
use super::super::host::bindings::mailwright::plugin::{suppression, types};
use super::super::host::call::Call;
use super::network::within;
use crate::base::flow::operator::suppression::{Held, ListName, Reason, Search, Suppress, SuppressFault};
use crate::base::mail::address::Address;
use std::sync::Arc;

/// Addresses that one call puts on a list.
const ADDED_MAX: usize = 10_000;
/// Entries that one `search` gives.
const FOUND_MAX: u32 = 1_000;

impl From<SuppressFault> for suppression::Error {
    fn from(fault: SuppressFault) -> Self {
        match fault {
            SuppressFault::Full => Self::Full,
            SuppressFault::Unkept(_) => Self::Unavailable(fault.to_string()),
        }
    }
}

impl From<suppression::Reason> for Reason {
    fn from(reason: suppression::Reason) -> Self {
        match reason {
            suppression::Reason::Unsubscribe => Self::Unsubscribe,
            suppression::Reason::HardBounce => Self::HardBounce,
            suppression::Reason::Complaint => Self::Complaint,
            suppression::Reason::Manual => Self::Manual,
        }
    }
}

impl From<Reason> for suppression::Reason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Unsubscribe => Self::Unsubscribe,
            Reason::HardBounce => Self::HardBounce,
            Reason::Complaint => Self::Complaint,
            Reason::Manual => Self::Manual,
        }
    }
}

/// An entry as guests see it.
fn told((address, Held { reason, since, by }): (Box<str>, Held)) -> suppression::Held {
    suppression::Held { address: address.into(), why: reason.into(), since_ms: since.0, by: by.to_string() }
}

fn address(who: types::Address) -> Result<Address, suppression::Error> {
    from_wire(who).ok_or(suppression::Error::Invalid)
}

impl Call {
    /// The lists, and the tenant's own of that scope, where the plugin may do that.
    fn list(&self, scope: &str, change: bool) -> Result<(Arc<dyn Suppress>, ListName), suppression::Error> {
        // A shadow must leave no trace anywhere.
        if change && self.plugin.shadow {
            return Err(suppression::Error::NotPermitted);
        }
        let scope = self.plugin.grants.scope(scope, change).ok_or(suppression::Error::NotPermitted)?;
        let none = || suppression::Error::Unavailable("there are no lists here".to_owned());
        let lists = self.world.suppress.clone().ok_or_else(none)?;
        Ok((lists, ListName { scope: scope.clone(), tenant: self.scene.tenant.clone() }))
    }

    /// Puts them on a list, in the plugin's name.
    async fn put(&mut self, scope: &str, who: Vec<(Address, Reason)>) -> Result<u64, suppression::Error> {
        let (lists, list) = self.list(scope, true)?;
        let by = format!("plugin:{}", self.plugin.name).into();
        self.kept(lists.add(list, who, by)).await
    }

    /// What the lists say, if they do while the hook may wait.
    async fn kept<T>(
        &mut self,
        change: impl Future<Output = Result<T, SuppressFault>>,
    ) -> Result<T, suppression::Error> {
        let wait = self.patience();
        let late = || suppression::Error::Unavailable("the disk takes too long".to_owned());
        Ok(within(&*self.world.clock, wait, change).await.ok_or_else(late)??)
    }
}

impl suppression::Host for Call {
    fn contains(
        &mut self,
        scope: String,
        who: types::Address,
    ) -> Result<Option<suppression::Reason>, suppression::Error> {
        let (lists, list) = self.list(&scope, false)?;
        Ok(lists.contains(&list, &address(who)?).map(Into::into))
    }

    async fn add(
        &mut self,
        scope: String,
        who: types::Address,
        why: suppression::Reason,
    ) -> Result<(), suppression::Error> {
        let who = address(who)?;
        self.put(&scope, vec![(who, why.into())]).await.map(drop)
    }

    async fn add_all(
        &mut self,
        scope: String,
        who: Vec<(types::Address, suppression::Reason)>,
    ) -> Result<u64, suppression::Error> {
        if who.len() > ADDED_MAX {
            return Err(suppression::Error::Invalid);
        }
        let who = who.into_iter().map(|(who, why)| Ok((address(who)?, why.into())));
        let who = who.collect::<Result<Vec<_>, suppression::Error>>()?;
        self.put(&scope, who).await
    }

    async fn remove(&mut self, scope: String, who: types::Address) -> Result<bool, suppression::Error> {
        let (lists, list) = self.list(&scope, true)?;
        let who = address(who)?;
        self.kept(lists.remove(list, who)).await
    }

    fn find(&mut self, scope: String, who: types::Address) -> Result<Option<suppression::Held>, suppression::Error> {
        let (lists, list) = self.list(&scope, false)?;
        Ok(lists.find(&list, &address(who)?).map(told))
    }

    fn search(
        &mut self,
        scope: String,
        containing: Option<String>,
        after: Option<String>,
        limit: u32,
    ) -> Result<suppression::Page, suppression::Error> {
        let (lists, list) = self.list(&scope, false)?;
        let limit = usize::try_from(limit.min(FOUND_MAX)).unwrap_or(usize::MAX);
        let (containing, after) = (containing.as_deref().unwrap_or_default(), after.as_deref());
        let found = lists.search(&list, Search { containing, after, limit });
        // What the host looked at for the guest is the guest's time.
        self.searched(found.looked_at_bytes);
        let entries = found.entries.into_iter().map(told).collect();
        Ok(suppression::Page { entries, after: found.after.map(Into::into) })
    }
}
