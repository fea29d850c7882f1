//! Small plugins of the scenarios' own, written in WebAssembly text: each asks the server one thing at RCPT, and lets the
//! recipient in if the answer is yes.

use std::path::{Path, PathBuf};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const CONTRACT: &str = include_str!("../../plugin-sdk/wit/plugin.wit");

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub enum Asks<'a> {
    /// Whether the table "vips" has the recipient's local part.
    Vips,
    /// Whether this list has 127.0.0.1.
    List(&'a str),
    /// Whether this URL answers 200.
    Url(&'a str),
}

impl Asks<'_> {
    /// Writes the plugin into a folder; its path.
    ///
    /// # Panics
    /// When it can't be made or written.
    #[must_use]
    pub fn write(self, folder: &Path) -> PathBuf {
        let path = folder.join("asks.wasm");
        std::fs::write(&path, self.component()).expect("the folder can be written to");
        path
    }

    /// The interface and the function, with its signature once flattened.
    fn import(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Vips => ("tables", "lookup", "(param i32 i32 i32 i32 i32)"),
            Self::List(_) => ("dns", "dnsbl", "(param i32 i32 i32 i32 i32)"),
            Self::Url(_) => ("http", "fetch", "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)"),
        }
    }

    /// The texts that it uses, which lie at 64; its call, which answers at 2048; and what is a yes. The recipient's
    /// local part is in the parameters 5 and 6.
    fn call(self) -> (String, String, &'static str) {
        match self {
            Self::Vips => (
                "vips".to_owned(),
                "(i32.const 64) (i32.const 4) (local.get 5) (local.get 6)".to_owned(),
                "(i32.load8_u (i32.const 2052))",
            ),
            Self::List(zone) => (
                format!("127.0.0.1{zone}"),
                format!("(i32.const 73) (i32.const {}) (i32.const 64) (i32.const 9)", zone.len()),
                "(i32.load (i32.const 2056))",
            ),
            Self::Url(url) => (
                format!("GET{url}"),
                format!(
                    "(i32.const 64) (i32.const 3) (i32.const 67) (i32.const {}) (i32.const 0) (i32.const 0) (i32.const 0)
                     (i32.const 0) (i32.const 0)",
                    url.len()
                ),
                "(i32.eq (i32.load16_u (i32.const 2052)) (i32.const 200))",
            ),
        }
    }

    /// An error traps, so that the operator's `on_failure` answers. Yes is `accept`; no is `reject` with 550 and "GONE".
    fn component(self) -> Vec<u8> {
        let (interface, function, kind) = self.import();
        let (texts, call, yes) = self.call();
        let text = format!(
            r#"(module
                (import "mailwright:plugin/{interface}@0.1.0" "{function}" (func $ask {kind}))
                (memory (export "memory") 1)
                (global $next (mut i32) (i32.const 8192))
                (data (i32.const 16) "GONE")
                (data (i32.const 64) {texts:?})
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                    (global.set $next
                        (i32.add (global.get $next) (i32.and (i32.add (local.get 3) (i32.const 15)) (i32.const -16))))
                    (i32.sub (global.get $next) (i32.and (i32.add (local.get 3) (i32.const 15)) (i32.const -16))))
                (func (export "mailwright:plugin/on-rcpt@0.1.0#handle")
                    (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
                    (call $ask {call} (i32.const 2048))
                    (if (i32.load8_u (i32.const 2048)) (then unreachable))
                    (if {yes} (then (i32.store8 (i32.const 1028) (i32.const 1)) (i32.const 1024) return))
                    (i32.store8 (i32.const 1028) (i32.const 3)) (i32.store16 (i32.const 1032) (i32.const 550))
                    (i32.store (i32.const 1044) (i32.const 16)) (i32.store (i32.const 1048) (i32.const 4))
                    (i32.const 1024)))"#
        );
        let mut module = wat::parse_str(text).expect("the text is WebAssembly");
        let world = format!(
            "package mailwright:guest; world guest {{ import mailwright:plugin/{interface}@0.1.0; \
             export mailwright:plugin/on-rcpt@0.1.0; }}"
        );
        let mut resolve = Resolve::default();
        resolve.push_str("plugin.wit", CONTRACT).expect("the contract parses");
        let package = resolve.push_str("guest.wit", &world).expect("the world parses");
        let world = resolve.select_world(&[package], None).expect("there is one world");
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).expect("it is embedded");
        let mut encoder = ComponentEncoder::default();
        let encoder = encoder.module(&module).expect("it fits the world").validate(true);
        encoder.encode().expect("it is a component")
    }
}
