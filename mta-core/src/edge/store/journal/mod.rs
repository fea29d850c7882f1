//! The journal on local files: one endless line of octets, cut into segments, written by one thread.
//!
//! What is here: `frame` is how a record lies on disk, `segment` one file, `line` the files together, `writer`
//! the thread that appends, `read` how records are found again, also behind a damaged stretch.

mod frame;
mod line;
mod read;
mod segment;
#[cfg(test)]
mod tests;
mod writer;

use super::disk::Disk;
use super::fault;
use crate::base::flow::Answer;
use crate::base::world::store::{Found, Journal, Position, Record, StoreFault};
use frame::Sealed;
use line::Line;
use segment::Segment;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use tokio::sync::oneshot;
use writer::{Order, Writer};

/// Groups waiting for the writer: its one caller waits for each, so there are never many.
const ORDERS_MAX: usize = 16;

/// An open journal. Dropped, it lets its thread end.
#[derive(Debug)]
pub(super) struct FileJournal {
    line: Arc<Line>,
    disk: Arc<dyn Disk>,
    orders: mpsc::SyncSender<Order>,
    damaged_dir: PathBuf,
}

impl FileJournal {
    /// Opens the journal in `dir` and cuts its torn tail; positions never fall below `floor`.
    pub(super) fn open(
        disk: &Arc<dyn Disk>,
        dir: &Path,
        damaged_dir: &Path,
        segment_bytes: u64,
        floor: Position,
    ) -> Result<Self, StoreFault> {
        fs::create_dir_all(dir).map_err(|e| fault(&e))?;
        let segments = find_segments(&**disk, dir)?;
        let newest = segments.last().map(|s| s.base);
        let line = Arc::new(Line::new(segments));
        let tail = read::cut_tail(&**disk, &line)?;
        let end = tail.max(floor.0);
        line.set_end(end);
        let (orders, received) = mpsc::sync_channel(ORDERS_MAX);
        let writer = Writer {
            line: Arc::clone(&line),
            disk: Arc::clone(disk),
            dir: dir.to_owned(),
            segment_bytes,
            active: None,
            end,
            newest,
            headers: Vec::new(),
        };
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run(&received))
            .map_err(|e| fault(&e))?;
        Ok(Self { line, disk: Arc::clone(disk), orders, damaged_dir: damaged_dir.to_owned() })
    }
}

impl Journal for FileJournal {
    fn append(&self, records: Vec<Record>) -> Answer<'_, Result<Vec<Position>, StoreFault>> {
        Box::pin(async move {
            // Counted and checked here, so that the thread does nothing but write.
            let sealed = records.into_iter().map(Sealed::new).collect::<Option<Vec<_>>>().ok_or_else(too_long)?;
            let (answer, answered) = oneshot::channel();
            self.orders.try_send(Order::Append(sealed, answer)).map_err(|_| writer_gone())?;
            answered.await.map_err(|_| writer_gone())?
        })
    }

    fn read(&self, at: Position, payload_bytes: usize) -> Answer<'_, Result<Found, StoreFault>> {
        let line = Arc::clone(&self.line);
        let damaged_dir = self.damaged_dir.clone();
        Box::pin(super::blocking(move || {
            let mut found = read::one(&line, at.0, payload_bytes)?;
            read::set_aside(&line, &damaged_dir, &mut found);
            Ok(found)
        }))
    }

    fn replay(&self, from: Position, bytes: usize) -> Answer<'_, Result<Vec<Found>, StoreFault>> {
        let line = Arc::clone(&self.line);
        let damaged_dir = self.damaged_dir.clone();
        Box::pin(super::blocking(move || {
            let mut found = read::some(&line, from.0, bytes)?;
            for one in &mut found {
                read::set_aside(&line, &damaged_dir, one);
            }
            Ok(found)
        }))
    }

    fn extent(&self) -> (Position, Position) {
        let (begin, end) = self.line.extent();
        (Position(begin), Position(end))
    }

    fn trim(&self, before: Position) -> Answer<'_, Result<(), StoreFault>> {
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            self.orders.try_send(Order::Trim(before.0, answer)).map_err(|_| writer_gone())?;
            let dropped = answered.await.map_err(|_| writer_gone())?;
            if dropped.is_empty() {
                return Ok(());
            }
            let disk = Arc::clone(&self.disk);
            super::blocking(move || {
                // Oldest first, so that an interruption leaves no gap before records that are still there.
                for segment in &dropped {
                    disk.remove(&segment.path).map_err(|e| fault(&e))?;
                }
                Ok(())
            })
            .await
        })
    }
}

fn writer_gone() -> StoreFault {
    StoreFault::Io("the journal's thread does not answer".to_owned())
}

fn too_long() -> StoreFault {
    StoreFault::Io("a record has 4 GiB or more".to_owned())
}

/// The segments in order; drafts that never got their name are removed.
fn find_segments(disk: &dyn Disk, dir: &Path) -> Result<Vec<Segment>, StoreFault> {
    let mut segments = Vec::new();
    for item in fs::read_dir(dir).map_err(|e| fault(&e))? {
        let path = item.map_err(|e| fault(&e))?.path();
        if path.extension().is_some_and(|extension| extension == "new") {
            disk.remove(&path).map_err(|e| fault(&e))?;
        } else if let Some(segment) = Segment::open(disk, &path)? {
            segments.push(segment);
        }
    }
    disk.sync_dir(dir).map_err(|e| fault(&e))?;
    segments.sort_by_key(|segment| segment.base);
    Ok(segments)
}

/// Opens a journal that stands for itself in `dir`; what is damaged is set aside in it.
///
/// # Errors
/// The directory can't be read or written, or was written by a newer version.
pub fn open(dir: &Path, segment_bytes: u64) -> Result<Arc<dyn Journal>, StoreFault> {
    let disk: Arc<dyn Disk> = Arc::new(super::disk::LocalDisk::CACHED);
    let journal = FileJournal::open(&disk, &dir.join("journal"), &dir.join("damaged"), segment_bytes, Position(0))?;
    disk.sync_dir(dir).map_err(|e| fault(&e))?;
    Ok(Arc::new(journal))
}
