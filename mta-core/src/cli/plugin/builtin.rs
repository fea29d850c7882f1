//! `plugin builtin`: what the program carries, and how to have it as a file.

use super::super::say;
use mta_core::config::model::PluginSource;
use mta_core::edge::plugins;
use mta_core::sandbox::inspect;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

/// The names, each with what its manifest says of it.
pub(super) fn list() -> Result<(), String> {
    let width = plugins::builtins().map(|(name, _)| name.len()).max().unwrap_or_default();
    let lines = plugins::builtins().map(|(name, octets)| {
        let manifest = inspect(octets).map_err(|why| format!("builtin:{name}: {why}"))?.manifest;
        let about = manifest.and_then(|manifest| manifest.description).unwrap_or_default();
        Ok(format!("builtin:{name:width$}  {about}"))
    });
    say(&lines.collect::<Result<Vec<_>, String>>()?.join("\n"))
}

/// Writes one as a file that is not there yet.
pub(super) fn write(name: &str, path: &Path) -> Result<(), String> {
    let name = name.strip_prefix("builtin:").unwrap_or(name);
    let octets = plugins::read(&PluginSource::Builtin(name.into()))?;
    let told = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(told)?;
    file.write_all(&octets).map_err(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_the_component_and_nothing_is_overwritten() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("hello.wasm");
        write("builtin:hello", &path).expect("it is written");
        let written = std::fs::read(&path).expect("it is there");
        assert!(plugins::builtins().any(|(name, octets)| name == "hello" && octets == written));
        let told = write("hello", &path).expect_err("it is there already");
        assert!(told.starts_with(&path.display().to_string()), "{told}");
        assert!(write("helo", &path).expect_err("misspelt").contains("there is no builtin"));
    }
}
