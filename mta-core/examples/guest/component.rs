//! Components from WebAssembly text.

use bytes::Bytes;
use std::collections::BTreeSet;
use std::error::Error;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const CONTRACT: &str = include_str!("../../../plugin-sdk/wit/plugin.wit");

/// A component with these hooks (interface, function, flattened signature, body), that imports these functions
/// (interface, name, flattened signature). `head` is what stands in the module besides. A hook's answer may lie at 1024,
/// which begins as zeros: `ok(next)`.
pub(crate) fn component(
    imports: &[(&str, &str, &str)],
    head: &str,
    hooks: &[(&str, &str, &str, &str)],
) -> Result<Bytes, Box<dyn Error>> {
    let imported: String = imports
        .iter()
        .map(|(interface, name, kind)| {
            format!(r#"(import "mailwright:plugin/{interface}@0.1.0" "{name}" (func ${name} {kind}))"#)
        })
        .collect();
    let exported: String = hooks
        .iter()
        .map(|(hook, name, kind, body)| {
            let export = format!("mailwright:plugin/{hook}@0.1.0#{name}");
            // What answers nothing has nothing to clean up.
            let post = match kind.contains("(result") {
                true => format!(r#"(func (export "cabi_post_{export}") (param i32))"#),
                false => String::new(),
            };
            format!(r#"{post} (func (export "{export}") {kind} {body})"#)
        })
        .collect();
    let text = format!(
        r#"(module {imported}
            (memory (export "memory") 20480 (pagesize 1))
            {head}
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 8192))
            {exported})"#,
    );
    let mut module = wat::parse_str(text)?;
    let mut resolve = Resolve::default();
    resolve.push_str("plugin.wit", CONTRACT)?;
    let interfaces: BTreeSet<&str> = imports.iter().map(|(interface, ..)| *interface).collect();
    let used = interfaces.iter().map(|interface| format!("import mailwright:plugin/{interface}@0.1.0;"));
    let had = hooks.iter().map(|(hook, ..)| format!("export mailwright:plugin/{hook}@0.1.0;"));
    let world: String = used.chain(had).collect();
    let package = resolve.push_str("guest.wit", &format!("package mailwright:guest; world guest {{ {world} }}"))?;
    let world = resolve.select_world(&[package], None)?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)?;
    Ok(ComponentEncoder::default().module(&module)?.validate(true).encode()?.into())
}
