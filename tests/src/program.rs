//! `mailwright` itself: started, watched by its log lines, told things, killed.

use crate::client::Client;
use crate::setup::Setup;
use crate::{PATIENCE, Watched};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use tempfile::TempDir;

/// A running server with its directory. Ends with the value; the directory is kept when the test fails.
#[derive(Debug)]
pub struct Mailwright {
    dir: Option<TempDir>,
    child: Option<Child>,
    log: Arc<Watched<Log>>,
    address: SocketAddr,
    wrapper: Vec<String>,
}

/// What the program has said.
#[derive(Debug, Default)]
struct Log {
    /// Lines that are JSON objects.
    events: Vec<Value>,
    /// All lines.
    lines: Vec<String>,
    /// How many of its outputs have ended, of this start.
    ended: usize,
}

/// The program's path: `MAILWRIGHT_BIN`, else beside this test in the same target directory.
///
/// # Panics
/// When it is not built.
#[must_use]
pub fn binary() -> PathBuf {
    if let Some(set) = std::env::var_os("MAILWRIGHT_BIN") {
        return set.into();
    }
    let here = std::env::current_exe().expect("a test has a file");
    // target/debug/deps/scenarios-… -> target/debug/mailwright
    let beside = here.parent().and_then(Path::parent).map(|folder| folder.join("mailwright"));
    let found = beside.filter(|path| path.is_file());
    found.expect("mailwright is not built: run `cargo xtask test`, or set MAILWRIGHT_BIN")
}

/// What `cargo xtask test` installed of the registries of npm, PyPI and Cargo lies there.
///
/// # Panics
/// When the program does not lie in a target directory.
#[must_use]
pub fn tools() -> PathBuf {
    let target = binary().parent().and_then(Path::parent).map(Path::to_owned);
    target.expect("the program lies in a folder of the target directory").join("plugin-tools")
}

impl Mailwright {
    /// Starts it with this configuration and waits until it serves.
    #[must_use]
    pub fn start(setup: &Setup) -> Self {
        Self::prepare(setup).begin(&[])
    }

    /// Writes the configuration and starts nothing.
    ///
    /// # Panics
    /// When there is no place for it.
    #[must_use]
    pub fn prepare(setup: &Setup) -> Self {
        let dir = tempfile::Builder::new().prefix("mailwright-").tempdir().expect("a temporary directory");
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Self { dir: Some(dir), child: None, log: Arc::default(), address, wrapper: Vec::new() };
        server.configure(setup);
        server
    }

    /// Puts a command before the program's own, as `unshare`.
    #[must_use]
    pub fn wrapped(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// Starts what was prepared, with these `--set` overrides, and waits until it serves.
    ///
    /// # Panics
    /// When it does not come up; with what it said.
    #[must_use]
    pub fn begin(mut self, sets: &[&str]) -> Self {
        self.restart(sets);
        self
    }

    /// Starts it (again).
    ///
    /// # Panics
    /// When it does not come up; with what it said.
    pub fn restart(&mut self, sets: &[&str]) {
        assert!(self.child.is_none(), "it still runs");
        self.log = Arc::default();
        let mut words = self.wrapper.clone();
        words.push(binary().display().to_string());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg("serve").arg("--config").arg(self.config());
        command.args(sets.iter().flat_map(|set| ["--set", set]));
        command.current_dir(self.dir()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program can be started");
        read_lines(child.stdout.take().expect("stdout is piped"), &self.log);
        read_lines(child.stderr.take().expect("stderr is piped"), &self.log);
        self.child = Some(child);
        let up = self.log.wait(PATIENCE, |log| {
            let started = log.events.iter().any(|event| event["event"] == "started");
            (started || log.ended == 2).then_some(started)
        });
        assert!(up == Some(true), "it did not start:\n{}", self.tail());
        self.address = self.address_of("mx");
    }

    /// Overwrites the configuration file; [`reload`](Self::signal) with SIGHUP.
    ///
    /// # Panics
    /// When the file can't be written.
    pub fn configure(&self, setup: &Setup) {
        std::fs::write(self.config(), setup.toml(&self.data_dir())).expect("the configuration can be written");
    }

    /// The configuration file.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.dir().join("mailwright.toml")
    }

    /// The spool's directory.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.dir().join("data")
    }

