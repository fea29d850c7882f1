//! For the tests of every layer above: a queued message, and a socket over any stream.

use super::flow::entry::{Entry, Progress};
use super::mail::address::Address;
use super::mail::edits::Edits;
use super::mail::envelope::{BodyType, Envelope, Recipient};
use super::mail::id::QueueId;
use super::time::UnixMillis;
use super::world::net::Socket;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// When messages here were accepted.
pub(crate) const START: UnixMillis = UnixMillis(1_800_000_000_000);

/// A mailbox.
pub(crate) fn address(text: &str) -> Address {
    Address::parse(text).expect("a well-formed address")
}

/// A message without content, accepted at [`START`]; nothing was tried yet.
pub(crate) fn entry(number: u128, sender: &str, recipients: &[&str]) -> Entry {
    let recipient = |text: &&str| Recipient { address: address(text), notify: None, orcpt: None };
    Entry {
        id: QueueId::new(START, number),
        accepted: START,
        envelope: Envelope {
            sender: Some(address(sender)),
            recipients: recipients.iter().map(recipient).collect(),
            body: BodyType::SevenBit,
            smtputf8: false,
            ret: None,
            envid: None,
        },
        trace: Box::default(),
        edits: Edits::default(),
        size_bytes: 0,
        head_bytes: 0,
        tenant: None,
        tags: Vec::new(),
        progress: recipients.iter().map(|_| Progress::fresh(START)).collect(),
    }
}

/// A stream between these two ends.
pub(crate) struct Wire<S> {
    pub(crate) stream: S,
    pub(crate) peer: SocketAddr,
    pub(crate) local: SocketAddr,
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for Wire<S> {
    fn peer(&self) -> SocketAddr {
        self.peer
    }

    fn local(&self) -> SocketAddr {
        self.local
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
