//! The server's side of the control socket.

use super::row::{Message, Row};
use super::{REQUEST_BYTES_MAX, Request, Response, Status, suppression};
use crate::base::flow::operator::reports::OperateReports;
use crate::base::flow::operator::suppression::Suppress;
use crate::base::flow::operator::{Operate, OperatePlugins, Recording, Selection, Serving};
use crate::base::time::UnixMillis;
use crate::base::world::Clock;
use crate::edge::observe::EventLog;
use crate::edge::observe::exposition::Metrics;
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Operators and their scripts at once.
const CLIENTS_MAX: usize = 32;

/// Entries that are asked of the queue at a time, and so held in memory for a client.
const PAGE_ROWS: usize = 1000;

/// How long a client may say nothing, or not read what it is told.
const IDLE_MAX: Duration = Duration::from_secs(300);

/// The bound socket; its file is removed when it is dropped.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
}

/// What clients are told and may do.
pub struct Operations {
    /// The queue.
    pub operate: Arc<dyn Operate>,
    /// The plugins.
    pub plugins: Arc<dyn OperatePlugins>,
    /// The suppression lists.
    pub suppress: Arc<dyn Suppress>,
    /// The reports to other domains.
    pub reports: Arc<dyn OperateReports>,
    /// For ages.
    pub clock: Arc<dyn Clock>,
    /// For the events' counters.
    pub log: Arc<EventLog>,
    /// Everything that is counted.
    pub metrics: Arc<Metrics>,
    /// Our name in SMTP.
    pub hostname: Arc<str>,
    /// When the server began.
    pub started: UnixMillis,
}

impl ControlSocket {
    /// Binds the socket so that only our own user (and root) can connect. Needs tokio's runtime.
    ///
    /// # Errors
    /// Another server answers there; the path is too long (107 octets on Linux) or not writable.
    pub fn bind(path: &Path) -> io::Result<Self> {
        let told = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        Self::bind_at(path).map_err(told)
    }

    fn bind_at(path: &Path) -> io::Result<Self> {
        if path.exists() {
            // A server that was killed leaves its socket behind: nobody answers there.
            if StdUnixStream::connect(path).is_ok() {
                return Err(io::Error::new(io::ErrorKind::AddrInUse, "another server runs with this data directory"));
            }
            fs::remove_file(path)?;
        }
        let too_long =
            |_| io::Error::other("longer than a socket's path may be (107 octets): choose a shorter data_dir");
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.bind(&SockAddr::unix(path).map_err(too_long)?)?;
        // Nobody can connect before `listen`, so there is no moment at which others could.
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
        socket.listen(128)?;
        socket.set_nonblocking(true)?;
        let listener =
            UnixListener::from_std(std::os::unix::net::UnixListener::from(std::os::fd::OwnedFd::from(socket)))?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Serves clients until the future is dropped, which ends their connections too.
    pub async fn serve(&self, operations: Arc<Operations>) {
        let mut clients = JoinSet::new();
        loop {
            let stream = tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(_) => {
                        // Out of descriptors: mail needs them more, and operators come again.
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                },
                Some(_) = clients.join_next() => continue,
            };
            let crowded = clients.len() >= CLIENTS_MAX;
            let operations = Arc::clone(&operations);
            clients.spawn(async move {
                let mut client = Client { stream: BufReader::new(stream), out: Vec::new() };
                // A client that goes away or talks nonsense is no event: it was told, if it could be.
                let _ = if crowded {
                    client.end(Response::Error(format!("more than {CLIENTS_MAX} clients"))).await
                } else {
                    client.serve(&operations).await
                };
            });
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = fs::remove_file(&self.path);
    }
}

struct Client {
    stream: BufReader<UnixStream>,
    out: Vec<u8>,
}

impl Client {
    async fn serve(&mut self, operations: &Operations) -> io::Result<()> {
        let mut line = Vec::new();
        loop {
            line.clear();
            let mut limited = (&mut self.stream).take(REQUEST_BYTES_MAX as u64);
            timeout(IDLE_MAX, limited.read_until(b'\n', &mut line)).await??;
            match line.last() {
                None => return Ok(()),
                Some(b'\n') => {}
                Some(_) if line.len() < REQUEST_BYTES_MAX => return Ok(()),
                Some(_) => {
                    let why = format!("a request is at most {REQUEST_BYTES_MAX} octets");
                    return self.end(Response::Error(why)).await;
                }
            }
            match serde_json::from_slice(&line) {
                Ok(request) => self.answer(request, operations).await?,
                Err(error) => self.end(Response::Error(format!("the request can't be read: {error}"))).await?,
            }
        }
    }

