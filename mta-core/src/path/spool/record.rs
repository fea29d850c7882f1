//! What the journal's records and the index's values say, in octets.
//!
//! Every record begins with its message's id, so that a damaged one can still be named. A message's record holds its
//! whole state at the time but for what policy said of its recipients' ways; a state record holds the progress of all
//! recipients, and these ways if there are any: the newest of each rebuild the entry.

use crate::base::flow::entry::{Entry, Progress};
use crate::base::flow::placement::Placement;
use crate::base::mail::id::QueueId;
use crate::base::time::UnixMillis;
use crate::base::world::store::{Position, Record};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A message: entry and content. The numbers are the disk format: they are never given another meaning.
pub(super) const MESSAGE: u8 = 1;
/// A message that counts only together with the state or end of another that follows it: a notification.
pub(super) const JOINED: u8 = 2;
/// The progress of all recipients.
pub(super) const STATE: u8 = 3;
/// The message has ended.
pub(super) const GONE: u8 = 4;
/// Nothing: written to see whether the disk takes it.
pub(super) const PROBE: u8 = 5;
/// The progress of all recipients, and what policy said of their ways.
pub(super) const PLACED: u8 = 6;
/// The format of the index's values.
const INDEX_FORMAT: u8 = 1;
/// The same, and what policy said of the recipients' ways behind it.
const PLACED_INDEX_FORMAT: u8 = 2;
const ID_BYTES: usize = 16;

/// Where a record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Span {
    pub(super) at: Position,
    /// Length of its payload.
    pub(super) bytes: u32,
}

/// Where a message's records lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Home {
    pub(super) message: Span,
    /// The newest state record, if there is one behind the message's own.
    pub(super) state: Option<Span>,
    /// The content lies in a blob, not in the record.
    pub(super) is_blob: bool,
}

/// A message as the spool keeps it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Kept {
    pub(super) entry: Arc<Entry>,
    pub(super) home: Home,
}

/// What policy said of the way of each recipient: as many, or none.
pub(super) type Placements = Vec<Option<Box<Placement>>>;

/// A record as it was understood.
#[derive(Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "most records are messages, and all are short-lived")]
pub(super) enum Said {
    Message { entry: Entry, is_blob: bool, content: Bytes, is_joined: bool },
    State { id: QueueId, joined: u16, progress: Vec<Progress>, placements: Placements },
    Gone { id: QueueId, joined: u16 },
    Nothing,
}

/// Why a record or a value could not be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotUnderstood {
    #[error("a record of kind {0}, which a newer Mailwright wrote")]
    Newer(u8),
    #[error("its payload does not make sense")]
    Malformed,
}

/// The record of a message.
pub(super) fn message(entry: &Entry, is_blob: bool, content: Bytes, is_joined: bool) -> Record {
    let start = start_with(entry.id, 512);
    let mut head = with(with_gap(start), &(is_blob, entry));
    let length = u32::try_from(head.len() - ID_BYTES - 4).unwrap_or(u32::MAX);
    head[ID_BYTES..ID_BYTES + 4].copy_from_slice(&length.to_le_bytes());
    Record { kind: if is_joined { JOINED } else { MESSAGE }, pieces: vec![head.into(), content] }
}

/// The record of a message's progress and ways; the `joined` messages right before it count only with it.
pub(super) fn state(entry: &Entry, joined: u16) -> Record {
    let (start, Entry { progress, placements, .. }) = (start_with(entry.id, 64), entry);
    let (kind, octets) = match placements.is_empty() {
        true => (STATE, with(start, &(joined, progress))),
        false => (PLACED, with(start, &(joined, progress, placements))),
    };
    Record { kind, pieces: vec![octets.into()] }
}

/// The record of a message's end.
pub(super) fn gone(id: QueueId, joined: u16) -> Record {
    Record { kind: GONE, pieces: vec![with(start_with(id, 4), &joined).into()] }
}

/// A record that says nothing.
pub(super) fn probe() -> Record {
    Record { kind: PROBE, pieces: Vec::new() }
}

