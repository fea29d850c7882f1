//! Plugins of a few instructions, written as WebAssembly text and made components of here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const CONTRACT: &str = include_str!("../../plugin-sdk/wit/plugin.wit");

/// A host function: its interface, its name, and its signature once flattened.
pub type Import = (&'static str, &'static str, &'static str);

/// Writes a plugin into a folder: with these imports, this text at 16, and these hooks: `on-rcpt`, or such as are asked without arguments.
/// A hook's answer lies at 1024, which begins as zeros: `next`. There is room for answers of the host at 2048. The function
/// `$deep` calls itself without an end.
///
/// # Panics
/// When the text is no WebAssembly, or does not fit the contract.
#[must_use]
pub fn plugin(folder: &Path, imports: &[Import], text: &str, hooks: &[(&str, &str)]) -> PathBuf {
    let module: String = imports.iter().map(import).chain(hooks.iter().map(hook)).collect();
    let module = format!(
        r#"(module {module}
            (memory (export "memory") 1)
            (global $next (mut i32) (i32.const 8192))
            (data (i32.const 16) "{text}")
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (global.set $next (i32.add (global.get $next) (i32.and (i32.add (local.get 3) (i32.const 15)) (i32.const -16))))
                (i32.sub (global.get $next) (i32.and (i32.add (local.get 3) (i32.const 15)) (i32.const -16))))
            (func $deep (param i64) (result i64) (i64.add (call $deep (i64.add (local.get 0) (i64.const 1))) (i64.const 1))))"#
    );
    let mut module = wat::parse_str(module).expect("the text is WebAssembly");
    let mut resolve = Resolve::default();
    resolve.push_str("plugin.wit", CONTRACT).expect("the contract parses");
    let interfaces: BTreeSet<&str> = imports.iter().map(|(interface, ..)| *interface).collect();
    let used = interfaces.iter().map(|interface| format!("import mailwright:plugin/{interface}@0.1.0;"));
    let had = hooks.iter().map(|(hook, _)| format!("export mailwright:plugin/{hook}@0.1.0;"));
    let world: String = used.chain(had).collect();
    let world = format!("package mailwright:guest; world guest {{ {world} }}");
    let package = resolve.push_str("guest.wit", &world).expect("the world parses");
    let world = resolve.select_world(&[package], None).expect("there is one world");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).expect("it is embedded");
    let mut encoder = ComponentEncoder::default();
    let encoder = encoder.module(&module).expect("it fits the world").validate(true);
    let path = folder.join("guest.wasm");
    std::fs::write(&path, encoder.encode().expect("it is a component")).expect("the folder can be written");
    path
}

fn import((interface, name, kind): &Import) -> String {
    format!(r#"(import "mailwright:plugin/{interface}@0.1.0" "{name}" (func ${name} {kind}))"#)
}

fn hook((hook, body): &(&str, &str)) -> String {
    // The sender, the recipient (its local part is in 5 and 6) and the parameters, once flattened.
    let told = if *hook == "on-rcpt" { "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)" } else { "" };
    format!(r#"(func (export "mailwright:plugin/{hook}@0.1.0#handle") {told} (result i32) {body} (i32.const 1024))"#)
}
