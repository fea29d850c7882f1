//! What receive needs of the other stages and of the world, handed out by `app`, and when it must end
//! (RFC 5321 3.8).

use super::slots::Slots;
use crate::base::flow::policy::Policy;
use crate::base::flow::policy::verify::{Unverified, Verify};
use crate::base::flow::spool::Spool;
use crate::base::mail::tie::Key;
use crate::base::sasl::door::{Authenticate, Nobody};
use crate::base::world::tls::{NoTls, ServerTls};
use crate::base::world::{Clock, Dice, Observe};
use crate::config::model::Config;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::watch;

/// Where the server is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Mail is served.
    Serving,
    /// No new sessions; idle ones end, transactions may end first.
    Draining,
    /// The limit has passed: whatever still waits for its client is cut.
    Cutting,
}

/// The doors, shared by all listeners and sessions.
pub struct Doors {
    /// The configuration in force; a session reads it when it opens and at each MAIL, so that a reload reaches it
    /// between transactions.
    pub config: watch::Receiver<Arc<Config>>,
    /// Where accepted mail goes.
    pub spool: Arc<dyn Spool>,
    /// What protects connections.
    pub tls: Arc<dyn ServerTls>,
    /// Who is asked.
    pub policy: Arc<dyn Policy>,
    /// Who knows the users.
    pub auth: Arc<dyn Authenticate>,
    /// Who verifies mail from outside.
    pub verify: Arc<dyn Verify>,
    /// Who is told.
    pub observe: Arc<dyn Observe>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// For session and queue ids.
    pub dice: Arc<dyn Dice>,
    /// What tells addresses that lead back to our mail from others.
    pub key: Arc<Key>,
    /// How many sessions there are.
    pub slots: Arc<Slots>,
    /// Content that all sessions together hold in memory.
    pub(super) content_memory: Arc<ContentMemory>,
}

impl Doors {
    /// The same with TLS.
    #[must_use]
    pub fn with_tls(self, tls: Arc<dyn ServerTls>) -> Self {
        Self { tls, ..self }
    }

    /// All doors of one server, which has no TLS and no users, and verifies nothing.
    #[must_use]
    pub fn new(
        config: watch::Receiver<Arc<Config>>,
        spool: Arc<dyn Spool>,
        policy: Arc<dyn Policy>,
        observe: Arc<dyn Observe>,
        clock: Arc<dyn Clock>,
        dice: Arc<dyn Dice>,
        key: Arc<Key>,
    ) -> Self {
        let content_memory = Arc::new(ContentMemory::default());
        let (tls, auth, verify) = (Arc::new(NoTls), Arc::new(Nobody), Arc::new(Unverified));
        Self {
            config,
            spool,
            tls,
            policy,
            auth,
            verify,
            observe,
            clock,
            dice,
            key,
            slots: Arc::default(),
            content_memory,
        }
    }

    /// The same, with users who may authenticate.
    #[must_use]
    pub fn with_users(self, auth: Arc<dyn Authenticate>) -> Self {
        Self { auth, ..self }
    }

    /// The same, with somebody who verifies mail from outside.
    #[must_use]
    pub fn with_verifier(self, verify: Arc<dyn Verify>) -> Self {
        Self { verify, ..self }
    }
}

/// Octets of content in memory, in all.
#[derive(Debug, Default)]
pub(super) struct ContentMemory(AtomicUsize);

impl ContentMemory {
    /// How many there are.
    pub(super) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// One message's share of [`ContentMemory`], given back when it is dropped.
#[derive(Debug)]
pub(super) struct Charge {
    memory: Arc<ContentMemory>,
    bytes: usize,
}

impl Charge {
    pub(super) fn new(memory: Arc<ContentMemory>) -> Self {
        Self { memory, bytes: 0 }
    }

    /// The share is now `bytes`. Returns what all sessions hold.
    pub(super) fn set(&mut self, bytes: usize) -> usize {
        let before = std::mem::replace(&mut self.bytes, bytes);
        if bytes >= before {
            let more = bytes - before;
            self.memory.0.fetch_add(more, Ordering::Relaxed).saturating_add(more)
        } else {
            let less = before - bytes;
            self.memory.0.fetch_sub(less, Ordering::Relaxed).saturating_sub(less)
        }
    }

    /// What all sessions hold.
    pub(super) fn all_bytes(&self) -> usize {
        self.memory.bytes()
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.memory.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
