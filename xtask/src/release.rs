//! `cargo xtask release`: the program as it is shipped, laid out by what it does while it relays.
//!
//! A mail server's code runs once a message and is cold by the next one, so that what it costs is how many lines of it are
//! touched. The compiler is told which those are (profile-guided optimisation): a build that counts, a load, and the build.
//! docs/decisions/0058-the-program-is-laid-out-by-its-work.md says why, docs/performance.md what it brings.

use crate::command;
use clap::Args;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Messages of each load that is counted: what is seldom in so many is cold.
const MESSAGES: &str = "4000";

#[derive(Args)]
pub(crate) struct Options {
    /// Where the program goes.
    #[arg(long, default_value = "target/dist/mailwright")]
    out: PathBuf,
}

/// What the three steps share.
struct Release<'a> {
    root: &'a Path,
    /// What is built for, in the compiler's words. Named, so that flags are for the program and not for build scripts.
    host: String,
    /// Where builds and counts go.
    folder: PathBuf,
}

/// Builds, in about half an hour with two cores.
///
/// # Errors
/// A tool is missing, a build or the load failed.
pub(crate) fn run(root: &Path, options: &Options) -> Result<(), String> {
    command::ensure_wasm_target(root)?;
    // What is wrong with it is told now, and not in half an hour.
    let out = root.join(&options.out);
    ready(&out)?;
    let folder = command::target_dir(root).join("release-by-profile");
    let release = Release { root, host: rustc(root, "host-tuple")?, folder };
    let merge = profdata(root, &release.host)?;
    eprintln!("1 of 3: a build that counts");
    let counts = release.folder.join("counts");
    match std::fs::remove_dir_all(&counts) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(told(&counts, &error)),
        _ => {}
    }
    let mut counting = release.build("counting", &format!("-Cprofile-generate={}", counts.display()));
    counting.args(["--example", "relay_bench"]);
    // It is thrown away: what takes the time of a build brings nothing here.
    for (key, value) in [("LTO", "off"), ("CODEGEN_UNITS", "16"), ("DEBUG", "false")] {
        counting.env(format!("CARGO_PROFILE_RELEASE_{key}"), value);
    }
    command::run(&mut counting)?;
    eprintln!("2 of 3: the load that is counted");
    let bench = release.built("counting").join("examples/relay_bench");
    command::run(command::new(root, &bench.to_string_lossy()).args(["--runs", "1", "--messages", MESSAGES]))?;
    let profile = release.folder.join("work.profdata");
    let mut merging = command::new(root, &merge.to_string_lossy());
    command::run(merging.args(["merge", "--output"]).args([&profile, &counts]))?;
    eprintln!("3 of 3: the build");
    command::run(&mut release.build("shaped", &format!("-Cprofile-use={}", profile.display())))?;
    place(&release.built("shaped").join("mailwright"), &out)?;
    println!("{}", options.out.display());
    Ok(())
}

impl Release<'_> {
    fn build(&self, name: &str, flag: &str) -> Command {
        let mut cargo = command::cargo(self.root);
        cargo.args(["build", "--release", "--locked", "--package", "mta-core", "--bins", "--target", &self.host]);
        cargo.arg("--target-dir").arg(self.folder.join(name));
        let flags = flags(std::env::var_os("CARGO_ENCODED_RUSTFLAGS"), std::env::var("RUSTFLAGS").ok(), flag);
        cargo.env("CARGO_ENCODED_RUSTFLAGS", flags);
        cargo
    }

    /// Where a build puts what it makes.
    fn built(&self, name: &str) -> PathBuf {
        self.folder.join(name).join(&self.host).join("release")
    }
}

/// The flags that a person has set, and ours.
fn flags(encoded: Option<OsString>, plain: Option<String>, ours: &str) -> OsString {
    const BETWEEN: &str = "\u{1f}";
    let plain = plain.map(|flags| flags.split_whitespace().collect::<Vec<_>>().join(BETWEEN).into());
    let mut flags = encoded.or(plain).unwrap_or_default();
    if !flags.is_empty() {
        flags.push(BETWEEN);
    }
    flags.push(ours);
    flags
}

/// The tool that reads what was counted. It must be the compiler's own: the format changes with its version.
fn profdata(root: &Path, host: &str) -> Result<PathBuf, String> {
    let tool = Path::new(&rustc(root, "sysroot")?).join("lib/rustlib").join(host).join("bin/llvm-profdata");
    if !tool.is_file() && command::is_there("rustup") {
        command::run(command::new(root, "rustup").args(["component", "add", "llvm-tools"]))?;
    }
    match tool.is_file() {
        true => Ok(tool),
        false => Err(format!("{} is not there: install the llvm-tools of this compiler", tool.display())),
    }
}

fn rustc(root: &Path, what: &str) -> Result<String, String> {
    Ok(command::output(command::new(root, "rustc").args(["--print", what]))?.trim().to_owned())
}

/// Makes the folder that the program goes into.
fn ready(out: &Path) -> Result<(), String> {
    if out.is_dir() {
        return Err(format!("{} is a folder: --out is the program's own path", out.display()));
    }
    let folder = out.parent().unwrap_or(out);
    std::fs::create_dir_all(folder).map_err(|error| told(folder, &error))
}

/// Copies the program to where it is wanted, whole or not at all.
fn place(built: &Path, out: &Path) -> Result<(), String> {
    let beside = out.with_extension("new");
    std::fs::copy(built, &beside).map_err(|error| told(&beside, &error))?;
    std::fs::rename(&beside, out).map_err(|error| told(out, &error))
}

fn told(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_that_are_set_are_kept() {
        assert_eq!(flags(None, None, "-Cours"), "-Cours");
        let plain = || Some("-Ctarget-cpu=native  -g".to_owned());
        assert_eq!(flags(None, plain(), "-Cours"), "-Ctarget-cpu=native\u{1f}-g\u{1f}-Cours");
        assert_eq!(
            flags(Some("-Cencoded".into()), plain(), "-Cours"),
            "-Cencoded\u{1f}-Cours",
            "as cargo prefers them"
        );
    }

    #[test]
    fn the_program_replaces_the_one_before() {
        let folder = std::env::temp_dir().join(format!("xtask-release-{}", std::process::id()));
        let (built, out) = (folder.join("built"), folder.join("dist/mailwright"));
        std::fs::create_dir_all(&folder).expect("a folder");
        assert!(ready(&folder).is_err_and(|why| why.contains("is a folder")));
        ready(&out).expect("its folder is made");
        for program in ["one", "two"] {
            std::fs::write(&built, program).expect("written");
            place(&built, &out).expect("placed");
            assert_eq!(std::fs::read_to_string(&out).expect("it is there"), program);
        }
        assert!(place(&folder.join("none"), &out).is_err_and(|why| why.contains("mailwright.new")));
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
