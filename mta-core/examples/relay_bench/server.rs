//! The program under measurement: started with a configuration of its own, read through `/proc`, ended by its id.

use super::calls;
use super::every;
use super::tls::Tls;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

/// How the program is set up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Accepts and queues, delivers nothing.
    Hold,
    /// Relays to the sink.
    Relay,
    /// Relays, and asks the example plugin at every hook.
    Hook,
    /// Relays, and asks five plugins that have every hook.
    Five,
    /// Relays, and asks five of the standard plugins, set up for such mail.
    Standard,
    /// Relays by TLS, on both sides.
    Tls,
}

impl Mode {
    /// For the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hold => "accept",
            Self::Relay => "relay",
            Self::Hook => "relay with hello",
            Self::Five => "relay with five on all hooks",
            Self::Standard => "relay with five standard plugins",
            Self::Tls => "relay by TLS",
        }
    }
}

/// The component of [`Mode::Five`], and how many plugins are made of it.
const EVERY: &str = "every.wasm";
const PLUGINS: u32 = 5;

/// What the links of [`Mode::Standard`] are signed with.
const KEY: &str = "links.key";
/// The plugins of [`Mode::Standard`]: every message is list mail and gets links of its own, is filtered, counted against two
/// limits, routed by a rule, and checked as bulk mail in so far as that needs no name server.
const STANDARD: &str = include_str!("standard.toml");

/// A running program.
pub(crate) struct Server {
    /// Where it takes mail.
    pub(crate) port: u16,
    /// Where it tells its metrics.
    metrics: u16,
    child: Child,
    pid: u32,
    _dir: tempfile::TempDir,
}

/// How often readiness is asked for before the start counts as failed.
const CONNECT_TRIES_MAX: u32 = 600;
const CONNECT_PAUSE: Duration = Duration::from_millis(50);

impl Server {
    /// Starts it and waits for its greeting.
    pub(crate) async fn start(program: &Path, mode: Mode, sink: u16, tls: Option<&Tls>) -> io::Result<Self> {
        let dir = tempfile::tempdir()?;
        let (port, metrics) = free_ports().await?;
        let file = dir.path().join("bench.toml");
        if mode == Mode::Five {
            std::fs::write(dir.path().join(EVERY), every::component().map_err(io::Error::other)?)?;
        }
        if mode == Mode::Standard {
            let key = dir.path().join(KEY);
            std::fs::write(&key, "a key that signs links, of some length")?;
            std::fs::set_permissions(&key, Permissions::from_mode(0o600))?;
        }
        if let Some(tls) = tls {
            tls.write(dir.path())?;
        }
        std::fs::write(&file, config(dir.path(), (port, metrics), mode, sink))?;
        let mut child = Command::new(program)
            .args(["serve", "--config"])
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(dir.path().join("log"))?)
            .kill_on_drop(true)
            .spawn()?;
        let pid = child.id().ok_or_else(|| io::Error::other("the program ended at once"))?;
        for _ in 0..CONNECT_TRIES_MAX {
            if let Some(status) = child.try_wait()? {
                let log = std::fs::read_to_string(dir.path().join("log"))?;
                return Err(io::Error::other(format!("the program ended with {status}:\n{log}")));
            }
            if greets(port).await {
                return Ok(Self { port, metrics, child, pid, _dir: dir });
            }
            tokio::time::sleep(CONNECT_PAUSE).await;
        }
        Err(io::Error::other("the program does not greet"))
    }

    /// CPU time used so far, by the program and the kernel for it.
    pub(crate) fn cpu(&self) -> io::Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid))?;
        let behind_name = stat.rsplit(')').next().unwrap_or_default();
        // proc(5): utime and stime are fields 14 and 15, in clock ticks of 10 ms.
        let ticks: u64 = behind_name.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
        Ok(Duration::from_millis(ticks * 10))
    }

    /// How long its plugins were called so far.
    pub(crate) async fn called(&self) -> io::Result<Duration> {
        calls::time(self.metrics).await
    }

    /// Resident memory.
    pub(crate) fn resident_bytes(&self) -> io::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        let kib = line.trim().trim_end_matches("kB").trim().parse::<u64>().map_err(io::Error::other)?;
        Ok(kib * 1024)
    }

    /// Ends it.
    pub(crate) async fn stop(mut self) -> io::Result<()> {
        self.child.kill().await
    }
}

/// Two at once, so that they differ.
async fn free_ports() -> io::Result<(u16, u16)> {
    let (one, other) = (TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?);
    Ok((one.local_addr()?.port(), other.local_addr()?.port()))
}

async fn greets(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await else { return false };
    let mut greeting = [0; 3];
    stream.read_exact(&mut greeting).await.is_ok() && greeting == *b"220"
}

fn config(dir: &Path, (port, metrics): (u16, u16), mode: Mode, sink: u16) -> String {
    let paused = mode == Mode::Hold;
    let plugin = match mode {
        Mode::Hook => {
            "[[plugin]]\nname = \"hello\"\nsource = \"builtin:hello\"\nallow = [\"log\"]\nedit = [\"headers\"]\n\
             config = { header = \"X-Hello\" }\n"
                .to_owned()
        }
        Mode::Five => {
            let source = dir.join(EVERY);
            let one = |number| {
                format!("[[plugin]]\nname = \"p{number}\"\nsource = \"{}\"\nedit = [\"headers\"]\n", source.display())
            };
            (1..=PLUGINS).map(one).collect()
        }
        Mode::Standard => STANDARD.replace("KEY", &dir.join(KEY).display().to_string()),
        Mode::Hold | Mode::Relay | Mode::Tls => String::new(),
    };
    let (listener, route) = match mode {
        Mode::Tls => {
            let file = |name: &str| dir.join(name).display().to_string();
            let certificate = format!("cert = \"{}\"\nkey = \"{}\"", file("mx.pem"), file("mx.key"));
            (
                format!("starttls = \"required\"\n[[listener.certificate]]\n{certificate}\n"),
                format!("tls = \"verify\"\nca = \"{}\"\n", file("ca.pem")),
            )
        }
        _ => (String::new(), String::new()),
    };
    format!(
        "hostname = \"bench.example\"\ndata_dir = \"{}\"\n\n[[listener]]\nname = \"bench\"\nbind = \"127.0.0.1:{port}\"\n{listener}\n\
         [relay]\nnetworks = [\"127.0.0.0/8\"]\n\n[[route]]\nto = \"*\"\nsmarthost = \"127.0.0.1:{sink}\"\n{route}\n\
         [limits]\nsessions_max = 20000\nsessions_per_peer_max = 20000\n\n[delivery]\npaused = {paused}\n\n[metrics]\nbind = \"127.0.0.1:{metrics}\"\n\n{plugin}",
        dir.join("data").display(),
    )
}
