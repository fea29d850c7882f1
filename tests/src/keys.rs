//! Keys that sign, as the program itself makes them; and secrets.

use crate::peers::{lossy, run};
use crate::program::binary;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// Makes a key that signs, in a folder: its `[[dkim]]` table for the configuration, and its line for the zone.
///
/// # Panics
/// When the program refuses.
#[must_use]
pub fn signing_key(folder: &Path, domain: &str, selector: &str, kind: &str) -> (String, String) {
    let mut command = Command::new(binary());
    command.args(["dkim", "generate", "--domain", domain, "--selector", selector, "--kind", kind]);
    command.current_dir(folder);
    let made = run(command);
    assert!(made.status.success(), "{}", lossy(&made.stderr));
    let said = lossy(&made.stdout);
    let zone = said.lines().find(|line| line.contains(" IN TXT ")).expect("a line for the zone").to_owned();
    let table = &said[said.find("[[dkim]]").expect("a table for the configuration")..];
    (table.replace("key = \"", &format!("key = \"{}/", folder.display())), zone)
}

/// Writes a file that is its owner's alone, as secrets and keys must be.
///
/// # Panics
/// When the folder is not ours.
pub fn private(folder: &Path, name: &str, content: &str) {
    let file = folder.join(name);
    fs::write(&file, content).expect("our own directory");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("our own file");
}
