//! Patterns as operators write them, made into regular expressions that the server runs; networks.

use std::fmt::Write;

/// What `*` and `?` stand for, as an expression on one line of a text with many: each line is a thing of its own.
pub(crate) fn glob(pattern: &str) -> String {
    let mut expression = "(?im)^".to_owned();
    push_glob(&mut expression, pattern);
    expression + "$"
}

/// The same for addresses: what has no `@` is a domain.
pub(crate) fn address_glob(pattern: &str) -> String {
    let mut expression = "(?im)^".to_owned();
    if !pattern.contains('@') && pattern != "<>" {
        expression.push_str(".*@");
    }
    push_glob(&mut expression, pattern);
    expression + "$"
}

/// An expression of the operator's own: case makes no difference, unless it says so.
pub(crate) fn expression(written: &str) -> String {
    format!("(?i:{written})")
}

fn push_glob(expression: &mut String, pattern: &str) {
    for c in pattern.chars() {
        match c {
            '*' => expression.push_str(".*"),
            '?' => expression.push('.'),
            // The rest of ASCII that is no letter and no digit may mean something.
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => {
                let _ = write!(expression, "\\x{{{:x}}}", c as u32);
            }
            c => expression.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailwright_plugin::patterns::compile;

    fn matches(expression: &str, text: &str) -> bool {
        !compile(&[expression.to_owned()]).expect("it is sound").matches(text).is_empty()
    }

    #[test]
    fn stars_stand_for_anything_in_a_line() {
        assert!(matches(&glob("*.exe"), "a\nB.EXE\nc") && matches(&glob("a?c"), "abc"));
        assert!(
            !matches(&glob("*.exe"), "a.exe.txt") && !matches(&glob("a+"), "aa") && matches(&glob("a+[x]"), "a+[x]")
        );
        assert!(!matches(&glob("a*b"), "a\nb"));
    }

    #[test]
    fn an_address_without_a_local_part_is_a_domain() {
        assert!(matches(&address_glob("example.org"), "ann@EXAMPLE.org"));
        assert!(!matches(&address_glob("example.org"), "ann@sub.example.org"));
        assert!(matches(&address_glob("*.example.org"), "ann@sub.example.org"));
        assert!(matches(&address_glob("ann@*"), "ann@a.test") && matches(&address_glob("<>"), "<>"));
    }

    #[test]
    fn case_matters_where_the_operator_says_so() {
        assert!(matches(&expression("won a"), "You WON a prize") && !matches(&expression("(?-i)won"), "WON"));
    }
}
