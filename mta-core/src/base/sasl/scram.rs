//! SCRAM-SHA-256, with and without channel binding, as a server speaks it (RFC 5802 5, 6 and 7; RFC 7677 3).
//!
//! The client shows that it has the password without sending it, and we that we have the user's keys. The last word of
//! the exchange is a challenge of ours with an empty answer, since SMTP's 235 has no place for it (RFC 4954 4).

use super::password::is_own;
use super::stored::{ScramKeys, hmac};
use super::words::{Failure, Step};
use super::{prepare, wire};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What a TLS connection can be known again by; none of it without TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bindings {
    /// `tls-server-end-point`: the hash of our certificate (RFC 5929 4).
    pub server_end_point: Option<Vec<u8>>,
    /// `tls-exporter`: keying material of this connection (RFC 9266 2).
    pub exporter: Option<Vec<u8>>,
}

impl Bindings {
    /// There is none: the mechanisms that need one are not offered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.server_end_point.is_none() && self.exporter.is_none()
    }

    fn named(&self, name: &str) -> Option<&[u8]> {
        match name {
            "tls-server-end-point" => self.server_end_point.as_deref(),
            "tls-exporter" => self.exporter.as_deref(),
            _ => None,
        }
    }
}

/// The server's side.
#[derive(Debug)]
pub(super) struct Scram {
    /// The mechanism is the one with a binding.
    plus: bool,
    bindings: Bindings,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The client's first message is waited for.
    First,
    /// The user's keys are.
    Keys(First),
    /// The client's proof is.
    Proof(Box<Challenged>),
    /// The client's empty answer to our own proof is.
    Answer(Box<str>),
    Over,
}

/// What the client said first.
#[derive(Debug)]
struct First {
    name: Box<str>,
    nonce: Box<str>,
    /// Its message without the binding's header: a part of what both sides sign.
    bare: Box<str>,
    /// The header and the binding, as the client must repeat them.
    bound: Vec<u8>,
}

/// What it was answered.
#[derive(Debug)]
struct Challenged {
    first: First,
    keys: ScramKeys,
    /// Both nonces.
    nonce: String,
    challenge: String,
}

impl Scram {
    pub(super) fn new(plus: bool, bindings: Bindings) -> Self {
        Self { plus, bindings, state: State::First }
    }

    pub(super) fn respond(&mut self, text: &str) -> Result<Step, Failure> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::First => {
                let first = self.first(text)?;
                let name = first.name.clone();
                self.state = State::Keys(first);
                Ok(Step::Keys(name))
            }
            State::Proof(challenged) => {
                let proof = challenged.proof(text)?;
                self.state = State::Answer(challenged.first.name);
                Ok(Step::Challenge(proof.into_bytes()))
            }
            State::Answer(name) if text.is_empty() => Ok(Step::Proven(name)),
            State::Answer(_) | State::Keys(_) | State::Over => Err(Failure::Malformed),
        }
    }

    /// `client-first-message` (RFC 5802 7): `n,[a=…],n=name,r=nonce`.
    fn first(&self, text: &str) -> Result<First, Failure> {
        let mut parts = text.splitn(3, ',');
        let (Some(flag), Some(acts_for), Some(bare)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Failure::Malformed);
        };
        let binding = self.binding(flag)?;
        let mut fields = bare.split(',');
        // A first field `m=` would be an extension that must be understood: there is none (RFC 5802 5.1).
        let name = fields.next().and_then(|field| field.strip_prefix("n=")).and_then(unescaped);
        let nonce = fields.next().and_then(|field| field.strip_prefix("r=")).filter(|nonce| is_nonce(nonce));
        let (Some(name), Some(nonce)) = (name, nonce) else { return Err(Failure::Malformed) };
        let name = prepare::name(&name).ok_or(Failure::Wrong)?;
        let own = match acts_for.strip_prefix("a=") {
            Some(identity) => is_own(&unescaped(identity).ok_or(Failure::Malformed)?, &name),
            None if acts_for.is_empty() => true,
            None => return Err(Failure::Malformed),
        };
        if !own {
            return Err(Failure::Foreign);
        }
        let bound = [format!("{flag},{acts_for},").as_bytes(), binding].concat();
        Ok(First { name, nonce: nonce.into(), bare: bare.into(), bound })
    }

    /// What the client's flag binds to (RFC 5802 6).
    fn binding(&self, flag: &str) -> Result<&[u8], Failure> {
        match (flag, flag.strip_prefix("p="), self.plus) {
            ("n", _, false) => Ok(&[]),
            // It could bind and thinks that we can't: somebody took our offer out.
            ("y", _, false) if self.bindings.is_empty() => Ok(&[]),
            ("n" | "y", ..) => Err(Failure::Binding),
            (_, Some(name), true) => self.bindings.named(name).ok_or(Failure::Binding),
            (_, Some(_), false) => Err(Failure::Binding),
            _ => Err(Failure::Malformed),
        }
    }

    /// `server-first-message`.
    pub(super) fn keys(&mut self, keys: ScramKeys, nonce: &str) -> Result<Step, Failure> {
        let State::Keys(first) = std::mem::replace(&mut self.state, State::Over) else {
            return Err(Failure::Malformed);
        };
        let nonce = format!("{}{nonce}", first.nonce);
        let challenge = format!("r={nonce},s={},i={}", wire::encode(&keys.salt), keys.iterations);
        let octets = challenge.clone().into_bytes();
        self.state = State::Proof(Box::new(Challenged { first, keys, nonce, challenge }));
        Ok(Step::Challenge(octets))
    }
}

