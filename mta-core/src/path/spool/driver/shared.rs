//! What the spool's tasks share, and what the sessions' futures touch.

use crate::base::event::Event;
use crate::base::fault::SpoolFault;
use crate::base::mail::id::QueueId;
use crate::base::world::store::{Store, StoreFault, Write};
use crate::base::world::{Clock, Observe};
use crate::config::model::Storage;
use crate::path::spool::hot::Hot;
use crate::path::spool::ledger::{Batch, Known, Ledger};
use crate::path::spool::record::{self, Kept};
use crate::path::spool::replay::Damaged;
use crate::path::spool::room::{Change, Disk};
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::{Notify, watch};

/// The index's tree of entries: queue id in big-endian order, to [`record::index_value`].
pub(super) const ENTRY: &str = "entry";
/// Changes between the journal and the index: entries, and octets of memory.
const UNWRITTEN_ENTRIES_MAX: usize = 20_000;
const UNWRITTEN_BYTES_MAX: usize = 32 << 20;
/// Fresh content in memory: octets in all, and of one message.
const HOT_BYTES_MAX: usize = 32 << 20;
const HOT_ENTRY_BYTES_MAX: usize = 64 << 10;

/// The spool's parts behind its door.
pub(super) struct Shared {
    pub(super) store: Arc<dyn Store>,
    pub(super) observe: Arc<dyn Observe>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) storage: Storage,
    ledger: Mutex<Ledger>,
    hot: Mutex<Hot>,
    disk: Mutex<Disk>,
    /// Wakes the index writer before its time.
    pub(super) index_wanted: Notify,
    /// A checkpoint is wanted before its time, so that space can be given back.
    pub(super) checkpoint_wanted: AtomicBool,
    /// The index was written: the committer may go on.
    pub(super) index_written: Notify,
    /// The index can't be written now: who waits for it would wait for long.
    pub(super) is_index_stuck: AtomicBool,
    /// False while the index is being made again: its answers don't count.
    pub(super) is_index_ready: watch::Sender<bool>,
    /// Blobs whose messages have ended, or that never became one.
    dead_blobs: Mutex<Vec<QueueId>>,
    /// Finished blobs that may still become messages.
    claims: Mutex<HashMap<QueueId, Weak<Claim>>>,
    pub(super) is_closing: AtomicBool,
    /// Everything was committed, and the tasks may end.
    pub(super) may_end: watch::Sender<bool>,
}

impl Shared {
    pub(super) fn new(
        store: Arc<dyn Store>,
        observe: Arc<dyn Observe>,
        clock: Arc<dyn Clock>,
        storage: Storage,
    ) -> Self {
        let stretch = (storage.segment_bytes / 16).max(4096);
        let disk = Disk::new(storage.free_bytes_min);
        Self {
            store,
            observe,
            clock,
            storage,
            ledger: Mutex::new(Ledger::new(UNWRITTEN_ENTRIES_MAX, UNWRITTEN_BYTES_MAX, stretch)),
            hot: Mutex::new(Hot::new(HOT_BYTES_MAX, HOT_ENTRY_BYTES_MAX)),
            disk: Mutex::new(disk),
            index_wanted: Notify::new(),
            checkpoint_wanted: AtomicBool::new(false),
            index_written: Notify::new(),
            is_index_stuck: AtomicBool::new(false),
            is_index_ready: watch::Sender::new(true),
            dead_blobs: Mutex::default(),
            claims: Mutex::default(),
            is_closing: AtomicBool::new(false),
            may_end: watch::Sender::new(false),
        }
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }

