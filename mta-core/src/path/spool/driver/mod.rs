//! The spool's door and the tasks behind it.
//!
//! `committer` makes things durable, `index` brings them into the index and gives space back, `cleaner` moves
//! what lives out of the journal's dead front, `recovery` does what a start needs, `content` reads and takes in
//! content.

mod cleaner;
mod committer;
mod content;
mod index;
mod recovery;
mod shared;

use crate::base::fault::SpoolFault;
use crate::base::flow::Answer;
use crate::base::flow::entry::{Entry, Progress};
use crate::base::flow::offer::{Offer, OfferedContent};
use crate::base::flow::operator::Selection;
use crate::base::flow::ruling::Ruling;
use crate::base::flow::spool::{Blob, Room, Spool};
use crate::base::mail::content::Content;
use crate::base::mail::id::QueueId;
use crate::base::world::store::{Store, StoreFault};
use crate::base::world::{Clock, Observe};
use crate::config::model::Storage;
use crate::path::spool::group::Fresh;
use crate::path::spool::record;
use crate::path::spool::select::is_selected;
use cleaner::Cleaner;
use committer::{Change, Committer, JOBS_MAX, Job};
use index::IndexWriter;
use shared::{Claim, ENTRY, Shared, key, spool_fault};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// Pairs of the index read at once for a listing.
const LIST_SCAN_MAX: usize = 4096;

/// The spool, opened.
pub struct SpoolDoor {
    shared: Arc<Shared>,
    jobs: mpsc::Sender<Job>,
}

/// The spool's tasks. They end by themselves after [`SpoolDoor::close`].
#[derive(Debug)]
pub struct Tasks {
    committer: JoinHandle<()>,
    index: JoinHandle<()>,
    cleaner: JoinHandle<()>,
}

impl Tasks {
    /// Ends when all of them have.
    pub async fn ended(self) {
        // A task that panicked has been reported by the panic itself; there is nothing left to wait for.
        let _ended = tokio::join!(self.committer, self.index, self.cleaner);
    }
}

/// Opens the spool on a store: replays what the index does not know, then serves. Accepted messages and notifications
/// go to `admit`; those that were there before are to be listed by the queue.
///
/// # Errors
/// What the store said: unreadable, full, or written by a newer version.
pub async fn open(
    store: Arc<dyn Store>,
    observe: Arc<dyn Observe>,
    clock: Arc<dyn Clock>,
    storage: Storage,
    admit: mpsc::Sender<Arc<Entry>>,
) -> Result<(Arc<SpoolDoor>, Tasks), StoreFault> {
    let now = clock.now().mono;
    let shared = Arc::new(Shared::new(store, observe, clock, storage));
    recovery::recover(&shared).await?;
    shared.watch_disk();
    let (jobs, received) = mpsc::channel(JOBS_MAX);
    let committer = Committer { shared: Arc::clone(&shared), admit, waiting: VecDeque::new(), written_bytes: 0 };
    let index = IndexWriter {
        shared: Arc::clone(&shared),
        jobs: jobs.downgrade(),
        checkpointed_at: now,
        watched_at: now,
        sized_at: now,
        is_shrinking: false,
        lost: None,
    };
    let cleaner = Cleaner { shared: Arc::clone(&shared), jobs: jobs.downgrade(), asked_at: None };
    let tasks = Tasks {
        committer: tokio::spawn(committer.run(received)),
        index: tokio::spawn(index.run()),
        cleaner: tokio::spawn(cleaner.run()),
    };
    Ok((Arc::new(SpoolDoor { shared, jobs }), tasks))
}

/// Throws the index away and makes it again from the journal, for `mailwright spool rebuild`; how many records were
/// read. No spool may be open on the store.
///
/// # Errors
/// What the store said.
pub async fn rebuild(store: &dyn Store, observe: &dyn Observe, clock: &dyn Clock) -> Result<u64, StoreFault> {
    let replayed = recovery::rebuild_index(store, observe, clock, "an operator asked for it").await?;
    Ok(replayed.records)
}

impl SpoolDoor {
    /// Takes nothing more, makes durable what was handed in, and brings the index up to date. The tasks end.
    pub async fn close(&self) {
        self.shared.is_closing.store(true, Ordering::Release);
        let (answer, answered) = oneshot::channel();
        if self.jobs.send(Job::Close(answer)).await.is_ok() {
            // An error means that it has been closed before.
            let _closed = answered.await;
        }
        self.shared.may_end.send_replace(true);
    }

