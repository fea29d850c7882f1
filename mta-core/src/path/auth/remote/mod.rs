//! Others who know passwords: what they are asked, and what their answers mean. Nothing here waits.

mod ber;
pub(super) mod http;
pub(super) mod ldap;
#[cfg(test)]
mod tests;

use crate::base::flow::policy::SessionInfo;
use crate::base::flow::policy::password::Account;
use crate::base::sasl::door::User;
use crate::base::sasl::sender::SenderPattern;
use crate::base::sasl::{Hidden, Mechanism};
use crate::config::model::Config;
use std::sync::Arc;

/// What others are asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'q> {
    /// In whose session it is.
    pub(super) session: &'q SessionInfo,
    /// By what the password came.
    pub(super) how: Mechanism,
    /// Who the client says it is, prepared.
    pub(super) name: &'q str,
    /// What it shows.
    pub(super) password: &'q Hidden,
}

/// What another says of a name and a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// They are a user's.
    Yes(Account),
    /// They are nobody's.
    No,
}

/// The user of that name, prepared, whom the file of users does not have.
///
/// # Errors
/// Why it can be nobody's mail, or from nobody; in words for the log.
pub(super) fn user(name: &str, found: Account, config: &Config) -> Result<Arc<User>, String> {
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
