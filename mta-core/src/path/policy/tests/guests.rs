//! Small guests in WebAssembly text, made components of here: each does one thing, or does it wrong. The body of
//! "lifecycle" is that of `configure`.
//!
//! A hook's answer lies at 1024, which begins as zeros: `ok(next)`. Host functions answer at 2048. The texts "X-One"
//! and "1" lie at 16 and 32.

use bytes::Bytes;
use std::collections::BTreeSet;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const CONTRACT: &str = include_str!("../../../../../plugin-sdk/wit/plugin.wit");

/// A host function: its interface, its name, and its signature once flattened.
pub(super) type Import = (&'static str, &'static str, &'static str);

pub(super) const ADD_HEADER: Import = ("message", "add-header", "(param i32 i32 i32 i32 i32)");
pub(super) const SET_HEADER: Import = ("message", "set-header", "(param i32 i32 i32 i32 i32 i32 i32)");
pub(super) const HEADER: Import = ("message", "header", "(param i32 i32 i32)");
pub(super) const FIND: Import = ("message", "find", "(param i32 i32 i64 i32)");
pub(super) const PARTS: Import = ("message", "parts", "(param i32)");
pub(super) const READ_PART: Import = ("message", "read-part", "(param i32 i64 i32 i32)");
pub(super) const WRITE_BODY: Import = ("message", "write-body", "(param i32 i32 i32)");
pub(super) const COPY_BODY: Import = ("message", "copy-body", "(param i64 i64 i32)");
pub(super) const SET_TAG: Import = ("message", "set-tag", "(param i32 i32 i32 i32 i32)");
pub(super) const GET_NOTE: Import = ("session", "get-note", "(param i32 i32 i32)");
pub(super) const SET_NOTE: Import = ("session", "set-note", "(param i32 i32 i32 i64 i32 i32)");
pub(super) const SESSION: Import = ("session", "current", "(param i32)");
pub(super) const CURRENT: Import = ("delivery", "current", "(param i32)");
pub(super) const PEER_IP: Import = ("session", "peer-ip", "(param i32)");
pub(super) const RECIPIENT: Import = ("delivery", "recipient", "(param i32)");
pub(super) const ATTEMPT: Import = ("delivery", "attempt", "(param i32)");
pub(super) const LOG: Import = ("log", "write", "(param i32 i32 i32 i32 i32)");
pub(super) const CLOCK: Import = ("clock", "now-ms", "(result i64)");
pub(super) const RANDOM: Import = ("random", "bytes", "(param i32 i32)");
pub(super) const INCR: Import = ("kv", "incr", "(param i32 i32 i32 i32 i64 i32 i64 i32)");

pub(super) const NEXT: &str = "(i32.const 1024)";
pub(super) const ACCEPT: &str = "(i32.store8 offset=4 (i32.const 1024) (i32.const 1)) (i32.const 1024)";
pub(super) const TRAP: &str = "unreachable";
pub(super) const SPIN: &str = "(loop $again (br $again)) unreachable";

/// Adds the field `X-One: 1`.
pub(super) const ADD: &str =
    "(call $add-header (i32.const 16) (i32.const 5) (i32.const 32) (i32.const 1) (i32.const 2048))";

/// Writes "X-One" as a piece of the new body.
pub(super) const WRITE: &str = "(call $write-body (i32.const 16) (i32.const 5) (i32.const 2048))";

/// Traps unless the host answered with that error; the numbers are those of the contract's enumeration.
pub(super) fn expect_error(number: u8) -> String {
    format!("{} {}", expect_octet(2048, 1), expect_octet(2049, number))
}

/// `reject` with that code and the text "X-One".
pub(super) fn reject(code: u16) -> String {
    format!(
        "(i32.store8 offset=4 (i32.const 1024) (i32.const 3)) (i32.store16 offset=8 (i32.const 1024) (i32.const {code}))
         (i32.store offset=20 (i32.const 1024) (i32.const 16)) (i32.store offset=24 (i32.const 1024) (i32.const 5))
         (i32.const 1024)"
    )
}

/// Traps unless the octet at that place has that value.
pub(super) fn expect_octet(at: u32, value: u8) -> String {
    format!("(if (i32.ne (i32.load8_u (i32.const {at})) (i32.const {value})) (then unreachable))")
}

/// A component that imports these functions and has these hooks with these bodies.
pub(super) fn guest(imports: &[Import], hooks: &[(&str, &str)]) -> Bytes {
    guest_of(CONTRACT, imports, hooks)
}

/// A component with these hooks and other parts of a module.
pub(super) fn guest_with(parts: &str, hooks: &[(&str, &str)]) -> Bytes {
    component(CONTRACT, &[], hooks, parts)
}

/// The same, and it imports these functions.
pub(super) fn guest_with_both(imports: &[Import], parts: &str, hooks: &[(&str, &str)]) -> Bytes {
    component(CONTRACT, imports, hooks, parts)
}

/// A component with these imports, these hooks, and this text at 64.
pub(super) fn guest_saying(imports: &[Import], text: &str, hooks: &[(&str, &str)]) -> Bytes {
    guest_with_both(imports, &format!("(data (i32.const 64) {text:?})"), hooks)
}

/// The same, built against a contract of its own.
pub(super) fn guest_of(contract: &str, imports: &[Import], hooks: &[(&str, &str)]) -> Bytes {
    component(contract, imports, hooks, "")
}

/// What guests that are written for a system ask for.
const SYSTEM: &str = "package mailwright:system;
    package wasi:io@0.2.9 {
        interface error { resource error; }
        interface streams {
            use error.{error};
            variant stream-error { last-operation-failed(error), closed }
            resource output-stream { blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>; }
        }
    }
    package wasi:cli@0.2.9 {
        interface stderr { use wasi:io/streams@0.2.9.{output-stream}; get-stderr: func() -> output-stream; }
    }
    package wasi:clocks@0.2.9 {
        interface wall-clock { record datetime { seconds: u64, nanoseconds: u32 } now: func() -> datetime; }
    }
    package wasi:random@0.2.9 { interface random { get-random-u64: func() -> u64; } }
    package wasi:sockets@0.2.9 { interface instance-network { instance-network: func() -> u32; } }";

/// A guest of a system, which goes to the wide profile: its functions, by what they are called in the text. The text lies
/// at 64, and `print` takes where one begins and how long it is.
pub(super) fn system_guest(version: &str, text: &str, hooks: &[(&str, &str)]) -> Bytes {
    let functions = [
        ("wasi:cli/stderr", "get-stderr", "(func $stderr (result i32))"),
        ("wasi:io/streams", "[method]output-stream.blocking-write-and-flush", "(func $write (param i32 i32 i32 i32))"),
        ("wasi:clocks/wall-clock", "now", "(func $now (param i32))"),
        ("wasi:random/random", "get-random-u64", "(func $draw (result i64))"),
        ("wasi:sockets/instance-network", "instance-network", "(func $network (result i32))"),
    ];
    let imports: String = functions
        .iter()
        .map(|(interface, name, kind)| format!(r#"(import "{interface}@{version}" "{name}" {kind})"#))
        .collect();
    let parts = format!(
        r#"(func $print (param i32 i32) (call $write (call $stderr) (local.get 0) (local.get 1) (i32.const 4096)))
           (data (i32.const 64) {text:?})"#
    );
    let world: String = functions.iter().map(|(interface, ..)| format!("import {interface}@{version};")).collect();
    let system = SYSTEM.replace("0.2.9", version);
    encoded(&[CONTRACT, &system], &world, hooks, &module(&imports, hooks, &parts))
}

fn component(contract: &str, imports: &[Import], hooks: &[(&str, &str)], parts: &str) -> Bytes {
    let declared: String = imports
        .iter()
        .map(|(interface, name, kind)| {
            format!(r#"(import "mailwright:plugin/{interface}@0.1.0" "{name}" (func ${name} {kind}))"#)
        })
        .collect();
    let interfaces: BTreeSet<&str> = imports.iter().map(|(interface, ..)| *interface).collect();
    let used = interfaces.iter().map(|interface| format!("import mailwright:plugin/{interface}@0.1.0;"));
    encoded(&[contract], &used.collect::<String>(), hooks, &module(&declared, hooks, parts))
}

fn encoded(packages: &[&str], used: &str, hooks: &[(&str, &str)], module: &str) -> Bytes {
    let mut module = wat::parse_str(module).expect("the text is WebAssembly");
    let mut resolve = Resolve::default();
    for (place, package) in packages.iter().enumerate() {
        resolve.push_str(format!("{place}.wit"), package).expect("the contract parses");
    }
    let had = hooks.iter().map(|(hook, _)| format!("export mailwright:plugin/{hook}@0.1.0;"));
    let had: String = had.collect();
    let text = format!("package mailwright:guest; world guest {{ {used} {had} }}");
    let package = resolve.push_str("guest.wit", &text).expect("the world parses");
    let world = resolve.select_world(&[package], None).expect("there is one world");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).expect("it is embedded");
    let mut encoder = ComponentEncoder::default();
    let encoder = encoder.module(&module).expect("it fits the world").validate(true);
    encoder.encode().expect("it is a component").into()
}

fn module(imports: &str, hooks: &[(&str, &str)], parts: &str) -> String {
    let hooks: String = hooks
        .iter()
        .map(|(hook, body)| {
            if *hook == "lifecycle" {
                return format!(
                    r#"(func (export "mailwright:plugin/lifecycle@0.1.0#configure") (param i32 i32) (result i32) {body})
                       (func (export "mailwright:plugin/lifecycle@0.1.0#self-test") (result i32) (i32.const 1024))"#
                );
            }
            // A sender is 5 words once flattened, a recipient 4, parameters and a text 2.
            let signature = match *hook {
                "on-rcpt" => "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)",
                "on-mail" => "(param i32 i32 i32 i32 i32 i32 i32) (result i32)",
                "on-helo" => "(param i32 i32) (result i32)",
                // The mechanism, the user, and whether it succeeded.
                "on-auth" => "(param i32 i32 i32 i32 i32) (result i32)",
                // The mechanism, the user and the password.
                "on-password" => "(param i32 i32 i32 i32 i32 i32) (result i32)",
                // Method, path, query, fields, content and client.
                "on-http" => "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)",
                "on-disconnect" | "on-tick" => "",
                // What does not fit into 16 words lies in memory.
                "on-feedback" => "(param i32)",
                // A case and the reply's words: code, status (a tag and three), text.
                "on-outcome" => "(param i32 i32 i32 i32 i32 i32 i32 i32)",
                _ => "(result i32)",
            };
            let name = if *hook == "on-tick" { "tick" } else { "handle" };
            format!(r#"(func (export "mailwright:plugin/{hook}@0.1.0#{name}") {signature} (local $n i32) {body})"#)
        })
        .collect();
    format!(
        r#"(module {imports}
            (memory (export "memory") 1)
            (global $next (mut i32) (i32.const 8192))
            (data (i32.const 16) "X-One")
            (data (i32.const 32) "1")
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (global.set $next (i32.add (global.get $next) (i32.and (i32.add (local.get 3) (i32.const 15)) (i32.const -16))))
                (i32.sub (global.get $next) (i32.and (i32.add (local.get 3) (i32.const 15)) (i32.const -16))))
            (func $deep (param i64) (result i64) (i64.add (call $deep (i64.add (local.get 0) (i64.const 1))) (i64.const 1)))
            {parts} {hooks})"#
    )
}
