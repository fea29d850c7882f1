//! Content: out of memory, out of a record, out of a blob; and large content on its way in.

use super::shared::{Claim, Shared, spool_fault, tell_damage};
use crate::base::fault::SpoolFault;
use crate::base::flow::Answer;
use crate::base::flow::entry::Entry;
use crate::base::flow::spool::Blob;
use crate::base::mail::content::{Body, Content, ReadAt};
use crate::base::mail::id::QueueId;
use crate::base::world::store::{BlobWriter, Position, StoreFault};
use crate::path::spool::record::{self, Kept};
use crate::path::spool::replay::Damaged;
use bytes::{Bytes, BytesMut};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What is read at once of content that is put together from pieces, in octets.
const PIECE_BYTES: usize = 256 * 1024;

/// A record may move while it is looked for: so often its place is asked for again.
const LOOKS_MAX: usize = 4;

/// The message's content.
pub(super) async fn read(shared: &Arc<Shared>, id: QueueId) -> Result<Content, SpoolFault> {
    let mut last = String::new();
    for _ in 0..LOOKS_MAX {
        let ended = || SpoolFault::Store("the message has ended".to_owned());
        let kept = shared.load(id).await?.ok_or_else(ended)?;
        if kept.home.is_blob {
            return read_blob(shared, &kept.entry).await;
        }
        let hot = shared.hot().get(id);
        if let Some(content) = hot {
            return in_memory(&kept.entry, &content);
        }
        match read_record(shared, &kept).await? {
            Ok(content) => return in_memory(&kept.entry, &content),
            Err(why) => last = why,
        }
    }
    Err(SpoolFault::Damaged(last))
}

/// The content in the message's record; the inner error says why it is not there.
async fn read_record(shared: &Shared, kept: &Kept) -> Result<Result<Bytes, String>, SpoolFault> {
    let (id, at) = (kept.entry.id, kept.home.message.at);
    let found = match shared.store.read(at, kept.home.message.bytes as usize).await {
        Ok(found) => found,
        Err(StoreFault::Io(why)) => return Ok(Err(why)),
        Err(fault) => return Err(spool_fault(&fault)),
    };
    match found.record {
        Ok((_, payload)) => Ok(record::content_of(&payload, id).map_err(|e| e.to_string())),
        Err(damage) => {
            let damaged = Damaged { id: Some(id), at, why: damage.why.clone(), kept_in: damage.kept_in };
            tell_damage(&*shared.observe, &damaged);
            Err(SpoolFault::Damaged(damage.why))
        }
    }
}

fn in_memory(entry: &Entry, content: &Bytes) -> Result<Content, SpoolFault> {
    let head_bytes = entry.head_bytes as usize;
    if content.len() as u64 != entry.size_bytes || head_bytes > content.len() {
        return Err(SpoolFault::Damaged("its length is not what was accepted".to_owned()));
    }
    let body = content.slice(head_bytes..);
    Ok(Content { head: content.slice(..head_bytes), body: Body::Memory(body) })
}

async fn read_blob(shared: &Shared, entry: &Entry) -> Result<Content, SpoolFault> {
    let damaged = |why: String| SpoolFault::Damaged(why);
    let opened = shared.store.open_blob(&entry.id.to_string()).await;
    let (source, length) = opened.map_err(|fault| {
        let damaged_at =
            Damaged { id: Some(entry.id), at: Position(0), why: fault.to_string(), kept_in: String::new() };
        tell_damage(&*shared.observe, &damaged_at);
        damaged(fault.to_string())
    })?;
    let skip = u64::from(entry.head_bytes);
    if length != entry.size_bytes || skip > length {
        return Err(damaged("its length is not what was accepted".to_owned()));
    }
    let mut head = vec![0; entry.head_bytes as usize];
    let reader = Arc::clone(&source);
    let read = tokio::task::spawn_blocking(move || reader.read_at(0, &mut head).map(|n| (n, head))).await;
    let (filled, head) =
        read.map_err(|e| SpoolFault::Store(e.to_string()))?.map_err(|e| SpoolFault::Store(e.to_string()))?;
    if filled < head.len() {
        return Err(damaged("it is shorter than it was".to_owned()));
    }
    let body = Body::Stored { source: Arc::new(Behind { source, skip, _claim: None }), bytes: length - skip };
    Ok(Content { head: head.into(), body })
}

/// A blob from behind its header section on.
struct Behind {
    source: Arc<dyn ReadAt>,
    skip: u64,
    /// While it is not yet a message, the blob lives as long as its content is held.
    _claim: Option<Arc<Claim>>,
}

