//! Whether new mail can be taken: free space with a hysteresis, and failures of the disk.

use crate::base::flow::spool::Room;
use crate::base::world::store::StoreFault;

/// So many failed commits in a row, and no more mail is taken until one works.
const FAILURES_MAX: u64 = 3;

/// What is known of the disk.
#[derive(Debug)]
pub(super) struct Disk {
    free_bytes_min: u64,
    is_low: bool,
    failures: u64,
}

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Low { free_bytes: u64 },
    Recovered { free_bytes: u64 },
    Writes { failures: u64 },
}

impl Disk {
    pub(super) fn new(free_bytes_min: u64) -> Self {
        Self { free_bytes_min, is_low: false, failures: 0 }
    }

    pub(super) fn room(&self) -> Room {
        if self.failures >= FAILURES_MAX {
            Room::Failing
        } else if self.is_low {
            Room::DiskLow
        } else {
            Room::Open
        }
    }

    /// Free space was looked at. It counts as back an eighth above the threshold, so that it does not flutter.
    pub(super) fn measured(&mut self, free_bytes: u64) -> Option<Change> {
        if !self.is_low && free_bytes < self.free_bytes_min {
            self.is_low = true;
            Some(Change::Low { free_bytes })
        } else if self.is_low && free_bytes >= self.free_bytes_min.saturating_add(self.free_bytes_min / 8) {
            self.is_low = false;
            Some(Change::Recovered { free_bytes })
        } else {
            None
        }
    }

    /// Less than half of the threshold is left: the index is not written either, so that it never meets a full disk.
    pub(super) fn is_nearly_full(&self, free_bytes: u64) -> bool {
        free_bytes < self.free_bytes_min / 2
    }

    /// A commit worked.
    pub(super) fn wrote(&mut self) -> Option<Change> {
        match std::mem::take(&mut self.failures) {
            failures @ FAILURES_MAX.. => Some(Change::Writes { failures }),
            _ => None,
        }
    }

    /// A commit failed. A full disk is known at once, whatever the threshold says.
    pub(super) fn failed(&mut self, fault: &StoreFault, free_bytes: u64) -> Option<Change> {
        if *fault == StoreFault::Full {
            let was_low = std::mem::replace(&mut self.is_low, true);
            return (!was_low).then_some(Change::Low { free_bytes });
        }
        self.failures += 1;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_must_come_back_by_more_than_it_went() {
        let mut disk = Disk::new(800);
        assert_eq!(disk.measured(800), None);
        assert_eq!(disk.measured(799), Some(Change::Low { free_bytes: 799 }));
        assert_eq!((disk.room(), disk.measured(899)), (Room::DiskLow, None));
        assert_eq!(disk.measured(900), Some(Change::Recovered { free_bytes: 900 }));
        assert_eq!(disk.room(), Room::Open);
    }

    #[test]
    fn repeated_failures_close_and_one_success_opens() {
        let mut disk = Disk::new(0);
        let broken = StoreFault::Io("broken".to_owned());
        (0..2).for_each(|_| assert_eq!(disk.failed(&broken, 1), None));
        assert_eq!(disk.room(), Room::Open);
        disk.failed(&broken, 1);
        assert_eq!(disk.room(), Room::Failing);
        assert_eq!(disk.wrote(), Some(Change::Writes { failures: 3 }));
        assert_eq!(disk.room(), Room::Open);
    }

    #[test]
    fn a_full_disk_is_low_at_once_and_said_once() {
        let mut disk = Disk::new(10);
        assert_eq!(disk.failed(&StoreFault::Full, 5), Some(Change::Low { free_bytes: 5 }));
        assert_eq!(disk.failed(&StoreFault::Full, 5), None);
        assert_eq!(disk.room(), Room::DiskLow);
        assert_eq!(disk.measured(11), Some(Change::Recovered { free_bytes: 11 }));
    }
}
