//! Other people's mail programs: swaks, Python's smtplib, Postfix's smtp-source and smtp-sink.

pub mod chromium;
pub mod dovecot;
pub mod issuer;
pub mod knot;
pub mod nodemailer;
pub mod pebble;
pub mod policies;
pub mod postfix;
pub mod slapd;
pub mod tls;

use crate::{PATIENCE, Watched};
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The program's path: on the path, or where Debian keeps system programs.
///
/// # Panics
/// When it is not installed.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let found = folders.map(|folder| folder.join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("{name} is not installed: `cargo xtask test` installs it or tells how"))
}

/// What a command has said: its standard output and its standard error, and how many of them have ended.
#[derive(Default)]
struct Said {
    outputs: [Vec<u8>; 2],
    ended: usize,
}

/// Runs a command to its end and keeps what it said; kills it when its time is up.
///
/// # Panics
/// When it can't be started, or does not end in time.
#[must_use]
pub fn run(mut command: Command) -> Output {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let said: Arc<Watched<Said>> = Arc::default();
    keep(child.stdout.take().expect("stdout is piped"), &said, 0);
    keep(child.stderr.take().expect("stderr is piped"), &said, 1);
    if said.wait(PATIENCE, |said| (said.ended == 2).then_some(())).is_none() {
        let _ = child.kill();
        panic!("{command:?} did not end; it said {}", said.look(|said| lossy(&said.outputs.concat())));
    }
    let status = child.wait().expect("a child can be waited for");
    let [stdout, stderr] = said.change(|said| std::mem::take(&mut said.outputs));
    Output { status, stdout, stderr }
}

fn keep(mut from: impl Read + Send + 'static, said: &Arc<Watched<Said>>, which: usize) {
    let said = Arc::clone(said);
    std::thread::spawn(move || {
        let mut octets = Vec::new();
        let _ = from.read_to_end(&mut octets);
        said.change(|said| {
            said.outputs[which] = octets;
            said.ended += 1;
        });
    });
}

/// Octets as text.
#[must_use]
pub fn lossy(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// swaks with these arguments behind `--server`; its transcript.
#[must_use]
pub fn swaks(server: SocketAddr, arguments: &[&str]) -> (ExitStatus, String) {
    let mut command = Command::new(program("swaks"));
    command.args(["--server", &server.to_string(), "--helo", "client.example", "--timeout", "30"]).args(arguments);
    let output = run(command);
    (output.status, lossy(&output.stdout) + &lossy(&output.stderr))
}

/// Python with this script; `HOST` and `PORT` are the server's there. What it printed.
///
/// # Panics
/// When the script fails.
#[must_use]
pub fn python(server: SocketAddr, script: &str) -> String {
    let head = format!("import smtplib\nHOST, PORT = \"{}\", {}\n", server.ip(), server.port());
    let mut command = Command::new(program("python3"));
    command.arg("-c").arg(head + script);
    let output = run(command);
    assert!(output.status.success(), "{}{}", lossy(&output.stdout), lossy(&output.stderr));
    lossy(&output.stdout)
}

/// What is in front of every script for dkimpy.
const DKIMPY: &str = r#"
import sys, dkim, re
zone = {}
for line in open(sys.argv[1] + "/zone"):
    name, text = line.split(" IN TXT ")
    zone[name.encode()] = "".join(text.split('"')[1::2]).encode()
def txt(name, timeout=5):
    return zone.get(name)
message = open(sys.argv[1] + "/message", "rb").read()
"#;

/// Debian's Python, which has dkimpy and PyNaCl, on a message and the lines of the zones that it may look at: what the script
/// printed, for which `message` are the octets and `txt` is the look-up.
///
/// # Panics
/// When the script fails.
#[must_use]
pub fn dkimpy(script: &str, zone: &str, message: &[u8]) -> String {
    let folder = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(folder.path().join("zone"), zone).expect("our own directory");
    std::fs::write(folder.path().join("message"), message).expect("our own directory");
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-c", &format!("{DKIMPY}{script}")]).arg(folder.path());
    let output = run(command);
    assert!(output.status.success(), "{}", lossy(&output.stderr));
    lossy(&output.stdout).trim().to_owned()
}

/// smtp-source sends `count` messages of `bytes` over `sessions` connections.
///
/// # Panics
/// When it fails.
pub fn smtp_source(server: SocketAddr, sessions: usize, count: usize, bytes: usize) {
    let mut command = Command::new(program("smtp-source"));
    command.args(["-s", &sessions.to_string(), "-m", &count.to_string(), "-l", &bytes.to_string()]);
    command.args(["-f", "a@from.example", "-t", "b@to.example", &server.to_string()]);
    let output = run(command);
    assert!(output.status.success(), "{}{}", lossy(&output.stdout), lossy(&output.stderr));
}

/// smtp-sink, which writes each message to a file of its own.
#[derive(Debug)]
pub struct SmtpSink {
    child: Child,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl SmtpSink {
    /// Starts it.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn start() -> Self {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a temporary directory");
        let address = free_address();
        let mut command = Command::new(program("smtp-sink"));
        if rustix::process::geteuid().is_root() {
            // It refuses to run as root, and then has to write there as somebody else.
            std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).expect("our own folder");
            command.args(["-u", "nobody"]);
        }
        command.args(["-d", "%s.", &address.to_string(), "512"]).current_dir(folder.path());
        let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().expect("smtp-sink starts");
        let sink = Self { child, address, folder };
        wait_for_port(address, "smtp-sink");
        sink
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All messages so far.
    #[must_use]
    pub fn messages(&self) -> Vec<Vec<u8>> {
        let Ok(files) = std::fs::read_dir(self.folder.path()) else { return Vec::new() };
        files.filter_map(|file| std::fs::read(file.ok()?.path()).ok()).collect()
    }
}

impl Drop for SmtpSink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address on loopback that nobody uses now, for programs that can't choose one themselves.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
    listener.local_addr().expect("a bound socket")
}

