//! Plugins on trial: on cases that their author wrote, on what was recorded in production, beside one another, and by the
//! clock.

pub(super) mod bench;
pub(super) mod differences;
pub(super) mod record;
pub(super) mod replay;
pub(super) mod test;

use mta_core::config::model::{Config, EditGrant, Plugin, PluginSource};
use mta_core::config::parse::parse;
use mta_core::edge::config_file::ConfigFile;
use mta_core::edge::plugins;
use mta_core::sandbox::inspect;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a configuration needs besides plugins.
const AROUND: &str = "hostname = \"mx.example.test\"\ndata_dir = \"trial\"\n\
    listener = [{ name = \"mx\", bind = \"127.0.0.1:0\" }]\n";

/// A file that has nothing but what plugins need, with this component for its first plugin.
fn configuration_of(name: &str, text: &str, component: &Path) -> Result<Config, String> {
    let source = component.to_str().ok_or_else(|| format!("{}: its name is not UTF-8", component.display()))?;
    let quoted = serde_json::to_string(source).map_err(|error| error.to_string())?;
    let set = format!("plugin.0.source={quoted}");
    // Its lines keep their numbers: what is around stands behind, but for tables, which must not follow one.
    let sets: Vec<String> = AROUND.lines().map(|line| line.replacen(" = ", "=", 1)).chain([set]).collect();
    parse(name, text, &sets).map_err(|problems| problems.to_string())
}

/// The component, with what the server's configuration says of a plugin; without one, with what can be granted without
/// knowing more. And that plugin's name.
fn tried(component: &str, config: Option<&Path>, plugin: Option<&str>) -> Result<(Config, Arc<str>), String> {
    let source = match component.strip_prefix("builtin:") {
        Some(name) => PluginSource::Builtin(name.into()),
        None => PluginSource::File(PathBuf::from(component)),
    };
    let Some(path) = config else {
        let mut config = parse("trial", AROUND, &[]).map_err(|problems| problems.to_string())?;
        let alone = plain(component, source, plugin.unwrap_or("trial"))?;
        let name = alone.name.clone();
        config.plugins = vec![alone];
        return Ok((config, name));
    };
    let mut config = ConfigFile { path: path.to_owned(), sets: Vec::new() }.load()?;
    let found = config.plugins.iter().find(|known| plugin.is_none_or(|name| *known.name == *name));
    let found = found.ok_or_else(|| match plugin {
        Some(name) => format!("{}: no [[plugin]] has the name {name}", path.display()),
        None => format!("{}: it has no [[plugin]]", path.display()),
    })?;
    if plugin.is_none() && config.plugins.len() > 1 {
        let names: Vec<&str> = config.plugins.iter().map(|plugin| &*plugin.name).collect();
        return Err(format!("{}: say which [[plugin]] is meant: --plugin {}", path.display(), names.join(" or ")));
    }
    // Another component than the one that was pinned is what is tried.
    let alone = Plugin { source, sha256: None, ..found.clone() };
    let name = alone.name.clone();
    config.plugins = vec![alone];
    Ok((config, name))
}

fn plain(component: &str, source: PluginSource, name: &str) -> Result<Plugin, String> {
    let found = inspect(&plugins::read(&source)?).map_err(|why| format!("{component}: {why}"))?;
    if let Some(word) = found.allow.iter().find(|word| word.contains('<')) {
        return Err(format!(
            "{component}: it wants \"{word}\", and which is not known: say what it is allowed, by --config FILE and \
             --plugin NAME"
        ));
    }
    Ok(Plugin {
        allow: found.allow.iter().map(|word| word.as_str().into()).collect(),
        edit: vec![EditGrant::Headers, EditGrant::Sender, EditGrant::Recipients, EditGrant::Body],
        ..Plugin::new(name, source)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_tried_with_what_the_configuration_says_of_it_or_with_what_it_wants() {
        let (config, name) = tried("builtin:hello", None, None).expect("it wants nothing that has a name");
        assert_eq!((&*name, &*config.plugins[0].allow[0]), ("trial", "log"));
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("mx.toml");
        let two = "[[plugin]]\nname = \"a\"\nsource = \"a.wasm\"\n[[plugin]]\nname = \"b\"\nsource = \"b.wasm\"\n\
            tick = \"5s\"\n";
        std::fs::write(&path, format!("{AROUND}{two}")).expect("written");
        let refused = |plugin| tried("c.wasm", Some(&path), plugin).expect_err("not one plugin");
        assert!(refused(None).contains("say which [[plugin]] is meant: --plugin a or b"));
        assert!(refused(Some("c")).contains("no [[plugin]] has the name c"));
        let (config, name) = tried("c.wasm", Some(&path), Some("b")).expect("it is there");
        let plugin = &config.plugins[0];
        assert_eq!((&*name, plugin.source.to_string().as_str(), plugin.tick.as_secs()), ("b", "c.wasm", 5));
    }
}
