//! Where a shadow or a canary says something else than what it is measured by: counted, and the last of it kept.

use crate::base::flow::operator::trial::{Difference, Said};
use crate::sandbox::host::call::LogGate;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Differences that are kept of one plugin.
const KEPT_MAX: usize = 32;
/// Edits that are kept of one answer.
const EDITS_KEPT_MAX: usize = 16;
/// The longest text that is kept of a verdict or an edit, in octets.
const TEXT_BYTES_MAX: usize = 256;
/// Lines of the log a second.
const LINES_PER_SECOND_MAX: u32 = 1;

/// One plugin's report.
#[derive(Default)]
pub(crate) struct Report {
    counts: Mutex<Counts>,
    lines: LogGate,
}

/// What was counted, and the last differences.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) calls: u64,
    pub(crate) differing: u64,
    pub(crate) faults: u64,
    pub(crate) dropped: u64,
    pub(crate) last: VecDeque<Difference>,
}

/// Whether what one would have said differs from what was said. Without one plugin to be measured by it is the whole
/// chain's answer: that stays as it is where this plugin has no opinion and changes nothing.
pub(crate) fn differ(by_chain: bool, said: &Said, other: &Said) -> bool {
    match by_chain {
        true => !other.is_next() && (other.verdict != said.verdict || !other.edits.is_empty()),
        false => said != other,
    }
}

impl Report {
    /// A call was compared, and was answered alike.
    pub(crate) fn alike(&self) {
        self.counts().calls += 1;
    }

    /// A call was answered differently: how many were since the last line of the log, if one is to be written.
    pub(crate) fn differs(&self, mut difference: Difference, second: u64) -> Option<u64> {
        for said in [&mut difference.said, &mut difference.other] {
            shorten(said);
        }
        let mut counts = self.counts();
        counts.calls += 1;
        counts.differing += 1;
        if counts.last.len() >= KEPT_MAX {
            counts.last.pop_front();
        }
        counts.last.push_back(difference);
        self.lines.pass(second, LINES_PER_SECOND_MAX).map(|before| before + 1)
    }

    /// Who was asked beside the mail failed.
    pub(crate) fn faulted(&self) {
        self.counts().faults += 1;
    }

    /// So many calls were not compared.
    pub(crate) fn dropped(&self, calls: u64) {
        self.counts().dropped += calls;
    }

    pub(crate) fn read(&self) -> Counts {
        self.counts().clone()
    }

    /// No change panics half-way, so what a poisoned lock guards is whole.
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shorten(said: &mut Said) {
    let more = said.edits.len().saturating_sub(EDITS_KEPT_MAX);
    said.edits.truncate(EDITS_KEPT_MAX);
    for text in said.edits.iter_mut().chain([&mut said.verdict]) {
        text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
    }
    if more > 0 {
        said.edits.push(format!("and {more} more"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(verdict: &str, edits: &[&str]) -> Said {
        Said { verdict: verdict.to_owned(), edits: edits.iter().map(|edit| (*edit).to_owned()).collect() }
    }

    #[test]
    fn against_one_plugin_all_counts_and_against_the_chain_what_would_change_it() {
        let (next, reject) = (said("next", &[]), said("reject 550 5.7.1 no", &[]));
        assert!(!differ(false, &next, &next) && differ(false, &reject, &next));
        assert!(differ(false, &next, &said("next", &["add X: 1"])));
        assert!(!differ(true, &reject, &next), "the chain refuses without it too");
        assert!(!differ(true, &reject, &reject) && differ(true, &next, &reject));
        assert!(differ(true, &next, &said("next", &["add X: 1"])));
    }

    #[test]
    fn what_is_kept_is_bounded_and_lines_are_few() {
        let report = Report::default();
        let long = said(&"x".repeat(999), &["y"; 99]);
        let difference = |n: usize| Difference {
            at: n.to_string(),
            hook: "data".to_owned(),
            session: None,
            id: None,
            said: Said::next(),
            other: long.clone(),
        };
        let lines: Vec<Option<u64>> = (0..100).map(|n| report.differs(difference(n), 7)).collect();
        assert_eq!((lines[0], lines[1..].iter().flatten().count()), (Some(1), 0));
        assert_eq!(report.differs(difference(100), 8), Some(100));
        report.alike();
        report.dropped(5);
        let counts = report.read();
        assert_eq!((counts.calls, counts.differing, counts.dropped, counts.last.len()), (102, 101, 5, KEPT_MAX));
        let last = &counts.last.back().expect("it was kept").other;
        assert_eq!((last.verdict.len(), last.edits.len()), (TEXT_BYTES_MAX, EDITS_KEPT_MAX + 1));
        assert_eq!(last.edits[EDITS_KEPT_MAX], "and 83 more");
    }
}
