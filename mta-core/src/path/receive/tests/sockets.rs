//! The driver on real sockets: limits at the door, a message, large content, and the end of the server.

use super::world::{World, config, mx};
use crate::base::fixtures::Wire;
use crate::base::flow::Answer;
use crate::base::world::net::{self, Socket};
use crate::config::model::listener::{Kind, Listener, StartTls};
use crate::config::model::{Config, Network};
use crate::path::receive::driver::{Phase, drained, serve};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

struct TestListener(TcpListener);

impl net::Listener for TestListener {
    fn accept(&mut self) -> Answer<'_, io::Result<Box<dyn Socket>>> {
        Box::pin(async {
            let (stream, peer) = self.0.accept().await?;
            let local = stream.local_addr()?;
            Ok(Box::new(Wire { stream, peer, local }) as Box<dyn Socket>)
        })
    }

    fn local(&self) -> SocketAddr {
        self.0.local_addr().expect("a bound port")
    }
}

/// A running server.
struct Served {
    world: World,
    at: SocketAddr,
    phase: watch::Sender<Phase>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Served {
    async fn start(config: Config) -> Self {
        let world = World::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let at = listener.local_addr().expect("a bound port");
        let phase = watch::Sender::new(Phase::Serving);
        let doors = Arc::clone(&world.doors);
        let accepting = tokio::spawn(serve(Box::new(TestListener(listener)), mx(), doors, phase.subscribe()));
        Self { world, at, phase, accepting }
    }

    async fn client(&self) -> Client {
        Client(BufReader::new(TcpStream::connect(self.at).await.expect("connected")))
    }
}

struct Client(BufReader<TcpStream>);

impl Client {
    async fn write(&mut self, octets: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(octets.as_ref()).await.expect("written");
    }

    /// The next line, without its end; empty at the end of the stream.
    async fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).await.expect("read");
        line.trim_end().to_owned()
    }

    /// The last line of the next reply.
    async fn reply(&mut self) -> String {
        loop {
            let line = self.line().await;
            if line.as_bytes().get(3) != Some(&b'-') {
                return line;
            }
        }
    }

    async fn ask(&mut self, line: &str) -> String {
        self.write(format!("{line}\r\n")).await;
        self.reply().await
    }

    async fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).await.expect("read");
        rest
    }
}

async fn begin(client: &mut Client) {
    assert!(client.reply().await.starts_with("220 "));
    client.ask("EHLO c.example").await;
    client.ask("MAIL FROM:<a@b.example>").await;
    assert_eq!(client.ask("RCPT TO:<x@here.example>").await, "250 2.1.5 recipient ok");
}

#[tokio::test]
async fn messages_small_and_large_come_in_whole() {
    let served = Served::start(config()).await;
    let mut client = served.client().await;
    begin(&mut client).await;
    assert!(client.ask("DATA").await.starts_with("354 "));
    assert!(client.ask("A: b\r\n\r\nbody\r\n.").await.starts_with("250 2.0.0 queued as "));
    let large = format!("A: b\r\n\r\n{}", "0123456789abcdef\r\n".repeat(100_000));
    client.write(format!("MAIL FROM:<>\r\nRCPT TO:<x@here.example>\r\nBDAT {} LAST\r\n{large}", large.len())).await;
    client.reply().await;
    client.reply().await;
    assert!(client.reply().await.starts_with("250 2.0.0 queued as "));
    assert_eq!(client.ask("QUIT").await, "221 2.0.0 bye");
    assert_eq!(client.rest().await, "", "the connection is closed");
    let kept = served.world.spool.kept.lock().expect("no panic");
    assert_eq!(kept[0].content, b"A: b\r\n\r\nbody\r\n");
    assert!(kept[1].was_blob && kept[1].content == large.as_bytes());
    assert!(served.world.spool.spilled_bytes.load(Ordering::Relaxed) > 1_700_000, "it went to disk as it came");
}

/// Out of descriptors: fails so often, then accepts, then has nothing more.
struct FailingListener {
    failures: u32,
    socket: Option<Box<dyn Socket>>,
    tried: watch::Sender<u32>,
}

