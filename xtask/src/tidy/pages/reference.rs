//! The reference of the plugins' contract, from its WIT.

use std::fmt::Write;
use wit_parser::{Docs, Function, Interface, Resolve, Type, TypeDef, TypeDefKind, TypeId};

const HEAD: &str = "# The contract's reference

<!-- Written by `cargo xtask pages` from plugin-sdk/wit/plugin.wit: change that. -->

Every interface of the contract between Mailwright and plugins, with its functions and types, in the words of
[plugin.wit](../../plugin-sdk/wit/plugin.wit). A plugin exports the hooks that it has, and imports what it uses. The Rust SDK
has the same names in Rust's spelling (`on-pre-send` is `on_pre_send`, `now-ms` is `clock::now_ms`); where it says more, its
own documentation tells. [first-plugin.md](first-plugin.md) says which hooks and capabilities this version offers and what
each grants.
";

/// The page.
///
/// # Errors
/// The contract does not parse, in the parser's words.
pub(super) fn page(contract: &str) -> Result<String, String> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("plugin.wit", contract).map_err(|error| format!("{error:#}"))?;
    let mut interfaces: Vec<&Interface> =
        resolve.packages[package].interfaces.values().map(|id| &resolve.interfaces[*id]).collect();
    let is_hook = |one: &&Interface| name(one).starts_with("on-") || name(one) == "lifecycle";
    let is_plain = |one: &&Interface| one.functions.is_empty();
    let mut text = format!("{HEAD}\nVersion: {}.\n", resolve.packages[package].name);
    let mut section = |title: &str, chosen: &dyn Fn(&&Interface) -> bool| {
        let (these, others): (Vec<_>, Vec<_>) = interfaces.drain(..).partition(chosen);
        interfaces = others;
        if !these.is_empty() {
            text.push_str(&format!("\n## {title}\n"));
        }
        for interface in these {
            text.push_str(&described(&resolve, interface));
        }
    };
    section("Hooks", &is_hook);
    section("What they share", &is_plain);
    section("What plugins may import", &|_| true);
    Ok(text)
}

fn name(interface: &Interface) -> &str {
    interface.name.as_deref().unwrap_or_default()
}

fn described(resolve: &Resolve, interface: &Interface) -> String {
    let mut text = format!("\n### `{}`\n", name(interface));
    // Writing to memory does not fail.
    if let Some(words) = words(&interface.docs) {
        let _ = write!(text, "\n{words}\n");
    }
    let mut code = String::new();
    for (name, id) in &interface.types {
        let _ = write!(code, "{}", definition(resolve, name, &resolve.types[*id]));
    }
    for function in interface.functions.values() {
        let _ = write!(code, "{}", comment(&function.docs, ""));
        let _ = writeln!(code, "{}", signature(resolve, function));
    }
    let _ = write!(text, "\n```wit\n{code}```\n");
    text
}

fn signature(resolve: &Resolve, function: &Function) -> String {
    let named = |name: &str, kind: &Type| format!("{name}: {}", kind_name(resolve, kind));
    let parameters: Vec<String> = function.params.iter().map(|param| named(&param.name, &param.ty)).collect();
    let result = function.result.as_ref().map(|kind| format!(" -> {}", kind_name(resolve, kind)));
    format!("{}: func({}){};", function.name, parameters.join(", "), result.unwrap_or_default())
}

/// A type's definition; of one that is used from elsewhere, from where.
fn definition(resolve: &Resolve, name: &str, kind: &TypeDef) -> String {
    let comment_of = comment(&kind.docs, "");
    let cases = |word: &str, cases: Vec<(String, &Docs)>| {
        let lines: String = cases.iter().map(|(case, docs)| format!("{}  {case},\n", comment(docs, "  "))).collect();
        format!("{comment_of}{word} {name} {{\n{lines}}}\n")
    };
    match &kind.kind {
        TypeDefKind::Record(record) => {
            let field = |field: &wit_parser::Field| format!("{}: {}", field.name, kind_name(resolve, &field.ty));
            cases("record", record.fields.iter().map(|one| (field(one), &one.docs)).collect())
        }
        TypeDefKind::Variant(variant) => {
            let case = |case: &wit_parser::Case| match &case.ty {
                Some(kind) => format!("{}({})", case.name, kind_name(resolve, kind)),
                None => case.name.clone(),
            };
            cases("variant", variant.cases.iter().map(|one| (case(one), &one.docs)).collect())
        }
        TypeDefKind::Enum(list) => cases("enum", list.cases.iter().map(|one| (one.name.clone(), &one.docs)).collect()),
        TypeDefKind::Flags(flags) => {
            cases("flags", flags.flags.iter().map(|one| (one.name.clone(), &one.docs)).collect())
        }
        TypeDefKind::Type(Type::Id(other)) if home(resolve, *other) != home_of(resolve, kind) => {
            format!("use {}.{{{name}}};\n", home(resolve, *other).unwrap_or_default())
        }
        other => format!("{comment_of}type {name} = {};\n", shape(resolve, other)),
    }
}

