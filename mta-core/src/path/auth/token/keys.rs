//! The keys of an issuer: read from its set (RFC 7517 5), and how often that is fetched.

use super::octets;
use crate::config::model::auth::oauth::{Algorithm, Url};
use aws_lc_rs::signature::{self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Keys of a set that are looked at: issuers have a handful.
const KEYS_MAX: usize = 100;

/// The time between two fetches of a set. Whoever writes any key's name into a token makes us fetch so often at most.
const AGAIN: Duration = Duration::from_secs(30);

/// Keys of which nothing newer can be had are used so long: an issuer that is away for a night keeps nobody out.
const STALE_MAX: Duration = Duration::from_secs(86_400);

/// What can sign tokens.
#[derive(Debug, Default)]
pub(in crate::path::auth) struct KeySet(Vec<Key>);

#[derive(Debug)]
pub(super) struct Key {
    kid: Option<Box<str>>,
    /// What it is for alone, where it says so.
    algorithm: Option<Box<str>>,
    material: Material,
}

#[derive(Debug)]
enum Material {
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    /// A point of P-256, with both coordinates.
    P256(Vec<u8>),
    /// The same of P-384.
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// A key as it is written (RFC 7517 4, RFC 7518 6, RFC 8037 2).
#[derive(Deserialize)]
struct Written {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a set. Keys that we know no use for are passed over, as RFC 7517 5 has it.
    ///
    /// # Errors
    /// It is none, in words for the log.
    pub(in crate::path::auth) fn parse(json: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let set: Set = serde_json::from_slice(json).map_err(|error| format!("it is no set of keys: {error}"))?;
        let keys: Vec<Key> = set.keys.into_iter().take(KEYS_MAX).filter_map(Key::read).collect();
        if keys.is_empty() { Err("there is no key in it that could sign tokens".to_owned()) } else { Ok(Self(keys)) }
    }

    /// Keys that may have signed so: the one that is named, or all where none is.
    pub(super) fn fitting<'k>(
        &'k self,
        kid: Option<&'k str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &'k Key> + 'k {
        let named = move |key: &&Key| kid.is_none_or(|kid| key.kid.as_deref() == Some(kid));
        self.0.iter().filter(named).filter(move |key| key.is_for(algorithm))
    }

    fn has(&self, kid: Option<&str>) -> bool {
        kid.is_none_or(|kid| self.0.iter().any(|key| key.kid.as_deref() == Some(kid)))
    }
}

impl Key {
    fn read(value: Value) -> Option<Self> {
        let key: Written = serde_json::from_value(value).ok()?;
        let signs = key.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
            && key.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|one| one == "verify"));
        if !signs {
            return None;
        }
        let part = |text: &Option<String>| octets(text.as_deref()?).ok();
        let number = |text| part(text).map(|octets| octets.into_iter().skip_while(|octet| *octet == 0).collect());
        // Both coordinates at their full length (RFC 7518 6.2.1.2), uncompressed (SEC 1 2.3.3).
        let point = |octets_each: usize| {
            let (x, y) = (part(&key.x)?, part(&key.y)?);
            let whole = x.len() == octets_each && y.len() == octets_each;
            whole.then(|| [&[4], &x[..], &y[..]].concat())
        };
        let material = match (&*key.kty, key.crv.as_deref()) {
            ("RSA", _) => Material::Rsa(RsaPublicKeyComponents { n: number(&key.n)?, e: number(&key.e)? }),
            ("EC", Some("P-256")) => Material::P256(point(32)?),
            ("EC", Some("P-384")) => Material::P384(point(48)?),
            ("OKP", Some("Ed25519")) => Material::Ed25519(part(&key.x).filter(|x| x.len() == 32)?),
            _ => return None,
        };
        Some(Self { kid: key.kid.map(Into::into), algorithm: key.alg.map(Into::into), material })
    }

    /// Whether it can sign so, and does not say that it signs otherwise (RFC 7517 4.4).
    fn is_for(&self, algorithm: Algorithm) -> bool {
        use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
        let can = match &self.material {
            Material::Rsa(_) => matches!(algorithm, RS256 | RS384 | RS512 | PS256 | PS384 | PS512),
            Material::P256(_) => algorithm == ES256,
            Material::P384(_) => algorithm == ES384,
            Material::Ed25519(_) => algorithm == EdDSA,
        };
        // RFC 9864 2.2 calls EdDSA with this curve by the curve's name.
        let named = |own: &str| Algorithm::named(own) == Some(algorithm) || (algorithm == EdDSA && own == "Ed25519");
        can && self.algorithm.as_deref().is_none_or(named)
    }

    /// Whether it has signed this message.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let by = |how: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(how, key).verify(message, signature).is_ok()
        };
        match &self.material {
            Material::Rsa(key) => rsa(algorithm).is_some_and(|how| key.verify(how, message, signature).is_ok()),
            Material::P256(key) => by(&signature::ECDSA_P256_SHA256_FIXED, key),
            Material::P384(key) => by(&signature::ECDSA_P384_SHA384_FIXED, key),
            Material::Ed25519(key) => by(&signature::ED25519, key),
        }
    }
}

/// Keys of less than 2,048 bits are not believed (RFC 7518 3.3).
fn rsa(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::RS256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::PS256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
        Algorithm::ES256 | Algorithm::ES384 | Algorithm::EdDSA => None,
    }
}

/// The set that was fetched last, and when another is wanted.
#[derive(Debug, Default)]
pub(in crate::path::auth) struct Fetched {
    from: Option<Url>,
    set: Option<(Arc<KeySet>, Instant)>,
    tried: Option<Instant>,
}

/// What is to be done for a token.
#[derive(Debug)]
pub(in crate::path::auth) enum Look {
    /// It is to be verified with these.
    Use(Arc<KeySet>),
    /// They are to be fetched first: [`Fetched::put`] or [`Fetched::failed`], and then looked again. While somebody else
    /// does that, these may do.
    Fetch(Option<Arc<KeySet>>),
    /// There are none, and it was tried only just.
    Nothing,
}

impl Fetched {
    /// The keys for a token that is signed by this one.
    pub(in crate::path::auth) fn look(
        &mut self,
        from: &Url,
        kid: Option<&str>,
        age_max: Duration,
        now: Instant,
    ) -> Look {
        if self.from.as_ref() != Some(from) {
            *self = Self { from: Some(from.clone()), ..Self::default() };
        }
        let may_fetch = self.tried.is_none_or(|tried| now.saturating_duration_since(tried) >= AGAIN);
        let Some((set, since)) = &self.set else {
            return if may_fetch { Look::Fetch(None) } else { Look::Nothing };
        };
        let age = now.saturating_duration_since(*since);
        let usable = (age < age_max.saturating_add(STALE_MAX)).then(|| Arc::clone(set));
        match usable {
            usable if may_fetch && (age >= age_max || !set.has(kid)) => Look::Fetch(usable.filter(|_| set.has(kid))),
            Some(set) => Look::Use(set),
            None => Look::Nothing,
        }
    }

    /// A set has come.
    pub(in crate::path::auth) fn put(&mut self, set: KeySet, now: Instant) {
        self.set = Some((Arc::new(set), now));
        self.tried = Some(now);
    }

    /// None has.
    pub(in crate::path::auth) fn failed(&mut self, now: Instant) {
        self.tried = Some(now);
    }
}
