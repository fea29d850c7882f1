//! `[auth.oauth]` after its check: whose tokens are believed, and how they are looked at.

use crate::base::world::http::Origin;
use crate::base::world::tls::Trust;
use crate::config::matching::UserPattern;
use std::sync::Arc;
use std::time::Duration;

/// `[auth.oauth]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuth {
    /// How a token is looked at.
    pub check: TokenCheck,
    /// Who must have issued it (`iss`); none: what issues no name for itself is believed too.
    pub issuer: Option<Box<str>>,
    /// Whom it must be for (`aud`).
    pub audience: Option<Box<str>>,
    /// What it must be good for (`scope`).
    pub scope: Option<Box<str>>,
    /// The claim that names the user.
    pub user_claim: Box<str>,
    /// Who may come by a token without a line in the file of users.
    pub users: Vec<UserPattern>,
    /// Whom the server that is asked must be certified by.
    pub trust: Trust,
    /// How far the clocks of servers may be apart.
    pub leeway: Duration,
    /// How long one request may take.
    pub wait: Duration,
}

/// How a token is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenCheck {
    /// It is signed (RFC 7519), by a key of a set that is fetched (RFC 7517).
    Signed {
        /// Where the set is.
        keys: Url,
        /// The algorithms that are believed. Never empty.
        algorithms: Vec<Algorithm>,
        /// After this a set is fetched anew.
        keys_age_max: Duration,
    },
    /// Who issued it is asked (RFC 7662).
    Asked {
        /// Where.
        at: Url,
        /// As whom we ask.
        client_id: Box<str>,
        /// Our password there: the name of a `[[secret]]`.
        client_secret: Arc<str>,
        /// How long a good answer is believed.
        believed: Duration,
    },
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// The server.
    pub origin: Origin,
    /// Path and query.
    pub target: String,
}

/// Signatures that tokens may have (RFC 7518 3.1, RFC 8037 3.1). None that whoever can check it could make: there is no
/// `none`, and no HMAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the registry's")]
pub enum Algorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

impl Algorithm {
    /// All of them, by name.
    pub const ALL: [(&'static str, Self); 9] = [
        ("RS256", Self::RS256),
        ("RS384", Self::RS384),
        ("RS512", Self::RS512),
        ("PS256", Self::PS256),
        ("PS384", Self::PS384),
        ("PS512", Self::PS512),
        ("ES256", Self::ES256),
        ("ES384", Self::ES384),
        ("EdDSA", Self::EdDSA),
    ];

    /// Those that are believed where nothing is written: what nearly all issuers sign with.
    pub const USUAL: [Self; 4] = [Self::RS256, Self::PS256, Self::ES256, Self::EdDSA];

    /// The one of that name; names have case (RFC 7515 4.1.1).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, algorithm)| algorithm)
    }
}