    /// How many messages have not ended.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.shared.ledger().messages
    }

    async fn take(&self, offer: Offer) -> Result<(), SpoolFault> {
        if self.shared.is_closing() {
            return Err(SpoolFault::Closing);
        }
        match self.room() {
            Room::Open => {}
            Room::DiskLow => return Err(SpoolFault::DiskFull),
            Room::Failing => return Err(SpoolFault::Store("the disk failed".to_owned())),
        }
        let (fresh, claim) = self.fresh(offer).await?;
        let (answer, answered) = oneshot::channel();
        let mark = |is_message| claim.iter().for_each(|c| c.is_message.store(is_message, Ordering::Release));
        // Before the commit: whatever becomes of this future, a blob that was committed is not removed.
        mark(true);
        self.hand_in(Job::Accept(fresh, answer)).await.inspect_err(|_| mark(false))?;
        answered.await.map_err(|_| SpoolFault::Closing)?.inspect_err(|_| mark(false))
    }

    /// An offer as the committer takes it. Content that is too long for a record is moved to a blob.
    async fn fresh(&self, offer: Offer) -> Result<(Fresh, Option<Arc<Claim>>), SpoolFault> {
        let Offer { entry, content } = offer;
        if entry.progress.len() != entry.envelope.recipients.len() {
            return Err(SpoolFault::Store("the offer's recipients and their progress differ in number".to_owned()));
        }
        let entry = Arc::new(entry);
        match content {
            OfferedContent::Blob(content) => {
                let gone = || SpoolFault::Store("the offer's blob is not there".to_owned());
                let claim = self.shared.claimed(entry.id).ok_or_else(gone)?;
                drop(content);
                Ok((Fresh { entry, content: None }, Some(claim)))
            }
            OfferedContent::Memory(octets) if octets.len() as u64 != entry.size_bytes => {
                Err(SpoolFault::Store("the offer's content is not as long as it says".to_owned()))
            }
            OfferedContent::Memory(octets) if octets.len() as u64 > self.shared.storage.blob_bytes_min => {
                let mut blob = content::open_blob(&self.shared, entry.id).await?;
                blob.write(octets.clone()).await?;
                let head = octets.slice(..octets.len().min(entry.head_bytes as usize));
                // Its claim lives in the content until the claim itself is taken.
                let content = Box::new(blob).finish(head).await?;
                let claim = self.shared.claimed(entry.id);
                drop(content);
                Ok((Fresh { entry, content: None }, claim))
            }
            OfferedContent::Memory(octets) => Ok((Fresh { entry, content: Some(octets) }, None)),
            OfferedContent::Composed(content) if content.size_bytes() != entry.size_bytes => {
                Err(SpoolFault::Store("the offer's content is not as long as it says".to_owned()))
            }
            OfferedContent::Composed(content) if content.size_bytes() > self.shared.storage.blob_bytes_min => {
                let claim = content::write_composed(&self.shared, entry.id, content).await?;
                Ok((Fresh { entry, content: None }, claim))
            }
            OfferedContent::Composed(content) => {
                let octets = content::join(&content).await?;
                Ok((Fresh { entry, content: Some(octets) }, None))
            }
        }
    }

    async fn hand_in(&self, job: Job) -> Result<(), SpoolFault> {
        self.jobs.send(job).await.map_err(|_| SpoolFault::Closing)
    }

    async fn decide(&self, ruling: Ruling) -> Result<Option<Arc<Entry>>, SpoolFault> {
        let Ruling { id, changes, placements, notifications: offers } = ruling;
        let pin = self.shared.pin(id).await?;
        let mut notifications = Vec::with_capacity(offers.len());
        let mut claims = Vec::new();
        for offer in offers {
            let (fresh, claim) = self.fresh(offer).await?;
            notifications.push(fresh);
            claims.extend(claim);
        }
        let mark = |is_message| claims.iter().for_each(|c| c.is_message.store(is_message, Ordering::Release));
        mark(true);
        let (answer, answered) = oneshot::channel();
        let change = Box::new(Change { pin, changes, placements, notifications });
        self.hand_in(Job::Rule(change, answer)).await.inspect_err(|_| mark(false))?;
        answered.await.map_err(|_| SpoolFault::Closing)?.inspect_err(|_| mark(false))
    }

    /// The content, or a message that is held from here on because there is none.
    async fn content_or_hold(&self, id: QueueId) -> Result<Content, SpoolFault> {
        let read = content::read(&self.shared, id).await;
        if let Err(SpoolFault::Damaged(why)) = &read {
            let pending = match self.shared.load(id).await? {
                Some(kept) => kept.entry.pending(),
                None => return read,
            };
            let held = || Progress::Held(format!("the stored message is damaged: {why}").into());
            let changes = pending.into_iter().map(|index| (index, held())).collect();
            self.decide(Ruling { id, changes, placements: Vec::new(), notifications: Vec::new() }).await?;
        }
        read
    }

    async fn find(
        &self,
        selection: &Selection,
        mut after: Option<QueueId>,
        limit: usize,
    ) -> Result<Vec<Arc<Entry>>, SpoolFault> {
        let mut listed = Vec::new();
        while listed.len() < limit {
            let asked = limit.clamp(256, LIST_SCAN_MAX);
            // The ledger first: what leaves it meanwhile is then found in the index.
            let overrides = self.shared.ledger().overrides(after);
            let pairs = self.shared.store.scan(ENTRY, after.map(key), asked).await.map_err(|e| spool_fault(&e))?;
            let mut page = Vec::with_capacity(pairs.len());
            for (_, value) in &pairs {
                page.push(record::read_index(value).map_err(|e| SpoolFault::Store(e.to_string()))?.entry);
            }
            let last = if pairs.len() < asked { None } else { page.last().map(|entry| entry.id) };
            let newer = overrides.into_iter().filter(|(id, _)| last.is_none_or(|last| *id <= last));
            let merged = merge(page, newer.map(|(id, kept)| (id, kept.map(|kept| Arc::clone(&kept.entry)))));
            listed.extend(merged.into_iter().filter(|entry| is_selected(entry, selection)));
            match last {
                Some(last) => after = Some(last),
                None => break,
            }
        }
        listed.truncate(limit);
        Ok(listed)
    }
}

