//! Signed tokens as they are written: three parts in base64url with dots between (RFC 7515 3.1, RFC 7519 3).

use super::claims::Claims;
use super::keys::KeySet;
use super::{Unfit, octets};
use crate::config::model::auth::oauth::Algorithm;
use serde::Deserialize;
use serde_json::Value;

/// A token, taken apart; nothing of it is believed yet.
#[derive(Debug)]
pub(in crate::path::auth) struct Signed<'t> {
    algorithm: Algorithm,
    /// Which key it says that it is signed by.
    pub(in crate::path::auth) kid: Option<Box<str>>,
    /// What is signed: header and claims as they are written.
    message: &'t str,
    signature: Vec<u8>,
    claims: Claims,
}

/// The header, as far as we have use for it (RFC 7515 4.1). Where a key lies by its own word (`jku`, `jwk`, `x5u`) is no
/// business of ours.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// What must be understood: we understand nothing more (RFC 7515 4.1.11).
    crit: Option<Value>,
}

impl<'t> Signed<'t> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// It is none, or signed in a way that is not among these.
    pub(in crate::path::auth) fn parse(token: &'t str, algorithms: &[Algorithm]) -> Result<Self, Unfit> {
        let (message, signature) = token.rsplit_once('.').ok_or(Unfit::Malformed)?;
        let (header, claims) = message.split_once('.').ok_or(Unfit::Malformed)?;
        let header: Header = serde_json::from_slice(&octets(header)?).map_err(|_| Unfit::Malformed)?;
        if header.crit.is_some() {
            return Err(Unfit::Malformed);
        }
        let algorithm = Algorithm::named(&header.alg).filter(|algorithm| algorithms.contains(algorithm));
        Ok(Self {
            algorithm: algorithm.ok_or(Unfit::Algorithm)?,
            kid: header.kid.map(Into::into),
            message,
            signature: octets(signature)?,
            claims: serde_json::from_slice(&octets(claims)?).map_err(|_| Unfit::Malformed)?,
        })
    }

    /// What it says, if one of these keys has signed it.
    ///
    /// # Errors
    /// None of the keys is the one, or the signature is wrong.
    pub(in crate::path::auth) fn verified(self, keys: &KeySet) -> Result<Claims, Unfit> {
        let mut found = Unfit::UnknownKey;
        for key in keys.fitting(self.kid.as_deref(), self.algorithm) {
            if key.verifies(self.algorithm, self.message.as_bytes(), &self.signature) {
                return Ok(self.claims);
            }
            found = Unfit::Signature;
        }
        Err(found)
    }
}
