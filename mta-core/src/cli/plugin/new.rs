//! `plugin new`: a folder with a plugin that builds, its test, and the SDK.

use super::super::say;
use super::sdk;
use std::fs;
use std::path::{Path, PathBuf};

const MANIFEST: &str = include_str!("template/manifest.toml");
const PLUGIN: &str = include_str!("template/plugin.rs");
const IGNORED: &str = "/target\n/*.wasm\n";

/// A package's name, in letters.
const NAME_LETTERS_MAX: usize = 64;

/// Writes the folder `name`, with the SDK in it or where `sdk` says.
pub(super) fn run(name: &str, sdk: Option<&Path>) -> Result<(), String> {
    check(name)?;
    let folder = Path::new(name);
    let taken = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if taken || folder.is_file() {
        return Err(format!("{name} is there already: choose another name, or remove it"));
    }
    let sdk_path = match sdk {
        Some(path) => elsewhere(path)?,
        None => PathBuf::from("sdk"),
    };
    // As TOML writes a text.
    let quoted = serde_json::to_string(&sdk_path).map_err(|error| format!("{}: {error}", sdk_path.display()))?;
    let manifest = MANIFEST.replace("{name}", name).replace("{sdk}", &quoted);
    let own = [("Cargo.toml", &*manifest), ("Cargo.lock", sdk::LOCK), (".gitignore", IGNORED), ("src/lib.rs", PLUGIN)];
    for (path, content) in own {
        write(&folder.join(path), content)?;
    }
    if sdk.is_none() {
        for (path, content) in sdk::files() {
            write(&folder.join("sdk").join(path), &content)?;
        }
    }
    say(&next_steps(name))
}

fn next_steps(name: &str) -> String {
    format!(
        "{name}/src/lib.rs is a plugin with its tests. Next:

  cd {name}
  cargo test                                 tests it on this machine, without a server
  mailwright plugin build                    makes {name}.wasm
  mailwright plugin inspect {name}.wasm

and in the server's configuration:

  [[plugin]]
  name = \"{name}\"
  source = \"{name}.wasm\"    # with its folder
  edit = [\"headers\"]
  config = {{ refuse = [\"nobody\"] }}"
    )
}

/// Cargo's rules for names, and lower case: the name is a file's and a plugin's too.
fn check(name: &str) -> Result<(), String> {
    let is_name = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.len() <= NAME_LETTERS_MAX
        && name.bytes().all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit() || b"-_".contains(&octet));
    // These are folders of the crate, or names that the compiler has.
    let taken = ["sdk", "src", "target", "test", "core", "std", "alloc", "mailwright-plugin"].contains(&name);
    match (is_name, taken) {
        (true, false) => Ok(()),
        (true, true) => Err(format!("\"{name}\" means something else already: choose another name")),
        (false, _) => Err(format!(
            "\"{name}\" is no name for a plugin: lower-case letters, digits, - and _, a letter first, at most \
             {NAME_LETTERS_MAX}, as in my-policy"
        )),
    }
}

/// The SDK's folder as the new crate finds it.
fn elsewhere(path: &Path) -> Result<PathBuf, String> {
    let shown = path.display();
    let found = path.canonicalize().map_err(|error| format!("--sdk {shown}: {error}"))?;
    match found.join("wit/plugin.wit").is_file() {
        true => Ok(found),
        false => {
            Err(format!("--sdk {shown}: it has no wit/plugin.wit; name the folder plugin-sdk of Mailwright's sources"))
        }
    }
}

fn write(path: &Path, content: &str) -> Result<(), String> {
    let told = |error: std::io::Error| format!("{}: {error}", path.display());
    fs::create_dir_all(path.parent().unwrap_or(path)).map_err(told)?;
    fs::write(path, content).map_err(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cargos_and_lower_case() {
        for name in ["a", "my-policy", "grey_2"] {
            assert_eq!(check(name), Ok(()));
        }
        for name in ["", "2grey", "My-Policy", "a/b", "../x", "a b", "-x"] {
            assert!(check(name).is_err_and(|words| words.contains("as in my-policy")), "{name}");
        }
        assert!(check("core").is_err_and(|words| words.contains("means something else")));
    }
}
