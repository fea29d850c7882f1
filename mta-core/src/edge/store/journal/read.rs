//! Finding records again: one by its position, many in order, and those behind a damaged stretch.

use super::super::disk::Disk;
use super::super::fault;
use super::frame::{self, ALIGN, Header};
use super::line::{Line, Stretch};
use crate::base::world::store::{Damage, Found, Position, StoreFault};
use bytes::Bytes;
use memchr::memmem;
use std::fs;
use std::path::Path;

/// Octets read at once while going through the journal.
const WINDOW_BYTES: usize = 1 << 20;
/// Octets of a damaged record that are handed on, to find a name in.
const DAMAGE_HEAD_BYTES: usize = 4096;

/// The record that begins at `at`.
pub(super) fn one(line: &Line, at: u64, payload_bytes: usize) -> Result<Found, StoreFault> {
    let gone = || StoreFault::Io(format!("journal position {at} is not there"));
    let stretch = line.holding(at).filter(|s| at < s.end).ok_or_else(gone)?;
    let mut length = frame::record_bytes(payload_bytes);
    loop {
        let wanted = capped(length, stretch.end - at);
        let window = Bytes::from(stretch.segment.read(at, wanted)?);
        match step(&stretch, &window, at, at)? {
            Step::Found(found) => return Ok(found),
            Step::Longer(needed) if window.len() == wanted => length = needed,
            Step::Longer(_) | Step::Nothing => return damaged_stretch(&stretch, at).map(|(found, _)| found),
        }
    }
}

/// Records from `from` on, about `bytes` of them; empty at the end.
pub(super) fn some(line: &Line, from: u64, bytes: usize) -> Result<Vec<Found>, StoreFault> {
    let (begin, end) = line.extent();
    let mut at = from.max(begin);
    let stop = at.saturating_add(bytes as u64);
    let mut found = Vec::new();
    while at < end && (at < stop || found.is_empty()) {
        let Some(stretch) = line.holding(at) else { break };
        if at >= stretch.end {
            match stretch.next {
                Some(next) => at = next,
                None => break,
            }
            continue;
        }
        at = walk(&stretch, at, stop, &mut found)?;
    }
    Ok(found)
}

/// Goes through one stretch from `at` to its end or to `stop`; where to go on.
fn walk(stretch: &Stretch, mut at: u64, stop: u64, found: &mut Vec<Found>) -> Result<u64, StoreFault> {
    let mut length = WINDOW_BYTES as u64;
    while at < stretch.end && (at < stop || found.is_empty()) {
        let base = at;
        let wanted = capped(length, stretch.end - base);
        let window = Bytes::from(stretch.segment.read(base, wanted)?);
        length = WINDOW_BYTES as u64;
        loop {
            match step(stretch, &window, base, at)? {
                Step::Found(one) => {
                    at = one.end.0;
                    found.push(one);
                }
                // A file that is shorter than it should be ends in a damaged stretch.
                Step::Longer(needed) if window.len() == wanted => {
                    length = needed.max(length);
                    break;
                }
                Step::Longer(_) | Step::Nothing => {
                    let (one, is_empty) = damaged_stretch(stretch, at)?;
                    at = one.end.0;
                    if !is_empty {
                        found.push(one);
                    }
                    break;
                }
            }
        }
    }
    Ok(at)
}

enum Step {
    Found(Found),
    /// The window must hold so many octets from this record on.
    Longer(u64),
    /// No record begins here.
    Nothing,
}

/// Reads the record at `at` in a window that begins at `base`.
fn step(stretch: &Stretch, window: &Bytes, base: u64, at: u64) -> Result<Step, StoreFault> {
    let offset = usize::try_from(at - base).unwrap_or(usize::MAX);
    let rest = window.get(offset..).unwrap_or_default();
    let left = stretch.end - at;
    if rest.len() < frame::HEADER_BYTES {
        let whole = rest.len() as u64 == left || left == 0;
        return Ok(if whole && left > 0 { Step::Nothing } else { Step::Longer(WINDOW_BYTES as u64) });
    }
    let Some(header) = Header::decode(rest, at, stretch.segment.salt) else { return Ok(Step::Nothing) };
    if header.format > frame::FORMAT {
        return Err(StoreFault::Newer(format!(
            "the journal record at {at} has format {}, written by a newer Mailwright; this one reads up to {}",
            header.format,
            frame::FORMAT
        )));
    }
    let length = header.record_bytes();
    if length > left {
        return Ok(Step::Nothing);
    }
    if length > rest.len() as u64 {
        return Ok(Step::Longer(length));
    }
    let start = offset + frame::HEADER_BYTES;
    let payload = window.slice(start..start + header.payload_bytes as usize);
    let record = if header.fits(&payload) {
        Ok((header.kind, payload))
    } else {
        let head = payload.slice(..payload.len().min(DAMAGE_HEAD_BYTES));
        Err(Damage { why: "its checksum does not fit".to_owned(), head, kept_in: String::new() })
    };
    Ok(Step::Found(Found { at: Position(at), end: Position(at + length), record }))
}

