//! Counting: what is the same, what there is no room for, when a period ends, and what a restart finds.

use super::world::{DAY, MIDNIGHT, connection, judged};
use crate::base::flow::operator::reports::ReportKind;
use crate::base::flow::tls_result::TlsFailure;
use crate::base::mail::id::QueueId;
use crate::base::time::UnixMillis;
use crate::report::ledger::{Ledger, Limits, Moment};
use crate::report::page;
use crate::report::row::{Head, Row};
use proptest::prelude::*;
use std::cell::Cell;
use std::time::Duration;

const LIMITS: Limits = Limits { reports_max: 100, rows_per_report_max: 1000, memory_bytes_max: 1 << 20 };
const NEVER: Duration = Duration::ZERO;

thread_local! {
    static NEXT: Cell<u128> = const { Cell::new(0) };
}

fn fresh() -> QueueId {
    NEXT.set(NEXT.get() + 1);
    QueueId::new(UnixMillis(MIDNIGHT * 1000), NEXT.get() << 64)
}

fn at(now: u64, limits: Limits) -> Moment {
    Moment { now, id: fresh(), every: Duration::from_secs(DAY), limits }
}

#[test]
fn what_is_the_same_is_counted_and_the_last_policy_is_told_rfc9990_3_1() {
    let ledger = Ledger::default();
    let mut last = judged("author.test", "author.test", 1);
    last.policy.tests = true;
    for message in [judged("author.test", "author.test", 1), judged("author.test", "sub.author.test", 1), last.clone()]
    {
        ledger.message(message, at(MIDNIGHT + 5, LIMITS));
    }
    ledger.message(judged("other.test", "other.test", 1), at(MIDNIGHT + 5, LIMITS));
    let [report] = &ledger.of("author.test")[..] else { panic!("one report for a domain") };
    let counts: Vec<u64> = report.rows.iter().map(|(_, count)| *count).collect();
    assert_eq!((counts, report.head.clone()), (vec![2, 1], Head::Dmarc(last.policy)));
    assert_eq!((report.begin, report.end), (MIDNIGHT, MIDNIGHT + DAY));
    assert_eq!(ledger.list(NEVER).len(), 2);
}

#[test]
fn connections_are_counted_by_policy_and_by_what_was_wrong_rfc8460_4_2() {
    let ledger = Ledger::default();
    let failed = Some(TlsFailure::CertificateExpired);
    for failure in [None, None, failed, failed, Some(TlsFailure::StarttlsNotSupported)] {
        ledger.connection("b.test", &connection("b.test", failure), at(MIDNIGHT, LIMITS));
    }
    let [report] = &ledger.of("b.test")[..] else { panic!("one report for a domain") };
    assert_eq!(report.rows.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [2, 2, 1]);
    assert!(matches!(&report.head, Head::Tls(policies) if policies.len() == 1));
}

#[test]
fn there_are_only_so_many_reports_rows_and_octets_and_the_rest_is_told() {
    let ledger = Ledger::default();
    let few = Limits { reports_max: 2, rows_per_report_max: 3, ..LIMITS };
    for client in 0..10 {
        ledger.message(judged("a.test", "a.test", client), at(MIDNIGHT, few));
        ledger.message(judged(&format!("{client}.test"), "x.test", 1), at(MIDNIGHT, few));
    }
    let report = &ledger.of("a.test")[0];
    assert_eq!((report.rows.len(), report.dropped, ledger.list(NEVER).len()), (3, 7, 2));
    assert_eq!(ledger.take_dropped(), [7 + 9, 0]);
    assert_eq!(ledger.take_dropped(), [0, 0]);

    let ledger = Ledger::default();
    let small = Limits { memory_bytes_max: 20_000, ..LIMITS };
    for client in 0..100 {
        ledger.message(judged("a.test", "a.test", client), at(MIDNIGHT, small));
    }
    let report = &ledger.of("a.test")[0];
    assert!(report.rows.len() > 10 && report.rows.len() < 50 && ledger.figures().bytes <= 20_000);
    assert_eq!(report.rows.len() as u64 + report.dropped, 100);
    ledger.forget(report.id);
    assert_eq!(ledger.figures().bytes, 0, "what is gone takes nothing");
}

#[test]
fn of_failures_beyond_the_rows_their_kind_is_still_counted_rfc8460_4_2_2() {
    let ledger = Ledger::default();
    let few = Limits { rows_per_report_max: 2, ..LIMITS };
    for host in 0..20 {
        let mut result = connection("b.test", Some(TlsFailure::CertificateExpired));
        result.mx = Some(format!("{host}.mx.test").into());
        ledger.connection("b.test", &result, at(MIDNIGHT, few));
    }
    let report = &ledger.of("b.test")[0];
    assert_eq!(report.rows.iter().map(|(_, count)| count).sum::<u64>(), 20);
    assert_eq!((report.rows.len(), report.dropped), (3, 0));
}

