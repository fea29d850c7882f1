//! The driver of sign: hashes the body of a copy where that was not done when it came, signs what is ours with every key
//! that is for it, and seals what is forwarded.

use super::fields;
use super::keyring::{Keyring, Signing};
use super::seal::{self, Results};
use super::signature::{self, Over};
use crate::base::flow::Answer;
use crate::base::flow::attempt::{Outgoing, Sign};
use crate::base::flow::policy::standing::{self, Signers};
use crate::base::mail::canonical::{self, BodyHash};
use crate::base::mail::content::Body;
use crate::base::mail::id::QueueId;
use crate::base::world::Clock;
use arc_swap::ArcSwap;
use bytes::Bytes;
use mail_auth::dkim::Canonicalization;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;

/// Bodies whose hashes are known, for further recipients and attempts.
const BODIES_MAX: usize = 4096;

/// The sign stage.
pub struct Signer {
    keys: Arc<ArcSwap<Keyring>>,
    clock: Arc<dyn Clock>,
    threads: Handle,
    known: Mutex<Known>,
}

/// Hashes of messages' own bodies that were not hashed when they came: made by a plugin, or here. They never change once
/// they are accepted; the oldest goes first.
#[derive(Default)]
struct Known {
    hashes: HashMap<QueueId, BodyHash>,
    order: VecDeque<QueueId>,
}

impl Signer {
    /// Signs with the keys that are in that slot when a copy goes, on the threads of that runtime.
    #[must_use]
    pub fn new(keys: Arc<ArcSwap<Keyring>>, clock: Arc<dyn Clock>, threads: Handle) -> Self {
        Self { keys, clock, threads, known: Mutex::default() }
    }

    async fn fields(&self, outgoing: Outgoing<'_>) -> Result<Option<Bytes>, String> {
        let keys = self.keys.load_full();
        if outgoing.entry.is_ours() {
            self.signatures(keys, outgoing).await
        } else if outgoing.is_forwarded {
            self.seal(keys, outgoing).await
        } else {
            Ok(None)
        }
    }

    async fn signatures(&self, keys: Arc<Keyring>, outgoing: Outgoing<'_>) -> Result<Option<Bytes>, String> {
        let Outgoing { entry, message, .. } = outgoing;
        let Some(domain) = fields::author_domain(&message.head) else { return Ok(None) };
        let tenant = entry.tenant.clone();
        let slow = keys.of(&domain, tenant.as_deref()).map(|signing| signing.key.kind().is_slow());
        let Some(is_slow) = slow.reduce(|one, other| one || other) else { return Ok(None) };
        let body = self.body_hash(outgoing).await?;
        let (covered, at) = (fields::covered(&message.head), self.clock.now().wall);
        let made = self.calculated(is_slow, move || {
            let over = Over { covered: &covered, body: &body, at };
            let mut all = String::new();
            for signing in keys.of(&domain, tenant.as_deref()) {
                all.push_str(&signature::field(signing, over).map_err(|why| of_key(signing, &why))?);
            }
            Ok(Some(all.into()))
        });
        made.await
    }

    async fn seal(&self, keys: Arc<Keyring>, outgoing: Outgoing<'_>) -> Result<Option<Bytes>, String> {
        let Outgoing { entry, message, .. } = outgoing;
        let (Some(sealer), Some(_)) = (keys.sealer(), Results::of(&entry.trace)) else { return Ok(None) };
        let is_slow = sealer.key.kind().is_slow();
        let body = self.body_hash(outgoing).await?;
        let (head, trace, at) = (message.head.clone(), entry.trace.clone(), self.clock.now().wall);
        let made = self.calculated(is_slow, move || {
            let (Some(sealer), Some(results)) = (keys.sealer(), Results::of(&trace)) else { return Ok(None) };
            let set = seal::fields(sealer, results, &head, &body, at);
            set.map(|set| set.map(Bytes::from)).map_err(|why| of_key(sealer, &why))
        });
        made.await
    }

    /// The threads of mail that goes out are few, and what is slow would keep one from ten messages meanwhile. What is quick
    /// takes less than going elsewhere and back.
    async fn calculated<T: Send + 'static>(
        &self,
        is_slow: bool,
        work: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        if !is_slow {
            return work();
        }
        self.threads.spawn(async move { work() }).await.map_err(|error| error.to_string())?
    }

    async fn body_hash(&self, outgoing: Outgoing<'_>) -> Result<BodyHash, String> {
        let Outgoing { entry, message, is_own_body, .. } = outgoing;
        let known = || entry.body_hash().or_else(|| self.known().hashes.get(&entry.id).copied());
        if is_own_body && let Some(known) = known() {
            return Ok(known);
        }
        let hash = match &message.body {
            Body::Memory(_) => hash_of(&message.body),
            Body::Stored { .. } => {
                let body = message.body.clone();
                // Disks may be slow, and a body large: not on the threads that serve.
                let hashing = tokio::task::spawn_blocking(move || hash_of(&body)).await;
                hashing.map_err(io::Error::other).and_then(|hash| hash)
            }
        };
        let hash = hash.map_err(|error| format!("its body can't be read: {error}"))?;
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

impl Signers for Signer {
    fn signers(&self, from: &str, tenant: Option<&str>) -> Vec<standing::Signer> {
        let Some(domain) = fields::author_domain_of(from.as_bytes()) else { return Vec::new() };
        let keys = self.keys.load();
        let told = keys.of(&domain, tenant).map(|signing| standing::Signer {
            domain: signing.domain.clone(),
            selector: signing.selector.clone(),
            algorithm: signing.key.algorithm(),
        });
        told.collect()
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

fn of_key(signing: &Signing, why: &str) -> String {
    format!("the key {}._domainkey.{}: {why}", signing.selector, signing.domain)
}

fn hash_of(body: &Body) -> io::Result<BodyHash> {
    let hashes = canonical::hashes(body, &[Canonicalization::Relaxed])?;
    hashes.first().copied().ok_or_else(|| io::ErrorKind::InvalidData.into())
}
