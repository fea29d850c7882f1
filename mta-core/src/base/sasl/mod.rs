//! SASL as a server speaks it (RFC 4422): each mechanism a machine, the client's octets in, the next step out.
//!
//! A machine knows no user. What a password must fit, and the keys of a user, are asked for by a [`Step`], so that the
//! same machines serve with any file of users, and in tests with none.

mod bearer;
pub mod door;
mod password;
pub mod prepare;
pub mod scram;
pub mod sender;
pub mod stored;
#[cfg(test)]
mod tests;
pub mod wire;
mod words;

pub use prepare::Hidden;
pub use words::{Failure, Mechanism, Step};

use bearer::{Bearer, Dialect};
use password::{Login, plain};
use scram::{Bindings, Scram};
use stored::ScramKeys;

/// Longest line of an exchange with its CRLF, in octets: what RFC 4954 4 finds enough for every mechanism.
pub const LINE_BYTES_MAX: usize = 12_288;

/// One exchange.
#[derive(Debug)]
pub struct Exchange(Machine);

#[derive(Debug)]
enum Machine {
    Plain,
    Login(Login),
    Scram(Box<Scram>),
    Bearer(Bearer),
}

impl Exchange {
    /// A new one. `bindings` are those of the connection's TLS; without TLS there are none.
    #[must_use]
    pub fn new(mechanism: Mechanism, bindings: Bindings) -> Self {
        Self(match mechanism {
            Mechanism::Plain => Machine::Plain,
            Mechanism::Login => Machine::Login(Login::default()),
            Mechanism::ScramSha256 => Machine::Scram(Box::new(Scram::new(false, bindings))),
            Mechanism::ScramSha256Plus => Machine::Scram(Box::new(Scram::new(true, bindings))),
            Mechanism::OAuthBearer => Machine::Bearer(Bearer::new(Dialect::Standard)),
            Mechanism::XOAuth2 => Machine::Bearer(Bearer::new(Dialect::Google)),
        })
    }

    /// Begins without an initial response: what the client is asked first.
    #[must_use]
    pub fn begin(&mut self) -> Step {
        match &mut self.0 {
            // The client speaks first in these: the challenge is empty (RFC 4954 4).
            Machine::Plain | Machine::Scram(_) | Machine::Bearer(_) => Step::Challenge(Vec::new()),
            Machine::Login(login) => login.begin(),
        }
    }

    /// What the client sent, decoded: its initial response, or its answer to a challenge.
    ///
    /// # Errors
    /// Why the exchange failed; it is over.
    pub fn respond(&mut self, response: &[u8]) -> Result<Step, Failure> {
        let text = std::str::from_utf8(response).map_err(|_| Failure::Malformed)?;
        match &mut self.0 {
            Machine::Plain => plain(text),
            Machine::Login(login) => login.respond(text),
            Machine::Scram(scram) => scram.respond(text),
            Machine::Bearer(bearer) => bearer.respond(text),
        }
    }

    /// The keys that [`Step::Keys`] asked for, and a nonce of printable ASCII without commas, which nobody can foresee.
    ///
    /// # Errors
    /// Nothing asked for keys.
    pub fn keys(&mut self, keys: ScramKeys, nonce: &str) -> Result<Step, Failure> {
        match &mut self.0 {
            Machine::Scram(scram) => scram.keys(keys, nonce),
            Machine::Plain | Machine::Login(_) | Machine::Bearer(_) => Err(Failure::Malformed),
        }
    }

    /// What was shown is no good: what the client is told before the exchange fails, where the mechanism has that. It
    /// answers, and fails.
    pub fn refused(&mut self) -> Option<Step> {
        match &mut self.0 {
            Machine::Bearer(bearer) => bearer.refused(),
            Machine::Plain | Machine::Login(_) | Machine::Scram(_) => None,
        }
    }
}