/// Waits until somebody listens there: another's program tells it in no other way.
///
/// # Panics
/// When nobody does.
pub fn wait_for_port(address: SocketAddr, who: &str) {
    let connects = || TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok();
    wait_until(&format!("{who} at {address}"), connects);
}

/// Waits until a condition holds that no event tells: what another's program does to ports and files. Looks again every
/// few milliseconds.
///
/// # Panics
/// When it does not come to hold.
pub fn wait_until(what: &str, holds: impl Fn() -> bool) {
    const AGAIN: Duration = Duration::from_millis(5);
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "{what}: did not come");
        std::thread::park_timeout(AGAIN);
    }
}

/// A folder that exists and is empty.
///
/// # Panics
/// When it can't be made.
#[must_use]
pub fn folder(parent: &Path, name: &str) -> PathBuf {
    let path = parent.join(name);
    std::fs::create_dir_all(&path).expect("a folder of our own");
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::Mark;
    use crate::sink::Sink;

    #[test]
    fn swaks_and_smtplib_reach_our_sink() {
        let (sink, mark) = (Sink::start(), Mark::new());
        let (status, said) =
            swaks(sink.address(), &["--from", "a@x.test", "--to", "b@y.test", "--body", &mark.to_string()]);
        assert!(status.success(), "{said}");
        let got = sink.message("swaks' message", |message| mark.is_in(&message.octets));
        assert_eq!((got.sender(), got.recipients.concat()), ("a@x.test", "b@y.test".to_owned()));
        let script = "smtplib.SMTP(HOST, PORT).sendmail('c@x.test', ['d@y.test'], 'Subject: x\\r\\n\\r\\n.dot\\r\\n')";
        let said = python(sink.address(), script);
        assert_eq!(said, "");
        let got = sink.message("smtplib's message", |message| message.sender() == "c@x.test");
        assert_eq!(crate::mail::body(&got.octets), b".dot\r\n");
    }

    #[test]
    fn smtp_source_reaches_smtp_sink() {
        let sink = SmtpSink::start();
        smtp_source(sink.address(), 2, 10, 1000);
        wait_until("ten messages", || sink.messages().len() == 10);
    }
}
