//! Addresses that are not to be written to; each scope needs its grant, as `suppression:newsletter`, or
//! `suppression:newsletter:read` to look alone.

use super::super::backend;
use crate::Address;

pub use crate::bindings::mailwright::plugin::suppression::{Error, Held, Page, Reason};

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

    /// Puts all of these on the list, at most 10,000, or none of them; how many were not there.
    ///
    /// # Errors
    /// As [`add`](Self::add); `Invalid` where one of them is no address, and for more.
    pub fn add_all(self, who: &[(Address, Reason)]) -> Result<u64, Error> {
        backend::suppression::add_all(self.0, who)
    }

    /// The entry of an address: since when it is there, and who put it there.
    ///
    /// # Errors
    /// As [`contains`](Self::contains).
    pub fn find(self, who: &Address) -> Result<Option<Held>, Error> {
        backend::suppression::find(self.0, who)
    }

    /// Up to `limit` entries behind `after` that have a text in their address; without one, all. A page may be empty and not
    /// be the last: where its `after` is something, there may be more.
    ///
    /// # Errors
    /// As [`contains`](Self::contains).
    pub fn search(self, containing: Option<&str>, after: Option<&str>, limit: u32) -> Result<Page, Error> {
        backend::suppression::search(self.0, containing, after, limit)
    }
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Unsubscribe, Self::HardBounce, Self::Complaint, Self::Manual];

    /// As the server's commands name it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Unsubscribe => "unsubscribe",
            Self::HardBounce => "hard-bounce",
            Self::Complaint => "complaint",
            Self::Manual => "manual",
        }
    }

    /// The reason of that name.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.word() == word)
    }
}
