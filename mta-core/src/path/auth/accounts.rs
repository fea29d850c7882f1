//! The users as their file has them: found by name, with what a password must fit.

use super::line::{LINE_BYTES_MAX, UserLine};
use crate::base::sasl::door::{Offered, User};
use crate::base::sasl::stored::{SCRAM_ITERATIONS, ScramKeys, Verifier};
use crate::config::model::{Config, Tenant};
use crate::config::tenants::tenant_of_user;
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
    /// Users with a password, or keys that one must fit.
    with_passwords: usize,
    /// Users with keys.
    with_keys: usize,
}

/// What the configuration says that the file must agree with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Whose mail users' may be.
    pub tenants: Vec<Tenant>,
    /// Others know users too, so that a line may have no password.
    pub others_know: bool,
}

impl Surroundings {
    /// Those of a configuration.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self { tenants: config.tenants.clone(), others_know: config.auth.others_know() }
    }

    /// The tenant of a user whose line names this one.
    fn tenant(&self, name: &str, written: Option<&str>) -> Result<Option<Arc<str>>, String> {
        let own = tenant_of_user(&self.tenants, name);
        let Some(written) = written else { return Ok(own.cloned()) };
        let known = self.tenants.iter().find(|known| *known.name == *written);
        let known = known.ok_or_else(|| format!("there is no [[tenant]] of the name {written:?}"))?;
        match own {
            Some(own) if *own != known.name => Err(format!(
                "{name:?} is the tenant {written:?}'s here, and {own:?}'s by its [[tenant]] users: expected the same"
            )),
            _ => Ok(Some(Arc::clone(&known.name))),
        }
    }
}

#[derive(Debug)]
struct Account {
    user: Arc<User>,
    /// Keys fit a password too, where there is no hash. None: others know.
    verifier: Option<Verifier>,
    keys: Option<ScramKeys>,
}

impl Accounts {
    /// Reads a file of users.
    ///
    /// # Errors
    /// All that is wrong with it, each with its line's number.
    pub fn parse(octets: &[u8], around: &Surroundings) -> Result<Self, String> {
        let (mut accounts, mut wrong) = (Self::default(), Vec::new());
        for (number, line) in (1_u32..).zip(octets.split(|octet| *octet == b'\n')) {
            if let Err(what) = accounts.line(line, around) {
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

    fn line(&mut self, line: &[u8], around: &Surroundings) -> Result<(), String> {
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
        let tenant = around.tenant(&user.name, user.tenant.as_deref())?;
        let senders = user.may_send()?;
        let UserLine { name, password, scram: keys, .. } = user;
        let verifier = match (password, &keys) {
            (Some(hash), _) => Some(Verifier::parse(&hash)?),
            (None, Some(keys)) => Some(Verifier::Scram(keys.clone())),
            (None, None) if around.others_know => None,
            (None, None) => {
                return Err("expected `password=`, `scram=` or both: nobody could log in as this user, since \
                            [auth] names nobody else who knows users"
                    .to_owned());
            }
        };
        self.with_passwords += usize::from(verifier.is_some());
        if self.nobody.is_none() && verifier.is_some() {
            // The line has what a password must fit, which nobody is shown.
            self.secret = Sha256::digest(line).into();
            self.nobody.clone_from(&verifier);
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

    /// What clients may be offered: of those who have a password here, since others come by tokens.
    #[must_use]
    pub fn offered(&self) -> Offered {
        let passwords = self.with_passwords > 0;
        Offered { passwords, keys: passwords && self.with_keys == self.with_passwords, tokens: false }
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
            Some(Account { verifier: Some(verifier), .. }) => Some(verifier.clone()),
            _ => self.nobody.clone(),
        }
    }

    /// Whether the user is there with a password or keys.
    #[must_use]
    pub fn has_password(&self, name: &str) -> bool {
        self.by_name.get(name).is_some_and(|account| account.verifier.is_some())
    }

    /// The user's keys, or such as nobody has.
    #[must_use]
    pub fn keys(&self, name: &str) -> ScramKeys {
        let iterations = if self.iterations == 0 { SCRAM_ITERATIONS } else { self.iterations };
        let keys = self.by_name.get(name).and_then(|account| account.keys.clone());
        keys.unwrap_or_else(|| ScramKeys::of_nobody(&self.secret, name, iterations))
    }
}
