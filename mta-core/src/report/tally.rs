//! One report in the making: what was counted for a domain in a period (RFC 9990 3.1, RFC 8460 4), and who has it already.

use super::page::Page;
use super::row::{Head, Row, Subject, TlsPolicy};
use super::schedule;
use crate::base::mail::id::QueueId;
use std::collections::HashMap;
use std::time::Duration;

/// Policies that a domain's connections are told apart by.
const POLICIES_MAX: usize = 16;

/// How often, and how much of that is in the journal.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    total: u64,
    kept: u64,
}

/// The report.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) id: QueueId,
    pub(super) subject: Subject,
    /// Seconds since 1970.
    pub(super) begin: u64,
    /// The same; not part of the period.
    pub(super) end: u64,
    pub(super) head: Head,
    rows: HashMap<Row, Count>,
    /// What was not counted, for want of room.
    pub(super) dropped: u64,
    /// Who has it.
    pub(super) sent: Vec<Box<str>>,
    /// How often it was tried, and when it is next; none: when it is first due.
    pub(super) tries: u32,
    pub(super) next: Option<u64>,
    /// Somebody is sending it.
    pub(super) is_out: bool,
    /// Something is not in the journal.
    pub(super) is_changed: bool,
}

/// A report as it is written out: nothing changes it any more.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    pub(super) id: QueueId,
    pub(super) subject: Subject,
    pub(super) begin: u64,
    pub(super) end: u64,
    pub(super) head: Head,
    /// Most first.
    pub(super) rows: Vec<(Row, u64)>,
    pub(super) dropped: u64,
    pub(super) sent: Vec<Box<str>>,
}

impl Tally {
    pub(super) fn new(id: QueueId, subject: Subject, (begin, end): (u64, u64), head: Head) -> Self {
        Self {
            id,
            subject,
            begin,
            end,
            head,
            rows: HashMap::new(),
            dropped: 0,
            sent: Vec::new(),
            tries: 0,
            next: None,
            is_out: false,
            is_changed: true,
        }
    }

    /// Its rows.
    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// What it counts.
    pub(super) fn results(&self) -> u64 {
        self.rows.values().map(|count| count.total).sum()
    }

    /// One more of a row that is there; false where it is not.
    pub(super) fn count(&mut self, row: &Row) -> bool {
        let Some(count) = self.rows.get_mut(row) else { return false };
        count.total += 1;
        self.is_changed = true;
        true
    }

    /// The first of a row; what it takes of memory.
    pub(super) fn add(&mut self, row: Row) -> usize {
        let bytes = row.bytes();
        self.rows.insert(row, Count { total: 1, kept: 0 });
        self.is_changed = true;
        bytes
    }

    /// The number of a connection's policy, and what it takes of memory where it is new; none: there are too many.
    pub(super) fn policy(&mut self, policy: TlsPolicy) -> Option<(u16, usize)> {
        let Head::Tls(policies) = &mut self.head else { return None };
        let place = match policies.iter().position(|known| *known == policy) {
            Some(place) => (place, 0),
            None if policies.len() < POLICIES_MAX => {
                let bytes = policy.bytes();
                policies.push(policy);
                (policies.len() - 1, bytes)
            }
            None => return None,
        };
        Some((u16::try_from(place.0).ok()?, place.1))
    }

    /// What all of it takes of memory.
    pub(super) fn bytes(&self) -> usize {
        let head = match &self.head {
            Head::Dmarc(_) => 0,
            Head::Tls(policies) => policies.iter().map(TlsPolicy::bytes).sum(),
        };
        head + self.rows.keys().map(Row::bytes).sum::<usize>()
    }

    /// When it is to be sent.
    pub(super) fn due(&self, spread: Duration) -> u64 {
        self.next.unwrap_or_else(|| schedule::due(self.id, self.end, spread))
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let mut rows: Vec<(Row, u64)> = self.rows.iter().map(|(row, count)| (row.clone(), count.total)).collect();
        rows.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        Snapshot {
            id: self.id,
            subject: self.subject.clone(),
            begin: self.begin,
            end: self.end,
            head: self.head.clone(),
            rows,
            dropped: self.dropped,
            sent: self.sent.clone(),
        }
    }

    /// What the journal does not have, or all of it; none where there is nothing.
    pub(super) fn page(&self, all: bool) -> Option<Page> {
        if !all && !self.is_changed {
            return None;
        }
        let rows = self.rows.iter().filter(|(_, count)| all || count.total != count.kept);
        Some(Page {
            id: self.id,
            subject: self.subject.clone(),
            begin: self.begin,
            end: self.end,
            head: self.head.clone(),
            dropped: self.dropped,
            sent: self.sent.clone(),
            rows: rows.map(|(row, count)| (row.clone(), count.total)).collect(),
        })
    }

    /// The journal has this page.
    pub(super) fn kept(&mut self, page: &Page) {
        for (row, total) in &page.rows {
            if let Some(count) = self.rows.get_mut(row) {
                count.kept = *total;
            }
        }
        let told = (page.end, page.dropped, page.sent.len());
        self.is_changed = self.rows.values().any(|count| count.total != count.kept)
            || told != (self.end, self.dropped, self.sent.len())
            || page.head != self.head;
    }

    /// What the journal has.
    pub(super) fn restore(&mut self, page: Page) {
        (self.end, self.head, self.dropped, self.sent) = (page.end, page.head, page.dropped, page.sent);
        for (row, total) in page.rows {
            self.rows.insert(row, Count { total, kept: total });
        }
        self.is_changed = false;
    }
}
