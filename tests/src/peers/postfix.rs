//! Postfix as a relay that speaks TLS on both sides, with everything in one temporary directory.

use super::tls::Authority;
use crate::peers::{folder, free_address, program, wait_for_port};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The running server; ends with the value.
#[derive(Debug)]
pub struct Postfix {
    child: Child,
    dir: tempfile::TempDir,
    address: SocketAddr,
}

/// The services of a relay, each without a prison of its own: `master.cf` behind the one that listens.
const SERVICES: &str = "\
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
";

impl Postfix {
    /// Starts it with the authority's certificate `postfix`, made for its address. It takes nothing in clear, and sends all to
    /// `next` on this host, whose certificate must be the authority's and for `localhost`. It tries again within seconds.
    ///
    /// # Panics
    /// When it does not come up; it must be started by root, as its own manual says.
    #[must_use]
    pub fn relay(next: SocketAddr, authority: &Authority) -> Self {
        use std::os::unix::fs::PermissionsExt;
        assert!(rustix::process::geteuid().is_root(), "Postfix starts for root alone: run the tests as root");
        let dir = tempfile::Builder::new().prefix("postfix-").tempdir().expect("a temporary directory");
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).expect("our own folder");
        let (config, data) = (folder(dir.path(), "config"), folder(dir.path(), "data"));
        let _ = folder(dir.path(), "queue");
        let owner = super::run(command("id", &["-u", "postfix"])).stdout;
        let owner = super::lossy(&owner).trim().parse().expect("Postfix has a user of its own");
        std::os::unix::fs::chown(&data, Some(owner), None).expect("we are root");
        authority.sign("postfix", &["127.0.0.1"], 2100);
        let address = free_address();
        std::fs::write(config.join("main.cf"), settings(dir.path(), next, authority)).expect("our own folder");
        let services = format!("{address} inet n - n - - smtpd\n{SERVICES}");
        std::fs::write(config.join("master.cf"), services).expect("our own folder");
        let mut command = command("postfix", &["-c"]);
        command.arg(&config).arg("start-fg").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("postfix starts");
        let postfix = Self { child, dir, address };
        wait_for_port(address, "postfix");
        postfix
    }

    /// A table that sends everything to it, by TLS with a certificate of that authority.
    #[must_use]
    pub fn route(&self, authority: &Authority) -> String {
        let ca = authority.path("ca.pem");
        format!("[[route]]\nto = \"*\"\nsmarthost = \"{}\"\ntls = \"verify\"\nca = \"{}\"", self.address, ca.display())
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        // The child is a script that waits for Postfix's master, which must be asked: a signal to the script would orphan it.
        let mut stop = command("postfix", &["-c"]);
        stop.arg(self.dir.path().join("config"))
            .arg("stop")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if !stop.status().is_ok_and(|status| status.success()) {
            eprintln!("Postfix did not stop");
        }
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("Postfix's log:\n{}", self.log());
        }
    }
}

fn command(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program(name));
    command.args(arguments);
    command
}

fn settings(dir: &Path, next: SocketAddr, authority: &Authority) -> String {
    let file = |name: &str| authority.path(name).display().to_string();
    format!(
        "compatibility_level = 3.6
queue_directory = {dir}/queue
data_directory = {dir}/data
maillog_file_prefixes = {dir}
maillog_file = {dir}/log
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mydestination =
mynetworks = 127.0.0.0/8
myhostname = postfix.example.test
smtp_host_lookup = native
relayhost = [localhost]:{port}
smtpd_tls_security_level = encrypt
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_loglevel = 1
smtp_tls_security_level = secure
smtp_tls_CAfile = {authority}
smtp_tls_loglevel = 1
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 2s
",
        dir = dir.display(),
        port = next.port(),
        certificate = file("postfix.pem"),
        key = file("postfix.key"),
        authority = file("ca.pem"),
    )
}
