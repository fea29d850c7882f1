//! What a guest says of a name and a password, checked (RFC 4954 4).

use super::super::fault::{Fault, Kind};
use super::super::host::bindings::exports::mailwright::plugin::on_password::{Account as WireAccount, Admission};
use crate::base::flow::policy::password::{Account, PasswordAnswer};
use crate::base::sasl::sender::SenderPattern;

/// Patterns of addresses that one user may send as.
const SENDERS_MAX: usize = 256;

/// Checks what a guest answered. Its words are not repeated: it was shown a password.
///
/// # Errors
/// It says nothing that could be meant.
pub(crate) fn checked(said: Admission) -> Result<PasswordAnswer, Fault> {
    let WireAccount { tenant, senders } = match said {
        Admission::Next => return Ok(PasswordAnswer::Next),
        Admission::No => return Ok(PasswordAnswer::No),
        Admission::Yes(account) => account,
    };
    if senders.len() > SENDERS_MAX {
        let many = senders.len();
        return Err(Fault::new(Kind::Answer, format!("it names {many} senders of a user: at most {SENDERS_MAX}")));
    }
    let pattern = |text: &String| SenderPattern::parse(text);
    let senders = senders.iter().map(pattern).collect::<Result<_, _>>();
    let senders = senders.map_err(|what| Fault::new(Kind::Answer, format!("senders of a user: {what}")))?;
    Ok(PasswordAnswer::Yes(Account { tenant: tenant.map(Into::into), senders }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yes(tenant: Option<&str>, senders: Vec<&str>) -> Result<PasswordAnswer, String> {
        let senders = senders.into_iter().map(str::to_owned).collect();
        checked(Admission::Yes(WireAccount { tenant: tenant.map(str::to_owned), senders })).map_err(|fault| {
            assert_eq!(fault.kind, Kind::Answer);
            fault.why
        })
    }

    #[test]
    fn an_account_is_read_and_what_is_wrong_is_not_repeated_rfc4954_4() {
        assert_eq!(checked(Admission::Next), Ok(PasswordAnswer::Next));
        assert_eq!(checked(Admission::No), Ok(PasswordAnswer::No));
        let Ok(PasswordAnswer::Yes(account)) = yes(Some("acme"), vec!["@a.example", "*"]) else {
            panic!("it is sound")
        };
        assert_eq!((account.tenant.as_deref(), account.senders.len()), (Some("acme"), 2));
        assert_eq!(yes(None, Vec::new()), Ok(PasswordAnswer::Yes(Account::default())));
        let told = yes(None, vec!["hunter 2"]).expect_err("no pattern");
        assert!(told.starts_with("senders of a user: expected an address") && !told.contains("hunter"), "{told}");
        assert!(yes(None, vec!["*"; SENDERS_MAX + 1]).is_err() && yes(None, vec!["*"; SENDERS_MAX]).is_ok());
    }
}
