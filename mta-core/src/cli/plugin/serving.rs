//! `plugin list`, `reload` and `rollback`: questions to the running server.

use super::super::config_args::ConfigArgs;
use super::super::queue::{as_json, ask, unexpected};
use super::super::say;
use mta_core::base::flow::operator::Serving;
use mta_core::edge::control::{Request, Response};
use std::fmt::Write;

pub(super) fn list(config: &ConfigArgs, json: bool) -> Result<(), String> {
    let serving = asked(config, &Request::PluginList)?;
    say(&if json { as_json(&serving)? } else { text(&serving) })
}

pub(super) fn reload(config: &ConfigArgs) -> Result<(), String> {
    say(&text(&asked(config, &Request::PluginReload)?))
}

pub(super) fn roll_back(config: &ConfigArgs) -> Result<(), String> {
    say(&text(&asked(config, &Request::PluginRollback)?))
}

fn asked(config: &ConfigArgs, request: &Request) -> Result<Serving, String> {
    match ask(config, request)? {
        Response::Serving(serving) => Ok(serving),
        other => Err(unexpected(&other)),
    }
}

/// For people: each plugin with its place in the chains.
fn text(serving: &Serving) -> String {
    let mut text = format!("generation {}", serving.generation);
    if let Some(previous) = serving.previous {
        // Writing to memory does not fail.
        let _ = write!(text, ", and {previous} kept for a rollback");
    }
    if serving.plugins.is_empty() {
        text.push_str("; no plugins");
    }
    for plugin in &serving.plugins {
        let hooks: Vec<String> = plugin.hooks.iter().map(|hook| format!("{} {}", hook.hook, hook.place)).collect();
        let _ = write!(text, "\n{}  {}", plugin.name, plugin.source);
        let _ =
            write!(text, "\n    sha256 {}\n    hooks and places in their chains: {}", plugin.sha256, hooks.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use mta_core::base::flow::operator::{ServingHook, ServingPlugin};

    #[test]
    fn what_serves_is_shown_with_its_places() {
        let hook = |hook: &str, place| ServingHook { hook: hook.to_owned(), place };
        let plugin = ServingPlugin {
            name: "grey".to_owned(),
            source: "grey.wasm".to_owned(),
            sha256: "ab12".to_owned(),
            hooks: vec![hook("rcpt", 2), hook("data", 1)],
        };
        let serving = Serving { generation: 3, previous: Some(2), plugins: vec![plugin] };
        assert_eq!(
            text(&serving),
            "generation 3, and 2 kept for a rollback\ngrey  grey.wasm\n    sha256 ab12\n    \
             hooks and places in their chains: rcpt 2, data 1"
        );
        assert_eq!(text(&Serving::default()), "generation 0; no plugins");
    }
}
