//! All reports: those in the making and those on their way, within the memory that they may take.

use super::page::{Kept, Page};
use super::row::{self, Head, Row, Subject, TlsPolicy};
use super::schedule::period;
use super::tally::{Snapshot, Tally};
use crate::base::flow::operator::reports::ReportKind;
use crate::base::flow::policy::dmarc::Judged;
use crate::base::flow::tls_result::TlsResult;
use crate::base::mail::id::QueueId;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// About what a report takes beside its rows, in octets.
const TALLY_BYTES: usize = 1024;
/// TLS is told of by the day (RFC 8460 4.1).
pub(super) const TLS_EVERY: Duration = Duration::from_secs(86_400);

/// How much there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) reports_max: usize,
    pub(super) rows_per_report_max: usize,
    pub(super) memory_bytes_max: usize,
}

/// When something is counted, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// Seconds since 1970.
    pub(super) now: u64,
    /// The name of a report that begins with it.
    pub(super) id: QueueId,
    /// The period of such reports.
    pub(super) every: Duration,
    pub(super) limits: Limits,
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    tallies: BTreeMap<QueueId, Tally>,
    /// Those whose period goes on.
    open: HashMap<Subject, QueueId>,
    bytes: usize,
    /// Reports that are gone, which the journal does not know.
    gone: Vec<QueueId>,
    /// What was not counted since that was last told, by kind.
    dropped: [u64; ReportKind::ALL.len()],
}

/// A report as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) id: QueueId,
    pub(super) subject: Subject,
    pub(super) begin: u64,
    pub(super) end: u64,
    /// None: somebody is sending it.
    pub(super) due: Option<u64>,
    pub(super) results: u64,
    pub(super) dropped: u64,
}

/// How many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    /// By kind.
    pub(super) reports: [usize; ReportKind::ALL.len()],
    pub(super) bytes: usize,
}

impl Ledger {
    /// A message.
    pub(super) fn message(&self, judged: Judged, moment: Moment) {
        let policy = row::published(judged.policy);
        let subject = Subject { kind: ReportKind::Dmarc, domain: policy.domain.clone() };
        let mut inner = self.inner();
        let inner = &mut *inner;
        let Some(tally) = inner.open(subject, moment, || Head::Dmarc(policy.clone())) else { return };
        let head = Head::Dmarc(policy);
        if tally.head != head {
            (tally.head, tally.is_changed) = (head, true);
        }
        let id = tally.id;
        inner.count(id, Row::of_message(&judged.row), moment.limits);
    }

    /// A connection, for the domain in A-labels.
    pub(super) fn connection(&self, domain: &str, result: &TlsResult, moment: Moment) {
        let subject = Subject { kind: ReportKind::Tls, domain: domain.into() };
        let mut inner = self.inner();
        let inner = &mut *inner;
        let Some(tally) = inner.open(subject, moment, || Head::Tls(Vec::new())) else { return };
        let (id, policy) = (tally.id, tally.policy(TlsPolicy::of(&result.policy)));
        match policy {
            Some((policy, bytes)) => {
                inner.bytes += bytes;
                inner.count(id, Row::of_connection(policy, result), moment.limits);
            }
            None => inner.drop_one(id),
        }
    }

    /// Up to so many whose time has come.
    pub(super) fn due(&self, now: u64, spread: Duration, most: usize) -> Vec<QueueId> {
        let inner = self.inner();
        let due = inner.tallies.values().filter(|tally| tally.end <= now && !tally.is_out && tally.due(spread) <= now);
        due.take(most).map(|tally| tally.id).collect()
    }