impl Challenged {
    /// Reads `client-final-message`, `c=…,r=…,p=…`, and answers with `server-final-message` if the proof is good
    /// (RFC 5802 3).
    fn proof(&self, text: &str) -> Result<String, Failure> {
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or(Failure::Malformed)?;
        let proof: [u8; 32] =
            wire::decode(proof.as_bytes()).and_then(|proof| proof.try_into().ok()).ok_or(Failure::Malformed)?;
        let mut fields = without_proof.split(',');
        let bound = fields.next().and_then(|field| field.strip_prefix("c=")).ok_or(Failure::Malformed)?;
        let nonce = fields.next().and_then(|field| field.strip_prefix("r=")).ok_or(Failure::Malformed)?;
        if nonce != self.nonce {
            return Err(Failure::Wrong);
        }
        if wire::decode(bound.as_bytes()).ok_or(Failure::Malformed)? != self.first.bound {
            return Err(Failure::Binding);
        }
        let signed = format!("{},{},{without_proof}", self.first.bare, self.challenge);
        let mut client_key = hmac(&self.keys.stored, signed.as_bytes());
        client_key.iter_mut().zip(proof).for_each(|(octet, proof)| *octet ^= proof);
        let stored: [u8; 32] = Sha256::digest(client_key).into();
        if !bool::from(stored.ct_eq(&self.keys.stored)) {
            return Err(Failure::Wrong);
        }
        Ok(format!("v={}", wire::encode(&hmac(&self.keys.server, signed.as_bytes()))))
    }
}

/// `saslname` (RFC 5802 5.1): a comma is `=2C`, an equals sign `=3D`, and nothing else is escaped.
pub(super) fn unescaped(name: &str) -> Option<String> {
    let mut pieces = name.split('=');
    let mut text = pieces.next()?.to_owned();
    for piece in pieces {
        let (escaped, rest) =
            if let Some(rest) = piece.strip_prefix("2C") { (',', rest) } else { ('=', piece.strip_prefix("3D")?) };
        text.push(escaped);
        text.push_str(rest);
    }
    Some(text)
}

/// Printable ASCII without commas (RFC 5802 7).
fn is_nonce(nonce: &str) -> bool {
    !nonce.is_empty() && nonce.len() <= 256 && nonce.bytes().all(|octet| octet.is_ascii_graphic() && octet != b',')
}
