//! RFCs: what handles a protocol says which one, and what is cited is tested.
//!
//! A citation is `RFC 5321 4.1.2` in a comment or `rfc5321_4_1_2` in a test's name. Code and tests are compared by
//! RFC and first number of the section.

use super::super::Finding;
use super::super::tree::Tree;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Folders whose branches are a protocol's.
const PROTOCOL: &[&str] = &[
    "mta-core/src/base/sasl/",
    "mta-core/src/base/smtp/",
    "mta-core/src/path/receive/",
    "mta-core/src/path/deliver/",
    "mta-core/src/path/feedback/",
    "mta-core/src/path/settle/",
    "mta-core/src/report/",
];

/// Files in these folders that carry things and decide nothing that a protocol says.
const CARRIERS: &[&str] = &[
    "mta-core/src/path/deliver/copies.rs",
    "mta-core/src/path/deliver/pool.rs",
    "mta-core/src/path/receive/doors.rs",
    "mta-core/src/path/settle/schedule.rs",
    "mta-core/src/report/page.rs",
];

/// An RFC and the first number of a section; none: the RFC as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Citation {
    rfc: u32,
    section: Option<u32>,
}

impl fmt::Display for Citation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RFC {}", self.rfc)?;
        self.section.map_or(Ok(()), |section| write!(f, " {section}"))
    }
}

/// A file of a protocol folder that has functions names the document that they keep to.
pub(super) fn protocol_files_cite(tree: &Tree) -> Vec<Finding> {
    let files = tree.code().filter(|(path, _, code)| in_protocol_folder(path) && !code.all_test);
    files
        .filter(|(path, file, code)| {
            let has_branches = code.functions.iter().any(|function| !code.is_test_line(function.line));
            let cited =
                (1..).zip(file.text.lines()).any(|(n, line)| !code.is_test_line(n) && cites(line).next().is_some());
            has_branches && !cited && !is_driver(path) && !CARRIERS.contains(path)
        })
        .map(|(path, ..)| {
            Finding::new(path, 1, "citation", "cite the RFC and section that this file keeps to, as `RFC 5321 4.1.2`")
        })
        .collect()
}

/// What the code of the protocol folders cites is cited in some test, and what their tests cite is cited in code.
pub(super) fn cited_in_tests_and_code(tree: &Tree) -> Vec<Finding> {
    let (mut code_says, mut tests_say) = (Places::default(), Places::default());
    for (path, file, code) in tree.code().filter(|(path, ..)| !path.starts_with("xtask/")) {
        for (n, line) in (1..).zip(file.text.lines()) {
            let says = if code.is_test_line(n) { &mut tests_say } else { &mut code_says };
            cites(line).for_each(|citation| says.add(citation, path, n));
        }
    }
    let untested = code_says.missing_in(&tests_say).map(|(citation, path, line)| {
        let name = format!("rfc{}{}", citation.rfc, citation.section.map_or(String::new(), |s| format!("_{s}")));
        let advice = format!("{citation} is cited here and in no test: test it, and cite it there (`fn …_{name}…`)");
        Finding::new(path, line, "citation", advice)
    });
    let uncoded = tests_say.missing_in(&code_says).map(|(citation, path, line)| {
        Finding::new(
            path,
            line,
            "citation",
            format!("{citation} is tested here and cited in no code: cite it where it is kept"),
        )
    });
    untested.chain(uncoded).collect()
}

/// Who cites what, and where first.
#[derive(Default)]
struct Places {
    in_protocol: BTreeMap<Citation, (String, usize)>,
    anywhere: BTreeSet<Citation>,
}

impl Places {
    fn add(&mut self, citation: Citation, path: &str, line: usize) {
        self.anywhere.extend([citation, Citation { section: None, ..citation }]);
        if in_protocol_folder(path) {
            self.in_protocol.entry(citation).or_insert_with(|| (path.to_owned(), line));
        }
    }

