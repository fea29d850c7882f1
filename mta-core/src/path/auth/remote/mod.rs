//! Others who know passwords: what they are asked, and what their answers mean. Nothing here waits.

mod ber;
pub(super) mod http;
pub(super) mod ldap;
#[cfg(test)]
mod tests;

use crate::base::sasl::door::User;
use crate::base::sasl::sender::SenderPattern;
use crate::config::model::Config;
use std::sync::Arc;

/// What another says of a user whose password was right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Whose mail the user's is, where it says so.
    pub(super) tenant: Option<Box<str>>,
    /// Whom it may be from; none: the name, which is then an address.
    pub(super) senders: Vec<SenderPattern>,
}

/// What another says of a name and a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// They are a user's.
    Yes(Found),
    /// They are nobody's.
    No,
}

/// The user of that name, prepared, whom the file of users does not have.
///
/// # Errors
/// Why it can be nobody's mail, or from nobody; in words for the log.
pub(super) fn user(name: &str, found: Found, config: &Config) -> Result<Arc<User>, String> {
    let own = config.tenant_of_user(name);
    let tenant = match found.tenant {
        None => own.cloned(),
        Some(said) => {
            let known = config.tenants.iter().map(|tenant| &tenant.name).find(|known| ***known == *said);
            let known =
                known.ok_or_else(|| format!("it says that {name}'s tenant is {said:?}, and there is none such"))?;
            if own.is_some_and(|own| own != known) {
                return Err(format!("it says that {name}'s tenant is {said:?}, and its [[tenant]] users another"));
            }
            Some(Arc::clone(known))
        }
    };
    let mut senders = found.senders;
    if senders.is_empty() {
        let own = name.parse().map_err(|_| format!("it says of no address that {name}'s mail may be from it"))?;
        senders.push(SenderPattern::Address(own));
    }
    Ok(Arc::new(User { name: name.into(), tenant, senders }))
}
