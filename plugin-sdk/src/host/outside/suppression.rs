//! Addresses that are not to be written to; each scope needs its grant, as `suppression:newsletter`, or
//! `suppression:newsletter:read` to look alone.

use super::super::backend;
use crate::Address;

pub use crate::bindings::mailwright::plugin::suppression::{Error, Reason};

/// A scope by its name. Plugins that are granted it share its list, operators too; each tenant has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope<'a>(pub &'a str);

impl Scope<'_> {
    /// Why an address is on the list, if it is. Case makes no difference.
    ///
    /// # Errors
    /// `NotPermitted` where the scope is not granted.
    pub fn contains(self, who: &Address) -> Result<Option<Reason>, Error> {
        backend::suppression::contains(self.0, who)
    }

    /// Puts an address on the list, where one that is there keeps its reason. It is on the disk when this returns.
    ///
    /// # Errors
    /// `NotPermitted`, also where the scope is granted to read alone; `Unavailable` when the disk fails.
    pub fn add(self, who: &Address, why: Reason) -> Result<(), Error> {
        backend::suppression::add(self.0, who, why)
    }

    /// Takes an address off the list; whether it was there. As [`add`](Self::add), for good.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn remove(self, who: &Address) -> Result<bool, Error> {
        backend::suppression::remove(self.0, who)
    }
}