/// Both in the order of their ids; what is newer stands for what is in the page, or takes it away.
fn merge(page: Vec<Arc<Entry>>, newer: impl Iterator<Item = (QueueId, Option<Arc<Entry>>)>) -> Vec<Arc<Entry>> {
    let mut merged = Vec::with_capacity(page.len());
    let mut page = page.into_iter().peekable();
    for (id, entry) in newer {
        merged.extend(std::iter::from_fn(|| page.next_if(|old| old.id < id)));
        let _replaced = page.next_if(|old| old.id == id);
        merged.extend(entry);
    }
    merged.extend(page);
    merged
}

impl Spool for SpoolDoor {
    fn room(&self) -> Room {
        self.shared.disk().room()
    }

    fn blob(&self, id: QueueId) -> Answer<'_, Result<Box<dyn Blob>, SpoolFault>> {
        Box::pin(async move {
            if self.room() == Room::DiskLow {
                return Err(SpoolFault::DiskFull);
            }
            let blob = content::open_blob(&self.shared, id).await?;
            Ok(Box::new(blob) as Box<dyn Blob>)
        })
    }

    fn accept(&self, offer: Offer) -> Answer<'_, Result<(), SpoolFault>> {
        Box::pin(self.take(offer))
    }

    fn entry(&self, id: QueueId) -> Answer<'_, Result<Option<Arc<Entry>>, SpoolFault>> {
        Box::pin(async move { Ok(self.shared.load(id).await?.map(|kept| Arc::clone(&kept.entry))) })
    }

    fn content(&self, id: QueueId) -> Answer<'_, Result<Content, SpoolFault>> {
        Box::pin(self.content_or_hold(id))
    }

    fn rule(&self, ruling: Ruling) -> Answer<'_, Result<Option<Arc<Entry>>, SpoolFault>> {
        Box::pin(self.decide(ruling))
    }

    fn list(
        &self,
        selection: Selection,
        after: Option<QueueId>,
        limit: usize,
    ) -> Answer<'_, Result<Vec<Arc<Entry>>, SpoolFault>> {
        Box::pin(async move {
            match selection.id {
                Some(id) if after.is_none_or(|after| id > after) => {
                    let found = self.shared.load(id).await?.map(|kept| Arc::clone(&kept.entry));
                    Ok(found.filter(|entry| is_selected(entry, &selection)).into_iter().take(limit).collect())
                }
                Some(_) => Ok(Vec::new()),
                None => self.find(&selection, after, limit).await,
            }
        })
    }
}
