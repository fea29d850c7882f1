//! The repository as the rules see it: paths, texts and what the Rust parser found in them.

use super::code::Code;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Every file that git knows or would take in, by its path from the top.
#[derive(Debug, Default)]
pub(super) struct Tree {
    files: BTreeMap<String, File>,
}

/// One file.
#[derive(Debug)]
pub(super) struct File {
    /// Empty for a file that is not UTF-8.
    pub(super) text: String,
    /// For Rust files.
    pub(super) code: Option<Code>,
    /// Why a Rust file could not be parsed, and where.
    pub(super) unparsed: Option<(usize, String)>,
}

impl Tree {
    /// Reads the work tree. Ignored files are no part of it.
    pub(super) fn read(root: &Path) -> Result<Self, String> {
        let listed = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .map_err(|e| format!("git ls-files: {e}"))?;
        if !listed.status.success() {
            return Err(format!("git ls-files: {}", String::from_utf8_lossy(&listed.stderr).trim()));
        }
        let mut texts = Vec::new();
        for path in String::from_utf8_lossy(&listed.stdout).split_terminator('\0') {
            match std::fs::read(root.join(path)) {
                Ok(octets) => texts.push((path.to_owned(), String::from_utf8(octets).unwrap_or_default())),
                // Deleted but not yet committed.
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => return Err(format!("{path}: {e}")),
            }
        }
        Ok(Self::new(texts))
    }

    /// A tree from paths and texts.
    pub(super) fn new<P: Into<String>, T: Into<String>>(files: impl IntoIterator<Item = (P, T)>) -> Self {
        let mut tree = Self::default();
        for (path, text) in files {
            let (path, text) = (path.into(), text.into());
            let parsed = path.ends_with(".rs").then(|| Code::parse(&text));
            let (code, unparsed) = match parsed {
                Some(Ok(code)) => (Some(code), None),
                Some(Err(why)) => (None, Some(why)),
                None => (None, None),
            };
            tree.files.insert(path, File { text, code, unparsed });
        }
        tree.mark_test_files();
        tree
    }

    /// Everything, in the order of paths.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, &File)> {
        self.files.iter().map(|(path, file)| (path.as_str(), file))
    }

    /// Rust files with what is in them.
    pub(super) fn code(&self) -> impl Iterator<Item = (&str, &File, &Code)> {
        self.files().filter_map(|(path, file)| Some((path, file, file.code.as_ref()?)))
    }

    /// The text of a file.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(|file| file.text.as_str())
    }

    /// Whether there is such a file, or a file below such a folder.
    pub(super) fn has(&self, path: &str) -> bool {
        let below = format!("{path}/");
        self.files.contains_key(path) || self.files.keys().any(|known| known.starts_with(&below))
    }

    /// A file behind `#[cfg(test)] mod x;` is test code whole, and so are the scenarios and benches.
    fn mark_test_files(&mut self) {
        let mut test_files: Vec<String> = self.files.keys().filter(|path| is_test_package(path)).cloned().collect();
        for (path, file) in &self.files {
            let Some(code) = &file.code else { continue };
            for module in code.modules.iter().filter(|module| module.test && !module.inline) {
                test_files.extend(child_files(path, &module.name));
            }
        }
        // What a test file declares is test code too.
        while let Some(path) = test_files.pop() {
            let Some(code) = self.files.get_mut(&path).and_then(|file| file.code.as_mut()) else { continue };
            if code.all_test {
                continue;
            }
            code.all_test = true;
            let declared: Vec<_> = code.modules.iter().filter(|m| !m.inline).map(|m| m.name.clone()).collect();
            test_files.extend(declared.iter().flat_map(|name| child_files(&path, name)));
        }
    }
}

fn is_test_package(path: &str) -> bool {
    path.starts_with("tests/") || path.starts_with("fuzz/") || path.contains("/tests/") || path.contains("/fuzz/")
}

/// Where the module `name` declared in the file `path` may be.
fn child_files(path: &str, name: &str) -> [String; 2] {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = file.trim_end_matches(".rs");
    let base = match stem {
        "mod" | "lib" | "main" => folder.to_owned(),
        _ => format!("{folder}/{stem}"),
    };
    [format!("{base}/{name}.rs"), format!("{base}/{name}/mod.rs")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_declared_for_tests_is_test_code_with_its_children() {
        let tree = Tree::new([
            ("a/src/lib.rs", "#[cfg(test)] mod pair;\nmod plain;"),
            ("a/src/pair.rs", "mod deep;"),
            ("a/src/pair/deep.rs", ""),
            ("a/src/plain.rs", ""),
        ]);
        let tests: Vec<_> = tree.code().filter(|(_, _, code)| code.all_test).map(|(path, ..)| path).collect();
        assert_eq!(tests, ["a/src/pair.rs", "a/src/pair/deep.rs"]);
    }

    #[test]
    fn folders_are_known_by_their_files() {
        let tree = Tree::new([("docs/a/b.md", "")]);
        assert!(tree.has("docs/a") && tree.has("docs/a/b.md"));
        assert!(!tree.has("docs/a/b"));
    }
}