/// Understands a record.
pub(super) fn read(kind: u8, payload: &Bytes) -> Result<Said, NotUnderstood> {
    if kind == PROBE {
        return Ok(Said::Nothing);
    }
    let id = name(payload).ok_or(NotUnderstood::Malformed)?;
    let rest = payload.slice(ID_BYTES..);
    match kind {
        MESSAGE | JOINED => {
            let (meta, content) = split_message(&rest).ok_or(NotUnderstood::Malformed)?;
            let (is_blob, entry): (bool, Entry) = decode(&meta)?;
            let is_sound = entry.id == id && entry.progress.len() == entry.envelope.recipients.len();
            is_sound.then_some(()).ok_or(NotUnderstood::Malformed)?;
            Ok(Said::Message { entry, is_blob, content, is_joined: kind == JOINED })
        }
        STATE => {
            let (joined, progress) = decode(&rest)?;
            Ok(Said::State { id, joined, progress, placements: Vec::new() })
        }
        PLACED => {
            let (joined, progress, placements): (u16, Vec<Progress>, Placements) = decode(&rest)?;
            (placements.len() == progress.len()).then_some(()).ok_or(NotUnderstood::Malformed)?;
            Ok(Said::State { id, joined, progress, placements })
        }
        GONE => decode(&rest).map(|joined| Said::Gone { id, joined }),
        other => Err(NotUnderstood::Newer(other)),
    }
}

/// The content in a message's record, which must be of this message.
pub(super) fn content_of(payload: &Bytes, id: QueueId) -> Result<Bytes, NotUnderstood> {
    let rest = payload.get(ID_BYTES..).map(|_| payload.slice(ID_BYTES..)).filter(|_| name(payload) == Some(id));
    let (_, content) = rest.as_ref().and_then(split_message).ok_or(NotUnderstood::Malformed)?;
    Ok(content)
}

/// The message that a damaged record seems to name: the time in its id must make sense.
pub(super) fn guess_name(head: &[u8], now: UnixMillis) -> Option<QueueId> {
    const DAY_MS: u64 = 86_400_000;
    const YEAR_2020_MS: u64 = 1_577_836_800_000;
    let id = name(head)?;
    let at = u64::try_from(id.0 >> 80).unwrap_or(u64::MAX);
    (YEAR_2020_MS..now.0.saturating_add(DAY_MS)).contains(&at).then_some(id)
}

/// The message that a record's first octets name. Of a damaged record this is a guess.
pub(super) fn name(payload: &[u8]) -> Option<QueueId> {
    payload.get(..ID_BYTES)?.try_into().ok().map(QueueId::from_key)
}

fn split_message(rest: &Bytes) -> Option<(Bytes, Bytes)> {
    let length = u32::from_le_bytes(rest.get(..4)?.try_into().ok()?) as usize;
    let end = length.checked_add(4).filter(|end| *end <= rest.len())?;
    Some((rest.slice(4..end), rest.slice(end..)))
}

/// The index's value for a message. Where its records lie comes first, so that it can be read alone.
pub(super) fn index_value(kept: &Kept) -> Bytes {
    let mut octets = Vec::with_capacity(512);
    let (home, entry) = (&kept.home, &*kept.entry);
    if entry.placements.is_empty() {
        octets.push(INDEX_FORMAT);
        return with(octets, &(home, entry)).into();
    }
    octets.push(PLACED_INDEX_FORMAT);
    with(octets, &(home, entry, &entry.placements)).into()
}

/// Understands an index value.
pub(super) fn read_index(value: &[u8]) -> Result<Kept, NotUnderstood> {
    let (format, body) = index_body(value)?;
    let (home, entry): (Home, Entry) = match format {
        PLACED_INDEX_FORMAT => {
            let (home, entry, placements): (Home, Entry, Placements) = decode(body)?;
            (placements.len() == entry.progress.len()).then_some(()).ok_or(NotUnderstood::Malformed)?;
            (home, Entry { placements, ..entry })
        }
        _ => decode(body)?,
    };
    Ok(Kept { entry: Arc::new(entry), home })
}

/// Understands only where the records lie.
pub(super) fn read_index_home(value: &[u8]) -> Result<Home, NotUnderstood> {
    postcard::take_from_bytes(index_body(value)?.1).map(|(home, _)| home).map_err(|_| NotUnderstood::Malformed)
}