    /// A directory of this test alone.
    ///
    /// # Panics
    /// Never: it lives as long as this value.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.as_ref().expect("the directory lives as long as the value").path()
    }

    /// Where it serves SMTP.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the listener of this name serves.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn address_of(&self, listener: &str) -> SocketAddr {
        let listening = self.events("listening");
        let event = listening.iter().find(|event| event["listener"] == listener);
        event.and_then(|event| event["address"].as_str()?.parse().ok()).expect("`listening` tells the address")
    }

    /// A connection that was greeted.
    #[must_use]
    pub fn client(&self) -> Client {
        let mut client = Client::connect(self.address);
        client.reply().expect_code(220);
        client
    }

    /// Its process id.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// Events of this name so far.
    #[must_use]
    pub fn events(&self, name: &str) -> Vec<Value> {
        self.log.look(|log| log.events.iter().filter(|event| event["event"] == name).cloned().collect())
    }

    /// Every line so far.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.log.look(|log| log.lines.clone())
    }

    /// Waits for an event of this name of which `wanted` holds.
    ///
    /// # Panics
    /// When it does not come.
    #[must_use]
    pub fn event(&self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let found = self
            .log
            .wait(PATIENCE, |log| log.events.iter().find(|event| event["event"] == name && wanted(event)).cloned());
        found.unwrap_or_else(|| panic!("no such event `{name}`; the log ends:\n{}", self.tail()))
    }

    /// Waits for the first event of one of these names of which `wanted` holds.
    ///
    /// # Panics
    /// When none comes.
    #[must_use]
    pub fn one_of(&self, names: &[&str], wanted: impl Fn(&Value) -> bool) -> Value {
        let is = |event: &&Value| names.iter().any(|name| event["event"] == *name) && wanted(event);
        let found = self.log.wait(PATIENCE, |log| log.events.iter().find(is).cloned());
        found.unwrap_or_else(|| panic!("none of {names:?} came; the log ends:\n{}", self.tail()))
    }

    /// Waits until there are `count` events of this name.
    ///
    /// # Panics
    /// When they do not come.
    pub fn events_reach(&self, name: &str, count: usize) {
        let counted = |log: &Log| log.events.iter().filter(|event| event["event"] == name).count();
        let reached = self.log.wait(PATIENCE, |log| (counted(log) >= count).then_some(()));
        let has = self.log.look(counted);
        assert!(reached.is_some(), "{has} of {count} `{name}` came; the log ends:\n{}", self.tail());
    }

    /// Waits until every recipient of this message has ended.
    #[must_use]
    pub fn finished(&self, id: &str) -> Value {
        self.event("finished", |event| event["id"] == id)
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// When it is gone.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).expect("a process id is positive");
        kill_process(pid, signal).expect("it can be signalled");
    }

    /// SIGTERM, and the way it ended.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.end()
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.end();
    }

    /// Waits for its end, however it came about.
    ///
    /// # Panics
    /// When it does not end.
    pub fn end(&mut self) -> ExitStatus {
        // The outputs end with the process, and waiting for them has a limit.
        let ended = self.log.wait(PATIENCE, |log| (log.ended == 2).then_some(()));
        assert!(ended.is_some(), "it did not end:\n{}", self.tail());
        self.child.take().expect("it ran").wait().expect("a child can be waited for")
    }

    /// A command of the program, as `["queue", "list"]`, with this server's configuration.
    #[must_use]
    pub fn cli(&self, words: &[&str]) -> Output {
        let mut command = Command::new(binary());
        command.args(words).arg("--config").arg(self.config()).current_dir(self.dir());
        crate::peers::run(command)
    }

    /// The same, with this on its standard input.
    ///
    /// # Panics
    /// When it can't be started.
    #[must_use]
    pub fn cli_told(&self, words: &[&str], input: &str) -> Output {
        let mut command = Command::new(binary());
        command.args(words).arg("--config").arg(self.config()).current_dir(self.dir());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program can be started");
        // One that does not want to hear it closes its end.
        let _ = child.stdin.take().expect("stdin is piped").write_all(input.as_bytes());
        child.wait_with_output().expect("a child can be waited for")
    }

    /// `queue list --json`, parsed.
    ///
    /// # Panics
    /// When it fails or says something else.
    #[must_use]
    pub fn queue(&self) -> Vec<Value> {
        let listed = self.cli(&["queue", "list", "--json"]);
        assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
        let text = String::from_utf8_lossy(&listed.stdout).into_owned();
        text.lines().map(|line| serde_json::from_str(line).expect("each line is a JSON object")).collect()
    }

    fn tail(&self) -> String {
        self.log.look(|log| log.lines[log.lines.len().saturating_sub(40)..].join("\n"))
    }
}

impl Drop for Mailwright {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Its end was not the test's business.
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking()
            && let Some(dir) = self.dir.take()
        {
            let kept = dir.keep();
            let _ = std::fs::write(kept.join("log"), self.lines().join("\n"));
            eprintln!("the program's directory and its log are kept: {}", kept.display());
        }
    }
}

fn read_lines(output: impl Read + Send + 'static, log: &Arc<Watched<Log>>) {
    let log = Arc::clone(log);
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let event = serde_json::from_str::<Value>(&line).ok().filter(Value::is_object);
            log.change(|log| {
                log.events.extend(event);
                log.lines.push(line);
            });
        }
        log.change(|log| log.ended += 1);
    });
}