impl net::Listener for FailingListener {
    fn accept(&mut self) -> Answer<'_, io::Result<Box<dyn Socket>>> {
        self.tried.send_modify(|tried| *tried += 1);
        let tried = *self.tried.borrow();
        Box::pin(async move {
            if tried <= self.failures {
                return Err(io::Error::other("too many open files"));
            }
            match self.socket.take() {
                Some(socket) => Ok(socket),
                None => std::future::pending().await,
            }
        })
    }

    fn local(&self) -> SocketAddr {
        ([127, 0, 0, 1], 25).into()
    }
}

#[tokio::test]
async fn failures_to_accept_are_told_and_rested_after_and_do_not_end_the_listener() {
    let world = World::new(config());
    let port = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let at = port.local_addr().expect("a bound port");
    let mut client = Client(BufReader::new(TcpStream::connect(at).await.expect("connected")));
    let socket = net::Listener::accept(&mut TestListener(port)).await.expect("accepted");
    let tried = watch::Sender::new(0);
    let listener = FailingListener { failures: 21, socket: Some(socket), tried: tried.clone() };
    let phase = watch::Sender::new(Phase::Serving);
    let began = std::time::Instant::now();
    let serving = tokio::spawn(serve(Box::new(listener), mx(), Arc::clone(&world.doors), phase.subscribe()));
    assert!(client.reply().await.starts_with("220 "));
    // The tenth failure and each one after it is followed by a rest of a tenth of a second.
    assert!(began.elapsed() >= Duration::from_millis(1200), "{:?}", began.elapsed());
    let told = world.heard.0.lock().expect("no panic").iter().filter(|line| line.contains("accept-failed")).count();
    assert_eq!(told, 2, "at 10 and at 20");
    assert!(world.heard.has("accept-failed", r#""listener":"mx","failures":20,"why":"too many open files""#));
    assert!(!world.heard.has("bug", ""));
    phase.send_replace(Phase::Draining);
    serving.await.expect("no panic");
}

#[tokio::test]
async fn a_listener_that_rests_still_ends_with_the_server() {
    let world = World::new(config());
    let tried = watch::Sender::new(0);
    let listener = FailingListener { failures: u32::MAX, socket: None, tried: tried.clone() };
    let phase = watch::Sender::new(Phase::Serving);
    let serving = tokio::spawn(serve(Box::new(listener), mx(), Arc::clone(&world.doors), phase.subscribe()));
    tried.subscribe().wait_for(|tried| *tried >= 10).await.expect("it tries");
    phase.send_replace(Phase::Draining);
    serving.await.expect("it ends");
}

#[tokio::test]
async fn one_session_too_many_is_told_so_rfc5321_4_3_2() {
    let mut config = config();
    config.limits.sessions_per_peer_max = 1;
    let served = Served::start(config).await;
    let mut first = served.client().await;
    assert!(first.reply().await.starts_with("220 "));
    let mut second = served.client().await;
    assert_eq!(second.rest().await, "421 4.7.0 too many sessions from your address\r\n");
    first.ask("QUIT").await;
    first.rest().await;
    let mut open = served.world.doors.slots.watch();
    open.wait_for(|open| *open == 0).await.expect("the place comes back");
    assert!(served.client().await.reply().await.starts_with("220 "));
}

#[tokio::test]
async fn a_silent_client_is_left_after_the_idle_limit_rfc5321_4_5_3_2_7() {
    let mut config = config();
    config.limits.command_idle = Duration::from_millis(50);
    let served = Served::start(config).await;
    let mut client = served.client().await;
    client.reply().await;
    assert_eq!(client.rest().await, "421 4.4.2 timeout\r\n");
}

#[tokio::test]
async fn at_the_end_idle_sessions_go_and_transactions_end_first_rfc5321_3_8() {
    let served = Served::start(config()).await;
    let (mut idle, mut busy, mut stuck) = (served.client().await, served.client().await, served.client().await);
    assert!(idle.reply().await.starts_with("220 "));
    begin(&mut busy).await;
    begin(&mut stuck).await;
    served.phase.send_replace(Phase::Draining);
    assert_eq!(idle.rest().await, "421 4.3.2 service is shutting down\r\n");
    served.accepting.await.expect("no panic");
    assert!(TcpStream::connect(served.at).await.is_err(), "the port is closed");
    busy.ask("DATA").await;
    assert!(busy.ask("A: b\r\n.").await.starts_with("250 "));
    assert_eq!(busy.rest().await, "421 4.3.2 service is shutting down\r\n");
    assert_eq!(drained(&served.world.doors, Duration::from_millis(20)).await, 1, "one is stuck");
    served.phase.send_replace(Phase::Cutting);
    assert_eq!(stuck.rest().await, "");
    assert_eq!(drained(&served.world.doors, Duration::from_secs(60)).await, 0);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_left() {
    let mut config = config();
    config.limits.command_idle = Duration::from_secs(1);
    config.limits.commands_per_session_max = u32::MAX;
    let served = Served::start(config).await;
    let mut client = served.client().await;
    client.reply().await;
    let noops = "NOOP\r\n".repeat(10_000);
    // Ends when the server has closed the connection on us: its replies are never read.
    while client.0.get_mut().write_all(noops.as_bytes()).await.is_ok() {}
    assert_eq!(drained(&served.world.doors, Duration::from_secs(60)).await, 0);
    let heard = served.world.heard.0.lock().expect("no panic").concat();
    assert!(served.world.heard.has("session-closed", "does not read"), "{heard}");
}

/// RFC 1122 4.2.2.13: octets that nobody read would reset the connection, and with it the last reply.
#[tokio::test]
async fn who_is_told_off_in_the_middle_of_writing_hears_why() {
    let mut config = config();
    config.limits.errors_per_session_max = 3;
    let served = Served::start(config).await;
    let mut client = served.client().await;
    client.reply().await;
    client.write("XODD\r\n".repeat(50_000)).await;
    client.0.get_mut().shutdown().await.expect("shut down");
    assert!(client.rest().await.ends_with("421 4.7.0 too many errors\r\n"));
    assert_eq!(drained(&served.world.doors, Duration::from_secs(60)).await, 0);
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_ended_and_gives_its_place_back() {
    let mut listener = Listener::clone(&mx());
    listener.kind = Kind::Submissions;
    let mut config = Config { listeners: vec![Arc::new(listener)], ..config() };
    config.limits.tls_handshake = Duration::from_millis(50);
    let served = Served::start(config).await;
    *served.world.tls.answer.lock().expect("no panic") = None;
    let mut client = served.client().await;
    assert_eq!(client.rest().await, "", "not a word in clear");
    assert_eq!(drained(&served.world.doors, Duration::from_secs(60)).await, 0);
    assert!(served.world.heard.has("tls-failed", "took too long"));

    *served.world.tls.answer.lock().expect("no panic") = None;
    let mut config = Config::clone(&served.world.config.borrow());
    config.limits.tls_handshake = Duration::from_secs(60);
    served.world.config.send_replace(Arc::new(config));
    let mut cut = served.client().await;
    let mut open = served.world.doors.slots.watch();
    open.wait_for(|open| *open == 1).await.expect("it was let in");
    served.phase.send_replace(Phase::Draining);
    served.phase.send_replace(Phase::Cutting);
    assert_eq!(cut.rest().await, "");
    assert_eq!(drained(&served.world.doors, Duration::from_secs(60)).await, 0);
}

#[tokio::test]
async fn the_driver_takes_the_connection_over_and_goes_on() {
    let mut listener = Listener::clone(&mx());
    listener.starttls = StartTls::Offered;
    let served = Served::start(Config { listeners: vec![Arc::new(listener)], ..config() }).await;
    let mut client = served.client().await;
    client.reply().await;
    client.ask("EHLO before.example").await;
    assert_eq!(client.ask("STARTTLS").await, "220 2.0.0 begin TLS now");
    assert_eq!(client.ask("MAIL FROM:<a@b.example>").await, "503 5.5.1 send EHLO or HELO first");
    client.ask("EHLO c.example").await;
    client.ask("MAIL FROM:<a@b.example>").await;
    client.ask("RCPT TO:<x@here.example>").await;
    client.ask("DATA").await;
    assert!(client.ask("A: b\r\n\r\nbody\r\n.").await.starts_with("250 "));
    let asked = served.world.policy.asked.lock().expect("no panic").join(", ");
    assert!(asked.is_empty() || asked.contains("secured TLSv1.3"), "{asked}");
}

/// A server behind a proxy on loopback, from which one address may have one session.
async fn behind_a_proxy() -> Served {
    let mut listener = Listener::clone(&mx());
    listener.proxy_from = vec![Network { base: [127, 0, 0, 0].into(), prefix: 8 }];
    let mut config = Config { listeners: vec![Arc::new(listener)], ..config() };
    config.limits.sessions_per_peer_max = 1;
    config.limits.proxy_header = Duration::from_millis(200);
    Served::start(config).await
}

#[tokio::test]
async fn a_trusted_proxy_says_who_the_client_is() {
    let served = behind_a_proxy().await;
    let (mut inside, mut other) = (served.client().await, served.client().await);
    inside.write("PROXY TCP4 192.0.2.7 198.51.100.1 4000 25\r\nEHLO c.example\r\n").await;
    assert!(inside.reply().await.starts_with("220 "));
    inside.reply().await;
    inside.ask("MAIL FROM:<a@b.example>").await;
    assert_eq!(inside.ask("RCPT TO:<x@there.example>").await, "250 2.1.5 recipient ok", "192.0.2.0/24 may relay");
    other.write("PROXY TCP4 198.51.100.7 198.51.100.1 4000 25\r\n").await;
    assert!(other.reply().await.starts_with("220 "));
    other.ask("EHLO c.example").await;
    other.ask("MAIL FROM:<a@b.example>").await;
    assert_eq!(other.ask("RCPT TO:<x@there.example>").await, "550 5.7.1 relaying denied");
    assert!(served.world.heard.has("session-opened", "192.0.2.7:4000"));
    let mut again = served.client().await;
    again.write("PROXY TCP4 192.0.2.7 198.51.100.1 4001 25\r\n").await;
    assert_eq!(
        again.rest().await,
        "421 4.7.0 too many sessions from your address\r\n",
        "the client's, not the proxy's"
    );
    let mut check = served.client().await;
    check.write(b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0").await;
    assert!(check.reply().await.starts_with("220 "), "LOCAL is the proxy's own");
}

#[tokio::test]
async fn a_trusted_proxy_must_say_it_and_in_time() {
    let served = behind_a_proxy().await;
    let mut silent = served.client().await;
    assert_eq!(silent.rest().await, "");
    assert!(served.world.heard.has("proxy-refused", "did not come in time"));
    let mut plain = served.client().await;
    plain.write("NOOP 12345678\r\n").await;
    plain.rest().await;
    assert!(served.world.heard.has("proxy-refused", "does not begin with the PROXY protocol"));
    assert_eq!(drained(&served.world.doors, Duration::from_secs(60)).await, 0);
    let open = Served::start(config()).await;
    let mut client = open.client().await;
    client.reply().await;
    let answer = client.ask("PROXY TCP4 192.0.2.7 198.51.100.1 4000 25").await;
    assert_eq!(answer, "500 5.5.1 command not recognized", "who is not trusted is not believed");
}

/// Five thousand idle sessions are to need less than 40 KiB each in all; ours is the smaller part.
#[tokio::test]
async fn a_session_is_small() {
    let world = World::new(config());
    let slot = world.doors.slots.take([127, 0, 0, 1].into(), 1, 1).expect("a place");
    let (_phase, phases) = watch::channel(Phase::Serving);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let at = listener.local_addr().expect("a bound port");
    let stream = TcpStream::connect(at).await.expect("connected");
    let socket = Box::new(Wire { stream, peer: at, local: at });
    let task = crate::path::receive::driver::task(socket, at, mx(), Arc::clone(&world.doors), phases, slot);
    let bytes = size_of_val(&task);
    assert!(bytes < 3 * 1024, "{bytes}");
}
