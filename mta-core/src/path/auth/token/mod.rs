//! Tokens: what they must be and say to show who a client is. Nothing here waits; what must be fetched is asked for by
//! [`keys::Look::Fetch`] and [`introspection::request`].

pub(super) mod claims;
pub(super) mod introspection;
pub(super) mod keys;
pub(super) mod recent;
pub(super) mod signed;
#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Why a token is no good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// It is no signed token (RFC 7515 3.1), or what is in it has no sense.
    Malformed,
    /// Its signature is of a kind that is not believed.
    Algorithm,
    /// It is signed by a key that its issuer does not show.
    UnknownKey,
    /// Its signature is wrong.
    Signature,
    /// Its issuer says that it is not valid, or not its own (RFC 7662 2.2).
    Inactive,
    /// It is somebody else's issue.
    Issuer,
    /// It is for somebody else.
    Audience,
    /// It is not good for this.
    Scope,
    /// It is too old.
    Expired,
    /// It is not valid yet.
    Early,
    /// It names no user.
    Nameless,
    /// Its user has shown to nobody that the address is its own.
    Unverified,
    /// It is not that user's whom the client named.
    Another,
    /// Its user is none here.
    Unknown,
    /// Its user has no address that mail could be from.
    Senderless,
}

impl Unfit {
    /// In a few words, for the log.
    pub(super) fn why(self) -> &'static str {
        match self {
            Self::Malformed => "token: malformed",
            Self::Algorithm => "token: algorithm not allowed",
            Self::UnknownKey => "token: unknown key",
            Self::Signature => "token: wrong signature",
            Self::Inactive => "token: not active",
            Self::Issuer => "token: another issuer",
            Self::Audience => "token: another audience",
            Self::Scope => "token: scope missing",
            Self::Expired => "token: expired",
            Self::Early => "token: not valid yet",
            Self::Nameless => "token: names no user",
            Self::Unverified => "token: address not verified",
            Self::Another => "token: another user's",
            Self::Unknown => "token: user unknown here",
            Self::Senderless => "token: user without an address",
        }
    }

    /// It was issued to whoever shows it, so that it is no guess: clients show tokens until they are told that these are
    /// too old.
    pub(super) fn is_honest(self) -> bool {
        matches!(self, Self::Expired | Self::Early)
    }
}

/// Octets of base64url without padding, with one spelling (RFC 7515 2).
fn octets(text: &str) -> Result<Vec<u8>, Unfit> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Unfit::Malformed)
}
