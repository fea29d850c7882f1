//! Who imports whom in mta-core, file by file: every path outside tests is resolved to the file that defines it.

use super::code::{Code, PathUse};
use super::tree::Tree;
use std::collections::{BTreeMap, HashMap};

const SOURCES: &str = "mta-core/src/";

/// One file uses a name that another defines.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Import {
    /// The importing file.
    pub(super) from: String,
    /// On which line it does so first.
    pub(super) line: usize,
    /// The file imported from.
    pub(super) to: String,
}

/// All imports between files of mta-core, each pair of files once, in order.
pub(super) fn imports(tree: &Tree) -> Vec<Import> {
    let files: HashMap<Vec<String>, &str> =
        tree.code().filter_map(|(path, ..)| Some((module_of(path)?, path))).collect();
    let mut found: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (path, _, code) in tree.code() {
        let Some(module) = module_of(path).filter(|_| !code.all_test) else { continue };
        for absolute in resolved(&module, code) {
            let Some(to) = defining_file(&files, &absolute.segments).filter(|to| *to != path) else { continue };
            let line = found.entry((path.to_owned(), to.to_owned())).or_insert(usize::MAX);
            *line = (*line).min(absolute.place.line);
        }
    }
    found.into_iter().map(|((from, to), line)| Import { from, line, to }).collect()
}

/// The module that a file of mta-core is: `path::receive` for `path/receive/mod.rs`, nothing for the crate's root.
pub(super) fn module_of(path: &str) -> Option<Vec<String>> {
    let inside = path.strip_prefix(SOURCES)?.strip_suffix(".rs")?;
    let mut segments: Vec<String> = inside.split('/').map(str::to_owned).collect();
    if segments.last().is_some_and(|last| last == "mod") || segments == ["lib"] {
        segments.pop();
    }
    Some(segments)
}

/// The file's paths, from the crate's root; those that lead elsewhere are left out.
fn resolved(module: &[String], code: &Code) -> Vec<PathUse> {
    let children: Vec<&str> = code.modules.iter().map(|module| module.name.as_str()).collect();
    let mut names: HashMap<&str, Vec<String>> = HashMap::new();
    for import in code.paths.iter().filter(|path| !path.place.test) {
        if let (Some(alias), Some(absolute)) = (&import.alias, absolute(module, import, &children, &HashMap::new())) {
            names.insert(alias, absolute);
        }
    }
    let outside_tests = code.paths.iter().filter(|path| !path.place.test);
    outside_tests
        .filter_map(|path| {
            let segments = absolute(module, path, &children, &names)?;
            Some(PathUse { segments, ..path.clone() })
        })
        .collect()
}

fn absolute(
    module: &[String],
    path: &PathUse,
    children: &[&str],
    names: &HashMap<&str, Vec<String>>,
) -> Option<Vec<String>> {
    let (first, rest) = path.segments.split_first()?;
    let mut base: Vec<String> = module.iter().chain(&path.scope).cloned().collect();
    match first.as_str() {
        "crate" | "mta_core" => base.clear(),
        "self" => {}
        "super" => {
            let ups = 1 + rest.iter().take_while(|segment| *segment == "super").count();
            base.truncate(base.len().saturating_sub(ups));
        }
        name if children.contains(&name) => base.push(first.clone()),
        // A name of an import with something behind it: `flow::Answer` after `use crate::base::flow`.
        name if !rest.is_empty() => base.clone_from(names.get(name)?),
        _ => return None,
    }
    base.extend(rest.iter().filter(|segment| *segment != "super").cloned());
    Some(base)
}

/// The deepest module on the way that is a file.
fn defining_file<'t>(files: &HashMap<Vec<String>, &'t str>, segments: &[String]) -> Option<&'t str> {
    (1..=segments.len()).rev().find_map(|length| files.get(&segments[..length]).copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<(String, String)> {
        let tree = Tree::new(files.iter().map(|(path, text)| (format!("{SOURCES}{path}"), *text)));
        let short = |path: String| path[SOURCES.len()..].to_owned();
        imports(&tree).into_iter().map(|import| (short(import.from), short(import.to))).collect()
    }

    fn pair(from: &str, to: &str) -> (String, String) {
        (from.to_owned(), to.to_owned())
    }

    #[test]
    fn every_way_to_name_a_module_is_followed() {
        let files = [
            ("lib.rs", "pub mod base; pub mod path;"),
            ("base/mod.rs", "pub mod time;"),
            ("base/time.rs", "pub struct Now;"),
            ("path/mod.rs", "mod a; mod b; mod c; mod d; mod e; fn f() { a::g() }"),
            ("path/a.rs", "use crate::base::time::Now;"),
            ("path/b.rs", "use crate::base::time; fn f(_: time::Now) {}"),
            ("path/c.rs", "fn f() -> crate::base::time::Now { loop {} }"),
            ("path/d.rs", "use super::a::g;"),
            ("path/e.rs", "fn f() { assert!(super::super::base::time::Now > 0) }"),
        ];
        let time = "base/time.rs";
        let wanted = [
            pair("path/a.rs", time),
            pair("path/b.rs", time),
            pair("path/c.rs", time),
            pair("path/d.rs", "path/a.rs"),
            pair("path/e.rs", time),
            pair("path/mod.rs", "path/a.rs"),
        ];
        assert_eq!(found(&files), wanted);
    }

    #[test]
    fn visibility_tests_and_other_crates_import_nothing() {
        let files = [
            ("base/mod.rs", "mod a;"),
            ("base/a.rs", "use std::fmt; pub(super) fn f() {} #[cfg(test)] mod tests { use crate::base::b::x; }"),
            ("base/b.rs", ""),
        ];
        assert_eq!(found(&files), []);
    }
}
