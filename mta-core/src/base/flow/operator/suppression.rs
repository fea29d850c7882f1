//! Suppression lists: addresses that asked for no more mail, or that have none, by scope and tenant; and the door of the
//! stage that keeps them.

use crate::base::flow::Answer;
use crate::base::mail::address::Address;
use crate::base::time::UnixMillis;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Which list: those who share a scope's name share the list, and each tenant has its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListName {
    /// What the addresses want no more of, as `newsletter`.
    pub scope: Arc<str>,
    /// Whose mail it is about; none: mail of nobody in particular.
    pub tenant: Option<Arc<str>>,
}

/// Why an address is on a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Its owner asked for it.
    Unsubscribe,
    /// There is no such mailbox.
    HardBounce,
    /// Its owner called a message spam.
    Complaint,
    /// Somebody put it there by hand.
    Manual,
}

/// An entry as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Why.
    pub reason: Reason,
    /// Since when.
    pub since: UnixMillis,
    /// Who put it there: `operator`, or `plugin:NAME`.
    pub by: Arc<str>,
}

/// Why a change of a list was not made, or not for good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SuppressFault {
    /// There are as many addresses, or lists, as there may be; nothing was changed.
    #[error("there are as many suppressed addresses as there may be")]
    Full,
    /// It is in force, but not yet on the disk: a crash would lose it. It is written with the next change.
    #[error("it can't be written to the disk: {0}")]
    Unkept(String),
}

/// What is looked for in a list.
#[derive(Clone, Copy, Debug)]
pub struct Search<'a> {
    /// What an address has in it, in any case; all have nothing in them.
    pub containing: &'a str,
    /// Behind which address.
    pub after: Option<&'a str>,
    /// How many are wanted.
    pub limit: usize,
}

/// What was found of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// In the order of their addresses.
    pub entries: Vec<(Box<str>, Held)>,
    /// Where to go on: there may be more behind that address.
    pub after: Option<Box<str>>,
    /// The addresses that were looked at, in octets.
    pub looked_at_bytes: u64,
}

/// The lists.
pub trait Suppress: Send + Sync {
    /// Whether an address is on a list, and why.
    fn contains(&self, list: &ListName, who: &Address) -> Option<Reason>;

    /// Puts addresses on a list; one that is there stays as it is. How many were not there. They are on the disk when it
    /// is answered.
    fn add(&self, list: ListName, who: Vec<(Address, Reason)>, by: Arc<str>) -> Answer<'_, Result<u64, SuppressFault>>;

    /// Takes an address off a list, whether it was there; on the disk, as `add`.
    fn remove(&self, list: ListName, who: Address) -> Answer<'_, Result<bool, SuppressFault>>;

    /// The entry of an address, as it is kept.
    fn find(&self, list: &ListName, who: &Address) -> Option<(Box<str>, Held)>;

    /// Addresses of a list that have a text in them. It looks at so many at a time and no more, whatever it finds.
    fn search(&self, list: &ListName, wanted: Search<'_>) -> Found;

    /// Up to `limit` of a list, in the order of their names, behind `after`.
    fn page(&self, list: &ListName, after: Option<&str>, limit: usize) -> Vec<(Box<str>, Held)>;
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Unsubscribe, Self::HardBounce, Self::Complaint, Self::Manual];

    /// As files and commands name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unsubscribe => "unsubscribe",
            Self::HardBounce => "hard-bounce",
            Self::Complaint => "complaint",
            Self::Manual => "manual",
        }
    }

    /// The reason of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// An address as lists have it: the domain in A-labels, and all of it in lower case.
///
/// RFC 5321 2.4 leaves the case of a local part to its host, but nearly none of them tells `Ann` from `ann`: who
/// unsubscribed as the one must not be written to as the other.
#[must_use]
pub fn key(who: &Address) -> Box<str> {
    let lower = who.local().to_lowercase();
    let domain = who.domain().map(crate::base::mail::domain::Domain::to_ascii);
    // Lower case may be longer than what it was made of.
    let address = Address::new(lower, domain).unwrap_or_else(|_| who.clone());
    address.to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_same_however_it_is_written_rfc5321_2_4() {
        let key = |text: &str| key(&Address::parse(text).expect("an address"));
        assert_eq!(&*key("Ann.B@EXAMPLE.org"), "ann.b@example.org");
        assert_eq!(key("ann@b\u{fc}cher.example"), key("ANN@xn--bcher-kva.example"));
        assert_eq!(key("\"ann\"@example.org"), key("ann@example.org"));
        assert_eq!(&*key("\"A b\"@example.org"), "\"a b\"@example.org");
        assert_ne!(key("ann@example.org"), key("ann+x@example.org"));
        assert_eq!(key("\u{c4}nn@example.org"), key("\u{e4}nn@example.org"));
    }

    #[test]
    fn a_reason_has_one_name_everywhere() {
        for reason in Reason::ALL {
            assert_eq!(Reason::named(reason.name()), Some(reason));
            assert_eq!(serde_json::to_value(reason).expect("it is data"), reason.name());
        }
    }
}
