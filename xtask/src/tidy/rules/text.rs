//! What can be told from the text alone: openings, unfinished marks, links.

use super::super::Finding;
use super::super::tree::Tree;

/// A file that the parser can't read is checked by no other rule.
pub(super) fn parses(tree: &Tree) -> Vec<Finding> {
    let unparsed = tree.files().filter_map(|(path, file)| Some((path, file.unparsed.as_ref()?)));
    unparsed.map(|(path, (line, why))| Finding::new(path, *line, "syntax", why.clone())).collect()
}

/// The first line says what the file is for, in a sentence.
pub(super) fn files_say_what_they_are_for(tree: &Tree) -> Vec<Finding> {
    let rust = tree.files().filter(|(path, _)| path.ends_with(".rs"));
    rust.filter(|(_, file)| !opens_with_a_sentence(&file.text))
        .map(|(path, _)| {
            let advice = "open the file with `//!` and a sentence of at least three words that says what it is for";
            Finding::new(path, 1, "opening", advice)
        })
        .collect()
}

fn opens_with_a_sentence(text: &str) -> bool {
    // A fuzz target's `#![no_main]` must come first.
    let mut lines = text.lines().skip_while(|line| line.starts_with("#![") || line.is_empty());
    let first = lines.next().and_then(|line| line.strip_prefix("//! "));
    first.is_some_and(|words| words.split_whitespace().count() >= 3)
}

/// What is not done is an issue, not a comment.
pub(super) fn no_unfinished_marks(tree: &Tree) -> Vec<Finding> {
    // Written so that this file passes its own rule.
    let marks =
        [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:"), concat!("todo", "!("), concat!("HA", "CK:")];
    let mut findings = Vec::new();
    for (path, file) in tree.files().filter(|(path, _)| *path != "Cargo.lock" && *path != "LICENSE") {
        for (line, text) in (1..).zip(file.text.lines()) {
            if let Some(mark) = marks.iter().find(|mark| has_word(text, mark)) {
                let advice = format!("`{mark}`: finish it, or take it out and open an issue");
                findings.push(Finding::new(path, line, "unfinished", advice));
            }
        }
    }
    findings
}

fn has_word(text: &str, word: &str) -> bool {
    let is_letter = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(word).any(|(at, _)| {
        let ends_open = word.ends_with(|c: char| !c.is_alphanumeric());
        !is_letter(text[..at].chars().next_back()) && (ends_open || !is_letter(text[at + word.len()..].chars().next()))
    })
}

/// A page's relative links lead to files that are there.
pub(super) fn links_resolve(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, file) in tree.files().filter(|(path, _)| path.ends_with(".md")) {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut fenced = false;
        for (line, text) in (1..).zip(file.text.lines()) {
            fenced ^= text.trim_start().starts_with("```");
            for target in links(text).filter(|target| !fenced && is_relative(target)) {
                let file = target.split('#').next().unwrap_or(target);
                if !file.is_empty() && !joined(folder, file).is_some_and(|to| to.is_empty() || tree.has(&to)) {
                    findings.push(Finding::new(path, line, "links", format!("`{target}` leads nowhere")));
                }
            }
        }
    }
    findings
}

/// The targets of `[words](target)` in a line, code spans left out.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let outside_code = text.split('`').step_by(2);
    outside_code.flat_map(|part| part.split("](").skip(1)).filter_map(|rest| rest.split([')', ' ']).next())
}

fn is_relative(target: &str) -> bool {
    !target.contains("://") && !target.starts_with("mailto:") && !target.starts_with('#')
}

/// `folder/target` with `.` and `..` worked out; none if it leaves the repository.
fn joined(folder: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_an_opening_is_refused() {
        let tree = Tree::new([
            ("a/src/plain.rs", "fn f() {}"),
            ("a/src/short.rs", "//! helpers\n"),
            ("a/src/good.rs", "//! What a file may say.\n"),
            ("fuzz/x.rs", "#![no_main]\n//! Feeds commands to the parser.\n"),
        ]);
        let found: Vec<_> = files_say_what_they_are_for(&tree).into_iter().map(|f| f.file).collect();
        assert_eq!(found, ["a/src/plain.rs", "a/src/short.rs"]);
    }

    #[test]
    fn an_unfinished_mark_is_refused_wherever_it_stands() {
        let mark = concat!("TO", "DO");
        let tree = Tree::new([("README.md", format!("fine\n{mark}: more")), ("docs/a.md", format!("A{mark}S"))]);
        let found = no_unfinished_marks(&tree);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].file.as_str(), found[0].line), ("README.md", 2));
    }

    #[test]
    fn a_link_to_nowhere_is_refused() {
        let page = "[a](b.md) [c](../README.md#top) [d](https://x.test/) [e](gone.md) `[f](code.md)`\n```\n[g](fenced.md)\n```";
        let tree = Tree::new([("docs/a.md", page), ("docs/b.md", ""), ("README.md", "[docs](docs)")]);
        let found = links_resolve(&tree);
        assert_eq!(found.len(), 1);
        assert!(found[0].advice.contains("gone.md"));
    }

    #[test]
    fn a_file_that_does_not_parse_is_refused() {
        assert_eq!(parses(&Tree::new([("a/src/x.rs", "\nfn f( {}")])).len(), 1);
    }
}
