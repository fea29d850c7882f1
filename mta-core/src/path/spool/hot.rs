//! Fresh content kept in memory, so that delivering at once reads nothing back.

use crate::base::mail::id::QueueId;
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};

/// Content of the newest messages, the oldest going first.
#[derive(Debug)]
pub(super) struct Hot {
    bytes_max: usize,
    entry_bytes_max: usize,
    bytes: usize,
    contents: HashMap<QueueId, Bytes>,
    /// In the order of arrival; some have gone already.
    order: VecDeque<QueueId>,
}

impl Hot {
    pub(super) fn new(bytes_max: usize, entry_bytes_max: usize) -> Self {
        Self { bytes_max, entry_bytes_max, bytes: 0, contents: HashMap::new(), order: VecDeque::new() }
    }

    /// Keeps the content if it is small enough.
    pub(super) fn insert(&mut self, id: QueueId, content: Bytes) {
        if content.len() > self.entry_bytes_max.min(self.bytes_max) {
            return;
        }
        self.bytes += content.len();
        if let Some(old) = self.contents.insert(id, content) {
            self.bytes -= old.len();
        } else {
            self.order.push_back(id);
        }
        while self.bytes > self.bytes_max {
            let Some(oldest) = self.order.pop_front() else { break };
            self.remove_content(oldest);
        }
        self.forget_gone();
    }

    pub(super) fn get(&self, id: QueueId) -> Option<Bytes> {
        self.contents.get(&id).cloned()
    }

    pub(super) fn remove(&mut self, id: QueueId) {
        self.remove_content(id);
        self.forget_gone();
    }

    fn remove_content(&mut self, id: QueueId) {
        if let Some(content) = self.contents.remove(&id) {
            self.bytes -= content.len();
        }
    }

    /// Keeps the order no longer than about twice what it orders.
    fn forget_gone(&mut self) {
        if self.order.len() > 2 * self.contents.len() + 64 {
            self.order.retain(|id| self.contents.contains_key(id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets(length: usize) -> Bytes {
        Bytes::from(vec![0; length])
    }

    #[test]
    fn the_oldest_goes_when_room_ends() {
        let mut hot = Hot::new(100, 60);
        (1..=3).for_each(|n| hot.insert(QueueId(n), octets(40)));
        assert_eq!(hot.get(QueueId(1)), None);
        assert_eq!(hot.get(QueueId(3)).map(|c| c.len()), Some(40));
        hot.insert(QueueId(4), octets(61));
        assert_eq!(hot.get(QueueId(4)), None, "too large for it");
    }

    #[test]
    fn memory_of_what_has_gone_is_bounded() {
        let mut hot = Hot::new(1000, 100);
        for n in 0..10_000 {
            hot.insert(QueueId(n), octets(1));
            hot.remove(QueueId(n));
        }
        assert_eq!(hot.bytes, 0);
        assert!(hot.order.len() <= 65);
    }
}
