//! `[auth.ldap]` after its check: a directory that knows users, and how one is found there.

use super::filter::Filter;
use crate::base::world::http::Origin;
use crate::base::world::tls::Trust;
use std::sync::Arc;
use std::time::Duration;

/// `[auth.ldap]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ldap {
    /// Where it is.
    pub server: Origin,
    /// The entry below which users are.
    pub base: Box<str>,
    /// Which of them is the one.
    pub filter: Filter,
    /// Our entry there, and our password, the name of a `[[secret]]`; none: we search as nobody.
    pub bind: Option<(Box<str>, Arc<str>)>,
    /// The attribute that has the addresses that a user's mail may be from.
    pub senders_attribute: Option<Box<str>>,
    /// The attribute that has the user's tenant.
    pub tenant_attribute: Option<Box<str>>,
    /// Whom the directory must be certified by.
    pub trust: Trust,
    /// How long one question may take.
    pub wait: Duration,
}
