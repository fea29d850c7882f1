//! The words of SASL: what mechanisms are called, what an exchange needs next and how it fails (RFC 4422 3).

use super::prepare::Hidden;

/// How a client may show who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 7677, bound to the TLS connection.
    ScramSha256Plus,
    /// RFC 7677.
    ScramSha256,
    /// RFC 7628: a token.
    OAuthBearer,
    /// The same as Google had it before.
    XOAuth2,
    /// RFC 4616.
    Plain,
    /// Two questions, older than any RFC; still what some clients know alone.
    Login,
}

impl Mechanism {
    /// All of them, the strongest first.
    pub const ALL: [Self; 6] =
        [Self::ScramSha256Plus, Self::ScramSha256, Self::OAuthBearer, Self::XOAuth2, Self::Plain, Self::Login];

    /// As it is registered.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::OAuthBearer => "OAUTHBEARER",
            Self::XOAuth2 => "XOAUTH2",
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
        }
    }

    /// The mechanism of that name, in any case: SMTP's keywords have none (RFC 5321 2.4).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
    }

    /// Needs keys of every user, and not their passwords.
    #[must_use]
    pub fn needs_keys(self) -> bool {
        matches!(self, Self::ScramSha256 | Self::ScramSha256Plus)
    }
}

/// What an exchange needs next.
#[derive(Debug)]
pub enum Step {
    /// The client is to be sent these octets, and answers: [`Exchange::respond`](super::Exchange::respond).
    Challenge(Vec<u8>),
    /// Whether this password is this user's. The exchange is over.
    Check(Box<str>, Hidden),
    /// Whether this token is good, and this user's where one is named. One that is not is answered by
    /// [`Exchange::refused`](super::Exchange::refused).
    Token(Option<Box<str>>, Hidden),
    /// This user's keys: [`Exchange::keys`](super::Exchange::keys).
    Keys(Box<str>),
    /// The client is this user. The exchange is over.
    Proven(Box<str>),
}

/// Why an exchange failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Not what the mechanism's grammar allows, or nothing that was waited for.
    Malformed,
    /// The client wants to act for somebody else (RFC 4422 3.4.1): nobody may here.
    Foreign,
    /// It is bound to another connection, or somebody took the better mechanism out of our offer (RFC 5802 6).
    Binding,
    /// The client does not have the user's keys.
    Wrong,
}

impl Failure {
    /// In a word or two, for the log.
    #[must_use]
    pub fn why(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Foreign => "foreign authorization identity",
            Self::Binding => "channel binding",
            Self::Wrong => "wrong credentials",
        }
    }
}
