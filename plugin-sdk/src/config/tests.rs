//! What is read is what was written; what does not fit is named; the schema says the same.

use super::json::{Json, parse};
use super::{Misfit, Setting, Size, from_json, scalar, schema};
use crate::Config;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// All kinds of fields.
#[derive(Debug, PartialEq, Config)]
struct All {
    /// Who.
    #[config(length = 1..=5)]
    name: String,
    #[config(default = 7, range = -2..=9)]
    weight: i32,
    #[config(default = 0.5, range = 0..=1.5)]
    share: f64,
    #[config(default = "1m", range = "1s"..)]
    wait: Duration,
    #[config(default = "1KiB", range = "1B"..="2MiB")]
    size: Size,
    #[config(default = true)]
    on: bool,
    #[config(default = "very-lax")]
    mode: Mode,
    inner: Option<Inner>,
    #[config(default = ["a", "b\""])]
    list: Vec<String>,
    #[config(default, length = ..=2)]
    map: BTreeMap<String, Inner>,
    #[config(default = made(), name = "in")]
    made: u64,
}

fn made() -> u64 {
    u64::MAX
}

#[derive(Clone, Copy, Debug, PartialEq, Config)]
enum Mode {
    Strict,
    VeryLax,
    #[config(name = "none")]
    Off,
}

/// Within another.
#[derive(Debug, PartialEq, Config)]
struct Inner {
    #[config(range = 1..=3)]
    ports: Vec<u16>,
    /// Perhaps.
    maybe: Option<u8>,
}

#[test]
fn what_is_not_said_is_the_default() {
    let all: All = from_json(r#" { "name" : "x" } "#).expect("it fits");
    let expected = All {
        name: "x".to_owned(),
        weight: 7,
        share: 0.5,
        wait: Duration::from_secs(60),
        size: Size(1024),
        on: true,
        mode: Mode::VeryLax,
        inner: None,
        list: vec!["a".to_owned(), "b\"".to_owned()],
        map: BTreeMap::new(),
        made: u64::MAX,
    };
    assert_eq!(all, expected);
    assert_eq!(from_json::<()>("{}"), Ok(()));
}

#[test]
fn what_is_said_is_read() {
    let all: All = from_json(
        r#"{"name":"a\u00e9","weight":-2,"share":1,"wait":"1h30m","size":4096,"on":false,"mode":"none",
            "inner":{"ports":[1,3],"maybe":255},"list":[],"map":{"k":{"ports":[]}},"in":3}"#,
    )
    .expect("it fits");
    assert_eq!((all.name.as_str(), all.weight, all.share, all.on), ("aé", -2, 1.0, false));
    assert_eq!((all.wait, all.size, all.mode, all.made), (Duration::from_secs(5400), Size(4096), Mode::Off, 3));
    assert_eq!(all.inner, Some(Inner { ports: vec![1, 3], maybe: Some(255) }));
    assert_eq!(all.map["k"], Inner { ports: Vec::new(), maybe: None });
}