    /// Ends the periods of a domain's reports, of which further results make new ones; all reports for it.
    pub(super) fn close(&self, domain: &str, now: u64, mut fresh: impl FnMut() -> QueueId) -> Vec<QueueId> {
        let mut inner = self.inner();
        for kind in ReportKind::ALL {
            let subject = Subject { kind, domain: domain.into() };
            let Some(id) = inner.open.get(&subject).copied() else { continue };
            let Some(tally) = inner.tallies.get_mut(&id).filter(|tally| tally.rows() > 0) else { continue };
            let (end, rest) = (tally.end, now.max(tally.begin + 1));
            (tally.end, tally.next, tally.is_changed) = (rest, Some(now), true);
            // So that what comes in the rest of the period is told with the time from here on.
            let head = match &tally.head {
                Head::Dmarc(policy) => Head::Dmarc(policy.clone()),
                Head::Tls(_) => Head::Tls(Vec::new()),
            };
            let next = Tally::new(fresh(), subject.clone(), (rest, end.max(rest + 1)), head);
            inner.open.insert(subject, next.id);
            inner.bytes += TALLY_BYTES;
            inner.tallies.insert(next.id, next);
        }
        let of_it = inner.tallies.values().filter(|tally| *tally.subject.domain == *domain && tally.rows() > 0);
        of_it.map(|tally| tally.id).collect()
    }

    /// The report, for whoever sends it; none where somebody does, or where it is gone.
    pub(super) fn take(&self, id: QueueId) -> Option<Snapshot> {
        let mut inner = self.inner();
        let tally = inner.tallies.get_mut(&id).filter(|tally| !tally.is_out)?;
        tally.is_out = true;
        Some(tally.snapshot())
    }

    /// Nobody sends it now.
    pub(super) fn put_back(&self, id: QueueId) {
        if let Some(tally) = self.inner().tallies.get_mut(&id) {
            tally.is_out = false;
        }
    }

    /// It is tried again; the number of tries until now, and when it was first due.
    pub(super) fn tries(&self, id: QueueId, spread: Duration) -> Option<(u32, u64)> {
        let inner = self.inner();
        let tally = inner.tallies.get(&id)?;
        Some((tally.tries, super::schedule::due(id, tally.end, spread)))
    }

    /// It is tried again then.
    pub(super) fn later(&self, id: QueueId, next: u64) {
        if let Some(tally) = self.inner().tallies.get_mut(&id) {
            tally.tries += 1;
            tally.next = Some(next);
        }
    }

    /// One of its destinations has it.
    pub(super) fn sent(&self, id: QueueId, to: &str) {
        if let Some(tally) = self.inner().tallies.get_mut(&id) {
            tally.sent.push(to.into());
            tally.is_changed = true;
        }
    }

    /// It is done with.
    pub(super) fn forget(&self, id: QueueId) {
        let mut inner = self.inner();
        inner.remove(id);
        inner.gone.push(id);
    }

    /// All of them that count something.
    pub(super) fn list(&self, spread: Duration) -> Vec<Listed> {
        let inner = self.inner();
        let listed = |tally: &Tally| Listed {
            id: tally.id,
            subject: tally.subject.clone(),
            begin: tally.begin,
            end: tally.end,
            due: (!tally.is_out).then(|| tally.due(spread)),
            results: tally.results(),
            dropped: tally.dropped,
        };
        let mut all: Vec<Listed> = inner.tallies.values().filter(|tally| tally.rows() > 0).map(listed).collect();
        all.sort_by(|one, other| (&one.subject, one.begin).cmp(&(&other.subject, other.begin)));
        all
    }

    /// All for a domain that count something.
    pub(super) fn of(&self, domain: &str) -> Vec<Snapshot> {
        let inner = self.inner();
        let of_it = inner.tallies.values().filter(|tally| *tally.subject.domain == *domain && tally.rows() > 0);
        of_it.map(Tally::snapshot).collect()
    }

    /// What was not counted since the last call, by kind.
    pub(super) fn take_dropped(&self) -> [u64; ReportKind::ALL.len()] {
        std::mem::take(&mut self.inner().dropped)
    }

    pub(super) fn figures(&self) -> Figures {
        let inner = self.inner();
        let of = |kind| inner.tallies.values().filter(|tally| tally.subject.kind == kind).count();
        Figures { reports: ReportKind::ALL.map(of), bytes: inner.bytes }
    }

    /// Pages of up to so many reports that the journal does not have, and those that are gone.
    pub(super) fn unwritten(&self, most: usize) -> (Vec<Page>, Vec<QueueId>) {
        let inner = self.inner();
        let pages = inner.tallies.values().filter_map(|tally| tally.page(false)).take(most).collect();
        (pages, inner.gone.clone())
    }

