//! `plugin list`, `reload`, `rollback` and `bucket`: questions to the running server.

pub(super) mod bucket;

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
        let place = |place: u64| if place == 0 { "beside".to_owned() } else { place.to_string() };
        let hooks: Vec<String> =
            plugin.hooks.iter().map(|hook| format!("{} {}", hook.hook, place(hook.place))).collect();
        let _ = write!(text, "\n{}  {}", plugin.name, plugin.source);
        let _ = write!(text, "\n    sha256 {}, generation {}", plugin.sha256, plugin.generation);
        let _ = write!(text, "\n    hooks and places in their chains: {}", hooks.join(", "));
        if !plugin.listeners.is_empty() {
            let _ = write!(text, "\n    for the listeners {}", plugin.listeners.join(", "));
        }
        if !plugin.tenants.is_empty() {
            let _ = write!(text, "\n    for the tenants {}", plugin.tenants.join(", "));
        }
        if plugin.mode != "full" {
            let against = plugin.of.as_deref().unwrap_or("the chain without it");
            let _ = write!(text, "\n    {}, against {against}", plugin.mode);
        }
        if plugin.passwords {
            text.push_str("\n    IT MAY SEE PASSWORDS of users");
        }
        if plugin.alone {
            text.push_str("\n    LEFT ALONE: it failed again and again, and its on_failure answers");
        }
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
            mode: "full".to_owned(),
            generation: 3,
            hooks: vec![hook("rcpt", 2), hook("data", 1)],
            ..ServingPlugin::default()
        };
        let shadow = ServingPlugin {
            name: "next".to_owned(),
            mode: "shadow".to_owned(),
            of: Some("grey".to_owned()),
            passwords: true,
            tenants: vec!["ann".to_owned()],
            alone: true,
            hooks: vec![hook("rcpt", 0)],
            ..plugin.clone()
        };
        let serving = Serving { generation: 3, previous: Some(2), plugins: vec![plugin, shadow] };
        assert_eq!(
            text(&serving),
            "generation 3, and 2 kept for a rollback\ngrey  grey.wasm\n    sha256 ab12, generation 3\n    \
             hooks and places in their chains: rcpt 2, data 1\nnext  grey.wasm\n    sha256 ab12, generation 3\n    \
             hooks and places in their chains: rcpt beside\n    for the tenants ann\n    shadow, against grey\n    \
             IT MAY SEE PASSWORDS of users\n    LEFT ALONE: it failed again and again, and its on_failure answers"
        );
        assert_eq!(text(&Serving::default()), "generation 0; no plugins");
    }
}