    async fn answer(&mut self, request: Request, operations: &Operations) -> io::Result<()> {
        let operate = &operations.operate;
        let done = |done: Result<u64, _>| match done {
            Ok(messages) => Response::Done { messages },
            Err(fault) => fault_told(&fault),
        };
        let end = match request {
            Request::Status => Response::Status(operations.status()),
            Request::Metrics => Response::Metrics(operations.metrics.text()),
            Request::List { selection } => self.list(selection, operations).await?,
            Request::Show { id } => {
                let selection = Selection { id: Some(id), ..Selection::default() };
                match operate.list(selection, None, 1).await.map(|entries| entries.into_iter().next()) {
                    Ok(Some(entry)) => Response::Message(Box::new(Message::new(&entry, operations.clock.now().wall))),
                    Ok(None) => Response::Error(format!("no message {id} is queued")),
                    Err(fault) => fault_told(&fault),
                }
            }
            Request::Retry { selection } => done(operate.retry(selection).await),
            Request::Rebind { selection } => done(operate.rebind(selection).await),
            Request::Cancel { selection } => done(operate.cancel(selection).await),
            Request::SuppressionList { list, after, containing } => {
                suppression::page(&*operations.suppress, list, after, &containing.unwrap_or_default()).await
            }
            Request::SuppressionAdd { list, addresses } => {
                suppression::add(&*operations.suppress, list, addresses).await
            }
            Request::SuppressionRemove { list, address } => {
                suppression::remove(&*operations.suppress, list, &address).await
            }
            Request::ReportList => Response::Reports(operations.reports.list()),
            Request::ReportShow { domain } => Response::Told(operations.reports.show(&domain)),
            Request::ReportSend { domain } => {
                operations.reports.send(&domain).await.map_or_else(Response::Error, Response::Told)
            }
            Request::PluginList => Response::Serving(operations.plugins.serving()),
            Request::PluginReload => serving(operations.plugins.reload().await),
            Request::PluginRollback => serving(operations.plugins.roll_back().await),
            Request::PluginDifferences { plugin } => {
                let found = operations.plugins.differences(plugin.as_deref());
                found.map_or_else(Response::Error, Response::Differences)
            }
            Request::PluginBucket { query } => {
                operations.plugins.buckets(&query).map_or_else(Response::Error, Response::Bucket)
            }
            Request::PluginRecord { plugin, calls } => match operations.plugins.record(&plugin, calls) {
                Ok(recording) => self.record(recording).await?,
                Err(why) => Response::Error(why),
            },
        };
        self.end(end).await
    }

    /// Rows page by page, each written before the next is asked for: a million of them need no memory.
    async fn list(&mut self, selection: Selection, operations: &Operations) -> io::Result<Response> {
        let (mut after, mut messages) = (None, 0);
        loop {
            let page = match operations.operate.list(selection.clone(), after, PAGE_ROWS).await {
                Ok(page) => page,
                Err(fault) => return Ok(fault_told(&fault)),
            };
            let Some(last) = page.last() else { return Ok(Response::Done { messages }) };
            after = Some(last.id);
            messages += page.len() as u64;
            let now = operations.clock.now().wall;
            for entry in page {
                self.put(&Response::Row(Row::new(&entry, now)))?;
            }
            self.flush().await?;
        }
    }

    /// Transactions as they come, until all are recorded or the client goes away: it has nothing more to say meanwhile.
    async fn record(&mut self, mut recording: Box<dyn Recording>) -> io::Result<Response> {
        let mut messages = 0;
        loop {
            let recorded = tokio::select! {
                recorded = recording.next() => recorded,
                _ = self.stream.fill_buf() => return Err(io::ErrorKind::ConnectionAborted.into()),
            };
            let Some(recorded) = recorded else { return Ok(Response::Done { messages }) };
            messages += 1;
            self.put(&Response::Recorded(Box::new(recorded)))?;
            self.flush().await?;
        }
    }

    fn put(&mut self, response: &Response) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, response)?;
        self.out.push(b'\n');
        Ok(())
    }

    async fn end(&mut self, response: Response) -> io::Result<()> {
        self.put(&response)?;
        self.flush().await
    }

    async fn flush(&mut self) -> io::Result<()> {
        timeout(IDLE_MAX, self.stream.get_mut().write_all(&self.out)).await??;
        self.out.clear();
        Ok(())
    }
}

impl Operations {
    fn status(&self) -> Status {
        let happened = self.log.tally().read().filter(|(_, count)| *count > 0);
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            hostname: self.hostname.to_string(),
            pid: std::process::id(),
            uptime_seconds: self.clock.now().wall.since(self.started).as_secs(),
            events: happened.map(|(name, count)| (name.to_owned(), count)).collect(),
        }
    }
}

fn fault_told(fault: &crate::base::fault::SpoolFault) -> Response {
    Response::Error(fault.to_string())
}

fn serving(answer: Result<Serving, String>) -> Response {
    answer.map_or_else(Response::Error, Response::Serving)
}
