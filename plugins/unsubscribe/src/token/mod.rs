//! What a link carries: whose mail, which list and which recipient, signed, so that nobody else makes one (RFC 8058 3.1).
//!
//! It says nothing of time: the laws ask for links that work long after the message, and one that is old does no harm. Its
//! signature is good for this use alone, and no piece of it can borrow from the next.

mod base64;

use mailwright_plugin::{Address, secrets};

/// How a token is written.
const VERSION: u8 = 1;
/// What is signed begins with this: the secret may sign other things elsewhere.
const PURPOSE: &[u8] = b"mailwright unsubscribe\0";
/// Length of a signature, in octets.
const MAC_BYTES: usize = 32;
/// Longest token that is looked at, in characters: four texts of 255 octets with a signature make less than 1,420.
const TOKEN_CHARS_MAX: usize = 1_420;

/// Who unsubscribes from what.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Subscription {
    /// Whose mail it is.
    pub(crate) tenant: Option<String>,
    /// The list's name.
    pub(crate) list: String,
    /// Who got the message.
    pub(crate) recipient: Address,
}

/// Why a token is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoToken {
    /// It does not have the form of one: it was cut off, or never was one.
    Form,
    /// None of the keys has signed it.
    Signature,
}

/// The token, signed with the first key. None where that key is not granted, or a text is longer than any that a message
/// can have.
#[must_use]
pub(crate) fn made(keys: &[String], subscription: &Subscription) -> Option<String> {
    let mut octets = vec![VERSION, u8::from(subscription.tenant.is_some())];
    let Subscription { tenant, list, recipient } = subscription;
    for text in [tenant.as_deref().unwrap_or_default(), list, &recipient.local, &recipient.domain] {
        octets.push(u8::try_from(text.len()).ok()?);
        octets.extend_from_slice(text.as_bytes());
    }
    let mac = secrets::hmac_sha256(keys.first()?, &[PURPOSE, &octets].concat())?;
    octets.extend_from_slice(&mac);
    Some(base64::encoded(&octets))
}

/// What a token says, where one of the keys has signed it.
///
/// # Errors
/// It is none, or none of ours.
pub(crate) fn read(keys: &[String], token: &str) -> Result<Subscription, NoToken> {
    if token.len() > TOKEN_CHARS_MAX {
        return Err(NoToken::Form);
    }
    let octets = base64::decoded(token).ok_or(NoToken::Form)?;
    let length = octets.len().checked_sub(MAC_BYTES).ok_or(NoToken::Form)?;
    let (said, mac) = octets.split_at(length);
    let subscription = parsed(said).ok_or(NoToken::Form)?;
    let signed = [PURPOSE, said].concat();
    match keys.iter().any(|key| secrets::is_hmac_sha256(key, &signed, mac)) {
        true => Ok(subscription),
        false => Err(NoToken::Signature),
    }
}

fn parsed(said: &[u8]) -> Option<Subscription> {
    let rest = said.strip_prefix(&[VERSION])?;
    let (has_tenant, mut rest) = rest.split_first()?;
    let mut text = || {
        let (length, behind) = rest.split_first()?;
        let (text, behind) = behind.split_at_checked(usize::from(*length))?;
        rest = behind;
        String::from_utf8(text.to_vec()).ok()
    };
    let (tenant, list, local, domain) = (text()?, text()?, text()?, text()?);
    let tenant = match has_tenant {
        0 => None,
        _ => Some(tenant),
    };
    rest.is_empty().then_some(Subscription { tenant, list, recipient: Address { local, domain } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailwright_plugin::testing::scene;
    use proptest::prelude::*;

    fn keys(names: &[&str]) -> Vec<String> {
        scene(|scene| {
            for name in names {
                scene.secrets.insert((*name).to_owned(), format!("secret {name}").into_bytes());
            }
        });
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn ann() -> Subscription {
        let recipient = Address::new("Ann", "example.org");
        Subscription { tenant: Some("acme".to_owned()), list: "news".to_owned(), recipient }
    }

    #[test]
    fn a_token_outlives_its_key_while_that_is_named() {
        let old = made(&keys(&["2025"]), &ann()).expect("there is a key");
        let both = keys(&["2026", "2025"]);
        assert_eq!(read(&both, &old), Ok(ann()));
        let new = made(&both, &ann()).expect("there is a key");
        assert_ne!(new, old);
        assert_eq!(read(&keys(&["2026"]), &new), Ok(ann()));
        assert_eq!(read(&keys(&["2026"]), &old), Err(NoToken::Signature), "that key is gone");
        assert_eq!(made(&["unknown".to_owned()], &ann()), None);
        assert_eq!(made(&both, &Subscription { list: "x".repeat(256), ..ann() }), None);
    }

    #[test]
    fn a_signature_for_something_else_is_none() {
        let keys = keys(&["k"]);
        let token = made(&keys, &ann()).expect("there is a key");
        let octets = base64::decoded(&token).expect("our own");
        let said = &octets[..octets.len() - MAC_BYTES];
        let mac = secrets::hmac_sha256("k", said).expect("there is a key");
        assert_eq!(read(&keys, &base64::encoded(&[said, &mac].concat())), Err(NoToken::Signature));
        for broken in ["", "AQ", &token[..token.len() - 1], &format!("{token}="), &"A".repeat(5000)] {
            assert_eq!(read(&keys, broken), Err(NoToken::Form), "{broken}");
        }
    }

    proptest! {
        #[test]
        fn no_other_token_is_taken_for_one(at in 0usize..200, letter in "[A-Za-z0-9_-]", noise in "[A-Za-z0-9_-]{0,200}") {
            let keys = keys(&["k"]);
            let token = made(&keys, &ann()).expect("there is a key");
            let at = at % token.len();
            let forged = [&token[..at], &letter, &token[at + 1..]].concat();
            prop_assert_eq!(read(&keys, &forged).is_ok(), forged == token);
            prop_assert!(read(&keys, &noise).is_err());
        }

        #[test]
        fn what_goes_in_comes_out(tenant: Option<String>, list in ".{0,60}", local in ".{0,60}", domain in ".{0,60}") {
            prop_assume!(tenant.as_ref().is_none_or(|tenant| tenant.len() < 256));
            let keys = keys(&["k"]);
            let subscription = Subscription { tenant, list, recipient: Address { local, domain } };
            let token = made(&keys, &subscription).expect("it is short");
            prop_assert!(token.len() <= TOKEN_CHARS_MAX);
            prop_assert_eq!(read(&keys, &token), Ok(subscription));
        }
    }
}
