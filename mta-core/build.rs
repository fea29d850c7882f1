//! Builds the plugins that are compiled into the program, and makes components of them.
//!
//! A nested cargo with a target directory of its own builds each guest for WebAssembly: the outer build holds the lock
//! of its own, and its flags (sanitizers, coverage, clippy's wrapper) are not meant for guests.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};
use wit_component::ComponentEncoder;

/// Guests that the program carries: the package, and the name behind `builtin:`.
const BUILTINS: [(&str, &str); 1] = [("plugin-hello", "hello")];

const TARGET: &str = "wasm32-unknown-unknown";

/// All memory that a simple guest needs, there from the start: growing costs the host system calls that serialise
/// threads. It must not exceed what the host's pool keeps resident.
const INITIAL_MEMORY_BYTES: u32 = 64 * 1024;
const STACK_BYTES: u32 = 32 * 1024;

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("..");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for watched in ["plugins/hello", "plugin-sdk/src", "plugin-sdk/wit", "plugin-sdk/macros/src", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", root.join(watched).display());
    }
    println!("cargo::rerun-if-changed=build.rs");

    let target_dir = out.join("guests");
    if let Err(words) = build_guests(&root, &target_dir) {
        println!("cargo::error={words}");
        std::process::exit(1);
    }
    for (package, name) in BUILTINS {
        let module = target_dir.join(TARGET).join("release").join(format!("{}.wasm", package.replace('-', "_")));
        let component = ComponentEncoder::default().module(&fs::read(module)?)?.validate(true).encode()?;
        fs::write(out.join(format!("{name}.wasm")), component)?;
    }
    Ok(())
}

fn build_guests(root: &Path, target_dir: &Path) -> Result<(), String> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).args(["build", "--release", "--target", TARGET, "--target-dir"]).arg(target_dir);
    // What is locked is what is built; the outer cargo has fetched it, so a build without a network works too.
    cargo.args(["--locked", "--quiet"]);
    for (package, _) in BUILTINS {
        cargo.args(["--package", package]);
    }
    clean(&mut cargo);
    cargo.env("CARGO_ENCODED_RUSTFLAGS", guest_flags());
    // Small guests compile faster and load faster; the name section stays, for the frames of a fault.
    let profile = [
        ("LTO", "true"),
        ("OPT_LEVEL", "s"),
        ("CODEGEN_UNITS", "1"),
        ("PANIC", "abort"),
        ("DEBUG", "0"),
        ("STRIP", "debuginfo"),
    ];
    for (key, value) in profile {
        cargo.env(format!("CARGO_PROFILE_RELEASE_{key}"), value);
    }
    let done = cargo.output().map_err(|error| format!("cargo could not be run: {error}"))?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    if said.contains("can't find crate for `core`") || said.contains("target may not be installed") {
        return Err(format!("the plugins need the target {TARGET}; run: rustup target add {TARGET}"));
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

fn guest_flags() -> String {
    let link = [format!("--initial-memory={INITIAL_MEMORY_BYTES}"), format!("-zstack-size={STACK_BYTES}")];
    link.iter().map(|flag| format!("-Clink-arg={flag}")).collect::<Vec<_>>().join("\u{1f}")
}
