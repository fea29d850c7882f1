//! The rules of the house, checked: `cargo xtask tidy` reads every file that git knows and prints what breaks a rule.
//!
//! A rule is a function from the [`Tree`] to findings, in a file of its own beside the test that shows that it can
//! fail. No rule looks at the disk: tests give it a tree made of texts.

mod code;
mod imports;
pub(crate) mod pages;
mod rules;
mod tree;

use std::fmt;
use std::path::Path;
use tree::Tree;

/// A broken rule: where, which, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    /// Path from the top of the repository.
    file: String,
    /// From 1.
    line: usize,
    /// The rule's name.
    rule: &'static str,
    /// What to do.
    advice: String,
}

impl Finding {
    fn new(file: &str, line: usize, rule: &'static str, advice: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, rule, advice: advice.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.file, self.line, self.rule, self.advice)
    }
}

/// Checks the repository at `root`.
///
/// # Errors
/// Says how many rules are broken, after printing each, or why the files can't be read.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let tree = Tree::read(root)?;
    let mut findings: Vec<_> = rules::ALL.iter().flat_map(|rule| rule(&tree)).collect();
    findings.sort();
    findings.dedup();
    for finding in &findings {
        println!("{finding}");
    }
    let files = tree.files().count();
    if findings.is_empty() {
        println!("tidy: {files} files, {} rules, nothing to do", rules::ALL.len());
        return Ok(());
    }
    Err(format!("tidy: {} findings in {files} files", findings.len()))
}
