//! Reports as they are kept: pages of rows, a record of a journal each. The last page that has a row is right.

use super::row::{Head, Row, Subject};
use crate::base::mail::id::QueueId;
use crate::base::world::store::Record;
use serde::{Deserialize, Serialize};

/// The kind of a record that is a page; 1 was one whose connections did not say where we came from.
const PAGE: u8 = 3;
/// The kind of a record that says that a report is gone.
const GONE: u8 = 2;
/// Rows of one page.
const PAGE_ROWS_MAX: usize = 128;

/// Some rows of a report, and what stands above them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Page {
    pub(super) id: QueueId,
    pub(super) subject: Subject,
    pub(super) begin: u64,
    pub(super) end: u64,
    pub(super) head: Head,
    pub(super) dropped: u64,
    pub(super) sent: Vec<Box<str>>,
    pub(super) rows: Vec<(Row, u64)>,
}

/// What a record says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kept {
    Page(Box<Page>),
    Gone(QueueId),
}

impl Page {
    /// As records, none of them too long.
    pub(super) fn records(&self) -> Vec<Record> {
        let pieces: Vec<&[(Row, u64)]> =
            if self.rows.is_empty() { vec![&[]] } else { self.rows.chunks(PAGE_ROWS_MAX).collect() };
        let piece = |rows: &[(Row, u64)]| record(PAGE, &Self { rows: rows.to_vec(), ..self.above() });
        pieces.into_iter().map(piece).collect()
    }

    /// Without its rows.
    fn above(&self) -> Self {
        Self {
            id: self.id,
            subject: self.subject.clone(),
            head: self.head.clone(),
            sent: self.sent.clone(),
            rows: Vec::new(),
            ..*self
        }
    }
}

/// A report is gone.
pub(super) fn gone(id: QueueId) -> Record {
    record(GONE, &id)
}

/// What a record says; none when it is none of ours, as one of a newer version.
pub(super) fn read(kind: u8, payload: &[u8]) -> Option<Kept> {
    match kind {
        PAGE => postcard::from_bytes(payload).ok().map(|page| Kept::Page(Box::new(page))),
        GONE => postcard::from_bytes(payload).ok().map(Kept::Gone),
        _ => None,
    }
}

fn record(kind: u8, what: &impl Serialize) -> Record {
    let octets = postcard::to_extend(what, Vec::new()).expect("pages are plain data: a growing vector takes all");
    Record { kind, pieces: vec![octets.into()] }
}

#[cfg(test)]
mod tests {
    use super::super::row::TlsRow;
    use super::*;
    use crate::base::flow::operator::reports::ReportKind;

    #[test]
    fn a_long_report_is_kept_in_several_records() {
        let row = |policy| (Row::Tls(TlsRow { policy, failure: None }), 3);
        let page = Page {
            id: QueueId(7),
            subject: Subject { kind: ReportKind::Tls, domain: "a.test".into() },
            begin: 1,
            end: 2,
            head: Head::Tls(Vec::new()),
            dropped: 4,
            sent: vec!["b@a.test".into()],
            rows: (0..300).map(row).collect(),
        };
        let mut rows = Vec::new();
        for record in page.records() {
            let Some(Kept::Page(read)) = read(record.kind, &record.pieces[0]) else { panic!("it is a page") };
            assert_eq!(read.above(), page.above());
            rows.extend(read.rows);
        }
        assert_eq!((rows, page.records().len()), (page.rows.clone(), 3));
        let record = gone(QueueId(7));
        assert_eq!(read(record.kind, &record.pieces[0]), Some(Kept::Gone(QueueId(7))));
        assert_eq!(read(9, &[]), None);
    }
}
