//! A store that fails, stops or waits where a test says so, around any engine.

use crate::base::flow::Answer;
use crate::base::world::store::{
    BlobWriter, Found, Journal, OpenBlob, Position, Record, Shrunk, Store, StoreFault, Write,
};
use bytes::Bytes;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Call {
    Append,
    Read,
    Replay,
    Trim,
    Get,
    Scan,
    Apply,
    Checkpoint,
    Reset,
    Shrink,
    Blob,
    OpenBlob,
    RemoveBlob,
    Blobs,
}

impl Call {
    /// It changes what is on disk.
    fn writes(self) -> bool {
        matches!(
            self,
            Self::Append
                | Self::Trim
                | Self::Apply
                | Self::Checkpoint
                | Self::Reset
                | Self::Shrink
                | Self::Blob
                | Self::RemoveBlob
        )
    }
}

/// The wrapper. Without orders it passes everything on.
pub(super) struct Faulty {
    inner: Arc<dyn Store>,
    orders: Mutex<Orders>,
    calls: watch::Sender<HashMap<Call, u64>>,
    /// These calls wait.
    held: watch::Sender<HashSet<Call>>,
}

#[derive(Default)]
struct Orders {
    failing: HashMap<Call, StoreFault>,
    /// So many more calls that write, then none reaches the disk: the power is gone.
    writes_left: Option<u64>,
    free_bytes: Option<u64>,
}

impl Faulty {
    pub(super) fn new(inner: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            orders: Mutex::default(),
            calls: watch::Sender::default(),
            held: watch::Sender::default(),
        })
    }

    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().expect("no test panics here")
    }

    /// From now on that call fails.
    pub(super) fn fail(&self, call: Call, fault: &StoreFault) {
        self.orders().failing.insert(call, fault.clone());
    }

    /// Nothing fails any more.
    pub(super) fn heal(&self) {
        self.orders().failing.clear();
    }

    pub(super) fn cut_power_after(&self, writes: u64) {
        self.orders().writes_left = Some(writes);
    }

    pub(super) fn is_without_power(&self) -> bool {
        self.orders().writes_left == Some(0)
    }

    pub(super) fn set_free_bytes(&self, free_bytes: u64) {
        self.orders().free_bytes = Some(free_bytes);
    }

    /// That call waits from now on, or no longer.
    pub(super) fn hold(&self, call: Call, hold: bool) {
        self.held.send_modify(|held| {
            if hold {
                held.insert(call)
            } else {
                held.remove(&call)
            };
        });
    }

    pub(super) fn count(&self, call: Call) -> u64 {
        self.calls.borrow().get(&call).copied().unwrap_or(0)
    }

    /// Waits until that call was made more often than `than`.
    pub(super) async fn wait_for_more(&self, call: Call, than: u64) {
        let mut calls = self.calls.subscribe();
        let called = calls.wait_for(|calls| calls.get(&call).copied().unwrap_or(0) > than).await.is_ok();
        assert!(called, "the sender lives in self");
    }

    /// The error that the call is to give.
    fn judge(&self, call: Call) -> Result<(), StoreFault> {
        let mut orders = self.orders();
        if let Some(fault) = orders.failing.get(&call) {
            return Err(fault.clone());
        }
        match &mut orders.writes_left {
            Some(0) if call.writes() => Err(StoreFault::Io("there is no power".to_owned())),
            Some(left) if call.writes() => {
                *left -= 1;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn pass<'a, T: Send + 'a>(
        &'a self,
        call: Call,
        inner: impl FnOnce() -> Answer<'a, Result<T, StoreFault>> + Send + 'a,
    ) -> Answer<'a, Result<T, StoreFault>> {
        Box::pin(async move {
            self.calls.send_modify(|calls| *calls.entry(call).or_default() += 1);
            let is_let_go = self.held.subscribe().wait_for(|held| !held.contains(&call)).await.is_ok();
            assert!(is_let_go, "the sender lives in self");
            self.judge(call)?;
            inner().await
        })
    }
}

impl Journal for Faulty {
    fn append(&self, records: Vec<Record>) -> Answer<'_, Result<Vec<Position>, StoreFault>> {
        self.pass(Call::Append, move || self.inner.append(records))
    }

    fn read(&self, at: Position, payload_bytes: usize) -> Answer<'_, Result<Found, StoreFault>> {
        self.pass(Call::Read, move || self.inner.read(at, payload_bytes))
    }

    fn replay(&self, from: Position, bytes: usize) -> Answer<'_, Result<Vec<Found>, StoreFault>> {
        self.pass(Call::Replay, move || self.inner.replay(from, bytes))
    }

    fn extent(&self) -> (Position, Position) {
        self.inner.extent()
    }

    fn trim(&self, before: Position) -> Answer<'_, Result<(), StoreFault>> {
        self.pass(Call::Trim, move || self.inner.trim(before))
    }
}

impl Store for Faulty {
    fn get(&self, tree: &'static str, keys: Vec<Bytes>) -> Answer<'_, Result<Vec<Option<Bytes>>, StoreFault>> {
        self.pass(Call::Get, move || self.inner.get(tree, keys))
    }

    fn scan(
        &self,
        tree: &'static str,
        after: Option<Bytes>,
        limit: usize,
    ) -> Answer<'_, Result<Vec<(Bytes, Bytes)>, StoreFault>> {
        self.pass(Call::Scan, move || self.inner.scan(tree, after, limit))
    }

    fn apply(&self, writes: Vec<Write>) -> Answer<'_, Result<(), StoreFault>> {
        self.pass(Call::Apply, move || self.inner.apply(writes))
    }

    fn checkpoint(&self, upto: Position) -> Answer<'_, Result<(), StoreFault>> {
        self.pass(Call::Checkpoint, move || self.inner.checkpoint(upto))
    }

    fn checkpointed(&self) -> Option<Position> {
        self.inner.checkpointed()
    }

    fn index_lost(&self) -> Option<String> {
        self.inner.index_lost()
    }

    fn reset_trees(&self) -> Answer<'_, Result<(), StoreFault>> {
        self.pass(Call::Reset, move || self.inner.reset_trees())
    }

    fn shrink_trees(&self) -> Answer<'_, Result<Shrunk, StoreFault>> {
        self.pass(Call::Shrink, move || self.inner.shrink_trees())
    }

    fn blob(&self, name: &str) -> Answer<'_, Result<Box<dyn BlobWriter>, StoreFault>> {
        let name = name.to_owned();
        self.pass(Call::Blob, move || Box::pin(async move { self.inner.blob(&name).await }))
    }

    fn open_blob(&self, name: &str) -> Answer<'_, Result<OpenBlob, StoreFault>> {
        let name = name.to_owned();
        self.pass(Call::OpenBlob, move || Box::pin(async move { self.inner.open_blob(&name).await }))
    }

    fn remove_blob(&self, name: &str) -> Answer<'_, Result<(), StoreFault>> {
        let name = name.to_owned();
        self.pass(Call::RemoveBlob, move || Box::pin(async move { self.inner.remove_blob(&name).await }))
    }

    fn blobs(&self) -> Answer<'_, Result<Vec<String>, StoreFault>> {
        self.pass(Call::Blobs, move || self.inner.blobs())
    }

    fn free_bytes(&self) -> Option<u64> {
        self.orders().free_bytes.or_else(|| self.inner.free_bytes())
    }
}