/// What lies from `at` to the next record that can be read, and whether it is nothing but zeros: room that was
/// preallocated and never written.
fn damaged_stretch(stretch: &Stretch, at: u64) -> Result<(Found, bool), StoreFault> {
    let mut is_empty = true;
    let mut head = Bytes::new();
    let mut next = stretch.end;
    let mut from = at;
    while from < stretch.end {
        let window = stretch.segment.read(from, capped(WINDOW_BYTES as u64, stretch.end - from))?;
        if window.len() < ALIGN {
            break;
        }
        if from == at {
            let payload = window.get(frame::HEADER_BYTES..).unwrap_or_default();
            head = Bytes::copy_from_slice(&payload[..payload.len().min(DAMAGE_HEAD_BYTES)]);
        }
        let found = find_header(&window, from, at, stretch.segment.salt);
        let until = found.map_or(window.len(), |position| usize::try_from(position - from).unwrap_or(0));
        is_empty = is_empty && is_zeros(&window[..until.min(window.len())]);
        if let Some(position) = found {
            next = position;
            break;
        }
        // A header may lie across the window's end: the next window begins before it.
        let kept = if from + window.len() as u64 >= stretch.end { 0 } else { frame::HEADER_BYTES };
        from += (window.len() - kept).max(ALIGN) as u64 / ALIGN as u64 * ALIGN as u64;
    }
    let damage = Damage { why: "no record can be read there".to_owned(), head, kept_in: String::new() };
    Ok((Found { at: Position(at), end: Position(next), record: Err(damage) }, is_empty))
}

/// Compared in blocks: a segment's whole room is looked through at each start after a crash.
fn is_zeros(octets: &[u8]) -> bool {
    const ZEROS: [u8; 4096] = [0; 4096];
    octets.chunks(ZEROS.len()).all(|chunk| *chunk == ZEROS[..chunk.len()])
}

/// The first position behind `after` in this window at which a header stands.
fn find_header(window: &[u8], base: u64, after: u64, salt: u32) -> Option<u64> {
    memmem::find_iter(window, &frame::MAGIC).find_map(|offset| {
        let position = base + offset as u64;
        let fits = position > after && position.is_multiple_of(ALIGN as u64);
        (fits && Header::decode(&window[offset..], position, salt).is_some()).then_some(position)
    })
}

fn capped(length: u64, left: u64) -> usize {
    usize::try_from(length.min(left)).unwrap_or(usize::MAX)
}

/// Cuts what a crash left behind the newest segment's last whole record; where the journal ends.
pub(super) fn cut_tail(disk: &dyn Disk, line: &Line) -> Result<u64, StoreFault> {
    let Some(segment) = line.newest() else { return Ok(0) };
    let stretch = Stretch { segment, end: 0, next: None };
    let stretch = Stretch { end: stretch.segment.end(), ..stretch };
    let (mut at, mut good) = (stretch.segment.base, stretch.segment.base);
    while at < stretch.end {
        let mut found = Vec::new();
        at = walk(&stretch, at, at.saturating_add(WINDOW_BYTES as u64), &mut found)?;
        good = found.iter().filter(|one| one.record.is_ok()).map(|one| one.end.0).fold(good, u64::max);
    }
    let segment = stretch.segment;
    segment.set_end(good);
    if good == segment.base {
        // Nothing was ever acknowledged from it.
        line.remove(segment.base);
        disk.remove(&segment.path).map_err(|e| fault(&e))?;
    } else {
        segment.cut().map_err(|e| fault(&e))?;
    }
    Ok(good)
}

/// Copies what can't be read into the directory for damage, and notes where.
pub(super) fn set_aside(line: &Line, damaged_dir: &Path, found: &mut Found) {
    let (at, end) = (found.at.0, found.end.0);
    let Err(damage) = &mut found.record else { return };
    let path = damaged_dir.join(format!("journal-{at:016x}"));
    let kept = path.exists()
        || line.holding(at).is_some_and(|stretch| {
            let octets = stretch.segment.read(at, capped(end - at, u64::MAX));
            octets.is_ok_and(|octets| fs::create_dir_all(damaged_dir).and_then(|()| fs::write(&path, octets)).is_ok())
        });
    if kept {
        damage.kept_in = path.display().to_string();
    }
}
