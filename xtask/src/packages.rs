//! The mail programs that the scenarios talk to and the compilers that they use, as Debian packages.

use crate::command;
use std::path::Path;
use std::process::Command;

/// A program (or, with its path, a file) and the package that brings it.
const WANTED: &[(&str, &str)] = &[
    ("smtp-source", "postfix"),
    ("smtp-sink", "postfix"),
    ("swaks", "swaks"),
    // TLS for swaks is a library without a program; this file of it lies in the same place everywhere.
    ("/usr/share/doc/libnet-ssleay-perl/copyright", "libnet-ssleay-perl"),
    ("openssl", "openssl"),
    ("dovecot", "dovecot-core"),
    // Dovecot's LMTP server is a plugin of its master: not on the path.
    ("/usr/lib/dovecot/lmtp", "dovecot-lmtpd"),
    // An authority that speaks ACME.
    ("pebble", "pebble"),
    ("knotd", "knot"),
    ("slapd", "slapd"),
    ("python3", "python3"),
    // A browser, which opens the pages of plugins.
    ("chromium", "chromium"),
    // It verifies our signatures, of both kinds.
    ("dkimverify", "python3-dkim"),
    ("/usr/lib/python3/dist-packages/nacl/__init__.py", "python3-nacl"),
    // It makes archives, for what is attached.
    ("7zz", "7zip"),
    // Plugins in other languages are built with these, and with what pip and npm bring (tools.rs).
    ("pip3", "python3-pip"),
    ("npm", "npm"),
    ("clang", "clang"),
    ("wasm-ld", "lld"),
];

/// `invoke-rc.d` asks this file whether it may start a service.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Installs what is missing where that is possible.
///
/// # Errors
/// Names the packages that are missing and the command that installs them.
pub(crate) fn ensure(root: &Path) -> Result<(), String> {
    let can_install = rustix::process::geteuid().is_root() && command::is_there("apt-get");
    let packages = match remedy(missing(command::is_there), can_install) {
        Remedy::Nothing => return Ok(()),
        Remedy::Tell(words) => return Err(words),
        Remedy::Install(packages) => packages,
    };
    let policy = NoServices::begin();
    let installed = installation(root, &packages).iter_mut().try_for_each(command::run);
    drop(policy);
    installed.map_err(|why| format!("{why}\ninstall by hand: {}", by_hand(&packages)))?;
    let still = missing(command::is_there);
    still.is_empty().then_some(()).ok_or_else(|| format!("installed, but still not found: {}", still.join(", ")))
}

/// What to do about missing packages.
#[derive(Debug, PartialEq, Eq)]
enum Remedy {
    Nothing,
    Install(Vec<&'static str>),
    Tell(String),
}

fn missing(is_there: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let absent = WANTED.iter().filter(|(program, _)| !is_there(program));
    let mut packages: Vec<_> = absent.map(|(_, package)| *package).collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

fn remedy(missing: Vec<&'static str>, can_install: bool) -> Remedy {
    if missing.is_empty() {
        return Remedy::Nothing;
    }
    if can_install {
        return Remedy::Install(missing);
    }
    Remedy::Tell(format!(
        "the scenarios need programs that are not installed: {}\n\
         on Debian or Ubuntu, as root: {}\n\
         without them: cargo xtask test --no-scenarios",
        missing.join(", "),
        by_hand(&missing)
    ))
}

fn by_hand(packages: &[&str]) -> String {
    format!("apt-get install --no-install-recommends {}", packages.join(" "))
}

fn installation(root: &Path, packages: &[&str]) -> [Command; 2] {
    let apt = |words: &[&str]| {
        let mut command = command::new(root, "apt-get");
        // Postfix's package asks how mail is set up; "No configuration" leaves the machine's mail alone.
        command.env("DEBIAN_FRONTEND", "noninteractive").env("DEBIAN_PRIORITY", "critical").args(words);
        command
    };
    let mut install = apt(&["install", "-y", "-qq", "--no-install-recommends"]);
    install.args(packages);
    [apt(&["update", "-qq"]), install]
}

/// While it lives, packages don't start their servers. A policy that is there already is left as it is.
struct NoServices {
    ours: bool,
}

impl NoServices {
    fn begin() -> Self {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;
        let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o755).open(POLICY);
        let ours = file.and_then(|mut file| file.write_all(b"#!/bin/sh\nexit 101\n")).is_ok();
        Self { ours }
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.ours
            && let Err(e) = std::fs::remove_file(POLICY)
        {
            eprintln!("{POLICY}: {e}: remove it by hand, it keeps services from starting");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_missing_program_names_its_package_once() {
        assert_eq!(missing(|_| true), [""; 0]);
        assert_eq!(missing(|program| !program.starts_with("smtp-")), ["postfix"]);
        assert_eq!(missing(|program| program != "/usr/lib/dovecot/lmtp"), ["dovecot-lmtpd"]);
        assert_eq!(
            missing(|_| false),
            [
                "7zip",
                "chromium",
                "clang",
                "dovecot-core",
                "dovecot-lmtpd",
                "knot",
                "libnet-ssleay-perl",
                "lld",
                "npm",
                "openssl",
                "pebble",
                "postfix",
                "python3",
                "python3-dkim",
                "python3-nacl",
                "python3-pip",
                "slapd",
                "swaks"
            ]
        );
    }

    #[test]
    fn root_installs_and_others_are_told_what_to_type() {
        assert_eq!(remedy(Vec::new(), false), Remedy::Nothing);
        assert_eq!(remedy(vec!["postfix", "swaks"], true), Remedy::Install(vec!["postfix", "swaks"]));
        let Remedy::Tell(words) = remedy(vec!["postfix", "swaks"], false) else { panic!("nobody may install") };
        assert!(words.contains("as root: apt-get install --no-install-recommends postfix swaks\n"), "{words}");
        assert!(words.contains("cargo xtask test --no-scenarios"), "{words}");
    }

    #[test]
    fn the_installation_asks_no_questions() {
        let commands = installation(Path::new("/"), &["postfix", "swaks"]);
        let lines = commands.each_ref().map(command::shown);
        assert_eq!(lines, ["apt-get update -qq", "apt-get install -y -qq --no-install-recommends postfix swaks"]);
        for command in &commands {
            let quiet = (std::ffi::OsStr::new("DEBIAN_FRONTEND"), Some(std::ffi::OsStr::new("noninteractive")));
            assert!(command.get_envs().any(|set| set == quiet), "{command:?}");
        }
    }
}
