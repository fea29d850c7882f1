//! Code in a page: what stands in a fence below `<!-- PATH -->` is that file, without its tests.

/// The page with its code as the files have it.
///
/// # Errors
/// The line and what is wrong there: a file that is not there, a mark without a fence.
pub(super) fn page<'t>(page: &str, text: &dyn Fn(&str) -> Option<&'t str>) -> Result<String, (usize, String)> {
    let mut written = String::new();
    let mut lines = (1..).zip(page.lines()).peekable();
    while let Some((number, line)) = lines.next() {
        written.push_str(line);
        written.push('\n');
        let Some(path) = line.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->")) else { continue };
        let Some((_, "```rust")) = lines.peek() else {
            return Err((number, format!("expected a fence of ```rust below the mark of {path}")));
        };
        let source = text(path).ok_or_else(|| (number, format!("{path} is not there")))?;
        written.push_str("```rust\n");
        written.push_str(shown(source));
        written.push_str("\n```\n");
        if !lines.by_ref().skip(1).any(|(_, line)| line == "```") {
            return Err((number, format!("the fence of {path} has no end")));
        }
    }
    Ok(written)
}

/// A file without its tests.
fn shown(source: &str) -> &str {
    source.split("\n#[cfg(test)]\n").next().unwrap_or(source).trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str) -> Option<&'static str> {
        (path == "a.rs").then_some("//! A.\nfn a() {}\n\n#[cfg(test)]\nmod tests {}\n")
    }

    #[test]
    fn code_is_taken_from_its_file_without_tests() {
        let stale = "# A\n<!-- a.rs -->\n```rust\nfn old() {}\n```\nwords\n";
        let current = "# A\n<!-- a.rs -->\n```rust\n//! A.\nfn a() {}\n```\nwords\n";
        assert_eq!(page(stale, &read).as_deref(), Ok(current));
        assert_eq!(page(current, &read).as_deref(), Ok(current));
    }

    #[test]
    fn a_mark_that_leads_nowhere_is_told() {
        for (text, line) in
            [("<!-- a.rs -->\n", 1), ("\n<!-- b.rs -->\n```rust\n```\n", 2), ("<!-- a.rs -->\n```rust\nfn a() {}\n", 1)]
        {
            assert_eq!(page(text, &read).expect_err("refused").0, line, "{text}");
        }
    }
}
