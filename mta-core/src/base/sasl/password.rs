//! The mechanisms that send the password: PLAIN (RFC 4616 2), all in one message, and LOGIN, the name and then the
//! password, each to a question. No RFC has LOGIN; it stays because old clients know nothing else.

use super::prepare;
use super::words::{Failure, Step};

/// Reads `[authzid] NUL authcid NUL passwd`.
pub(super) fn plain(text: &str) -> Result<Step, Failure> {
    let mut parts = text.split('\0');
    let (Some(acts_for), Some(name), Some(password), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Failure::Malformed);
    };
    claim(acts_for, name, password)
}

/// The claim of a client that is `name` and has this password.
fn claim(acts_for: &str, name: &str, password: &str) -> Result<Step, Failure> {
    if name.is_empty() || password.is_empty() {
        return Err(Failure::Malformed);
    }
    let (Some(name), Some(password)) = (prepare::name(name), prepare::password(password)) else {
        return Err(Failure::Wrong);
    };
    is_own(acts_for, &name).then_some(Step::Check(name, password)).ok_or(Failure::Foreign)
}

/// An authorization identity is absent, or the user's own.
pub(super) fn is_own(acts_for: &str, name: &str) -> bool {
    acts_for.is_empty() || prepare::name(acts_for).is_some_and(|other| *other == *name)
}

/// What was answered so far.
#[derive(Debug, Default)]
pub(super) struct Login {
    name: Option<Box<str>>,
}

impl Login {
    /// The questions are words for nobody, but clients compare them.
    pub(super) fn begin(&self) -> Step {
        let question: &[u8] = if self.name.is_none() { b"Username:" } else { b"Password:" };
        Step::Challenge(question.to_vec())
    }

    /// A name, which may come as the initial response, or the password.
    pub(super) fn respond(&mut self, text: &str) -> Result<Step, Failure> {
        match self.name.take() {
            None if text.is_empty() || text.contains('\0') => Err(Failure::Malformed),
            None => {
                self.name = Some(text.into());
                Ok(self.begin())
            }
            Some(name) => claim("", &name, text),
        }
    }
}
