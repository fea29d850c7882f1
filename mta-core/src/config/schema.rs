//! What a plugin says its configuration may be: a JSON Schema (draft 2020-12), and whether a configuration fits it.
//!
//! The schema comes out of a component, so it is bounded, and what is not understood in it binds nobody: the plugin's own
//! `configure` has the last word. Understood are `type`, `enum`, `properties`, `required`, `additionalProperties`, `items`,
//! the bounds of numbers, texts, lists and tables, and the formats `mailwright-duration` and `mailwright-size` with
//! `x-minimum` and `x-maximum`.

use super::parse::problem::nearest;
use super::parse::scalar::{duration, size};
use super::places::Misfit;
use serde_json::{Map, Value};

/// Schemas within one another, at most.
const DEPTH_MAX: usize = 32;

/// Everything in a configuration that its schema does not allow, in the order of its keys.
#[must_use]
pub fn misfits(schema: &Value, config: &Value) -> Vec<Misfit> {
    let mut found = Vec::new();
    check(schema, config, "", 0, &mut found);
    found
}

fn check(schema: &Value, value: &Value, path: &str, depth: usize, found: &mut Vec<Misfit>) {
    let Some(schema) = schema.as_object().filter(|_| depth < DEPTH_MAX) else { return };
    let expected = expected(schema);
    if !is_of_type(schema, value) || !is_within(schema, value) {
        found.push(Misfit {
            path: path.to_owned(),
            is_key: false,
            what: format!("expected {expected}, found {}{}", shown(value), meant(schema, value)),
        });
        return;
    }
    match value {
        Value::Object(entries) => table(schema, entries, path, depth, found),
        Value::Array(items) => {
            let Some(schema) = schema.get("items") else { return };
            for (index, item) in items.iter().enumerate() {
                check(schema, item, &below(path, &index.to_string()), depth + 1, found);
            }
        }
        _ => {}
    }
}

fn table(schema: &Map<String, Value>, entries: &Map<String, Value>, path: &str, depth: usize, found: &mut Vec<Misfit>) {
    let none = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
    for (key, value) in entries {
        let path = below(path, key);
        match (properties.get(key), schema.get("additionalProperties")) {
            (Some(schema), _) => check(schema, value, &path, depth + 1, found),
            (None, Some(Value::Bool(false))) => {
                let known = properties.keys().map(String::as_str);
                let mend = match nearest(key, known.clone()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if properties.is_empty() => "this plugin has nothing to set here".to_owned(),
                    None => format!("expected {}", one_of(known.map(|key| format!("`{key}`")))),
                };
                found.push(Misfit { path, is_key: true, what: format!("unknown key; {mend}") });
            }
            (None, Some(schema)) => check(schema, value, &path, depth + 1, found),
            (None, None) => {}
        }
    }
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    for key in required.filter(|key| !entries.contains_key(*key)) {
        let expected = properties.get(key).and_then(Value::as_object).map_or_else(|| "a value".to_owned(), expected);
        let what = format!("missing: expected {expected}");
        found.push(Misfit { path: below(path, key), is_key: false, what });
    }
}

