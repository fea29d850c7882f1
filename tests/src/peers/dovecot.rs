//! Dovecot as a mail store: its LMTP server alone, with everything in one temporary directory.

use crate::peers::{folder, free_address, program, wait_for_port};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The running server; ends with the value.
#[derive(Debug)]
pub struct Dovecot {
    child: Child,
    dir: tempfile::TempDir,
    address: SocketAddr,
}

impl Dovecot {
    /// Starts it; every user exists and has a Maildir.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn start() -> Self {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::Builder::new().prefix("dovecot-").tempdir().expect("a temporary directory");
        let address = free_address();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).expect("our own folder");
        let mail = folder(dir.path(), "mail");
        let owner = Owner::choose();
        std::os::unix::fs::chown(&mail, Some(owner.uid), Some(owner.gid)).expect("our own folder");
        let config = dir.path().join("dovecot.conf");
        std::fs::write(&config, settings(dir.path(), address, &owner)).expect("our own folder");
        let mut command = Command::new(program("dovecot"));
        command.arg("-F").arg("-c").arg(&config).stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().expect("dovecot starts");
        let dovecot = Self { child, dir, address };
        wait_for_port(address, "dovecot");
        dovecot
    }

    /// Where it speaks LMTP.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A user's Maildir.
    #[must_use]
    pub fn maildir(&self, user: &str) -> PathBuf {
        self.dir.path().join("mail").join(user)
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        // Its children end when the master is asked; a kill would orphan them.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("dovecot's log:\n{}", self.log());
        }
    }
}

/// Who owns the mail: Dovecot gives no mail to root.
struct Owner {
    uid: u32,
    gid: u32,
    /// Settings for a Dovecot that was not started by root.
    unprivileged: String,
}

impl Owner {
    fn choose() -> Self {
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        if uid.is_root() {
            return Self { uid: 65_534, gid: 65_534, unprivileged: String::new() };
        }
        let name = |option: &str| {
            let mut id = Command::new(program("id"));
            id.arg(option);
            crate::peers::lossy(&crate::peers::run(id).stdout).trim().to_owned()
        };
        let (user, group) = (name("-un"), name("-gn"));
        let unprivileged = format!(
            "default_internal_user = {user}\ndefault_login_user = {user}\ndefault_internal_group = {group}\n\
             service anvil {{\n  chroot =\n}}\nservice stats {{\n  chroot =\n}}\n"
        );
        Self { uid: uid.as_raw(), gid: gid.as_raw(), unprivileged }
    }
}

fn settings(dir: &Path, address: SocketAddr, owner: &Owner) -> String {
    let mut version = Command::new(program("dovecot"));
    version.arg("--version");
    let version = crate::peers::lossy(&crate::peers::run(version).stdout);
    let (dir, ip, port) = (dir.display(), address.ip(), address.port());
    let Owner { uid, gid, unprivileged } = owner;
    let mailboxes = if version.starts_with("2.3") {
        format!(
            "mail_location = maildir:{dir}/mail/%n
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={dir}/mail/%n allow_all_users=yes
}}
service lmtp {{
  inet_listener lmtp {{
    address = {ip}
    port = {port}
  }}
}}"
        )
    } else {
        format!(
            "dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
mail_driver = maildir
mail_path = {dir}/mail/%{{user | username}}
passdb static {{
  fields {{
    nopassword = yes
  }}
}}
userdb static {{
  userdb_static_allow_all_users = yes
  fields {{
    uid = {uid}
    gid = {gid}
    home = {dir}/mail/%{{user | username}}
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    listen = {ip}
    port = {port}
  }}
}}"
        )
    };
    // From 2.4 on the version has to come first.
    format!(
        "{mailboxes}
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/log
protocols = lmtp
listen = {ip}
ssl = no
first_valid_uid = 1
{unprivileged}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Client;

    #[test]
    fn it_takes_a_message_by_lmtp() {
        let dovecot = Dovecot::start();
        let mut client = Client::connect(dovecot.address());
        client.reply().expect_code(220);
        client.command("LHLO client.example").expect_code(250);
        client.mail("a@from.example", &["ann@example.test"], b"Subject: x\r\n\r\nhello\r\n").expect_code(250);
        assert_eq!(crate::mail::maildir(&dovecot.maildir("ann")).len(), 1);
    }
}
