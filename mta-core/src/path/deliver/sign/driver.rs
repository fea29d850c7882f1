//! The driver of sign: hashes the body of a copy once a message, and signs with every key that is for it.

use super::fields;
use super::keyring::Keyring;
use super::signature::{self, BodyHash};
use crate::base::flow::Answer;
use crate::base::flow::attempt::{Outgoing, Sign};
use crate::base::mail::canonical;
use crate::base::mail::content::Body;
use crate::base::mail::id::QueueId;
use crate::base::world::Clock;
use arc_swap::ArcSwap;
use bytes::Bytes;
use mail_auth::dkim::Canonicalization;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// Bodies whose hashes are known, for further recipients and attempts.
const BODIES_MAX: usize = 4096;

/// The sign stage.
pub struct Signer {
    keys: Arc<ArcSwap<Keyring>>,
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
}

/// Hashes of messages' own bodies, which never change once they are accepted; the oldest goes first.
#[derive(Default)]
struct Known {
    hashes: HashMap<QueueId, BodyHash>,
    order: VecDeque<QueueId>,
}

impl Signer {
    /// Signs with the keys that are in that slot when a copy goes.
    #[must_use]
    pub fn new(keys: Arc<ArcSwap<Keyring>>, clock: Arc<dyn Clock>) -> Self {
        Self { keys, clock, known: Mutex::default() }
    }

    async fn fields(&self, outgoing: Outgoing<'_>) -> Result<Option<Bytes>, String> {
        let Outgoing { entry, message, .. } = outgoing;
        if !entry.is_ours() {
            return Ok(None);
        }
        let Some(domain) = fields::author_domain(&message.head) else { return Ok(None) };
        let keys = self.keys.load_full();
        let mut signing = keys.of(&domain, entry.tenant.as_deref()).peekable();
        if signing.peek().is_none() {
            return Ok(None);
        }
        let body = self.body_hash(outgoing).await.map_err(|error| format!("its body can't be read: {error}"))?;
        let covered = fields::covered(&message.head);
        let now = self.clock.now().wall;
        let mut all = Vec::new();
        for signing in signing {
            let field = signature::field(signing, &covered, &body, now)
                .map_err(|why| format!("the key {}._domainkey.{}: {why}", signing.selector, signing.domain))?;
            all.extend_from_slice(&field);
        }
        Ok(Some(all.into()))
    }

    async fn body_hash(&self, Outgoing { entry, message, is_own_body }: Outgoing<'_>) -> io::Result<BodyHash> {
        if is_own_body && let Some(known) = self.known().hashes.get(&entry.id) {
            return Ok(*known);
        }
        let hash = match &message.body {
            Body::Memory(_) => hash_of(&message.body)?,
            Body::Stored { .. } => {
                let body = message.body.clone();
                // Disks may be slow, and a body large: not on the threads that serve.
                tokio::task::spawn_blocking(move || hash_of(&body)).await.map_err(io::Error::other)??
            }
        };
        if is_own_body {
            self.known().learn(entry.id, hash);
        }
        Ok(hash)
    }

    /// No change panics half-way, so what a poisoned lock guards is whole.
    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sign for Signer {
    fn has_keys(&self) -> bool {
        !self.keys.load().is_empty()
    }

    fn sign<'a>(&'a self, outgoing: Outgoing<'a>) -> Answer<'a, Result<Option<Bytes>, String>> {
        Box::pin(self.fields(outgoing))
    }
}

impl Known {
    fn learn(&mut self, id: QueueId, hash: BodyHash) {
        if self.hashes.insert(id, hash).is_none() {
            self.order.push_back(id);
        }
        if self.order.len() > BODIES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.hashes.remove(&oldest);
        }
    }
}

fn hash_of(body: &Body) -> io::Result<BodyHash> {
    let hashes = canonical::hashes(body, &[Canonicalization::Relaxed])?;
    hashes.first().copied().ok_or_else(|| io::ErrorKind::InvalidData.into())
}
