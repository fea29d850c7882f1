//! How mail that this server sends looks to others: who signs it, and whether its sender's domain allows where it comes from.

use super::verify::Outcome;
use crate::base::flow::Answer;
use crate::base::mail::address::Address;
use std::net::IpAddr;

/// A key that signs what leaves (RFC 6376).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// The domain that takes responsibility (`d=`).
    pub domain: Box<str>,
    /// Where below it the public key is (`s=`).
    pub selector: Box<str>,
    /// As the signature's `a=` names it.
    pub algorithm: &'static str,
}

/// Who signs, as policy sees them.
pub trait Signers: Send + Sync {
    /// The keys that sign mail of that author, which is the tenant's; `from` is the value of the field From.
    fn signers(&self, from: &str, tenant: Option<&str>) -> Vec<Signer>;
}

/// Who knows what domains say of addresses that send in their name.
pub trait SenderPolicy: Send + Sync {
    /// What SPF comes to for that address and sender (RFC 7208), within the time and the look-ups that a message has.
    fn spf<'a>(&'a self, ip: IpAddr, sender: &'a Address) -> Answer<'a, Outcome>;
}
