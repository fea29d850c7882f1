//! Builds the plugins that are compiled into the program, and makes components of them; embeds the SDK for `plugin new`.
//!
//! A nested cargo with a target directory of its own builds each guest for WebAssembly: the outer build holds the lock
//! of its own, and its flags (sanitizers, coverage, clippy's wrapper) are not meant for guests.

#[path = "src/cli/plugin/guest.rs"]
mod guest;

use guest::{Room, TARGET};
use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};
use wit_component::ComponentEncoder;

/// Guests that the program carries, by the name behind `builtin:`. Each is the package `plugin-NAME` in `plugins/NAME`.
const BUILTINS: &[&str] = &[
    "compliance",
    "filter", //
    "greylist",
    "hello",
    "rate-limit",
    "routing",
    "unsubscribe",
];

/// They are asked about every message. What `configure` keeps is beside it: the SDK sees to it that as much is free then.
const ROOM: Room = Room { stack_bytes: 8 * 1024, heap_bytes: 8 * 1024 };

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("..");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for watched in ["plugin-sdk/src", "plugin-sdk/wit", "plugin-sdk/macros/src", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", root.join(watched).display());
    }
    for watched in
        ["Cargo.toml", "plugin-sdk/Cargo.toml", "plugin-sdk/macros/Cargo.toml", "mta-core/src/cli/plugin/guest.rs"]
    {
        println!("cargo::rerun-if-changed={}", root.join(watched).display());
    }
    for name in BUILTINS {
        println!("cargo::rerun-if-changed={}", root.join("plugins").join(name).display());
    }
    println!("cargo::rerun-if-changed=build.rs");

    let target_dir = out.join("guests");
    if let Err(words) = build_guests(&root, &target_dir) {
        println!("cargo::error={words}");
        std::process::exit(1);
    }
    let mut list = "&[\n".to_owned();
    for name in BUILTINS {
        let module = target_dir.join(TARGET).join("release").join(format!("plugin_{}.wasm", name.replace('-', "_")));
        let component = ComponentEncoder::default().module(&fs::read(module)?)?.validate(true).encode()?;
        let file = out.join(format!("{name}.wasm"));
        fs::write(&file, component)?;
        writeln!(list, "    ({name:?}, include_bytes!({file:?})),")?;
    }
    fs::write(out.join("builtins.rs"), list + "]\n")?;
    embed_sdk(&root.join("plugin-sdk").canonicalize()?, &out.join("sdk.rs"))
}

/// Writes a list of the SDK's files with their content, as `&[("src/lib.rs", "…"), …]`.
fn embed_sdk(sdk: &Path, list: &Path) -> Result<(), Box<dyn Error>> {
    let mut files = vec![sdk.join("Cargo.toml"), sdk.join("macros/Cargo.toml")];
    let mut folders = vec![sdk.join("src"), sdk.join("wit"), sdk.join("macros/src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    let mut text = "&[\n".to_owned();
    for file in files {
        writeln!(text, "    ({:?}, include_str!({file:?})),", file.strip_prefix(sdk)?)?;
    }
    Ok(fs::write(list, text + "]\n")?)
}

fn build_guests(root: &Path, target_dir: &Path) -> Result<(), String> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).args(["build", "--release", "--target", TARGET, "--target-dir"]).arg(target_dir);
    // What is locked is what is built; the outer cargo has fetched it, so a build without a network works too.
    cargo.args(["--locked", "--quiet"]);
    for name in BUILTINS {
        cargo.args(["--package", &format!("plugin-{name}")]);
    }
    clean(&mut cargo);
    cargo.env("CARGO_ENCODED_RUSTFLAGS", guest::encoded_flags(ROOM));
    for (key, value) in guest::PROFILE {
        cargo.env(guest::profile_variable(key), value);
    }
    let done = cargo.output().map_err(|error| format!("cargo could not be run: {error}"))?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    if said.contains("can't find crate for `core`") || said.contains("target may not be installed") {
        return Err(guest::missing_target());
    }
    for line in said.lines() {
        println!("cargo::warning={line}");
    }
    Err("the built-in plugins could not be built; the warnings above say why".to_owned())
}

/// Takes the outer build's settings out of the environment: they are about the host's code.
fn clean(cargo: &mut Command) {
    let outer = ["RUSTFLAGS", "RUSTDOCFLAGS", "RUSTC", "RUSTDOC", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "TARGET"];
    let prefixes = ["CARGO_CFG_", "CARGO_FEATURE_", "CARGO_PKG_", "CARGO_BUILD_", "CARGO_PROFILE_", "CARGO_TARGET_"];
    for (key, _) in env::vars_os() {
        let Some(name) = key.to_str() else { continue };
        let is_outer = outer.contains(&name) || prefixes.iter().any(|prefix| name.starts_with(prefix));
        if is_outer || name.starts_with("CLIPPY_") || name == "CARGO_MANIFEST_DIR" || name == "CARGO_INCREMENTAL" {
            cargo.env_remove(key);
        }
    }
}
