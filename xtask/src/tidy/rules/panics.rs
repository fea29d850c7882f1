//! No panic without words, no silenced lint without a reason, no unsafe.

use super::super::Finding;
use super::super::code::{Code, Sight};
use super::super::tree::{File, Tree};

/// Where `unsafe` is allowed (docs/ARCHITECTURE.md): the guest's allocator, which runs inside the sandbox, the attribute
/// that names the guest's manifest, and the place where compiled code is taken up.
const UNSAFE_PLACES: &[&str] =
    &["plugin-sdk/src/alloc.rs", "plugin-sdk/macros/src/manifest.rs", "mta-core/src/edge/plugins/code.rs"];

/// A panic says which invariant was broken.
pub(super) fn no_wordless_panics(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, _, code) in program(tree) {
        for line in code.sighted(Sight::Unwrap) {
            let advice = "`unwrap` outside tests: return the error, or `expect(\"the invariant in words\")`";
            findings.push(Finding::new(path, line, "panics", advice));
        }
        for line in code.sighted(Sight::WordlessExpect) {
            findings.push(Finding::new(path, line, "panics", "say in words why this can't fail"));
        }
    }
    findings
}

/// Whoever silences a lint says why, in tests too.
pub(super) fn no_reasonless_allow(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, _, code) in tree.code() {
        for (_, place) in code.sights.iter().filter(|(sight, _)| *sight == Sight::ReasonlessAllow) {
            findings.push(Finding::new(path, place.line, "reasons", "add `reason = \"…\"` to this attribute"));
        }
    }
    findings
}

/// Memory safety is the compiler's business but for documented places.
pub(super) fn no_unsafe(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, _, code) in tree.code().filter(|(path, ..)| !UNSAFE_PLACES.contains(path)) {
        for (_, place) in code.sights.iter().filter(|(sight, _)| *sight == Sight::Unsafe) {
            findings.push(Finding::new(path, place.line, "unsafe", "find a safe way, or a crate that is audited"));
        }
    }
    findings
}

/// What runs for users: not the scenarios.
fn program(tree: &Tree) -> impl Iterator<Item = (&str, &File, &Code)> {
    tree.code().filter(|(_, _, code)| !code.all_test)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(text: &str) -> Tree {
        Tree::new([("a/src/x.rs", text)])
    }

    #[test]
    fn unwrap_and_empty_expect_are_refused_outside_tests() {
        for text in [
            "fn f() { a.unwrap(); }",
            "fn f() { a.expect(\"\"); }",
            "fn f() { a.expect(\"a\"); }",
            "fn f() { m!(a.unwrap()); }",
        ] {
            assert_eq!(no_wordless_panics(&tree(text)).len(), 1, "{text}");
        }
        for text in
            ["fn f() { a.expect(\"ten is a digit\"); }", "fn f() { a.unwrap_or(1); }", "#[test] fn f() { a.unwrap(); }"]
        {
            assert_eq!(no_wordless_panics(&tree(text)), [], "{text}");
        }
    }

    #[test]
    fn a_silenced_lint_needs_a_reason() {
        for text in ["#[allow(dead_code)] fn f() {}", "#![expect(unused)]", "fn f() { #[allow(unused)] let a = 1; }"] {
            assert_eq!(no_reasonless_allow(&tree(text)).len(), 1, "{text}");
        }
        assert_eq!(no_reasonless_allow(&tree("#[expect(dead_code, reason = \"read by the debugger\")] fn f() {}")), []);
    }

    #[test]
    fn unsafe_is_refused_but_in_its_place() {
        for text in ["unsafe fn f() {}", "fn f() { unsafe { g() } }", "unsafe impl Send for A {}"] {
            assert_eq!(no_unsafe(&tree(text)).len(), 1, "{text}");
            for place in UNSAFE_PLACES {
                assert_eq!(no_unsafe(&Tree::new([(*place, text)])), [], "{place}: {text}");
            }
        }
    }
}
