//! A store that fails, stops or waits where a test says so, around any engine.

use crate::base::flow::Answer;
use crate::base::world::store::{BlobWriter, Found, OpenBlob, Position, Record, Shrunk, Store, StoreFault, Write};
use bytes::Bytes;
use std::collections::HashMap;
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
    /// Appends wait while this is false.
    gate: watch::Sender<bool>,
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
        let (calls, gate) = (watch::Sender::default(), watch::Sender::new(true));
        Arc::new(Self { inner, orders: Mutex::default(), calls, gate })
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

    /// Appends wait from now on, or no longer.
    pub(super) fn hold_appends(&self, hold: bool) {
        self.gate.send_replace(!hold);
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

    /// Notes the call; the error that it is to give.
    fn note(&self, call: Call) -> Result<(), StoreFault> {
        let verdict = self.judge(call);
        self.calls.send_modify(|calls| *calls.entry(call).or_default() += 1);
        verdict
    }

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
            self.note(call)?;
            inner().await
        })
    }
}

impl Store for Faulty {
    fn append(&self, records: Vec<Record>) -> Answer<'_, Result<Vec<Position>, StoreFault>> {
        Box::pin(async move {
            self.note(Call::Append)?;
            let is_open = self.gate.subscribe().wait_for(|open| *open).await.is_ok();
            assert!(is_open, "the sender lives in self");
            self.inner.append(records).await
        })
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
        Box::pin(async move {
            self.note(Call::Blob)?;
            self.inner.blob(&name).await
        })
    }

    fn open_blob(&self, name: &str) -> Answer<'_, Result<OpenBlob, StoreFault>> {
        let name = name.to_owned();
        Box::pin(async move {
            self.note(Call::OpenBlob)?;
            self.inner.open_blob(&name).await
        })
    }

    fn remove_blob(&self, name: &str) -> Answer<'_, Result<(), StoreFault>> {
        let name = name.to_owned();
        Box::pin(async move {
            self.note(Call::RemoveBlob)?;
            self.inner.remove_blob(&name).await
        })
    }

    fn blobs(&self) -> Answer<'_, Result<Vec<String>, StoreFault>> {
        self.pass(Call::Blobs, move || self.inner.blobs())
    }

    fn free_bytes(&self) -> Option<u64> {
        self.orders().free_bytes.or_else(|| self.inner.free_bytes())
    }
}