impl ReadAt for Behind {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.source.read_at(self.skip.saturating_add(offset), buffer)
    }
}

/// A blob that is being written.
pub(super) struct Incoming {
    shared: Arc<Shared>,
    id: QueueId,
    writer: Box<dyn BlobWriter>,
    bytes: u64,
}

/// Opens a blob for a message's content.
pub(super) async fn open_blob(shared: &Arc<Shared>, id: QueueId) -> Result<Incoming, SpoolFault> {
    let writer = shared.store.blob(&id.to_string()).await.map_err(|fault| blob_fault(shared, &fault))?;
    Ok(Incoming { shared: Arc::clone(shared), id, writer, bytes: 0 })
}

/// Writes content that was put together from pieces to a blob. If some of the pieces lie in a blob of the same id, that
/// one loses its name first, and lives on, for those who read it, until it is closed.
pub(super) async fn write_composed(
    shared: &Arc<Shared>,
    id: QueueId,
    content: Content,
) -> Result<Option<Arc<Claim>>, SpoolFault> {
    if let Some(old) = shared.claimed(id) {
        old.is_replaced.store(true, Ordering::Release);
        shared.store.remove_blob(&id.to_string()).await.map_err(|fault| spool_fault(&fault))?;
    }
    let mut blob = open_blob(shared, id).await?;
    blob.write(content.head.clone()).await?;
    let mut written = 0;
    while written < content.body.size_bytes() {
        let piece = piece(&content.body, written).await?;
        written += piece.len() as u64;
        blob.write(piece).await?;
    }
    let finished = Box::new(blob).finish(content.head.clone()).await?;
    let claim = shared.claimed(id);
    drop(finished);
    Ok(claim)
}

/// The same in one piece of memory; for content that goes into a record.
pub(super) async fn join(content: &Content) -> Result<Bytes, SpoolFault> {
    let mut octets = BytesMut::with_capacity(usize::try_from(content.size_bytes()).unwrap_or_default());
    octets.extend_from_slice(&content.head);
    let mut written = 0;
    while written < content.body.size_bytes() {
        let piece = piece(&content.body, written).await?;
        written += piece.len() as u64;
        octets.extend_from_slice(&piece);
    }
    Ok(octets.freeze())
}

/// The body's next octets, never none.
async fn piece(body: &Body, offset: u64) -> Result<Bytes, SpoolFault> {
    let (source, bytes) = match body {
        Body::Memory(octets) => {
            let from = usize::try_from(offset).unwrap_or(usize::MAX).min(octets.len());
            return Ok(octets.slice(from..));
        }
        Body::Stored { source, bytes } => (Arc::clone(source), *bytes),
    };
    let most = usize::try_from(bytes.saturating_sub(offset)).unwrap_or(usize::MAX).min(PIECE_BYTES);
    let read = tokio::task::spawn_blocking(move || {
        let mut octets = vec![0; most];
        let count = source.read_at(offset, &mut octets)?;
        octets.truncate(count);
        if count == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(octets) }
    });
    let octets = read.await.map_err(io::Error::other).flatten();
    octets.map(Bytes::from).map_err(|fault| SpoolFault::Store(format!("the content could not be read: {fault}")))
}

fn blob_fault(shared: &Shared, fault: &StoreFault) -> SpoolFault {
    if *fault == StoreFault::Full {
        let free = shared.store.free_bytes().unwrap_or_default();
        let change = shared.disk().failed(fault, free);
        shared.tell(change);
    }
    spool_fault(fault)
}

impl Blob for Incoming {
    fn write(&mut self, octets: Bytes) -> Answer<'_, Result<(), SpoolFault>> {
        Box::pin(async move {
            self.bytes += octets.len() as u64;
            self.writer.write(octets).await.map_err(|fault| blob_fault(&self.shared, &fault))
        })
    }

    fn finish(self: Box<Self>, head: Bytes) -> Answer<'static, Result<Content, SpoolFault>> {
        Box::pin(async move {
            let Self { shared, id, writer, bytes } = *self;
            writer.finish().await.map_err(|fault| blob_fault(&shared, &fault))?;
            // From here the claim removes it, if nothing comes of it.
            let claim = shared.claim(id);
            let opened = shared.store.open_blob(&id.to_string()).await;
            let (source, length) = opened.map_err(|fault| spool_fault(&fault))?;
            let skip = head.len() as u64;
            if length != bytes || skip > length {
                return Err(SpoolFault::Store("the blob is not as long as what was written".to_owned()));
            }
            let source = Arc::new(Behind { source, skip, _claim: Some(claim) });
            Ok(Content { head, body: Body::Stored { source, bytes: length - skip } })
        })
    }
}
