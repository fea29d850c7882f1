//! The SDK's sources, which the program carries: new plugins are given a copy, since no registry has it.

/// Each file's path and content (built by build.rs).
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

/// The workspace that the SDK's manifests take their settings from.
const WORKSPACE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"));

/// What the SDK was built and tested with.
pub(super) const LOCK: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock"));

/// The SDK as a package that stands alone: paths and contents.
pub(super) fn files() -> impl Iterator<Item = (&'static str, String)> {
    FILES.iter().map(|(path, content)| match path.ends_with("Cargo.toml") {
        true => (*path, manifest(content)),
        false => (*path, (*content).to_owned()),
    })
}

/// A manifest of the workspace as one without: settings are written out, and what is for its own tests and lints goes.
fn manifest(inherited: &str) -> String {
    let mut text = String::new();
    let mut kept = true;
    for line in inherited.lines() {
        if line.starts_with('[') {
            kept = !line.starts_with("[dev-dependencies") && !line.starts_with("[lints");
        }
        let line = line.strip_suffix(".workspace = true").map_or_else(|| line.to_owned(), shared);
        if kept && !line.starts_with('#') {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text.trim_end().to_owned() + "\n"
}

/// A setting of the workspace, as the line that says it there. Paths there begin at its root.
fn shared(key: &str) -> String {
    let line = WORKSPACE.lines().find(|line| line.split_once(" = ").is_some_and(|(name, _)| name == key));
    line.unwrap_or_default().replace("\"plugin-sdk/", "\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sdk_is_whole_and_stands_alone() {
        let files: Vec<_> = files().collect();
        for path in ["Cargo.toml", "src/lib.rs", "wit/plugin.wit", "macros/Cargo.toml", "macros/src/lib.rs"] {
            assert!(files.iter().any(|(known, _)| *known == path), "{path}");
        }
        for (path, content) in files.iter().filter(|(path, _)| path.ends_with("Cargo.toml")) {
            let manifest: toml::Table = content.parse().expect("a manifest");
            assert!(!content.contains("workspace"), "{path}:\n{content}");
            assert!(manifest["package"]["edition"].is_str(), "{path}:\n{content}");
            let dependencies = manifest["dependencies"].as_table().expect("a table");
            for (name, source) in dependencies {
                let own = source.get("path").and_then(|path| path.as_str());
                assert_eq!(own, (name == "mailwright-plugin-macros").then_some("macros"), "{name}");
            }
        }
    }
}
