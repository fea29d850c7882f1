//! `[auth]` after its check: where users are known from, and how much guessing is suffered.

pub mod filter;
pub mod ldap;
pub mod oauth;
pub mod remote;

use ldap::Ldap;
use oauth::OAuth;
use remote::HttpUsers;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// `[auth]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// The file of users; without it nobody can authenticate.
    pub users: Option<PathBuf>,
    /// Whose tokens are believed; without it none are.
    pub oauth: Option<OAuth>,
    /// A plugin that knows passwords; none: no plugin is asked.
    pub plugin: Option<Arc<str>>,
    /// A server that knows passwords; none: no server is asked.
    pub http: Option<HttpUsers>,
    /// A directory that knows passwords; none: no directory is asked.
    pub ldap: Option<Ldap>,
    /// Tokens and passwords that others are asked about at once.
    pub remote_checks_max: usize,
    /// Passwords that are checked at once.
    pub checks_max: usize,
    /// How long one waits for its turn.
    pub check_wait: Duration,
    /// Failures in a session; then it ends.
    pub failures_max: u32,
    /// Failures of one client that cost nothing; each further one doubles a wait.
    pub failures_per_peer_max: u32,
    /// The same with one user's name.
    pub failures_per_user_max: u32,
    /// The longest wait.
    pub failure_wait_max: Duration,
    /// The addresses of From must be the user's own too.
    pub check_from: bool,
    /// Received fields don't say where authenticated clients are.
    pub hide_client: bool,
}

impl Auth {
    /// Others than the file of users know users.
    #[must_use]
    pub fn others_know(&self) -> bool {
        self.oauth.is_some() || self.others_know_passwords()
    }

    /// Others than the file of users know passwords.
    #[must_use]
    pub fn others_know_passwords(&self) -> bool {
        self.plugin.is_some() || self.http.is_some() || self.ldap.is_some()
    }

    /// Somebody could authenticate.
    #[must_use]
    pub fn knows_anybody(&self) -> bool {
        self.users.is_some() || self.others_know()
    }
}

/// Whether a listener's clients may authenticate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthOffer {
    /// Not at all.
    Off,
    /// Where nobody can listen.
    #[default]
    Private,
    /// Whoever listens gets the passwords too. Named `danger_plaintext` in the file.
    DangerPlaintext,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            users: None,
            oauth: None,
            plugin: None,
            http: None,
            ldap: None,
            remote_checks_max: 32,
            checks_max: 4,
            check_wait: Duration::from_secs(10),
            failures_max: 3,
            failures_per_peer_max: 10,
            failures_per_user_max: 20,
            failure_wait_max: Duration::from_secs(300),
            check_from: true,
            hide_client: false,
        }
    }
}
