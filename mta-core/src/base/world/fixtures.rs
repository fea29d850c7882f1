//! For the tests of every layer above: a queued message, a socket over any stream, names that can be looked up, and a web.

use super::super::flow::Answer;
use super::super::flow::entry::{Entry, Progress};
use super::super::mail::address::Address;
use super::super::mail::edits::Edits;
use super::super::mail::envelope::{BodyType, Envelope, Recipient};
use super::super::mail::id::QueueId;
use super::super::time::UnixMillis;
use super::dns::{Dns, DnsFault, Mx, RecordData, RecordKind};
use super::http::{HttpAnswer, HttpClient, HttpFault, HttpRequest};
use super::net::Socket;
use std::future::pending;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Mutex;
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
        placements: Vec::new(),
    }
}

/// A DNS that has these records. What it has nothing of does not exist; a name that begins with `silent.` is never
/// answered, one that begins with `broken.` fails.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) records: Vec<(&'static str, RecordData)>,
    pub(crate) exchangers: Vec<(&'static str, Mx)>,
}

impl Names {
    /// Those that `said` makes something of.
    fn find<'a, T: Send + 'a>(
        &'a self,
        name: &'a str,
        said: impl Fn(&RecordData) -> Option<T> + Send + 'a,
    ) -> Answer<'a, Result<Vec<T>, DnsFault>> {
        let here = || self.records.iter().filter(|(known, _)| *known == name);
        let found: Vec<T> = here().filter_map(|(_, data)| said(data)).collect();
        let answer = match (here().next(), found.is_empty()) {
            _ if name.starts_with("silent.") => return Box::pin(pending()),
            _ if name.starts_with("broken.") => Err(DnsFault::Failed),
            (None, _) => Err(DnsFault::NoSuchDomain),
            (_, true) => Err(DnsFault::NoRecord),
            _ => Ok(found),
        };
        Box::pin(async { answer })
    }
}

impl Dns for Names {
    fn mx<'a>(&'a self, domain: &'a str) -> Answer<'a, Result<Vec<Mx>, DnsFault>> {
        let here = self.exchangers.iter().filter(|(known, _)| *known == domain);
        let found: Vec<Mx> = here.map(|(_, mx)| mx.clone()).collect();
        Box::pin(async move { if found.is_empty() { Err(DnsFault::NoSuchDomain) } else { Ok(found) } })
    }

    fn records<'a>(&'a self, name: &'a str, kind: RecordKind) -> Answer<'a, Result<Vec<RecordData>, DnsFault>> {
        self.find(name, move |data| {
            let is = match data {
                RecordData::A(_) => RecordKind::A,
                RecordData::Aaaa(_) => RecordKind::Aaaa,
                RecordData::Txt(_) => RecordKind::Txt,
                RecordData::Ptr(_) => RecordKind::Ptr,
            };
            (is == kind).then(|| data.clone())
        })
    }

    fn addresses<'a>(&'a self, host: &'a str) -> Answer<'a, Result<Vec<IpAddr>, DnsFault>> {
        self.find(host, |data| match data {
            RecordData::A(ip) => Some(IpAddr::V4(*ip)),
            RecordData::Aaaa(ip) => Some(IpAddr::V6(*ip)),
            _ => None,
        })
    }
}

/// A web in which every server answers 200 with these octets, but for those at the path `/silent`. Requests are kept.
#[derive(Debug, Default)]
pub(crate) struct Web {
    pub(crate) body: Vec<u8>,
    pub(crate) requests: Mutex<Vec<HttpRequest>>,
}

impl HttpClient for Web {
    fn fetch(&self, request: HttpRequest) -> Answer<'_, Result<HttpAnswer, HttpFault>> {
        let silent = request.target == "/silent";
        self.requests.lock().expect("whole").push(request);
        if silent {
            return Box::pin(pending());
        }
        let fields = vec![("x-web".to_owned(), "1".to_owned())];
        Box::pin(async { Ok(HttpAnswer { status: 200, fields, body: self.body.clone() }) })
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
