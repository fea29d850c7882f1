//! `plugin wit`: the contract for tools of other languages, and what guests in C need besides.

use super::super::sdk;
use std::fs;
use std::path::{Path, PathBuf};

/// Where a folder with a world in it has the packages that the world names.
const CONTRACT: &str = "deps/mailwright-plugin/plugin.wit";

/// What bindings for C call of a C library, for a guest that has none.
const LIBRARY: [(&str, &str); 3] = [
    ("stdlib.h", include_str!("../../../../../plugin-sdk/c/stdlib.h")),
    ("string.h", include_str!("../../../../../plugin-sdk/c/string.h")),
    ("library.c", include_str!("../../../../../plugin-sdk/c/library.c")),
];

/// Writes the contract into a folder of WIT. The file's path.
///
/// # Errors
/// It can't be written.
pub(crate) fn write(folder: &Path) -> Result<PathBuf, String> {
    let contract = sdk::files().find(|(path, _)| *path == "wit/plugin.wit").map(|(_, content)| content);
    let path = folder.join(CONTRACT);
    put(&path, contract.unwrap_or_default().as_bytes())?;
    Ok(path)
}

/// Writes the functions of a C library that C bindings call into a folder. The files' paths.
///
/// # Errors
/// They can't be written.
pub(crate) fn library(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let written = LIBRARY.iter().map(|(name, content)| {
        let path = folder.join(name);
        put(&path, content.as_bytes()).map(|()| path)
    });
    written.collect()
}

fn put(path: &Path, content: &[u8]) -> Result<(), String> {
    let told = |error: std::io::Error| format!("{}: {error}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(told)?;
    }
    fs::write(path, content).map_err(told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wit_parser::Resolve;

    #[test]
    fn a_world_of_ones_own_finds_the_contract() {
        let dir = tempfile::tempdir().expect("a directory");
        let wit = dir.path().join("wit");
        let world = "package example:a; world a { import mailwright:plugin/kv@0.1.0; \
                     export mailwright:plugin/on-rcpt@0.1.0; }";
        put(&wit.join("world.wit"), world.as_bytes()).expect("written");
        assert_eq!(write(&wit), Ok(wit.join("deps/mailwright-plugin/plugin.wit")));
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_dir(&wit).expect("it is whole");
        resolve.select_world(&[package], Some("a")).expect("there is such a world");
    }

    #[test]
    fn the_library_has_what_it_declares() {
        let dir = tempfile::tempdir().expect("a directory");
        let written = library(&dir.path().join("generated")).expect("written");
        let texts: Vec<String> = written.iter().map(|path| fs::read_to_string(path).expect("a text")).collect();
        let [stdlib, string, library] = &texts[..] else { panic!("three files") };
        let declared =
            [stdlib, string].into_iter().flat_map(|header| header.lines()).filter_map(|line| line.strip_suffix(';'));
        let declared: Vec<&str> = declared.map(|line| line.trim_start_matches("_Noreturn ")).collect();
        assert_eq!(declared.len(), 9);
        for function in declared {
            assert!(library.lines().any(|line| line == function), "{function}");
        }
    }
}
