//! The sender: a number of sessions that send numbered messages as fast as the server takes them.

use crate::tls::{Stream, Tls};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// What is sent.
#[derive(Clone)]
pub(crate) struct Load {
    /// Messages in all.
    pub(crate) messages: usize,
    /// Length of each, in octets.
    pub(crate) message_bytes: usize,
    /// Connections at once.
    pub(crate) sessions: usize,
    /// MAIL, RCPT and DATA in one write (RFC 2920).
    pub(crate) pipelined: bool,
    /// Then the connection is closed and another opened.
    pub(crate) messages_per_connection: usize,
    /// By TLS.
    pub(crate) tls: Option<Tls>,
}

/// Sends it all; ends when every message has its 250. `run` becomes part of every message's number.
pub(crate) async fn send(port: u16, load: &Load, run: &'static str) -> io::Result<()> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut sessions = tokio::task::JoinSet::new();
    for _ in 0..load.sessions {
        sessions.spawn(session(port, load.clone(), Arc::clone(&next), run));
    }
    while let Some(ended) = sessions.join_next().await {
        ended.map_err(io::Error::other)??;
    }
    Ok(())
}

async fn session(port: u16, load: Load, next: Arc<AtomicUsize>, run: &'static str) -> io::Result<()> {
    let filler = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\r\n";
    let body = filler.repeat(load.message_bytes.saturating_sub(200) / filler.len());
    loop {
        let mut connection = Connection::open(port, load.tls.as_ref()).await?;
        for _ in 0..load.messages_per_connection {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= load.messages {
                return connection.quit().await;
            }
            connection.message(run, number, &body, load.pipelined).await?;
        }
        connection.quit().await?;
    }
}

/// Opens sessions that say EHLO and then nothing.
pub(crate) async fn hold_idle(port: u16, count: usize) -> io::Result<Vec<Connection>> {
    let mut held = Vec::with_capacity(count);
    for _ in 0..count {
        held.push(Connection::open(port, None).await?);
    }
    Ok(held)
}

fn buffered(stream: Box<dyn Stream>) -> BufReader<Box<dyn Stream>> {
    BufReader::with_capacity(1024, stream)
}

/// One session, greeted.
pub(crate) struct Connection {
    stream: BufReader<Box<dyn Stream>>,
    line: String,
}

impl Connection {
    async fn open(port: u16, tls: Option<&Tls>) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let mut connection = Self { stream: buffered(Box::new(stream)), line: String::new() };
        connection.reply("220").await?;
        connection.say("EHLO bench.example\r\n", "250").await?;
        if let Some(tls) = tls {
            connection.say("STARTTLS\r\n", "220").await?;
            connection.stream = buffered(tls.connect(connection.stream.into_inner()).await?);
            connection.say("EHLO bench.example\r\n", "250").await?;
        }
        Ok(connection)
    }

    async fn message(&mut self, run: &str, number: usize, body: &str, pipelined: bool) -> io::Result<()> {
        let (mail, rcpt) = ("MAIL FROM:<a@from.example>\r\n", "RCPT TO:<b@to.example>\r\n");
        if pipelined {
            self.stream.get_mut().write_all(format!("{mail}{rcpt}DATA\r\n").as_bytes()).await?;
            self.stream.get_mut().flush().await?;
            self.reply("250").await?;
            self.reply("250").await?;
            self.reply("354").await?;
        } else {
            self.say(mail, "250").await?;
            self.say(rcpt, "250").await?;
            self.say("DATA\r\n", "354").await?;
        }
        let content =
            format!("From: a@from.example\r\nSubject: benchmark\r\nX-Number: {run}-{number}\r\n\r\n{body}.\r\n");
        self.say(&content, "250").await
    }

    async fn quit(&mut self) -> io::Result<()> {
        self.say("QUIT\r\n", "221").await
    }

    async fn say(&mut self, text: &str, wanted: &str) -> io::Result<()> {
        self.stream.get_mut().write_all(text.as_bytes()).await?;
        self.stream.get_mut().flush().await?;
        self.reply(wanted).await
    }

    async fn reply(&mut self, wanted: &str) -> io::Result<()> {
        loop {
            self.line.clear();
            self.stream.read_line(&mut self.line).await?;
            if !self.line.starts_with(wanted) {
                return Err(io::Error::other(format!("wanted {wanted}, got {:?}", self.line)));
            }
            if self.line.as_bytes().get(3) != Some(&b'-') {
                return Ok(());
            }
        }
    }
}
