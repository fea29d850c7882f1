//! The door to who knows the users: what a session asks, and what it is answered.

use super::prepare::Hidden;
use super::sender::SenderPattern;
use super::stored::ScramKeys;
use super::words::Mechanism;
use crate::base::flow::Answer;
use crate::base::flow::policy::SessionInfo;
use crate::base::mail::address::Address;
use std::future::ready;
use std::net::IpAddr;
use std::sync::Arc;

/// A user, as far as mail goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Prepared ([`prepare::name`](super::prepare::name)).
    pub name: Box<str>,
    /// Whose mail the user's is.
    pub tenant: Option<Arc<str>>,
    /// Whom mail may be from. Never empty.
    pub senders: Vec<SenderPattern>,
}

impl User {
    /// Whether mail may be from this address. The null sender is everybody's: with it a client tells that mail was read
    /// (RFC 8098 3), and nobody is impersonated by it.
    #[must_use]
    pub fn may_send_as(&self, sender: Option<&Address>) -> bool {
        sender.is_none_or(|sender| self.senders.iter().any(|pattern| pattern.matches(sender)))
    }
}

/// Which mechanisms can be served now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offered {
    /// Passwords can be checked.
    pub passwords: bool,
    /// Every user has keys: who has none could not use what was offered, and clients take the strongest.
    pub keys: bool,
    /// Tokens can be checked.
    pub tokens: bool,
}

/// What a client shows, to be checked. Names are prepared.
#[derive(Debug)]
pub enum Claim {
    /// A user's password, and by which mechanism it came.
    Password(Mechanism, Box<str>, Hidden),
    /// A token; and whose it should be, where the client says so.
    Token(Option<Box<str>>, Hidden),
}

impl Claim {
    /// Who the client says it is; empty where it does not.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Password(_, name, _) => name,
            Self::Token(name, _) => name.as_deref().unwrap_or_default(),
        }
    }
}

impl Offered {
    /// Whether that mechanism is among them; `bound` says that the connection has something to be bound to.
    #[must_use]
    pub fn has(self, mechanism: Mechanism, bound: bool) -> bool {
        match mechanism {
            Mechanism::Plain | Mechanism::Login => self.passwords,
            Mechanism::ScramSha256 => self.keys,
            Mechanism::ScramSha256Plus => self.keys && bound,
            Mechanism::OAuthBearer | Mechanism::XOAuth2 => self.tokens,
        }
    }
}

/// What became of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// The client is this user.
    Is(Arc<User>),
    /// It is not. Whether there is a user of that name is for our own eyes.
    IsNot {
        /// There is such a user.
        known: bool,
    },
    /// It is not, and there is more to say of it, for our own eyes too.
    Unfit {
        /// There is a user of the name that it gave, or who vouches for it says so.
        known: bool,
        /// What is wrong with what it showed, in a few words.
        why: &'static str,
    },
    /// It can't be said now.
    Later(Later),
}

/// Why it can't be said now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Later {
    /// Too many failures of this client, or with this name.
    Held,
    /// Too many checks at once.
    Busy,
    /// Who would know does not answer.
    Unanswered,
}

impl Later {
    /// In a word or two, for the log.
    #[must_use]
    pub fn why(self) -> &'static str {
        match self {
            Self::Held => "too many failures",
            Self::Busy => "too many checks at once",
            Self::Unanswered => "who knows the users does not answer",
        }
    }
}

/// Who knows the users.
pub trait Authenticate: Send + Sync {
    /// What can be offered; nothing, where there are no users.
    fn offered(&self) -> Offered;

    /// Whose what was shown is. Takes as long for a name that nobody has.
    fn check(&self, session: SessionInfo, claim: Claim) -> Answer<'_, Checked>;

    /// The user's keys, or such as nobody has. The name is prepared.
    ///
    /// # Errors
    /// Why not now.
    fn keys(&self, peer: IpAddr, name: &str) -> Result<ScramKeys, Later>;

    /// A client that was given [`keys`](Self::keys) has shown that it has them, or not.
    fn proven(&self, peer: IpAddr, name: &str, proven: bool) -> Checked;
}

/// There are no users.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nobody;

impl Authenticate for Nobody {
    fn offered(&self) -> Offered {
        Offered::default()
    }

    fn check(&self, _: SessionInfo, _: Claim) -> Answer<'_, Checked> {
        Box::pin(ready(Checked::IsNot { known: false }))
    }

    fn keys(&self, _: IpAddr, _: &str) -> Result<ScramKeys, Later> {
        Err(Later::Busy)
    }

    fn proven(&self, _: IpAddr, _: &str, _: bool) -> Checked {
        Checked::IsNot { known: false }
    }
}