fn home(resolve: &Resolve, id: TypeId) -> Option<&str> {
    home_of(resolve, &resolve.types[id])
}

/// The interface that a type belongs to.
fn home_of<'r>(resolve: &'r Resolve, kind: &TypeDef) -> Option<&'r str> {
    match kind.owner {
        wit_parser::TypeOwner::Interface(id) => resolve.interfaces[id].name.as_deref(),
        _ => None,
    }
}

fn kind_name(resolve: &Resolve, kind: &Type) -> String {
    let word = match kind {
        Type::Bool => "bool",
        Type::U8 => "u8",
        Type::U16 => "u16",
        Type::U32 => "u32",
        Type::U64 => "u64",
        Type::S8 => "s8",
        Type::S16 => "s16",
        Type::S32 => "s32",
        Type::S64 => "s64",
        Type::F32 => "f32",
        Type::F64 => "f64",
        Type::Char => "char",
        Type::String => "string",
        Type::ErrorContext => "error-context",
        Type::Id(id) => {
            let kind = &resolve.types[*id];
            return kind.name.clone().unwrap_or_else(|| shape(resolve, &kind.kind));
        }
    };
    word.to_owned()
}

fn shape(resolve: &Resolve, kind: &TypeDefKind) -> String {
    let optional = |kind: &Option<Type>| kind.as_ref().map_or_else(|| "_".to_owned(), |kind| kind_name(resolve, kind));
    match kind {
        TypeDefKind::List(item) => format!("list<{}>", kind_name(resolve, item)),
        TypeDefKind::Option(item) => format!("option<{}>", kind_name(resolve, item)),
        TypeDefKind::Result(result) => match (&result.ok, &result.err) {
            (None, None) => "result".to_owned(),
            (ok, None) => format!("result<{}>", optional(ok)),
            (ok, err) => format!("result<{}, {}>", optional(ok), optional(err)),
        },
        TypeDefKind::Tuple(tuple) => {
            let parts: Vec<String> = tuple.types.iter().map(|part| kind_name(resolve, part)).collect();
            format!("tuple<{}>", parts.join(", "))
        }
        TypeDefKind::Type(kind) => kind_name(resolve, kind),
        // The contract has none of the others.
        other => other.as_str().to_owned(),
    }
}

fn words(docs: &Docs) -> Option<&str> {
    docs.contents.as_deref().map(str::trim).filter(|words| !words.is_empty())
}

fn comment(docs: &Docs, indent: &str) -> String {
    words(docs).map_or_else(String::new, |words| words.lines().map(|line| format!("{indent}/// {line}\n")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_type_is_written_as_it_was() {
        let contract = "package a:b@0.1.0;
            interface types { record address { local: string, /// Its end.\n domain: option<string> } enum why { one, two } }
            /// Asked.
            interface on-rcpt {
                use types.{address, why};
                variant verdict { next, hold(u64), both(tuple<u8, s64>) }
                type names = list<string>;
                /// With one.
                handle: func(to: address, all: names) -> result<verdict, why>;
            }
            interface clock { now: func() -> u64; set: func(to: f64) -> result<_, string>; try: func() -> result<u8>; }";
        let page = page(contract).expect("it parses");
        for part in [
            "Version: a:b@0.1.0.",
            "## Hooks\n\n### `on-rcpt`\n\nAsked.\n\n```wit\nuse types.{address};\nuse types.{why};\nvariant verdict {\n  next,\n",
            "  hold(u64),\n  both(tuple<u8, s64>),\n}\ntype names = list<string>;\n/// With one.\n",
            "handle: func(to: address, all: names) -> result<verdict, why>;\n```\n",
            "record address {\n  local: string,\n  /// Its end.\n  domain: option<string>,\n}\nenum why {\n  one,\n  two,\n}\n",
            "now: func() -> u64;\nset: func(to: f64) -> result<_, string>;\ntry: func() -> result<u8>;\n",
        ] {
            assert!(page.contains(part), "{part}\nin\n{page}");
        }
        assert!(page.find("### `types`") < page.find("### `clock`"));
    }
}
