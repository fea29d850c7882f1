//! Attempt: some recipients of one message to one next hop, now; the doors of deliver, and of those who sign for it.

use super::Answer;
use super::report::Report;
use crate::base::flow::entry::Entry;
use crate::base::flow::placement::Placement;
use crate::base::mail::address::Address;
use crate::base::mail::content::Content;
use crate::base::mail::domain::Domain;
use crate::base::mail::envelope::RecipientSet;
use crate::base::mail::render::Rendered;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// Where mail goes next: what recipients must share to travel in one transaction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum NextHop {
    /// The domain's mail exchangers (RFC 5321 5.1).
    Mx(Domain),
    /// A configured relay, by SMTP.
    Smarthost(Endpoint),
    /// A mail store, by LMTP (RFC 2033).
    Lmtp(Endpoint),
    /// A Maildir on this machine.
    Maildir(PathBuf),
    /// No way can be found; the attempt fails for good with a reply that says so.
    Nowhere,
    /// By one of the ways above, from the source addresses of a pool. Connections from elsewhere are none of its.
    From(Box<str>, Box<NextHop>),
    /// Policy is to be asked first.
    Unplaced,
    /// Policy chose what the configuration does not name any more, in words: the recipient is held.
    Missing(Box<str>),
    /// Nowhere else: it is a report about mail that went out, and ends when plugins were told.
    Feedback,
}

impl NextHop {
    /// Where it goes, whatever it goes from.
    #[must_use]
    pub fn target(&self) -> &Self {
        match self {
            Self::From(_, target) => target.target(),
            other => other,
        }
    }

    /// The pool of its source addresses.
    #[must_use]
    pub fn pool(&self) -> Option<&str> {
        match self {
            Self::From(pool, _) => Some(pool),
            _ => None,
        }
    }
}

/// A configured host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Endpoint {
    /// An address with its port: `127.0.0.1:2526`, `[::1]:24`.
    Address(SocketAddr),
    /// A name to be looked up (A and AAAA), and a port.
    Host(Box<str>, u16),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Host(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mx(domain) => write!(f, "mx:{domain}"),
            Self::Smarthost(endpoint) => write!(f, "smtp:{endpoint}"),
            Self::Lmtp(endpoint) => write!(f, "lmtp:{endpoint}"),
            Self::Maildir(path) => write!(f, "maildir:{}", path.display()),
            Self::Nowhere => f.write_str("nowhere"),
            Self::From(pool, target) => write!(f, "{target} from {pool}"),
            Self::Unplaced => f.write_str("unplaced"),
            Self::Missing(what) => write!(f, "missing:{what}"),
            Self::Feedback => f.write_str("feedback"),
        }
    }
}

/// One transaction to make.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The message, as it stands now.
    pub entry: Arc<Entry>,
    /// Its octets.
    pub content: Content,
    /// Which of its recipients.
    pub recipients: RecipientSet,
    /// Where to.
    pub hop: Arc<NextHop>,
    /// Which attempt for these recipients, from 1.
    pub number: u32,
}

/// The deliver stage, as the queue sees it.
pub trait Deliver: Send + Sync {
    /// Makes the attempt; every recipient of it is in the report. Ends within the stage's time limits.
    fn attempt(&self, attempt: Attempt) -> Answer<'_, Report>;

    /// Closes idle connections, for a drain.
    fn close_idle(&self) -> Answer<'_, ()>;
}

/// The route table, as the queue sees it: which way a recipient domain goes.
pub trait Routes: Send + Sync {
    /// The next hop for a recipient's domain; none is `postmaster` without one.
    fn next_hop(&self, domain: Option<&Domain>) -> NextHop;

    /// The next hop of the route with that name, if there is one.
    fn named(&self, route: &str) -> Option<NextHop>;

    /// Whether there is a pool of source addresses with that name.
    fn has_pool(&self, pool: &str) -> bool;

    /// Whether mail for the address ends here, as feedback about mail that went out.
    fn is_feedback(&self, to: &Address) -> bool {
        let _ = to;
        false
    }

    /// The next hop of a recipient as policy placed it.
    fn placed(&self, domain: Option<&Domain>, placement: &Placement) -> NextHop {
        let hop = match placement.via.as_deref() {
            None => self.next_hop(domain),
            Some(name) => match self.named(name) {
                Some(hop) => hop,
                None => return NextHop::Missing(format!("route \"{name}\"").into()),
            },
        };
        match (placement.pool.as_deref(), hop) {
            (Some(pool), _) if !self.has_pool(pool) => NextHop::Missing(format!("pool \"{pool}\"").into()),
            (Some(pool), hop @ (NextHop::Mx(_) | NextHop::Smarthost(_) | NextHop::Lmtp(_))) => {
                NextHop::From(pool.into(), Box::new(hop))
            }
            // What goes over no connection comes from no address.
            (_, hop) => hop,
        }
    }
}

/// A copy that is about to go to another server.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// The message, of which the copy is one.
    pub entry: &'a Entry,
    /// The copy, with all edits.
    pub message: &'a Rendered,
    /// The copy has the message's body, and not one of its own.
    pub is_own_body: bool,
    /// A stranger sent it, and it goes on to a server that is none of ours.
    pub is_forwarded: bool,
}

/// Signs copies.
pub trait Sign: Send + Sync {
    /// Whether anything may be signed at all.
    fn has_keys(&self) -> bool;

    /// The fields to put above the copy, whole and with their CRLF; none if nobody signs for such mail.
    ///
    /// # Errors
    /// There is a key for it, but no signature could be made; in words for the operator.
    fn sign<'a>(&'a self, outgoing: Outgoing<'a>) -> Answer<'a, Result<Option<Bytes>, String>>;
}

/// Signs nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unsigned;

impl Sign for Unsigned {
    fn has_keys(&self) -> bool {
        false
    }

    fn sign<'a>(&'a self, _outgoing: Outgoing<'a>) -> Answer<'a, Result<Option<Bytes>, String>> {
        Box::pin(std::future::ready(Ok(None)))
    }
}
