//! What a plugin is asked that knows users' passwords, and what it answers: `on-password` (RFC 4954 4).

use super::session::SessionInfo;
use crate::base::sasl::prepare::Hidden;
use crate::base::sasl::sender::SenderPattern;
use std::sync::Arc;

/// A name and a password.
#[derive(Clone, Debug)]
pub struct PasswordQuestion {
    /// Who is asked: the plugin of that name.
    pub plugin: Arc<str>,
    /// In whose session they came.
    pub session: SessionInfo,
    /// Whose user the name is, by the configuration.
    pub tenant: Option<Arc<str>>,
    /// By which mechanism they came, as `PLAIN`.
    pub mechanism: &'static str,
    /// Who the client says it is, prepared.
    pub user: Box<str>,
    /// What it shows, prepared.
    pub password: Hidden,
}

/// What is known of a user besides its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Whose mail the user's is, where it is said.
    pub tenant: Option<Box<str>>,
    /// Whom it may be from; none: the name, which is then an address.
    pub senders: Vec<SenderPattern>,
}

/// What the plugin says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordAnswer {
    /// The name is none of its own: others may know it.
    Next,
    /// It is, and the password is not its.
    No,
    /// They are this user's.
    Yes(Account),
    /// It did not say; why, in words for the log.
    Unable(Box<str>),
}
