//! TCP by the system.

use crate::base::flow::Answer;
use crate::base::world::net::{Listener, Net, Socket};
use socket2::{Domain, Protocol, SockAddr, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Connections that wait for `accept`; the kernel lowers it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// The system's TCP. Needs tokio's runtime round it.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemNet;

impl Net for SystemNet {
    fn listen(&self, at: SocketAddr) -> io::Result<Box<dyn Listener>> {
        let socket = tcp_socket(at)?;
        // A restart must not wait for connections of the last run to leave TIME_WAIT.
        socket.set_reuse_address(true)?;
        if at.is_ipv6() {
            // One family a socket: peers are never IPv4-mapped, and 0.0.0.0 and [::] can both be bound.
            socket.set_only_v6(true)?;
        }
        socket.bind(&SockAddr::from(at))?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        let listener = TcpListener::from_std(socket.into())?;
        let local = listener.local_addr()?;
        Ok(Box::new(TcpPort { listener, local }))
    }

    fn connect(&self, to: SocketAddr, source: Option<IpAddr>) -> Answer<'_, io::Result<Box<dyn Socket>>> {
        Box::pin(async move {
            let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            if let Some(source) = source {
                socket.bind(SocketAddr::new(source, 0))?;
            }
            let stream = socket.connect(to).await?;
            TcpConnection::new(stream, to).map(boxed)
        })
    }

    fn is_local(&self, ip: IpAddr) -> bool {
        // The kernel knows best: it binds its own addresses and groups, and no others (but with ip_nonlocal_bind set).
        let at = SocketAddr::new(ip.to_canonical(), 0);
        !ip.is_multicast() && tcp_socket(at).and_then(|socket| socket.bind(&SockAddr::from(at))).is_ok()
    }
}

fn tcp_socket(at: SocketAddr) -> io::Result<socket2::Socket> {
    socket2::Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))
}

struct TcpPort {
    listener: TcpListener,
    local: SocketAddr,
}

impl Listener for TcpPort {
    fn accept(&mut self) -> Answer<'_, io::Result<Box<dyn Socket>>> {
        Box::pin(async move {
            let (stream, peer) = self.listener.accept().await?;
            TcpConnection::new(stream, peer).map(boxed)
        })
    }

    fn local(&self) -> SocketAddr {
        self.local
    }
}

struct TcpConnection {
    stream: TcpStream,
    peer: SocketAddr,
    local: SocketAddr,
}

impl TcpConnection {
    fn new(stream: TcpStream, peer: SocketAddr) -> io::Result<Self> {
        // Replies and pipelined commands are written whole; to wait for more of them only adds delay.
        stream.set_nodelay(true)?;
        let local = stream.local_addr()?;
        Ok(Self { stream, peer, local })
    }
}

fn boxed(connection: TcpConnection) -> Box<dyn Socket> {
    Box::new(connection)
}

impl Socket for TcpConnection {
    fn peer(&self) -> SocketAddr {
        self.peer
    }

    fn local(&self) -> SocketAddr {
        self.local
    }
}

impl AsyncRead for TcpConnection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for TcpConnection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, octets)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn a_connection_carries_octets_both_ways_and_knows_its_ends() {
        let net = SystemNet;
        let mut port = net.listen("127.0.0.1:0".parse().unwrap()).expect("a free port");
        let source: IpAddr = "127.0.0.1".parse().unwrap();
        let (client, server) = tokio::join!(net.connect(port.local(), Some(source)), port.accept());
        let (mut client, mut server) = (client.expect("connected"), server.expect("accepted"));
        assert_eq!((client.peer(), server.peer()), (server.local(), client.local()));
        client.write_all(b"EHLO a\r\n").await.expect("written");
        server.write_all(b"250 b\r\n").await.expect("written");
        client.shutdown().await.expect("shut down");
        let (mut heard, mut answer) = (Vec::new(), [0; 7]);
        server.read_to_end(&mut heard).await.expect("read");
        client.read_exact(&mut answer).await.expect("read");
        assert_eq!((heard.as_slice(), &answer), (&b"EHLO a\r\n"[..], b"250 b\r\n"));
    }

    #[tokio::test]
    async fn a_port_in_use_is_refused_at_once() {
        let port = SystemNet.listen("127.0.0.1:0".parse().unwrap()).expect("a free port");
        let second = SystemNet.listen(port.local()).err().expect("in use");
        assert_eq!(second.kind(), io::ErrorKind::AddrInUse);
    }

    #[tokio::test]
    async fn a_source_of_the_other_family_is_an_error() {
        let to = "127.0.0.1:9".parse().unwrap();
        assert!(SystemNet.connect(to, Some("::1".parse().unwrap())).await.is_err());
    }

    #[test]
    fn loopback_is_ours_and_documentation_addresses_are_not_rfc5321_5_1() {
        for ours in ["127.0.0.1", "127.9.9.9", "0.0.0.0", "::", "::ffff:127.0.0.1"] {
            assert!(SystemNet.is_local(ours.parse().unwrap()), "{ours}");
        }
        for other in ["192.0.2.1", "224.0.0.1", "2001:db8::1"] {
            assert!(!SystemNet.is_local(other.parse().unwrap()), "{other}");
        }
    }
}
