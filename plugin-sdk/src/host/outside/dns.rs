//! Look-ups in the DNS; needs the grant `dns`.
//!
//! The hook waits for the answer, and that counts against its wall time, not its processor time. A look-up takes three
//! quarters of the wall time that is left, at most; then it is a `Timeout`, and the plugin can still decide. A call makes
//! at most 64 look-ups and gets at most 100 records of each; names may be written in either form of internationalised
//! ones.

use super::super::backend;

pub use crate::bindings::mailwright::plugin::dns::{Error, MxRecord};

/// IPv4 addresses.
///
/// # Errors
/// `Nxdomain` where there is no such name, `NoData` where it has no such record, `Servfail` and `Timeout` where nobody
/// knows; `NotPermitted` beyond the look-ups of a call. All functions here answer so.
pub fn a(name: &str) -> Result<Vec<String>, Error> {
    backend::dns::a(name)
}

/// IPv6 addresses.
///
/// # Errors
/// As [`a`].
pub fn aaaa(name: &str) -> Result<Vec<String>, Error> {
    backend::dns::aaaa(name)
}

/// Texts, each record's strings put together; 64 KiB at most.
///
/// # Errors
/// As [`a`].
pub fn txt(name: &str) -> Result<Vec<Vec<u8>>, Error> {
    backend::dns::txt(name)
}

/// Mail exchangers, the preferred ones first.
///
/// # Errors
/// As [`a`].
pub fn mx(name: &str) -> Result<Vec<MxRecord>, Error> {
    backend::dns::mx(name)
}

/// The names of an address.
///
/// # Errors
/// As [`a`]; `Nxdomain` for what is no address.
pub fn ptr(ip: &str) -> Result<Vec<String>, Error> {
    backend::dns::ptr(ip)
}

/// What a list (RFC 5782) says of an address of either family, as `["127.0.0.2"]`; empty where it is not listed. Lists
/// say in 127.255.255.0/24 that they did not like the question, as when it came by way of a public resolver.
///
/// # Errors
/// `Servfail` and `Timeout` where nobody knows, `Nxdomain` for what is no address, `NotPermitted` as [`a`].
pub fn dnsbl(zone: &str, ip: &str) -> Result<Vec<String>, Error> {
    backend::dns::dnsbl(zone, ip)
}

/// Whether that address may send mail of a sender (RFC 7208), from a host with the server's name: a word of RFC 8601, as
/// `pass`, `softfail`, `none` or `permerror`; `temperror` where nobody knows. It counts as 16 look-ups.
///
/// # Errors
/// `Nxdomain` for what is no address, `Timeout` and `NotPermitted` as [`a`], `Servfail` where there is nobody to ask, as in
/// `configure` before the server runs.
pub fn spf(ip: &str, sender: &crate::Address) -> Result<String, Error> {
    backend::dns::spf(ip, sender)
}