#[test]
fn what_does_not_fit_is_named_with_its_path() {
    let words = |inside: &str| {
        let text = ["{\"name\":\"x\",", inside, "}"].concat();
        from_json::<All>(&text).expect_err(inside).to_string()
    };
    for (inside, expected) in [
        (r#""wieght":1"#, "wieght: unknown key; did you mean `weight`?"),
        (r#""weight":10"#, "weight: expected an integer from -2 to 9, found 10"),
        (r#""weight":1.5"#, "weight: expected an integer from -2 to 9, found 1.5"),
        (r#""in":-1"#, "in: expected an integer from 0 to 18446744073709551615, found -1"),
        (r#""share":2"#, "share: expected a number from 0 to 1.5, found 2"),
        (r#""name":"abcdef""#, "name: expected text of 1 to 5 characters, found \"abcdef\""),
        (r#""on":"yes""#, "on: expected true or false, found \"yes\""),
        (r#""wait":5"#, "wait: expected a duration from \"1s\", with its unit, as \"90s\" (ms, s, m, h, d), found 5"),
        (
            r#""size":"3MiB""#,
            "size: expected a size from \"1B\" to \"2MiB\", as an integer in bytes, or text as \"64KiB\", found \"3MiB\"",
        ),
        (r#""mode":"strikt""#, "mode: expected `strict`, `very-lax`, `none`, found \"strikt\"; did you mean `strict`?"),
        (r#""inner":{"ports":[1,4]}"#, "inner.ports.1: expected an integer from 1 to 3, found 4"),
        (r#""inner":{}"#, "inner.ports: missing"),
        (r#""map":{"k":{"ports":[],"x":1}}"#, "map.k.x: unknown key; expected `ports`, `maybe`"),
        (r#""map":{"a":1,"b":1,"c":1}"#, "map: expected a table of 0 to 2 keys, found a table"),
        (r#""list":{}"#, "list: expected a list, found a table"),
    ] {
        // The first of two counts.
        let inside = inside.replace("\"name\":\"abcdef\"", "\"on\":true");
        let found = match inside.contains("\"on\":true") {
            true => from_json::<All>("{\"name\":\"abcdef\"}").expect_err("too long").to_string(),
            false => words(&inside),
        };
        assert_eq!(found, expected, "{inside}");
    }
    assert_eq!(from_json::<All>("{}"), Err(Misfit::new("missing").under("name")));
    assert_eq!(from_json::<()>("{\"a\":1}").expect_err("one").to_string(), NOTHING);
}

const NOTHING: &str = "a: unknown key; expected none: there is nothing to set";

#[test]
fn the_schema_says_what_is_read() {
    let schema: Value = serde_json::from_str(&schema::<All>()).expect("it is JSON");
    let inner = json!({
        "type": "object", "description": "Within another.", "required": ["ports"], "additionalProperties": false,
        "properties": {
            "ports": {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 3}},
            "maybe": {"type": "integer", "minimum": 0, "maximum": 255, "description": "Perhaps."},
        },
    });
    assert_eq!(
        schema,
        json!({
            "type": "object", "description": "All kinds of fields.", "required": ["name"],
            "additionalProperties": false,
            "properties": {
                "name": {"type": "string", "minLength": 1, "maxLength": 5, "description": "Who."},
                "weight": {"type": "integer", "minimum": -2, "maximum": 9, "default": 7},
                "share": {"type": "number", "minimum": 0, "maximum": 1.5, "default": 0.5},
                "wait": {
                    "type": "string", "format": "mailwright-duration", "x-minimum": "1s", "default": "1m",
                },
                "size": {
                    "type": ["integer", "string"], "format": "mailwright-size", "x-minimum": "1B",
                    "x-maximum": "2MiB", "default": "1KiB",
                },
                "on": {"type": "boolean", "default": true},
                "mode": {"enum": ["strict", "very-lax", "none"], "default": "very-lax"},
                "inner": inner,
                "list": {"type": "array", "items": {"type": "string"}, "default": ["a", "b\""]},
                "map": {
                    "type": "object", "additionalProperties": inner, "minProperties": 0, "maxProperties": 2,
                    "default": {},
                },
                "in": {"type": "integer", "minimum": 0, "maximum": u64::MAX},
            },
        })
    );
}

#[test]
fn the_manifest_says_who_a_plugin_is() {
    let config = Some(<Inner as Setting>::SCHEMA);
    let manifest = super::Manifest { name: "a", version: "1.2.3", description: "Says \"a\"\\\n", config };
    let text = match manifest.length() {
        length if length < 1000 => manifest.written::<1000>()[..length].to_vec(),
        length => panic!("{length} octets"),
    };
    let value: Value = serde_json::from_slice(&text).expect("it is JSON");
    assert_eq!((&value["name"], &value["description"]), (&json!("a"), &json!("Says \"a\"\\\n")));
    assert_eq!(value["config"]["required"], json!(["ports"]));
    let contract = include_str!("../../wit/plugin.wit");
    let package = format!("package mailwright:plugin@{};", value["contract"].as_str().unwrap_or_default());
    assert!(contract.contains(&package), "{package}");
}

#[test]
fn units_are_those_of_the_servers_configuration() {
    for (text, millis) in [("5ms", 5), ("90s", 90_000), ("1h30m", 5_400_000), ("2d", 172_800_000)] {
        assert_eq!(scalar::millis(text), Some(millis), "{text}");
    }
    for (text, octets) in [("7", 7), ("7B", 7), ("64KiB", 65_536), ("1 MiB", 1 << 20), ("2GiB", 1 << 31)] {
        assert_eq!(scalar::octets(text), Some(octets), "{text}");
    }
    for text in ["", "5", "s", "5min", "-5s", "5S", "99999999999999999999s", "213503982335d", "1.5h"] {
        assert_eq!(scalar::millis(text), None, "{text}");
    }
    for text in ["", "KiB", "64K", "64KB", "64kiB", "1MiBx", "99999999999999999999", "18446744073709551615GiB"] {
        assert_eq!(scalar::octets(text), None, "{text}");
    }
}

#[test]
fn what_is_no_json_is_refused() {
    for broken in ["", "{", "{}}", "{\"a\":\"\\x\"}", "\"\\ud800x\"", "[1,]", "{,}", "nul", "[1 2]", "{\"a\" 1}", "\"a"]
    {
        assert_eq!(parse(broken), Err(Misfit::new("the configuration is not JSON")), "{broken}");
    }
    assert_eq!(parse(&"[".repeat(100_000)), Err(Misfit::new("the configuration is nested too deep")));
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e9..1e9f64).prop_map(|number| json!(number)),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(".*", inner, 0..6).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn same(json: &Json, value: &Value) -> bool {
    match (json, value) {
        (Json::Null, Value::Null) => true,
        (Json::Bool(one), Value::Bool(other)) => one == other,
        (Json::Number(one), Value::Number(other)) => *one == other.to_string(),
        (Json::Text(one), Value::String(other)) => one == other,
        (Json::List(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Json::Table(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, one)| other.get(key).is_some_and(|other| same(one, other)))
        }
        _ => false,
    }
}

proptest! {
    #[test]
    fn any_value_is_read_as_serde_json_wrote_it(value in values(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        let read = parse(&text.expect("values are JSON"));
        prop_assert!(read.is_ok_and(|json| same(&json, &value)));
    }

    #[test]
    fn no_text_makes_it_panic(text in ".*", json in "[\\[\\]{}\",:0-9a-z\\\\ ]*") {
        drop(from_json::<All>(&text));
        drop(from_json::<All>(&json));
        let _ = (scalar::millis(&text), scalar::octets(&text));
    }
}

#[test]
fn what_lies_in_a_box_is_read_and_told_as_it_is() {
    #[derive(Debug, PartialEq, Config)]
    struct Boxed {
        inner: Option<Box<Inner>>,
        #[config(default = 3, range = 1..=5)]
        number: Box<u8>,
    }
    #[derive(Debug, PartialEq, Config)]
    struct Plain {
        inner: Option<Inner>,
        #[config(default = 3, range = 1..=5)]
        number: u8,
    }
    let inner = Inner { ports: vec![1], maybe: None };
    let read: Boxed = from_json(r#"{"inner":{"ports":[1]}}"#).expect("it fits");
    assert_eq!(read, Boxed { inner: Some(Box::new(inner)), number: Box::new(3) });
    assert_eq!(from_json::<Boxed>("{}").map(|read| read.inner), Ok(None));
    let wrong = |json| from_json::<Boxed>(json).expect_err("it does not fit").to_string();
    assert!(wrong(r#"{"inner":{"ports":[9]}}"#).starts_with("inner.ports.0: "));
    assert!(wrong(r#"{"number":9}"#).starts_with("number: "));
    assert_eq!(schema::<Boxed>(), schema::<Plain>());
}
