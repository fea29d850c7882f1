//! How long a function may be.

use super::super::Finding;
use super::super::tree::Tree;

const FUNCTION_LINES_MAX: usize = 70;

/// A function fits a screen, tests included.
pub(super) fn short_functions(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, _, code) in tree.code() {
        for function in code.functions.iter().filter(|function| function.lines > FUNCTION_LINES_MAX) {
            let (name, lines) = (&function.name, function.lines);
            let advice = format!("`{name}` has {lines} lines, at most {FUNCTION_LINES_MAX}: take an idea out of it");
            findings.push(Finding::new(path, function.line, "function-length", advice));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seventy_lines_pass_and_one_more_does_not() {
        let function = |name: &str, lines: usize| format!("fn {name}() {{\n{}}}\n", "\n".repeat(lines - 2));
        let method = format!("impl A {{\n{}}}\n", function("method", 71));
        let text = function("fits", 70) + &function("long", 71) + &method;
        let found = short_functions(&Tree::new([("a/src/x.rs", text)]));
        assert_eq!(found.iter().map(|f| f.line).collect::<Vec<_>>(), [71, 143]);
        assert!(found[0].advice.contains("`long` has 71 lines"));
    }
}
