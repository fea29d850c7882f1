//! Pages that say what the sources say: written by `cargo xtask pages`, and found stale by `cargo xtask tidy`.

mod limits;
mod recipes;
mod reference;

use super::Finding;
use super::tree::Tree;
use std::path::Path;

pub(super) use limits::limits_are_the_sources;

const CONTRACT: &str = "plugin-sdk/wit/plugin.wit";
const REFERENCE: &str = "docs/plugins/reference.md";
const COOKBOOK: &str = "docs/plugins/cookbook.md";

/// The generated pages, as they should be: path and text. What can't be generated is a finding.
fn pages(tree: &Tree) -> Vec<Result<(&'static str, String), Finding>> {
    let mut pages = Vec::new();
    if let Some(contract) = tree.text(CONTRACT) {
        let page = reference::page(contract).map(|page| (REFERENCE, page));
        pages.push(page.map_err(|why| Finding::new(CONTRACT, 1, "pages", why)));
    }
    if let Some(page) = tree.text(COOKBOOK) {
        let page = recipes::page(page, &|path| tree.text(path)).map(|page| (COOKBOOK, page));
        pages.push(page.map_err(|(line, why)| Finding::new(COOKBOOK, line, "pages", why)));
    }
    pages
}

/// A page that was generated says what its sources say.
pub(super) fn pages_are_current(tree: &Tree) -> Vec<Finding> {
    let stale = |page: Result<(&'static str, String), Finding>| match page {
        Ok((path, text)) if tree.text(path) == Some(&text) => None,
        Ok((path, _)) => Some(Finding::new(path, 1, "pages", "it is older than its sources: run `cargo xtask pages`")),
        Err(finding) => Some(finding),
    };
    pages(tree).into_iter().filter_map(stale).collect()
}

/// Writes them.
///
/// # Errors
/// What can't be generated, and why; or the disk's words.
pub(crate) fn write(root: &Path) -> Result<(), String> {
    for page in pages(&Tree::read(root)?) {
        let (path, text) = page.map_err(|finding| finding.to_string())?;
        std::fs::write(root.join(path), text).map_err(|error| format!("{path}: {error}"))?;
        println!("{path}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_is_older_than_its_source_is_refused() {
        let contract = "package a:b@0.1.0;\n/// Told.\ninterface on-tick { tick: func(); }\n";
        let tree = Tree::new([(CONTRACT, contract), (REFERENCE, "old")]);
        let found = pages_are_current(&tree);
        assert_eq!((found.len(), found[0].file.as_str()), (1, REFERENCE));
        let page = reference::page(contract).expect("it parses");
        assert_eq!(pages_are_current(&Tree::new([(CONTRACT, contract), (REFERENCE, &page)])), []);
        assert_eq!(pages_are_current(&Tree::new([(CONTRACT, "interface")]))[0].file, CONTRACT);
    }
}