/// The value's format, and what is behind it.
fn index_body(value: &[u8]) -> Result<(u8, &[u8]), NotUnderstood> {
    match value.split_first() {
        Some((format, body)) if [INDEX_FORMAT, PLACED_INDEX_FORMAT].contains(format) => Ok((*format, body)),
        Some((newer, _)) if *newer > PLACED_INDEX_FORMAT => Err(NotUnderstood::Newer(*newer)),
        _ => Err(NotUnderstood::Malformed),
    }
}

fn start_with(id: QueueId, room: usize) -> Vec<u8> {
    let mut octets = Vec::with_capacity(ID_BYTES + room);
    octets.extend_from_slice(&id.to_key());
    octets
}

fn with_gap(mut octets: Vec<u8>) -> Vec<u8> {
    octets.extend_from_slice(&[0; 4]);
    octets
}

fn with(octets: Vec<u8>, value: &impl Serialize) -> Vec<u8> {
    postcard::to_extend(value, octets).expect("entries are plain data: a growing vector takes all of it")
}

fn decode<'a, T: Deserialize<'a>>(octets: &'a [u8]) -> Result<T, NotUnderstood> {
    postcard::from_bytes(octets).map_err(|_| NotUnderstood::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fixtures::entry;
    use crate::base::flow::placement::Priority;

    fn placed() -> Entry {
        let mut entry = entry(1, "a@from.example", &["b@to.example", "c@to.example"]);
        let placement = Placement {
            plugin: Some("routing".into()),
            via: Some("bulk".into()),
            pool: None,
            campaign: Some("spring".into()),
            priority: Priority::Bulk,
            expires: Some(UnixMillis(7)),
        };
        entry.place(1, Some(placement));
        entry
    }

    fn octets(record: &Record) -> Bytes {
        record.pieces.concat().into()
    }

    fn kept(entry: Entry) -> Kept {
        let span = Span { at: Position(4), bytes: 5 };
        Kept { entry: Arc::new(entry), home: Home { message: span, state: Some(span), is_blob: false } }
    }

    #[test]
    fn ways_come_back_from_state_records_and_from_the_index() {
        let entry = placed();
        let record = state(&entry, 3);
        let said = read(record.kind, &octets(&record)).expect("our own record");
        let Entry { id, progress, placements, .. } = entry.clone();
        assert_eq!(said, Said::State { id, joined: 3, progress, placements });
        let kept = kept(entry);
        assert_eq!(read_index(&index_value(&kept)), Ok(kept.clone()));
        assert_eq!(read_index_home(&index_value(&kept)), Ok(kept.home));
    }

    /// What versions before ways wrote: the octets that they would write today are the same.
    #[test]
    fn a_message_without_ways_is_written_and_read_as_ever() {
        let entry = Entry { placements: Vec::new(), ..placed() };
        let record = state(&entry, 2);
        let old = with(start_with(entry.id, 64), &(2u16, &entry.progress));
        assert_eq!((record.kind, octets(&record)), (STATE, old.into()));
        let kept = kept(entry);
        let value = index_value(&kept);
        assert_eq!((value[0], read_index(&value)), (INDEX_FORMAT, Ok(kept)));
        assert_eq!(read_index(&[3]), Err(NotUnderstood::Newer(3)));
    }

    /// A message's own record says nothing of ways, before them and with them.
    #[test]
    fn a_message_record_is_as_ever() {
        let placed = placed();
        let plain = Entry { placements: Vec::new(), ..placed.clone() };
        let both = [&placed, &plain].map(|entry| octets(&message(entry, false, Bytes::from_static(b"x"), false)));
        assert_eq!(both[0], both[1]);
        let said = read(MESSAGE, &both[0]).expect("our own record");
        assert!(matches!(said, Said::Message { entry, .. } if entry == plain));
    }

    #[test]
    fn ways_that_are_not_as_many_as_recipients_are_malformed() {
        let mut entry = placed();
        entry.placements.pop();
        let record = state(&entry, 0);
        assert_eq!(read(record.kind, &octets(&record)).err(), Some(NotUnderstood::Malformed));
        assert_eq!(read_index(&index_value(&kept(entry))).err(), Some(NotUnderstood::Malformed));
    }
}