fn below(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The types that a schema names.
fn types(schema: &Map<String, Value>) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn is_of_type(schema: &Map<String, Value>, value: &Value) -> bool {
    let is = |kind: &&str| match (*kind, value) {
        ("integer", Value::Number(number)) => number.is_i64() || number.is_u64(),
        ("null", Value::Null)
        | ("boolean", Value::Bool(_))
        | ("number", Value::Number(_))
        | ("string", Value::String(_))
        | ("array", Value::Array(_))
        | ("object", Value::Object(_)) => true,
        // A type that we do not know binds nobody.
        (kind, _) => !["integer", "null", "boolean", "number", "string", "array", "object"].contains(&kind),
    };
    let types = types(schema);
    types.is_empty() || types.iter().any(is)
}

/// Whether a value of the right type is one of those that are meant.
fn is_within(schema: &Map<String, Value>, value: &Value) -> bool {
    let limit = |key: &str| schema.get(key);
    let counted = |count: usize, least: &str, most: &str| {
        let bound = |key: &str| limit(key).and_then(Value::as_u64);
        bound(least).is_none_or(|least| count as u64 >= least) && bound(most).is_none_or(|most| count as u64 <= most)
    };
    if let Some(Value::Array(words)) = limit("enum") {
        return words.contains(value);
    }
    match (value, schema.get("format").and_then(Value::as_str)) {
        (_, Some("mailwright-duration")) => {
            let text = value.as_str().map(duration);
            let bound = |key: &str| limit(key).and_then(Value::as_str).and_then(|text| duration(text).ok());
            text.and_then(Result::ok).is_some_and(|time| between(time, bound("x-minimum"), bound("x-maximum")))
        }
        (_, Some("mailwright-size")) => {
            let octets = match value {
                Value::String(text) => size(text).ok(),
                other => other.as_u64().map(i128::from),
            };
            let bound = |key: &str| limit(key).and_then(Value::as_str).and_then(|text| size(text).ok());
            octets.is_some_and(|octets| between(octets, bound("x-minimum"), bound("x-maximum")))
        }
        (Value::Number(number), _) => {
            let whole = |number: &serde_json::Number| {
                number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
            };
            let bound = |key: &str| limit(key).and_then(Value::as_number);
            match (whole(number), bound("minimum").map(whole), bound("maximum").map(whole)) {
                (Some(number), least, most) if least != Some(None) && most != Some(None) => {
                    between(number, least.flatten(), most.flatten())
                }
                _ => {
                    let bound = |key: &str| bound(key).and_then(serde_json::Number::as_f64);
                    number.as_f64().is_none_or(|number| between(number, bound("minimum"), bound("maximum")))
                }
            }
        }
        (Value::String(text), _) => counted(text.chars().count(), "minLength", "maxLength"),
        (Value::Array(items), _) => counted(items.len(), "minItems", "maxItems"),
        (Value::Object(entries), _) => counted(entries.len(), "minProperties", "maxProperties"),
        _ => true,
    }
}

fn between<T: PartialOrd + Copy>(value: T, least: Option<T>, most: Option<T>) -> bool {
    least.is_none_or(|least| value >= least) && most.is_none_or(|most| value <= most)
}

/// What a schema allows, in words, as `an integer from 1 to 10`.
#[must_use]
pub fn expected(schema: &Map<String, Value>) -> String {
    if let Some(Value::Array(words)) = schema.get("enum") {
        return one_of(words.iter().map(ToString::to_string));
    }
    let named = |key: &str| schema.get(key).map(|bound| bound.as_str().map_or_else(|| bound.to_string(), quoted));
    let between = |least: &str, most: &str, unit: &str| match (named(least), named(most)) {
        (Some(least), Some(most)) => format!(" from {least} to {most}{unit}"),
        (Some(least), None) => format!(" of at least {least}{unit}"),
        (None, Some(most)) => format!(" of at most {most}{unit}"),
        (None, None) => String::new(),
    };
    match schema.get("format").and_then(Value::as_str) {
        Some("mailwright-duration") => {
            return format!("a duration{}, with its unit (ms, s, m, h, d)", between("x-minimum", "x-maximum", ""));
        }
        Some("mailwright-size") => {
            let bounds = between("x-minimum", "x-maximum", "");
            return format!("a size{bounds} (an integer in bytes, or text as \"64MiB\")");
        }
        _ => {}
    }
    let kind = |kind: &str| match kind {
        "boolean" => "true or false".to_owned(),
        "integer" => format!("an integer{}", between("minimum", "maximum", "")),
        "number" => format!("a number{}", between("minimum", "maximum", "")),
        "string" => format!("text{}", between("minLength", "maxLength", " characters")),
        "array" => format!("a list{}", between("minItems", "maxItems", " items")),
        "object" => format!("a table{}", between("minProperties", "maxProperties", " keys")),
        other => other.to_owned(),
    };
    match &types(schema)[..] {
        [] => "another value".to_owned(),
        types => types.iter().map(|one| kind(one)).collect::<Vec<_>>().join(" or "),
    }
}

/// What was probably meant, where that can be told.
fn meant(schema: &Map<String, Value>, value: &Value) -> String {
    let guess = match (value, schema.get("format").and_then(Value::as_str)) {
        (Value::Number(number), Some("mailwright-duration")) => Some(format!("\"{number}s\"")),
        (Value::String(text), Some("mailwright-duration")) => duration(text).err().as_deref().and_then(mend),
        (Value::String(text), Some("mailwright-size")) => size(text).err().as_deref().and_then(mend),
        (Value::String(text), _) => match schema.get("enum") {
            Some(Value::Array(words)) => nearest(text, words.iter().filter_map(Value::as_str)).map(quoted),
            _ => None,
        },
        _ => None,
    };
    guess.map(|guess| format!("; did you mean {guess}?")).unwrap_or_default()
}

/// The value in `did you mean "5m"?`.
fn mend(words: &str) -> Option<String> {
    Some(words.strip_prefix("did you mean ")?.strip_suffix('?')?.to_owned())
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

/// Short values as they are.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if text.chars().count() > 60 => {
            format!("{:?}…", text.chars().take(60).collect::<String>())
        }
        Value::String(text) => quoted(text),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a table".to_owned(),
        other => other.to_string(),
    }
}

