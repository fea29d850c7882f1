//! RAR archives of both formats, which have nothing in common but their name and what a reader makes of them.

pub(super) mod new;
pub(super) mod old;

use super::{Content, Look};
use crate::facts::octets::Octets;

/// A file in one.
struct File {
    name: String,
    is_stored: bool,
    is_locked: bool,
}

impl File {
    /// Tells of it; false if no more are taken.
    fn tell(self, content: &Octets, look: &mut Look<'_>) -> bool {
        look.found.is_locked |= self.is_locked;
        look.entry(self.name, || match self.is_stored && !self.is_locked {
            true => Content::Stored(content.clone()),
            false => Content::Closed,
        })
    }
}
