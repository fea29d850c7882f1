//! `plugin build`: a Rust crate for WebAssembly, and a component of what comes out; or of a module that another compiler made.

pub(super) mod contract;

use super::super::say;
use super::guest::{PROFILE, Room, TARGET, encoded_flags, missing_target, profile_variable};
use super::inspect::described;
use serde_json::Value;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use wit_component::ComponentEncoder;

/// Builds the crate in `folder`, and writes `NAME.wasm` there or into `release_dir`.
pub(super) fn run(folder: &Path, room: Room, release_dir: Option<&Path>) -> Result<(), String> {
    let crate_of = Crate::read(folder)?;
    check_target(folder)?;
    let module = crate_of.module(room)?;
    let to = release_dir.unwrap_or(folder);
    encode(&module, &to.join(format!("{}.wasm", crate_of.name)), "is `#[mailwright_plugin::plugin]` on an impl block?")
}

/// Makes a component of a module that has its world in it, as bindings of other languages put it there. Without a
/// folder to write to it takes the module's place.
pub(super) fn module(module: &Path, release_dir: Option<&Path>) -> Result<(), String> {
    let name = module.file_name().ok_or_else(|| format!("{}: it names no file", module.display()))?;
    let path = release_dir.map_or_else(|| module.to_owned(), |folder| folder.join(name));
    encode(module, &path, "are the bindings' object file and their `cabi_realloc` linked into it?")
}

fn encode(module: &Path, path: &Path, question: &str) -> Result<(), String> {
    let octets = fs::read(module).map_err(|error| format!("{}: {error}", module.display()))?;
    let component = component(&octets)
        .map_err(|error| format!("no component can be made of {}: {error}; {question}", module.display()))?;
    let told = |error: std::io::Error| format!("{}: {error}", path.display());
    fs::create_dir_all(path.parent().unwrap_or(path)).map_err(told)?;
    fs::write(path, &component).map_err(told)?;
    // Another Mailwright may have what this one lacks, so an odd component is told of and kept.
    say(&described(&path.display().to_string(), &component)?)
}

/// A crate to build.
struct Crate {
    manifest: PathBuf,
    name: String,
    /// Settings of the release profile that are its author's own.
    settled: Vec<String>,
}

impl Crate {
    fn read(folder: &Path) -> Result<Self, String> {
        let path = folder.join("Cargo.toml");
        let shown = path.display();
        let text = fs::read_to_string(&path).map_err(|error| {
            format!("{shown}: {error}; name the folder of a plugin's crate (`mailwright plugin new` makes one)")
        })?;
        let table: toml::Table = text.parse().map_err(|error| format!("{shown}: {error}"))?;
        let name = table.get("package").and_then(|package| package.get("name")).and_then(|name| name.as_str());
        let name =
            name.ok_or_else(|| format!("{shown}: it has no package; name the folder of the plugin's own crate"))?;
        let settled =
            table.get("profile").and_then(|profile| profile.get("release")).and_then(|release| release.as_table());
        let settled = settled.map(|release| release.keys().cloned().collect()).unwrap_or_default();
        let manifest = path.canonicalize().map_err(|error| format!("{shown}: {error}"))?;
        Ok(Self { name: name.to_owned(), manifest, settled })
    }

    /// Runs cargo, whose words go to standard error; the module's file.
    fn module(&self, room: Room) -> Result<PathBuf, String> {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--release", "--lib", "--target", TARGET, "--message-format=json-render-diagnostics"]);
        // In its folder, so that its toolchain and cargo's configuration are those of the author.
        cargo.current_dir(self.manifest.parent().unwrap_or(&self.manifest));
        cargo.env("CARGO_ENCODED_RUSTFLAGS", encoded_flags(room)).stdin(Stdio::null()).stderr(Stdio::inherit());
        for (key, value) in PROFILE.iter().filter(|(key, _)| !self.settled.iter().any(|settled| settled == key)) {
            cargo.env(profile_variable(key), value);
        }
        let done =
            cargo.output().map_err(|error| format!("cargo could not be run: {error}; https://rustup.rs has it"))?;
        if !done.status.success() {
            return Err("cargo could not build it; what it said above says why".to_owned());
        }
        let messages = String::from_utf8_lossy(&done.stdout).into_owned();
        let artifacts = messages.lines().filter_map(|line| serde_json::from_str(line).ok());
        artifacts.filter_map(|message: Value| self.is_module(&message)).next_back().ok_or_else(|| {
            format!(
                "{}: no module came out; add `[lib]` with `crate-type = [\"cdylib\", \"rlib\"]`",
                self.manifest.display()
            )
        })
    }

    /// The module's file, if cargo tells of it.
    fn is_module(&self, message: &Value) -> Option<PathBuf> {
        let own =
            message["reason"] == "compiler-artifact" && message["manifest_path"].as_str() == self.manifest.to_str();
        let files = message["filenames"].as_array().filter(|_| own)?;
        files.iter().filter_map(Value::as_str).find(|file| file.ends_with(".wasm")).map(PathBuf::from)
    }
}

/// Says what is missing before cargo says it in a hundred lines. Where the compiler can't be asked, cargo will tell.
fn check_target(folder: &Path) -> Result<(), String> {
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--print", "target-libdir", "--target", TARGET]).current_dir(folder).stderr(Stdio::null());
    let Ok(asked) = rustc.output() else { return Ok(()) };
    let libraries = PathBuf::from(String::from_utf8_lossy(&asked.stdout).trim());
    if asked.status.success() && !libraries.is_dir() { Err(missing_target()) } else { Ok(()) }
}

fn component(module: &[u8]) -> Result<Vec<u8>, String> {
    let made = ComponentEncoder::default().module(module).and_then(|encoder| encoder.validate(true).encode());
    made.map_err(|error| format!("{error:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_no_crate_is_told_what_to_do() {
        let dir = tempfile::tempdir().expect("a directory");
        let refused = |text: Option<&str>| {
            if let Some(text) = text {
                fs::write(dir.path().join("Cargo.toml"), text).expect("written");
            }
            run(dir.path(), Room { stack_bytes: 0, heap_bytes: 0 }, None).expect_err("refused")
        };
        assert!(refused(None).contains("`mailwright plugin new` makes one"));
        assert!(refused(Some("[workspace]")).contains("it has no package"));
    }

    #[test]
    fn a_module_without_the_contract_is_refused_in_words() {
        assert!(component(b"\0asm\x01\0\0").is_err());
        assert!(!component(b"no module").expect_err("a text").is_empty());
    }
}