    fn missing_in<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (Citation, &'a str, usize)> {
        let missing = self.in_protocol.iter().filter(|(citation, _)| !other.anywhere.contains(citation));
        missing.map(|(citation, (path, line))| (*citation, path.as_str(), *line))
    }
}

fn in_protocol_folder(path: &str) -> bool {
    PROTOCOL.iter().any(|folder| path.starts_with(folder))
}

fn is_driver(path: &str) -> bool {
    path.ends_with("/driver.rs") || path.contains("/driver/")
}

/// `RFC 5321 4.1.2` and `rfc5321_4_1_2`.
fn cites(line: &str) -> impl Iterator<Item = Citation> {
    let named = line.match_indices("RFC ").filter_map(|(at, found)| citation(&line[at + found.len()..], ' '));
    // In names only with a section: `rfc2822` alone is somebody's module.
    let called = line.match_indices("rfc").filter_map(|(at, found)| citation(&line[at + found.len()..], '_'));
    named.chain(called.filter(|citation| citation.section.is_some()))
}

fn citation(text: &str, between: char) -> Option<Citation> {
    let (rfc, rest) = number(text)?;
    // Five digits at most: RFC numbers. Words and years have none or are no RFC.
    let rfc = Some(rfc).filter(|rfc| (100..100_000).contains(rfc))?;
    let section = rest.strip_prefix(between).and_then(|rest| number(rest.strip_prefix('§').unwrap_or(rest)));
    Some(Citation { rfc, section: section.map(|(section, _)| section).filter(|section| *section < 100) })
}

fn number(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "mta-core/src/path/receive/x.rs";

    #[test]
    fn a_protocol_file_without_a_citation_is_refused() {
        assert_eq!(protocol_files_cite(&Tree::new([(FILE, "//! Greets.\nfn f() {}")])).len(), 1);
        assert_eq!(protocol_files_cite(&Tree::new([(FILE, "//! Greets (RFC 5321 4.3.1).\nfn f() {}")])), []);
        assert_eq!(protocol_files_cite(&Tree::new([("mta-core/src/edge/x.rs", "fn f() {}")])), []);
        // A test's citation is not the code's.
        let only_test = "fn f() {}\n#[test]\nfn greets_rfc5321_4_3() {}";
        assert_eq!(protocol_files_cite(&Tree::new([(FILE, only_test)])).len(), 1);
    }

    #[test]
    fn what_code_cites_must_be_tested() {
        let code = "// RFC 5321 4.1.2\n// RFC 3030 2\nfn f() {}\n#[test]\nfn f_rfc5321_4_5() {}";
        let found = cited_in_tests_and_code(&Tree::new([(FILE, code)]));
        assert_eq!(found.len(), 1);
        assert!(found[0].advice.starts_with("RFC 3030 2 is cited here and in no test"));
        assert_eq!(found[0].line, 2);
        let scenario = ("tests/scenarios/chunks.rs", "// RFC 3030 2");
        assert_eq!(cited_in_tests_and_code(&Tree::new([(FILE, code), scenario])), []);
    }

    #[test]
    fn what_tests_cite_must_be_in_code() {
        let code = "fn f() {}\n#[test]\nfn f_rfc7505_3() {}";
        let found = cited_in_tests_and_code(&Tree::new([(FILE, code)]));
        assert_eq!(found.len(), 1);
        assert!(found[0].advice.starts_with("RFC 7505 3 is tested here and cited in no code"));
        assert_eq!(
            cited_in_tests_and_code(&Tree::new([(FILE, code), ("mta-core/src/base/dns.rs", "// RFC 7505 3")])),
            []
        );
    }

    #[test]
    fn citations_are_read_in_both_forms() {
        let read = |line| cites(line).map(|c| c.to_string()).collect::<Vec<_>>();
        assert_eq!(
            read("(RFC 5321 4.5.3, RFC 2033) rfc1870_6_1 in RFC 3339 in UTC, fmt::rfc2822"),
            ["RFC 5321 4", "RFC 2033", "RFC 3339", "RFC 1870 6"]
        );
    }
}
