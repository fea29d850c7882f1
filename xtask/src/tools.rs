//! The tools of other languages that the example plugins are built with, and a mail client, from the registries of Cargo,
//! Python and npm, in the target directory.
//!
//! Their versions are those that the examples and the client's folder name, and for C the one below. What is installed is kept until these change.

use crate::command;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Below the target directory; the scenarios look there.
const FOLDER: &str = "plugin-tools";

/// Installs what is missing.
///
/// # Errors
/// What could not be installed, and how to do without.
pub(crate) fn ensure(root: &Path) -> Result<(), String> {
    let tools = command::target_dir(root).join(FOLDER);
    for language in [c(root, &tools), python(root, &tools), javascript(root, &tools), nodemailer(root, &tools)] {
        language.ensure().map_err(|why| {
            format!(
                "{why}\nthe scenarios build plugins in C, JavaScript and Python and send mail by nodemailer, and need the network for \
                 that once; \
                 without them: cargo xtask test --no-scenarios"
            )
        })?;
    }
    Ok(())
}

/// One language's tool.
struct Tool {
    /// Where it is installed.
    folder: PathBuf,
    /// The files that name its version: they are copied there.
    named_by: Vec<PathBuf>,
    /// What is there once it is.
    program: &'static str,
    install: Command,
}

/// Of the generation that the Rust SDK's own bindings are of.
const WIT_BINDGEN: &str = "0.61.1";

fn c(root: &Path, tools: &Path) -> Tool {
    let folder = tools.join("c").join(WIT_BINDGEN);
    let mut install = command::cargo(root);
    install.args(["install", "wit-bindgen-cli", "--version", WIT_BINDGEN, "--locked", "--quiet", "--debug"]);
    install.args(["--no-default-features", "--features", "c", "--root"]).arg(&folder);
    // What it is built of is not the workspace's, and would stay there.
    install.arg("--target-dir").arg(tools.join("c/target"));
    Tool { folder, named_by: Vec::new(), program: "bin/wit-bindgen", install }
}

fn python(root: &Path, tools: &Path) -> Tool {
    let example = root.join("plugins/examples/python-rate-limit");
    let folder = tools.join("python");
    let mut install = command::new(root, "python3");
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore"]);
    install.args(["--upgrade", "--target"]).arg(&folder).arg("--requirement").arg(example.join("requirements.txt"));
    Tool { folder, named_by: vec![example.join("requirements.txt")], program: "bin/componentize-py", install }
}

fn javascript(root: &Path, tools: &Path) -> Tool {
    let example = root.join("plugins/examples/javascript-subject-rule");
    npm(tools.join("javascript"), &example, "node_modules/.bin/componentize-qjs")
}

/// A mail client, to speak to the server under test.
fn nodemailer(root: &Path, tools: &Path) -> Tool {
    npm(tools.join("nodemailer"), &root.join("tests/src/peers/nodemailer"), "node_modules/nodemailer/package.json")
}

/// What a `package.json` names, with its lock file.
fn npm(folder: PathBuf, named: &Path, program: &'static str) -> Tool {
    let mut install = command::new(&folder, "npm");
    install.args(["ci", "--silent", "--no-audit", "--no-fund"]);
    let named_by = vec![named.join("package.json"), named.join("package-lock.json")];
    Tool { folder, named_by, program, install }
}

impl Tool {
    fn ensure(mut self) -> Result<(), String> {
        if self.is_there() {
            return Ok(());
        }
        let told = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
        fs::create_dir_all(&self.folder).map_err(|error| told(&self.folder, error))?;
        // npm reads them in the folder itself; a copy that is there before the program is no sign that it was installed.
        for file in &self.named_by {
            fs::copy(file, self.copy(file)).map_err(|error| told(file, error))?;
        }
        command::run(&mut self.install)?;
        match self.is_there() {
            true => Ok(()),
            false => Err(format!("installed, but still not found: {}", self.folder.join(self.program).display())),
        }
    }

    fn is_there(&self) -> bool {
        let same = |file: &PathBuf| matches!((fs::read(file), fs::read(self.copy(file))), (Ok(a), Ok(b)) if a == b);
        self.folder.join(self.program).exists() && self.named_by.iter().all(same)
    }

    fn copy(&self, file: &Path) -> PathBuf {
        self.folder.join(file.file_name().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(folder: &Path, program: &str) -> Tool {
        let mut install = command::new(folder, "sh");
        install.args(["-c", program]);
        Tool { folder: folder.join("tool"), named_by: vec![folder.join("versions")], program: "program", install }
    }

    #[test]
    fn it_is_installed_once_for_each_version() {
        let folder = std::env::temp_dir().join(format!("mailwright-tools-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a directory of our own");
        let versions = |text: &str| fs::write(folder.join("versions"), text).expect("it can be written");
        versions("one");
        let failing = tool(&folder, "exit 1").ensure().expect_err("it is not there");
        assert!(failing.contains("exit 1"), "{failing}");
        let nothing = tool(&folder, "true").ensure().expect_err("nothing was installed");
        assert!(nothing.starts_with("installed, but still not found"), "{nothing}");
        tool(&folder, "touch tool/program").ensure().expect("it is installed");
        tool(&folder, "exit 1").ensure().expect("it is there");
        versions("two");
        tool(&folder, "exit 1").ensure().expect_err("of another version");
        fs::remove_dir_all(&folder).expect("our own");
    }
}
