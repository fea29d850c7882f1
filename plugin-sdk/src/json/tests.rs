//! What is read agrees with `serde_json`; what does not fit is named.

use super::read;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Rule {
    name: String,
    #[serde(default)]
    weight: Option<i32>,
    #[serde(default)]
    kind: Kind,
    #[serde(default)]
    list: Vec<(String, u16)>,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    #[default]
    Plain,
    Scored(f64),
    Named {
        on: bool,
    },
}

#[test]
fn types_of_all_shapes_are_read() {
    let rule: Rule = read(
        r#" {"name": "a\n\u00e9\ud83d\ude00", "weight": -3, "kind": {"scored": 1.5},
        "list": [["x", 1], ["y", 65535]]} "#,
    )
    .expect("it fits");
    let list = vec![("x".to_owned(), 1), ("y".to_owned(), 65535)];
    assert_eq!(rule, Rule { name: "a\né😀".to_owned(), weight: Some(-3), kind: Kind::Scored(1.5), list });
    let rule: Rule = read(r#"{"name":"","weight":null,"kind":{"named":{"on":true}}}"#).expect("it fits");
    assert_eq!(rule.kind, Kind::Named { on: true });
    assert_eq!(read::<Kind>(r#""plain""#), Ok(Kind::Plain));
}

#[test]
fn what_does_not_fit_is_named_with_its_key() {
    let words = |text: &str| read::<Rule>(text).expect_err("it does not fit").to_string();
    assert_eq!(words(r#"{"nam":"x"}"#), "unknown field `nam`, expected one of `name`, `weight`, `kind`, `list`");
    assert_eq!(words("{}"), "missing field `name`");
    assert_eq!(words(r#"{"name":1}"#), "name: expected a string, found an integer");
    assert_eq!(words(r#"{"name":"x","list":[["x",70000]]}"#), "list: expected u16, found a value out of range");
    assert_eq!(words(r#"{"name":"x","weight":1.5}"#), "weight: expected i32, found a number with a fraction");
    for broken in ["", "{", "{\"name\":\"x\"}}", "{\"name\":\"\\x\"}", "{\"name\":\"\\ud800x\"}", "[1,]"] {
        assert!(read::<Rule>(broken).is_err() && read::<Vec<u8>>(broken).is_err(), "{broken}");
    }
    assert!(read::<Value>(&"[".repeat(100_000)).is_err());
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

proptest! {
    #[test]
    fn any_value_is_read_as_serde_json_wrote_it(value in values(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        prop_assert_eq!(read::<Value>(&text.expect("values are JSON")), Ok(value));
    }

    #[test]
    fn no_text_makes_it_panic(text in ".*") {
        drop(read::<Value>(&text));
        drop(read::<Rule>(&text));
    }
}
