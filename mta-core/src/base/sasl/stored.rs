//! What is kept of a password, and whether a password fits it: argon2id (RFC 9106 4), SHA-crypt as in `/etc/shadow`,
//! and the keys of SCRAM (RFC 5802 3, written as in RFC 5803 2).

use super::wire;
use argon2::{Argon2, PasswordHash, PasswordVerifier as _};
use hmac::{Hmac, Mac};
use sha_crypt::{Sha256Params, Sha512Params, sha256_crypt_b64, sha512_crypt_b64};
use sha2::{Digest, Sha256};
use std::fmt;
use subtle::ConstantTimeEq;

/// Iterations of new SCRAM keys. RFC 7677 4 asks for at least 4096 and for more as machines grow; a client spends this
/// once a session.
pub const SCRAM_ITERATIONS: u32 = 100_000;

/// Iterations, rounds and passes that are taken from a file: what more would cost is a fault of the file.
const SCRAM_ITERATIONS_MAX: u32 = 10_000_000;
const SHA_ROUNDS_MAX: usize = 5_000_000;
const ARGON2_KIB_MAX: u32 = 1 << 20;
const ARGON2_PASSES_MAX: u32 = 64;

/// SHA-crypt's rounds where none are written.
const SHA_ROUNDS: usize = 5000;

const SCHEME: &str = "SCRAM-SHA-256$";

/// What a password must fit.
#[derive(Clone, PartialEq, Eq)]
pub enum Verifier {
    /// `$argon2id$…`.
    Argon2id(Box<str>),
    /// `$6$[rounds=…$]salt$hash`.
    Sha512(ShaCrypt),
    /// `$5$[rounds=…$]salt$hash`.
    Sha256(ShaCrypt),
    /// Keys fit a password too.
    Scram(ScramKeys),
}

/// The parts of a SHA-crypt hash.
#[derive(Clone, PartialEq, Eq)]
pub struct ShaCrypt {
    rounds: usize,
    salt: Box<str>,
    hash: Box<str>,
}

/// What SCRAM needs of a user (RFC 5802 3).
#[derive(Clone, PartialEq, Eq)]
pub struct ScramKeys {
    /// What the password was salted with.
    pub salt: Vec<u8>,
    /// How often it was hashed.
    pub iterations: u32,
    /// The hash of the key that only the client has.
    pub stored: [u8; 32],
    /// What we show ours with.
    pub server: [u8; 32],
}

impl Verifier {
    /// Reads one.
    ///
    /// # Errors
    /// What was expected, for the operator.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.starts_with("$argon2id$") {
            return argon2id(text);
        }
        if let Some(rest) = text.strip_prefix("$6$") {
            return ShaCrypt::parse(rest, 86).map(Self::Sha512);
        }
        if let Some(rest) = text.strip_prefix("$5$") {
            return ShaCrypt::parse(rest, 43).map(Self::Sha256);
        }
        Err("expected an argon2id hash ($argon2id$…) or SHA-crypt ($6$… or $5$…)")
    }

    /// A new argon2id hash of a prepared password, with the parameters that RFC 9106 4 leaves to servers: 19 MiB, two
    /// passes.
    ///
    /// # Errors
    /// The password or the salt can't be hashed.
    pub fn argon2id(password: &str, salt: &[u8; 16]) -> Result<String, String> {
        use argon2::PasswordHasher as _;
        use argon2::password_hash::SaltString;
        let salt = SaltString::encode_b64(salt).map_err(|error| error.to_string())?;
        let hash = Argon2::default().hash_password(password.as_bytes(), &salt);
        hash.map(|hash| hash.to_string()).map_err(|error| error.to_string())
    }

    /// Whether a prepared password fits. Takes tens of milliseconds and, for argon2id, tens of MiB.
    #[must_use]
    pub fn fits(&self, password: &str) -> bool {
        let password = password.as_bytes();
        match self {
            Self::Argon2id(hash) => {
                PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok())
            }
            Self::Sha512(ShaCrypt { rounds, salt, hash }) => Sha512Params::new(*rounds)
                .and_then(|rounds| sha512_crypt_b64(password, salt.as_bytes(), &rounds))
                .is_ok_and(|found| found.as_bytes().ct_eq(hash.as_bytes()).into()),
            Self::Sha256(ShaCrypt { rounds, salt, hash }) => Sha256Params::new(*rounds)
                .and_then(|rounds| sha256_crypt_b64(password, salt.as_bytes(), &rounds))
                .is_ok_and(|found| found.as_bytes().ct_eq(hash.as_bytes()).into()),
            Self::Scram(keys) => {
                let found = ScramKeys::derive(password, keys.salt.clone(), keys.iterations);
                found.stored.ct_eq(&keys.stored).into()
            }
        }
    }
}

