//! `plugin inspect`: what a component says of itself, in words or as JSON.

use super::super::queue::as_json;
use super::super::say;
use mta_core::config::model::PluginSource;
use mta_core::config::schema::expected;
use mta_core::edge::plugins;
use mta_core::sandbox::{Inspection, inspect};
use serde_json::{Map, Value};

pub(super) fn run(component: &str, json: bool) -> Result<(), String> {
    let source = match component.strip_prefix("builtin:") {
        Some(name) => PluginSource::Builtin(name.into()),
        None => PluginSource::File(component.into()),
    };
    let octets = plugins::read(&source)?;
    match json {
        true => say(&as_json(&inspect(&octets).map_err(|why| format!("{component}: {why}"))?)?),
        false => say(&described(component, &octets)?),
    }
}

/// What a component is, in words.
pub(super) fn described(name: &str, octets: &[u8]) -> Result<String, String> {
    inspect(octets).map(|found| text(name, &found)).map_err(|why| format!("{name}: {why}"))
}

fn text(component: &str, found: &Inspection) -> String {
    let list = |words: &[String]| if words.is_empty() { "none".to_owned() } else { words.join(", ") };
    // As the configuration has it.
    let quoted = |words: Vec<String>| {
        let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
        format!("[{}]", quoted.join(", "))
    };
    let manifest = found.manifest.as_ref();
    let mut lines = vec![component.to_owned()];
    if let Some(manifest) = manifest {
        let about = manifest.description.iter().map(|words| format!(": {words}"));
        lines.push(format!("  plugin     {} {}{}", manifest.name, manifest.version, about.collect::<String>()));
    }
    lines.extend([
        format!("  sha256     {}", found.sha256),
        format!("  size       {} bytes", found.bytes),
        format!("  contract   {}", found.contract.as_deref().unwrap_or("none: it has nothing of ours")),
        format!("  hooks      {}", list(&found.hooks)),
        format!("  configure  {}", if found.lifecycle { "yes, or a self-test" } else { "no" }),
        format!("  allow      {}", quoted(found.allow.clone())),
        format!("  edit       {}", quoted(found.edit.iter().map(|word| (*word).to_owned()).collect())),
        format!("  memory     {} bytes at the start", found.memory_bytes),
        format!("  profile    {}", found.profile),
        format!("  instances  {}", found.instances),
    ]);
    if found.hooks.iter().any(|hook| hook == "password") {
        lines.push("  PASSWORDS  it wants to be shown those of users (on-password)".to_owned());
    }
    match manifest.and_then(|manifest| manifest.config.as_ref()).and_then(Value::as_object) {
        Some(schema) => {
            lines.push("  config".to_owned());
            let before = lines.len();
            settings(schema, "", 0, &mut lines);
            if lines.len() == before {
                lines.push("    nothing to set".to_owned());
            }
        }
        None => lines.push("  config     it does not say what may be set".to_owned()),
    }
    if !found.unknown.is_empty() {
        lines.push(format!("  NOT LOADED: this version does not have {}", list(&found.unknown)));
    } else if found.hooks.is_empty() {
        lines.push("  NOT LOADED: it has no hook".to_owned());
    }
    lines.join("\n")
}

/// Tables within one another that are shown, at most.
const DEPTH_MAX: usize = 8;

