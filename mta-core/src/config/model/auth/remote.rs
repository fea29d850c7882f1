//! `[auth.http]` after its check: a server that knows users' passwords.

use super::oauth::Url;
use crate::base::world::tls::Trust;
use std::sync::Arc;
use std::time::Duration;

/// `[auth.http]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpUsers {
    /// Where it is asked.
    pub at: Url,
    /// What shows there that the question is ours: the name of a `[[secret]]`.
    pub secret: Option<Arc<str>>,
    /// Whom it must be certified by.
    pub trust: Trust,
    /// How long one question may take.
    pub wait: Duration,
}
