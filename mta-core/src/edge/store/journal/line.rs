//! The segments together: which of them holds a position, and where the whole begins and ends.

use super::segment::Segment;
use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// All segments, by their bases. Shared by the writer and the readers.
#[derive(Debug)]
pub(super) struct Line {
    segments: RwLock<BTreeMap<u64, Arc<Segment>>>,
    end: AtomicU64,
}

/// A segment, and where what may be read of it ends.
pub(super) struct Stretch {
    pub(super) segment: Arc<Segment>,
    /// The next segment's base bounds it: what a failed write left behind it does not count.
    pub(super) end: u64,
    /// The next segment's base.
    pub(super) next: Option<u64>,
}

impl Line {
    pub(super) fn new(segments: Vec<Segment>) -> Self {
        let segments = segments.into_iter().map(|s| (s.base, Arc::new(s))).collect();
        Self { segments: RwLock::new(segments), end: AtomicU64::new(0) }
    }

    pub(super) fn set_end(&self, end: u64) {
        self.end.store(end, Ordering::Release);
    }

    pub(super) fn extent(&self) -> (u64, u64) {
        // The end first: a segment that is dropped in between moves the beginning only.
        let end = self.end.load(Ordering::Acquire);
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        (segments.keys().next().map_or(end, |base| (*base).min(end)), end)
    }

    pub(super) fn push(&self, segment: Arc<Segment>) {
        self.segments.write().unwrap_or_else(PoisonError::into_inner).insert(segment.base, segment);
    }

    pub(super) fn newest(&self) -> Option<Arc<Segment>> {
        self.segments.read().unwrap_or_else(PoisonError::into_inner).values().next_back().cloned()
    }

    /// The segment that holds `position`.
    pub(super) fn holding(&self, position: u64) -> Option<Stretch> {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        let (_, segment) = segments.range(..=position).next_back()?;
        let next = segments.range((Excluded(segment.base), Unbounded)).next().map(|(base, _)| *base);
        let end = next.map_or(segment.end(), |next| segment.end().min(next));
        Some(Stretch { segment: Arc::clone(segment), end, next })
    }

    /// Takes out the segments that end at or before `before`, but for the one that is being written.
    pub(super) fn drop_before(&self, before: u64, active: Option<u64>) -> Vec<Arc<Segment>> {
        let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
        let mut dropped = Vec::new();
        while let Some(entry) = segments.first_entry() {
            let segment = entry.get();
            if segment.end() > before || active == Some(segment.base) {
                break;
            }
            dropped.push(entry.remove());
        }
        dropped
    }

    /// Takes out one segment.
    pub(super) fn remove(&self, base: u64) {
        self.segments.write().unwrap_or_else(PoisonError::into_inner).remove(&base);
    }
}