#[test]
fn a_period_ends_and_its_report_is_due_within_the_spread() {
    let (ledger, spread) = (Ledger::default(), Duration::from_secs(3600));
    for now in [MIDNIGHT + 10, MIDNIGHT + DAY - 1, MIDNIGHT + DAY] {
        ledger.message(judged("a.test", "a.test", 1), at(now, LIMITS));
    }
    let [first, second] = &ledger.list(spread)[..] else { panic!("two periods") };
    assert_eq!((first.results, second.results), (2, 1));
    assert_eq!((first.end, second.begin), (MIDNIGHT + DAY, MIDNIGHT + DAY));
    assert_eq!(ledger.due(MIDNIGHT + DAY - 1, spread, 9), []);
    assert_eq!(ledger.due(MIDNIGHT + DAY + 3600, spread, 9), [first.id]);
    let taken = ledger.take(first.id).expect("it is there");
    assert_eq!(taken.rows.len(), 1);
    assert!(ledger.take(first.id).is_none() && ledger.due(MIDNIGHT + DAY + 3600, spread, 9).is_empty());
    ledger.put_back(first.id);
    ledger.later(first.id, MIDNIGHT + DAY + 7200);
    assert_eq!(ledger.due(MIDNIGHT + DAY + 3600, spread, 9), []);
    assert_eq!(ledger.due(MIDNIGHT + DAY + 7200, spread, 9), [first.id]);
}

#[test]
fn an_operator_ends_a_period_and_the_rest_of_it_is_another() {
    let ledger = Ledger::default();
    ledger.message(judged("a.test", "a.test", 1), at(MIDNIGHT + 10, LIMITS));
    let closed = ledger.close("a.test", MIDNIGHT + 100, fresh);
    ledger.message(judged("a.test", "a.test", 1), at(MIDNIGHT + 100, LIMITS));
    let [first, second] = &ledger.list(NEVER)[..] else { panic!("two reports") };
    assert_eq!((&closed[..], first.end, second.begin), (&[first.id][..], MIDNIGHT + 100, MIDNIGHT + 100));
    assert_eq!(second.end, MIDNIGHT + DAY);
    assert_eq!(ledger.close("b.test", MIDNIGHT + 100, fresh), []);
}

/// What happens to a ledger.
#[derive(Clone, Debug)]
enum Step {
    Message { domain: u8, client: u8, minute: u64 },
    Connection { domain: u8, fails: bool, minute: u64 },
    Save,
    Close { domain: u8, minute: u64 },
    Sent { nth: usize },
    Forget { nth: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let minute = 0..3000_u64;
    prop_oneof![
        4 => (0..3_u8, 0..4_u8, minute.clone())
            .prop_map(|(domain, client, minute)| Step::Message { domain, client, minute }),
        3 => (0..3_u8, any::<bool>(), minute.clone())
            .prop_map(|(domain, fails, minute)| Step::Connection { domain, fails, minute }),
        2 => Just(Step::Save),
        1 => (0..3_u8, minute).prop_map(|(domain, minute)| Step::Close { domain, minute }),
        1 => (0..4_usize).prop_map(|nth| Step::Sent { nth }),
        1 => (0..4_usize).prop_map(|nth| Step::Forget { nth }),
    ]
}

fn saved(ledger: &Ledger, journal: &mut Vec<(u8, Vec<u8>)>) {
    let (pages, gone) = ledger.unwritten(usize::MAX);
    let records = pages.iter().flat_map(page::Page::records).chain(gone.iter().map(|id| page::gone(*id)));
    journal.extend(records.map(|record| (record.kind, record.pieces.concat())));
    ledger.written(&pages, &gone);
}

/// A report's name, its end, its rows, and who has it.
type Shown = (QueueId, u64, Vec<(Row, u64)>, Vec<Box<str>>);

fn shown(ledger: &Ledger) -> Vec<Shown> {
    let mut all = Vec::new();
    for domain in ["0.test", "1.test", "2.test"] {
        for mut report in ledger.of(domain) {
            report.rows.sort_by_key(|(row, _)| format!("{row:?}"));
            all.push((report.id, report.end, report.rows, report.sent));
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever happens, and whenever it is written: what the journal has is what was there at the last save, and what
    /// comes behind it is counted on.
    #[test]
    fn a_restart_finds_what_was_saved(steps in proptest::collection::vec(step(), 0..60)) {
        let (ledger, mut journal) = (Ledger::default(), Vec::new());
        for step in steps {
            let minutes = |minute: u64| MIDNIGHT + minute * 60;
            match step {
                Step::Message { domain, client, minute } => {
                    let domain = format!("{domain}.test");
                    ledger.message(judged(&domain, &domain, client), at(minutes(minute), LIMITS));
                }
                Step::Connection { domain, fails, minute } => {
                    let domain = format!("{domain}.test");
                    let failure = fails.then_some(TlsFailure::TlsaInvalid);
                    ledger.connection(&domain, &connection(&domain, failure), at(minutes(minute), LIMITS));
                }
                Step::Save => saved(&ledger, &mut journal),
                Step::Close { domain, minute } => drop(ledger.close(&format!("{domain}.test"), minutes(minute), fresh)),
                Step::Sent { nth } => {
                    ledger.list(NEVER).get(nth).into_iter().for_each(|report| ledger.sent(report.id, "x@y.test"));
                }
                Step::Forget { nth } => {
                    ledger.list(NEVER).get(nth).into_iter().for_each(|report| ledger.forget(report.id));
                }
            }
        }
        saved(&ledger, &mut journal);
        let (pages, gone) = ledger.unwritten(usize::MAX);
        prop_assert!(pages.is_empty() && gone.is_empty(), "nothing is written twice: {pages:?}");
        let again = Ledger::default();
        for (kind, payload) in journal {
            again.restore(page::read(kind, &payload).expect("it is a page"));
        }
        again.restored(MIDNIGHT);
        prop_assert_eq!(shown(&again), shown(&ledger));
        prop_assert_eq!(again.figures(), ledger.figures());
        let kinds = [ReportKind::Dmarc, ReportKind::Tls].map(|kind| again.ids_of(kind).len());
        prop_assert_eq!(kinds, ledger.figures().reports);
    }
}