    /// The journal has them.
    pub(super) fn written(&self, pages: &[Page], gone: &[QueueId]) {
        let mut inner = self.inner();
        for page in pages {
            if let Some(tally) = inner.tallies.get_mut(&page.id) {
                tally.kept(page);
            }
        }
        inner.gone.retain(|id| !gone.contains(id));
    }

    /// The names of all of them.
    pub(super) fn ids(&self) -> Vec<QueueId> {
        self.inner().tallies.keys().copied().collect()
    }

    /// The names of all of that kind.
    pub(super) fn ids_of(&self, kind: ReportKind) -> Vec<QueueId> {
        self.inner().tallies.values().filter(|tally| tally.subject.kind == kind).map(|tally| tally.id).collect()
    }

    /// All that there is of one.
    pub(super) fn whole(&self, id: QueueId) -> Option<Page> {
        self.inner().tallies.get(&id)?.page(true)
    }

    /// What the journal has, one record after the other.
    pub(super) fn restore(&self, kept: Kept) {
        let mut inner = self.inner();
        match kept {
            Kept::Gone(id) => inner.remove(id),
            Kept::Page(page) => {
                let (id, subject, period, head) =
                    (page.id, page.subject.clone(), (page.begin, page.end), page.head.clone());
                inner.tallies.entry(id).or_insert_with(|| Tally::new(id, subject, period, head)).restore(*page);
            }
        }
    }

    /// All of the journal was restored: which of them go on.
    pub(super) fn restored(&self, now: u64) {
        let mut inner = self.inner();
        let open = inner.tallies.values().filter(|tally| tally.end > now);
        inner.open = open.map(|tally| (tally.subject.clone(), tally.id)).collect();
        inner.bytes = inner.tallies.values().map(|tally| TALLY_BYTES + tally.bytes()).sum();
    }

    /// No change panics half-way, so what a poisoned lock guards is whole.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// The report that results of this moment belong to; none: there are too many.
    fn open(&mut self, subject: Subject, moment: Moment, head: impl FnOnce() -> Head) -> Option<&mut Tally> {
        let known = self.open.get(&subject).copied();
        let known = known.filter(|id| self.tallies.get(id).is_some_and(|tally| tally.end > moment.now));
        let id = match known {
            Some(id) => id,
            None if self.tallies.len() < moment.limits.reports_max => {
                let tally = Tally::new(moment.id, subject.clone(), period(moment.now, moment.every), head());
                self.bytes += TALLY_BYTES;
                self.tallies.insert(moment.id, tally);
                self.open.insert(subject, moment.id);
                moment.id
            }
            None => {
                self.dropped[subject.kind as usize] += 1;
                return None;
            }
        };
        self.tallies.get_mut(&id)
    }

    fn count(&mut self, id: QueueId, row: Row, limits: Limits) {
        let Some(tally) = self.tallies.get_mut(&id) else { return };
        if tally.count(&row) {
            return;
        }
        let has_memory = self.bytes + row.bytes() <= limits.memory_bytes_max;
        if has_memory && tally.rows() < limits.rows_per_report_max {
            self.bytes += tally.add(row);
            return;
        }
        // There are only so many that say no more than what was wrong, so they may go beyond the rows.
        match row.coarse() {
            Some(coarse) if tally.count(&coarse) => {}
            Some(coarse) if has_memory => self.bytes += tally.add(coarse),
            _ => self.drop_one(id),
        }
    }

    fn drop_one(&mut self, id: QueueId) {
        let Some(tally) = self.tallies.get_mut(&id) else { return };
        tally.dropped += 1;
        tally.is_changed = true;
        self.dropped[tally.subject.kind as usize] += 1;
    }

    fn remove(&mut self, id: QueueId) {
        let Some(tally) = self.tallies.remove(&id) else { return };
        self.bytes = self.bytes.saturating_sub(TALLY_BYTES + tally.bytes());
        if self.open.get(&tally.subject) == Some(&id) {
            self.open.remove(&tally.subject);
        }
    }
}
