//! A plugin that has every hook: it adds a field at on-data and says `next`.

#[path = "../guest/component.rs"]
mod build;

use bytes::Bytes;
use std::error::Error;

/// Each hook's interface and function, and its parameters once flattened; those that are told answer nothing.
const ASKED: [(&str, &str); 6] = [
    ("on-connect", ""),
    ("on-helo", "(param i32 i32)"),
    ("on-mail", "(param i32 i32 i32 i32 i32 i32 i32)"),
    ("on-rcpt", "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)"),
    ("on-data", ""),
    ("on-pre-send", ""),
];
const TOLD: [(&str, &str, &str); 4] = [
    ("on-outcome", "handle", "(param i32 i32 i32 i32 i32 i32 i32 i32)"),
    ("on-feedback", "handle", "(param i32)"),
    ("on-tick", "tick", ""),
    ("on-disconnect", "handle", ""),
];

const ADD: &str = "(drop (call $header (i32.const 0)))";

/// The component.
pub(crate) fn component() -> Result<Bytes, Box<dyn Error + Send + Sync>> {
    let imports = [("message", "add-header", "(param i32 i32 i32 i32 i32)")];
    let texts = r#"(data (i32.const 16) "X-One") (data (i32.const 32) "1")
        (func $header (param i32) (result i32)
            (call $add-header (i32.const 16) (i32.const 5) (i32.const 32) (i32.const 1) (i32.const 2048))
            (i32.const 0))"#;
    let asked: Vec<(&str, String, String)> = ASKED
        .iter()
        .map(|(hook, parameters)| {
            let add = if *hook == "on-data" { ADD } else { "" };
            (*hook, format!("{parameters} (result i32)"), format!("{add} (i32.const 1024)"))
        })
        .collect();
    let asked = asked.iter().map(|(hook, kind, body)| (*hook, "handle", kind.as_str(), body.as_str()));
    let told = TOLD.iter().map(|(hook, function, kind)| (*hook, *function, *kind, ""));
    let hooks: Vec<_> = asked.chain(told).collect();
    build::component(&imports, texts, &hooks).map_err(|error| error.to_string().into())
}
