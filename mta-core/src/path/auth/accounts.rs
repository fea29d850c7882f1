//! The users as their file has them: found by name, with what a password must fit.

use super::line::{LINE_BYTES_MAX, UserLine};
use crate::base::sasl::door::{Offered, User};
use crate::base::sasl::stored::{SCRAM_ITERATIONS, ScramKeys, Verifier};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::Arc;

/// Users in a file.
pub const USERS_MAX: usize = 1_000_000;

/// Lines that are told as wrong.
const TOLD_MAX: usize = 20;

/// All users.
#[derive(Debug, Default)]
pub struct Accounts {
    by_name: HashMap<Box<str>, Account>,
    /// What checking a name costs that nobody has: as much as the first user's.
    nobody: Option<Verifier>,
    /// How often keys of nobody were hashed: as often as the first user's.
    iterations: u32,
    /// What keys of nobody are drawn from: the same for all servers with this file, and after a restart, since whoever
    /// sees a name's salt change knows that nobody has the name.
    secret: [u8; 32],
    /// Users with keys.
    with_keys: usize,
}

#[derive(Debug)]
struct Account {
    user: Arc<User>,
    /// Keys fit a password too, where there is no hash.
    verifier: Verifier,
    keys: Option<ScramKeys>,
}

impl Accounts {
    /// Reads a file of users, whose tenants are to be among these.
    ///
    /// # Errors
    /// All that is wrong with it, each with its line's number.
    pub fn parse(octets: &[u8], tenants: &[Arc<str>]) -> Result<Self, String> {
        let (mut accounts, mut wrong) = (Self::default(), Vec::new());
        for (number, line) in (1_u32..).zip(octets.split(|octet| *octet == b'\n')) {
            if let Err(what) = accounts.line(line, tenants) {
                wrong.push(format!("line {number}: {what}"));
            }
        }
        let more = wrong.len().saturating_sub(TOLD_MAX);
        wrong.truncate(TOLD_MAX);
        if more > 0 {
            wrong.push(format!("and {more} more lines"));
        }
        if wrong.is_empty() { Ok(accounts) } else { Err(wrong.join("; ")) }
    }

    fn line(&mut self, line: &[u8], tenants: &[Arc<str>]) -> Result<(), String> {
        if line.len() > LINE_BYTES_MAX {
            return Err(format!("expected at most {LINE_BYTES_MAX} octets"));
        }
        let text = std::str::from_utf8(line).map_err(|_| "expected text in UTF-8".to_owned())?;
        let Some(user) = UserLine::parse(text.trim_end_matches('\r'))? else { return Ok(()) };
        if self.by_name.contains_key(&user.name) {
            return Err(format!("{:?} is there already", user.name));
        }
        if self.by_name.len() >= USERS_MAX {
            return Err(format!("expected at most {USERS_MAX} users"));
        }
        let tenant = match &user.tenant {
            None => None,
            Some(name) => {
                let known = tenants.iter().find(|known| ***known == **name);
                Some(Arc::clone(known.ok_or_else(|| format!("there is no [[tenant]] of the name {name:?}"))?))
            }
        };
        let senders = user.may_send()?;
        let UserLine { name, password, scram: keys, .. } = user;
        let verifier = match (password, &keys) {
            (Some(hash), _) => Verifier::parse(&hash)?,
            (None, Some(keys)) => Verifier::Scram(keys.clone()),
            (None, None) => return Err("expected `password=` or `scram=`".to_owned()),
        };
        if self.nobody.is_none() {
            // The line has what a password must fit, which nobody is shown.
            self.secret = Sha256::digest(line).into();
            self.nobody = Some(verifier.clone());
        }
        if let Some(keys) = &keys {
            self.with_keys += 1;
            self.iterations = if self.iterations == 0 { keys.iterations } else { self.iterations };
        }
        let user = Arc::new(User { name: name.clone(), tenant, senders });
        self.by_name.insert(name, Account { user, verifier, keys });
        Ok(())
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// There is nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// What clients may be offered.
    #[must_use]
    pub fn offered(&self) -> Offered {
        Offered { passwords: !self.is_empty(), keys: !self.is_empty() && self.with_keys == self.len() }
    }

    /// The user, if there is one.
    #[must_use]
    pub fn user(&self, name: &str) -> Option<Arc<User>> {
        self.by_name.get(name).map(|account| Arc::clone(&account.user))
    }

    /// What a password must fit: the user's, or one that nobody is let in by.
    #[must_use]
    pub fn verifier(&self, name: &str) -> Option<Verifier> {
        match self.by_name.get(name) {
            Some(account) => Some(account.verifier.clone()),
            None => self.nobody.clone(),
        }
    }

    /// The user's keys, or such as nobody has.
    #[must_use]
    pub fn keys(&self, name: &str) -> ScramKeys {
        let iterations = if self.iterations == 0 { SCRAM_ITERATIONS } else { self.iterations };
        let keys = self.by_name.get(name).and_then(|account| account.keys.clone());
        keys.unwrap_or_else(|| ScramKeys::of_nobody(&self.secret, name, iterations))
    }
}
