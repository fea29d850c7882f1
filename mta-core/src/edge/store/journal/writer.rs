//! The one thread that writes the journal: a group of records, one write, one fdatasync, then the next group.

use super::super::disk::{Disk, write_all};
use super::super::fault;
use super::frame::{self, ALIGN, Sealed};
use super::line::Line;
use super::segment::Segment;
use crate::base::world::store::{Position, StoreFault};
use std::io::IoSlice;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use tokio::sync::oneshot;

/// What the thread is asked to do.
#[derive(Debug)]
pub(super) enum Order {
    /// Write these and make them durable.
    Append(Vec<Sealed>, oneshot::Sender<Result<Vec<Position>, StoreFault>>),
    /// Forget the segments that end at or before this; they are answered, to be removed by whoever asked.
    Trim(u64, oneshot::Sender<Vec<Arc<Segment>>>),
}

/// The thread's own state.
pub(super) struct Writer {
    pub(super) line: Arc<Line>,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) dir: PathBuf,
    pub(super) segment_bytes: u64,
    /// The segment that is being written, and how many octets it has room for. None: the next append begins one.
    pub(super) active: Option<(Arc<Segment>, u64)>,
    /// Where the journal ends.
    pub(super) end: u64,
    /// The base of the newest segment that ever was: no other may have the same.
    pub(super) newest: Option<u64>,
    pub(super) headers: Vec<[u8; frame::HEADER_BYTES]>,
}

impl Writer {
    /// Works until every sender is gone.
    pub(super) fn run(mut self, orders: &Receiver<Order>) {
        while let Ok(order) = orders.recv() {
            match order {
                Order::Append(sealed, answer) => {
                    // Whoever asked may have been cancelled; what was written stays written.
                    let _asked = answer.send(self.append(&sealed));
                }
                Order::Trim(before, answer) => {
                    let _asked = answer.send(self.trim(before));
                }
            }
        }
        if let Some((segment, _)) = self.active.take() {
            // Tidiness alone: the next start cuts it as well.
            let _cut = segment.cut();
        }
    }

    fn append(&mut self, records: &[Sealed]) -> Result<Vec<Position>, StoreFault> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let total = records.iter().map(|one| frame::record_bytes(one.payload_bytes as usize)).sum();
        let segment = self.segment_for(total)?;
        let (positions, end) = self.lay_out(records, segment.salt);
        let written = self.write(&segment, records).and_then(|()| segment.file.sync_data());
        match written {
            Ok(()) => {
                self.end = end;
                segment.set_end(end);
                self.line.set_end(end);
                Ok(positions)
            }
            Err(e) => {
                // After a failed write or sync the pages' state is unknown: they are not tried again. The segment
                // ends where it was last known good; a later segment begins there, which bounds it even if this
                // cut does not reach the disk.
                self.active = None;
                let _cut = segment.cut();
                Err(fault(&e))
            }
        }
    }

    /// The active segment if it has room for so many octets, else a new one.
    fn segment_for(&mut self, total: u64) -> Result<Arc<Segment>, StoreFault> {
        if let Some((segment, room)) = &self.active
            && self.end - segment.base + total <= *room
        {
            return Ok(Arc::clone(segment));
        }
        if let Some((full, _)) = self.active.take() {
            // What was preallocated and not used goes back; the next start would do it as well.
            let _cut = full.file.set_len(full.offset(full.end()));
        }
        let base = self.end.max(self.newest.map_or(0, |newest| newest + ALIGN as u64));
        let segment = Arc::new(Segment::create(&*self.disk, &self.dir, base, self.segment_bytes, total)?);
        self.end = base;
        self.newest = Some(base);
        self.line.push(Arc::clone(&segment));
        self.active = Some((Arc::clone(&segment), self.segment_bytes.max(total)));
        Ok(segment)
    }

    /// Gives every record its position and its header; then the positions, and where the journal will end.
    fn lay_out(&mut self, records: &[Sealed], salt: u32) -> (Vec<Position>, u64) {
        self.headers.clear();
        let mut positions = Vec::with_capacity(records.len());
        let mut end = self.end;
        for sealed in records {
            let header = sealed.at(end);
            self.headers.push(header.encode(salt));
            positions.push(Position(end));
            end += header.record_bytes();
        }
        (positions, end)
    }

    /// One gathering write of everything, content from where it lies.
    fn write(&self, segment: &Segment, records: &[Sealed]) -> std::io::Result<()> {
        const PADDING: [u8; ALIGN] = [0; ALIGN];
        let mut slices = Vec::with_capacity(records.len() * 4);
        for (header, sealed) in self.headers.iter().zip(records) {
            slices.push(IoSlice::new(header));
            slices.extend(sealed.record.pieces.iter().map(|piece| IoSlice::new(piece)));
            let length = sealed.payload_bytes as usize;
            slices.push(IoSlice::new(&PADDING[..length.next_multiple_of(ALIGN) - length]));
        }
        write_all(&*segment.file, &mut slices, segment.offset(self.end))
    }

    fn trim(&mut self, before: u64) -> Vec<Arc<Segment>> {
        if before >= self.end {
            // Everything is dead, the segment that is being written too.
            self.active = None;
        }
        let active = self.active.as_ref().map(|(segment, _)| segment.base);
        self.line.drop_before(before, active)
    }
}