    pub(super) fn hot(&self) -> MutexGuard<'_, Hot> {
        lock(&self.hot)
    }

    pub(super) fn disk(&self) -> MutexGuard<'_, Disk> {
        lock(&self.disk)
    }

    /// The message as it stands; none when it has ended.
    pub(super) async fn load(&self, id: QueueId) -> Result<Option<Arc<Kept>>, SpoolFault> {
        let known = self.ledger().known(id);
        match known {
            Known::Is(kept) => Ok(Some(kept)),
            Known::Gone => Ok(None),
            Known::Not => {
                let mut found = self.ask_index(&[id]).await.map_err(|e| spool_fault(&e))?;
                Ok(found.remove(&id).map(Arc::new))
            }
        }
    }

    /// Keeps the message in the ledger as long as the pin lives, and reads it from the index if it must.
    pub(super) async fn pin(self: &Arc<Self>, id: QueueId) -> Result<Pin, SpoolFault> {
        let mut pins = self.pin_all(vec![id]).await.map_err(|e| spool_fault(&e))?;
        pins.pop().ok_or(SpoolFault::Closing)
    }

    /// The same for many, in their order.
    pub(super) async fn pin_all(self: &Arc<Self>, ids: Vec<QueueId>) -> Result<Vec<Pin>, StoreFault> {
        let mut pins = Vec::with_capacity(ids.len());
        let mut unknown = Vec::new();
        {
            let mut ledger = self.ledger();
            for id in ids {
                ledger.pin(id);
                if ledger.known(id) == Known::Not {
                    unknown.push(id);
                }
                pins.push(Pin { shared: Arc::clone(self), id });
            }
        }
        if !unknown.is_empty() {
            let mut found = self.ask_index(&unknown).await?;
            let mut ledger = self.ledger();
            unknown.into_iter().for_each(|id| ledger.fill(id, found.remove(&id)));
        }
        Ok(pins)
    }

    /// What the index says of these messages, as soon as its answers count.
    async fn ask_index(&self, ids: &[QueueId]) -> Result<HashMap<QueueId, Kept>, StoreFault> {
        let mut ready = self.is_index_ready.subscribe();
        let is_gone = ready.wait_for(|is_ready| *is_ready).await.is_err();
        debug_assert!(!is_gone, "its sender lives in this very struct");
        read_index(&*self.store, ids).await
    }

    /// A blob is no longer needed; the index writer removes it.
    pub(super) fn drop_blob(&self, id: QueueId) {
        lock(&self.dead_blobs).push(id);
    }

    pub(super) fn take_dead_blobs(&self) -> Vec<QueueId> {
        std::mem::take(&mut *lock(&self.dead_blobs))
    }

    /// A finished blob: it is removed when the claim goes, unless it became a message.
    pub(super) fn claim(self: &Arc<Self>, id: QueueId) -> Arc<Claim> {
        let claim = Arc::new(Claim {
            shared: Arc::clone(self),
            id,
            is_message: AtomicBool::new(false),
            is_replaced: AtomicBool::new(false),
        });
        lock(&self.claims).insert(id, Arc::downgrade(&claim));
        claim
    }

    /// The finished blob of that name, if its content is still held by someone.
    pub(super) fn claimed(&self, id: QueueId) -> Option<Arc<Claim>> {
        lock(&self.claims).get(&id).and_then(Weak::upgrade)
    }

    /// Looks at the free space, and says what has changed.
    pub(super) fn watch_disk(&self) {
        let Some(free) = self.store.free_bytes() else { return };
        let change = self.disk().measured(free);
        self.tell(change);
    }

    pub(super) fn tell(&self, change: Option<Change>) {
        let threshold_bytes = self.storage.free_bytes_min;
        match change {
            None => {}
            Some(Change::Low { free_bytes }) => self.observe.event(Event::DiskLow { free_bytes, threshold_bytes }),
            Some(Change::Recovered { free_bytes }) => self.observe.event(Event::DiskRecovered { free_bytes }),
            Some(Change::Writes { failures }) => self.observe.event(Event::CommitRecovered { failures }),
        }
    }

    pub(super) fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Acquire)
    }
}

/// Reports a record that can't be used.
pub(super) fn tell_damage(observe: &dyn Observe, damaged: &Damaged) {
    let Damaged { id, at, why, kept_in } = damaged;
    observe.event(Event::RecordDamaged { id: *id, position: at.0, why, kept_in });
}

/// What the index says of these messages; those that it does not know are missing.
pub(super) async fn read_index(store: &dyn Store, ids: &[QueueId]) -> Result<HashMap<QueueId, Kept>, StoreFault> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let keys = ids.iter().map(|id| key(*id)).collect();
    let values = store.get(ENTRY, keys).await?;
    let mut found = HashMap::with_capacity(ids.len());
    for (id, value) in ids.iter().zip(values) {
        if let Some(value) = value {
            let kept = record::read_index(&value).map_err(|e| StoreFault::IndexLost(e.to_string()))?;
            found.insert(*id, kept);
        }
    }
    Ok(found)
}

/// The writes that bring a batch into the index.
pub(super) fn writes(batch: &Batch) -> Vec<Write> {
    let write = |(id, kept): &(QueueId, Option<Arc<Kept>>)| Write {
        tree: ENTRY,
        key: key(*id),
        value: kept.as_deref().map(record::index_value),
    };
    batch.iter().map(write).collect()
}

pub(super) fn key(id: QueueId) -> Bytes {
    Bytes::copy_from_slice(&id.to_key())
}

/// What a stage is told of a store's fault.
pub(super) fn spool_fault(fault: &StoreFault) -> SpoolFault {
    match fault {
        StoreFault::Full => SpoolFault::DiskFull,
        other => SpoolFault::Store(other.to_string()),
    }
}

/// Holds a message's slot in the ledger.
pub(super) struct Pin {
    shared: Arc<Shared>,
    pub(super) id: QueueId,
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.shared.ledger().unpin(self.id);
    }
}

/// A finished blob on its way to becoming a message.
pub(super) struct Claim {
    shared: Arc<Shared>,
    id: QueueId,
    pub(super) is_message: AtomicBool,
    /// Another blob has its name, or will have: there is nothing left to remove.
    pub(super) is_replaced: AtomicBool,
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.is_replaced.load(Ordering::Acquire) {
            return;
        }
        lock(&self.shared.claims).remove(&self.id);
        if !self.is_message.load(Ordering::Acquire) {
            self.shared.drop_blob(self.id);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere leaves the maps whole: every change of them is one call.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