/// A hash with parameters that a server can afford.
fn argon2id(text: &str) -> Result<Verifier, &'static str> {
    const EXPECTED: &str =
        "expected an argon2id hash as `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`, of at most 1 GiB and 64 passes";
    let hash = PasswordHash::new(text).map_err(|_| EXPECTED)?;
    let params = argon2::Params::try_from(&hash).map_err(|_| EXPECTED)?;
    let affordable = params.m_cost() <= ARGON2_KIB_MAX && params.t_cost() <= ARGON2_PASSES_MAX;
    let whole = hash.hash.is_some() && hash.salt.is_some();
    if affordable && whole { Ok(Verifier::Argon2id(text.into())) } else { Err(EXPECTED) }
}

impl ShaCrypt {
    /// Reads `[rounds=N$]salt$hash`, whose hash has so many letters.
    fn parse(rest: &str, letters: usize) -> Result<Self, &'static str> {
        const EXPECTED: &str =
            "expected a SHA-crypt hash as `$6$salt$hash` or `$6$rounds=N$salt$hash`, of at most 5000000 rounds";
        let (rounds, rest) = match rest.strip_prefix("rounds=") {
            Some(rest) => {
                let (rounds, rest) = rest.split_once('$').ok_or(EXPECTED)?;
                (rounds.parse().map_err(|_| EXPECTED)?, rest)
            }
            None => (SHA_ROUNDS, rest),
        };
        let (salt, hash) = rest.split_once('$').ok_or(EXPECTED)?;
        let is_letter = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'.' || octet == b'/';
        let sound = (1000..=SHA_ROUNDS_MAX).contains(&rounds)
            && (1..=16).contains(&salt.len())
            && salt.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'$')
            && hash.len() == letters
            && hash.bytes().all(is_letter);
        if sound { Ok(Self { rounds, salt: salt.into(), hash: hash.into() }) } else { Err(EXPECTED) }
    }
}

impl ScramKeys {
    /// The keys of a prepared password (RFC 5802 3).
    #[must_use]
    pub fn derive(password: &[u8], salt: Vec<u8>, iterations: u32) -> Self {
        let mut salted = [0; 32];
        pbkdf2::pbkdf2_hmac::<Sha256>(password, &salt, iterations, &mut salted);
        let client = hmac(&salted, b"Client Key");
        Self { stored: Sha256::digest(client).into(), server: hmac(&salted, b"Server Key"), salt, iterations }
    }

    /// Keys as nobody has them, always the same of a name: who asks for one that is not there learns nothing.
    #[must_use]
    pub fn of_nobody(secret: &[u8; 32], name: &str, iterations: u32) -> Self {
        let drawn = |what: &str| hmac(secret, format!("{what} {name}").as_bytes());
        let salt = drawn("salt").get(..16).unwrap_or_default().to_vec();
        Self { salt, iterations, stored: drawn("stored"), server: drawn("server") }
    }

    /// Reads `SCRAM-SHA-256$iterations:salt$stored:server`.
    ///
    /// # Errors
    /// What was expected, for the operator.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let read = || -> Option<Self> {
            let (cost, keys) = text.strip_prefix(SCHEME)?.split_once('$')?;
            let ((iterations, salt), (stored, server)) = (cost.split_once(':')?, keys.split_once(':')?);
            let key = |text: &str| <[u8; 32]>::try_from(wire::decode(text.as_bytes())?).ok();
            let (salt, iterations) = (wire::decode(salt.as_bytes())?, iterations.parse().ok()?);
            // RFC 7677 4.
            let sound = (4096..=SCRAM_ITERATIONS_MAX).contains(&iterations) && (8..=64).contains(&salt.len());
            sound.then_some(Self { salt, iterations, stored: key(stored)?, server: key(server)? })
        };
        read().ok_or("expected keys as `SCRAM-SHA-256$iterations:salt$stored:server`, of 4096 to 10000000 iterations")
    }
}

impl fmt::Display for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { salt, iterations, stored, server } = self;
        let (salt, stored, server) = (wire::encode(salt), wire::encode(stored), wire::encode(server));
        write!(f, "{SCHEME}{iterations}:{salt}${stored}:{server}")
    }
}

impl fmt::Debug for Verifier {
    /// Who has a hash can try passwords: none is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Argon2id(_) => "Argon2id(..)",
            Self::Sha512(_) => "Sha512(..)",
            Self::Sha256(_) => "Sha256(..)",
            Self::Scram(_) => "Scram(..)",
        })
    }
}

impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramKeys").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

/// HMAC-SHA-256.
pub(super) fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    // Keys of any length are taken, so there is no error to tell.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    mac.update(message);
    mac.finalize().into_bytes().into()
}
