//! `cargo xtask run`: Mailwright on this machine in one command, with words on what to try.

use crate::command;
use clap::Args;
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

const CONFIG: &str = "config/dev.toml";
const READY_LIMIT: Duration = Duration::from_secs(60);
/// Longer than the program's own limit for a drain (`limits.drain`, 20 s).
const STOP_LIMIT: Duration = Duration::from_secs(40);

#[derive(Args)]
pub(crate) struct Options {
    /// Build with optimisations.
    #[arg(long)]
    release: bool,
    /// Another configuration.
    #[arg(long, default_value = CONFIG)]
    config: PathBuf,
}

/// Builds, starts, explains, and stops on Ctrl-C.
///
/// # Errors
/// The build failed, or the program did not come up or ended by itself.
pub(crate) fn run(root: &Path, options: &Options) -> Result<(), String> {
    command::ensure_wasm_target(root)?;
    let mut build = command::cargo(root);
    // Of the workspace, as the tests are built: most crates then have the same features and are built once for both.
    build.args(["build", "--workspace", "--bin", "mailwright"]);
    if options.release {
        build.arg("--release");
    }
    command::run(&mut build)?;
    let profile = if options.release { "release" } else { "debug" };
    let program = command::target_dir(root).join(profile).join("mailwright");
    let settings = Settings::read(&root.join(&options.config))?;

    let mut serve = command::new(root, &program.to_string_lossy());
    serve.arg("serve").arg("--config").arg(&options.config);
    // A group of its own: Ctrl-C comes to us alone, and we end it as an operator would.
    serve.process_group(0);
    let child = serve.spawn().map_err(|e| format!("{}: {e}", program.display()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    // As it is typed from the top folder.
    let shown = program.strip_prefix(root).unwrap_or(&program);
    runtime.map_err(|e| format!("tokio: {e}"))?.block_on(watch(child, &settings, &options.config, shown))
}

async fn watch(mut child: Child, settings: &Settings, config: &Path, program: &Path) -> Result<(), String> {
    let mut asked_to_end = Ending::listen()?;
    let mut ticks = tokio::time::interval(Duration::from_millis(50));
    let began = Instant::now();
    let mut ready = false;
    loop {
        tokio::select! {
            () = asked_to_end.wait() => return stop(child).await,
            _ = ticks.tick() => {}
        }
        if let Some(status) = child.try_wait().map_err(|e| e.to_string())? {
            return Err(ended(status, ready));
        }
        if !ready && settings.listeners.iter().all(|address| answers(*address)) {
            ready = true;
            println!("{}", settings.what_to_try(config, program));
        }
        if !ready && began.elapsed() > READY_LIMIT {
            stop(child).await?;
            return Err(format!("the ports did not answer within {} s", READY_LIMIT.as_secs()));
        }
    }
}

fn ended(status: ExitStatus, ready: bool) -> String {
    if ready {
        return format!("mailwright ended by itself: {status}");
    }
    format!("mailwright did not start ({status}); its words are above. Is another one running on the same port?")
}

/// Whether it greets: a port that is bound accepts connections before anybody serves them.
fn answers(address: SocketAddr) -> bool {
    let limit = Duration::from_millis(200);
    let greeted = TcpStream::connect_timeout(&address, limit).and_then(|mut stream| {
        stream.set_read_timeout(Some(limit))?;
        stream.read_exact(&mut [0; 3])
    });
    greeted.is_ok()
}

/// Ctrl-C at the terminal, or a plain `kill`.
struct Ending {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Ending {
    fn listen() -> Result<Self, String> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| signal(kind).map_err(|e| format!("signals: {e}"));
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// SIGTERM, so that running transactions end; SIGKILL when the limit has passed.
async fn stop(mut child: Child) -> Result<(), String> {
    let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    let pid = pid.ok_or("the child has no process id")?;
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).map_err(|e| format!("SIGTERM: {e}"))?;
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let began = Instant::now();
    while began.elapsed() < STOP_LIMIT {
        ticks.tick().await;
        if let Some(status) = child.try_wait().map_err(|e| e.to_string())? {
            return status.success().then_some(()).ok_or_else(|| format!("mailwright ended with {status}"));
        }
    }
    child.kill().and_then(|()| child.wait()).map_err(|e| e.to_string())?;
    Err(format!("mailwright did not end within {} s and was killed", STOP_LIMIT.as_secs()))
}

/// What the words need to know of the configuration.
struct Settings {
    listeners: Vec<SocketAddr>,
    maildir: Option<String>,
}

impl Settings {
    fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        Self::parse(&text).map_err(|why| format!("{}: {why}", path.display()))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let file: toml::Table = text.parse().map_err(|e: toml::de::Error| e.to_string())?;
        let each = |array: &str, key: &str| -> Vec<String> {
            let tables = file.get(array).and_then(toml::Value::as_array).into_iter().flatten();
            tables.filter_map(|table| Some(table.get(key)?.as_str()?.to_owned())).collect()
        };
        let bind = each("listener", "bind");
        let listeners = bind.iter().map(|text| text.parse().map_err(|e| format!("listener.bind {text}: {e}")));
        let listeners = listeners.collect::<Result<Vec<SocketAddr>, _>>()?;
        if listeners.is_empty() {
            return Err("no [[listener]]".to_owned());
        }
        // A route's Maildir is relative to the data directory (docs/configuration.md).
        let data_dir = file.get("data_dir").and_then(toml::Value::as_str).unwrap_or(".");
        let maildir = each("route", "maildir").into_iter().next();
        Ok(Self { listeners, maildir: maildir.map(|folder| Path::new(data_dir).join(folder).display().to_string()) })
    }

    fn what_to_try(&self, config: &Path, program: &Path) -> String {
        let (server, config, program) = (self.listeners[0], config.display(), program.display());
        let (host, port) = (server.ip(), server.port());
        let mail = match &self.maildir {
            Some(folder) => format!("It lands in a Maildir:\n\n    cat {folder}/new/*\n"),
            None => String::new(),
        };
        format!(
            "\nMailwright serves SMTP on {server}. Send it a message:\n\n    \
             swaks --server {server} --from you@example.org --to me@example.test\n\n\
             or, without swaks:\n\n    \
             python3 -c 'import smtplib; smtplib.SMTP(\"{host}\", {port}).sendmail(\"you@example.org\", \
             \"me@example.test\", \"Subject: hello\\r\\n\\r\\nIt works.\\r\\n\")'\n\n\
             {mail}\nWhat waits in the queue:\n\n    {program} queue list --config {config}\n\nCtrl-C stops it.\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_come_from_the_configuration() {
        let text = "data_dir = \"var\"\n[[listener]]\nname = \"mx\"\nbind = \"127.0.0.1:2525\"\n[[route]]\nto = \"*\"\nmaildir = \"mail\"\n";
        let settings = Settings::parse(text).expect("a good file");
        let words = settings.what_to_try(Path::new("config/dev.toml"), Path::new("target/debug/mailwright"));
        for expected in [
            "--server 127.0.0.1:2525",
            "SMTP(\"127.0.0.1\", 2525)",
            "var/mail/new",
            "queue list --config config/dev.toml",
        ] {
            assert!(words.contains(expected), "{expected} in {words}");
        }
        assert!(Settings::parse("hostname = \"x\"").is_err());
    }
}
