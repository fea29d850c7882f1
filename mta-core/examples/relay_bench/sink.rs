//! The next hop: takes everything and counts every message's number.

use crate::tls::{Stream, Tls};
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// A running sink.
pub(crate) struct Sink {
    /// Where it listens.
    pub(crate) port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    counts: Mutex<HashMap<String, usize>>,
    arrived: Notify,
}

/// What came.
pub(crate) struct Seen {
    /// Messages.
    pub(crate) total: usize,
    /// Different messages.
    pub(crate) distinct: usize,
}

impl State {
    fn counts(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink {
    /// Listens on a free port of loopback; offers STARTTLS where it has certificates.
    pub(crate) async fn start(tls: Option<Tls>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(session(stream, Arc::clone(&shared), tls.clone()));
            }
        });
        Ok(Self { port, state })
    }

    /// What came since the last `forget`.
    pub(crate) fn seen(&self) -> Seen {
        let counts = self.state.counts();
        Seen { total: counts.values().sum(), distinct: counts.len() }
    }

    /// Begins to count anew.
    pub(crate) fn forget(&self) {
        self.state.counts().clear();
    }

    /// Waits until that many different messages have come, or the time is up.
    pub(crate) async fn wait_for(&self, messages: usize, limit: Duration) {
        let enough = async {
            loop {
                let arrived = self.state.arrived.notified();
                if self.seen().distinct >= messages {
                    return;
                }
                arrived.await;
            }
        };
        // The caller counts what came; running out of time is seen there as lost messages.
        let _ = tokio::time::timeout(limit, enough).await;
    }
}

/// One session; its errors end it, and the messages that are missing then are counted as lost.
async fn session(stream: TcpStream, state: Arc<State>, mut tls: Option<Tls>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let stream: Box<dyn Stream> = Box::new(stream);
    let mut stream = BufReader::with_capacity(16 * 1024, stream);
    stream.get_mut().write_all(b"220 sink.example ESMTP\r\n").await?;
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let reply: &[u8] = match line.get(..4) {
            Some("EHLO") if tls.is_some() => b"250-sink.example\r\n250-STARTTLS\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
            Some("EHLO") => b"250-sink.example\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
            Some("STAR") if let Some(tls) = tls.take() => {
                stream.get_mut().write_all(b"220 go\r\n").await?;
                stream = BufReader::with_capacity(16 * 1024, tls.accept(stream.into_inner()).await?);
                continue;
            }
            Some("DATA") => {
                stream.get_mut().write_all(b"354 go\r\n").await?;
                stream.get_mut().flush().await?;
                content(&mut stream, &mut line, &state).await?;
                b"250 2.0.0 kept\r\n"
            }
            Some("QUIT") => b"221 bye\r\n",
            _ => b"250 ok\r\n",
        };
        // Replies of a pipelined group would be sent one by one; the client waits for the last anyway.
        stream.get_mut().write_all(reply).await?;
        stream.get_mut().flush().await?;
    }
}

async fn content(stream: &mut BufReader<Box<dyn Stream>>, line: &mut String, state: &State) -> io::Result<()> {
    loop {
        line.clear();
        if stream.read_line(line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(number) = line.strip_prefix("X-Number: ") {
            *state.counts().entry(number.trim_end().to_owned()).or_default() += 1;
        }
        if line == ".\r\n" {
            state.arrived.notify_waiters();
            return Ok(());
        }
    }
}
