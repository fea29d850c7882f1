//! The mail programs that the scenarios talk to, as Debian packages.

use crate::command;
use std::path::Path;
use std::process::Command;

/// A program and the package that brings it.
const WANTED: &[(&str, &str)] = &[
    ("smtp-source", "postfix"),
    ("smtp-sink", "postfix"),
    ("swaks", "swaks"),
    ("dovecot", "dovecot-core"),
    ("python3", "python3"),
];

/// Dovecot's LMTP server is a plugin of its master: a file, no program on the path.
const LMTPD: (&str, &str) = ("/usr/lib/dovecot/lmtp", "dovecot-lmtpd");

/// `invoke-rc.d` asks this file whether it may start a service.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Installs what is missing where that is possible.
///
/// # Errors
/// Names the packages that are missing and the command that installs them.
pub(crate) fn ensure(root: &Path) -> Result<(), String> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    let by_hand = format!("apt-get install --no-install-recommends {}", missing.join(" "));
    if !rustix::process::geteuid().is_root() || !command::is_there("apt-get") {
        return Err(format!(
            "the scenarios need mail programs that are not installed: {}\n\
             on Debian or Ubuntu, as root: {by_hand}\n\
             without them: cargo xtask test --no-scenarios",
            missing.join(", ")
        ));
    }
    let policy = NoServices::begin();
    let installed = install(root, &missing);
    drop(policy);
    installed.map_err(|why| format!("{why}\ninstall by hand: {by_hand}"))?;
    let still = self::missing();
    still.is_empty().then_some(()).ok_or_else(|| format!("installed, but still not found: {}", still.join(", ")))
}

fn missing() -> Vec<&'static str> {
    let programs = WANTED.iter().filter(|(program, _)| !command::is_there(program)).map(|(_, package)| *package);
    let lmtpd = (!Path::new(LMTPD.0).exists()).then_some(LMTPD.1);
    let mut packages: Vec<_> = programs.chain(lmtpd).collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

fn install(root: &Path, packages: &[&str]) -> Result<(), String> {
    // Postfix's package asks how mail is set up; "No configuration" leaves the machine's mail alone.
    let quiet = |command: &mut Command| {
        command.env("DEBIAN_FRONTEND", "noninteractive").env("DEBIAN_PRIORITY", "critical");
    };
    let mut update = command::new(root, "apt-get");
    quiet(update.args(["update", "-qq"]));
    command::run(&mut update)?;
    let mut install = command::new(root, "apt-get");
    quiet(install.args(["install", "-y", "-qq", "--no-install-recommends"]).args(packages));
    command::run(&mut install)
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
