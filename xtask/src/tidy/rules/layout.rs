//! Where files may be, and how large.

use super::super::Finding;
use super::super::tree::Tree;
use std::collections::{BTreeMap, BTreeSet};

const FILE_LINES_MAX: usize = 500;
const FOLDER_ENTRIES_MAX: usize = 10;
const FOLDERS_BELOW_SRC_MAX: usize = 3;

/// The top level is a promise (docs/ARCHITECTURE.md): whoever opens the repository sees these and no others.
const TOP_LEVEL: &[&str] = &[
    ".cargo",
    ".ci",
    ".gitignore",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "clippy.toml",
    "config",
    "docs",
    "fuzz",
    "mta-core",
    "plugin-sdk",
    "plugins",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "tests",
    "xtask",
];

/// Nothing new at the top without a decision.
pub(super) fn allowed_top_level(tree: &Tree) -> Vec<Finding> {
    let tops = tree.files().map(|(path, _)| (path.split('/').next().unwrap_or(path), path));
    tops.filter(|(top, _)| !TOP_LEVEL.contains(top))
        .map(|(top, path)| {
            let advice = format!("`{top}` is not one of the top level's names; put it below one of them");
            Finding::new(path, 1, "top-level", advice)
        })
        .collect()
}

/// A Rust file fits a head.
pub(super) fn short_files(tree: &Tree) -> Vec<Finding> {
    let rust = tree.files().filter(|(path, _)| path.ends_with(".rs"));
    rust.map(|(path, file)| (path, file.text.lines().count()))
        .filter(|(_, lines)| *lines > FILE_LINES_MAX)
        .map(|(path, lines)| {
            let advice = format!("{lines} lines, at most {FILE_LINES_MAX}: split it by idea");
            Finding::new(path, FILE_LINES_MAX + 1, "file-length", advice)
        })
        .collect()
}

/// A folder of Rust files has few entries, so that its listing is read and not searched.
pub(super) fn small_folders(tree: &Tree) -> Vec<Finding> {
    let mut entries: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let with_code: BTreeSet<&str> = tree.code().filter_map(|(path, ..)| Some(path.rsplit_once('/')?.0)).collect();
    for (path, _) in tree.files() {
        for (at, _) in path.match_indices('/') {
            let (folder, rest) = (&path[..at], &path[at + 1..]);
            let entry = rest.split('/').next().unwrap_or(rest);
            // It is the folder's own page.
            if matches!(entry, "mod.rs" | "main.rs" | "lib.rs") {
                continue;
            }
            entries.entry(folder).or_default().insert(entry);
        }
    }
    let large =
        entries.iter().filter(|(folder, names)| with_code.contains(*folder) && names.len() > FOLDER_ENTRIES_MAX);
    large
        .map(|(folder, names)| {
            let advice = format!(
                "{} entries, at most {FOLDER_ENTRIES_MAX}: make a folder of what belongs together",
                names.len()
            );
            Finding::new(folder, 1, "folder-size", advice)
        })
        .collect()
}

/// Depth at most 3 below `src`.
pub(super) fn shallow_sources(tree: &Tree) -> Vec<Finding> {
    let below = tree.code().filter_map(|(path, ..)| Some((path, path.split_once("/src/")?.1)));
    below
        .filter(|(_, inside)| folders(inside) > FOLDERS_BELOW_SRC_MAX)
        .map(|(path, _)| {
            let advice = format!("more than {FOLDERS_BELOW_SRC_MAX} folders below src: move it up");
            Finding::new(path, 1, "depth", advice)
        })
        .collect()
}

/// How many folders a path goes down. Within a folder of tests one more may group them.
fn folders(inside: &str) -> usize {
    inside.matches('/').count() - usize::from(inside.contains("/tests/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_name_at_the_top_is_refused() {
        let tree = Tree::new([("Makefile", ""), ("README.md", ""), ("docs/x.md", "")]);
        let found = allowed_top_level(&tree);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].file, "Makefile");
    }

    #[test]
    fn a_file_of_501_lines_is_refused_and_one_of_500_not() {
        let tree = Tree::new([("a/src/long.rs", "\n".repeat(501)), ("a/src/fits.rs", "\n".repeat(500))]);
        let found = short_files(&tree);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].file.as_str(), found[0].line), ("a/src/long.rs", 501));
    }

    #[test]
    fn eleven_entries_are_refused_and_ten_not() {
        let files = |folder: &str, count: usize| {
            let folder = folder.to_owned();
            (0..count).map(move |n| (format!("{folder}/f{n}.rs"), ""))
        };
        // A folder within counts as one entry.
        let tree = Tree::new(files("a/src/x", 9).chain(files("a/src/x/deep", 11)));
        let found = small_folders(&tree);
        assert_eq!(found.iter().map(|f| f.file.as_str()).collect::<Vec<_>>(), ["a/src/x/deep"]);
        // Pages are no code.
        let pages = Tree::new((0..20).map(|n| (format!("docs/decisions/{n:04}.md"), "")));
        assert_eq!(small_folders(&pages), []);
    }

    #[test]
    fn a_fourth_folder_below_src_is_refused() {
        let tree = Tree::new([("a/src/1/2/3/x.rs", ""), ("a/src/1/2/3/4/x.rs", "")]);
        let found = shallow_sources(&tree);
        assert_eq!(found.iter().map(|f| f.file.as_str()).collect::<Vec<_>>(), ["a/src/1/2/3/4/x.rs"]);
        let tests = Tree::new([("a/src/1/2/tests/4/x.rs", ""), ("a/src/1/2/tests/4/5/x.rs", "")]);
        let found = shallow_sources(&tests);
        assert_eq!(found.iter().map(|f| f.file.as_str()).collect::<Vec<_>>(), ["a/src/1/2/tests/4/5/x.rs"]);
    }
}