/// A line for each key: what it may be, what it is if nothing is said, and what it is for.
fn settings(schema: &Map<String, Value>, path: &str, depth: usize, lines: &mut Vec<String>) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object).filter(|_| depth < DEPTH_MAX) else {
        return;
    };
    let required = |key: &str| {
        schema.get("required").and_then(Value::as_array).is_some_and(|keys| keys.iter().any(|one| one == key))
    };
    for (key, schema) in properties.iter().filter_map(|(key, schema)| Some((key, schema.as_object()?))) {
        let mut line = format!("    {path}{key}: {}", expected(schema));
        // What a list or a free table is made of, and how people may name a part of it.
        let (each, part) = match (schema.get("items"), schema.get("additionalProperties")) {
            (Some(Value::Object(each)), _) => (each, "N."),
            (_, Some(Value::Object(each))) => (each, "KEY."),
            _ => (schema, ""),
        };
        if !part.is_empty() {
            line.push_str(&format!(", each {}", expected(each)));
        }
        match schema.get("default") {
            Some(default) => line.push_str(&format!("; {default} if not set")),
            None if required(key) => line.push_str("; must be set"),
            None => {}
        }
        if let Some(words) = schema.get("description").and_then(Value::as_str) {
            line.push_str(&format!(". {}", words.split_whitespace().collect::<Vec<_>>().join(" ")));
        }
        lines.push(line);
        settings(each, &format!("{path}{key}.{part}"), depth + 1, lines);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_what_its_page_says() {
        let source = PluginSource::Builtin("hello".into());
        let found = inspect(&plugins::read(&source).expect("it is built in")).expect("it is a component");
        let text = text("builtin:hello", &found);
        for line in [
            "  plugin     plugin-hello 0.1.0: Looks at every hook and stamps each message with a header",
            "    header: text from 1 to 76 characters; \"X-Hello\" if not set. The header field to add.",
            "  contract   0.1.0",
            "  hooks      connect, rcpt, data, pre-send",
            "  configure  yes, or a self-test",
            "  allow      [\"log\"]",
            "  edit       [\"headers\"]",
            "  profile    narrow",
            "  instances  restored",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} in\n{text}");
        }
        assert!(!text.contains("NOT LOADED"), "{text}");
        // It is cleared after each transaction, so it is small.
        assert!((16_384..32_768).contains(&found.memory_bytes), "{text}");
    }

    #[test]
    fn what_may_be_set_is_shown_with_what_lies_within() {
        let schema = serde_json::json!({
            "properties": {
                "list": {"type": "array", "items": {"type": "object", "properties": {"to": {"type": "string"}}}},
                "map": {"type": "object", "additionalProperties": {"type": "integer"}},
                "wait": {"type": "string", "format": "mailwright-duration", "description": "How\nlong."},
            },
            "required": ["wait"],
        });
        let mut lines = Vec::new();
        settings(schema.as_object().expect("it is a table"), "", 0, &mut lines);
        assert_eq!(
            lines,
            [
                "    list: a list, each a table",
                "    list.N.to: text",
                "    map: a table, each an integer",
                "    wait: a duration, with its unit (ms, s, m, h, d); must be set. How long.",
            ]
        );
    }

    #[test]
    fn guests_keep_the_names_of_their_functions_for_the_frames_of_a_fault() {
        use wasmparser::{KnownCustom, Name, Parser, Payload};
        let octets = plugins::read(&PluginSource::Builtin("hello".into())).expect("it is built in");
        let mut names = Vec::new();
        for payload in Parser::new(0).parse_all(&octets) {
            let Payload::CustomSection(section) = payload.expect("it is sound") else { continue };
            let KnownCustom::Name(subsections) = section.as_known() else { continue };
            for subsection in subsections {
                let Name::Function(functions) = subsection.expect("it is sound") else { continue };
                names.extend(functions.into_iter().map(|naming| naming.expect("it is sound").name.to_owned()));
            }
        }
        assert!(names.iter().any(|name| name.contains("hello")), "{names:?}");
        // It has four hooks.
        assert!(octets.len() < 64 * 1024, "{} octets", octets.len());
    }

    #[test]
    fn what_is_no_component_is_told_what_to_do() {
        let words = inspect(b"\0asm\x01\0\0\0").expect_err("a module");
        assert!(words.contains("`mailwright plugin build` makes a component"), "{words}");
        assert!(inspect(b"hello").expect_err("a text").starts_with("this is no WebAssembly component"));
    }
}