fn one_of(words: impl Iterator<Item = String>) -> String {
    let words: Vec<String> = words.collect();
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} or {last}", before.join(", ")),
        None => "nothing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn schema() -> Value {
        json!({
            "type": "object", "required": ["name"], "additionalProperties": false,
            "properties": {
                "name": {"type": "string", "minLength": 1, "maxLength": 5},
                "weight": {"type": "integer", "minimum": -2, "maximum": 9},
                "share": {"type": "number", "minimum": 0, "maximum": 1.5},
                "wait": {"type": "string", "format": "mailwright-duration", "x-minimum": "1s", "x-maximum": "1h"},
                "size": {"type": ["integer", "string"], "format": "mailwright-size", "x-maximum": "1MiB"},
                "mode": {"enum": ["strict", "lax"]},
                "list": {"type": "array", "items": {"type": "boolean"}, "maxItems": 2},
                "map": {"type": "object", "additionalProperties": {"type": "integer"}},
                "free": true,
                "new": {"type": "date", "contains": 1},
            },
        })
    }

    fn words(config: &Value) -> Vec<String> {
        misfits(&schema(), config).into_iter().map(|misfit| format!("{}: {}", misfit.path, misfit.what)).collect()
    }

    #[test]
    fn what_fits_is_silent() {
        let fits = json!({
            "name": "abcde", "weight": -2, "share": 1, "wait": "30m", "size": "1MiB", "mode": "lax",
            "list": [true, false], "map": {"any": 1}, "free": {"x": [1]}, "new": "2026-01-02",
        });
        assert_eq!(words(&fits), [""; 0]);
        assert_eq!(words(&json!({"name": "a", "size": 1_048_576})), [""; 0]);
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_mend() {
        for (value, expected) in [
            (json!({"nmae": "a"}), "nmae: unknown key; did you mean `name`?"),
            (json!({"weight": 10}), "weight: expected an integer from -2 to 9, found 10"),
            (json!({"weight": 1.5}), "weight: expected an integer from -2 to 9, found 1.5"),
            (json!({"share": 1.6}), "share: expected a number from 0 to 1.5, found 1.6"),
            (json!({"name": ""}), "name: expected text from 1 to 5 characters, found \"\""),
            (
                json!({"wait": 5}),
                "wait: expected a duration from \"1s\" to \"1h\", with its unit (ms, s, m, h, d), found 5; did you mean \"5s\"?",
            ),
            (
                json!({"size": "2MB"}),
                "size: expected a size of at most \"1MiB\" (an integer in bytes, or text as \"64MiB\"), found \"2MB\"; did you mean \"2MiB\"?",
            ),
            (
                json!({"mode": "strikt"}),
                "mode: expected \"strict\" or \"lax\", found \"strikt\"; did you mean \"strict\"?",
            ),
            (json!({"list": [true, 1]}), "list.1: expected true or false, found 1"),
            (json!({"list": [true, true, true]}), "list: expected a list of at most 2 items, found a list"),
            (json!({"map": {"k": "v"}}), "map.k: expected an integer, found \"v\""),
        ] {
            assert_eq!(words(&value).first().map(String::as_str), Some(expected), "{value}");
        }
        assert_eq!(words(&json!({})), ["name: missing: expected text from 1 to 5 characters"]);
        assert_eq!(words(&json!(1)), [": expected a table, found 1"]);
        let nothing = json!({"type": "object", "properties": {}, "additionalProperties": false});
        let found = misfits(&nothing, &json!({"a": 1}));
        assert_eq!(found[0].what, "unknown key; this plugin has nothing to set here");
        assert!(found[0].is_key);
    }

    fn values() -> impl Strategy<Value = Value> {
        let keys =
            prop_oneof![".*", "type|properties|items|enum|required|format|minimum|additionalProperties|x-minimum"];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            "object|array|string|integer|mailwright-size|mailwright-duration|.*".prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 64, 6, move |inner| {
            let map = proptest::collection::btree_map(keys.clone(), inner.clone(), 0..6);
            prop_oneof![
                proptest::collection::vec(inner, 0..6).prop_map(Value::from),
                map.prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_schema_makes_it_panic(schema in values(), config in values()) {
            drop(misfits(&schema, &config));
        }
    }
}
