//! Placement: where, when and how policy wants one recipient to go.

use crate::base::time::UnixMillis;
use serde::{Deserialize, Serialize};

/// What goes first where not everything can go at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Priority {
    /// Mail that can wait.
    Bulk,
    /// What nobody said anything of.
    #[default]
    Normal,
    /// Mail that somebody waits for.
    Transactional,
}

impl Priority {
    /// Every priority, the last to go first.
    pub const ALL: [Self; 3] = [Self::Bulk, Self::Normal, Self::Transactional];

    /// As operators and logs name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bulk => "bulk",
            Self::Normal => "normal",
            Self::Transactional => "transactional",
        }
    }
}

/// What policy said of a recipient when it was asked where it goes. Kept with the message, so that it is asked once; the
/// default is the answer of plugins that had no opinion.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// The plugin that placed it; none had an opinion.
    pub plugin: Option<Box<str>>,
    /// The name of a route; none: by the recipient's domain.
    pub via: Option<Box<str>>,
    /// The name of a pool of source addresses; none: the system chooses.
    pub pool: Option<Box<str>>,
    /// What it belongs to, in the sender's words.
    pub campaign: Option<Box<str>>,
    /// What goes first.
    pub priority: Priority,
    /// When it is too old, where that is sooner than by the configuration.
    pub expires: Option<UnixMillis>,
}
