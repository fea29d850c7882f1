//! Plugins of a few instructions, written as WebAssembly text and made components of here; and the examples in other
//! languages, built by their own scripts.

use crate::peers::lossy;
use crate::program::{Mailwright, binary, tools};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const CONTRACT: &str = include_str!("../../plugin-sdk/wit/plugin.wit");

/// A host function: its interface, its name, and its signature once flattened.
pub type Import = (&'static str, &'static str, &'static str);

/// Writes a plugin into a folder: with these imports, this text at 16, and these hooks: `on-auth`, `on-password`, `on-rcpt`, `on-http`, `on-outcome`, `on-feedback`, or such as are
/// asked without arguments. A hook's answer lies at 1024, which begins as zeros: `next`. There is room for answers of the
/// host at 2048. The function `$deep` calls itself without an end.
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
    fs::write(&path, encoder.encode().expect("it is a component")).expect("the folder can be written");
    path
}

fn import((interface, name, kind): &Import) -> String {
    format!(r#"(import "mailwright:plugin/{interface}@0.1.0" "{name}" (func ${name} {kind}))"#)
}

fn hook((hook, body): &(&str, &str)) -> String {
    // Once flattened: the mechanism, the user and whether it succeeded (in 4), or the password (in 4 and 5); the sender, the recipient (its local part is in 5 and 6) and the parameters; or method, path, query,
    // fields, content (in 8 and 9) and client.
    let told = match *hook {
        "on-auth" => "(param i32 i32 i32 i32 i32)",
        "on-password" => "(param i32 i32 i32 i32 i32 i32)",
        // Told, not asked: its record lies where the word says.
        "on-feedback" => {
            return format!(r#"(func (export "mailwright:plugin/{hook}@0.1.0#handle") (param i32) {body})"#);
        }
        // A case and the reply's words: code, status (a tag and three), text.
        "on-outcome" => {
            let told = "(param i32 i32 i32 i32 i32 i32 i32 i32)";
            return format!(r#"(func (export "mailwright:plugin/{hook}@0.1.0#handle") {told} {body})"#);
        }
        "on-rcpt" => "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)",
        "on-http" => "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)",
        _ => "",
    };
    format!(r#"(func (export "mailwright:plugin/{hook}@0.1.0#handle") {told} (result i32) {body} (i32.const 1024))"#)
}

/// Builds an example of plugins/examples in a folder of the test's own, with its `build.sh`; the folder. `more` is text that
/// is added to the end of files.
///
/// # Panics
/// When it can't be built, as where a compiler is missing.
#[must_use]
pub fn example(name: &str, parent: &Path, more: &[(&str, &str)]) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/examples").join(name);
    let folder = parent.join(name);
    fs::create_dir_all(folder.join("wit")).expect("our own folder");
    for inner in ["", "wit"] {
        for entry in fs::read_dir(source.join(inner)).expect("the example is there") {
            let path = entry.expect("it can be read").path();
            // What somebody built there is not copied, and neither is what was fetched.
            if path.is_file() && path.extension().is_none_or(|end| end != "wasm") {
                let to = folder.join(inner).join(path.file_name().expect("a file has a name"));
                fs::copy(&path, to).expect("it can be copied");
            }
        }
    }
    for (file, text) in more {
        let old = fs::read_to_string(folder.join(file)).expect("the example has it");
        fs::write(folder.join(file), old + text).expect("our own file");
    }
    let (mut script, tools) = (Command::new("sh"), tools());
    let own = [binary().parent().expect("it lies in a folder").to_owned()];
    let c = fs::read_dir(tools.join("c")).into_iter().flatten().flatten().map(|version| version.path().join("bin"));
    let brought = [tools.join("python/bin"), tools.join("javascript/node_modules/.bin")].into_iter().chain(c);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(own.into_iter().chain(brought).chain(std::env::split_paths(&path)));
    script.arg("build.sh").current_dir(&folder);
    script.env("PATH", path.expect("no folder has a colon")).env("PYTHONPATH", tools.join("python"));
    let built = script.output().expect("there is a shell");
    assert!(
        built.status.success(),
        "{name} could not be built ({}); `cargo xtask test` brings the tools\n{}\n{}",
        built.status,
        lossy(&built.stdout),
        lossy(&built.stderr)
    );
    folder
}

/// `plugin reload`, without a limit but the test runner's: an interpreter takes its time to compile.
///
/// # Panics
/// When the command can't be started.
#[must_use]
pub fn reload(server: &Mailwright) -> Output {
    let mut command = Command::new(binary());
    command.args(["plugin", "reload", "--config"]).arg(server.config());
    command.output().expect("the program is there")
}
