//! One user as the file of users has it: a line, read and written.

use crate::base::sasl::prepare;
use crate::base::sasl::sender::SenderPattern;
use crate::base::sasl::stored::{ScramKeys, Verifier};
use std::fmt;

/// Longest line, in octets.
pub const LINE_BYTES_MAX: usize = 16 * 1024;

/// A line: the name, then words that say something of the user, as `tenant=acme`.
#[derive(Clone, PartialEq, Eq)]
pub struct UserLine {
    /// Prepared.
    pub name: Box<str>,
    /// What the password must fit, as written. Without it, and without keys, others know the user's password, or who issues
    /// tokens knows the user.
    pub password: Option<Box<str>>,
    /// The keys of SCRAM.
    pub scram: Option<ScramKeys>,
    /// Whose mail the user's is.
    pub tenant: Option<Box<str>>,
    /// Whom mail may be from; none: the name, which is then an address.
    pub senders: Vec<SenderPattern>,
}

impl fmt::Debug for UserLine {
    /// Nothing that a password could be tried on.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserLine").field("name", &self.name).field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

impl UserLine {
    /// Reads a line; none where it says nothing.
    ///
    /// # Errors
    /// What was expected, for the operator.
    pub fn parse(line: &str) -> Result<Option<Self>, String> {
        let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
        let Some(name) = words.next().filter(|name| !name.starts_with('#')) else { return Ok(None) };
        let name = prepare::name(name)
            .filter(|prepared| !prepared.contains('='))
            .ok_or_else(|| format!("expected a user's name first, found {name:?}"))?;
        let mut user = Self { name, password: None, scram: None, tenant: None, senders: Vec::new() };
        for word in words {
            user.word(word)?;
        }
        user.may_send()?;
        Ok(Some(user))
    }

    fn word(&mut self, word: &str) -> Result<(), String> {
        let twice = |key: &str| Err(format!("`{key}=` is there twice"));
        match word.split_once('=') {
            Some(("password", value)) => {
                Verifier::parse(value).map_err(|expected| format!("password: {expected}"))?;
                if self.password.replace(value.into()).is_some() { twice("password") } else { Ok(()) }
            }
            Some(("scram", value)) => {
                let keys = ScramKeys::parse(value).map_err(|expected| format!("scram: {expected}"))?;
                if self.scram.replace(keys).is_some() { twice("scram") } else { Ok(()) }
            }
            Some(("tenant", value)) if !value.is_empty() => {
                if self.tenant.replace(value.into()).is_some() {
                    twice("tenant")
                } else {
                    Ok(())
                }
            }
            Some(("sender", value)) => {
                let pattern = SenderPattern::parse(value).map_err(|expected| format!("sender: {expected}"))?;
                self.senders.push(pattern);
                Ok(())
            }
            // The word may hold a hash: it is not shown.
            _ => Err("expected `password=`, `scram=`, `tenant=` or `sender=` behind the name".to_owned()),
        }
    }

    /// Whom the user's mail may be from.
    ///
    /// # Errors
    /// Nobody: the name is no address, and no sender is written.
    pub fn may_send(&self) -> Result<Vec<SenderPattern>, String> {
        if !self.senders.is_empty() {
            return Ok(self.senders.clone());
        }
        match self.name.parse() {
            Ok(address) => Ok(vec![SenderPattern::Address(address)]),
            Err(_) => Err(format!("expected `sender=`: {:?} is no address that mail could be from", self.name)),
        }
    }
}

impl fmt::Display for UserLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, password, scram, tenant, senders } = self;
        f.write_str(name)?;
        password.iter().try_for_each(|hash| write!(f, " password={hash}"))?;
        scram.iter().try_for_each(|keys| write!(f, " scram={keys}"))?;
        tenant.iter().try_for_each(|tenant| write!(f, " tenant={tenant}"))?;
        senders.iter().try_for_each(|sender| write!(f, " sender={sender}"))
    }
}
