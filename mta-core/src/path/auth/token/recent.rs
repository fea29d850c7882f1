//! Tokens of which their issuer was asked a moment ago (RFC 7662 4), so that a client that sends ten messages does not have
//! it asked ten times.

use super::claims::Shown;
use crate::config::model::auth::oauth::OAuth;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::time::Instant;

/// Tokens that are remembered; beyond, those go that were asked about longest ago.
const REMEMBERED_MAX: usize = 10_000;

/// Tokens that were good, by their hashes: who reads our memory finds none.
#[derive(Debug, Default)]
pub(in crate::path::auth) struct Recent {
    /// What they were asked by; with another configuration none of them counts.
    by: Option<OAuth>,
    /// Two halves: a full `new` becomes `old`, and the `old` one before it goes.
    new: HashMap<[u8; 32], (Shown, Instant)>,
    old: HashMap<[u8; 32], (Shown, Instant)>,
}

impl Recent {
    /// What was said of the token, where that still counts.
    pub(in crate::path::auth) fn get(&self, token: &str, by: &OAuth, now: Instant) -> Option<Shown> {
        let hash = hash(token);
        let known = self.new.get(&hash).or_else(|| self.old.get(&hash)).filter(|_| self.by.as_ref() == Some(by));
        known.filter(|(_, until)| now < *until).map(|(shown, _)| shown.clone())
    }

    /// Remembers it until then.
    pub(in crate::path::auth) fn put(&mut self, token: &str, by: &OAuth, shown: Shown, until: Instant) {
        if self.by.as_ref() != Some(by) {
            *self = Self { by: Some(by.clone()), ..Self::default() };
        }
        if self.new.len() >= REMEMBERED_MAX / 2 {
            self.old = std::mem::take(&mut self.new);
        }
        self.new.insert(hash(token), (shown, until));
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.new.len() + self.old.len()
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}
