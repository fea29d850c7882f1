//! Other programs, run with what they say shown, and failures told with the command line.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A command in the repository's top folder.
pub(crate) fn new(root: &Path, program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root);
    command
}

/// The cargo that runs this program.
pub(crate) fn cargo(root: &Path) -> Command {
    new(root, &std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
}

/// Runs it to its end.
///
/// # Errors
/// It can't be started, or ends with a failure.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let line = shown(command);
    eprintln!("$ {line}");
    let status = command.status().map_err(|e| format!("{line}: {e}"))?;
    status.success().then_some(()).ok_or_else(|| format!("{line}: {status}"))
}

/// Runs it to its end and gives what it printed.
///
/// # Errors
/// It can't be started, or ends with a failure.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let line = shown(command);
    let output = command.output().map_err(|e| format!("{line}: {e}"))?;
    if !output.status.success() {
        return Err(format!("{line}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a program of that name is there: on the path, or where system programs are. A name with its path is looked
/// for there alone.
pub(crate) fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).any(|folder| folder.join(program).is_file())
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |set| root.join(set))
}

/// Makes sure that the target of the plugins is installed. Without rustup (a system's own Rust) the build says itself
/// what is missing.
///
/// # Errors
/// rustup fails, most often for want of a network.
pub(crate) fn ensure_wasm_target(root: &Path) -> Result<(), String> {
    const TARGET: &str = "wasm32-unknown-unknown";
    if !is_there("rustup") {
        return Ok(());
    }
    let installed = output(new(root, "rustup").args(["target", "list", "--installed"]))?;
    if installed.lines().any(|line| line == TARGET) {
        return Ok(());
    }
    run(new(root, "rustup").args(["target", "add", TARGET]))
}

/// Its line, as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let mut line = words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>();
    // The full path of cargo says less than its name.
    if let Some(name) = Path::new(&line[0]).file_name() {
        line[0] = name.to_string_lossy().into_owned();
    }
    line.join(" ")
}
