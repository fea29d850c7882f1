//! The network: byte streams, in and out.

use crate::base::flow::Answer;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connected byte stream.
pub trait Socket: AsyncRead + AsyncWrite + Send + Unpin {
    /// The other end.
    fn peer(&self) -> SocketAddr;

    /// This end.
    fn local(&self) -> SocketAddr;
}

/// Whom limits count as one client: an IPv4 address, or an IPv6 /64, which is what one customer gets (RFC 6177 2).
#[must_use]
pub fn client_of(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6((u128::from(ip) >> 64 << 64).into()),
        v4 => v4,
    }
}

/// Stands where a connection was taken away: it is at its end, and takes nothing.
#[derive(Clone, Copy, Debug)]
pub struct Gone;

impl AsyncRead for Gone {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Gone {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Socket for Gone {
    fn peer(&self) -> SocketAddr {
        NOWHERE
    }

    fn local(&self) -> SocketAddr {
        NOWHERE
    }
}

const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// A bound port.
pub trait Listener: Send {
    /// The next connection. An error is of that connection or of the process's limits, never of the listener's end; a
    /// connection that could not be accepted is still waiting, so whoever tries again without a rest may spin.
    fn accept(&mut self) -> Answer<'_, io::Result<Box<dyn Socket>>>;

    /// Where it is bound: the port is known even when 0 was asked for.
    fn local(&self) -> SocketAddr;
}

/// Opens ports and connections.
pub trait Net: Send + Sync {
    /// Binds and listens.
    ///
    /// # Errors
    /// What the system said: in use, not permitted.
    fn listen(&self, at: SocketAddr) -> io::Result<Box<dyn Listener>>;

    /// Connects, from `source` if given. The caller sets the time limit.
    fn connect(&self, to: SocketAddr, source: Option<IpAddr>) -> Answer<'_, io::Result<Box<dyn Socket>>>;

    /// Whether this machine itself has that address (RFC 5321 5.1: mail loops).
    fn is_local(&self, ip: IpAddr) -> bool;
}
